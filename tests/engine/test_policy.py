"""Which steps of an error-budget policy are reached, why, and until when."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from sla_kit.catalogue.model import Composite, Missing, Part, PolicyStep, Recovery, Requests, Service, Slo, Window
from sla_kit.engine.context import Judgement
from sla_kit.engine.evaluate import grid_for, judge, judge_composite, judge_recovery
from sla_kit.engine.results import PolicyState
from sla_kit.timeline import Grid, Timeline
from tests.engine.builders import DAY, MONDAY, catalogue, context

REQUESTS = Requests(metric="r", bad={"code": "500"})
FREEZE = PolicyStep(left=0.25, action="freeze", effects=["freeze", "escalate"], exempt=["security"])
REVIEW = PolicyStep(left=0.5, action="review", effects=["review"])
STEPS = [FREEZE, REVIEW]


def steady(grid: Grid, bad: dict[int, float], rate: float = 100.0, coverage: float = 1.0) -> Timeline:
    """``rate`` events a bucket; bad ones by how many buckets before the end they were."""
    total, errors = np.full(grid.count, rate), np.zeros(grid.count)
    for back, number in bad.items():
        errors[-back] = number
    return Timeline(grid, total - errors, total, np.full(grid.count, coverage))


def judgement(
    steps: Sequence[PolicyStep],
    bad: dict[int, float],
    *,
    rate: float = 100.0,
    coverage: float = 1.0,
    window: Window | None = None,
    missing: Missing = "ignore",
    objective: float = 0.99,
) -> Judgement:
    window = Window(rolling=float(DAY)) if window is None else window
    slo = Slo(name="a", sli=REQUESTS, objective=objective, window=window, missing=missing, policy=list(steps))
    of = catalogue(slo)
    where = context(of, "1d")
    return judge(where, of.services[0], slo, steady(grid_for(where), bad, rate, coverage))


def state(*given: object, **more: object) -> PolicyState:
    found = judgement(*given, **more).result.policy  # type: ignore[arg-type]
    assert found is not None
    return found


#: A day of 100 events a minute, of which 1 % may be bad.
ALLOWED = 1440.0


def test_no_steps_no_state() -> None:
    assert judgement([], {1: 50}).result.policy is None


@pytest.mark.parametrize(
    ("spent", "reached"),
    [(0.4, []), (0.5, ["review"]), (0.7, ["review"]), (0.75, ["freeze", "review"]), (3, ["freeze", "review"])],
)
def test_a_step_is_reached_at_its_threshold_the_gravest_first(spent: float, reached: list[str]) -> None:
    bad = {back: min(100.0, ALLOWED * spent / 100) for back in range(1, 101)}
    found = judgement(STEPS, bad)
    assert found.result.policy is not None
    assert [step.action for step in found.result.policy.reached] == reached
    assert found.result.action == (reached[0] if reached else "")


def test_effects_and_whom_to_tell() -> None:
    told = PolicyStep(left=0.0, action="stop", effects=["escalate"], to=["head", "cto"])
    bad = dict.fromkeys(range(1, 20), 100.0)
    found = state([*STEPS, told], bad)
    assert found.effects == ("escalate", "freeze", "review")
    assert found.to == ("head", "cto", "platform")  # and the service's owner, where a step names nobody
    [_, freeze, _] = found.reached
    assert freeze.exempt == ("security",)
    assert freeze.because == "the error budget is overspent by 32 %"


def test_a_rolling_window_frees_what_leaves_it_first() -> None:
    # Of 1440 allowed, 100 went two hours ago and 1000 one minute ago: 340 are left, 23.6 %.
    found = state([FREEZE], {120: 100, 1: 100, **dict.fromkeys(range(2, 11), 100.0)})
    [step] = found.reached
    # A quarter is left again once less than 1080 remain: when the 100 of two hours ago, at the end of their bucket,
    # are a day old.
    assert step.frees_at == MONDAY - 120 * 60 + 60 + DAY


def test_a_calendar_window_frees_at_its_end() -> None:
    bad = dict.fromkeys(range(1, 400), 100.0)
    found = state([FREEZE], bad, window=Window(calendar="month"))
    assert found.reached[0].reached
    # 2026-10-01T00:00Z; MONDAY is the 28th of September.
    assert found.reached[0].frees_at == MONDAY + 3 * DAY


def test_a_step_at_all_of_the_budget_is_never_left() -> None:
    [step] = state([PolicyStep(left=1.0, action="watch")], {}).reached
    assert step.frees_at is None


def test_one_incident_that_spent_much_is_remembered_as_long_as_the_window_holds_it() -> None:
    step = PolicyStep(incident=0.2, action="postmortem", effects=["review"])
    quick = dict.fromkeys(range(300, 310), 60.0)  # 600 of 1440 in ten minutes
    [reached] = state([step], quick).reached
    assert reached.because == "one incident spent 42 % of the error budget, 20 % or more"
    assert reached.frees_at == MONDAY - 299 * 60 + DAY
    assert state([PolicyStep(incident=0.5, action="postmortem")], quick).reached == ()
    slow = dict.fromkeys(range(1, 1200), 0.5)  # as much in all, never at once
    assert state([step], slow).reached == ()


def test_an_incident_that_lasts_frees_nobody_knows_when() -> None:
    step = PolicyStep(incident=0.2, action="postmortem")
    [reached] = state([step], dict.fromkeys(range(1, 11), 60.0)).reached
    assert reached.frees_at is None


def test_without_data_nothing_can_be_told() -> None:
    found = state([*STEPS, PolicyStep(incident=0.2, action="p")], {}, rate=0.0, coverage=0.0)
    assert [step.reached for step in found.steps] == [None] * 3
    assert {step.because for step in found.steps} == {"no data"}


def test_without_traffic_nothing_was_spent() -> None:
    found = state(STEPS, {}, rate=0.0)
    assert [step.reached for step in found.steps] == [False, False]


def test_too_little_coverage_leaves_every_step_open() -> None:
    found = state(STEPS, dict.fromkeys(range(1, 20), 100.0), coverage=0.5, missing="fail")
    assert [step.reached for step in found.steps] == [None, None]


def test_one_error_of_a_handful_is_no_reason_to_freeze() -> None:
    found = state(STEPS, {1: 0.02, 2: 0.02}, rate=0.02, objective=0.999)
    assert [(step.reached, step.because) for step in found.steps] == [(None, "too few events to say")] * 2


def test_recoveries_and_composites_have_policies_too() -> None:
    slo = Slo(name="a", sli=REQUESTS, objective=0.99, window=Window(rolling=float(DAY)))
    back = Slo(name="b", sli=Recovery(of="a", within=60.0), objective=0.9, window=Window(rolling=float(DAY)))
    whole = Slo(
        name="c",
        sli=Composite(combine="worst", of=[Part(slo="a")]),
        objective=0.99,
        window=Window(rolling=float(DAY)),
    )
    of = catalogue(slo, back, whole, policy=STEPS)
    where = context(of, "1d")
    service: Service = of.services[0]
    first = judge(where, service, slo, steady(grid_for(where), dict.fromkeys(range(100, 130), 90.0)), keep_counts=True)
    recovery = judge_recovery(where, service, back, first).result
    composite = judge_composite(where, service, whole, {("web", "a"): first}).result
    for found in (first.result, recovery, composite):
        assert found.policy is not None
        assert found.action == "freeze"
        assert found.policy.effects == ("freeze", "escalate", "review")
    assert composite.policy is not None
    assert composite.policy.reached[0].frees_at is None  # nobody can tell which of the parts' errors will go first
