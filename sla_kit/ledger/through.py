"""A source that keeps in the ledger what is read through it, and reads only what the ledger lacks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sla_kit.catalogue.model import Catalogue
from sla_kit.ledger import Ledger
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Grid, Timeline


class ThroughLedger:
    """The history of a catalogue from a ledger and, where there is one, a ``live`` source. ``now`` is the moment up to
    which the live source knows anything, epoch seconds."""

    def __init__(self, ledger: Ledger, catalogue: Catalogue, live: Source | None, now: int) -> None:
        self._ledger = ledger
        self._catalogue = catalogue
        self._live = live
        self._now = now
        self._kept = ledger.source(catalogue, live)

    @property
    def name(self) -> str:
        """The live source's name; the ledger's where there is none."""
        return self._kept.name

    def span(self) -> tuple[int, int] | None:
        """The live source's, or from the first to the last closed bucket."""
        return self._kept.span()

    def close(self) -> None:
        """Closes nothing: whoever opened the ledger and the live source does."""

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline. Buckets that are missing are closed first."""
        if self._live is not None:
            only = frozenset(indicator.key for indicator in indicators)
            self._ledger.close_buckets(
                self._catalogue,
                self._live,
                since=grid.start,
                until=grid.end,
                now=self._now,
                progress=progress,
                only=only,
            )
        yield from self._kept.fetch(indicators, grid, progress)
