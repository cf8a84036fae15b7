"""Many pushes in one commit: what comes while one commit waits for the disk goes into the next."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sla_kit.errors import SlaKitError
from sla_kit.exporters.business.pushed.changes import Change, Reason, RefusedError
from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.gathering import Gathered
from sla_kit.exporters.business.pushed.store import Outcome, Push, Store

Done = TypeVar("Done")
_log = logging.getLogger(__name__)
#: So many pushes may wait for the disk.
_MOST_WAITING = 2_000
_IN_ONE_COMMIT = 500
#: Datagrams are not answered: they may wait a moment, so that a commit has many of them.
_GATHER_SECONDS = 0.2


class Committing:
    """Takes pushes in the event loop and commits them in a thread; outlives a reload of the configuration.

    ``accepted`` counts changes by the way they came, ``dropped`` those that were not taken by way and reason.
    """

    def __init__(self, path: Path | None) -> None:
        self.store = Store(path)
        self.accepted: Counter[str] = Counter()
        self.dropped: Counter[tuple[str, Reason]] = Counter()
        self._waiting: list[tuple[Push, asyncio.Future[Outcome]]] = []
        self._gathered = Gathered()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="pushed")
        self._work: asyncio.Task[None] | None = None
        self._later: asyncio.TimerHandle | None = None
        self._failed = ""
        self._open = False

    async def open(self) -> None:
        """Takes the state. Raises `SlaKitError`."""
        await self._in_thread(self.store.open)
        self._open = True

    async def close(self) -> None:
        """Commits what waits, and lets go of the state."""
        self._open = False
        self._begin()
        while self._work is not None:
            await asyncio.wait([self._work])
        await self._in_thread(self.store.close)

    async def commit(self, push: Push) -> Outcome:
        """Returns once the push is on disk, or refused. Raises `RefusedError` (``overload``, ``state``) where the same
        push may be taken later."""
        if not self._open:
            raise RefusedError("state", "not now: the exporter is starting, reloading or ending")
        if len(self._waiting) >= _MOST_WAITING:
            raise RefusedError("overload", "too many pushes wait for the disk")
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((push, future))
        self._begin()
        return await future

    def gather(self, change: Change) -> None:
        """Takes a change that nobody waits for. Raises `RefusedError` where there are too many."""
        self._gathered.add(change)
        if self._later is None and self._work is None:
            self._later = asyncio.get_running_loop().call_later(_GATHER_SECONDS, self._begin)

    async def expire(self, metrics: list[PushedMetric]) -> None:
        """Deletes what has expired."""
        try:
            await self._in_thread(self.store.expire, metrics)
        except SlaKitError as error:
            self._tell(error)

    def _begin(self) -> None:
        if self._later is not None:
            self._later.cancel()
            self._later = None
        if self._work is None and (self._waiting or self._gathered.count):
            self._work = asyncio.create_task(self._commits(), name="commits of what was pushed")

    async def _commits(self) -> None:
        try:
            while self._waiting or self._gathered.count:
                await self._commit()
        finally:
            self._work = None

    async def _commit(self) -> None:
        waiting, self._waiting = self._waiting[:_IN_ONE_COMMIT], self._waiting[_IN_ONE_COMMIT:]
        gathered, self._gathered = self._gathered, Gathered()
        made = list(gathered.changes())
        pushes = [push for push, _ in waiting] + ([Push([change for change, _ in made], whole=False)] if made else [])
        try:
            outcomes = await self._in_thread(self.store.apply, pushes)
        except Exception as error:
            self._tell(error)
            self.dropped["statsd", "state"] += gathered.count
            for _, future in waiting:
                if not future.done():
                    future.set_exception(RefusedError("state", "it can't be kept: see the exporter's log"))
            return
        self._failed = ""
        if made:
            dropped = sum(made[index][1] for index in outcomes[-1].dropped)
            self.dropped["statsd", "series"] += dropped
            self.accepted["statsd"] += gathered.count - dropped
        for (_, future), outcome in zip(waiting, outcomes, strict=False):
            if not future.done():
                future.set_result(outcome)

    def _tell(self, error: Exception) -> None:
        """Logs what went wrong, once as long as it does."""
        if str(error) != self._failed:
            _log.error("what was pushed can't be kept: %s", error, exc_info=not isinstance(error, SlaKitError))
        self._failed = str(error)

    async def _in_thread(self, function: Callable[..., Done], *arguments: object) -> Done:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)
