"""Recorded histories as OpenMetrics text with timestamps, plain or gzipped: the form that
``promtool tsdb create-blocks-from openmetrics`` takes (https://prometheus.io/docs/specs/om/open_metrics_spec/).

A recording holds long runs of lines that begin alike, one run a series. The beginning is parsed once a run, the
numbers of the whole run at once.
"""

from __future__ import annotations

import gzip
import re
import warnings
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from sla_kit.errors import SourceError
from sla_kit.history.store import History, Series
from sla_kit.sources.series import Labels, sorted_labels
from sla_kit.timeline import Finding, Floats

_BLOCK = 1 << 24
_QUOTED = rb'"(?:[^"\\\n]|\\.)*"'
_LABELS = rb"\{(?:[^\"{}\n]|" + _QUOTED + rb")*\}"
_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*"
_HEAD = re.compile(rb"(?:" + _NAME + rb"(?:" + _LABELS + rb")?|" + _LABELS + rb")[ \t]+")
_PAIR = re.compile(rb'\s*(?:([a-zA-Z_][a-zA-Z0-9_.]*|"(?:[^"\\]|\\.)*")\s*=\s*)?"((?:[^"\\]|\\.)*)"\s*(?:,|$)')
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_EXEMPLAR = re.compile(rb"[ \t]+#[^\n]*")
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
    """One pass over a recording: what has been read so far of each series, and where in the file we are."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parts: dict[bytes, list[Floats]] = {}
        self.lines = 0  # lines before the block at hand
        self.ended = False

    def read(self, stream: BinaryIO) -> History:
        for block in _blocks(stream):
            self._block(block)
            self.lines += block.count(b"\n")
        if not self.ended:
            raise SourceError(
                "the recording ends without # EOF, so it was cut short",
                place=f"{self.name}:{self.lines}",
                remedy="record or copy it again; a complete one ends with a line # EOF",
            )
        return self._history()

    def _block(self, block: bytes) -> None:
        position, size = 0, len(block)
        while position < size:
            end = block.find(b"\n", position)
            if block.startswith(b"#", position) or end == position or block.startswith(b"\r\n", position):
                self._comment(block[position:end].strip(), block, position)
                position = end + 1
                continue
            if self.ended:
                raise self._wrong(block, position, "there are samples after # EOF")
            match = _HEAD.match(block, position)
            if match is None:
                raise self._wrong(block, position, "this is no sample")
            head, begun, count = match.group(), position, 0
            while block.startswith(head, position):
                position = block.find(b"\n", position) + 1
                count += 1
            numbers = self._numbers(block, begun, position, head, count)
            self.parts.setdefault(head.rstrip(), []).append(numbers)

    def _comment(self, line: bytes, block: bytes, position: int) -> None:
        if line == b"# EOF":
            self.ended = True
        elif line and not line.startswith((b"# HELP ", b"# TYPE ", b"# UNIT ", b"# EOF", b"#")):
            raise self._wrong(block, position, "this is no sample")

    def _numbers(self, block: bytes, begun: int, ended: int, head: bytes, count: int) -> Floats:
        """The values and times of a run of lines that begin with ``head``, shape (count, 2)."""
        text = block[begun:ended].replace(head, b"")
        if b"#" in text:
            text = _EXEMPLAR.sub(b"", text)
        with warnings.catch_warnings():
            warnings.simplefilter("error", DeprecationWarning)
            try:
                numbers = np.fromstring(text, dtype=np.float64, sep=" ")
            except (DeprecationWarning, ValueError):
                numbers = np.empty(0)
        # Two numbers a line, not merely twice as many numbers as lines: a time missing here must not be found there.
        if numbers.size != 2 * count or not all(len(line.split()) == 2 for line in _suspects(text, numbers)):
            self._blame(block, begun, text)
        pairs = numbers.reshape(count, 2)
        late = np.flatnonzero(~(np.abs(pairs[:, 1]) < _LATEST_SECONDS))
        if late.size:
            line = block.count(b"\n", 0, begun) + int(late[0]) + 1
            raise SourceError(
                "its time is not in seconds",
                place=f"{self.name}:{self.lines + line}",
                remedy="OpenMetrics times are seconds since 1970; divide milliseconds by 1000",
            )
        return pairs

    def _blame(self, block: bytes, begun: int, text: bytes) -> None:
        """Raises for the first line of a run that does not hold a value and a time."""
        line = block.count(b"\n", 0, begun)
        for offset, found in enumerate(text.split(b"\n")):
            words = found.split()
            place = f"{self.name}:{self.lines + line + offset + 1}"
            if len(words) == 1:
                raise SourceError("the sample has no time", place=place, remedy="a recording needs one on every line")
            if len(words) > 2:
                raise SourceError(f"{found[:60]!r} is no value and time", place=place, remedy="see docs/history.md")
            for word in words:
                try:
                    float(word)
                except ValueError:
                    shown = word[:40].decode(errors="replace")
                    raise SourceError(f"{shown!r} is no number", place=place, remedy="see docs/history.md") from None
        raise SourceError(
            "numbers here can't be read", place=f"{self.name}:{self.lines + line + 1}", remedy="see docs/history.md"
        )

    def _wrong(self, block: bytes, position: int, what: str) -> SourceError:
        line = block.count(b"\n", 0, position) + self.lines + 1
        shown = block[position : position + 60].split(b"\n")[0].decode(errors="replace")
        return SourceError(
            f"{what}: {shown!r}",
            place=f"{self.name}:{line}",
            remedy='write OpenMetrics: name{label="value"} 1 1790000000',
        )

    def _history(self) -> History:
        merged: dict[tuple[str, Labels], list[Floats]] = {}
        for head, parts in self.parts.items():
            merged.setdefault(self._series_of(head), []).extend(parts)
        series, unordered = [], 0
        for (metric, labels), parts in merged.items():
            numbers = np.concatenate(parts)
            times = np.rint(numbers[:, 1] * 1000).astype(np.int64)
            values = np.ascontiguousarray(numbers[:, 0])
            steps = np.diff(times)
            if (steps <= 0).any():
                unordered += int((steps < 0).any())
                order = np.argsort(times, kind="stable")
                times, values = times[order], values[order]
                last = np.append(np.diff(times) > 0, True)  # of several samples at one time the last one read counts
                times, values = times[last], values[last]
            series.append(Series(metric, labels, times, values))
        findings = []
        if unordered:
            findings.append(
                Finding("clock-backwards", f"times run backwards in {unordered} series of {self.name}", unordered)
            )
        return History(series, findings)

    def _series_of(self, head: bytes) -> tuple[str, Labels]:
        name, brace, rest = head.partition(b"{")
        labels: dict[str, str] = {}
        metric = name.decode()
        body = rest[:-1] if brace else b""
        position = 0
        while position < len(body):
            match = _PAIR.match(body, position)
            if match is None or match.end() == position:
                if body[position:].strip():
                    place = f"{self.name}: series {head[:80].decode(errors='replace')}"
                    raise SourceError("its labels can't be read", place=place, remedy='write {label="value",…}')
                break
            key, value = match.groups()
            if key is None:
                metric = _text(value)  # a quoted name of Prometheus 3: {"http.requests", code="200"}
            else:
                labels[_text(key.strip(b'"'))] = _text(value)
            position = match.end()
        return metric, sorted_labels(labels)


def _suspects(text: bytes, numbers: Floats) -> list[bytes]:
    """The first lines of a run, where they alone tell whether each line holds two numbers.

    Times are about 1.7e9 and never shrink by much; if value and time had changed places somewhere, every later pair
    would be the wrong way round, which the last line shows.
    """
    lines = text.strip().rsplit(b"\n", 1)
    return [text.split(b"\n", 1)[0], lines[-1]]


def _text(raw: bytes) -> str:
    text = raw.decode(errors="replace")
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
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
