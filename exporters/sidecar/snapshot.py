"""What one collection brought, kept until the next."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from prometheus_client.metrics_core import Metric

from sla_kit.exporters.sidecar.limiting import Limited
from sla_kit.exporters.sidecar.rendering import Chunk, Format, rendered


class Snapshot:
    """The metrics of a collection that ended at ``taken`` (of `time.monotonic`) and counts until ``expires``.

    They are written as text in the forms that are asked for, once each: by the collection's own thread where it is
    known which, else by the first scrape that asks.
    """

    def __init__(self, found: Limited, taken: float, expires: float, forms: Collection[Format] = ()) -> None:
        self.families: Sequence[Metric] = found.families
        self.series = found.series
        self.dropped = found.dropped
        self.repeated = found.repeated
        self.taken = taken
        self.expires = expires
        self._chunks: dict[Format, tuple[Chunk, ...]] = {}
        for form in forms:
            self.chunks(form)

    def chunks(self, form: Format) -> tuple[Chunk, ...]:
        """Its families as text."""
        found = self._chunks.get(form)
        if found is None:
            found = self._chunks[form] = tuple(rendered(family, form) for family in self.families)
        return found
