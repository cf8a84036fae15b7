"""Reading an archive of write-ahead log from where it lies: archive_command's folder, pgBackRest's or WAL-G's bucket.

Only names are read, and the few small files that tell of timelines and base backups.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

from sla_kit.exporters.backup.compression import compression_of, front
from sla_kit.exporters.backup.store import BackupStore, StoredObject
from sla_kit.exporters.backup.wal_listing import Listing
from sla_kit.exporters.backup.wal_segments import (
    HistoryFile,
    MarkFile,
    SegmentFile,
    parse_file,
    parse_history,
    parse_mark,
    parse_segment,
)
from sla_kit.exporters.backup.wal_window import BaseBackup, Window, find_window

#: Histories and marks are some hundred bytes; more than this is none.
_MOST_BYTES = 1 << 16
#: How small files may be packed for Python to read them.
_READABLE = frozenset({"", ".gz", ".bz2", ".xz"})


@dataclass(slots=True)
class Archive:
    """An archive in a store. Files once read are remembered by their ETag, so each is read once."""

    store: BackupStore
    _read: dict[tuple[str, str], str] = field(default_factory=dict)

    def window(self, deadline: float, size: int = 0) -> Window:
        """What can be restored from it. ``size`` is that of segments, 0 where the files tell. Raises `CollectError`."""
        segments = Listing()
        told: list[tuple[HistoryFile | MarkFile, StoredObject]] = []
        for each in self.store.list("", deadline):
            file = parse_file(each.name.rpartition("/")[2])
            if isinstance(file, SegmentFile):
                segments.add(file, each.size_bytes, each.modified)
            elif file is not None:
                told.append((file, each))
        size = segments.settle(size)
        texts = {each.name: self._text(file, each, deadline) for file, each in told}
        self._read = {key: text for key, text in self._read.items() if key[0] in texts}
        histories: dict[int, list[tuple[int, int]]] = {}
        bases: list[BaseBackup] = []
        for file, each in told:
            if isinstance(file, HistoryFile):
                parents = parse_history(texts[each.name])
                if parents is None:
                    # One that should be readable and is not stops a restore, too: it comes from nowhere.
                    parents = [] if file.suffix in _READABLE else _guessed(file.timeline, segments, size)
                histories[file.timeline] = parents
            elif (base := _base(file, each, texts[each.name], size)) is not None:
                bases.append(base)
        return find_window(segments, histories, bases, size)

    def close(self) -> None:
        """Lets go of connections."""
        self.store.close()

    def _text(self, file: HistoryFile | MarkFile, each: StoredObject, deadline: float) -> str:
        """A small file's text; empty where it is packed in a form that Python does not know, or encrypted."""
        if each.size_bytes > _MOST_BYTES:
            return ""
        key = (each.name, each.etag or f"{each.size_bytes} {each.modified}")
        if key not in self._read:
            data = self.store.read(each, 0, _MOST_BYTES, deadline)
            if file.suffix:
                data = front(data, compression_of(data))
            self._read[key] = data.decode("utf-8", "replace")
        return self._read[key]


def _base(file: MarkFile, each: StoredObject, text: str, size: int) -> BaseBackup | None:
    """The base backup that a mark tells of, which was archived when that was complete."""
    segment = parse_segment(file.name, size)
    if segment is None or file.offset >= size:
        return None
    start = segment.number * size + file.offset
    stop = parse_mark(text)
    return BaseBackup(segment.timeline, start, max(start, stop if stop is not None else start), each.modified)


def _guessed(timeline: int, segments: Listing, size: int) -> list[tuple[int, int]]:
    """Where a timeline whose history can't be read came from: each was left in the first segment of the next."""
    firsts = sorted(each for each in segments.first_numbers().items() if each[0] <= timeline)
    return [(before, first * size + size - 1) for (before, _), (_, first) in pairwise(firsts)]
