"""Collections in the background: each collector at its own pace, in a thread of its own, with an end that holds."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sla_kit.errors import SecretError
from sla_kit.exporters.sidecar.collector import Capped, CollectError, Collector, Keeping, Schedule, without_secret
from sla_kit.exporters.sidecar.limiting import limited
from sla_kit.exporters.sidecar.snapshot import Snapshot
from sla_kit.exporters.sidecar.store import Store

_log = logging.getLogger(__name__)
#: After a failure a collector is asked again so soon, then twice as late each time, up to its interval.
_FIRST_RETRY_SECONDS = 5.0
_Result = TypeVar("_Result")
_Ended = Snapshot | CollectError


class Collecting:
    """Runs collectors and puts what they bring into a store. All methods belong to one event loop."""

    def __init__(self, store: Store, *, chance: random.Random | None = None) -> None:
        self._store = store
        self._chance = chance or random.Random()  # noqa: S311  # to spread load, not to keep secrets
        self._runs: dict[str, _Run] = {}

    async def reconcile(self, collectors: Iterable[Collector]) -> None:
        """Runs these from now on: those that run already go on, others end, new ones begin at once."""
        wanted = {collector.name: collector for collector in collectors}
        ended = [run for name, run in self._runs.items() if wanted.get(name) != run.collector]
        for run in ended:
            del self._runs[run.collector.name]
            run.end()
        self._store.expect(wanted)
        for name, collector in wanted.items():
            if name not in self._runs:
                run = self._runs[name] = _Run(collector, self._store, self._chance)
                run.begin()

    async def stop(self, seconds: float) -> None:
        """Ends all; waits for collections that run for at most ``seconds``, and leaves those that hang behind."""
        runs, self._runs = list(self._runs.values()), {}
        for run in runs:
            run.end()
        busy = [run.closed for run in runs]
        if busy:
            await asyncio.wait(busy, timeout=seconds)

    async def once(self, collectors: Sequence[Collector]) -> dict[str, CollectError]:
        """Each collects once, all at a time, and keeps nothing of it; what failed, by collector."""
        self._store.expect(collector.name for collector in collectors)
        once = [each.rehearsing() if isinstance(each, Keeping) else each for each in collectors]
        runs = [_Run(collector, self._store, self._chance, once=True) for collector in once]
        ends = await asyncio.gather(*(run.collect() for run in runs))
        return {run.collector.name: end for run, end in zip(runs, ends, strict=True) if isinstance(end, CollectError)}


class _Run:
    """One collector that runs, until it is told to end."""

    def __init__(self, collector: Collector, store: Store, chance: random.Random, *, once: bool = False) -> None:
        self.collector = collector
        self._store = store
        self._chance = chance
        self._once = once
        self._task: asyncio.Task[None] | None = None
        self._thread: asyncio.Future[_Ended] | None = None
        self._failures = 0
        #: Metrics that had too many series the last time.
        self._crowded: frozenset[str] = frozenset()
        #: Why the last collection failed, "" where it did not.
        self._kind = ""
        #: Done once nothing of it runs any more and its collector is closed.
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def begin(self) -> None:
        self._task = asyncio.create_task(self._run(), name=f"collector {self.collector.name}")

    def end(self) -> None:
        """Ends it now, but for a thread that still collects: the collector is closed after that."""
        if self._task is not None:
            self._task.cancel()
        if self._thread is None or self._thread.done():
            self._close()
        else:
            self._thread.add_done_callback(lambda _: self._close())

    async def collect(self) -> _Ended:
        """One collection, told to the store; after its timeout it has failed, whatever it goes on to do."""
        began = time.monotonic()
        schedule = self.collector.schedule
        self._thread = _in_thread(self.collector.name, lambda: self._collected(began, schedule))
        done, _ = await asyncio.wait([self._thread], timeout=schedule.timeout_seconds)
        end: _Ended
        if done:
            end = self._thread.result()
        else:
            end = CollectError("timeout", f"was not done after {schedule.timeout_seconds:g} s")
        seconds = time.monotonic() - began
        if isinstance(end, Snapshot):
            self._store.succeeded(self.collector.name, end, seconds)
        else:
            self._store.failed(self.collector.name, end.kind, seconds)
        self._tell(end, seconds)
        return end

    async def _run(self) -> None:
        while True:
            began = time.monotonic()
            await self.collect()
            if self._thread is not None and not self._thread.done():
                await asyncio.wait([self._thread])  # a second thread would hang as well
            passed = time.monotonic() - began
            await asyncio.sleep(max(0.0, self._wait() - passed))

    def _wait(self) -> float:
        """How long after the beginning of a collection the next one begins, in seconds."""
        schedule = self.collector.schedule
        wait = schedule.interval_seconds
        if self._failures:
            wait = min(wait, _FIRST_RETRY_SECONDS * 2.0 ** min(self._failures - 1, 20))
        spread = schedule.jitter_ratio * wait
        return wait + self._chance.uniform(-spread, spread)

    def _collected(self, began: float, schedule: Schedule) -> _Ended:
        """In the collector's thread: its metrics, written as text already."""
        collector, store = self.collector, self._store
        try:
            families = list(collector.collect(began + schedule.timeout_seconds))
            before = store.before(collector.name)
            most = collector.max_series if isinstance(collector, Capped) else store.max_series_per_metric
            found = limited(families, most, before.families if before else ())
            taken = time.monotonic()
            # Halted processes and lost threads: nothing is served for longer than a second miss would take.
            lasts = 2 * (1 + schedule.jitter_ratio) * schedule.interval_seconds + schedule.timeout_seconds
            if self._once:  # what the slowest of all takes may be longer than that
                lasts = math.inf
            return Snapshot(found, taken, taken + lasts, tuple(store.forms))
        except CollectError as error:
            return error
        except SecretError as error:
            return without_secret(error)
        except UnicodeEncodeError:  # JSON can hold such; it would quote the value
            return CollectError("data", "a label's value holds half a character, which no text in UTF-8 can")
        except BaseException as error:  # SystemExit, too: a thread that ends untold would be waited for for ever
            _log.exception("a collector broke", extra={"collector": collector.name})
            return CollectError("internal", f"{type(error).__name__} in the collector; the log has more")

    def _tell(self, end: _Ended, seconds: float) -> None:
        about = {"collector": self.collector.name, "seconds": round(seconds, 3)}
        if isinstance(end, CollectError):
            self._failures += 1
            level = logging.DEBUG if end.kind == self._kind else logging.WARNING
            self._kind = end.kind
            _log.log(level, "collecting failed: %s", end, extra={**about, "kind": end.kind, "times": self._failures})
            return
        if self._failures:
            _log.info("collecting goes well again", extra={**about, "failed": self._failures})
        self._failures, self._kind = 0, ""
        for metric, count in end.dropped.items():
            level = logging.DEBUG if metric in self._crowded else logging.WARNING
            _log.log(level, "too many series", extra={**about, "metric": metric, "dropped": count})
        self._crowded = frozenset(end.dropped)
        for metric, count in end.repeated.items():
            _log.warning("the same labels twice", extra={**about, "metric": metric, "repeated": count})

    def _close(self) -> None:
        def close() -> None:
            try:
                self.collector.close()
            except BaseException:
                _log.exception("closing failed", extra={"collector": self.collector.name})

        def closed(_: asyncio.Future[None]) -> None:
            if not self.closed.done():
                self.closed.set_result(None)

        _in_thread(self.collector.name, close).add_done_callback(closed)


def _in_thread(name: str, work: Callable[[], _Result]) -> asyncio.Future[_Result]:
    """Runs ``work``, which must not raise, in a new thread.

    No pool: one that hangs would keep a place in it for ever, and the interpreter waits for a pool's threads at its
    end.
    """
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Result] = loop.create_future()

    def tell(result: _Result) -> None:
        if not future.done():
            future.set_result(result)

    def run() -> None:
        result = work()
        with contextlib.suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=run, name=name, daemon=True).start()
    return future
