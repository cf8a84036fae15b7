"""Recorded histories as OpenMetrics text with timestamps, plain or gzipped: the form that
``promtool tsdb create-blocks-from openmetrics`` takes (https://prometheus.io/docs/specs/om/open_metrics_spec/).

Lines come in runs that begin alike: long ones where a recording is ordered by series, of one line where it is ordered
by time. The beginning of a run is looked up once, and the numbers of a whole block of lines are read at once.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sla_kit.errors import SourceError
from sla_kit.history.pieces import Pieces
from sla_kit.history.store import History, Series
from sla_kit.sources.numbers import PADDING, quoted_numbers
from sla_kit.sources.series import Labels, sorted_labels
from sla_kit.timeline import Finding, Floats, Ints

_BLOCK = 1 << 22
_QUOTED = rb'"(?:[^"\\\n]|\\.)*"'
_LABELS = rb"\{(?:[^\"{}\n]|" + _QUOTED + rb")*\}"
_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HEAD = re.compile(rb"(?:" + _NAME + rb"(?:" + _LABELS + rb")?|" + _LABELS + rb")[ \t]+")
_PAIR = re.compile(rb'\s*(?:([a-zA-Z_][a-zA-Z0-9_.]*|"(?:[^"\\]|\\.)*")\s*=\s*)?"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_EXEMPLAR = re.compile(rb"[ \t]+#[^\n]*")
_SPACES = re.compile(rb"[ \t]+")
_LINE_END = re.compile(rb"[ \t\r]+\n")
#: A run is followed line by line for so long, then by ever more lines at once.
_SHORT_RUN = 4
#: Seconds beyond this year-5138 time are milliseconds that somebody forgot to divide.
_LATEST_SECONDS = 1e11


def read(path: Path) -> History:
    """Reads a recording. `SourceError` with file and line for a line that is no sample, and for one cut short: a
    truncated recording must not give figures."""
    try:
        with _opened(path) as stream:
            return _Reading(str(path)).read(stream)
    except (OSError, EOFError, zlib.error) as error:
        raise SourceError(
            f"the recording can't be read: {error}", place=str(path), remedy="check that the copy is complete"
        ) from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as stream:
        zipped = stream.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if zipped else path.open("rb")  # type: ignore[return-value]


class _Reading:
    """One pass over a recording: the samples read so far, and where we are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.heads: dict[bytes, int] = {}  # how a line may begin, and whose it is
        self.pieces = Pieces()
        self.lines = 0  # lines before the block at hand
        self.ended = False

    def read(self, stream: BinaryIO) -> History:
        for block in _blocks(stream):
            self._block(block)
            self.lines += block.count(b"\n")
        if not self.ended:
            raise SourceError(
                "the recording ends without # EOF, so it was cut short",
                place=self._place(0),
                remedy="record or copy it again; a complete one ends with a line # EOF",
            )
        return self._history()

    def _block(self, block: bytes) -> None:
        ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        starts = np.concatenate(([0], ends[:-1] + 1))
        first = np.frombuffer(block, np.uint8)[starts]
        no_sample = np.flatnonzero((first == ord("#")) | (first == ord("\n")) | (first == ord("\r"))).tolist()
        at: list[int] = [*starts.tolist(), len(block)]
        runs, begun = _Runs(), 0
        for line in [*no_sample, ends.size]:
            if begun < line:
                if self.ended:
                    raise self._wrong(block, at[begun], begun + 1, "there are samples after # EOF")
                self._stretch(block, at, begun, line, runs)
            if line < ends.size:
                self.ended |= block[at[line] : at[line + 1]].strip() == b"# EOF"
            begun = line + 1
        if runs.texts:
            numbers = self._numbers(b"".join(runs.texts), np.repeat(runs.firsts, runs.lengths), runs)
            owners = np.repeat(np.array(runs.owners, dtype=np.int32), runs.lengths)
            times = np.rint(numbers[:, 1] * 1000).astype(np.int64)
            self.pieces.add(owners, times, numbers[:, 0].copy())

    def _stretch(self, block: bytes, at: list[int], line: int, until: int, runs: _Runs) -> None:
        """Adds the lines from ``line`` to before ``until``, which all should be samples, to the ``runs``."""
        while line < until:
            start = at[line]
            head = self._head(block, start, at[line + 1], line + 1)
            after = _run_end(block, at, head, line, until)
            text = block[start + len(head) : at[after]]
            if after > line + 1:
                text = text.replace(b"\n" + head, b"\n ")
            if b"#" in text:
                text = _EXEMPLAR.sub(b"", text)
            runs.texts.append(b" ")
            runs.texts.append(text)
            runs.owners.append(self.heads[head])
            runs.firsts.append(line)
            runs.lengths.append(after - line)
            line = after

    def _head(self, block: bytes, start: int, end: int, line: int) -> bytes:
        """How the line begins: what stands before its value, with the space."""
        cut = block.rfind(b" ", start, block.rfind(b" ", start, end)) + 1
        head = block[start:cut]
        if head in self.heads:
            return head
        match = _HEAD.match(block, start, end)
        if match is None:
            raise self._wrong(block, start, line, "this is no sample")
        head = match.group()
        if head not in self.heads:
            self.heads[head] = self.pieces.number(self._series_of(head.rstrip(), line))
        return head

    def _numbers(self, text: bytes, firsts: Ints, runs: _Runs) -> Floats:
        """The values and times of lines of which only the numbers are left, shape (lines, 2)."""
        lines = firsts + np.arange(firsts.size) - np.repeat(np.cumsum(runs.lengths) - runs.lengths, runs.lengths) + 1
        if not _two_each(text, lines.size):
            text = _SPACES.sub(b" ", _LINE_END.sub(b"\n", text))
            if not _two_each(text, lines.size):
                raise self._blame(text, lines)
        try:
            quoted = text[1:-1].replace(b"\n ", b'""').replace(b" ", b'""')
            numbers = quoted_numbers(PADDING + b'"' + quoted + b'"')[0].reshape(lines.size, 2)
        except ValueError:
            raise self._blame(text, lines) from None
        late = np.flatnonzero(~(np.abs(numbers[:, 1]) < _LATEST_SECONDS))
        if late.size:
            raise SourceError(
                "its time is not in seconds",
                place=self._place(int(lines[late[0]])),
                remedy="OpenMetrics times are seconds since 1970; divide milliseconds by 1000",
            )
        return numbers

    def _blame(self, text: bytes, lines: Ints) -> SourceError:
        """The error for the first line that does not hold a value and a time."""
        for number, found in zip(lines.tolist(), text.split(b"\n"), strict=False):
            words, place = found.split(), self._place(number)
            if len(words) == 1:
                return SourceError("the sample has no time", place=place, remedy="a recording needs one on every line")
            if len(words) != 2:
                shown = found[:60].decode(errors="replace").strip()
                return SourceError(f"{shown!r} is no value and time", place=place, remedy="see docs/history.md")
            for word in words:
                if not _is_number(word):
                    shown = word[:40].decode(errors="replace")
                    return SourceError(f"{shown!r} is no number", place=place, remedy="see docs/history.md")
        return SourceError("numbers can't be read", place=self._place(int(lines[0])), remedy="see docs/history.md")

    def _wrong(self, block: bytes, position: int, line: int, what: str) -> SourceError:
        shown = block[position : position + 60].split(b"\n")[0].decode(errors="replace")
        remedy = 'write OpenMetrics: name{label="value"} 1 1790000000'
        return SourceError(f"{what}: {shown!r}", place=self._place(line), remedy=remedy)

    def _place(self, line: int) -> str:
        """A line of the block at hand, the first being 1."""
        return f"{self.name}:{self.lines + line}"

    def _history(self) -> History:
        self.pieces.finish()
        findings = []
        if unordered := self.pieces.backwards:
            findings.append(
                Finding("clock-backwards", f"times run backwards in {unordered} series of {self.name}", unordered)
            )
        return History(self.pieces, findings)

    def _series_of(self, head: bytes, line: int) -> tuple[str, Labels]:
        name, brace, rest = head.partition(b"{")
        labels: dict[str, str] = {}
        metric = name.decode()
        body = rest[:-1].strip() if brace else b""
        position = 0
        while position < len(body):
            match = _PAIR.match(body, position)
            if match is None:
                raise self._wrong(head, 0, line, "its labels can't be read")
            key, raw = match.groups()
            try:
                label = None if key is None else _text(key[1:-1] if key.startswith(b'"') else key)
                value = _text(raw)
            except UnicodeDecodeError:
                # To read them with a stand-in would make one series of several.
                raise self._wrong(head, 0, line, "its labels are no UTF-8") from None
            if label in labels:
                raise self._wrong(head, 0, line, f"it has the label {label!r} twice")
            if label is None:
                metric = value  # a quoted name of Prometheus 3: {"http.requests", code="200"}
            else:
                labels[label] = value
            position = match.end()
        if not metric:
            raise self._wrong(head, 0, line, "the metric has no name")
        return metric, sorted_labels(labels)


class _Runs:
    """Runs of lines that begin alike: whose each is, its first line (from 0) and its length in lines; ``texts`` is
    what is left of them when their beginnings are taken away: a space, the value, a space, the time, line by line."""

    def __init__(self) -> None:
        self.texts: list[bytes] = []
        self.owners, self.firsts, self.lengths = array("q"), array("q"), array("q")


def _run_end(block: bytes, at: list[int], head: bytes, line: int, until: int) -> int:
    """The first line after ``line`` that does not begin with ``head``, at most ``until``."""
    after = line + 1
    while after < until and after - line < _SHORT_RUN:
        if not block.startswith(head, at[after]):
            return after
        after += 1
    wanted, several = b"\n" + head, _SHORT_RUN
    while after < until:
        several = min(several, until - after)
        if block.count(wanted, at[after] - 1, at[after + several - 1] + len(head)) == several:
            after += several
            several *= 2
        elif several == 1:
            return after
        else:
            several = max(1, several // 4)
    return after


def _two_each(text: bytes, lines: int) -> bool:
    """Whether every line is a space, a word, a space and a word, and none of the words could mislead the reader of
    numbers."""
    if b'"' in text or b"_" in text:
        return False
    characters = np.frombuffer(text, np.uint8)
    gaps = np.flatnonzero(characters <= ord(" "))
    if gaps.size != 3 * lines:
        return False
    return bool((characters[gaps].reshape(lines, 3) == (ord(" "), ord(" "), ord("\n"))).all()) and text[0:1] == b" "


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return b"_" not in word


def _text(raw: bytes) -> str:
    text = raw.decode()
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text) if "\\" in text else text


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The stream in large pieces that end with a line."""
    rest = b""
    while True:
        piece = stream.read(_BLOCK)
        if not piece:
            break
        piece = rest + piece
        cut = piece.rfind(b"\n") + 1
        rest = piece[cut:]
        if cut:
            yield piece[:cut]
    if rest:
        yield rest + b"\n"


# --- writing --------------------------------------------------------------------------------------------------------

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_count", "_sum")}


def write(history: History, path: Path, types: Mapping[str, str]) -> None:
    """Writes a recording; gzipped where the name ends in .gz.

    ``types`` gives the type of each metric family by the family's name (a counter's without ``_total``, a histogram's
    without ``_bucket``); families that are not named are gauges. Series of one family stand together.
    """
    families: dict[str, list[Series]] = {}
    for one in history.series:
        families.setdefault(_family(one.metric, types), []).append(one)
    with gzip.open(path, "wb", compresslevel=3) if path.suffix == ".gz" else path.open("wb") as out:
        for family, members in families.items():
            out.write(f"# TYPE {family} {types.get(family, 'gauge')}\n".encode())
            for one in members:
                out.write(_lines(one))
        out.write(b"# EOF\n")


def _family(metric: str, types: Mapping[str, str]) -> str:
    for kind, suffixes in _SUFFIXES.items():
        for suffix in suffixes:
            if metric.endswith(suffix) and types.get(metric.removesuffix(suffix)) == kind:
                return metric.removesuffix(suffix)
    return metric


def _lines(series: Series) -> bytes:
    labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in series.labels)
    head = f"{series.metric}{{{labels}}} " if labels else f"{series.metric} "
    values = [_number(value) for value in series.values.tolist()]
    times = [f"{ms // 1000}" if ms % 1000 == 0 else f"{ms / 1000:.3f}" for ms in series.times.tolist()]
    return "".join([f"{head}{value} {time}\n" for value, time in zip(values, times, strict=True)]).encode()


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    whole = value.is_integer() and abs(value) < 1e15 and (value or math.copysign(1, value) > 0)  # -0 stays -0
    return str(int(value)) if whole else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
