"""Months and quarters beside the window: the same sums over other buckets."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Requests, Slo
from sla_kit.engine.context import Context, grid_for
from sla_kit.engine.evaluate import conclude, judge
from sla_kit.engine.results import Period
from sla_kit.engine.rollups import rollup_periods
from sla_kit.errors import SlaKitError
from sla_kit.timeline import Timeline
from tests.engine.builders import DAY, MONDAY, catalogue, context

REQUESTS = Requests(metric="http_requests_total", bad={"code": "=~5.."})
SLO = Slo(name="availability", sli=REQUESTS, objective=0.99, promise="availability")


def moment(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def test_names_mean_the_running_the_last_and_any_period() -> None:
    found = rollup_periods(["month", "last-month", "quarter", "2026-Q2", "month"], MONDAY, "UTC")
    assert [(period.name, period.start, period.end) for period in found] == [
        ("2026-09", moment("2026-09-01"), MONDAY),
        ("2026-08", moment("2026-08-01"), moment("2026-09-01")),
        ("2026-Q3", moment("2026-07-01"), MONDAY),
        ("2026-Q2", moment("2026-04-01"), moment("2026-07-01")),
    ]


def test_at_its_very_end_the_running_month_is_complete() -> None:
    (month,) = rollup_periods(["month"], moment("2026-09-01"), "UTC")
    assert month == Period("2026-08", moment("2026-08-01"), moment("2026-09-01"))


def test_a_period_after_the_report_is_an_error() -> None:
    with pytest.raises(SlaKitError, match="has not begun"):
        rollup_periods(["2027-Q1"], MONDAY, "UTC")
    with pytest.raises(SlaKitError, match="ends after the report"):
        rollup_periods(["2026-09-01T00:00Z/2026-10-01T00:00Z"], MONDAY, "UTC")


def rolled(of: Context, names: list[str]) -> Context:
    return replace(of, rollups=rollup_periods(names, of.at, of.catalogue.timezone))


def made(of: Context, bad: np.ndarray, seen_from: int = 0) -> Timeline:
    """Ten requests in every bucket, of which some are bad, observed from a moment on."""
    grid = grid_for(of)
    seen = np.asarray(grid.ends > seen_from, dtype=np.float64)
    total = 10.0 * seen
    return Timeline(grid, total - np.minimum(bad, total), total, seen, "requests")


def test_a_roll_up_is_the_sum_of_its_own_buckets_without_what_is_excluded() -> None:
    day = Interval(moment("2026-09-02"), moment("2026-09-03"), "upgrade", (), "planned", "dana")
    of = rolled(context(catalogue(SLO), maintenance=[day]), ["month", "2026-Q2"])
    grid = grid_for(of)
    assert grid.start <= moment("2026-04-01")
    bad = np.zeros(grid.count)
    bad[grid.ends == moment("2026-09-02T12:00")] = 10.0  # excluded
    bad[grid.ends == moment("2026-09-01T00:00")] = 7.0  # the last bucket of August
    bad[grid.ends == moment("2026-09-01T00:01")] = 5.0
    bad[grid.ends == moment("2026-07-01T00:00")] = 3.0
    result = judge(of, of.catalogue.services[0], SLO, made(of, bad)).result
    september, spring = result.rollups
    assert (september.period.name, september.figure.bad) == ("2026-09", 5.0)
    assert september.figure.total == 10.0 * 26 * 1440
    assert september.figure.budget.allowed == pytest.approx(0.01 * 10.0 * 26 * 1440)
    assert (spring.period.name, spring.figure.bad, spring.figure.total) == ("2026-Q2", 3.0, 10.0 * 91 * 1440)
    assert result.figure.bad == 0


def test_coverage_shows_where_history_does_not_reach_back() -> None:
    of = rolled(context(catalogue(SLO)), ["quarter", "2026-Q1"])
    bad = np.zeros(grid_for(of).count)
    result = judge(of, of.catalogue.services[0], SLO, made(of, bad, moment("2026-09-01"))).result
    running, never = (rollup.figure for rollup in result.rollups)
    assert running.coverage == pytest.approx(27 / 89)
    assert (never.coverage, never.met, never.reason) == (0.0, None, "no data")


def test_a_promise_stands_over_a_period_as_its_worst_slo() -> None:
    strict = Slo(name="strict", sli=REQUESTS, objective=0.9999, promise="availability")
    of = rolled(context(catalogue(SLO, strict)), ["month", "last-month"])
    grid = grid_for(of)
    bad = np.zeros(grid.count)
    bad[grid.ends == moment("2026-08-15")] = 10.0
    bad[(grid.ends > moment("2026-08-20")) & (grid.ends <= moment("2026-08-21"))] = 1.0
    judged = [judge(of, of.catalogue.services[0], slo, made(of, bad)) for slo in (SLO, strict)]
    (promise,) = conclude(of, "here", judged).promises
    assert [(rollup.period.name, rollup.met) for rollup in promise.rollups] == [("2026-09", True), ("2026-08", False)]
    assert promise.met is True


@settings(deadline=None, max_examples=25)
@given(st.lists(st.integers(0, 60 * 1440 - 1), max_size=40), st.sampled_from(["month", "last-month", "quarter"]))
def test_asking_for_roll_ups_changes_no_other_figure(places: list[int], name: str) -> None:
    alone = context(catalogue(SLO))
    asked = rolled(alone, [name])
    results = []
    for of in (alone, asked):
        grid = grid_for(of)
        bad = np.zeros(grid.count)
        for place in places:
            bad[grid.ends == MONDAY - 60 * place] = 10.0
        results.append(judge(of, of.catalogue.services[0], SLO, made(of, bad)).result)
    one, other = results
    assert one.figure == other.figure
    assert one.own == other.own
    assert one.before == other.before
    assert [(i.start, i.recovered) for i in one.incidents] == [(i.start, i.recovered) for i in other.incidents]
    start = max(asked.rollups[0].start, MONDAY - 60 * DAY)
    inside = {place for place in places if start < MONDAY - 60 * place <= asked.rollups[0].end}
    assert other.rollups[0].figure.bad == 10.0 * len(inside)
