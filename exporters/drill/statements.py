"""A plain dump as statements, blocks of COPY data and psql's own commands, from a stream and without holding it.

It splits as psql does (quotes, dollar quotes, nested comments, parentheses, bodies between BEGIN ATOMIC and END), so
that statements can be sent one by one and nothing of a dump is ever given to a program that has a shell.
https://www.postgresql.org/docs/current/sql-syntax-lexical.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sla_kit.exporters.drill.errors import DrillError

_HEADER = re.compile(rb"-- PostgreSQL database (cluster )?dump\s*\Z")
_TRAILER = re.compile(rb"-- PostgreSQL database (cluster )?dump complete\s*\Z")
#: What a token at the top level can begin with; words only matter in bodies of functions.
_TOKEN = re.compile(
    rb"--|/\*|(?<![A-Za-z0-9_$\x80-\xff])[eE]'|'|\"|(?<![A-Za-z0-9_$\x80-\xff])\$(?:[A-Za-z_\x80-\xff][A-Za-z0-9_"
    rb"\x80-\xff]*)?\$|[;()\\]|(?<![A-Za-z0-9_$\x80-\xff])(?:begin|case|end)(?![A-Za-z0-9_$\x80-\xff])",
    re.IGNORECASE,
)
_BLANK = re.compile(rb"\s*")
_COMMENT = re.compile(rb"/\*|\*/")
_ESCAPED_END = re.compile(rb"\\.|'", re.DOTALL)
_BODY = re.compile(rb"create\s+(or\s+replace\s+)?(function|procedure)\b", re.IGNORECASE)
_COPY = re.compile(rb"copy\s.*\bfrom\s+stdin\b.*;\Z", re.IGNORECASE | re.DOTALL)
_ESCAPES_OFF = re.compile(rb"set\s+(?:session\s+|local\s+)?standard_conforming_strings\s*(?:=|to)\s*'?(off|on)", re.I)
#: A token may begin before this many bytes from the end of what has been read, and go on after it.
_LONGEST_TOKEN = 80
#: PostgreSQL itself takes no longer ones.
_LONGEST_STATEMENT = 1 << 30


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with its semicolon, without what stands before it."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Copy:
    """A `COPY … FROM stdin` and the data that follows; ``data`` must be read to its end before the next piece."""

    text: bytes
    data: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class Command:
    """A line that is for psql: a backslash and what follows it."""

    text: bytes


Piece = Statement | Copy | Command


class PlainDump:
    """Reads a plain dump once. After the last piece, ``begun`` and ``completed`` tell how many of pg_dump's first and
    last lines it held."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = bytearray()
        self._ended = False
        self._escapes = False  # whether a backslash means anything in '…'
        self.begun = 0
        self.completed = 0

    def pieces(self) -> Iterator[Piece]:
        """All pieces in their order. Raises `DrillError` where the dump ends in the middle of one."""
        while True:
            self._skip_blank()
            if not self._buffer:
                return
            if self._buffer[0] == ord("\\"):
                yield Command(bytes(self._take(self._line_end(0))).strip())
                continue
            text = bytes(self._take(self._statement_end()))
            changed = _ESCAPES_OFF.match(text)
            if changed is not None:
                self._escapes = changed[1].lower() == b"off"
            if _COPY.match(text):
                data = self._data()
                yield Copy(text, data)
                for _ in data:  # whoever did not want it
                    pass
            elif text != b";":
                yield Statement(text)

    # --- what has been read and not yet taken -----------------------------------------------------------------------

    def _fill(self) -> bool:
        if not self._ended:
            chunk = next(self._chunks, None)
            if chunk is not None:
                self._buffer += chunk
                return True
            self._ended = True
        return False

    def _take(self, length: int) -> bytearray:
        taken = self._buffer[:length]
        del self._buffer[:length]
        return taken

    def _line_end(self, start: int) -> int:
        """The position after the line's end, or of the end of all."""
        while (found := self._buffer.find(b"\n", start)) < 0:
            start = len(self._buffer)
            if not self._fill():
                return start
        return found + 1

    def _skip_blank(self) -> None:
        """Takes white space and comments before a piece, and looks for pg_dump's own."""
        while True:
            self._take(_BLANK.match(self._buffer).end())  # type: ignore[union-attr]  # it matches nothing, too
            while len(self._buffer) < 2 and self._fill():
                self._take(_BLANK.match(self._buffer).end())  # type: ignore[union-attr]
            if self._buffer.startswith(b"--"):
                line = bytes(self._take(self._line_end(0)))
                self.begun += _HEADER.match(line) is not None
                self.completed += _TRAILER.match(line) is not None
            elif self._buffer.startswith(b"/*"):
                self._take(self._comment_end(2))
            else:
                return

    # --- the ends of things -----------------------------------------------------------------------------------------

    def _statement_end(self) -> int:
        at = parentheses = depth = 0
        body: bool | None = None
        while True:
            found = _TOKEN.search(self._buffer, at)
            if found is None or (found.end() > len(self._buffer) - _LONGEST_TOKEN and not self._ended):
                # What lies before the last bytes holds no token and need not be looked at again.
                at = found.start() if found is not None else max(at, len(self._buffer) - _LONGEST_TOKEN)
                if len(self._buffer) > _LONGEST_STATEMENT:
                    raise DrillError("the dump has a statement of over 1 GiB: it is damaged")
                if self._fill() or found is not None:
                    continue
                if _TOKEN.search(self._buffer, at) is None:
                    raise DrillError("the dump ends in the middle of a statement: it was cut off, or is no SQL")
                continue
            token, at = found[0], found.end()
            if token == b";":
                if not parentheses and not depth:
                    return at
            elif token == b"(":
                parentheses += 1
            elif token == b")":
                parentheses = max(0, parentheses - 1)
            elif token == b"\\":
                line = bytes(self._buffer[found.start() : min(self._line_end(at), found.start() + 60)])
                raise DrillError(f"the dump has a command for psql within a statement: {_shown(line)}")
            elif token == b"--":
                at = self._line_end(at)
            elif token == b"/*":
                at = self._comment_end(at)
            elif token == b'"':
                at = self._find(b'"', at)
            elif token[-1:] == b"'":
                escapes = len(token) == 2 or self._escapes
                at = self._escaped_end(at) if escapes else self._find(b"'", at)
            elif token[:1] == b"$":
                at = self._find(token, at)
            else:
                if body is None:
                    body = _BODY.match(self._buffer) is not None
                word = token.lower()
                if body and not parentheses:
                    # As psql counts: CASE … END within a body ends no body.
                    if word == b"begin" or (word == b"case" and depth):
                        depth += 1
                    elif word == b"end" and depth:
                        depth -= 1

    def _find(self, text: bytes, at: int) -> int:
        """The position after the next ``text``."""
        while (found := self._buffer.find(text, at)) < 0:
            at = max(at, len(self._buffer) - len(text) + 1)
            if len(self._buffer) > _LONGEST_STATEMENT or not self._fill():
                raise DrillError("the dump ends within quotes: it was cut off, or is damaged")
        return found + len(text)

    def _escaped_end(self, at: int) -> int:
        while True:
            for found in _ESCAPED_END.finditer(self._buffer, at):
                at = found.end()
                if found[0] == b"'":
                    return at
            # A backslash may be the last byte that was read: what it escapes comes with the next ones.
            at = max(at, len(self._buffer) - 1)
            if len(self._buffer) > _LONGEST_STATEMENT or not self._fill():
                raise DrillError("the dump ends within quotes: it was cut off, or is damaged")

    def _comment_end(self, at: int) -> int:
        depth = 1
        while depth:
            found = _COMMENT.search(self._buffer, at)
            if found is None:
                at = max(at, len(self._buffer) - 1)
                if not self._fill():
                    raise DrillError("the dump ends within a comment: it was cut off, or is damaged")
                continue
            depth += 1 if found[0] == b"/*" else -1
            at = found.end()
        return at

    def _data(self) -> Iterator[bytes]:
        """The lines of a COPY up to `\\.`, in large parts."""
        self._take(self._line_end(0))
        fresh = True  # whether the buffer's beginning is a line's
        while True:
            if fresh and re.match(rb"\\\.\r?(\n|\Z)", self._buffer) and (self._ended or len(self._buffer) > 3):
                self._take(self._line_end(0))
                return
            found = re.search(rb"\n\\\.\r?\n", self._buffer)
            if found is not None:
                yield bytes(self._take(found.start() + 1))
                self._take(self._line_end(0))
                return
            if self._ended and self._buffer.endswith((b"\n\\.", b"\n\\.\r")):
                yield bytes(self._take(self._buffer.rindex(b"\n\\.") + 1))
                self._buffer.clear()
                return
            if self._ended:
                raise DrillError("the dump ends within a table's rows: it was cut off")
            ready = len(self._buffer) - 4
            if ready > 0:
                fresh = self._buffer[ready - 1] == ord("\n")
                yield bytes(self._take(ready))
            self._fill()


def _shown(text: bytes) -> str:
    return text.decode(errors="replace").strip()
