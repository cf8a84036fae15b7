"""Native histograms: hand-worked differences, and a Prometheus 3 that scrapes another one's."""

from __future__ import annotations

import json
import math
import time
import urllib.request
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.sources.decode import read_answer
from sla_kit.sources.increments import increments, lives
from sla_kit.sources.native import Cumulative, NativeSamples, native_histogram, read_native_samples
from sla_kit.sources.prometheus import PrometheusSource
from sla_kit.sources.series import Labels, Reduction, Selector, SeriesFrame, SeriesQuery
from sla_kit.timeline import Grid
from tests.servers import prometheus

GRID = Grid(600, 60, 5)
POD: Labels = (("pod", "a"),)


def cumulative(*buckets: tuple[float, float, float]) -> Cumulative:
    edges = np.array(buckets, dtype=np.float64).reshape(-1, 3)
    return Cumulative(edges[:, 0], edges[:, 1], edges[:, 2], float(edges[:, 2].sum()))


def test_differences_of_cumulative_counts() -> None:
    samples = NativeSamples(
        GRID,
        {
            POD: {
                0: cumulative((1, 2, 10)),
                1: cumulative((1, 2, 13), (4, 8, 2)),
                2: cumulative((1, 2, 13), (4, 8, 6)),
            }
        },
    )
    histogram, observed, findings = native_histogram(samples, "m")
    assert histogram.bounds.tolist() == [2, 8, math.inf]
    assert histogram.counts.tolist() == [[0, 0, 0], [3, 5, 5], [0, 4, 4], [0, 0, 0], [0, 0, 0]]
    assert observed.tolist() == [True, True, True, False, False]
    assert findings == ()


def test_a_restart_counts_whole_in_every_bucket() -> None:
    # Fewer in all, though more of the slow ones: no bucket on its own would show the restart.
    before, after = cumulative((1, 2, 10), (4, 8, 1)), cumulative((1, 2, 1), (4, 8, 7))
    histogram, _, _ = native_histogram(NativeSamples(GRID, {POD: {0: before, 1: after}}), "m")
    assert histogram.counts[1].tolist() == [1, 8, 8]


def test_halved_resolution_is_no_event() -> None:
    fine, coarse = cumulative((1, 2, 3), (2, 4, 5)), cumulative((1, 4, 8))
    histogram, _, _ = native_histogram(NativeSamples(GRID, {POD: {0: fine, 1: coarse, 2: coarse}}), "m")
    assert histogram.counts[:, -1].tolist() == [0, 0, 0, 0, 0]
    assert histogram.counts.sum() < 1e-9


def test_buckets_without_a_finite_edge() -> None:
    sample = cumulative((-math.inf, 1, 2), (1, 5, 3), (5, math.inf, 4))
    assert sample.at(np.array([0.5, 1.0, 3.0, 5.0, 9.0])).tolist() == [0, 2, 3.5, 5, 5]
    assert cumulative().at(np.array([1.0])).tolist() == [0]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.lists(st.integers(0, 50), min_size=4, max_size=4), min_size=2, max_size=5))
def test_the_sum_over_time_is_what_was_observed(steps: list[list[int]]) -> None:
    edges = [(2.0**power, 2.0 ** (power + 1)) for power in range(4)]
    counted = np.cumsum(np.array(steps), axis=0)
    samples = {
        index: cumulative(*((low, high, n) for (low, high), n in zip(edges, row, strict=True) if n))
        for index, row in enumerate(counted)
    }
    histogram, _, _ = native_histogram(NativeSamples(GRID, {POD: samples}), "m")
    events = np.diff(np.concatenate([[0], histogram.counts.sum(axis=0)]))
    expected = dict(zip([high for _, high in edges], counted[-1] - counted[0], strict=True))
    for bound, found in zip(histogram.bounds, events, strict=True):
        assert found == expected.get(float(bound), 0)


def test_reading_the_api_s_form() -> None:
    histogram = {"count": "5", "sum": "9.5", "buckets": [[3, "-0.001", "0.001", "1"], [0, "2", "+Inf", "4"]]}
    result = [
        {
            "metric": {"__name__": "m", "pod": "a"},
            "histograms": [[660, histogram], [661, histogram], [7200, histogram]],
        },
        {"metric": {"pod": "b"}, "values": [[660, "1"]]},
    ]
    body = json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}}).encode()
    samples = read_native_samples(read_answer(body).data.result, GRID)
    assert list(samples.series) == [POD]
    assert list(samples.series[POD]) == [0]
    assert samples.series[POD][0].at(np.array([0.0, 0.001, 3.0])).tolist() == [0.5, 1, 1]
    _, _, findings = native_histogram(samples, "m")
    assert [finding.kind for finding in findings] == ["not-native"]


def test_a_real_native_histogram_counts_what_its_classic_twin_counts(tmp_path: Path) -> None:
    """A Prometheus that scrapes another one's histograms in both forms finds the same counts in both."""
    version = "3"  # an older one's own histograms are classic
    metric, query_path = "prometheus_http_request_duration_seconds", "/api/v1/query?query=up"
    with prometheus(version) as target:
        config = f"""
global: {{scrape_interval: 300ms}}
scrape_configs:
- job_name: twin
  scrape_protocols: [PrometheusProto]
  scrape_native_histograms: true
  always_scrape_classic_histograms: true
  static_configs: [{{targets: ["127.0.0.1:{target.port}"]}}]
"""
        with prometheus(version, config=config, data=tmp_path / "scraper") as scraper:
            source = PrometheusSource(scraper.url)
            start = int(time.time())
            deadline = time.monotonic() + 200
            while True:
                urllib.request.urlopen(target.url + query_path, timeout=60).close()
                grid = Grid(start, 1, int(time.time()) - start)
                scraped = SeriesQuery(Selector.of(f"{metric}_count", {"handler": "/api/v1/query"}), Reduction.COUNT)
                ((_, count),) = source.read([scraped], grid)
                if np.nansum(count.values) >= 8:
                    break
                assert time.monotonic() < deadline, scraper.log.read_text()[-2000:]
            # Scrapes are stored one after another: with a later one there, none of that time is still to come.
            later = SeriesQuery(Selector.of("up", {"job": "twin"}), Reduction.COUNT)
            while True:
                ((_, count),) = source.read([later], Grid(grid.end, 1, int(time.time()) + 1 - grid.end))
                if np.nansum(count.values) >= 1:
                    break
                assert time.monotonic() < deadline, scraper.log.read_text()[-2000:]
                time.sleep(0.05)  # between two looks
            selector = Selector.of(metric, {"handler": "/api/v1/query"})
            native, observed, findings = source.read_native(selector, grid)
            twin = SeriesQuery(
                Selector.of(f"{metric}_bucket", {"handler": "/api/v1/query", "le": "+Inf"}), Reduction.LAST
            )
            ((_, classic),) = source.read([twin], grid)
    assert findings == ()
    assert isinstance(classic, SeriesFrame)
    np.testing.assert_array_equal(observed, ~np.isnan(classic.values[0]))
    expected = increments(classic, lives(classic))[0]
    assert expected.sum() > 0
    np.testing.assert_allclose(native.counts[:, -1], expected)
    assert native.bounds.size > 2
    assert (np.diff(native.bounds) > 0).all()
    assert (np.diff(native.counts, axis=1) >= 0).all()
