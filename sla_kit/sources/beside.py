"""Several sources read at the same time, with as many answers kept ready as the engine is behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sla_kit.sources import Indicator, Progress, Source

if TYPE_CHECKING:
    from sla_kit.timeline import Grid, Timeline

#: Timelines that wait to be judged; a source that is ahead of the engine waits then.
_AHEAD = 16


def side_by_side(
    work: Sequence[tuple[Source, list[Indicator]]], grid: Grid, progress: Progress, workers: int
) -> Iterator[tuple[Indicator, Timeline]]:
    """Each indicator with its timeline, as the sources answer what each is asked for, ``workers`` of them at a time.
    The first error of any ends the reading."""
    found: queue.Queue[tuple[Indicator, Timeline] | _Done] = queue.Queue(_AHEAD)
    stopped = threading.Event()
    told = _Told(progress, len(work))

    def put(item: tuple[Indicator, Timeline] | _Done) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                found.put(item, timeout=0.1)
                return

    def read(number: int, source: Source, wanted: list[Indicator]) -> None:
        try:
            if not stopped.is_set():
                for answer in source.fetch(wanted, grid, told.of(number)):
                    put(answer)
                    if stopped.is_set():
                        return
        finally:
            put(_Done())

    pool = ThreadPoolExecutor(workers, thread_name_prefix="sla-kit-source")
    running: list[Future[None]] = [pool.submit(read, number, *one) for number, one in enumerate(work)]
    try:
        left = len(work)
        while left:
            item = found.get()
            if not isinstance(item, _Done):
                yield item
                continue
            left -= 1
            for future in running:
                if future.done():
                    future.result()
        for future in running:
            future.result()
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


@dataclass(frozen=True, slots=True)
class _Done:
    """A source has answered all."""


class _Told:
    """One progress from several that run at the same time."""

    def __init__(self, progress: Progress, parts: int) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._shares = [0.0] * parts

    def of(self, number: int) -> Progress:
        """The progress of one part."""

        def report(done: int, total: int, what: str) -> None:
            with self._lock:
                self._shares[number] = done / total if total else 1.0
                self._progress(round(1000 * sum(self._shares)), 1000 * len(self._shares), what)

        return report
