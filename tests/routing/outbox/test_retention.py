"""What is older than it is kept goes, a little at a time; what may still be needed stays."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import Connection, text

from sla_kit.errors import OutboxError
from sla_kit.routing.events import File
from sla_kit.routing.outbox import accepting, attachments, deliveries, retention
from sla_kit.routing.outbox.store import Outbox
from tests.routing.outbox.making import MAIL, NOW, PAGER, SLACK, changed, claim, notice, opened

OLD, DAY = NOW - 86400.0, 86400.0


def purged(outbox: Outbox, before: float) -> int:
    """All steps."""
    gone = 0
    while step := outbox.write(lambda connection: deliveries.purge(connection, before)):
        gone += step
    return gone


def count(outbox: Outbox, table: str) -> int:
    with outbox.reading() as connection:
        return int(connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one())


def finished(connection: Connection, key: str, now: float) -> None:
    """An incident that was told and is over."""
    stored = opened(connection, key, SLACK, now=now)
    changed(connection, stored, SLACK, now=now, status="resolved")
    for one in claim(connection, now=now):
        deliveries.succeed(connection, one, None, now)


def test_what_is_over_and_old_goes_with_its_history(outbox: Outbox) -> None:
    outbox.write(lambda connection: finished(connection, "old", OLD))
    outbox.write(lambda connection: finished(connection, "new", NOW))

    def contents(connection: Connection) -> None:
        for title, now in (("old", OLD), ("new", NOW)):
            deliveries.want_content(connection, notice(title), MAIL, contact="", priority=1, now=now)
        for one in claim(connection):
            deliveries.give_up(connection, one, "no", NOW)

    outbox.write(contents)
    assert purged(outbox, NOW - 1) == 3
    assert (count(outbox, "incident"), count(outbox, "delivery"), count(outbox, "history")) == (1, 2, 2)
    assert purged(outbox, NOW - 1) == 0


def test_what_is_not_over_stays_however_old(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        opened(connection, "open", now=OLD)
        stored = opened(connection, "not told", SLACK, now=OLD)
        changed(connection, stored, now=OLD, status="resolved")
        stored = opened(connection, "held", PAGER, now=OLD, held=True)
        changed(connection, stored, now=OLD, status="resolved")
        stored = opened(connection, "told just now", MAIL, now=OLD)
        changed(connection, stored, now=OLD, status="resolved")
        for one in claim(connection, kinds=["email"]):
            deliveries.succeed(connection, one, None, NOW)
        deliveries.want_content(connection, notice("waits"), SLACK, contact="", priority=1, now=OLD)

    outbox.write(work)
    accepting.accept(outbox, notice("not planned")).result()
    outbox.write(lambda connection: connection.execute(text(f"UPDATE event SET received_at = {OLD}")).close())
    assert purged(outbox, NOW - 1) == 0
    assert (count(outbox, "incident"), count(outbox, "delivery"), count(outbox, "event")) == (4, 4, 1)


def test_planned_and_dead_events_go_and_their_keys_with_them(outbox: Outbox) -> None:
    for key in "abc":
        accepting.accept(outbox, notice(), idempotency=key).result()
    events = outbox.write(lambda connection: accepting.new_events(connection, 2))
    outbox.write(lambda connection: accepting.mark_planned(connection, [events[0].id]))
    outbox.write(lambda connection: accepting.mark_dead(connection, events[1].id, "no"))
    assert purged(outbox, outbox.clock.now() + DAY) == 2
    assert accepting.accept(outbox, notice(), idempotency="a").result()
    assert not accepting.accept(outbox, notice(), idempotency="c").result()


def named(digest: str) -> list[File]:
    return [File(name="report.pdf", digest=digest, size_bytes=1)]


def in_a_delivery(connection: Connection, digest: str) -> None:
    deliveries.want_content(connection, notice(files=named(digest)), MAIL, contact="", priority=1, now=NOW)


def in_a_dead_letter(connection: Connection, digest: str) -> None:
    in_a_delivery(connection, digest)
    (claimed,) = claim(connection)
    deliveries.give_up(connection, claimed, "no", NOW)


def in_an_event(connection: Connection, digest: str) -> None:
    accepting.put(connection, notice(files=named(digest)), NOW)


@pytest.mark.parametrize("names", [in_a_delivery, in_a_dead_letter, in_an_event])
def test_an_attachment_stays_as_long_as_it_may_be_sent(
    outbox: Outbox, names: Callable[[Connection, str], None]
) -> None:
    used = outbox.write(lambda connection: attachments.keep(connection, b"used", OLD))
    unused = outbox.write(lambda connection: attachments.keep(connection, b"unused", OLD))
    again = outbox.write(lambda connection: attachments.keep(connection, b"kept again", OLD))
    outbox.write(lambda connection: attachments.keep(connection, b"kept again", NOW))
    outbox.write(lambda connection: names(connection, used))
    assert purged(outbox, NOW - 1) == 1
    with outbox.reading() as connection:
        assert attachments.read(connection, used) == b"used"
        assert attachments.read(connection, again) == b"kept again"
        with pytest.raises(OutboxError, match="older than is kept"):
            attachments.read(connection, unused)


def test_it_goes_in_small_steps(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_STEP", 3)
    for number in range(8):
        outbox.write(lambda connection, number=number: finished(connection, f"i{number}", OLD))  # type: ignore[misc]
    steps = []
    while step := outbox.write(lambda connection: deliveries.purge(connection, NOW)):
        steps.append(step)
    assert steps == [6, 6, 4]
    assert count(outbox, "history") == 0
