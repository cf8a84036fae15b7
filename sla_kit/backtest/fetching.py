"""The raw samples that rules read, fetched from a live server in pieces of time, each kept as soon as it is there.

Pieces begin at multiples of their length, so that a run that was killed, or one a day later, finds again what it has.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from sla_kit.backtest.expressions import Reading
from sla_kit.backtest.kept import State, digest
from sla_kit.backtest.needs import Need
from sla_kit.backtest.raw_samples import decoded, packed, unpacked
from sla_kit.errors import SourceError
from sla_kit.history.store import Key, Series
from sla_kit.selectors import Selector, quote
from sla_kit.sources import Progress
from sla_kit.sources.connection import Connection, QueryTooLargeError
from sla_kit.sources.decode import read_answer

#: About as many samples in one answer, and in one file; and how far apart samples are taken to be at first.
_ANSWER_SAMPLES, _FILE_SAMPLES, _APART_SECONDS = 200_000, 1_000_000, 15
#: Lengths of pieces, seconds.
_LENGTHS = (604_800, 86_400, 21_600, 3_600, 600)
#: A server that is told how long we wait says in time that it takes longer.
_MARGIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Piece:
    """Some series over a stretch of time: ``start`` excluded, ``end`` included, epoch seconds."""

    selector: str
    start: int
    end: int
    series: int


class _Names(msgspec.Struct):
    """An answer of ``/api/v1/series``, its series not read."""

    data: list[msgspec.Raw] = []


class Fetching:
    """Fetches from one server; ``identity`` tells it from others."""

    def __init__(
        self, connection: Connection, timeout_seconds: float, identity: str, state: State, at_once: int
    ) -> None:
        self._connection = connection
        self._timeout = max(1.0, timeout_seconds - _MARGIN_SECONDS)
        self._identity = identity
        self._state = state
        self._at_once = at_once
        self._counts = True  # whether it answers how many series it has

    def planned(self, needed: Sequence[Need], end: int, known: frozenset[str]) -> list[tuple[str, list[Piece]]]:
        """What is to be fetched, by metric: the pieces in order of time, selector by selector. ``known`` are metrics
        that are surely there; of the others the server is asked, and what it has none of is not fetched."""
        begins = _begins(needed)
        selectors = [(metric, text) for metric in begins for text in sorted(map(_selector, _widest(needed, metric)))]
        with ThreadPoolExecutor(self._at_once, thread_name_prefix="sla-kit-fetch") as pool:
            counts = list(pool.map(lambda each: self._count(each[1], begins[each[0]], end), selectors))
        found: dict[str, list[Piece]] = {}
        for (metric, text), count in zip(selectors, counts, strict=True):
            if count or count is None or metric in known:
                found.setdefault(metric, []).extend(_pieces(text, begins[metric], end, count or 0))
        return list(found.items())

    def fetch(self, pieces: Sequence[Piece], progress: Progress) -> None:
        """Fetches what is not there yet. Raises `SourceError`."""
        missing = [one for one in pieces if not self._state.has_samples(self._name(one))]
        done, ended = len(pieces) - len(missing), threading.Event()

        def work(piece: Piece) -> Piece:
            found = self._fetched(piece, ended)
            if not ended.is_set():  # else it may be cut short
                self._state.put_samples(self._name(piece), packed(found))
            return piece

        pool = ThreadPoolExecutor(self._at_once, thread_name_prefix="sla-kit-fetch")
        try:
            waiting = {pool.submit(work, piece) for piece in missing}
            while waiting:
                finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    piece = future.result()
                    done += 1
                    progress(done, len(pieces), f"fetching {piece.selector.partition('{')[0] or 'samples'}")
        finally:
            ended.set()  # the first error ends it all
            pool.shutdown(wait=True, cancel_futures=True)

    def series(self, planned: Sequence[tuple[str, Sequence[Piece]]], left_out: frozenset[str]) -> Iterator[Series]:
        """What was fetched: parts of series, those of one series in order of time and each sample once."""
        seen: dict[Key, str] = {}
        several = len({piece.selector for _, pieces in planned for piece in pieces}) > len(planned)
        several = several or any(not metric for metric, _ in planned)
        for metric, pieces in planned:
            for piece in pieces:
                for one in self._kept(piece):
                    if not metric and one.metric in left_out:
                        continue
                    # A series that two selectors select comes by the first one.
                    if not several or seen.setdefault((one.metric, one.labels), piece.selector) == piece.selector:
                        yield one

    def first(self, pieces: Sequence[Piece]) -> float | None:
        """When the first sample is, epoch seconds."""
        earliest: int | None = None
        for piece in sorted(pieces, key=lambda one: one.start):
            if earliest is not None and piece.start * 1000 >= earliest:
                break
            times = [int(one.times[0]) for one in self._kept(piece) if one.times.size]
            earliest = min(times if earliest is None else [earliest, *times], default=None)
        return None if earliest is None else earliest / 1000

    def _kept(self, piece: Piece) -> list[Series]:
        content = self._state.find_samples(self._name(piece))
        assert content is not None, "it was fetched before"
        return unpacked(content)

    def _name(self, piece: Piece) -> str:
        return digest(self._identity, piece.selector, piece.start, piece.end)

    def _count(self, selector: str, since: float, end: int) -> int | None:
        """How many series a server has of a selector, None where it can't tell."""
        form = {"match[]": selector, "start": f"{since:.0f}", "end": str(end)}
        if self._counts:
            try:
                body = self._connection.post("/api/v1/series", form, f"the series of {selector}")
                return len(msgspec.json.decode(body, type=_Names).data)
            except (SourceError, msgspec.MsgspecError):  # what is wrong is told where it matters
                self._counts = False
        return None

    def _fetched(self, piece: Piece, ended: threading.Event) -> list[Series]:
        """The samples of a piece; what is too much at once is asked for in halves."""
        parts: dict[Key, list[Series]] = {}
        at, length = piece.start, max(1, _ANSWER_SAMPLES * _APART_SECONDS // max(1, piece.series))
        while at < piece.end and not ended.is_set():
            until = min(piece.end, at + length)
            try:
                found = self._ask(piece.selector, at, until)
            except QueryTooLargeError:
                if until - at == 1:
                    raise
                length = (until - at) // 2
                continue
            count = sum(one.times.size for one in found)
            for one in found:
                parts.setdefault((one.metric, one.labels), []).append(one)
            length = max(1, min(4 * length, _ANSWER_SAMPLES * (until - at) // max(1, count)))
            at = until
        return [
            Series(
                metric,
                labels,
                np.concatenate([one.times for one in several]),
                np.concatenate([s.values for s in several]),
            )
            for (metric, labels), several in sorted(parts.items())
        ]

    def _ask(self, selector: str, start: int, end: int) -> list[Series]:
        form = {"query": f"{selector}[{end - start}s]", "time": str(end), "timeout": f"{self._timeout:g}s"}
        body = self._connection.post("/api/v1/query", form, f"the samples of {selector}")
        try:
            outline = read_answer(body)
            if outline.status != "success" or outline.data.resultType != "matrix":
                raise ValueError(f"{outline.data.resultType or outline.status} instead of a matrix")
            found = list(decoded(outline.data.result))
        except ValueError as error:
            raise SourceError(
                f"the samples of {selector} can't be read: {error}",
                place=self._connection.name,
                remedy="a proxy may have cut them short; check that the address is a Prometheus API",
            ) from error
        # Prometheus 2 counts a sample at the very beginning in, Prometheus 3 does not.
        within = [np.searchsorted(one.times, (start * 1000, end * 1000), side="right") for one in found]
        return [
            replace(one, times=one.times[low:high], values=one.values[low:high])
            for one, (low, high) in zip(found, within, strict=True)
            if high > low
        ]


def _one(parts: Sequence[Series]) -> Series:
    """The parts of one series, which are in order of time, as one."""
    times, values = [one.times for one in parts], [one.values for one in parts]
    return replace(parts[0], times=np.concatenate(times), values=np.concatenate(values))


def _begins(needed: Sequence[Need]) -> dict[str, float]:
    """From when on each metric is read. A selector that names none may read series of all: then all from then on."""
    found: dict[str, float] = {}
    for need in needed:
        metric = need.reading.metric
        found[metric] = min(need.begin, found.get(metric, need.begin))
    if "" in found:
        least = min(found.values())
        return dict.fromkeys(sorted(found, key=lambda name: (not name, name)), least)
    return dict(sorted(found.items()))


def _widest(needed: Sequence[Need], metric: str) -> list[Reading]:
    """The selectors of a metric without those that only select part of what another one does."""
    each = {need.reading for need in needed if need.reading.metric == metric}
    matchers = {reading: frozenset(reading.matchers) if reading.plain else frozenset() for reading in each}
    return [one for one in each if not any(matchers[other] < matchers[one] for other in each)]


def _selector(reading: Reading) -> str:
    """A selector as it is asked."""
    name = reading.metric
    if not name or name.replace(":", "_").isidentifier():
        return Selector(name, reading.matchers if reading.plain else ()).promql()
    inner = Selector("", reading.matchers if reading.plain else ()).promql()[1:-1]
    return "{" + ",".join(part for part in (quote(name), inner) if part) + "}"


def _pieces(selector: str, begin: float, end: int, series: int) -> list[Piece]:
    per_second = series / _APART_SECONDS
    length = next((each for each in _LENGTHS if each * per_second <= _FILE_SAMPLES), _LENGTHS[-1])
    found = []
    start = int(begin)
    first = start // length * length
    for at in range(first, end, length):
        found.append(Piece(selector, at, min(at + length, end), series))
    return found
