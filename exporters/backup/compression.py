"""How a file is compressed, what is at the front of what it holds, and whether its end is there.

gzip: RFC 1952. zstd: RFC 8878. xz: the .xz format, section 2.1. lz4: its frame format, 1.6. bzip2: no document, but its
marker of the end is the square root of pi.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Callable
from typing import Final, Protocol

from sla_kit.exporters.backup.encryption import Ending
from sla_kit.exporters.backup.tar import TarWalk, is_tar

#: How much is unpacked of the front, and kept of the end, of what a file holds.
INNER_BYTES = 64 * 1024
#: More memory than this is not spent on unpacking: enough for dictionaries of xz's usual levels.
_XZ_MEMORY: Final = 24 << 20
_PART_BYTES: Final = 1 << 20
#: More than this is not unpacked out of one part: gzip's holds no more; kilobytes of bzip2 may hold work for hours.
_MOST_UNPACKED: Final = 1100 << 20
_GZIP, _BZIP2, _XZ = b"\x1f\x8b\x08", b"BZh", b"\xfd7zXZ\x00"
_ZSTD, _LZ4, _LZ4_OLD = 0xFD2FB528, 0x184D2204, 0x184C2102
_SKIPPED: Final = 0x184D2A5
_BZIP2_BLOCK, _BZIP2_END = 0x314159265359, 0x177245385090
_INVALID: Final = (zlib.error, lzma.LZMAError, OSError, EOFError, ValueError)


def compression_of(head: bytes) -> str:
    """gzip, bzip2, xz, zstd or lz4, by the first bytes; "" where it is none of them."""
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_XZ):
        return "xz"
    if head.startswith(_BZIP2) and head[3:4] in b"123456789" and _bzip2_magic(head[4:10]):
        return "bzip2"
    first = _word(head)
    if first == _ZSTD or (first >> 4 == _SKIPPED and _word(_after_skipped(head)) in (_ZSTD, 0)):
        return "zstd"
    if first in (_LZ4, _LZ4_OLD):
        return "lz4"
    return ""


def front(head: bytes, compression: str) -> bytes:
    """The first bytes of what a file holds, as far as Python can unpack it: b"" for zstd and lz4."""
    if compression not in _MAKERS:
        return b""
    try:
        return _MAKERS[compression]().decompress(head, INNER_BYTES)
    except _INVALID:
        return b""


def end_of(compression: str, head: bytes, tail: bytes, size_bytes: int) -> Ending:
    """What the last bytes tell of the end. ``head`` may be the whole file; then more is known."""
    if len(head) >= size_bytes:
        walk = walk_of(compression)
        if walk is not None:
            walk.feed(head)
            return walk.ending()
    if compression == "xz":
        return _xz_end(tail)
    if compression == "bzip2":
        return _bzip2_end(tail)
    if compression == "lz4" and _word(head) == _LZ4 and len(head) > 4:
        mark = tail[-8:-4] if head[4] & 0x04 else tail[-4:]
        return "complete" if mark == bytes(4) else "truncated"
    return "unknown"


class Walk(Protocol):
    """Looks at all bytes of a file, fed in order."""

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        ...

    def ending(self) -> Ending:
        """What is known, if there are no more bytes."""
        ...


def walk_of(compression: str) -> Unpacked | Frames | None:
    """What can tell the end of a file for certain from all of its bytes; None where nothing can."""
    if compression in ("gzip", "bzip2", "xz"):
        return Unpacked(compression)
    return Frames(compression) if compression in ("zstd", "lz4") else None


class Unpacked:
    """Unpacks a file, one stream or several in it, and keeps the first and last bytes of what it held.

    ``tar`` follows the members of a tar archive, where one is in it.
    """

    def __init__(self, compression: str) -> None:
        self.tar: TarWalk | None = None
        self.head = b""
        self.tail = b""
        self.size_bytes = 0
        self._make = _MAKERS[compression]
        self._stream: _Stream | None = self._make()
        self._whole = self._limit = 0
        self._fresh = True
        self._ending: Ending | None = None

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        self._limit = self.size_bytes + _MOST_UNPACKED
        while part and self._ending is None:
            if self._stream is None:
                part = part.lstrip(b"\0")  # between streams and after the last one there may be padding
                if not part:
                    return
                self._stream = self._make()
                self._fresh = True
            try:
                part = self._some(self._stream, part)
            except lzma.LZMAError as error:
                self._ending = "unknown" if self._foreign() or "limit" in str(error).lower() else "truncated"
            except _INVALID:
                self._ending = "unknown" if self._foreign() else "truncated"

    def ending(self) -> Ending:
        """Broken is as bad as cut: what can't be unpacked to its end is "truncated"."""
        if self._ending is not None:
            return self._ending
        return "complete" if self._stream is None else "truncated"

    def _foreign(self) -> bool:
        """Whether what can't be unpacked stands after whole streams, where the tools don't mind it."""
        return self._fresh and self._whole > 0

    def _some(self, stream: _Stream, part: bytes) -> bytes:
        self._keep(stream.decompress(part, _PART_BYTES))
        while not stream.eof and not stream.needs_input:
            if self.size_bytes > self._limit:
                self._ending = "unknown"
                return b""
            self._keep(stream.decompress(b"", _PART_BYTES))
        if not stream.eof:
            return b""
        self._stream = None
        self._whole += 1
        return stream.unused_data

    def _keep(self, found: bytes) -> None:
        self._fresh = self._fresh and not found
        self.size_bytes += len(found)
        if self.tar is not None:
            self.tar.feed(found)
        if len(self.head) < INNER_BYTES:
            before = self.head
            self.head += found[: INNER_BYTES - len(before)]
            if self.tar is None and is_tar(self.head):
                self.tar = TarWalk()
                self.tar.feed(before + found)
        self.tail = found[-INNER_BYTES:] if len(found) >= INNER_BYTES else (self.tail + found)[-INNER_BYTES:]


class Frames:
    """Follows the frames and blocks of zstd and lz4 by their lengths, without unpacking any."""

    def __init__(self, compression: str) -> None:
        self._zstd = compression == "zstd"
        self._ahead = bytearray()
        self._skip = 0
        self._state = "frame"
        self._checksum = self._block_checksum = False
        self._frames = self._filled = 0
        self._lost = False

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        if self._lost:
            return
        gone = min(self._skip, len(part)) if not self._ahead else 0
        self._skip -= gone
        self._ahead += part[gone:]
        at = 0
        while not self._lost:
            step = min(self._skip, len(self._ahead) - at)
            at, self._skip = at + step, self._skip - step
            if self._skip:
                break
            used = self._step(bytes(self._ahead[at : at + 20]))
            if used is None:
                break
            at += used
        del self._ahead[:at]

    def ending(self) -> Ending:
        """What is known, if there are no more bytes."""
        if self._lost:
            return "unknown"
        at_end = self._state == "frame" and not self._skip and not self._ahead
        return "complete" if self._frames and at_end else "truncated"

    @property
    def empty(self) -> bool:
        """Whether no block held anything, as where the program that was to be compressed wrote nothing."""
        return not self._filled

    def _step(self, ahead: bytes) -> int | None:
        """Reads what comes next and returns its length; None where more bytes are needed."""
        if self._state == "frame":
            return self._frame(ahead)
        return self._zstd_block(ahead) if self._zstd else self._lz4_block(ahead)

    def _frame(self, ahead: bytes) -> int | None:
        if len(ahead) < 5:
            return None
        magic = _word(ahead)
        if magic >> 4 == _SKIPPED:
            if len(ahead) < 8:
                return None
            self._skip = _word(ahead[4:])
            return 8
        if magic != (_ZSTD if self._zstd else _LZ4):
            self._lost = True
            return None
        flags = ahead[4]
        self._frames += 1
        self._state = "block"
        if self._zstd:
            single = bool(flags & 0x20)
            self._checksum = bool(flags & 0x04)
            size = (1 if single else 0, 2, 4, 8)[flags >> 6]
            return self._skipping(5 + (not single) + (0, 1, 2, 4)[flags & 3] + size)
        self._checksum, self._block_checksum = bool(flags & 0x04), bool(flags & 0x10)
        return self._skipping(7 + (8 if flags & 0x08 else 0) + (4 if flags & 0x01 else 0))

    def _skipping(self, length: int) -> int:
        """Headers are longer than what is needed to tell how long."""
        self._skip = length - 5
        return 5

    def _zstd_block(self, ahead: bytes) -> int | None:
        if len(ahead) < 3:
            return None
        header = int.from_bytes(ahead[:3], "little")
        last, kind, size = header & 1, header >> 1 & 3, header >> 3
        if kind == 3:
            self._lost = True
            return None
        self._skip = 1 if kind == 1 else size
        self._filled += size > 0
        if last:
            self._skip += 4 * self._checksum
            self._state = "frame"
        return 3

    def _lz4_block(self, ahead: bytes) -> int | None:
        if len(ahead) < 4:
            return None
        size = _word(ahead) & 0x7FFFFFFF
        self._filled += size > 0
        if size:
            self._skip = size + 4 * self._block_checksum
        else:
            self._skip = 4 * self._checksum
            self._state = "frame"
        return 4


class _Stream(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


class _Gzip:
    """zlib's object with the face that those of bz2 and lzma have."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(wbits=31)
        self._more = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._more and not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        found = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._more = len(found) == max_length
        return found


def _xz() -> _Stream:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_MAKERS: Final[dict[str, Callable[[], _Stream]]] = {"gzip": _Gzip, "bzip2": bz2.BZ2Decompressor, "xz": _xz}


def _word(data: bytes) -> int:
    return int.from_bytes(data[:4], "little") if len(data) >= 4 else 0


def _after_skipped(head: bytes) -> bytes:
    return head[8 + _word(head[4:]) :]


def _bzip2_magic(data: bytes) -> bool:
    return int.from_bytes(data, "big") in (_BZIP2_BLOCK, _BZIP2_END)


def _bzip2_end(tail: bytes) -> Ending:
    """The marker is followed by a checksum of four bytes, and both begin at any bit."""
    bits = int.from_bytes(tail[-11:], "big")
    found = any(bits >> (32 + shift) & 0xFFFFFFFFFFFF == _BZIP2_END for shift in range(8))
    return "complete" if found else "truncated"


def _xz_end(tail: bytes) -> Ending:
    """The footer: a checksum of the size of the index and of the flags, these two, and YZ; then padding."""
    footer = tail[: len(tail.rstrip(b"\0"))][-12:]
    if len(footer) < 12 or footer[10:] != b"YZ":
        return "truncated"
    return "complete" if zlib.crc32(footer[4:10]) == _word(footer) else "truncated"
