"""One SLO judged, and the whole answer: windows, exclusions, live events, policy, evidence, findings, promises."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import (
    Agreement,
    Bound,
    Freshness,
    LastDuration,
    Latency,
    PolicyStep,
    Probe,
    Recovery,
    Requests,
    Slo,
    Window,
)
from sla_kit.engine.evaluate import Context, Judgement, conclude, grid_for, judge, judge_recovery
from sla_kit.engine.results import SloResult
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline
from tests.engine.builders import DAY, MONDAY, catalogue, context, steady

HOUR = 3600
REQUESTS = Requests(metric="http_requests_total", bad={"code": "=~5.."})
AVAILABLE = Slo(name="availability", sli=REQUESTS, objective=0.999, promise="availability")


def judged(of: Context, slo: Slo, data: Timeline) -> SloResult:
    return judge(of, of.catalogue.services[0], slo, data).result


def with_bad(data: Timeline, start: int, end: int, ratio: float) -> Timeline:
    """A timeline in which that share of the events of (start, end] is bad."""
    good = data.good.copy()
    where = data.grid.slice(start, end)
    good[where] = data.total[where] * (1 - ratio)
    return replace(data, good=good)


def gauge(grid: Grid, value: Floats, passed: Mask, completed: Floats | None = None) -> Timeline:
    minutes = (~np.isnan(value)).astype(np.float64)
    return Timeline(grid, minutes * passed, minutes, minutes.copy(), "minutes", value, completed)


# --- windows --------------------------------------------------------------------------------------------------------


def test_grid_covers_the_report_the_window_before_it_and_every_slos_own() -> None:
    of = context(catalogue(AVAILABLE), "7d", MONDAY + 5 * HOUR + 90)
    grid = grid_for(of)
    assert grid.start == MONDAY - 30 * DAY
    assert grid.end == MONDAY + 5 * HOUR + 60
    year = Slo(name="y", sli=REQUESTS, objective=0.9, window=Window(calendar="year"))
    assert grid_for(context(catalogue(AVAILABLE, year), "7d")).start == 1767225600  # 2026-01-01
    assert grid_for(context(catalogue(AVAILABLE), "60d")).start == MONDAY - 120 * DAY


def test_report_window_own_window_and_the_one_before_are_figured_apart() -> None:
    of = context(catalogue(AVAILABLE))
    data = steady(grid_for(of))
    data = with_bad(data, MONDAY - 8 * DAY, MONDAY - 8 * DAY + HOUR, 0.5)
    data = with_bad(data, MONDAY - DAY, MONDAY - DAY + HOUR, 0.1)
    found = judged(of, AVAILABLE, data)
    assert found.figure.total == 7 * 1440 * 100
    assert found.figure.bad == pytest.approx(600)
    assert found.before is not None
    assert found.before.bad == pytest.approx(3000)
    assert (found.own_window.name, found.own.total) == ("30d", 30 * 1440 * 100)
    assert found.own.bad == pytest.approx(3600)
    assert found.own.budget.allowed_minutes == pytest.approx(43.2)
    assert found.burndown is not None
    assert found.burndown.left_ratio[-1] == pytest.approx(found.own.budget.left_ratio)
    assert found.burndown.times[-1] == MONDAY


def test_before_is_none_without_data() -> None:
    of = context(catalogue(AVAILABLE))
    data = steady(grid_for(of))
    early = data.grid.slice(0, MONDAY - 7 * DAY)
    for array in (data.good, data.total, data.coverage):
        array[early] = 0
    assert judged(of, AVAILABLE, data).before is None
    strict = Slo(name="b", sli=REQUESTS, objective=0.999, missing="bad")
    assert judged(context(catalogue(strict)), strict, data).before is None


# --- exclusions and live events -------------------------------------------------------------------------------------


def test_exclusions_are_out_of_the_figure_and_named_with_both_figures_given() -> None:
    window = Interval(MONDAY - DAY, MONDAY - DAY + HOUR, "upgrade", ("web",), "new major", "platform")
    other = Interval(MONDAY - 2 * DAY, MONDAY - 2 * DAY + HOUR, "db", ("db",))
    of = context(catalogue(AVAILABLE), maintenance=[window, other])
    data = with_bad(steady(grid_for(of)), window.start, window.end, 1.0)
    found = judged(of, AVAILABLE, data)
    assert (found.figure.bad, found.figure.met, found.figure.coverage) == (0, True, 1.0)
    assert (found.without_exclusions.bad, found.without_exclusions.met) == (6000, False)
    assert [(e.name, e.reason, e.approved_by) for e in found.exclusions] == [("upgrade", "new major", "platform")]
    assert found.incidents == ()
    assert found.heat is not None
    assert found.heat.days[-1] == "2026-09-27"
    assert np.flatnonzero(np.isnan(found.heat.ratio[-1])).tolist() == [0]


def test_every_figure_is_split_into_during_live_events_and_outside() -> None:
    game = Interval(MONDAY - DAY, MONDAY - DAY + 2 * HOUR, "final")
    of = context(catalogue(AVAILABLE), events=[game])
    data = with_bad(steady(grid_for(of)), game.start, game.end, 0.01)
    found = judged(of, AVAILABLE, data)
    assert found.during_events is not None
    assert found.outside_events is not None
    assert (found.during_events.total, found.during_events.met) == (12_000, False)
    assert found.during_events.bad == pytest.approx(120)
    assert (found.outside_events.bad, found.outside_events.met) == (0, True)
    assert found.during_events.total + found.outside_events.total == found.figure.total
    assert found.during_events.budget.allowed_minutes == pytest.approx(0.12)
    calm = judged(context(catalogue(AVAILABLE)), AVAILABLE, data)
    assert (calm.during_events, calm.outside_events) == (None, None)


# --- kinds ----------------------------------------------------------------------------------------------------------


def test_latency_has_its_quantile_over_each_mask() -> None:
    slo = Slo(name="fast", sli=Latency(metric="m", threshold=0.1, quantile=0.95), objective=0.95)
    game = Interval(MONDAY - DAY, MONDAY - DAY + 2 * HOUR, "final")
    of = context(catalogue(slo), events=[game])
    grid = grid_for(of)
    counts = np.tile([90.0, 100.0, 100.0], (grid.count, 1))
    counts[grid.slice(game.start, game.end)] = [0.0, 100.0, 100.0]
    data = Timeline(
        grid,
        counts[:, 0].copy(),
        counts[:, 2].copy(),
        np.ones(grid.count),
        histogram=Histogram(np.array([0.1, 0.2, np.inf]), counts),
    )
    found = judged(of, slo, data)
    assert (found.kind, found.threshold, found.quantile, found.unit) == ("latency", 0.1, 0.95, "requests")
    assert found.during_events is not None
    assert found.outside_events is not None
    assert found.during_events.value == pytest.approx(0.195)
    assert found.outside_events.value == pytest.approx(0.15)
    assert found.figure.met is False


def test_probe_is_judged_by_minutes_and_never_too_few() -> None:
    slo = Slo(name="up", sli=Probe(), objective=0.9999)
    of = context(catalogue(slo))
    data = steady(grid_for(of), 4, "samples")
    found = judged(of, slo, data)
    assert (found.unit, found.figure.total, found.figure.met) == ("minutes", 7 * 1440, True)
    down = judged(of, slo, with_bad(data, MONDAY - 600, MONDAY - 420, 0.25))
    assert (down.figure.bad, down.figure.met) == (3, False)


def test_backups_are_evidence_one_by_one() -> None:
    slo = Slo(name="backup", sli=Freshness(metric="last_backup", max_age=26 * HOUR), objective=0.95)
    of = context(catalogue(slo))
    grid = grid_for(of)
    # Daily at 02:00 UTC, but the one of the 24th (a Thursday) is missed.
    days = (grid.ends - 2 * HOUR) // DAY
    days[days == (MONDAY - 4 * DAY) // DAY] -= 1
    stamps = (days * DAY + 2 * HOUR).astype(np.float64)
    age = grid.ends - stamps
    found = judged(of, slo, gauge(grid, age, age <= 26 * HOUR, stamps))
    assert [e.ok for e in found.evidence] == [True, True, True, False, True, True, True]
    assert [e.completed for e in found.evidence if not e.ok] == [MONDAY - 5 * DAY + 2 * HOUR]
    assert [e.note for e in found.evidence] == ["before the window"] + [""] * 6
    assert found.figure.value == pytest.approx(48 * HOUR - 60)
    assert found.figure.bad == 22 * 60 - 1
    assert found.threshold == 26 * HOUR


def test_restores_are_evidence_with_how_long_they_took() -> None:
    slo = Slo(name="restore", sli=LastDuration(metric="d", max=HOUR, completed_metric="c"), objective=0.95)
    of = context(catalogue(slo))
    grid = grid_for(of)
    second = grid.ends > MONDAY - 2 * DAY
    value, ended = np.where(second, 4000.0, 1800.0), np.where(second, MONDAY - 2 * DAY, MONDAY - 9 * DAY) * 1.0
    found = judged(of, slo, gauge(grid, value, value <= HOUR, ended))
    assert [(e.completed, e.seconds, e.ok) for e in found.evidence] == [
        (MONDAY - 9 * DAY, 1800, True),
        (MONDAY - 2 * DAY, 4000, False),
    ]
    assert found.figure.value == 4000
    undated = Slo(name="restore", sli=LastDuration(metric="d", max=HOUR), objective=0.95)
    of = context(catalogue(undated))
    found = judged(of, undated, gauge(grid, value, value <= HOUR))
    assert [(e.completed, e.seconds) for e in found.evidence] == [(None, 1800), (None, 4000)]


def test_bound_shows_the_value_farthest_out() -> None:
    slo = Slo(name="lag", sli=Bound(metric="m", min=1.0, max=10.0), objective=0.9)
    of = context(catalogue(slo))
    grid = grid_for(of)
    value = np.full(grid.count, 5.0)
    value[-5], value[-9] = 12.0, -3.0
    found = judged(of, slo, gauge(grid, value, (value >= 1) & (value <= 10)))
    assert (found.figure.value, found.figure.bad) == (-3.0, 2)


# --- recovery -------------------------------------------------------------------------------------------------------


def recovery(
    *outages: tuple[int, int], window: str = "7d", within: float = 900
) -> tuple[Judgement, Judgement, Context]:
    """The SLO with total outages at (start, end] before MONDAY, and the recovery SLO on it."""
    slo = Slo(name="recovery", sli=Recovery(of="availability", within=900), objective=0.99)
    of = context(catalogue(AVAILABLE, slo))
    data = steady(grid_for(of))
    for start, end in outages:
        data = with_bad(data, MONDAY - start, MONDAY - end, 1.0)
    service = of.catalogue.services[0]
    first = judge(of, service, AVAILABLE, data)
    return first, judge_recovery(of, service, slo, first), of


def test_recovery_counts_outages_from_detection_to_recovery() -> None:
    _, found, _ = recovery((2 * DAY, 2 * DAY - 600), (DAY, DAY - 1200))
    figure = found.result.figure
    assert (figure.total, figure.good, figure.met, found.result.unit) == (2, 1, False, "outages")
    assert figure.value == 1200 - 60  # detected at the end of the first bad minute
    assert [(e.seconds, e.ok) for e in found.result.evidence] == [(540, True), (1140, False)]
    assert found.result.threshold == 900
    assert found.result.incidents == ()


def test_few_outages_that_all_recovered_in_time_are_met() -> None:
    _, found, _ = recovery((2 * DAY, 2 * DAY - 600))
    assert (found.result.figure.sli, found.result.figure.met) == (1.0, True)


def test_no_outages_with_data_is_met_and_without_data_is_not_known() -> None:
    _, found, of = recovery()
    assert (found.result.figure.sli, found.result.figure.met) == (None, True)
    assert found.result.figure.reason == "no outages"
    grid = grid_for(of)
    nothing = Timeline(grid, np.zeros(grid.count), np.zeros(grid.count), np.zeros(grid.count))
    service = of.catalogue.services[0]
    empty = judge_recovery(of, service, service.slos[1], judge(of, service, AVAILABLE, nothing)).result
    assert (empty.figure.met, empty.figure.reason) == (None, "no data")


def test_outage_that_lasts_is_bad_once_it_is_overdue() -> None:
    _, young, _ = recovery((600, 0))
    assert (young.result.figure.total, young.result.figure.reason) == (0, "no outages")
    _, overdue, _ = recovery((1800, 0))
    assert (overdue.result.figure.total, overdue.result.figure.bad) == (1, 1)
    assert [(e.completed, e.note) for e in overdue.result.evidence] == [(None, "not yet recovered")]


def test_recovery_must_be_asked_of_a_recovery_slo() -> None:
    first, _, of = recovery()
    with pytest.raises(TypeError, match="web/availability"):
        judge_recovery(of, of.catalogue.services[0], AVAILABLE, first)


# --- verdicts, policy, agreements -----------------------------------------------------------------------------------

POLICY = [
    PolicyStep(left=0.5, action="review"),
    PolicyStep(left=0.0, action="freeze"),
    PolicyStep(left=0.2, action="slow"),
]


@pytest.mark.parametrize(
    ("bad_minutes", "action"), [(0, ""), (20, ""), (22, "review"), (36, "slow"), (43, "slow"), (44, "freeze")]
)
def test_policy_names_the_step_that_the_budget_has_come_down_to(bad_minutes: int, action: str) -> None:
    of = context(catalogue(AVAILABLE, policy=POLICY))
    data = with_bad(steady(grid_for(of)), MONDAY - 10 * DAY, MONDAY - 10 * DAY + bad_minutes * 60, 1.0)
    assert judged(of, AVAILABLE, data).action == action


def test_slos_own_policy_comes_before_the_catalogues() -> None:
    slo = Slo(name="a", sli=REQUESTS, objective=0.999, policy=[PolicyStep(left=1.0, action="mine")])
    of = context(catalogue(slo, policy=POLICY))
    assert judged(of, slo, steady(grid_for(of))).action == "mine"


def test_agreement_is_held_against_the_same_events() -> None:
    agreement = Agreement(objective=0.99, consequence="10 % back")
    slo = Slo(name="a", sli=REQUESTS, objective=0.999, sla=agreement)
    of = context(catalogue(slo))
    found = judged(of, slo, with_bad(steady(grid_for(of)), MONDAY - DAY, MONDAY - DAY + HOUR, 0.5))
    assert (found.figure.met, found.sla_met, found.sla_consequence) == (False, True, "10 % back")


# --- heat -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sunday", "hours", "skipped"), [(1774742400, 23, [2]), (1792886400, 25, [])])
def test_heat_map_is_by_local_hour_across_clock_changes(sunday: int, hours: int, skipped: list[int]) -> None:
    slo = Slo(name="a", sli=REQUESTS, objective=0.999)
    at = sunday + DAY + 12 * HOUR  # noon of the Monday after, in UTC
    of = context(catalogue(slo, timezone="Europe/Berlin"), "last-day", at)
    assert of.window.end - of.window.start == hours * HOUR
    data = with_bad(steady(grid_for(of)), of.window.start, of.window.start + HOUR, 0.25)
    found = judged(of, slo, data).heat
    assert found is not None
    assert found.ratio.shape == (1, 24)
    assert np.flatnonzero(np.isnan(found.ratio[0])).tolist() == skipped
    assert found.ratio[0, 0] == pytest.approx(0.25)
    assert np.nansum(found.ratio) == pytest.approx(0.25)


# --- findings -------------------------------------------------------------------------------------------------------


def test_low_coverage_and_no_data_are_found() -> None:
    of = context(catalogue(AVAILABLE))
    data = steady(grid_for(of))
    gap = data.grid.slice(MONDAY - 4 * DAY, MONDAY)
    for array in (data.good, data.total, data.coverage):
        array[gap] = 0
    found = judged(of, AVAILABLE, data)
    assert found.figure.coverage == pytest.approx(3 / 7)
    assert [(f.kind, f.count) for f in found.findings] == [("coverage", 4 * 1440), ("coverage", 4 * 1440)]
    data.coverage[:] = 0
    data.total[:] = data.good[:] = 0
    empty = judged(of, AVAILABLE, data)
    assert (empty.figure.met, empty.figure.reason) == (None, "no data")
    assert "no-data" in [f.kind for f in empty.findings]


def test_findings_of_the_source_are_carried_if_they_touch_a_window() -> None:
    of = context(catalogue(AVAILABLE))
    grid = grid_for(of)
    now = Finding("counter-backwards", "backwards", 1, MONDAY - 120, MONDAY - 60)
    old = Finding("vanished", "gone", 1, grid.start - 600, grid.start)
    timeless = Finding("partial-answer", "part")
    data = replace(steady(grid), findings=(now, old, timeless))
    assert judged(of, AVAILABLE, data).findings == (now, timeless)


def test_more_good_than_all_is_found_and_taken_as_all_good() -> None:
    of = context(catalogue(AVAILABLE))
    data = steady(grid_for(of))
    data.good[-3] = 500
    found = judged(of, AVAILABLE, data)
    assert [(f.kind, f.end) for f in found.findings] == [("good-over-total", MONDAY - 120)]
    assert found.figure.sli == 1.0


# --- the whole ------------------------------------------------------------------------------------------------------


def test_conclusion_says_which_promises_were_met_and_why_not() -> None:
    probe = Slo(name="probe", sli=Probe(), objective=0.99, promise="availability")
    lonely = Slo(name="lonely", sli=Probe(), objective=0.99, promise="undeclared")
    game = Interval(MONDAY - DAY, MONDAY - DAY + HOUR, "final", ("web",))
    upgrade = Interval(MONDAY - 2 * DAY, MONDAY - 2 * DAY + HOUR, "upgrade")
    of = context(catalogue(AVAILABLE, probe, lonely), events=[game], maintenance=[upgrade])
    service = of.catalogue.services[0]
    data = steady(grid_for(of))
    first = judge(of, service, AVAILABLE, with_bad(data, MONDAY - DAY, MONDAY - DAY + HOUR, 0.5))
    rest = [judge(of, service, slo, data) for slo in (probe, lonely)]
    found = conclude(of, "history.om", [first, *rest])
    assert found.met is False
    assert [(p.name, p.met) for p in found.promises] == [("availability", False), ("undeclared", True)]
    assert found.promises[0].slos == (("web", "availability"), ("web", "probe"))
    assert found.promises[0].summary == "web/availability: 99.7 % of requests good, 99.9 % promised"
    assert [event.name for event in found.events] == ["final"]
    assert [exclusion.name for exclusion in found.exclusions] == ["upgrade"]
    assert [incident.during_event for incident in found.incidents] == ["final"]
    assert found["web", "probe"].figure.met is True
    assert (found.at, found.bucket, found.source, found.timezone) == (MONDAY, 60, "history.om", "UTC")
    assert len(found.to_pandas()) == 3


def test_conclusion_without_any_data_says_so_once() -> None:
    of = context(catalogue(AVAILABLE))
    grid = grid_for(of)
    nothing = Timeline(grid, np.zeros(grid.count), np.zeros(grid.count), np.zeros(grid.count))
    found = conclude(of, "x", [judge(of, of.catalogue.services[0], AVAILABLE, nothing)])
    assert found.met is None
    assert [finding.kind for finding in found.findings] == ["no-data"]
    assert found.promises[0].summary == "web/availability: no data"


def test_promise_without_slos_is_open() -> None:
    of = context(catalogue())
    found = conclude(of, "x", [])
    assert (found.promises[0].met, found.promises[0].summary) == (None, "no SLO measures it")


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 47), st.integers(0, 48))
def test_the_longer_report_never_shows_fewer_bad_events(seed: int, hours: int, more: int) -> None:
    rng = np.random.default_rng(seed)
    slo = Slo(name="a", sli=REQUESTS, objective=0.99, window=Window(rolling=4.0 * DAY), missing="bad")
    short, long = (context(catalogue(slo), f"{length}h") for length in (hours, hours + more))
    grid = grid_for(long)
    total = rng.poisson(rng.choice([0.0, 3.0, 500.0], grid.count)).astype(np.float64)
    seen = (rng.random(grid.count) > 0.2).astype(np.float64)
    data = Timeline(grid, np.floor(total * rng.random(grid.count)) * seen, total * seen, seen)
    bad = [judged(of, slo, data).figure.bad for of in (short, long)]
    assert bad[0] <= bad[1] * (1 + 1e-12)
