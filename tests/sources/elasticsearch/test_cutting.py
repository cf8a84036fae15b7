"""Buckets, pages, silence and bounds: the arithmetic behind the searches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.elastic.failures import reason_of, share_of
from sla_kit.engine.quantiles import quantile_of
from sla_kit.sources.elasticsearch.quantiles import RATIO, bounds_of, cumulative, error_step, upper_ends
from sla_kit.sources.elasticsearch.quiet import lead, named_days, observed, runs
from sla_kit.sources.elasticsearch.searches import Answered
from sla_kit.sources.elasticsearch.spans import PAGES, halves, offset_ms, positions, spans, stretches
from sla_kit.timeline import Grid

STEPS = st.sampled_from([1, 15, 60, 300, 3600, 86400])


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    step = draw(STEPS)
    return Grid(draw(st.integers(0, 2_000_000_000 // step)) * step, step, draw(st.integers(1, 400)))


@given(grids(), st.data())
def test_a_time_is_in_the_bucket_that_holds_it(grid: Grid, data: st.DataObject) -> None:
    """As Elasticsearch makes keys: floor((t - offset) / interval) * interval + offset."""
    time_ms = data.draw(st.integers(grid.start * 1000 + 1, grid.end * 1000))
    interval = grid.step * 1000
    key = (time_ms - 1) // interval * interval + 1
    (at,) = positions([key], grid).tolist()
    assert 0 <= at < grid.count
    assert (grid.start + at * grid.step) * 1000 < time_ms <= (grid.start + (at + 1) * grid.step) * 1000
    assert offset_ms(grid.start + at * grid.step) == key


@given(grids(), st.integers(1, 50))
def test_stretches_are_the_grid_and_none_has_too_many_pages(grid: Grid, size: int) -> None:
    cut = list(stretches(grid, size))
    assert cut[0][0] == grid.start
    assert cut[-1][1] == grid.end
    assert all(one[1] == two[0] for one, two in pairwise(cut))
    assert all(0 < end - start <= size * PAGES * grid.step for start, end in cut)


@given(grids())
def test_halving_ends_with_single_buckets(grid: Grid) -> None:
    parts = [(grid.start, grid.end)]
    for _ in range(10):
        parts = [half for part in parts for half in halves(*part, grid.step)]
    assert parts[0][0] == grid.start
    assert parts[-1][1] == grid.end
    assert all(end - start == grid.step for start, end in parts)


@given(st.lists(st.integers(1, 30), max_size=60), st.integers(-5, 100))
def test_spans_are_everything_and_hold_no_more_than_they_may(cells: list[int], room: int) -> None:
    cut = list(spans(np.array(cells, dtype=np.float64), room))
    assert [at for first, last in cut for at in range(first, last)] == list(range(len(cells)))
    for first, last in cut:
        assert last == first + 1 or sum(cells[first:last]) <= room
    for (first, last), _ in pairwise(cut):
        assert sum(cells[first : last + 1]) > room  # no smaller than need be


# --- silence --------------------------------------------------------------------------------------------------------


@given(st.lists(st.booleans(), max_size=60), st.integers(0, 1800), st.sampled_from([15, 60, 300]))
def test_silence_longer_than_quiet_is_unobserved(seen: list[bool], quiet: int, step: int) -> None:
    found = observed(np.array(seen, dtype=np.bool_), quiet, step)
    for at, one in enumerate(seen):
        first, last = at, at
        while not one and first > 0 and not seen[first - 1]:
            first -= 1
        while not one and last + 1 < len(seen) and not seen[last + 1]:
            last += 1
        assert found[at] == (one or (last - first + 1) * step <= quiet)


@given(st.lists(st.booleans(), max_size=60))
def test_runs_are_where_a_mask_is_true(mask: list[bool]) -> None:
    again = np.zeros(len(mask), dtype=np.bool_)
    for first, last in runs(np.array(mask, dtype=np.bool_)):
        assert first < last
        again[first:last] = True
    assert again.tolist() == mask


@given(st.integers(0, 100_000), STEPS)
def test_the_lead_is_longer_than_quiet(quiet: int, step: int) -> None:
    assert lead(quiet, step) * step > quiet >= (lead(quiet, step) - 1) * step


def test_days_in_the_names_of_indices() -> None:
    day = 1_700_006_400
    grid = Grid(day - 3600, 3600, 48)
    found = named_days(["logs-2023.11.15", "logs-2023.13.99", "logs", ".ds-logs-2023.11.01-000002"], grid)
    assert np.flatnonzero(found).tolist() == list(range(1, 25))


# --- durations ------------------------------------------------------------------------------------------------------

THRESHOLDS = st.floats(1e-4, 100.0)


@given(THRESHOLDS)
def test_bounds_hold_the_threshold_and_rise_by_no_more_than_told(threshold: float) -> None:
    bounds = bounds_of(threshold)
    assert threshold in bounds
    assert np.isposinf(bounds[-1])
    assert (np.diff(bounds) > 0).all()
    near = bounds[(bounds >= threshold / 10.01) & (bounds <= threshold * 10.01)]
    assert near.size == 21
    assert (near[1:] / near[:-1] < RATIO * 1.002).all()


def test_bounds_depend_on_the_threshold_alone() -> None:
    assert bounds_of(0.1).tolist() == bounds_of(0.1).tolist()
    assert bounds_of(0.1)[:3].tolist() == [0.001, 0.003162, 0.01]


@given(
    st.lists(st.floats(0.011, 0.99), min_size=1, max_size=300),
    st.floats(0.01, 0.999),
)
def test_an_interpolated_quantile_is_no_farther_off_than_told(seconds: list[float], q: float) -> None:
    bounds = bounds_of(0.1)
    values = np.array(seconds)
    between = np.histogram(values, np.concatenate([[-np.inf], np.nextafter(bounds[:-1], np.inf), [np.inf]]))[0]
    counts = cumulative(between[None, :].astype(np.float64))
    exact = float(np.quantile(values, q, method="inverted_cdf"))
    estimate = quantile_of(bounds, counts[0], q)
    assert abs(estimate - exact) <= (RATIO - 1) * 1.002 * exact
    assert counts[0, np.searchsorted(bounds, 0.1)] == (values <= 0.1).sum()


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1e-3, 1.0])
def test_ends_leave_out_what_is_above(unit: float) -> None:
    ends = upper_ends(bounds_of(0.1), unit, ["long"])
    value = round(0.1 / unit) if unit < 1 else 0.1
    at = int(np.searchsorted(bounds_of(0.1), 0.1))
    assert value < ends[at]
    assert value + 1 >= ends[at] or unit == 1


@pytest.mark.parametrize(
    ("estimate", "measured", "step"),
    [
        (1.0, 1.0, "at most 1 %"),
        (1.03, 1.0, "at most 5 %"),
        (0.8, 1.0, "at most 26 %"),
        (3.0, 1.0, "more than 100 %"),
        (1.0, 0.0, ""),
    ],
)
def test_errors_are_told_in_steps(estimate: float, measured: float, step: str) -> None:
    assert error_step(estimate, measured) == step


# --- parts of answers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shards", "clusters", "share"),
    [
        ({}, {}, 1.0),
        ({"total": 5, "successful": 5, "skipped": 3, "failed": 0}, {}, 1.0),
        ({"total": 5, "successful": 4, "failed": 1}, {}, 0.8),
        ({"total": 4, "successful": 4, "failed": 0}, {"total": 2, "successful": 1, "skipped": 1}, 0.5),
        ({"total": 0, "successful": 0, "failed": 0}, {}, 1.0),
    ],
)
def test_shares_of_shards_and_clusters(shards: dict[str, int], clusters: dict[str, int], share: float) -> None:
    found, reason = share_of(shards, clusters, [])
    assert found == pytest.approx(share)
    assert bool(reason) is (share < 1)


def test_partial_stretches_are_told_one_by_one() -> None:
    grid = Grid(0, 60, 10)
    answered = Answered.all_of(grid)
    answered.limit(0, 120, 0.5, "one")
    answered.limit(300, 360, 0.25, "one")
    answered.limit(0, 600, 1.0, "none")
    assert answered.share.tolist() == [0.5, 0.5, 1, 1, 1, 0.25, 1, 1, 1, 1]
    assert [(one.start, one.end, one.count) for one in answered.findings(0, 10)] == [(0, 120, 2), (300, 360, 1)]
    assert [(one.start, one.end) for one in answered.findings(1, 3)] == [(60, 120)]


def test_the_reason_of_an_error_is_its_root() -> None:
    inner = {"type": "parse_exception", "reason": "Cannot parse 'a:(b'"}
    failed = {"shard": 0, "reason": {"type": "query_shard_exception", "reason": "Failed", "caused_by": inner}}
    error = {"type": "search_phase_execution_exception", "reason": "all shards failed", "failed_shards": [failed]}
    assert reason_of(error) == "Cannot parse 'a:(b'"
    gone = {"shard": 0, "index": "web", "node": None, "reason": {"type": "no_shard_available_action_exception"}}
    assert reason_of(gone) == "web: no_shard_available_action_exception"
    assert "secret-word" not in reason_of({"type": "x", "reason": "no password=secret-word here"})
