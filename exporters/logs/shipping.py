"""Whether what is written arrives, and how late: the newest document of each service, its way from the service to
Elasticsearch, and clocks that go wrong."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from sla_kit.exporters.logs.documents import Documents, Span, label
from sla_kit.exporters.sidecar.collector import Schedule

#: Far enough: a document may be from any year that a date can name.
_EVER = 253_402_300_799_000
PERCENTILES = (50, 90, 99)


@dataclass(frozen=True, slots=True)
class Looking:
    """Over which time, in seconds, and at how many documents. See `sla_kit.exporters.logs.configuration.Shipping`."""

    window: float
    sample: int
    silence: float
    skew: float


@dataclass(frozen=True)
class ShippingCollector:
    """Tells of each service when its newest document was written, how late documents arrive, and how many are from the
    future."""

    name: str
    schedule: Schedule
    documents: Documents
    looking: Looking
    most: int
    clock: Callable[[], float] = field(default=time.time, compare=False, repr=False)

    def collect(self, deadline: float) -> list[Metric]:
        """Asks for all three. Raises `CollectError`."""
        now = round(self.clock() * 1000)
        newest = self._newest(now, deadline)
        return [_gauge(_NEWEST, newest), self._future(now, newest, deadline), *self._lag(now, deadline)]

    def close(self) -> None:
        """Nothing is held between collections."""

    def _newest(self, now: int, deadline: float) -> dict[str, float]:
        fields = self.documents.fields
        recent = self.documents.of(Span(now - round(self.looking.silence * 1000), now + 1).of(fields.time))
        newest = {"max": {"field": fields.time}}
        rows = recent.by((fields.service,), deadline, most=self.most, newest=newest)
        try:
            return {service: bucket["newest"]["value"] / 1000 for (service,), bucket in rows}
        except (KeyError, TypeError):
            raise self.documents.searcher.misshapen(self.documents.index) from None

    def _future(self, now: int, newest: Mapping[str, float], deadline: float) -> Metric:
        fields = self.documents.fields
        ahead = self.documents.of(Span(now + round(self.looking.skew * 1000), _EVER).of(fields.time))
        rows = ahead.by((fields.service,), deadline, most=self.most)
        found = {service: float(bucket["doc_count"]) for (service,), bucket in rows}
        return _gauge(_FUTURE, {**dict.fromkeys(newest, 0.0), **found})

    def _lag(self, now: int, deadline: float) -> Iterator[Metric]:
        """From documents that were taken by chance: Elasticsearch can't subtract a field from another without scripts,
        which many clusters allow nobody."""
        lag = GaugeMetricFamily(
            "sla_logs_shipping_lag_seconds",
            "How long documents took to arrive, from a sample of those of the window.",
            labels=["service", "percentile"],
        )
        sampled: dict[str, float] = {}
        if self.documents.fields.ingested:
            for service, lags in self._sampled(now, deadline).items():
                sampled[service] = len(lags)
                for percentile in PERCENTILES:
                    lag.add_metric([service, str(percentile)], nearest_rank(lags, percentile / 100))
        yield lag
        yield _gauge(_SAMPLED, sampled)

    def _sampled(self, now: int, deadline: float) -> dict[str, list[float]]:
        fields = self.documents.fields
        arrived = Span(now - round(self.looking.window * 1000), now + 1).of(fields.ingested)
        recent = self.documents.of(arrived, {"exists": {"field": fields.time}})
        times = [{"field": name, "format": "epoch_millis"} for name in (fields.time, fields.ingested)]
        body = {
            "query": {"function_score": {"query": recent.query, "random_score": {}, "boost_mode": "replace"}},
            "size": self.looking.sample,
            "_source": False,
            "track_total_hits": False,
            "docvalue_fields": [*times, {"field": fields.service}],
        }
        answer = recent.search(body, deadline)
        found = defaultdict[str, list[float]](list)
        try:
            for hit in answer["hits"]["hits"]:
                values: Mapping[str, Sequence[Any]] = hit["fields"]
                happened, ingested = (float(values[name][0]) for name in (fields.time, fields.ingested))
                found[label(values.get(fields.service, [None])[0])].append((ingested - happened) / 1000)
        except (KeyError, TypeError, ValueError, IndexError):
            raise recent.searcher.misshapen(recent.index) from None
        return dict(sorted(found.items())[: self.most])


def nearest_rank(values: Sequence[float], share: float) -> float:
    """The smallest value that at least that share of all is not above: the nearest-rank percentile."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


_NEWEST = ("sla_logs_newest_document_timestamp_seconds", "When the newest document was written, Unix time.")
_FUTURE = ("sla_logs_future_documents", "Documents whose time is yet to come.")
_SAMPLED = ("sla_logs_shipping_sampled_documents", "Documents from which the shipping lag is known.")


def _gauge(about: tuple[str, str], values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(*about, labels=["service"])
    for service, value in values.items():
        family.add_metric([service], value)
    return family
