"""Who is told of what, when, in which order, and what is kept of it."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, text

from sla_kit.errors import OutboxError
from sla_kit.routing.delivering import Response
from sla_kit.routing.incident import told
from sla_kit.routing.outbox import attachments, deliveries, incidents
from sla_kit.routing.outbox.deliveries import Claimed, Delivery
from sla_kit.routing.outbox.store import Outbox
from tests.routing.outbox.making import (
    LEASE,
    MAIL,
    NOW,
    OTHER_SLACK,
    PAGER,
    SLACK,
    changed,
    claim,
    incident,
    notice,
    opened,
)


def only(found: list[Claimed]) -> Claimed:
    (one,) = found
    return one


def state(connection: Connection, id_: int) -> Delivery:
    found = deliveries.delivery_of(connection, id_)
    assert found is not None
    return found


def deliver(connection: Connection, claimed: Claimed, now: float = NOW) -> None:
    known = claimed.content
    assert deliveries.succeed(connection, claimed, told(known, now) if claimed.incident_id else None, now)  # type: ignore[arg-type]


def test_an_incident_is_told_in_its_newest_version_and_again_when_it_changes(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        stored = opened(connection, "shop", SLACK)
        stored = changed(connection, stored, SLACK, title="worse")
        first = only(claim(connection))
        assert (first.version, first.content, first.told) == (2, stored.incident, None)
        assert claim(connection) == []  # leased
        stored = changed(connection, stored, SLACK, status="resolved", resolved_at=NOW + 5)
        deliver(connection, first)
        second = only(claim(connection))  # what was wanted meanwhile
        assert second.version == 3
        assert second.key == first.key
        assert second.told is not None
        assert second.told.status == "firing"
        deliver(connection, second, NOW + 6)
        assert claim(connection, now=NOW + 1e6) == []
        kept = state(connection, second.id)
        assert (kept.state, kept.first_told_at, kept.told_at, kept.told_version) == ("delivered", NOW, NOW + 6, 3)

    outbox.write(work)


def test_the_most_urgent_goes_first_then_the_earliest(outbox: Outbox) -> None:
    def work(connection: Connection) -> list[str]:
        opened(connection, "late", SLACK, priority=2, now=NOW - 5)
        opened(connection, "early", SLACK, priority=2, now=NOW - 10)
        opened(connection, "page", OTHER_SLACK, priority=0)
        opened(connection, "warning", MAIL, priority=1)
        opened(connection, "later", PAGER, priority=0, not_before=NOW + 1)
        order = [one.queue for one in claim(connection, "a", limit=3)]
        return order + [one.queue for one in claim(connection, "b")]

    assert outbox.write(work) == ["page", "warning", "early", "late"]


def test_some_destinations_may_be_left_out_and_each_be_given_a_share(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        for number in range(5):
            opened(connection, f"i{number}", SLACK, PAGER)
            opened(connection, f"j{number}", SLACK, priority=0)
        assert {one.destination for one in claim(connection, excluding=[str(SLACK)], limit=1)} == {PAGER}
        assert {one.destination for one in claim(connection, kinds=["pagerduty"], limit=1)} == {PAGER}
        shared = [one.destination for one in claim(connection, each=2)]
        assert sorted(shared) == [PAGER] * 2 + [SLACK] * 2
        assert len(claim(connection)) == 9

    outbox.write(work)


def test_the_next_incident_of_a_group_waits_for_the_last_word_of_the_one_before_and_lends_it_its_urgency(
    outbox: Outbox,
) -> None:
    def work(connection: Connection) -> None:
        first = opened(connection, "shop", SLACK, PAGER, priority=2)
        changed(connection, first, status="resolved")
        opened(connection, "other", SLACK, priority=1)
        opened(connection, "shop", SLACK, priority=0)
        claims = claim(connection, limit=2)
        assert [(one.queue, one.priority) for one in claims] == [("shop", 0), ("other", 1)]
        assert claims[0].incident_id == first.id
        assert [one.destination for one in claim(connection)] == [PAGER]
        deliver(connection, claims[0])
        assert only(claim(connection)).incident_id != first.id

    outbox.write(work)


def test_one_of_a_queue_is_attempted_at_a_time_even_if_an_earlier_one_is_wanted_again(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        first = opened(connection, "shop", SLACK)
        deliver(connection, only(claim(connection)))
        first = changed(connection, first, SLACK, status="resolved")
        deliver(connection, only(claim(connection)))
        opened(connection, "shop", SLACK)
        second = only(claim(connection))
        changed(connection, first, SLACK, notes=["found the cause"])
        assert claim(connection) == []
        deliver(connection, second)
        assert only(claim(connection)).incident_id == first.id

    outbox.write(work)


def test_a_failed_one_waits_for_its_time_and_an_update_does_not_hurry_it(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        stored = opened(connection, "shop", SLACK)
        first = only(claim(connection))
        assert deliveries.retry(connection, first, "503 token=abc123456", due_at=NOW + 30, now=NOW)
        changed(connection, stored, SLACK, title="worse", now=NOW + 1)
        assert claim(connection, now=NOW + 29) == []
        second = only(claim(connection, now=NOW + 30))
        assert (second.attempts, second.failing_since, second.version, second.uncertain) == (1, NOW, 2, False)
        assert deliveries.retry(connection, second, "time-out", due_at=NOW + 90, uncertain=True, now=NOW + 40)
        third = only(claim(connection, now=NOW + 90))
        assert (third.attempts, third.failing_since, third.uncertain) == (2, NOW, True)
        deliver(connection, third, NOW + 91)
        kept = state(connection, third.id)
        assert (kept.attempts, kept.failing_since, kept.uncertain, kept.error) == (0, None, False, "")
        lines = [(line.what, line.words) for line in deliveries.history(connection, third.id)]
        assert lines == [("failed", "503 token=***"), ("failed", "time-out"), ("delivered", "")]

    outbox.write(work)


def test_an_update_is_told_when_it_may_be_and_never_puts_off_what_waits(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        stored = opened(connection, "shop", SLACK)
        stored = changed(connection, stored, title="worse")
        deliveries.want(connection, stored, SLACK, contact="ann", priority=1, now=NOW, not_before=NOW + 15)
        deliver(connection, only(claim(connection)))  # the first message does not wait for the update
        stored = changed(connection, stored, title="worse still")
        deliveries.want(connection, stored, SLACK, contact="ann", priority=1, now=NOW, not_before=NOW + 15)
        assert claim(connection, now=NOW + 14) == []
        assert deliveries.next_due(connection) == NOW + 15
        stored = changed(connection, stored, SLACK, status="resolved", now=NOW + 5)
        assert only(claim(connection, now=NOW + 5)).version == 4

    outbox.write(work)


def test_postponed_is_not_failed(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        opened(connection, "shop", SLACK)
        assert deliveries.postpone(connection, only(claim(connection)), due_at=NOW + 3, now=NOW)
        assert claim(connection, now=NOW + 2) == []
        again = only(claim(connection, now=NOW + 3))
        assert (again.attempts, again.failing_since, again.uncertain) == (0, None, False)

    outbox.write(work)


def test_a_lease_that_ran_out_makes_the_attempt_uncertain_and_its_late_word_is_not_heard(outbox: Outbox) -> None:
    def first(connection: Connection) -> Claimed:
        opened(connection, "shop", SLACK)
        return only(deliveries.claim(connection, "a", limit=1, now=NOW, lease_seconds=-1.0))

    lost = outbox.write(first)

    def work(connection: Connection) -> None:
        found = only(claim(connection, "b"))
        assert (found.uncertain, found.attempts, found.owner) == (True, 1, "b")
        assert not deliveries.succeed(connection, lost, None, NOW)
        assert not deliveries.retry(connection, lost, "x", due_at=NOW, now=NOW)
        assert not deliveries.give_up(connection, lost, "x", NOW)
        assert not deliveries.remember(connection, lost, {"ts": "1"})
        assert deliveries.remember(connection, found, {"channel": "C1"})
        deliver(connection, found)
        kept = state(connection, found.id)
        assert kept.references == {"ts": "1", "channel": "C1"}  # the message is there, whoever sent it
        assert [line.what for line in deliveries.history(connection, found.id)] == ["lost", "delivered"]

    outbox.write(work)


def test_leases_of_a_past_life_end_at_once(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        opened(connection, "shop", SLACK)
        opened(connection, "other", SLACK)
        claim(connection, "a", limit=1)
        claim(connection, "b", limit=1)
        assert deliveries.release(connection, "a", NOW) == 1
        assert deliveries.release(connection, "a", NOW) == 0
        again = only(claim(connection, "c"))
        assert (again.queue, again.uncertain) == ("shop", True)

    outbox.write(work)


def test_a_content_is_told_once_and_its_key_is_of_each_destination(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        for _ in range(2):
            for destination in (SLACK, MAIL):
                deliveries.want_content(
                    connection, notice(), destination, contact="ann", priority=3, now=NOW, key="digest-1"
                )
        new = deliveries.want_content(connection, notice(), SLACK, contact="ann", priority=3, now=NOW, key="digest-2")
        assert new
        claims = claim(connection)
        assert [one.content for one in claims] == [notice()] * 3
        assert len({one.key for one in claims}) == 3
        for one in claims:
            deliver(connection, one)
        assert not deliveries.want_content(connection, notice(), SLACK, contact="", priority=3, now=NOW, key="digest-1")
        assert claim(connection) == []

    outbox.write(work)


def test_contents_of_one_queue_are_told_one_after_the_other(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        for title in ("first", "second"):
            deliveries.want_content(
                connection, notice(title), SLACK, contact="", priority=3, now=NOW, key=title, queue="q"
            )
        first = only(claim(connection))
        assert first.content == notice("first")
        deliver(connection, first)
        assert only(claim(connection)).content == notice("second")

    outbox.write(work)


def test_a_response_survives_its_way(outbox: Outbox) -> None:
    response = Response(
        dedup_key="k",
        title="t",
        labels={},
        severity="critical",
        opened_at=1.0,
        told_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        resolved_at=2.0,
    )

    def work(connection: Connection) -> None:
        deliveries.want_content(connection, response, MAIL, contact="", priority=3, now=NOW)
        assert only(claim(connection)).content == response

    outbox.write(work)


def test_held_folded_dropped_and_dead_ones_stay_so_until_they_are_revived(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        stored = opened(connection, "shop", SLACK, MAIL, PAGER)
        deliveries.want(connection, stored, OTHER_SLACK, contact="ann", priority=1, now=NOW, held=True)
        ids = {one.destination: one.id for one in deliveries.told_of(connection, stored.id)}
        deliveries.fold(connection, [ids[MAIL]], "storm of 10:00", NOW)
        deliveries.drop(connection, [ids[PAGER]], NOW, by="ann")
        dying = only(claim(connection))
        assert deliveries.give_up(connection, dying, "channel_not_found", NOW)
        stored = changed(connection, stored, SLACK, MAIL, PAGER, OTHER_SLACK, title="worse", now=NOW + 1)
        assert claim(connection, now=NOW + 1e6) == []
        kept = {one.destination: (one.state, one.error) for one in deliveries.told_of(connection, stored.id)}
        assert kept == {
            SLACK: ("dead", "channel_not_found"),
            MAIL: ("folded", "storm of 10:00"),
            PAGER: ("dropped", "dropped by ann"),
            OTHER_SLACK: ("held", ""),
        }
        assert deliveries.revive(connection, list(ids.values()), NOW + 2) == 4
        revived = claim(connection, now=NOW + 2)
        assert len(revived) == 4
        assert {(one.version, one.attempts, one.failing_since) for one in revived} == {(2, 0, None)}

    outbox.write(work)


def test_reviving_makes_a_failing_one_due_at_once_and_leaves_a_told_one_alone(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        opened(connection, "shop", SLACK, MAIL)
        failing, done = claim(connection)
        deliveries.retry(connection, failing, "503", due_at=NOW + 3600, now=NOW)
        deliver(connection, done)
        assert deliveries.revive(connection, [failing.id, done.id], NOW + 1) == 1
        assert only(claim(connection, now=NOW + 1)).id == failing.id
        assert state(connection, done.id).state == "delivered"

    outbox.write(work)


def test_what_is_dropped_during_an_attempt_stays_dropped_and_what_was_told_is_kept(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        opened(connection, "shop", SLACK, MAIL)
        first, second = claim(connection)
        deliveries.drop(connection, [first.id, second.id], NOW, by="ann")
        deliver(connection, first)
        assert deliveries.give_up(connection, second, "gone", NOW)
        assert state(connection, first.id).state == "dropped"
        assert state(connection, first.id).told_version == 1
        assert state(connection, second.id).state == "dropped"
        assert claim(connection, now=NOW + 1e6) == []

    outbox.write(work)


def test_a_content_that_can_not_be_read_is_dead_and_blocks_no_other(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        opened(connection, "bad", SLACK)
        deliveries.want_content(connection, notice("bad"), SLACK, contact="", priority=0, now=NOW)
        opened(connection, "good", SLACK)
        connection.execute(text("UPDATE incident SET body = :body WHERE dedup_key = 'bad'"), {"body": b"\xff"})
        connection.execute(text("UPDATE delivery SET content = :body WHERE content IS NOT NULL"), {"body": b"{}"})
        assert [one.queue for one in claim(connection)] == ["good"]
        dead = deliveries.page(connection, state="dead")
        assert len(dead) == 2
        assert all("it can't be read" in one.error for one in dead)

    outbox.write(work)


def test_figures_and_pages_tell_what_there_is(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        for number in range(3):
            opened(connection, f"i{number}", SLACK, MAIL, now=NOW - 10 * number)
        stored = opened(connection, "held", PAGER, held=True)
        dying = only(claim(connection, limit=1))
        deliveries.give_up(connection, dying, "no", NOW)
        failing = only(claim(connection, limit=1, excluding=[str(dying.destination)]))
        deliveries.retry(connection, failing, "no", due_at=NOW + 600, now=NOW - 100)
        figures = deliveries.figures(connection, NOW)
        assert figures.dead == {str(dying.destination): 1}
        assert figures.pending == {str(dying.destination): 2, str(failing.destination): 3}
        assert figures.oldest_seconds == {str(dying.destination): 10.0, str(failing.destination): 100.0}
        assert figures.oldest == 100.0
        assert [one.id for one in deliveries.page(connection, state="held")] == [stored.id * 2 - 1]
        every = deliveries.page(connection)
        assert [one.id for one in every] == [7, 6, 5, 4, 3, 2, 1]
        assert [one.id for one in deliveries.page(connection, limit=2, before_id=6)] == [5, 4]
        assert {one.destination for one in deliveries.page(connection, destination="slack")} == {SLACK}
        assert len(deliveries.page(connection, destination=str(MAIL), state="pending")) in (2, 3)
        assert len(deliveries.page(connection, incident="i1")) == 2
        assert len(deliveries.page(connection, incident=stored.id)) == 1
        assert deliveries.page(connection, state="delivered") == []

    outbox.write(work)


def test_an_incident_has_versions_and_one_of_a_key_is_open(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        stored = incidents.insert(connection, incident("shop"), NOW)
        assert incidents.find_open(connection, "shop") == stored
        assert incidents.recent(connection, "shop") == stored
        assert incidents.load(connection, stored.id) == stored
        later = changed(connection, stored, status="resolved")
        assert later.version == 2
        assert incidents.find_open(connection, "shop") is None
        assert incidents.recent(connection, "shop") == later
        with pytest.raises(OutboxError, match="has changed since"):
            incidents.save(connection, stored, stored.incident, NOW)
        second = incidents.insert(connection, incident("shop"), NOW)
        assert incidents.recent(connection, "shop") == second
        assert [one.id for one in incidents.listed(connection, open_only=True)] == [second.id]
        assert incidents.load(connection, 99) is None

    outbox.write(work)
    with pytest.raises(OutboxError):
        outbox.write(lambda connection: incidents.insert(connection, incident("shop"), NOW))


def test_labels_may_hold_whatever_they_like(outbox: Outbox) -> None:
    strange = incident("shop", labels={"service": "nul\0" + "x" * 500, "team": "ü" * 500}, severity="s" * 500)

    def work(connection: Connection) -> None:
        stored = incidents.insert(connection, strange, NOW)
        found = incidents.load(connection, stored.id)
        assert found is not None
        assert found.incident == strange

    outbox.write(work)


def test_a_parcel_reads_attachments_and_they_are_kept_once(outbox: Outbox) -> None:
    digest = outbox.write(lambda connection: attachments.keep(connection, b"a picture", NOW))
    assert digest == outbox.write(lambda connection: attachments.keep(connection, b"a picture", NOW))

    def work(connection: Connection) -> Claimed:
        opened(connection, "shop", SLACK)
        return only(claim(connection))

    parcel = deliveries.parcel(outbox, outbox.write(work))
    assert parcel.read(digest) == b"a picture"
    assert (parcel.destination, parcel.told, parcel.uncertain) == (SLACK, None, False)
    with pytest.raises(OutboxError, match="no attachment"):
        parcel.read("0" * 64)


def test_a_lease_is_as_long_as_it_was_asked_for(outbox: Outbox) -> None:
    def work(connection: Connection) -> None:
        now = outbox.clock.now()
        opened(connection, "shop", SLACK, now=now)
        found = only(claim(connection, now=now))
        assert found.leased_until == pytest.approx(now + LEASE, abs=20)

    outbox.write(work)
