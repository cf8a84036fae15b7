"""Events in indices that lack a field by which they would be good or bad, and so count as documents without it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from sla_kit.catalogue.logs import LogFields
from sla_kit.catalogue.model import LogLatency
from sla_kit.elastic import Cluster, ClusterError
from sla_kit.sources.elasticsearch.fields import FieldUse, Mapped, Remark, names
from sla_kit.sources.elasticsearch.questions import Question, log_parts, needs
from sla_kit.timeline import Grid


class Lacking:
    """Counts such events by asking, each question once."""

    def __init__(self, cluster: Cluster, grid: Grid) -> None:
        self._cluster = cluster
        self._grid = grid
        self._counts: dict[str, int] = {}

    def remarks(self, question: Question, mapped: Mapped, left_out: Collection[str]) -> Iterator[Remark]:
        """A remark for each field that some of the indices with events of this question lack. Raises `ClusterError`."""
        sli, place = log_parts(question.indicator)
        sides = [FieldUse(sli.field, "figure")] if isinstance(sli, LogLatency) else needs(question.indicator)[1]
        for field, indices in lacking(mapped, left_out, sides, place.fields).items():
            count = self._count(question, indices)
            if count:
                said = "they are no events" if isinstance(sli, LogLatency) else "they count as documents without it"
                message = f"{names(indices)}: no field {field} in {count:,} documents that match the query: {said}"
                yield Remark("field-missing", message)

    def _count(self, question: Question, indices: Sequence[str]) -> int:
        start, end = (at * 1000 + 1 for at in (self._grid.start, self._grid.end))
        filters: list[dict[str, Any]] = [
            {"range": {question.time: {"gte": start, "lt": end, "format": "epoch_millis"}}},
            {"terms": {"_index": list(indices)}},
        ]
        if question.total is not None:
            filters.append(question.total)
        key = json.dumps([question.target, filters], sort_keys=True)
        if key not in self._counts:
            try:
                answer = self._cluster.ask(
                    f"count documents of {question.target}",
                    lambda es: es.search(
                        index=question.target,
                        size=0,
                        track_total_hits=True,
                        query={"bool": {"filter": filters}},
                        ignore_unavailable=True,
                        allow_no_indices=True,
                    ),
                )
            except ClusterError as error:
                if error.status not in (400, 404):
                    raise
                return 0  # whoever asks the question itself will tell what is wrong with it
            self._counts[key] = int(answer["hits"]["total"]["value"])
        return self._counts[key]


def lacking(
    mapped: Mapped, left_out: Collection[str], sides: Sequence[FieldUse], fields: LogFields
) -> dict[str, list[str]]:
    """The indices that lack a field which others have, by field. Not of fields that documents only have once something
    goes wrong: an index of a day without errors lacks those."""
    found: dict[str, list[str]] = {}
    for field, _ in sides:
        types = mapped.of(field)
        without = sorted(set(mapped.indices) - set(types) - set(left_out))
        if types and without and not _only_of_errors(field, fields):
            found[field] = without
    return found


def _only_of_errors(field: str, fields: LogFields) -> bool:
    named = (fields.error_type, fields.error_message, fields.stack, fields.group)
    return field.startswith("error.") or field in named
