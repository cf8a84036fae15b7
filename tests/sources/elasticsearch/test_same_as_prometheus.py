"""The same events as documents and as counters of a Prometheus: the same good and total in every bucket."""

from __future__ import annotations

import numpy as np
import pytest

from sla_kit.catalogue.model import Latency, Requests, Sli
from sla_kit.history import History, HistorySource, Series
from sla_kit.sources import Indicator
from sla_kit.timeline import Floats, Mask, Timeline
from tests.servers.elasticsearch import Elasticsearch
from tests.sources.elasticsearch.documents import START, STEP, events, grid, latency, put, read, request

MINUTES = 240


def _counter(name: str, times: Floats, where: Mask, **labels: str) -> Series:
    """A counter that is read at the end of each minute, from an hour before the first, and begins anew once."""
    reads = np.arange(START - 3600, START + (MINUTES + 1) * STEP, STEP, dtype=np.int64)
    values = np.searchsorted(np.sort(times[where]), reads, side="right").astype(np.float64)
    anew = reads > START + 100 * STEP
    values[anew] -= values[~anew][-1]  # it went when it had been read, and the next is a new one's
    found = tuple(sorted({"service": "web", **labels}.items()))
    return Series(name, found, reads * 1000, values)


@pytest.mark.parametrize("seed", [11, 12])
def test_documents_and_counters_of_the_same_events_agree(elastic: Elasticsearch, index: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    usual = random.uniform(0, MINUTES * STEP, 1500)
    burst = random.uniform(7000, 7300, 1500)  # a game begins
    # Whole milliseconds, some of them on the edge of a minute.
    times = START + np.round(np.concatenate([usual, burst, np.arange(60, MINUTES * STEP, 1800)]), 3)
    statuses = random.choice([200, 404, 500, 503], times.size, p=[0.9, 0.05, 0.03, 0.02])
    seconds = np.round(random.lognormal(np.log(0.05), 0.8, times.size), 9)
    seconds[:5] = 0.1
    documents = [request(t, int(s), seconds=d) for t, s, d in zip(times, statuses, seconds, strict=True)]
    put(elastic.url, index, documents)

    counters = [
        _counter("http_requests_total", times, statuses == status, status_code=str(status))
        for status in (200, 404, 500, 503)
    ]
    buckets = [
        _counter(
            "http_request_duration_seconds_bucket", times, seconds <= bound, le="+Inf" if bound > 9 else f"{bound}"
        )
        for bound in (0.05, 0.1, 0.25, np.inf)
    ]
    recorded = HistorySource(History([*counters, *buckets]), "recording")
    matchers: dict[str, str | list[str]] = {"service": "web"}
    by_metrics: dict[str, Sli] = {
        "availability": Requests(metric="http_requests_total", matchers=matchers, bad={"status_code": "=~5.."}),
        "fast": Latency(metric="http_request_duration_seconds", matchers=matchers, threshold=0.1),
    }
    where = grid(MINUTES)
    expected: dict[str, Timeline] = {
        indicator.key[1]: timeline
        for indicator, timeline in recorded.fetch(
            [Indicator(("web", name), sli) for name, sli in by_metrics.items()], where
        )
    }
    for indicator in (events(index, quiet=3600.0), latency(index, quiet=3600.0)):
        found, other = read(elastic.url, indicator, where), expected[indicator.key[1]]
        np.testing.assert_array_equal(found.total, other.total)
        np.testing.assert_array_equal(found.good, other.good)
        np.testing.assert_array_equal(found.coverage, other.coverage)
        assert found.total.sum() == times.size
