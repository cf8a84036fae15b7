"""The edges of PromQL on recorded samples: staleness, look-back, refusals, pieces."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sla_kit.errors import SourceError
from sla_kit.history import History, HistorySource, Series
from sla_kit.history.promql import LOOKBACK_MS, evaluate_range
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Floats, Grid

TEN_MINUTES = Grid(0, 60, 10)
STALE = np.array([0x7FF0000000000002], dtype=np.uint64).view(np.float64)[0]


def series(metric: str, seconds: list[float], values: list[float], **labels: str) -> Series:
    times = np.array([round(one * 1000) for one in seconds], dtype=np.int64)
    return Series(metric, sorted_labels(labels), times, np.array(values, dtype=np.float64))


def values(expression: str, *several: Series, grid: Grid = TEN_MINUTES) -> list[float]:
    found: list[float] = evaluate_range(History(several), expression, grid).tolist()
    return found


def test_an_instant_selector_looks_back_five_minutes_and_no_further() -> None:
    found = values("x", series("x", [60.0], [7.0]))
    assert found[:5] == [7.0] * 5
    assert all(math.isnan(one) for one in found[5:])  # at 360 s the sample is LOOKBACK_MS old: outside
    assert LOOKBACK_MS == 300_000


def test_a_stale_marker_ends_a_series_at_once() -> None:
    ended = series("x", [30.0, 90.0], [7.0, STALE])
    assert values("x", ended)[0] == 7.0
    assert all(math.isnan(one) for one in values("x", ended)[1:])


def test_a_stale_marker_is_no_sample_of_a_range() -> None:
    ended = series("x", [30.0, 90.0], [7.0, STALE])
    assert values("count_over_time(x[5m])", ended)[:5] == [1.0] * 5
    assert values("last_over_time(x[5m])", ended)[4] == 7.0


def test_an_ordinary_nan_is_a_sample() -> None:
    assert values("count(x)", series("x", [30.0], [math.nan]))[0] == 1.0


def test_series_of_an_answer_are_summed_and_nan_ignored() -> None:
    several = (
        series("x", [30.0], [1.0], a="1"),
        series("x", [30.0], [2.0], a="2"),
        series("x", [30.0], [math.nan], a="3"),
    )
    assert values("x", *several)[0] == 3.0


def test_window_stands_for_the_bucket() -> None:
    one = series("x", [10.0, 20.0, 70.0, 80.0, 90.0], [1.0] * 5)
    assert values("count_over_time(x[$window])", one)[:2] == [2.0, 3.0]
    assert values("count_over_time(x[$window])", one, grid=Grid(0, 120, 1)) == [5.0]


def test_histogram_quantile_interpolates_inside_a_bucket() -> None:
    buckets = [series("b", [30.0], [count], le=le) for le, count in (("0.1", 50.0), ("0.2", 90.0), ("+Inf", 100.0))]
    # Rank 0.6 x 100 = 60 is the tenth of forty between 0.1 and 0.2; beyond the last bound it is that bound.
    assert values("histogram_quantile(0.6, b)", *buckets)[0] == pytest.approx(0.125)
    assert values("histogram_quantile(0.95, b)", *buckets)[0] == 0.2


def test_both_spellings_of_a_bound_are_one_bucket() -> None:
    buckets = [
        series("b", [30.0], [count], le=le) for le, count in (("1", 30.0), ("1.0", 20.0), ("2", 90.0), ("+Inf", 100.0))
    ]
    assert values("histogram_quantile(0.5, b)", *buckets)[0] == 1.0


def test_a_long_grid_is_evaluated_in_pieces_without_seams() -> None:
    times = np.arange(7_000, 9_000 * 60_000, 15_000, dtype=np.int64)
    grown: Floats = np.arange(times.size, dtype=np.float64)
    found = evaluate_range(History([Series("x", (), times, grown)]), "increase(x[5m])", Grid(0, 60, 9_000))
    assert found.shape == (9_000,)
    np.testing.assert_allclose(found[10:-10], 20.0)


def test_an_empty_grid_has_an_empty_answer() -> None:
    assert values("rate(x[5m]) + x", series("x", [1.0], [1.0]), grid=Grid(0, 60, 0)) == []


def test_a_source_answers_an_expression() -> None:
    source = HistorySource(History([series("x", [30.0], [1.0])]))
    found, findings = source.read_promql("x + 1", Grid(0, 60, 1))
    assert found.tolist() == [2.0]
    assert findings == ()


@pytest.mark.parametrize(
    ("expression", "named"),
    [
        ("max_over_time(rate(x[5m])[1h:1m])", "subquery"),
        ("rate(x[5m:1m])", "subquery"),
        ("x[5m]", "range outside"),
        ("x @ 100", "modifier @"),
        ("topk(1, x)", r"topk\(\)"),
        ("quantile(0.5, x)", r"quantile\(\)"),
        ("stddev_over_time(x[5m])", r"stddev_over_time\(\)"),
        ('label_replace(x, "a", "b", "c", "d")', r"label_replace\(\)"),
        ("x * on (a) group_left y", "group_left"),
        ("x atan2 y", "atan2"),
        ('x{a="b" or c="d"}', "'or' between matchers"),
    ],
)
def test_what_is_beyond_the_subset_is_named_with_the_remedy(expression: str, named: str) -> None:
    with pytest.raises(SourceError, match=named) as raised:
        values(expression, series("x", [30.0], [1.0]))
    assert "Prometheus" in raised.value.remedy
    assert raised.value.place == expression


@pytest.mark.parametrize(
    "expression", ["", "sum(", "rate(x)", "x{", "1 +", '"text" + 1', "x > > y", "\x00", "é", "nosuch(x)"]
)
def test_what_is_no_promql_is_refused(expression: str) -> None:
    with pytest.raises(SourceError, match="no PromQL"):
        values(expression)


@pytest.mark.parametrize(
    "expression", ["x[99999999y]", "x offset 99999999y", "x offset 1e999", "(" * 3000 + "x" + ")" * 3000]
)
def test_what_is_beyond_measure_is_refused(expression: str) -> None:
    with pytest.raises(SourceError):
        values(expression)


def test_a_text_has_no_values() -> None:
    with pytest.raises(SourceError, match="text"):
        values('"text"')


@pytest.mark.parametrize(
    "expression",
    [
        "x + on (b) x",
        "x + on (b) y",
        "y + on (b) x",
        'rate({__name__=~"y|z"}[1m])',
        '-{__name__=~"y|z"}',
    ],
)
def test_what_prometheus_refuses_is_refused(expression: str) -> None:
    several = (
        series("x", [30.0, 40.0], [1.0, 1.0], a="1"),
        series("x", [30.0, 40.0], [2.0, 2.0], a="2"),
        series("y", [30.0, 40.0], [3.0, 3.0]),
        series("z", [30.0, 40.0], [3.0, 3.0]),
    )
    with pytest.raises(SourceError, match="several series"):
        values(expression, *several)


def test_series_that_take_turns_match_one_to_one() -> None:
    before, after = series("x", [30.0, 70.0], [1.0, STALE], pod="a"), series("x", [90.0], [2.0], pod="b")
    assert values("x / on () y", before, after, series("y", [30.0], [4.0]))[:2] == [0.25, 0.5]
