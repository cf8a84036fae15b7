"""A source of metrics and one of logs read as one: each indicator from the one that can answer it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sla_kit.catalogue.model import LOG_KINDS
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.sources.beside import side_by_side

if TYPE_CHECKING:
    from sla_kit.timeline import Grid, Timeline


def are_logs(source: Source) -> bool:
    """Whether a source holds documents rather than metrics."""
    return bool(getattr(source, "holds_logs", False))


class MetricsAndLogs:
    """Two sources, of which one may be missing: nothing is known then of what it would be asked for."""

    def __init__(self, metrics: Source | None, logs: Source | None, close: Callable[[], None] | None = None) -> None:
        """``close`` is what closing it does, where some of the sources stay open."""
        self.metrics = metrics
        self.logs = logs
        self._close = close

    @property
    def _sources(self) -> list[Source]:
        return [source for source in (self.metrics, self.logs) if source is not None]

    @property
    def name(self) -> str:
        """The addresses without secrets."""
        return ", ".join(source.name for source in self._sources)

    def span(self) -> tuple[int, int] | None:
        """The time that the metrics know, where that is known cheaply; that of the logs where there is nothing else."""
        return self._sources[0].span() if self._sources else None

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline, as the sources answer. The first error of either ends the reading."""
        work: list[tuple[Source, list[Indicator]]] = []
        for source, of_logs in ((self.metrics, False), (self.logs, True)):
            wanted = [each for each in indicators if isinstance(each.sli, LOG_KINDS) is of_logs]
            if source is not None and wanted:
                work.append((source, wanted))
            elif source is None:
                for indicator in wanted:
                    yield indicator, unanswered(indicator, grid)
        if len(work) == 1:
            yield from work[0][0].fetch(work[0][1], grid, progress)
        elif work:
            yield from side_by_side(work, grid, progress, len(work))

    def give_up_at(self, until: float) -> None:
        """Has reading end by then (of `time.monotonic`), where a source waits for somebody."""
        for source in self._sources:
            if hasattr(source, "give_up_at"):
                source.give_up_at(until)

    def close(self) -> None:
        """Closes both, or those that were opened for it."""
        if self._close is not None:
            self._close()
            return
        for source in self._sources:
            source.close()


def unanswered(indicator: Indicator, grid: Grid) -> Timeline:
    """The timeline of an indicator that no source holds: nothing is known, and a finding says so."""
    from sla_kit.sources.indicators import without_logs, without_metrics

    return without_logs(grid) if isinstance(indicator.sli, LOG_KINDS) else without_metrics(indicator.sli, grid)
