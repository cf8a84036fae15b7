"""Samples that stay where they are until somebody asks for their series: in a file's row groups, in memory, or, where
there are many, in a file without a name that is gone when nobody reads it any more.

A recording is cut into chunks. In a chunk a series stands in one run or a few (`Piece`), so that an index of the runs,
some bytes each, finds every sample; chunks whose rows stand in another order are sorted by series first.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from typing import IO, Protocol

import numpy as np
import numpy.typing as npt

from sla_kit.history.store import Key, Series, Span, in_order
from sla_kit.timeline import Floats, Ints

#: Samples in disorder that are sorted at once; 32 bytes each while that is done.
SORTED_AT_ONCE = 4_000_000
#: Samples that are kept in memory, 16 bytes each; what is beyond goes to a file.
HELD_IN_MEMORY = 16_000_000
#: Rows are in disorder that change series more often than so many times, and than every so many rows.
FEW_RUNS, LONG_RUN = 64, 64

#: The numbers of series, one a row.
Numbers = npt.NDArray[np.int32]
#: Where some samples stand in a chunk: from, until.
Piece = tuple[int, int]


class Chunk(Protocol):
    """Some of a recording's samples: times in ms and values, one after another."""

    def read(self, pieces: Sequence[Piece]) -> list[tuple[Ints, Floats]]:
        """The samples of some pieces, none of which keeps the whole chunk in memory."""
        ...


class Pieces:
    """All samples of a recording, by series; a `Store`. Filled once, in the recording's order."""

    def __init__(self) -> None:
        self.keys: list[Key] = []
        self._numbers: dict[Key, int] = {}
        self._chunks: list[Chunk] = []
        self._index: list[Ints] = []  # (series, chunk, from, until) of the runs of each chunk, shape (4, runs)
        self._waiting: list[tuple[Numbers, Ints, Floats]] = []
        self._waiting_rows = self._held_rows = 0
        self._spilled: IO[bytes] | None = None
        self._spans: list[Span] = []  # of each chunk
        self._latest = np.empty(0, dtype=np.int64)
        self._backwards = np.empty(0, dtype=np.bool_)

    def number(self, key: Key) -> int:
        """The number of a series, a new one where it is not known yet."""
        found = self._numbers.get(key)
        if found is None:
            found = self._numbers[key] = len(self.keys)
            self.keys.append(key)
        return found

    # --- filling ---

    def add(self, owners: Numbers, times: Ints, values: Floats) -> None:
        """Samples in any order: ``owners`` (n,) the numbers of their series, ``times`` (n,) in ms, ``values`` (n,)."""
        self._waiting.append((owners, times, values))
        self._waiting_rows += owners.size
        if self._waiting_rows >= SORTED_AT_ONCE:
            self._sort()

    def add_chunk(self, chunk: Chunk, owners: Numbers, times: Ints) -> bool:
        """Samples that stand in ``chunk``, in order of series or nearly so; False, and nothing is done, where they
        don't: then they must be added one by one."""
        starts = _starts(owners)
        if starts.size > max(FEW_RUNS, owners.size // LONG_RUN):
            return False
        self._sort()
        self._put(chunk, owners, times, starts)
        return True

    def finish(self) -> None:
        """Says that this was all."""
        self._sort()
        index = np.concatenate(self._index, axis=1) if self._index else np.empty((4, 0), dtype=np.int64)
        index = index[:, np.argsort(index[0], kind="stable")]
        self._index = []
        self._edges = np.searchsorted(index[0], np.arange(len(self.keys) + 1))
        self._runs = index[1:].copy()

    def _sort(self) -> None:
        """What waits becomes a chunk of its own, by series; in a series the recording's order stays."""
        if not self._waiting:
            return
        owners, times, values = (
            part[0] if len(part) == 1 else np.concatenate(part) for part in zip(*self._waiting, strict=True)
        )
        self._waiting, self._waiting_rows = [], 0
        if (owners[1:] < owners[:-1]).any():
            order = np.argsort(owners, kind="stable")
            owners, times, values = owners[order], times[order], values[order]
        chunk = self._kept(times, values)
        self._put(chunk, owners, times, _starts(owners))

    def _kept(self, times: Ints, values: Floats) -> Chunk:
        self._held_rows += times.size
        if self._held_rows <= HELD_IN_MEMORY:
            return _InMemory(times, values)
        if self._spilled is None:
            self._spilled = tempfile.TemporaryFile(prefix="sla-kit-")  # noqa: SIM115  # read as long as we are
        begun = self._spilled.seek(0, os.SEEK_END)
        self._spilled.write(np.ascontiguousarray(times).data)
        self._spilled.write(np.ascontiguousarray(values).data)
        self._spilled.flush()
        return _OnDisk(self._spilled, begun, times.size)

    def _put(self, chunk: Chunk, owners: Numbers, times: Ints, starts: Ints) -> None:
        if not times.size:
            return
        self._seen(owners[starts].astype(np.int64), times, starts)
        ends = np.append(starts[1:], times.size)
        number = np.full(starts.size, len(self._chunks), dtype=np.int64)
        self._index.append(np.stack([owners[starts].astype(np.int64), number, starts, ends]))
        self._chunks.append(chunk)
        self._spans.append((int(times.min()), int(times.max())))

    def _seen(self, owners: Ints, times: Ints, starts: Ints) -> None:
        """Notes whose times run backwards, inside these runs or since the runs before."""
        if len(self.keys) > self._latest.size:
            more = len(self.keys) - self._latest.size
            self._latest = np.append(self._latest, np.full(more, np.iinfo(np.int64).min))
            self._backwards = np.append(self._backwards, np.zeros(more, dtype=np.bool_))
        falls = times[1:] < times[:-1]
        falls[starts[1:] - 1] = False
        if falls.any():
            self._backwards[owners[np.searchsorted(starts, np.flatnonzero(falls), side="right") - 1]] = True
        lasts = times[np.append(starts[1:], times.size) - 1]
        if np.unique(owners).size == owners.size:
            self._backwards[owners[times[starts] < self._latest[owners]]] = True
            self._latest[owners] = lasts
            return
        for owner, first, last in zip(owners.tolist(), times[starts].tolist(), lasts.tolist(), strict=True):
            self._backwards[owner] |= first < self._latest[owner]
            self._latest[owner] = last

    # --- reading ---

    @property
    def backwards(self) -> int:
        """How many series have times that run backwards."""
        return int(self._backwards.sum())

    def span(self) -> Span | None:
        """The first and the last time in ms, None without samples."""
        return (min(first for first, _ in self._spans), max(last for _, last in self._spans)) if self._spans else None

    def size(self, number: int) -> int:
        """How many samples a series has."""
        runs = self._runs[:, self._edges[number] : self._edges[number + 1]]
        return int((runs[2] - runs[1]).sum())

    def load(self, numbers: Sequence[int], within: Span | None = None) -> list[Series]:
        """Some series; each chunk that holds any of them is read once, those without a sample ``within`` are not."""
        wanted: dict[int, list[tuple[int, Piece]]] = {}
        for place, number in enumerate(numbers):
            for chunk, start, end in self._runs[:, self._edges[number] : self._edges[number + 1]].T.tolist():
                if within is None or (self._spans[chunk][0] <= within[1] and self._spans[chunk][1] >= within[0]):
                    wanted.setdefault(chunk, []).append((place, (start, end)))
        parts: list[list[tuple[Ints, Floats]]] = [[] for _ in numbers]
        for chunk in sorted(wanted):  # in the recording's order: of two samples at one time the later one counts
            pieces = wanted[chunk]
            found = self._chunks[chunk].read([piece for _, piece in pieces])
            for (place, _), samples in zip(pieces, found, strict=True):
                parts[place].append(samples)
        return [_series(self.keys[number], part) for number, part in zip(numbers, parts, strict=True)]


def _series(key: Key, parts: Sequence[tuple[Ints, Floats]]) -> Series:
    if len(parts) == 1:
        times, values = parts[0]
    else:
        times = np.concatenate([part[0] for part in parts]) if parts else np.empty(0, dtype=np.int64)
        values = np.concatenate([part[1] for part in parts]) if parts else np.empty(0)
    if (times[1:] <= times[:-1]).any():
        times, values = in_order(times, values)
    return Series(*key, times, values)


def _starts(owners: Numbers) -> Ints:
    """Where runs of one series begin, shape (runs,)."""
    if not owners.size:
        return np.empty(0, dtype=np.int64)
    return np.concatenate(([0], np.flatnonzero(owners[1:] != owners[:-1]) + 1))


class _InMemory:
    def __init__(self, times: Ints, values: Floats) -> None:
        self._times, self._values = times, values

    def read(self, pieces: Sequence[Piece]) -> list[tuple[Ints, Floats]]:
        return [(self._times[start:end], self._values[start:end]) for start, end in pieces]


class _OnDisk:
    """``rows`` times and then as many values, 8 bytes each, from ``begun`` on."""

    def __init__(self, file: IO[bytes], begun: int, rows: int) -> None:
        self._file, self._begun, self._rows = file, begun, rows

    def read(self, pieces: Sequence[Piece]) -> list[tuple[Ints, Floats]]:
        return [(self._part(piece, 0).view(np.int64), self._part(piece, self._rows)) for piece in pieces]

    def _part(self, piece: Piece, ahead: int) -> Floats:
        count = (piece[1] - piece[0]) * 8
        return np.frombuffer(os.pread(self._file.fileno(), count, self._begun + (ahead + piece[0]) * 8))
