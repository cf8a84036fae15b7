"""What a backup is, by its first and last bytes: its format, compression and encryption, and whether its end is there.

What bytes can't tell is "unknown". Nothing is raised, whatever the bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from sla_kit.exporters.backup.compression import Frames, Unpacked, compression_of, end_of, front, walk_of
from sla_kit.exporters.backup.encryption import Ending, PacketWalk, read_encryption
from sla_kit.exporters.backup.pg_archive import Archive, read_archive
from sla_kit.exporters.backup.tar import TarWalk, is_tar

#: How many of the first and last bytes of a file are wanted.
HEAD_BYTES: Final = 64 * 1024
TAIL_BYTES: Final = 4 * 1024
#: How plain dumps begin and end, and by which name they go. Of PostgreSQL's two, that of all databases holds the other.
_PLAIN: Final = (
    (b"-- PostgreSQL database cluster dump", b"-- PostgreSQL database cluster dump complete", "sql"),
    (b"-- PostgreSQL database dump", b"-- PostgreSQL database dump complete", "sql"),
    (b"-- MySQL dump", b"-- Dump completed", "sql"),
    (b"-- MariaDB dump", b"-- Dump completed", "sql"),
    (b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;", b"COMMIT;", "sql"),
)
_TARS: Final = frozenset({"tar", "pg_tar", "pg_basebackup"})
_BROKEN_TAR: Final = "a member of the tar archive is broken or cut"
_STATEMENT: Final = re.compile(
    r"(CREATE|ALTER|DROP)\s+(OR|UNIQUE|TABLE|DATABASE|SCHEMA|ROLE|USER|EXTENSION|TYPE|FUNCTION|SEQUENCE|INDEX|VIEW)\b"
    r"|INSERT\s+INTO\b|COPY\s[^;]*\bFROM\b|SET\s+[\w.@]+\s*(=|\bTO\b)|BEGIN(\s+TRANSACTION)?\s*;|USE\s+\S+;|/\*!"
    r"|SELECT\s+pg_catalog\.|PRAGMA\s",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is known of a file.

    ``format``: pg_custom, pg_directory (its toc.dat), pg_tar, pg_basebackup, sql, tar, sqlite, redis_rdb, or unknown.
    ``compression`` is "none", a tool's name (gzip, …), zlib (inside pg_dump's own formats), or unknown;
    ``encryption`` "none", age, openpgp, openssl. ``lock`` is what opens an encrypted one, and ``keys`` are the ids of
    the keys that it is for. ``ending`` says whether the end is there; ``finding`` what is wrong, in words. ``foreign``
    is true where the inside of what is compressed was seen, and is nothing known.
    """

    format: str = "unknown"
    version: str = ""
    compression: str = "unknown"
    encryption: str = "none"
    lock: str = ""
    keys: tuple[str, ...] = ()
    ending: Ending = "unknown"
    finding: str = ""
    foreign: bool = False

    @property
    def recognized(self) -> bool:
        """Whether this is anything that a backup could be."""
        if self.format != "unknown" or self.encryption != "none":
            return True
        return self.compression not in ("none", "unknown") and not self.foreign

    @property
    def compressed(self) -> bool | None:
        """None where nobody can tell, as of what is encrypted."""
        return None if self.compression == "unknown" else self.compression != "none"


#: Of what has not been looked at.
UNKNOWN: Final = Contents()


def examine(head: bytes, tail: bytes, size_bytes: int) -> Contents:
    """What a file is, by its first `HEAD_BYTES` and last `TAIL_BYTES`: all of it, where it is shorter."""
    if size_bytes <= 0 or not head:
        return Contents(compression="unknown", ending="truncated", finding="it is empty")
    compression = compression_of(head)
    if compression:
        return _compressed(compression, head, tail, size_bytes)
    encrypted = read_encryption(head, tail, size_bytes)
    if encrypted is not None:
        finding = f"the {encrypted.method} message has no end" if encrypted.ending == "truncated" else ""
        return Contents(
            encryption=encrypted.method,
            lock=encrypted.lock,
            keys=encrypted.keys,
            ending=encrypted.ending,
            finding=finding,
        )
    return _plain(head, tail, size_bytes)


class WholeReading:
    """Looks at all bytes of a file and knows more of its end than `examine` can; fed in order."""

    def __init__(self, contents: Contents) -> None:
        self._contents = contents
        # What is compressed holds what is encrypted, if it does; the inside of an encrypted file is not known.
        self._walk: Unpacked | Frames | PacketWalk | TarWalk | None = walk_of(contents.compression)
        if self._walk is None and contents.encryption == "openpgp" and contents.ending == "unknown":
            self._walk = PacketWalk()
        if self._walk is None and contents.encryption == "none" and contents.format in _TARS:
            self._walk = TarWalk()

    @property
    def tells(self) -> bool:
        """Whether all bytes tell more of the end than the first and last ones."""
        return self._walk is not None and self._contents.compression != "lz4" and self._contents.ending != "truncated"

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        if self._walk is not None:
            self._walk.feed(part)

    def result(self) -> Contents:
        """What is known once all bytes have been fed."""
        walk = self._walk
        if walk is None:
            return self._contents
        ending = walk.ending()
        if ending == "truncated":
            if isinstance(walk, TarWalk):
                return replace(self._contents, ending=ending, finding=_BROKEN_TAR)
            what = "openpgp message" if isinstance(walk, PacketWalk) else f"{self._contents.compression} stream"
            return replace(self._contents, ending=ending, finding=f"the {what} is broken or has no end")
        if isinstance(walk, Frames) and ending == "complete" and walk.empty:
            return replace(self._contents, ending="truncated", finding="what is compressed in it is empty")
        if isinstance(walk, Unpacked) and ending == "complete":
            found = _inner(self._contents.compression, walk.head, walk.tail, walk.size_bytes)
            if walk.tar is not None and walk.tar.ending() == "truncated" and found.ending != "truncated":
                inside = f"inside the {found.compression} stream, {_BROKEN_TAR}"
                return replace(found, ending="truncated", finding=inside)
            return found
        return self._contents if ending == "unknown" else replace(self._contents, ending=ending)


def _compressed(compression: str, head: bytes, tail: bytes, size_bytes: int) -> Contents:
    whole = WholeReading(Contents(compression=compression))
    if size_bytes <= len(head) and walk_of(compression) is not None:
        whole.feed(head)
        found = whole.result()
        if found.ending != "unknown":
            if found.format == "unknown" and found.encryption == "none":
                found = replace(_held(compression, head), ending=found.ending, finding=found.finding)
            return found
    ending = end_of(compression, head, tail, size_bytes)
    finding = f"the {compression} stream has no end" if ending == "truncated" else ""
    # That the outer end is there says nothing of the inner one.
    return replace(_held(compression, head), ending=ending, finding=finding)


def _held(compression: str, head: bytes) -> Contents:
    """What a compressed file holds, by the front of it alone."""
    inside = front(head, compression)
    if not inside:
        return Contents(compression=compression)
    found = examine(inside, b"", len(inside) + 1)
    return replace(found, compression=compression, foreign=not found.recognized)


def _inner(compression: str, head: bytes, tail: bytes, size_bytes: int) -> Contents:
    """What a compressed file holds, whose own end is there."""
    if not size_bytes:
        return Contents(compression=compression, ending="truncated", finding="what is compressed in it is empty")
    found = examine(head, tail, size_bytes)
    if found.ending == "truncated":
        return replace(found, compression=compression, finding=f"inside the {compression} stream, {found.finding}")
    return replace(found, compression=compression, ending="complete", foreign=not found.recognized)


def _plain(head: bytes, tail: bytes, size_bytes: int) -> Contents:
    archive = read_archive(head)
    if archive is not None:
        return _archive(archive, tail, size_bytes)
    if is_tar(head):
        return _tar(head, tail, size_bytes)
    if head.startswith(b"SQLite format 3\0"):
        return _sqlite(head, size_bytes)
    if head.startswith(b"REDIS") and head[5:9].isdigit():
        # The last but eight is the opcode of the end, from version 5 on; then follows a checksum.
        whole = int(head[5:9]) < 5 or tail[-9:-8] == b"\xff"
        return _told("redis_rdb", whole, "it has no end of an RDB file", version=str(int(head[5:9])))
    return _text(head, tail)


def _told(form: str, whole: bool, finding: str, *, version: str = "", compression: str = "none") -> Contents:
    if whole:
        return Contents(form, version, compression, ending="complete")
    return Contents(form, version, compression, ending="truncated", finding=finding)


def _archive(archive: Archive, tail: bytes, size_bytes: int) -> Contents:
    found = Contents(archive.format, archive.version, archive.compression)
    if archive.format == "pg_directory":
        if archive.whole:
            return replace(found, ending="complete")
        if size_bytes <= HEAD_BYTES:
            return replace(found, ending="truncated", finding="its table of contents has no end")
        return found
    if archive.whole and archive.last_offset >= size_bytes:
        return replace(found, ending="truncated", finding="the data of its last table is missing")
    if (not archive.whole and size_bytes <= HEAD_BYTES) or (archive.whole and size_bytes < archive.toc_end):
        return replace(found, ending="truncated", finding="its table of contents has no end")
    # Data ends with a part of length 0, and large objects with an object of number 0 besides; a table of contents
    # without data ends with an offset of 0.
    if tail and not tail.endswith(bytes(10 if archive.last_large else 5)):
        return replace(found, ending="truncated", finding="its last data has no end")
    sure = archive.whole and (archive.data == 0 or archive.last_offset >= 0) and bool(tail)
    return replace(found, ending="complete") if sure else found


def _tar(head: bytes, tail: bytes, size_bytes: int) -> Contents:
    first = head[:100].rstrip(b"\0")
    form, version, compression = "tar", "", "none"
    if first == b"toc.dat":
        form = "pg_tar"
        inner = read_archive(head[512:])
        version = inner.version if inner else ""
    elif first in (b"backup_label", b"backup_manifest"):
        form = "pg_basebackup"
    if not tail:
        return Contents(form, version, compression)
    found = _told(form, tail.endswith(bytes(1024)), "it has no end of a tar archive", version=version)
    if found.ending == "complete" and size_bytes <= len(head):
        walk = TarWalk()
        walk.feed(head)
        return _told(form, walk.ending() != "truncated", _BROKEN_TAR, version=version)
    return found


def _sqlite(head: bytes, size_bytes: int) -> Contents:
    if len(head) < 32:
        return Contents("sqlite", "", "none", ending="truncated", finding="its header has no end")
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    # The count of pages holds only where the same counter of changes stands at both places.
    if not pages or head[24:28] != head[92:96]:
        return Contents("sqlite", "", "none")
    wanted = pages * (65536 if page == 1 else page)
    return _told("sqlite", size_bytes >= wanted, f"it should have {wanted} bytes")


def _text(head: bytes, tail: bytes) -> Contents:
    start = head[:4096]
    if b"\0" in start:
        return Contents()
    for beginning, end, form in _PLAIN:
        if beginning in start[:1024]:
            if not tail:
                return Contents(form, "", "none")
            return _told(form, end in tail[-2048:], f"it does not end with {end.decode()!r}")
    text = start.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace").lstrip()
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("--")), "")
    if _STATEMENT.match(first):
        return Contents("sql", "", "none")
    return Contents(compression="none")
