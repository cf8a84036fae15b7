"""The collector of one query: it asks one source one question and makes metrics of the rows."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from prometheus_client.metrics_core import Metric

from sla_kit.exporters.business.configuration import AnySource, MetricOfRows, Since
from sla_kit.exporters.business.parameters import SETTLE_SECONDS, SINCE
from sla_kit.exporters.business.rows import Increments, from_totals, held, metrics, stored
from sla_kit.exporters.business.sources import Opened, Opening, Question, Row
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from sla_kit.exporters.sidecar.counters import Counters, Watermark


@dataclass(frozen=True)
class QueryCollector:
    """A query as it is asked of one ``source`` with one set of parameters.

    ``fixed`` are the labels that tell it from the others of its ``query``. With ``since``, its rows are increments,
    summed in the file ``state`` under the collector's name, unless it ``keeps`` nothing.
    """

    name: str
    schedule: Schedule
    query: str
    source: AnySource
    question: Question
    declared: tuple[MetricOfRows, ...]
    fixed: Mapping[str, str]
    since: Since | None
    max_rows: int
    max_series: int
    folder: Path
    state: Path | None
    keeps: bool = True
    _opened: Opened = field(init=False, compare=False, repr=False)
    _counters: Counters | None = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_opened", self.source.open(Opening(self.name, self.schedule, self.folder)))
        object.__setattr__(self, "_counters", Counters(self.state, rehearsing=not self.keeps) if self.state else None)

    def collect(self, deadline: float) -> list[Metric]:
        """The metrics of the answer. Raises `CollectError`, which names the query."""
        try:
            if self.since is not None and self._counters is not None:
                return self._counted(self.since, self._counters, deadline)
            with closing(self._rows(self.question, deadline)) as rows:
                return metrics(self.declared, rows, self.fixed)
        except CollectError as error:
            place = f"query {self.name}" + (f" at {error.place}" if error.place else "")
            raise CollectError(error.kind, error.message, place=place, remedy=error.remedy) from None

    def rehearsing(self) -> QueryCollector:
        """The same, which counts and keeps nothing of it."""
        return replace(self, keeps=False)

    def close(self) -> None:
        """Lets go of the connection and of the state file."""
        self._opened.close()
        if self._counters is not None:
            self._counters.close()

    def _rows(self, question: Question, deadline: float) -> Generator[Row]:
        found = cast(Any, self._opened.rows(question, deadline))
        try:
            for number, row in enumerate(found, 1):
                if number > self.max_rows:
                    raise CollectError(
                        "data", f"the answer has more than {self.max_rows} rows", remedy="group them, or raise max_rows"
                    )
                yield row
        finally:
            if hasattr(found, "close"):  # a generator, which holds a query that still runs
                found.close()

    def _check_uncounted(self, counters: Counters) -> None:
        """A query that has counted nothing yet has no sums: those that are there are another's, and hold its rows."""
        for each in self.declared:
            if any(held(each, self.fixed, counters.totals(stored(each)[0])).values()):
                raise CollectError(
                    "internal",
                    f"{each.name} was counted by a query of another name, and would be counted again from the start",
                    place=str(counters.path),
                    remedy="give the query the name that it had, or the metric another one",
                )

    def _counted(self, since: Since, counters: Counters, deadline: float) -> list[Metric]:
        """Asks what came after the watermark, and adds it up with the watermark moved on, both or neither."""
        before = counters.watermark(self.name)
        begins: Any = since.start if before is None else before
        parameters = {**self.question.parameters, SINCE: begins, SETTLE_SECONDS: since.settle}
        found = Increments(self.declared, self.fixed, since.column, begins, SINCE)
        # Not within a transaction: others use the file while the source takes its time.
        with closing(self._rows(replace(self.question, parameters=parameters), deadline)) as rows:
            for row in rows:
                found.take(row)
        with counters.transaction():
            if counters.watermark(self.name) != before:
                raise CollectError(
                    "internal",
                    "another exporter has counted with this state file meanwhile",
                    place=str(counters.path),
                    remedy="let every exporter have a state file of its own",
                )
            if before is None:
                self._check_uncounted(counters)
            # The file is bounded, too: series beyond the limit are not kept, and come last, to be dropped and told of.
            beyond = found.beyond(counters.totals, self.max_series)
            dropped: dict[str, list[tuple[dict[str, str], float]]] = {}
            for (name, key), amount in found.amounts.items():
                if (name, key) in beyond:
                    dropped.setdefault(name, []).append((dict(key), amount))
                else:
                    counters.add(name, dict(key), amount)
            if found.watermark != begins:
                counters.set_watermark(self.name, cast(Watermark, found.watermark))
            sums = {name: counters.totals(name) for each in self.declared for name in stored(each)}
        every = [sums] if not dropped else [sums, {name: dropped.get(name, []) for name in sums}]
        return [from_totals(each, self.fixed, totals) for totals in every for each in self.declared]
