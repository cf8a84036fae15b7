"""Reading an archive of write-ahead log from where it lies: archive_command's folder, pgBackRest's or WAL-G's bucket.

Only names are read, and the few small files that tell of timelines and base backups.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field

from sla_kit.exporters.backup.store import BackupStore, StoredObject
from sla_kit.exporters.backup.wal_segments import (
    USUAL_SIZE,
    HistoryFile,
    MarkFile,
    SegmentFile,
    parse_file,
    parse_history,
    parse_mark,
    parse_segment,
    valid_size,
)
from sla_kit.exporters.backup.wal_window import BaseBackup, Window, find_window

#: Histories and marks are some hundred bytes; more than this is none.
_MOST_BYTES = 1 << 16


@dataclass(slots=True)
class Archive:
    """An archive in a store. Files once read are remembered by their ETag, so each is read once."""

    store: BackupStore
    _read: dict[tuple[str, str], str] = field(default_factory=dict)

    def window(self, deadline: float, size: int = 0) -> Window:
        """What can be restored from it. ``size`` is that of segments, 0 where the files tell. Raises `CollectError`."""
        segments: dict[str, tuple[float, int]] = {}
        told: list[tuple[HistoryFile | MarkFile, StoredObject]] = []
        for each in self.store.list("", deadline):
            file = parse_file(each.name.rpartition("/")[2])
            if isinstance(file, SegmentFile):
                # An empty file is what a copy that failed leaves behind.
                if not file.partial and each.size_bytes:
                    before = segments.get(file.name)
                    time = each.modified if before is None else min(before[0], each.modified)
                    segments[file.name] = (time, each.size_bytes if file.plain else 0)
            elif file is not None:
                told.append((file, each))
        size = size or _usual_size(segments)
        texts = {each.name: self._text(file, each, deadline) for file, each in told}
        self._read = {key: text for key, text in self._read.items() if key[0] in texts}
        histories = {
            file.timeline: parents
            for file, each in told
            if isinstance(file, HistoryFile) and (parents := parse_history(texts[each.name])) is not None
        }
        bases = [
            base
            for file, each in told
            if isinstance(file, MarkFile) and (base := _base(file, each, texts[each.name], size)) is not None
        ]
        archived = {
            segment: time
            for name, (time, bytes_) in segments.items()
            # One that has not all its bytes can't be restored; how large a compressed one should be, nobody knows.
            if bytes_ in (0, size) and (segment := parse_segment(name, size)) is not None
        }
        return find_window(archived, histories, bases, size)

    def close(self) -> None:
        """Lets go of connections."""
        self.store.close()

    def _text(self, file: HistoryFile | MarkFile, each: StoredObject, deadline: float) -> str:
        """A small file's text; empty where it is packed in a form that Python does not know."""
        if file.suffix not in ("", ".gz") or each.size_bytes > _MOST_BYTES:
            return ""
        key = (each.name, each.etag or f"{each.size_bytes} {each.modified}")
        if key not in self._read:
            data = self.store.read(each, 0, _MOST_BYTES, deadline)
            if file.suffix:
                try:
                    data = zlib.decompressobj(wbits=31).decompress(data, _MOST_BYTES)
                except zlib.error:
                    data = b""
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


def _usual_size(segments: dict[str, tuple[float, int]]) -> int:
    """The size of segments as most plain ones have it; the usual one where all are compressed."""
    sizes = [bytes_ for _, bytes_ in segments.values() if valid_size(bytes_)]
    return max(set(sizes), key=sizes.count) if sizes else USUAL_SIZE
