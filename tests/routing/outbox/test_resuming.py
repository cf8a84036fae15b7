"""What a router finds of its past life: leases end, and a clock that was set back holds nothing back for hours."""

from __future__ import annotations

import time

import pytest
from sqlalchemy import Connection, Engine, event

from sla_kit.routing.clock import SharedClock, SteadyClock
from sla_kit.routing.outbox import deliveries, heartbeats, resuming, store, timers
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.outbox.making import LEASE, MAIL, PAGER, SLACK, claim, opened

HOUR = 3600.0


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How far the clocks of machine and database are from what they really are, in seconds."""
    wrong, true = [0.0], time.time

    def of_database(connection: Connection) -> float:
        return true() + wrong[0]

    monkeypatch.setattr(time, "time", lambda: true() + wrong[0])
    monkeypatch.setattr(resuming, "database_time", of_database)
    monkeypatch.setattr(store, "database_time", of_database)
    return wrong


def leave(address: str) -> None:
    """A life in which things were put off, and which ends."""
    with open_outbox(address, exclusive=True) as outbox:
        now = outbox.clock.now()

        def work(connection: Connection) -> None:
            opened(connection, "failing", SLACK, now=now)
            (claimed,) = claim(connection, now=now)
            deliveries.retry(connection, claimed, "503", due_at=now + 60, now=now)
            opened(connection, "due", PAGER, now=now)
            opened(connection, "later", MAIL, now=now, not_before=now + 2 * HOUR)
            timers.set_timer(connection, "escalate", "i", now + 300, {})
            heartbeats.beat(connection, "alertmanager", now)

        outbox.write(work)


def dues(outbox: Outbox) -> tuple[list[float], float, float]:
    """How long deliveries, the timer and the heartbeat are off, in seconds from now."""
    now = outbox.clock.now()
    with outbox.reading() as connection:
        found = sorted(one.due_at - now for one in deliveries.page(connection, state="pending"))
        timer, beat = timers.next_due(connection), heartbeats.last(connection, "alertmanager")
    assert timer is not None
    assert beat is not None
    return found, timer - now, beat - now


def test_a_clock_that_was_set_back_between_two_lives_moves_what_is_to_come(address: str, machine: list[float]) -> None:
    leave(address)
    machine[0] = -5 * HOUR
    with open_outbox(address, exclusive=True) as outbox:
        found, timer, beat = dues(outbox)
        assert found[0] <= 1
        assert found[1] == pytest.approx(60, abs=50)
        assert found[2] == pytest.approx(2 * HOUR, abs=50)
        assert timer == pytest.approx(300, abs=100)
        assert beat <= 1
    with open_outbox(address, exclusive=True) as again:  # and once only
        assert dues(again)[0][2] == pytest.approx(2 * HOUR, abs=100)


def test_a_file_whose_clock_was_set_forward_between_two_lives_hurries_nothing(
    tmp_path: object, machine: list[float]
) -> None:
    address = f"{tmp_path}/outbox.db"
    leave(address)
    machine[0] = 5 * HOUR
    with open_outbox(address, exclusive=True) as outbox:
        found, timer, _ = dues(outbox)
        assert found[1] == pytest.approx(60, abs=50)
        assert found[2] == pytest.approx(2 * HOUR, abs=50)
        assert timer == pytest.approx(300, abs=100)
        with outbox.reading() as connection:
            since = [one.failing_since for one in deliveries.page(connection, state="pending") if one.failing_since]
        assert [outbox.clock.now() - each for each in since] == [pytest.approx(0, abs=50)]
    with open_outbox(address, exclusive=True) as again:  # and once only
        assert dues(again)[1] == pytest.approx(300, abs=100)


def test_after_another_boot_a_clock_that_is_ahead_is_believed(
    tmp_path: object, machine: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{tmp_path}/outbox.db"
    leave(address)
    machine[0] = HOUR
    monkeypatch.setattr(resuming, "boot_id", lambda: "another")
    with open_outbox(address, exclusive=True) as outbox:
        assert dues(outbox)[1] <= 0


def test_a_clock_that_ran_on_or_is_corrected_a_little_moves_nothing(
    address: str, machine: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(address)
    machine[0] = -1.0
    with open_outbox(address, exclusive=True) as outbox:
        assert dues(outbox)[0][2] == pytest.approx(2 * HOUR, abs=50)
    machine[0] = HOUR
    running = resuming.since_boot
    monkeypatch.setattr(resuming, "since_boot", lambda: running() + HOUR)
    with open_outbox(address, exclusive=True) as outbox:
        found, timer, beat = dues(outbox)
        assert found[1] <= 0  # the time has passed
        assert found[2] == pytest.approx(HOUR, abs=50)
        assert timer <= 0
        assert beat == pytest.approx(-HOUR, abs=50)


def planned(address: str) -> list[float]:
    """When deliveries and the timer are due."""
    with open_outbox(address) as command, command.reading() as connection:
        return [*(one.due_at for one in deliveries.page(connection)), timers.next_due(connection) or 0.0]


@pytest.fixture
def passed(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """By how many seconds all clocks are ahead of the true ones: time that has passed in no time."""
    seconds, of_day, running = [0.0], time.time, time.clock_gettime
    monkeypatch.setattr(time, "time", lambda: of_day() + seconds[0])
    monkeypatch.setattr(time, "clock_gettime", lambda which: running(which) + seconds[0])
    for module in (resuming, store):
        monkeypatch.setattr(module, "database_time", lambda _: of_day() + seconds[0])
    return seconds


def test_a_start_that_takes_long_is_not_taken_for_a_clock_that_was_set(address: str, passed: list[float]) -> None:
    def slow(*_: object) -> None:
        passed[0] += 10

    leave(address)
    before = planned(address)
    event.listen(Engine, "before_cursor_execute", slow)
    try:
        open_outbox(address, exclusive=True).close()
    finally:
        event.remove(Engine, "before_cursor_execute", slow)
    assert passed[0] > 0
    assert planned(address) == before
    open_outbox(address, exclusive=True).close()  # and what was written down agrees
    assert planned(address) == before


def test_a_router_that_waits_for_another_takes_its_time_for_no_clock_that_was_set(
    database: str, passed: list[float]
) -> None:
    leave(database)
    before = planned(database)
    with open_outbox(database, exclusive=True) as one, open_outbox(database, exclusive=True) as other:
        one.clock = other.clock = SteadyClock()

        def overtaken(_: Connection, __: object, statement: str, *___: object) -> None:
            if "FOR UPDATE" in statement and not passed[0]:
                passed[0] += 10
                other.write(other._tick)

        event.listen(one._engine, "before_cursor_execute", overtaken)
        one.write(one._tick)
        assert passed[0] > 0
    assert planned(database) == before


def test_a_command_moves_nothing(address: str, machine: list[float]) -> None:
    leave(address)
    machine[0] = -5 * HOUR
    with open_outbox(address) as command:
        assert dues(command)[0][2] == pytest.approx(7 * HOUR, abs=50)


def test_the_shared_clock_follows_its_database_and_moves_what_is_to_come(database: str, machine: list[float]) -> None:
    leave(database)
    with open_outbox(database, exclusive=True) as outbox:
        machine[0] = -5 * HOUR
        before = outbox.clock.now()
        outbox.write(outbox._tick)
        assert outbox.clock.now() == pytest.approx(before - 5 * HOUR, abs=50)
        assert dues(outbox)[0][2] == pytest.approx(2 * HOUR, abs=100)


def test_leases_of_a_past_life_of_a_file_end_when_it_is_opened(tmp_path: object) -> None:
    address = f"{tmp_path}/outbox.db"
    with open_outbox(address, exclusive=True) as outbox:
        now = outbox.clock.now()
        outbox.write(lambda connection: opened(connection, "shop", SLACK, now=now))
        assert outbox.write(lambda connection: claim(connection, now=now))
    with open_outbox(address) as command:  # which is no router
        assert not command.write(lambda connection: claim(connection, now=now + LEASE / 2))
    with open_outbox(address, exclusive=True) as outbox:
        (again,) = outbox.write(lambda connection: claim(connection, "b", now=outbox.clock.now()))
        assert (again.uncertain, again.attempts) == (True, 1)
        with outbox.reading() as connection:
            assert [line.what for line in deliveries.history(connection, again.id)] == ["lost"]


def test_leases_of_other_routers_go_on_in_a_database(database: str) -> None:
    with open_outbox(database, exclusive=True) as one:
        now = one.clock.now()
        one.write(lambda connection: opened(connection, "shop", SLACK, now=now))
        assert one.write(lambda connection: claim(connection, now=now))
        with open_outbox(database, exclusive=True) as other:
            assert not other.write(lambda connection: claim(connection, "b", now=other.clock.now()))


def test_leases_go_by_the_clock_of_the_database(database: str) -> None:
    with open_outbox(database, exclusive=True) as outbox:
        now = outbox.clock.now()
        outbox.write(lambda connection: opened(connection, "shop", SLACK, now=now))
        assert outbox.write(lambda connection: claim(connection, now=now))
        # A router whose clock is hours ahead takes nothing away from another.
        assert not outbox.write(lambda connection: claim(connection, "b", now=now + 5 * HOUR))


def test_the_steady_clock_runs_on_whatever_the_machine_is_told(machine: list[float]) -> None:
    steady = SteadyClock()
    first = steady.now()
    machine[0] = -HOUR
    assert first <= steady.now() < first + 60


def test_the_shared_clock_never_goes_back_by_little() -> None:
    shared = SharedClock(1000.0)
    first = shared.now()
    shared.follow(1000.0 - 2, shared.stopwatch())
    assert shared.now() >= first
    shared.follow(5000.0, shared.stopwatch())
    assert 5000.0 <= shared.now() < 5060.0
    shared.follow(2000.0, shared.stopwatch())
    assert 2000.0 <= shared.now() < 2060.0
