"""Long ranges in short requests, several at a time: how a grid is cut, and what to do where a cut is still too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from sla_kit.sources.connection import QueryTooLargeError
from sla_kit.timeline import Grid

#: Prometheus refuses more points a series in one query.
MOST_POINTS = 11_000
#: About as many samples in one answer: some megabytes, a moment of the server's time.
SAMPLES = 200_000
#: The first request of a query tells how many series it has; later ones grow from there.
FIRST_POINTS = 1_000
_GROWTH = 4


class Sized(Protocol):
    """An answer that knows how many series (or as much as so many) it holds."""

    @property
    def weight(self) -> int:
        """Samples per point of time."""
        ...


A = TypeVar("A", bound=Sized)


@dataclass(slots=True)
class _Job:
    """One expression on its way through the grid."""

    expression: str
    grid: Grid
    next: int = 0
    points: int = FIRST_POINTS
    weight: int = 0
    heard: bool = False
    most: int = MOST_POINTS
    running: int = 0
    again: list[Grid] = field(default_factory=list)

    def take(self) -> Grid | None:
        """The next piece to ask for, None where all has been asked."""
        if self.again:
            return self.again.pop()
        if self.next >= self.grid.count:
            return None
        # Until the first answer nobody knows how heavy the next piece would be.
        if self.next and not self.heard:
            return None
        count = min(self.points, self.most, self.grid.count - self.next)
        piece = Grid(self.grid.start + self.next * self.grid.step, self.grid.step, count)
        self.next += count
        return piece

    def answered(self, piece: Grid, weight: int) -> None:
        """Learns from an answer how long the next pieces may be. An empty one teaches nothing: before a metric's first
        sample there is none, and then all of them at once."""
        self.heard = True
        self.weight = max(self.weight, weight)
        if self.weight:
            self.points = max(1, min(SAMPLES // self.weight, _GROWTH * max(piece.count, self.points // _GROWTH)))

    def halve(self, piece: Grid) -> None:
        """Has the two halves of a piece asked for instead of it."""
        half = piece.count // 2
        self.most = min(self.most, max(1, half))
        self.again.append(Grid(piece.start + half * piece.step, piece.step, piece.count - half))
        self.again.append(Grid(piece.start, piece.step, half))

    @property
    def done(self) -> bool:
        """Whether every piece has been answered."""
        return not self.running and not self.again and self.next >= self.grid.count


def fetch_pieces(
    ask: Callable[[str, Grid], A], expressions: Sequence[str], grid: Grid, connections: int
) -> Iterator[tuple[int, Grid, A | None, bool]]:
    """Every expression over the whole grid, piece by piece: the expression's index, the piece, its answer, and whether
    it was that expression's last one. At most ``connections`` requests are under way at any time, the expressions
    served in order, so that answers need not be kept for long.

    A piece that the server finds too large is asked for again in halves; a single bucket that is still too large is
    the server's `QueryTooLargeError`. An empty grid yields one empty answer (None) for each expression.
    """
    if not grid.count:
        yield from ((index, grid, None, True) for index in range(len(expressions)))
        return
    jobs = [_Job(expression, grid) for expression in expressions]
    open_jobs = list(range(len(jobs)))
    running: dict[Future[A], tuple[int, Grid]] = {}
    pool = ThreadPoolExecutor(connections, thread_name_prefix="sla-kit-fetch")
    try:
        while open_jobs:
            for index in open_jobs:
                while len(running) < connections:
                    piece = jobs[index].take()
                    if piece is None:
                        break
                    jobs[index].running += 1
                    running[pool.submit(ask, jobs[index].expression, piece)] = (index, piece)
                if len(running) >= connections:
                    break
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                index, piece = running.pop(future)
                job = jobs[index]
                job.running -= 1
                try:
                    answer = future.result()
                except QueryTooLargeError:
                    if piece.count == 1:
                        raise
                    job.halve(piece)
                    continue
                job.answered(piece, answer.weight)
                if job.done:
                    open_jobs.remove(index)
                yield index, piece, answer, job.done
    finally:
        for future in running:
            future.cancel()
        pool.shutdown(wait=True, cancel_futures=True)
