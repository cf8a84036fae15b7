"""Each kind of indicator on hand-made bucketed series: what it asks for and what it makes of the answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from sla_kit.catalogue.model import Bound, Freshness, LastDuration, Latency, Probe, Promql, Recovery, Requests, Sli
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.indicators import LEAD_SECONDS, fetch_timelines
from sla_kit.sources.series import Matcher, Reduction, Selector, SeriesFrame, SeriesQuery, sorted_labels
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline

NAN = float("nan")
STEP = 60
START = 1_790_000_040
LEAD = LEAD_SECONDS // STEP

Row = tuple[str, dict[str, str], Reduction, list[float]]


class Bucketed:
    """A reader over bucketed rows that are given for the grid proper; the lead repeats the first value."""

    def __init__(self, rows: Sequence[Row], expressions: dict[str, list[float]] | None = None) -> None:
        self.rows = rows
        self.expressions = expressions or {}
        self.asked: list[SeriesQuery] = []

    def read(
        self, queries: Sequence[SeriesQuery], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[SeriesQuery, SeriesFrame]]:
        for query in queries:
            self.asked.append(query)
            found = [row for row in self.rows if self._matches(row, query)]
            values = np.array([self._padded(row[3], grid) for row in found]).reshape(len(found), grid.count)
            yield query, SeriesFrame(grid, tuple(sorted_labels(row[1]) for row in found), values)

    def read_native(self, selector: Selector, grid: Grid) -> tuple[Histogram, Mask, tuple[Finding, ...]]:
        raise AssertionError("no native histograms here")

    def read_promql(self, expression: str, grid: Grid) -> tuple[Floats, tuple[Finding, ...]]:
        return self._padded(self.expressions[expression], grid), ()

    def _padded(self, values: list[float], grid: Grid) -> Floats:
        return np.concatenate([np.full(grid.count - len(values), values[0]), values])

    def _matches(self, row: Row, query: SeriesQuery) -> bool:
        metric, labels, reduction, _ = row
        selector = query.selector
        return (
            metric == selector.metric
            and reduction is query.reduction
            and all(m.predicate()(labels.get(m.label, "")) for m in selector.matchers)
        )


def timeline_of(sli: Sli, rows: Sequence[Row], expressions: dict[str, list[float]] | None = None) -> Timeline:
    count = len(rows[0][3]) if rows else 4
    if expressions:
        count = len(next(iter(expressions.values())))
    reader = Bucketed(rows, expressions)
    [(_, timeline)] = fetch_timelines(reader, [Indicator(("api", "x"), sli)], Grid(START, STEP, count))
    return timeline


REQUESTS = Requests(metric="hits_total", matchers={"job": "api"}, bad={"code": "=~5.."})


def hits(code: str, values: list[float], instance: str = "a") -> Row:
    return "hits_total", {"job": "api", "code": code, "instance": instance}, Reduction.MAX, values


def test_requests_count_bad_over_total() -> None:
    timeline = timeline_of(REQUESTS, [hits("200", [100, 110, 120]), hits("503", [5, 6, 9])])
    assert timeline.total.tolist() == [0, 11, 13]
    assert timeline.bad.tolist() == [0, 1, 3]
    assert timeline.coverage.tolist() == [1, 1, 1]
    assert timeline.unit == "requests"


def test_requests_by_their_good_side_give_the_same() -> None:
    good = Requests(metric="hits_total", matchers={"job": "api"}, good={"code": "!~5.."})
    rows = [hits("200", [100, 110, 120]), hits("503", [5, 6, 9])]
    assert timeline_of(good, rows).bad.tolist() == timeline_of(REQUESTS, rows).bad.tolist()


def test_a_service_without_errors_has_no_error_series_and_no_bad_events() -> None:
    timeline = timeline_of(REQUESTS, [hits("200", [100, 110, 120])])
    assert timeline.bad.sum() == 0
    assert timeline.total.sum() == 20
    assert timeline.findings == ()


def test_a_gap_has_coverage_zero_and_its_events_all_the_same() -> None:
    timeline = timeline_of(REQUESTS, [hits("200", [100, NAN, NAN, 130])])
    assert timeline.coverage.tolist() == [1, 0, 0, 1]
    assert timeline.total.tolist() == [0, 10, 10, 10]


def test_a_metric_that_is_not_there_is_a_finding_and_no_error() -> None:
    timeline = timeline_of(REQUESTS, [])
    assert timeline.coverage.sum() == 0
    assert [finding.kind for finding in timeline.findings] == ["no-data"]


def test_a_metric_that_vanishes_is_found() -> None:
    timeline = timeline_of(REQUESTS, [hits("200", [100, 110, *[NAN] * 12])])
    [finding] = timeline.findings
    assert finding.kind == "vanished"
    assert finding.start == START + 2 * STEP


def test_more_bad_than_total_is_found_and_no_bad_event_is_lost() -> None:
    sli = Requests(metric="hits_total", bad={}, bad_metric="errors_total")
    errors: Row = ("errors_total", {"instance": "a"}, Reduction.MAX, [0, 50, 50])
    timeline = timeline_of(sli, [hits("200", [100, 110, 120]), errors])
    assert timeline.bad.tolist() == [0, 50, 0]
    assert (timeline.total >= timeline.bad).all()
    assert [finding.kind for finding in timeline.findings] == ["bad-over-total"]


@pytest.mark.parametrize("side", ["good", "bad"])
def test_a_label_that_no_series_has_is_found_since_it_makes_everything_good_or_bad(side: str) -> None:
    misspelt = Requests(metric="hits_total", **{side: {"status": "~5.."}})  # type: ignore[arg-type]
    [finding] = timeline_of(misspelt, [hits("200", [100, 110]), hits("500", [0, 1])]).findings
    assert finding.kind == "unknown-label"
    assert f"has the label status, by which {side} is told" in finding.message
    meant = Requests(
        metric="hits_total", bad={"code": "~5..", "tier": ""}
    )  # series without a tier are what is asked for
    assert timeline_of(meant, [hits("200", [100, 110])]).findings == ()


def test_scrapes_rarer_than_buckets_cover_the_buckets_between() -> None:
    values = [100.0, NAN, 120, NAN, 140, NAN, 160, NAN]
    timeline = timeline_of(REQUESTS, [hits("200", values)])
    assert timeline.coverage.mean() < 1  # the lead has a sample in each bucket, so the rhythm of this short grid is 1
    bound = Bound(metric="lag", max=5)
    rows: list[Row] = [("lag", {}, Reduction.MEAN, [NAN, *[1.0, NAN] * 100])]
    assert timeline_of(bound, rows).coverage[1:].tolist() == [1.0] * 200


# --- latency --------------------------------------------------------------------------------------------------------


def bucket(le: str, values: list[float], instance: str = "a") -> Row:
    return "took_seconds_bucket", {"le": le, "instance": instance}, Reduction.MAX, values


LATENCY = Latency(metric="took_seconds", threshold=0.1)


def test_latency_counts_what_is_at_or_under_the_threshold() -> None:
    rows = [bucket("0.1", [0, 8, 8]), bucket("0.5", [0, 9, 9]), bucket("+Inf", [0, 10, 10])]
    timeline = timeline_of(LATENCY, rows)
    assert timeline.good.tolist() == [0, 8, 0]
    assert timeline.total.tolist() == [0, 10, 0]
    assert timeline.histogram is not None
    assert timeline.histogram.bounds.tolist() == [0.1, 0.5, float("inf")]
    assert timeline.histogram.counts[1].tolist() == [8, 9, 10]


def test_two_spellings_of_one_bound_are_one_bucket() -> None:
    rows = [
        bucket("1", [0, 3], "a"),
        bucket("1.0", [0, 4], "b"),
        bucket("+Inf", [0, 5], "a"),
        bucket("+Inf", [0, 5], "b"),
    ]
    timeline = timeline_of(Latency(metric="took_seconds", threshold=1.0), rows)
    assert timeline.good.tolist() == [0, 7]


def test_a_threshold_between_two_buckets_is_estimated_and_said() -> None:
    rows = [bucket("0.1", [0, 4]), bucket("0.3", [0, 8]), bucket("+Inf", [0, 8])]
    timeline = timeline_of(Latency(metric="took_seconds", threshold=0.2), rows)
    assert timeline.good[1] == pytest.approx(6)
    assert [finding.kind for finding in timeline.findings] == ["threshold-between-buckets"]


def test_a_histogram_in_milliseconds_is_read_in_seconds() -> None:
    rows = [bucket("100", [0, 4]), bucket("+Inf", [0, 5])]
    timeline = timeline_of(Latency(metric="took_seconds", threshold=0.1, unit_seconds=0.001), rows)
    assert timeline.good[1] == 4


# --- gauges ---------------------------------------------------------------------------------------------------------


def probe(instance: str, up: list[float], count: list[float]) -> list[Row]:
    labels = {"instance": instance}
    return [("probe_success", labels, Reduction.SUM, up), ("probe_success", labels, Reduction.COUNT, count)]


def test_a_probe_counts_its_samples() -> None:
    timeline = timeline_of(Probe(), probe("a", [4, 2, NAN], [4, 4, NAN]))
    assert timeline.good.tolist() == [4, 2, 0]
    assert timeline.total.tolist() == [4, 4, 0]
    assert timeline.coverage.tolist() == [1, 1, 0]


@pytest.mark.parametrize(("combine", "good"), [("mean", [6.0]), ("any", [4.0]), ("all", [2.0])])
def test_several_probes_combine_as_declared(combine: str, good: list[float]) -> None:
    rows = probe("a", [4], [4]) + probe("b", [2], [4])
    timeline = timeline_of(Probe(combine=combine), rows)  # type: ignore[arg-type]
    assert timeline.good.tolist() == good


def stamp(values: list[float], metric: str = "backup_seconds") -> Row:
    return metric, {}, Reduction.LAST, values


def test_freshness_is_the_age_at_the_end_of_the_bucket() -> None:
    timeline = timeline_of(Freshness(metric="backup_seconds", max_age=100), [stamp([START, START, START + 100])])
    assert timeline.value is not None
    assert timeline.value.tolist() == [60, 120, 80]
    assert timeline.good.tolist() == [1, 0, 1]
    assert timeline.unit == "minutes"


def test_a_backup_that_never_happened_is_not_fresh() -> None:
    timeline = timeline_of(Freshness(metric="backup_seconds", max_age=100), [stamp([0, 0])])
    assert timeline.good.sum() == 0
    assert timeline.total.tolist() == [1, 1]
    assert [finding.kind for finding in timeline.findings] == ["never"]


def test_a_backup_from_the_future_is_found() -> None:
    timeline = timeline_of(Freshness(metric="backup_seconds", max_age=100), [stamp([START + 9000])])
    assert [finding.kind for finding in timeline.findings] == ["clock-ahead"]


def test_a_duration_is_judged_and_dated() -> None:
    sli = LastDuration(metric="restore_seconds", max=3600, completed_metric="restored_at")
    rows = [stamp([1800, 4000], "restore_seconds"), stamp([START - 50, START + 100], "restored_at")]
    timeline = timeline_of(sli, rows)
    assert timeline.good.tolist() == [1, 0]
    assert timeline.completed is not None
    assert timeline.completed.tolist() == [START - 50, START + 100]


def test_a_bound_is_kept_from_both_sides() -> None:
    rows: list[Row] = [("lag", {}, Reduction.MEAN, [1, 5, 6, NAN, -1])]
    timeline = timeline_of(Bound(metric="lag", min=0, max=5), rows)
    assert timeline.good.tolist() == [1, 1, 0, 0, 0]
    assert timeline.total.tolist() == [1, 1, 1, 0, 1]


# --- expressions, sharing -------------------------------------------------------------------------------------------


def test_an_expression_is_taken_as_it_is() -> None:
    sli = Promql(total="all", bad="some")
    timeline = timeline_of(sli, [], {"all": [10, NAN, 10], "some": [1, NAN, 0]})
    assert timeline.bad.tolist() == [1, 0, 0]
    assert timeline.coverage.tolist() == [1, 0, 1]


def test_indicators_that_share_a_metric_share_their_queries() -> None:
    throttled = Requests(metric="hits_total", matchers={"job": "api"}, bad={"code": "429"})
    reader = Bucketed([hits("200", [1, 2]), hits("503", [0, 1]), hits("429", [0, 1])])
    keys = [Indicator(("api", name), sli) for name, sli in [("a", REQUESTS), ("b", throttled), ("c", REQUESTS)]]
    found = dict(fetch_timelines(reader, keys, Grid(START, STEP, 2)))
    assert len(found) == 3
    assert found[keys[0]] is found[keys[2]]
    assert len(reader.asked) == 1  # the bad side of each is among all events


def test_labels_that_tell_bad_events_apart_are_not_summed_away() -> None:
    sum_labels = ("code", "route")
    reader = Bucketed([hits("200", [1, 2]), hits("503", [0, 1])])
    [(_, timeline)] = fetch_timelines(reader, [Indicator(("api", "x"), REQUESTS, sum_labels)], Grid(START, STEP, 2))
    assert [query.sum_labels for query in reader.asked] == [("route",)]
    assert timeline.bad.tolist() == [0, 1]


def test_recovery_is_not_read_from_a_source() -> None:
    with pytest.raises(ValueError, match="derived"):
        timeline_of(Recovery(of="x", within=900), [])


# --- matchers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "matching", "other"),
    [
        ("api", "api", "api2"),
        ("=~5..", "503", "5033"),
        ("!=api", "web", "api"),
        ("!~4..", "", "404"),
        (["a.b", "c"], "a.b", "axb"),
        ("=~", "", "x"),
    ],
)
def test_matchers_match_as_prometheus_matches(text: str | list[str], matching: str, other: str) -> None:
    predicate = Matcher.parse("label", text).predicate()
    assert predicate(matching)
    assert not predicate(other)


def test_a_selector_is_written_as_promql_with_its_strings_quoted() -> None:
    selector = Selector.of("up", {"job": 'a"b\\c', "code": "=~5.."})
    assert selector.promql() == 'up{code=~"5..",job="a\\"b\\\\c"}'
