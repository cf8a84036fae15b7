"""Whether a tar archive is whole: its members are followed by their sizes, to the two empty blocks at its end.

POSIX.1-2001's pax format, with GNU tar's numbers for large sizes.
"""

from __future__ import annotations

import re
from typing import Final

from sla_kit.exporters.backup.encryption import Ending

_BLOCK: Final = 512
_EMPTY: Final = bytes(_BLOCK)
#: Members that are nothing but a name, whatever size they tell: links, devices, folders, pipes.
_BARE: Final = frozenset(b"123456")
_PAX, _SPARSE = ord("x"), ord("S")
#: Longer extended headers are not looked into for the size of what follows.
_PAX_BYTES: Final = 1 << 16
_SIZE: Final = re.compile(rb"(?:\A|\n)\d+ size=(\d{1,20})\n")


def is_tar(head: bytes) -> bool:
    """Whether these first bytes are those of a tar archive."""
    return head[257:262] == b"ustar"


class TarWalk:
    """Follows the members of an archive, fed in order."""

    def __init__(self) -> None:
        self._ahead = bytearray()
        self._skip = 0
        self._extended: bytearray | None = None
        self._size: int | None = None
        self._empty = 0
        self._ending: Ending | None = None

    def feed(self, part: bytes) -> None:
        """The next bytes."""
        at = 0
        while self._ending is None and at < len(part):
            if self._skip and not self._ahead:
                gone = min(self._skip, len(part) - at)
                if self._extended is not None:
                    self._extended += part[at : at + gone]
                at, self._skip = at + gone, self._skip - gone
                continue
            more = part[at : at + _BLOCK - len(self._ahead)]
            self._ahead += more
            at += len(more)
            if len(self._ahead) == _BLOCK:
                block, self._ahead = bytes(self._ahead), bytearray()
                self._header(block)

    def ending(self) -> Ending:
        """What is known, if there are no more bytes."""
        return self._ending or "truncated"

    def _header(self, block: bytes) -> None:
        if block == _EMPTY:
            self._empty += 1
            if self._empty == 2:
                self._ending = "complete"
            return
        self._empty = 0
        if self._extended is not None:
            said = _SIZE.search(self._extended)
            self._size, self._extended = (int(said[1]) if said else None), None
        size = _number(block[124:136])
        if size is None or not _sum_is_right(block):
            self._ending = "truncated"
            return
        kind = block[156]
        if kind == _SPARSE:
            self._ending = "unknown"  # maps of holes may follow, of any length
            return
        if kind == _PAX:
            self._extended = bytearray() if size <= _PAX_BYTES else None
        elif kind not in b"gKL":
            size, self._size = (size if self._size is None else self._size), None
        self._skip = 0 if kind in _BARE else -(-size // _BLOCK) * _BLOCK


def _number(field: bytes) -> int | None:
    """Octal digits, or, where the highest bit is set, GNU's binary number."""
    if field[0] & 0x80:
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    try:
        return int(digits or b"0", 8)
    except ValueError:
        return None


def _sum_is_right(block: bytes) -> bool:
    """Whether the sum of a header's bytes is the one in it, which counts as eight blanks."""
    return _number(block[148:156]) == sum(block[:148]) + 8 * 32 + sum(block[156:])
