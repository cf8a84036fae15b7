"""A process that serves: told to end or to read its files again by signals, and to read them by their change, too."""

from __future__ import annotations

import asyncio
import logging
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import NoReturn

from sla_kit.serving.leaving import leave
from sla_kit.serving.reloading import Watch

_log = logging.getLogger(__name__)
#: What was not good is read again so often: what it lacks may be in a file that nobody watches.
_AGAIN_SECONDS = 30.0


class Lifetime:
    """The signals of a process: SIGTERM and SIGINT end it, within ``end_seconds`` or by force, SIGHUP has it read its
    files again. `begin` is called within the event loop."""

    def __init__(self, end_seconds: float) -> None:
        self._end_seconds = end_seconds

    def begin(self) -> None:
        """From now on signals are heeded."""
        loop = asyncio.get_running_loop()
        self._end, self._again = asyncio.Event(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told_to_end, number)
        loop.add_signal_handler(signal.SIGHUP, self._again.set)

    async def ended(self) -> None:
        """Returns once it is told to end."""
        await self._end.wait()

    async def reloads(self, watch: Watch, reload: Callable[[str], Awaitable[bool]]) -> NoReturn:
        """Calls ``reload`` with the reason whenever files are to be read again. It returns whether they were good;
        where they were not it is called again after a while."""
        good = True
        while True:
            changes = asyncio.create_task(watch.wait())
            asked = asyncio.create_task(self._again.wait())
            patience = None if good else _AGAIN_SECONDS
            try:
                await asyncio.wait((changes, asked), timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changes.cancel()
                asked.cancel()
            why = "SIGHUP" if self._again.is_set() else "a file changed" if changes.done() else "it was not good"
            self._again.clear()
            good = await reload(why)

    def _told_to_end(self, number: signal.Signals) -> None:
        if self._end.is_set():
            _log.warning("told to end again: leaving now", extra={"signal": number.name})
            leave(2)
        _log.info("told to end", extra={"signal": number.name})
        # Should even the event loop hang.
        watchdog = threading.Timer(self._end_seconds, leave, (2,))
        watchdog.daemon = True
        watchdog.start()
        self._end.set()
