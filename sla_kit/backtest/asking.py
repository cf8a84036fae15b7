"""Expressions over long stretches of time, asked of a Prometheus API piece by piece.

A piece that is too large is asked for in halves. An expression that fails on some data (two series where one must be)
is asked for in ever shorter pieces, until it is known at which evaluations it fails: a rule that fails at three o'clock
works at four.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from sla_kit.errors import SourceError
from sla_kit.sources.connection import Connection, QueryRefusedError, QueryTooLargeError
from sla_kit.sources.decode import RangeAnswer, decode_series, read_answer
from sla_kit.sources.fetching import FIRST_POINTS, MOST_POINTS, SAMPLES
from sla_kit.timeline import Floats, Grid, Mask

_PAIRS = msgspec.json.Decoder(list[tuple[float, str]])
#: Requests that may be spent on finding where one expression fails within one stretch, and how many of them to the
#: very evaluation; those after tell it to within ``_ROUGHLY``.
_SEARCHES, _EXACT, _ROUGHLY = 200, 60, 16
#: A server that is told how long we wait says in time that it takes longer.
_MARGIN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Answer:
    """What an expression was at the ends of ``grid``: the ``labels`` of each series, its ``values`` (series, count)
    and where it is ``present``, NaN being a value like any other."""

    grid: Grid
    labels: tuple[dict[str, str], ...]
    values: Floats
    present: Mask


@dataclass(frozen=True, slots=True)
class Failed:
    """Evaluations at the ends of ``grid`` that fail, as ``said``."""

    grid: Grid
    said: str


class Asker:
    """Asks one server. May be used by several threads at once; ``warnings`` collects what the server warned of."""

    def __init__(self, connection: Connection, timeout_seconds: float) -> None:
        self.connection = connection
        self.warnings: dict[str, None] = {}
        self._timeout = max(1.0, timeout_seconds - _MARGIN_SECONDS)

    @property
    def name(self) -> str:
        """The server's address without secrets."""
        return self.connection.name

    def close(self) -> None:
        """Closes the connections."""
        self.connection.close()

    def refusal(self, expression: str) -> str:
        """Why the server takes an expression for no PromQL, "" where it takes it. It is asked at the beginning of time,
        where there is no data, so the answer costs nothing."""
        try:
            self.connection.post("/api/v1/query", {"query": expression, "time": "0"}, "an expression")
        except QueryRefusedError as error:
            return error.said.removeprefix('invalid parameter "query": ') or f"status {error.status}"
        except QueryTooLargeError:
            pass
        return ""

    def walk(self, expression: str, grid: Grid) -> Iterator[Answer | Failed]:
        """The expression over the whole grid, in pieces in order of time. Raises `SourceError` for a server that does
        not answer, and where even one evaluation is too much for it."""
        waiting = [(grid.start, grid.count)] if grid.count else []
        points, searches = FIRST_POINTS, 0
        while waiting:
            start, count = waiting.pop()
            if count > min(points, MOST_POINTS):
                taken = min(points, MOST_POINTS)
                waiting.append((start + taken * grid.step, count - taken))
                count = taken
            piece = Grid(start, grid.step, count)
            try:
                answer = self.ask(expression, piece)
            except QueryTooLargeError:
                if count == 1:
                    raise
                points = max(1, count // 2)
                waiting.append((start, count))
                continue
            except QueryRefusedError as error:
                if error.status == 400:
                    raise
                if count <= (1 if searches < _EXACT else _ROUGHLY) or searches >= _SEARCHES:
                    yield Failed(piece, error.said or str(error))
                    continue
                searches += 1
                half = count // 2
                waiting += [(start + half * grid.step, count - half), (start, half)]
                continue
            if answer.labels:
                points = max(1, min(SAMPLES // len(answer.labels), 4 * max(count, points // 4)))
            else:
                points = max(points, min(MOST_POINTS, 4 * count))
            yield answer

    def ask(self, expression: str, grid: Grid) -> Answer:
        """One request."""
        form = {
            "query": expression,
            "start": str(grid.start + grid.step),
            "end": str(grid.end),
            "step": str(grid.step),
            "timeout": f"{self._timeout:g}s",
        }
        about = expression if len(expression) <= 160 else expression[:150] + "…"
        body = self.connection.post("/api/v1/query_range", form, about)
        try:
            outline = read_answer(body)
            if outline.status != "success" or outline.data.resultType != "matrix":
                raise ValueError(f"{outline.data.resultType or outline.status} instead of a matrix")
            for text in outline.warnings or ():
                self.warnings[text] = None
            return _decoded(outline, grid, b'"NaN"' in body)
        except ValueError as error:
            raise SourceError(
                f"the answer to {about} can't be read: {error}",
                place=self.name,
                remedy="a proxy may have cut it short; check that the address is a Prometheus API",
            ) from error


def _decoded(outline: RangeAnswer, grid: Grid, with_nan: bool) -> Answer:
    series = outline.data.result
    labels = tuple(one.metric for one in series)
    if not with_nan and all(bytes(one.values) for one in series):
        values = decode_series(series, grid).values
        return Answer(grid, labels, values, ~np.isnan(values))
    values = np.full((len(series), grid.count), np.nan)
    present = np.zeros((len(series), grid.count), dtype=np.bool_)
    for row, one in enumerate(series):
        for raw, native in ((one.values, False), (one.histograms, True)):
            if not bytes(raw):
                continue
            # A native histogram is a value that no alert's label can show.
            pairs = [(time, "NaN") for time, _ in msgspec.json.decode(raw)] if native else _PAIRS.decode(raw)
            for time, text in pairs:
                column = round((time - grid.start) / grid.step) - 1
                if 0 <= column < grid.count:
                    values[row, column], present[row, column] = float(text), True
    return Answer(grid, labels, values, present)
