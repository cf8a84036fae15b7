"""A Prometheus HTTP API as a source of history: Prometheus 2 and 3, and what speaks like them (Thanos, Mimir,
VictoriaMetrics)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from prometheus_api_client import PrometheusConnect

from sla_kit.errors import SourceError
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.connection import Connection, connect, secrets_of
from sla_kit.sources.decode import Decoded, RangeAnswer, decode_series, read_answer
from sla_kit.sources.fetching import fetch_pieces
from sla_kit.sources.frames import FrameBuilder, Notes
from sla_kit.sources.native import NativeSamples, native_histogram, read_native_samples
from sla_kit.sources.planning import Plan, plans
from sla_kit.sources.series import Labels, Selector, SeriesFrame, SeriesQuery
from sla_kit.sources.settings import Address, Settings
from sla_kit.timeline import Finding, Floats, Grid, Histogram, Mask, Timeline

#: Requests under way at the same time.
CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class _Piece:
    """The answer to one request."""

    decoded: Decoded
    outline: RangeAnswer

    @property
    def weight(self) -> int:
        """Samples per point of time."""
        return len(self.decoded.labels)


@dataclass(frozen=True, slots=True)
class _NativePiece:
    """The answer to one request for native histograms."""

    samples: NativeSamples
    outline: RangeAnswer

    @property
    def weight(self) -> int:
        """Samples per point of time, a histogram counting as many as it has buckets."""
        return self.samples.weight


class PrometheusSource:
    """A source of history behind a Prometheus HTTP API.

    ``client`` is an address or a user's own ``PrometheusConnect``, whose session, headers and authentication are used
    as they are. Nothing is asked before the first read.
    """

    def __init__(
        self,
        client: str | PrometheusConnect,
        settings: Settings | None = None,
        *,
        connections: int = CONNECTIONS,
    ) -> None:
        settings = settings or Settings()
        address = Address.parse(client if isinstance(client, str) else client.url)
        own = connect(address, settings) if isinstance(client, str) else client
        self._connection = Connection(own, address, settings.timeout_seconds, secrets_of(own, address, settings))
        self._connections = connections
        self._edge_ms: int | None = None

    def __repr__(self) -> str:
        return f"PrometheusSource({self.name!r})"

    @property
    def name(self) -> str:
        """The address without secrets."""
        return self._connection.name

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return self._connection.requests

    def span(self) -> tuple[int, int] | None:
        """None: no API says cheaply how far back a server remembers."""
        return None

    def close(self) -> None:
        """Closes the connections."""
        self._connection.close()

    def give_up_at(self, until: float) -> None:
        """Has reading end by then (of `time.monotonic`) with a `SourceError` where it is not done."""
        self._connection.until = until

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline."""
        from sla_kit.sources.indicators import fetch_timelines

        return fetch_timelines(self, indicators, grid, progress)

    def read(
        self, queries: Sequence[SeriesQuery], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[SeriesQuery, SeriesFrame]]:
        """Each query with its answer, each exactly once, as they come."""
        planned = plans(queries)
        building: dict[int, dict[SeriesQuery, FrameBuilder]] = {}
        notes: dict[int, Notes] = {}
        done, everything = 0, grid.count * len(planned)
        window = self._window_ms(grid) if planned and grid.count else 0
        pieces = fetch_pieces(self._ask, [plan.promql(window) for plan in planned], grid, self._connections)
        for index, piece, answer, last in pieces:
            plan = planned[index]
            frames = building.setdefault(index, {query: FrameBuilder(grid) for query in plan.owners.values()})
            noted = notes.setdefault(index, Notes())
            if answer is not None:
                _deal(plan, answer.decoded, piece, frames)
                noted.add(answer.outline, piece)
            done += piece.count
            progress(done, everything, plan.selector.metric)
            if last:
                del building[index]
                findings = notes.pop(index).findings()
                for query in list(frames):
                    yield query, frames.pop(query).frame(findings)

    def read_native(self, selector: Selector, grid: Grid) -> tuple[Histogram, Mask, tuple[Finding, ...]]:
        """The observations of native histograms per bucket summed over series, the buckets that were observed
        (count,), and findings."""
        expression = f"last_over_time({selector.promql()}[{self._window_ms(grid)}ms])"
        noted, samples = Notes(), NativeSamples(grid)
        for _, piece, answer, _ in fetch_pieces(self._ask_native, [expression], grid, self._connections):
            if answer is not None:
                samples.extend(answer.samples)
                noted.add(answer.outline, piece)
        histogram, observed, findings = native_histogram(samples, selector.metric)
        return histogram, observed, (*noted.findings(), *findings)

    def read_promql(self, expression: str, grid: Grid) -> tuple[Floats, tuple[Finding, ...]]:
        """An expression at the end of each bucket, its series summed, shape (count,), NaN where it has no value.
        ``$window`` in it stands for the bucket's length."""
        total, noted = np.full(grid.count, np.nan), Notes()
        text = expression.replace("$window", f"{grid.step}s")
        for _, piece, answer, _ in fetch_pieces(self._ask, [text], grid, self._connections):
            if answer is None:
                continue
            noted.add(answer.outline, piece)
            values = answer.decoded.values
            some = ~np.isnan(values).all(axis=0)
            at = (piece.start - grid.start) // grid.step
            total[at : at + piece.count] = np.where(some, np.nansum(values, axis=0), np.nan)
        return total, noted.findings()

    def _window_ms(self, grid: Grid) -> int:
        """The length of range that holds just the samples of one bucket, milliseconds.

        Prometheus 3 and VictoriaMetrics leave out a range's left edge, as a bucket does; Prometheus 2 takes it in, and
        since sample times are whole milliseconds, a range shorter by one of them is the bucket there. Which it is
        shows in the points of a subquery, whatever the server calls itself: two of them fit with both edges.
        """
        if self._edge_ms is None:
            minute = Grid(grid.end // 60 * 60 - 60, 60, 1)
            answer = self._ask("count_over_time(vector(1)[1m:1m])", minute).decoded.values
            self._edge_ms = 0 if answer.size and answer[0, 0] == 1 else 1
        return grid.step * 1000 - self._edge_ms

    def _ask(self, expression: str, piece: Grid) -> _Piece:
        outline = self._query_range(expression, piece)
        try:
            return _Piece(decode_series(outline.data.result, piece), outline)
        except ValueError as error:
            raise self._unreadable(expression, error) from error

    def _ask_native(self, expression: str, piece: Grid) -> _NativePiece:
        outline = self._query_range(expression, piece)
        try:
            return _NativePiece(read_native_samples(outline.data.result, piece), outline)
        except ValueError as error:
            raise self._unreadable(expression, error) from error

    def _query_range(self, expression: str, piece: Grid) -> RangeAnswer:
        form = {
            "query": expression,
            "start": str(piece.start + piece.step),
            "end": str(piece.end),
            "step": str(piece.step),
        }
        body = self._connection.post("/api/v1/query_range", form, _short(expression))
        try:
            outline = read_answer(body)
        except ValueError as error:
            raise self._unreadable(expression, error) from error
        if outline.status != "success" or outline.data.resultType != "matrix":
            kind = outline.data.resultType or outline.status
            raise self._unreadable(expression, ValueError(f"{kind} instead of a matrix"))
        return outline

    def _unreadable(self, expression: str, error: ValueError) -> SourceError:
        return SourceError(
            f"the answer to {_short(expression)} can't be read: {error}",
            place=self.name,
            remedy="a proxy may have cut it short; check that the address is a Prometheus API",
        )


def _short(expression: str) -> str:
    return expression if len(expression) <= 160 else expression[:150] + "…"


def _deal(plan: Plan, decoded: Decoded, piece: Grid, frames: dict[SeriesQuery, FrameBuilder]) -> None:
    """Gives every series of an answer to whom it belongs."""
    owned: dict[SeriesQuery, list[tuple[Labels, Floats]]] = {}
    for row, labels in enumerate(decoded.labels):
        owner = plan.owner(labels)
        if owner is not None:
            owned.setdefault(owner, []).append((plan.owned_labels(labels), decoded.values[row]))
    for owner, series in owned.items():
        frames[owner].add(series, piece)


def open_source(address: str) -> PrometheusSource:
    """The source behind ``http(s)://[user:password@]host[:port][/prefix]``, with what the environment's
    ``SLA_KIT_PROMETHEUS_…`` variables say of authentication."""
    return PrometheusSource(address, Settings.from_environment(os.environ))
