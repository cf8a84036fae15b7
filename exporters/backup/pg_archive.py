"""The header and table of contents of pg_dump's archives, as far as the bytes at hand go.

What is read is what PostgreSQL's pg_backup_archiver.c writes: `ReadHead`, `ReadToc`, and the tail of an entry that each
format adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MAGIC: Final = b"PGDMP"
#: The table of contents of a folder says that it is a tar's, as its files could be put into one.
_FORMATS: Final = {1: "pg_custom", 3: "pg_directory", 5: "pg_directory"}
_COMPRESSIONS: Final = {0: "none", 1: "zlib", 2: "lz4", 3: "zstd"}
#: The versions of the format whose table of contents is known here: of PostgreSQL 9.0 to 18.
_OLDEST, _NEWEST = (1, 12), (1, 16)
#: Where the data of an entry begins is known, will never be, or there is none (K_OFFSET_…).
_SET, _NO_DATA = 2, 3


@dataclass(frozen=True, slots=True)
class Archive:
    """What an archive says of itself.

    ``format`` is pg_custom or pg_directory (also of a tar's toc.dat); ``version`` that of the format ("1.15"),
    ``database`` and ``server`` what was dumped, "" where the bytes end before. ``whole`` tells whether the table of
    contents was read to its end at ``toc_end``; then ``files`` are those that a folder must hold beside it, ``data``
    how many entries have data, ``last_offset`` where the data of the last one begins (-1 where that is not written
    down), and ``last_large`` whether that is of large objects.
    """

    format: str
    version: str
    compression: str = "unknown"
    database: str = ""
    server: str = ""
    whole: bool = False
    toc_end: int = 0
    files: tuple[str, ...] = ()
    data: int = 0
    last_offset: int = -1
    last_large: bool = False


class _EndError(Exception):
    """The bytes at hand end, or are not what they should be."""


def read_archive(head: bytes) -> Archive | None:
    """What the first bytes of an archive tell; None where they are none."""
    if not head.startswith(MAGIC) or len(head) < 11:
        return None
    version = (head[5], head[6])
    form = _FORMATS.get(head[10])
    if form is None or version[0] != 1:
        return None
    named = f"{version[0]}.{version[1]}"
    if not _OLDEST <= version <= _NEWEST or not 1 <= head[8] <= 8 or not 1 <= head[9] <= 8:
        return Archive(form, named)
    reader = _Reader(head, 11, head[8], head[9])
    compression = database = server = ""
    try:
        compression = _compression(reader, version)
        for _ in range(7):  # when it was made: seconds to years, and whether in summer time
            reader.integer()
        database, server = reader.text(), reader.text()
        reader.text()  # pg_dump's own version
        return _contents(reader, version, form, Archive(form, named, compression, database, server))
    except _EndError:
        return Archive(form, named, compression or "unknown", database, server)


def _compression(reader: _Reader, version: tuple[int, int]) -> str:
    if version >= (1, 15):
        return _COMPRESSIONS.get(reader.byte(), "unknown")
    return "none" if reader.integer() == 0 else "zlib"


def _contents(reader: _Reader, version: tuple[int, int], form: str, header: Archive) -> Archive:
    files: list[str] = []
    data, last, known, large = 0, -1, True, False
    for _ in range(reader.integer()):
        reader.integer()  # its number
        has_data = reader.integer() != 0
        for _ in range(3):  # table's and own oid, tag
            reader.text()
        kind = reader.text()
        reader.integer()  # section
        for _ in range(5):  # definition, drop, copy, namespace, tablespace
            reader.text()
        if version >= (1, 14):
            reader.text()  # access method
        if version >= (1, 16):
            reader.integer()  # kind of relation
        reader.text()  # owner
        reader.text()  # with oids
        while reader.optional() is not None:  # what it depends on
            pass
        if form == "pg_custom":
            state, offset = reader.offset()
            if state != _NO_DATA and has_data:
                data += 1
                known = known and state == _SET
                if offset > last:
                    last, large = offset, kind == "BLOBS"
        else:
            name = reader.text()
            if name and has_data:
                data += 1
                files.append(name)
    return Archive(
        header.format,
        header.version,
        header.compression,
        header.database,
        header.server,
        whole=True,
        toc_end=reader.at,
        files=tuple(files),
        data=data,
        last_offset=last if known else -1,
        last_large=large,
    )


class _Reader:
    """Reads the numbers and texts of an archive one after the other."""

    def __init__(self, data: bytes, at: int, int_size: int, offset_size: int) -> None:
        self.data, self.at = data, at
        self.int_size, self.offset_size = int_size, offset_size

    def byte(self) -> int:
        return self._take(1)[0]

    def integer(self) -> int:
        sign = self.byte()
        value = int.from_bytes(self._take(self.int_size), "little")
        return -value if sign else value

    def optional(self) -> str | None:
        length = self.integer()
        return None if length < 0 else self._take(length).decode("utf-8", "replace")

    def text(self) -> str:
        return self.optional() or ""

    def offset(self) -> tuple[int, int]:
        return self.byte(), int.from_bytes(self._take(self.offset_size), "little")

    def _take(self, count: int) -> bytes:
        if count > len(self.data) - self.at:
            raise _EndError
        self.at += count
        return self.data[self.at - count : self.at]
