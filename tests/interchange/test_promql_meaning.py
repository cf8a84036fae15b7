"""An indicator measures what the PromQL that it was made of says: both are evaluated on recorded samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Bound, Freshness, Latency, Probe, Promql, Requests
from sla_kit.history import History, HistorySource, Series
from sla_kit.history.promql import evaluate_range
from sla_kit.interchange.promql_nodes import selector
from sla_kit.interchange.promql_shape import of_events, of_ratio, of_selectors, of_threshold
from sla_kit.sources import Indicator
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Grid, Timeline

START = 1_699_999_200
GRID = Grid(START, 60, 20)
#: The whole of the grid as one bucket: where an expression over its length is evaluated once.
WHOLE = Grid(START, 60 * 20, 1)
#: A counter that grows evenly: PromQL's extrapolation is exact then, and so both must agree to the last digit.
_TIMES = np.arange(START - 4000, GRID.end + 1, 10, dtype=np.int64) * 1000
#: One sample in each bucket, at its end, where an expression is evaluated.
_ENDS = GRID.ends * 1000

CODES, METHODS, JOBS = ("200", "404", "500", "503"), ("get", "post"), ("api", "web")
Rates = dict[tuple[str, str, str], int]

rates = st.fixed_dictionaries(
    {(job, code, method): st.integers(0, 20) for job in JOBS for code in CODES for method in METHODS}
)
matchers = st.sampled_from(
    ["", 'job="api"', 'job!="web"', 'job=~"api|web"', 'method="get"', 'job="api",method!~"po.*"']
)
bad = st.sampled_from(['code="500"', 'code=~"5.."', 'code=~"(5..|404)"', 'code!="200"', 'code!~"2..|4.."'])


def history(rates: Rates) -> History:
    series = []
    for (job, code, method), rate in rates.items():
        values = 1e6 + rate * (_TIMES - _TIMES[0]) / 1000
        for metric in ("requests_total", f"requests_{code}_total"):
            series.append(Series(metric, sorted_labels({"job": job, "code": code, "method": method}), _TIMES, values))
    return History(series)


def measured(sli: Any, recorded: History) -> Timeline:
    [(_, timeline)] = HistorySource(recorded).fetch([Indicator(("service", "slo"), sli)], GRID)
    return timeline


def share(sli: Any, recorded: History) -> float:
    """The share of good events in the grid, NaN without events."""
    timeline = measured(sli, recorded)
    total = timeline.total.sum()
    return float(timeline.good.sum() / total) if total else float("nan")


def said(expression: str, recorded: History) -> float:
    """What a ratio says at the end of the grid, its window being the grid."""
    return float(evaluate_range(recorded, expression.replace("{{.window}}", f"{WHOLE.step}s"), WHOLE)[0])


def counted(matchers: str, function: str = "rate", metric: str = "requests_total") -> str:
    return f"sum({function}({metric}{{{matchers}}}[{{{{.window}}}}]))"


def joined(*matchers: str) -> str:
    return ",".join(each for each in matchers if each)


EVENTS = {
    "bad and total": lambda t, b, f: of_events(counted(t, f), bad=counted(joined(t, b), f)),
    "bad or nothing": lambda t, b, f: of_events(counted(t, f), bad=f"{counted(joined(t, b), f)} OR on() vector(0)"),
    "total less good": lambda t, b, f: of_events(counted(t, f), good=f"({counted(t, f)} - {counted(joined(t, b), f)})"),
    "error ratio": lambda t, b, f: of_ratio(f"{counted(joined(t, b), f)}\n/\n{counted(t, f)}", good=False),
    "success ratio": lambda t, b, f: of_ratio(f"1 - ({counted(joined(t, b), f)} / {counted(t, f)})", good=True),
    "twice turned": lambda t, b, f: of_ratio(f"1 - (1 - {counted(joined(t, b), f)} / {counted(t, f)})", good=False),
    "difference in a ratio": lambda t, b, f: of_ratio(
        f"({counted(t, f)} - {counted(joined(t, b), f)}) / {counted(t, f)}", good=True
    ),
    "grouped by what is fixed": lambda t, b, f: of_events(
        counted(joined(t, 'job="api"') if "job" not in t else t, f),
        bad=counted(joined(joined(t, 'job="api"') if "job" not in t else t, b), f).replace("sum(", "sum by (job) (", 1),
    ),
    "counters themselves": lambda t, b, f: of_events(
        f"sum(requests_total{{{t}}})", bad=f"sum(requests_total{{{joined(t, b)}}})", counter=True
    ),
}


@pytest.mark.parametrize("form", EVENTS)
@settings(deadline=None, max_examples=40)
@given(rates=rates, total=matchers, bad=bad, function=st.sampled_from(["rate", "increase"]))
def test_counters(form: str, rates: Rates, total: str, bad: str, function: str) -> None:
    recorded = history(rates)
    sli = EVENTS[form](total, bad, function).sli
    assert isinstance(sli, Requests)
    if form.startswith("grouped") and "job" not in total:
        total = joined(total, 'job="api"')
    ratio = said(f"({counted(joined(total, bad))} or vector(0)) / {counted(total)}", recorded)
    assert share(sli, recorded) == pytest.approx(1 - ratio, rel=1e-9, nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(rates=rates, first=bad, second=bad)
def test_counters_of_several_metrics_and_what_has_no_structure(rates: Rates, first: str, second: str) -> None:
    recorded = history(rates)
    other = counted("", metric="requests_500_total")
    pairs = [
        (counted(""), other),  # another metric
        (f"{counted(first)} + {counted(second)}", counted(joined(first, second.replace("code", "code")))),
        (counted(first), counted(joined(first, second))),  # one label matched twice
    ]
    for total, side in pairs:
        ratio = said(f"({side}) / ({total})", recorded)
        for shaped in (of_events(total, bad=side), of_ratio(f"({side}) / ({total})", good=False)):
            if ratio <= 1:
                assert share(shaped.sli, recorded) == pytest.approx(1 - ratio, rel=1e-9, nan_ok=True)
    assert isinstance(of_events(*[pairs[0][0]], bad=pairs[0][1]).sli, Requests)
    assert isinstance(of_events(pairs[1][0], bad=pairs[1][1]).sli, Promql)


@settings(deadline=None, max_examples=60)
@given(rates=rates, total=matchers, side=bad)
def test_selectors_as_pyrra_has_them(rates: Rates, total: str, side: str) -> None:
    recorded = history(rates)
    all_of, errors = f"requests_total{{{total}}}", f"requests_total{{{joined(total, side)}}}"
    sli = of_selectors(selector(all_of), bad=selector(errors)).sli
    ratio = said(f"({counted(joined(total, side), 'increase')} or vector(0)) / {counted(total, 'increase')}", recorded)
    assert share(sli, recorded) == pytest.approx(1 - ratio, rel=1e-9, nan_ok=True)


# --- latency --------------------------------------------------------------------------------------------------------

BOUNDS = ("0.1", "0.3", "1", "+Inf")


def histogram(rates: dict[str, list[int]]) -> History:
    series = []
    for job, each in rates.items():
        grown = np.cumsum(each)
        for bound, rate in zip(BOUNDS, grown, strict=True):
            values = 1e6 + rate * (_TIMES - _TIMES[0]) / 1000
            series.append(Series("seconds_bucket", sorted_labels({"job": job, "le": bound}), _TIMES, values))
        total = 1e6 + grown[-1] * (_TIMES - _TIMES[0]) / 1000
        series.append(Series("seconds_count", sorted_labels({"job": job}), _TIMES, total))
    return History(series)


@settings(deadline=None, max_examples=60)
@given(
    rates=st.fixed_dictionaries({job: st.lists(st.integers(0, 9), min_size=4, max_size=4) for job in JOBS}),
    bound=st.sampled_from(BOUNDS[:3]),
    total=st.sampled_from(["", 'job="api"', 'job!~"w.*"']),
)
def test_histograms(rates: dict[str, list[int]], bound: str, total: str) -> None:
    recorded = histogram(rates)
    fast = counted(joined(total, f'le="{bound}"'), metric="seconds_bucket")
    count = counted(total, metric="seconds_count")
    everything = counted(joined(total, 'le="+Inf"'), metric="seconds_bucket")
    ratio = said(f"{fast} / {count}", recorded)
    for shaped in (
        of_events(count, good=fast),
        of_events(everything, good=fast),
        of_events(count, bad=f"{count} - {fast}"),
        of_ratio(f"1 - {fast} / {count}", good=False),
        of_ratio(f"({count} - {fast}) / {count}", good=False),
    ):
        assert isinstance(shaped.sli, Latency)
        assert share(shaped.sli, recorded) == pytest.approx(ratio, rel=1e-9, nan_ok=True)
    slow_as_good = of_events(count, bad=fast).sli
    assert isinstance(slow_as_good, Promql)
    assert share(slow_as_good, recorded) == pytest.approx(1 - ratio, rel=1e-9, nan_ok=True)


# --- gauges ---------------------------------------------------------------------------------------------------------

values = st.lists(st.floats(-50, 50, width=16), min_size=GRID.count, max_size=GRID.count)


def gauges(metric: str, rows: dict[str, list[float]]) -> History:
    return History([Series(metric, sorted_labels({"job": job}), _ENDS, np.array(each)) for job, each in rows.items()])


@settings(deadline=None, max_examples=80)
@given(
    rows=st.fixed_dictionaries(dict.fromkeys(JOBS, values)),
    how=st.sampled_from(["max", "min", "avg", "sum", 'sum by (job) (X{job="api"})', 'X{job="web"}', "abs"]),
    op=st.sampled_from(["lt", "lte", "gt", "gte"]),
    data=st.data(),
)
def test_thresholds(rows: dict[str, list[float]], how: str, op: str, data: st.DataObject) -> None:
    recorded = gauges("level", rows)
    query = how.replace("X", "level") if "X" in how else "max(abs(level))" if how == "abs" else f"{how}(level)"
    value = data.draw(st.sampled_from(sorted({0.0, *rows["api"], *rows["web"]})))
    sli = of_threshold(query, op, value).sli
    assert isinstance(sli, Bound)
    assert bool(sli.promql) == (how == "abs")
    told = evaluate_range(recorded, query, GRID)
    compared = {"lt": np.less, "lte": np.less_equal, "gt": np.greater, "gte": np.greater_equal}[op](told, value)
    assert share(sli, recorded) == pytest.approx(compared.mean())


@settings(deadline=None, max_examples=60)
@given(rows=st.fixed_dictionaries(dict.fromkeys(JOBS, values)), value=st.integers(-50, 50), good=st.booleans())
def test_comparisons_that_are_0_or_1(rows: dict[str, list[float]], value: int, good: bool) -> None:
    recorded = gauges("level", rows)
    for sign in ("<", "<=", ">", ">="):
        for text in (f"max(level) {sign} bool {value}", f"{value} {sign} bool max(level)"):
            ratio = evaluate_range(recorded, text, GRID).mean()
            for written in (text, f"avg_over_time(({text})[{{{{.window}}}}:])"):
                sli = of_ratio(written, good=good).sli
                assert isinstance(sli, Bound)
                assert share(sli, recorded) == pytest.approx(ratio if good else 1 - ratio)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.fixed_dictionaries(
        {job: st.lists(st.sampled_from([0.0, 1.0]), min_size=GRID.count, max_size=GRID.count) for job in JOBS}
    ),
    good=st.booleans(),
)
def test_means_of_a_gauge_that_is_0_or_1(rows: dict[str, list[float]], good: bool) -> None:
    recorded = gauges("probe_success", rows)
    window = "[{{.window}}]"
    up, count = f"sum(sum_over_time(probe_success{window}))", f"sum(count_over_time(probe_success{window}))"
    for text in (f"{up} / {count}", f"avg(avg_over_time(probe_success{window}))", f"1 - (1 - ({up}/{count}))"):
        sli = of_ratio(text, good=good).sli
        assert isinstance(sli, Probe if good else Promql)
        ratio = said(text, recorded)
        assert share(sli, recorded) == pytest.approx(ratio if good else 1 - ratio)
    assert of_events(count, good=up).sli == Probe(metric="probe_success")
    assert isinstance(of_ratio(f"1 - {up} / {count}", good=False).sli, Probe)


@settings(deadline=None, max_examples=60)
@given(
    rows=st.fixed_dictionaries(
        {job: st.lists(st.integers(0, 3000), min_size=GRID.count, max_size=GRID.count) for job in JOBS}
    ),
    most=st.integers(1, 3000),
    how=st.sampled_from(["max(written)", "min(written)"]),
)
def test_ages(rows: dict[str, list[int]], most: int, how: str) -> None:
    stamps = {job: [float(end - age) for end, age in zip(GRID.ends, each, strict=True)] for job, each in rows.items()}
    recorded = gauges("written", stamps)
    sli = of_threshold(f"time() - {how}", "lte", most).sli
    assert isinstance(sli, Freshness)
    ages = evaluate_range(recorded, f"time() - {how}", GRID)
    assert share(sli, recorded) == pytest.approx((ages <= most).mean())
    strict = of_threshold(f"time() - {how}", "lt", most).sli
    assert isinstance(strict, Bound)
    assert share(strict, recorded) == pytest.approx((ages < most).mean())
