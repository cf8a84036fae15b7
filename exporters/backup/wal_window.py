"""To which points in time an archive of write-ahead log can restore: base backups, and the log without a gap."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sla_kit.exporters.backup.wal_segments import Segment


@dataclass(frozen=True, slots=True)
class BaseBackup:
    """A base backup: its timeline, where its log begins and ends (bytes), and when it was complete (Unix time)."""

    timeline: int
    start: int
    stop: int
    completed: float


@dataclass(frozen=True, slots=True)
class Window:
    """What can be restored.

    ``newest`` is the last segment that a restore can reach, archived at ``newest_time``; ``oldest_time`` the earliest
    point from which every later one up to that can be restored. All are nothing where there is no base backup with its
    log. ``last`` is the last segment that is there at all, reached or not. ``missing`` counts the segments that are not
    there between the first base backup's (or, without one, the first segment) and ``last``; ``first_missing`` is the
    first of them.
    """

    timeline: int
    last: Segment | None
    newest: Segment | None
    newest_time: float | None
    oldest_time: float | None
    missing: int
    first_missing: Segment | None


def find_window(
    archived: Mapping[Segment, float],
    histories: Mapping[int, Sequence[tuple[int, int]]],
    bases: Iterable[BaseBackup],
    size: int,
) -> Window:
    """The window of an archive: its segments with the time each was archived, what histories say, its base backups.

    The newest timeline is what a restore follows, as recovery does by default; what lies on others that it did not
    come from is left out.
    """
    timeline = max([*histories, *(segment.timeline for segment in archived)], default=0)
    path = _Path(timeline, histories.get(timeline, ()), size)
    there = sorted(segment.number for segment in archived if path.at(segment.number) == segment.timeline)
    runs = _runs(there)
    usable = [base for base in bases if path.holds(base)]

    reached: list[tuple[int, BaseBackup]] = []
    for base in usable:
        last = _last_of_run(runs, base.start // size)
        if last is not None and last >= _last_byte(base) // size:
            reached.append((last, base))
    newest = max((last for last, _ in reached), default=None)
    oldest = min((base.completed for last, base in reached if last == newest), default=None)

    first = min((base.start // size for base in usable), default=there[0] if there else None)
    missing, first_missing = (0, None) if first is None else _missing(runs, first)
    newest_segment = None if newest is None else path.segment(newest)
    return Window(
        timeline,
        path.segment(there[-1]) if there else None,
        newest_segment,
        None if newest_segment is None else archived[newest_segment],
        oldest,
        missing,
        None if first_missing is None else path.segment(first_missing),
    )


class _Path:
    """On which timeline each place of the log lies, for a restore that ends on ``timeline``."""

    def __init__(self, timeline: int, parents: Sequence[tuple[int, int]], size: int) -> None:
        known = [(parent, left) for parent, left in parents if parent < timeline]
        self._timelines = [*(parent for parent, _ in known), timeline]
        self._left = [left for _, left in known]
        # The segment in which a timeline was left is the first of the next one, which begins with a copy of it.
        self._begins = [left // size for left in self._left]

    def at(self, number: int) -> int:
        """The timeline whose file recovery needs of the segment of that number."""
        return self._timelines[bisect_right(self._begins, number)]

    def segment(self, number: int) -> Segment:
        return Segment(self.at(number), number)

    def holds(self, base: BaseBackup) -> bool:
        """Whether a base backup was made on the way, before its timeline was left."""
        if base.timeline not in self._timelines:
            return False
        at = self._timelines.index(base.timeline)
        return at == len(self._left) or base.stop <= self._left[at]


def _runs(numbers: Sequence[int]) -> list[tuple[int, int]]:
    """First and last of each run of numbers without a gap; ``numbers`` are sorted, none twice."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _last_of_run(runs: Sequence[tuple[int, int]], number: int) -> int | None:
    at = bisect_right(runs, number, key=lambda run: run[0]) - 1
    return runs[at][1] if at >= 0 and runs[at][1] >= number else None


def _last_byte(base: BaseBackup) -> int:
    """The last byte of the log that a base backup needs: ``stop`` is the first that it does not."""
    return max(base.start, base.stop - 1)


def _missing(runs: Sequence[tuple[int, int]], first: int) -> tuple[int, int | None]:
    """How many numbers from ``first`` to the end of the last run are in none of them, and the first of those."""
    missing, first_missing = 0, None
    expected = first
    for begin, end in runs:
        if end < first:
            continue
        if begin > expected:
            missing += begin - expected
            first_missing = expected if first_missing is None else first_missing
        expected = max(expected, end + 1)
    return missing, first_missing
