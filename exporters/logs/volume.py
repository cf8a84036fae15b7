"""How much is stored, by data stream: documents, and bytes with all copies."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from sla_kit.exporters.elasticsearch import Searcher
from sla_kit.exporters.sidecar.collector import Schedule

#: What tells the indices of one stream apart: the generation of a data stream, or the day of an index a day.
_GENERATION = re.compile(r"(?:[-.]\d{4}[-.]\d{2}(?:[-.]\d{2})?)?(?:-\d{6})?$")
_WANTED = "_shards,indices.*.primaries,indices.*.total"


@dataclass(frozen=True)
class VolumeCollector:
    """Tells how much the indices of a pattern hold."""

    name: str
    schedule: Schedule
    searcher: Searcher
    index: str

    def collect(self, deadline: float) -> list[Metric]:
        """Asks for the figures of every index. Raises `CollectError`."""
        path = f"/{quote(self.index, safe='*,-')}/_stats/docs,store?filter_path={_WANTED}"
        body = self.searcher.taken(self.searcher.ask("GET", path, deadline), self.index, "index")
        documents, size = Counter[str](), Counter[str]()
        for name, figures in self._indices(body).items():
            stream = stream_of(name)
            documents[stream] += figures["primaries"]["docs"]["count"]
            size[stream] += figures["total"]["store"]["size_in_bytes"]
        return [
            _gauge("sla_logs_stored_documents", "Documents that are stored, each once.", documents),
            _gauge("sla_logs_stored_bytes", "What is stored takes so much, with all copies.", size),
        ]

    def close(self) -> None:
        """Nothing is held between collections."""

    def _indices(self, body: dict[str, Any]) -> dict[str, Any]:
        shards, found = body.get("_shards"), body.get("indices", {})
        shaped = isinstance(shards, dict) and not shards.get("failed") and isinstance(found, dict)
        try:
            if shaped and all(
                each["primaries"]["docs"]["count"] >= 0 and each["total"]["store"]["size_in_bytes"] >= 0
                for each in found.values()
            ):
                return dict(found)
        except (KeyError, TypeError):
            pass
        raise self.searcher.misshapen(self.index)


def stream_of(index: str) -> str:
    """What an index is a part of: ``.ds-logs-shop-2026.11.27-000012`` and ``logs-shop-2026.11.27`` of ``logs-shop``."""
    return _GENERATION.sub("", index.removeprefix(".ds-")) or index


def _gauge(name: str, help_text: str, values: Counter[str]) -> Metric:
    family = GaugeMetricFamily(name, help_text, labels=["stream"])
    for stream, value in sorted(values.items()):
        family.add_metric([stream], value)
    return family
