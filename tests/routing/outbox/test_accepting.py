"""What is acknowledged is committed, once; one that is bad harms no other."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from uuid import uuid4

import pytest
from sqlalchemy import Connection, text

from sla_kit.errors import OutboxError
from sla_kit.routing.outbox import accepting, heartbeats
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.outbox.making import notice


def titles(outbox: Outbox, limit: int = 10_000) -> list[str]:
    """The titles of what waits for the planner."""
    found = outbox.write(lambda connection: accepting.new_events(connection, limit))
    return [one.event.title for one in found]  # type: ignore[union-attr]


def test_what_was_accepted_is_given_to_the_planner_in_its_order_until_it_is_planned(outbox: Outbox) -> None:
    for number in range(5):
        assert accepting.accept(outbox, notice(str(number))).result()
    assert titles(outbox) == ["0", "1", "2", "3", "4"]
    assert titles(outbox, limit=2) == ["0", "1"]
    first = outbox.write(lambda connection: accepting.new_events(connection, 2))
    assert all(abs(one.received_at - outbox.clock.now()) < 600 for one in first)
    outbox.write(lambda connection: accepting.mark_planned(connection, [one.id for one in first]))
    assert titles(outbox) == ["2", "3", "4"]


def test_the_same_is_accepted_once_alone_and_in_one_batch(outbox: Outbox) -> None:
    assert accepting.accept(outbox, notice("first"), idempotency="k").result()
    assert not accepting.accept(outbox, notice("again"), idempotency="k").result()
    blocked = blocking(outbox)
    together = [accepting.accept(outbox, notice(f"{key}{n}"), idempotency=key) for n, key in enumerate("baabk")]
    without = accepting.accept(outbox, notice("without"))
    blocked.set()
    assert [future.result() for future in together] == [True, True, False, False, False]
    assert without.result()
    assert sorted(titles(outbox)) == ["a1", "b0", "first", "without"]


def test_a_key_may_be_long_and_strange(outbox: Outbox) -> None:
    for key in ("x" * 5000, "nul\0inside", "ümläut \ud800 surrogate"):
        assert accepting.accept(outbox, notice(), idempotency=key).result()
        assert not accepting.accept(outbox, notice(), idempotency=key).result()
    assert accepting.accept(outbox, notice(), idempotency="x" * 5001).result()


def test_text_that_a_column_can_not_hold_is_kept_in_the_event(outbox: Outbox) -> None:
    accepting.accept(outbox, notice("nul \0 inside")).result()
    assert titles(outbox) == ["nul \0 inside"]


def test_many_threads_are_served_by_few_commits(outbox: Outbox) -> None:
    def send(begin: int) -> None:
        for number in range(begin, begin + 50):
            assert accepting.accept(outbox, notice(str(number))).result()

    threads = [threading.Thread(target=send, args=(50 * n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(int, titles(outbox))) == list(range(800))


def test_an_event_that_can_not_be_read_is_dead_with_its_reason_and_others_go_on(outbox: Outbox) -> None:
    accepting.accept(outbox, notice("before")).result()
    outbox.write(lambda connection: spoil(connection, b'{"type":"notice","title":7}'))
    outbox.write(lambda connection: spoil(connection, b"\xff\xfe"))
    accepting.accept(outbox, notice("after")).result()
    assert titles(outbox) == ["before", "after"]
    with outbox.reading() as connection:
        dead = accepting.dead_events(connection)
        assert accepting.count_dead_events(connection) == 2
        assert accepting.waiting_events(connection) == 2
    assert [one.event for one in dead] == [None, None]
    assert "it can't be read" in dead[0].reason
    # Planned again it is no better; dropped it is gone from sight.
    ids = [one.id for one in dead]
    assert outbox.write(lambda connection: accepting.plan_again(connection, ids)) == 2
    assert titles(outbox) == ["before", "after"]
    assert outbox.write(lambda connection: accepting.drop_events(connection, ids)) == 2
    with outbox.reading() as connection:
        assert accepting.dead_events(connection) == []
        found = accepting.event_of(connection, ids[0])
    assert found is not None
    assert found.state == "dropped"


def test_a_planner_that_can_not_plan_an_event_sets_it_aside(outbox: Outbox) -> None:
    accepting.accept(outbox, notice("bad")).result()
    (event,) = outbox.write(lambda connection: accepting.new_events(connection, 10))
    outbox.write(lambda connection: accepting.mark_dead(connection, event.id, "no such\0 contact; password=hunter22"))
    with outbox.reading() as connection:
        (dead,) = accepting.dead_events(connection)
    assert dead.event == notice("bad")
    assert dead.reason == "no such contact; password=***"


def test_work_that_fails_takes_back_its_own_and_nothing_else(outbox: Outbox) -> None:
    def fails(connection: Connection) -> None:
        heartbeats.beat(connection, "bad", 1.0)
        raise ValueError("its own fault")

    def refused(connection: Connection) -> None:
        heartbeats.beat(connection, "refused", 1.0)
        connection.execute(text("INSERT INTO heartbeat (name, at) VALUES (NULL, 1)"))

    def good(name: str) -> Future[None]:
        return outbox.submit(lambda connection: heartbeats.beat(connection, name, 1.0))

    blocked = blocking(outbox)
    futures = [good("first"), outbox.submit(fails), good("second"), outbox.submit(refused), good("third")]
    accepted = accepting.accept(outbox, notice())
    blocked.set()
    assert accepted.result()
    with pytest.raises(ValueError, match="its own fault"):
        futures[1].result()
    with pytest.raises(OutboxError, match="refused"):
        futures[3].result()
    for index in (0, 2, 4):
        futures[index].result()
    with outbox.reading() as connection:
        kept = connection.execute(text("SELECT name FROM heartbeat WHERE at = 1 ORDER BY name")).scalars().all()
    assert kept == ["first", "second", "third"]
    assert outbox.trouble is None


def test_a_statement_that_is_more_than_the_database_takes_is_its_works_alone(outbox: Outbox) -> None:
    blocked = blocking(outbox)
    good = accepting.accept(outbox, notice("good"))
    bad = outbox.submit(lambda connection: connection.execute(text("SELECT 1" + ", 1" * 3000)).scalar())
    beat = outbox.submit(lambda connection: heartbeats.beat(connection, "after", 1.0))
    blocked.set()
    assert isinstance(bad.exception(), OutboxError)
    assert good.result()
    assert beat.result() is None
    assert outbox.trouble is None
    assert titles(outbox) == ["good"]


def test_work_that_is_alone_has_a_transaction_of_its_own(outbox: Outbox) -> None:
    def number(connection: Connection) -> int:
        sqlite = connection.dialect.name == "sqlite"
        connection.execute(text("INSERT INTO heartbeat (name, at) VALUES (:name, 1)"), {"name": str(uuid4())})
        return int(connection.execute(text("SELECT 1" if sqlite else "SELECT txid_current()")).scalar_one())

    def breaks(connection: Connection) -> None:
        connection.execute(text("SELECT * FROM nothing"))

    blocked = blocking(outbox)
    first, alone, second = outbox.submit(number), outbox.submit(number, alone=True), outbox.submit(number)
    broken = outbox.submit(breaks, alone=True)
    blocked.set()
    assert first.result() == second.result()
    assert (alone.result() == first.result()) == outbox.is_sqlite
    assert isinstance(broken.exception(), OutboxError)


def test_whatever_work_raises_the_writer_goes_on(outbox: Outbox) -> None:
    def leaves(connection: Connection) -> None:
        raise SystemExit(3)

    with pytest.raises(OutboxError, match="SystemExit"):
        outbox.write(leaves)
    assert accepting.accept(outbox, notice()).result()


def test_work_that_nobody_waits_for_any_more_is_not_done(outbox: Outbox) -> None:
    blocked = blocking(outbox)
    given_up, wanted = accepting.accept(outbox, notice("given up")), accepting.accept(outbox, notice("wanted"))
    assert given_up.cancel()
    blocked.set()
    assert wanted.result()
    assert titles(outbox) == ["wanted"]


def test_one_bad_item_of_many_gathered_harms_no_other(outbox: Outbox) -> None:
    def beats(connection: Connection, names: list[str]) -> list[str]:
        for name in names:
            heartbeats.beat(connection, name, 1.0)
            if name == "bad":
                raise ValueError("its own fault")
        return [name.upper() for name in names]

    blocked = blocking(outbox)
    futures = [outbox.submit_gathered(beats, name) for name in ("a", "bad", "b")]
    blocked.set()
    assert futures[0].result() == "A"
    assert futures[2].result() == "B"
    with pytest.raises(ValueError, match="its own fault"):
        futures[1].result()
    with outbox.reading() as connection:
        assert heartbeats.last(connection, "bad") is None
        assert heartbeats.last(connection, "a") == 1.0


def test_closing_writes_what_waits_and_later_work_is_refused(address: str) -> None:
    outbox = open_outbox(address, exclusive=True)
    blocked = blocking(outbox)
    futures = [accepting.accept(outbox, notice(str(number))) for number in range(100)]
    blocked.set()
    outbox.close()
    assert all(future.result() for future in futures)
    with pytest.raises(OutboxError, match="closed"):
        accepting.accept(outbox, notice()).result()
    with open_outbox(address, exclusive=True) as again:
        assert len(titles(again)) == 100


def test_work_that_would_wait_for_itself_is_told_so(outbox: Outbox) -> None:
    with pytest.raises(RuntimeError, match="use its connection"):
        outbox.write(lambda connection: outbox.write(lambda other: None))


def blocking(outbox: Outbox) -> threading.Event:
    """Keeps the writer waiting until the event is set, so that what comes meanwhile is one batch."""
    begun, let_go = threading.Event(), threading.Event()

    def wait(connection: Connection) -> None:
        begun.set()
        assert let_go.wait(60)

    outbox.submit(wait)
    assert begun.wait(60)
    return let_go


def spoil(connection: Connection, body: bytes) -> None:
    """An event that is none, as a newer or broken version may have left it."""
    connection.execute(
        text("INSERT INTO event (received_at, kind, state, urgent, body) VALUES (1, 'notice', 'new', false, :body)"),
        {"body": body},
    )
