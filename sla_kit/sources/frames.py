"""Putting a bucketed series together from pieces of time, as they come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sla_kit.sources.decode import RangeAnswer
from sla_kit.sources.series import Labels, SeriesFrame
from sla_kit.timeline import Finding, Floats, Grid


class FrameBuilder:
    """Collects the answer to one query: series may appear in any piece, equal labels are added (ignoring NaN)."""

    def __init__(self, grid: Grid) -> None:
        self._grid = grid
        self._rows: dict[Labels, int] = {}
        self._values: Floats = np.empty((0, grid.count))

    def add(self, series: Sequence[tuple[Labels, Floats]], piece: Grid) -> None:
        """Takes all of one answer: the values (piece.count,) of series in a piece of the grid."""
        self._make_room(len({labels for labels, _ in series if labels not in self._rows}))
        at = (piece.start - self._grid.start) // self._grid.step
        filled: set[int] = set()
        for labels, values in series:
            row = self._rows.setdefault(labels, len(self._rows))
            target = self._values[row, at : at + piece.count]
            if row not in filled:
                filled.add(row)
                target[:] = values
                continue
            known = ~np.isnan(target)
            more = values[known]
            target[known] += np.where(np.isnan(more), 0.0, more)
            target[~known] = values[~known]

    def frame(self, findings: tuple[Finding, ...] = ()) -> SeriesFrame:
        """What has been collected."""
        return SeriesFrame(self._grid, tuple(self._rows), self._values[: len(self._rows)], findings)

    def _make_room(self, more: int) -> None:
        """Room for ``more`` series: just so much at first, then for a quarter more than there are, lest every piece
        that brings a new series copies all."""
        used = len(self._rows)
        if used + more <= len(self._values):
            return
        grown = np.full((used + max(more, used // 4), self._grid.count), np.nan)
        grown[:used] = self._values[:used]
        self._values = grown


class Notes:
    """The warnings of many answers as findings, each once."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Finding] = {}

    def add(self, answer: RangeAnswer, piece: Grid) -> None:
        """Takes what one answer says beside its samples."""
        for text in answer.warnings or ():
            self._note("partial-answer" if "partial" in text.lower() else "warning", text, piece)
        for text in answer.infos or ():
            self._note("info", text, piece)
        if answer.isPartial:
            self._note("partial-answer", "the server answered from a part of its storage only", piece)

    def findings(self) -> tuple[Finding, ...]:
        """All of them; their counts are buckets."""
        return tuple(self._found.values())

    def _note(self, kind: str, message: str, piece: Grid) -> None:
        new = Finding(kind, message, piece.count, piece.start, piece.end)
        old = self._found.get((kind, message))
        if old is not None and old.start is not None and old.end is not None:
            start, end = min(old.start, piece.start), max(old.end, piece.end)
            new = replace(old, count=old.count + piece.count, start=start, end=end)
        self._found[(kind, message)] = new
