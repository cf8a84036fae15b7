"""Names in an archive of PostgreSQL's write-ahead log: segments, timelines' histories, marks of base backups.

A segment's name is 24 hexadecimal digits: timeline, then the upper and the lower part of its number, eight each. How
many fit into one upper part depends on the segments' size (256 with the usual 16 MiB), so a name has a number only with
a size: https://www.postgresql.org/docs/current/wal-internals.html.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

#: What initdb makes unless told otherwise, in bytes.
USUAL_SIZE = 16 * 1024 * 1024
#: Bytes of one upper part of a segment's number.
_SPAN = 1 << 32
#: What archivers add to a name: pgBackRest a checksum before the compression's suffix.
_ADDED = r"(?:-[0-9a-f]{40})?(?P<suffix>\.(?:gz|lz4|zst|bz2|xz|lzo|lzma|br))?(?P<locked>\.(?:gpg|age|aes|enc))?"
_SEGMENT = re.compile(rf"(?P<name>[0-9A-F]{{24}})(?P<partial>\.partial)?{_ADDED}")
_HISTORY = re.compile(rf"(?P<timeline>[0-9A-F]{{8}})\.history{_ADDED}")
_MARK = re.compile(rf"(?P<name>[0-9A-F]{{24}})\.(?P<offset>[0-9A-F]{{8}})\.backup{_ADDED}")
_LSN = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")
_STOP = re.compile(r"^STOP WAL LOCATION: ([0-9A-F]{1,8}/[0-9A-F]{1,8})", re.MULTILINE)


@dataclass(frozen=True, slots=True, order=True)
class Segment:
    """One segment: ``number`` counts from the log's beginning, over all timelines."""

    timeline: int
    number: int

    def name(self, size: int = USUAL_SIZE) -> str:
        """Its name, where segments have ``size`` bytes."""
        upper, lower = divmod(self.number, _SPAN // size)
        return f"{self.timeline:08X}{upper:08X}{lower:08X}"


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A file that holds a segment under ``name``; a ``partial`` one was left by a timeline that ended inside it."""

    name: str
    partial: bool
    plain: bool


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """A file that tells where a timeline came from."""

    timeline: int
    suffix: str


@dataclass(frozen=True, slots=True)
class MarkFile:
    """A file that PostgreSQL archives when a base backup has ended; its name says where the backup began."""

    name: str
    offset: int
    suffix: str


def valid_size(size: int) -> bool:
    """Whether segments can have that many bytes: a power of two from 1 MiB to 1 GiB."""
    return 1 << 20 <= size <= 1 << 30 and size & (size - 1) == 0


def parse_segment(name: str, size: int = USUAL_SIZE) -> Segment | None:
    """The segment of a name; nothing where that can't be one of segments of that size."""
    if not re.fullmatch(r"[0-9A-F]{24}", name):
        return None
    timeline, upper, lower = (int(name[at : at + 8], 16) for at in (0, 8, 16))
    each = _SPAN // size
    return Segment(timeline, upper * each + lower) if timeline and lower < each else None


def parse_file(name: str) -> SegmentFile | HistoryFile | MarkFile | None:
    """What a file of an archive is by its name (without folders), as archive_command, pgBackRest or WAL-G leave it."""
    if found := _SEGMENT.fullmatch(name):
        return SegmentFile(found["name"], bool(found["partial"]), not found["suffix"] and not found["locked"])
    suffix = "" if (found := _HISTORY.fullmatch(name) or _MARK.fullmatch(name)) is None else found["suffix"] or ""
    if found is None:
        return None
    suffix += found["locked"] or ""
    if found.re is _HISTORY:
        return HistoryFile(int(found["timeline"], 16), suffix)
    return MarkFile(found["name"], int(found["offset"], 16), suffix)


def parse_lsn(text: str) -> int | None:
    """A place in the log ("16/B374D848") as bytes since its beginning."""
    found = _LSN.fullmatch(text.strip())
    return None if found is None else int(found[1], 16) * _SPAN + int(found[2], 16)


def parse_history(text: str) -> list[tuple[int, int]] | None:
    """The timelines that a timeline came from, oldest first, and the place at which each was left; nothing where the
    text is no history."""
    parents: list[tuple[int, int]] = []
    for line in text.splitlines():
        words = line.split("#")[0].split(None, 2)
        if not words:
            continue
        place = parse_lsn(words[1]) if len(words) > 1 and words[0].isdecimal() else None
        if place is None:
            return None
        parents.append((int(words[0]), place))
    return parents if parents and parents == sorted(set(parents)) else None


def parse_mark(text: str) -> int | None:
    """Where a base backup ended, of the text of its mark."""
    found = _STOP.search(text)
    return parse_lsn(found[1]) if found else None
