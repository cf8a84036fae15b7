"""Lines of files: unpacked, decoded, bounded, with their place; memory does not grow with a file.

What is odd is counted and not hidden: bytes that are no UTF-8, lines cut at the limit, files that end too early.
"""

from __future__ import annotations

import bz2
import glob
import gzip
import hashlib
import io
import lzma
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, cast

import msgspec

from sla_kit.errors import SlaKitError

#: A longer line is cut; nobody writes one on purpose.
LONGEST_LINE_BYTES = 1 << 20
STDIN = "-"
_HEAD_BYTES = 1024
_ROTATED = re.compile(r"(.*?)\.(\d{1,4})(\.(?:gz|bz2|xz|zst))?\Z")
_PACKED = re.compile(r"\.(?:gz|bz2|xz|zst)\Z")


class LogFileError(SlaKitError):
    """A file of log lines can't be read (any further)."""


class Line(msgspec.Struct, frozen=True, gc=False):
    """A line without its end. ``number`` counts from 1, ``head`` is a digest of the file's first line: it stays the
    same when a file is renamed, packed, or written on. ``damaged`` are bytes that were no UTF-8, ``cut`` tells that it
    was longer than the limit, ``ended`` that a line's end followed."""

    file: str
    number: int
    text: str
    head: bytes = b""
    damaged: int = 0
    cut: bool = False
    ended: bool = True


def expand(patterns: Sequence[str]) -> list[str]:
    """The files that names and patterns (``access.log*``) mean, each once, those of a rotation the oldest first: higher
    numbers before lower ones, the file without a number last. Raises `LogFileError` for a pattern that finds none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        if pattern == STDIN or Path(pattern).is_file() or Path(pattern).is_fifo():  # as <(zcat …) is one
            found[pattern] = None
            continue
        # Path.glob takes no absolute patterns.
        names = [name for name in glob.glob(pattern, recursive=True) if Path(name).is_file()]  # noqa: PTH207
        if not names:
            named = Path(pattern).is_dir()
            raise LogFileError(
                "this is a folder" if named else "there is no such file",
                place=pattern,
                remedy=f"name its files: '{pattern.rstrip('/')}/*.log*'" if named else "check the name or the pattern",
            )
        found.update(dict.fromkeys(names))
    return sorted(found, key=_age)


def _age(name: str) -> tuple[str, int, str]:
    rotated = _ROTATED.match(name)
    if rotated:
        return rotated.group(1), -int(rotated.group(2)), name
    return _PACKED.sub("", name), 0, name


def read_lines(file: str, *, longest: int = LONGEST_LINE_BYTES) -> Iterator[Line]:
    """The lines of a file (``-`` is standard input): plain, or packed by gzip, bzip2, xz or (where Python can) zstd.

    Raises `LogFileError` where it can't be opened, and after the last line that could be unpacked of one that is
    damaged.
    """
    name = "standard input" if file == STDIN else file
    try:
        with _opened(file) as stream:
            yield from _lines(name, stream, longest)
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise LogFileError(f"the packed file is damaged: {error}", place=name, remedy="fetch it again") from error
    except OSError as error:
        raise LogFileError(f"can't be read: {error.strerror or error}", place=name, remedy="check the file") from error


def _lines(name: str, stream: IO[bytes], longest: int) -> Iterator[Line]:
    number, head = 0, b""
    while raw := stream.readline(longest + 1):
        number += 1
        ended = raw.endswith(b"\n")
        cut = not ended and len(raw) > longest
        if cut:
            raw, ended = raw[:longest], _skip_rest(stream, longest)
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
            head = hashlib.sha256(raw[:_HEAD_BYTES].rstrip(b"\r\n")).digest()
        raw = raw.rstrip(b"\r\n")
        if b"\0" in raw:  # what a file emptied under its writer begins with
            raw = raw.lstrip(b"\0").replace(b"\0", b"\xef\xbf\xbd")
        try:
            text, damaged = raw.decode(), 0
        except UnicodeDecodeError:
            text = raw.decode(errors="replace")
            damaged = max(1, text.count("\ufffd") - raw.count(b"\xef\xbf\xbd"))
        yield Line(name, number, text, head, damaged, cut, ended)


def _skip_rest(stream: IO[bytes], piece: int) -> bool:
    while rest := stream.readline(piece):
        if rest.endswith(b"\n"):
            return True
    return False


def _opened(file: str) -> IO[bytes]:
    stream: IO[bytes] = sys.stdin.buffer if file == STDIN else Path(file).open("rb")  # noqa: SIM115
    reader = stream if hasattr(stream, "peek") else io.BufferedReader(cast(io.RawIOBase, stream))
    start = cast(io.BufferedReader, reader).peek(8)[:8]
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.GzipFile(fileobj=reader))
    if start.startswith(b"BZh"):
        return bz2.BZ2File(reader)
    if start.startswith(b"\xfd7zXZ\0"):
        return cast(IO[bytes], lzma.LZMAFile(reader))
    if start.startswith(b"\x28\xb5\x2f\xfd"):
        return _zstd(reader, file)
    return reader


def _zstd(stream: IO[bytes], file: str) -> IO[bytes]:
    """Python 3.14 has it; before, the package zstandard does."""
    for module, name in (("compression.zstd", "ZstdFile"), ("zstandard", "open")):
        try:
            found = getattr(import_module(module), name)
        except ImportError:
            continue
        return cast(IO[bytes], found(stream, "rb"))
    raise LogFileError(
        "it is packed by zstd, which this Python can't unpack",
        place=file,
        remedy=f"zstd -dc {file} | sla-kit logs load -, or pip install zstandard",
    )


def sizes(files: Iterable[str]) -> int:
    """The bytes that files hold as they lie there; 0 for standard input."""
    return sum(Path(file).stat().st_size for file in files if file != STDIN)
