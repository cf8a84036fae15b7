"""The segments of an archive in little memory: there may be hundreds of thousands, and a sidecar is small."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping

from sla_kit.exporters.backup.wal_segments import USUAL_SIZE, Segment, SegmentFile, parse_segment, valid_size


class Listing(Mapping[Segment, float]):
    """Segments with the time each was archived, 28 bytes each; found by walking through them.

    Names are numbers only once the segments' size is known, which `settle` says or finds out.
    """

    def __init__(self) -> None:
        self._timelines = array("I")
        self._numbers = array("Q")
        self._times = array("d")
        self._sizes = array("Q")
        self._size = USUAL_SIZE

    def add(self, file: SegmentFile, size_bytes: int, archived: float) -> None:
        """Adds a file of the archive. An empty one is what a copy that failed leaves behind."""
        if file.partial or not size_bytes:
            return
        self._timelines.append(int(file.name[:8], 16))
        self._numbers.append(int(file.name[8:], 16))
        self._times.append(archived)
        # How large a compressed one should be, nobody knows.
        self._sizes.append(size_bytes if file.plain else 0)

    def settle(self, size: int) -> int:
        """Takes ``size`` bytes for that of segments, or, where it is 0, what most plain ones have; returns it."""
        if not size:
            sizes = Counter(each for each in self._sizes if valid_size(each))
            size = sizes.most_common(1)[0][0] if sizes else USUAL_SIZE
        self._size = size
        return size

    def first_numbers(self) -> dict[int, int]:
        """The first segment that is there of each timeline."""
        found: dict[int, int] = {}
        for segment in self:
            found[segment.timeline] = min(segment.number, found.get(segment.timeline, segment.number))
        return found

    def __iter__(self) -> Iterator[Segment]:
        for at in range(len(self._numbers)):
            segment = self._at(at)
            if segment is not None:
                yield segment

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, wanted: Segment) -> float:
        """Of one that lies in several places, when the first of them came."""
        times = [self._times[at] for at in range(len(self._numbers)) if self._at(at) == wanted]
        if not times:
            raise KeyError(wanted)
        return min(times)

    def _at(self, at: int) -> Segment | None:
        # One that has not all its bytes can't be restored.
        if self._sizes[at] not in (0, self._size):
            return None
        return parse_segment(f"{self._timelines[at]:08X}{self._numbers[at]:016X}", self._size)
