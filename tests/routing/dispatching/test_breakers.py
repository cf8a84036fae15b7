"""The circuit breaker, against a plain model of it and by example."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sla_kit.routing.dispatching.breakers import FAILURES, OPEN_CAP_SECONDS, OPEN_SECONDS, Breaker


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    assert [breaker.missed(object(), now) for _ in range(FAILURES)] == [False] * (FAILURES - 1) + [True]
    return breaker


def test_it_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker()
    for _ in range(3):
        for _ in range(FAILURES - 1):
            assert not breaker.missed(object(), 0.0)
        assert not breaker.reached(object(), 0.0)
    assert breaker.state(0.0) == "closed"
    assert breaker.begin(object(), 0.0)


def test_an_open_one_lets_nothing_through_until_its_time_has_come() -> None:
    breaker = opened()
    assert breaker.state(0.0) == "open"
    assert not breaker.begin(object(), OPEN_SECONDS - 0.1)
    assert breaker.wait(1.0) == OPEN_SECONDS - 1
    assert breaker.state(OPEN_SECONDS) == "half-open"


def test_then_one_at_a_time_is_let_through() -> None:
    breaker, trial = opened(), object()
    assert breaker.begin(trial, OPEN_SECONDS)
    assert not breaker.begin(object(), OPEN_SECONDS + 100)
    assert breaker.reached(trial, OPEN_SECONDS + 101)
    assert breaker.begin(object(), OPEN_SECONDS + 101)
    assert breaker.begin(object(), OPEN_SECONDS + 101)


def test_a_trial_that_fails_opens_it_for_twice_as_long_up_to_a_cap() -> None:
    breaker, now, waits = opened(), 0.0, []
    for _ in range(5):
        waits.append(breaker.wait(now))
        now += waits[-1]
        trial = object()
        assert breaker.begin(trial, now)
        breaker.missed(trial, now)
    assert waits == [5, 10, 20, OPEN_CAP_SECONDS, OPEN_CAP_SECONDS]


def test_a_trial_that_says_nothing_of_the_service_leaves_room_for_the_next() -> None:
    breaker, trial = opened(), object()
    assert breaker.begin(trial, OPEN_SECONDS)
    breaker.forget(trial)
    assert breaker.begin(object(), OPEN_SECONDS)


def test_calls_that_began_before_it_opened_do_not_hold_it_open() -> None:
    breaker = opened()
    breaker.missed(object(), 4.0)
    assert breaker.wait(4.0) == 1.0
    assert breaker.reached(object(), 4.5)
    assert breaker.state(4.5) == "closed"


class Machine(RuleBasedStateMachine):
    """However calls begin and end: an open breaker lets one through at a time, and never waits for ever."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker, self.now = Breaker(), 0.0
        self.running: list[object] = []
        self.trials: list[object] = []
        self.missed_in_a_row = 0

    @rule(seconds=st.floats(0, 60))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def begin(self) -> None:
        call, state = object(), self.breaker.state(self.now)
        if self.breaker.begin(call, self.now):
            assert state != "open"
            self.running.append(call)
            if state == "half-open":
                assert not self.trials
                self.trials.append(call)
        else:
            assert state == "open" or self.trials

    @precondition(lambda self: self.running)
    @rule(data=st.data(), how=st.sampled_from(["reached", "missed", "forgotten"]))
    def end(self, data: st.DataObject, how: str) -> None:
        call = self.running.pop(data.draw(st.integers(0, len(self.running) - 1)))
        if how == "reached":
            self.breaker.reached(call, self.now)
            self.missed_in_a_row = 0
            self.trials.clear()
        elif how == "missed":
            self.missed_in_a_row += 1
            if self.breaker.missed(call, self.now):
                assert self.missed_in_a_row >= FAILURES
        else:
            self.breaker.forget(call)
        if call in self.trials:
            self.trials.remove(call)

    @invariant()
    def it_is_closed_while_the_service_answers(self) -> None:
        if self.missed_in_a_row < FAILURES:
            assert self.breaker.state(self.now) == "closed"
        else:
            assert self.breaker.state(self.now) != "closed"

    @invariant()
    def it_waits_for_a_trial_or_a_while(self) -> None:
        assert self.breaker.wait(self.now) <= OPEN_CAP_SECONDS or self.trials


TestMachine = Machine.TestCase
TestMachine.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
