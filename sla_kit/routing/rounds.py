"""Planning, round after round: woken by what was committed here, by timers, and at times by nothing, since other
routers and commands write to the same outbox. Whatever goes wrong, it goes on."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from sqlalchemy import Connection

from sla_kit.errors import OutboxError
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)
#: So many events are planned in one transaction, fewer where that takes longer than it should: what is accepted
#: meanwhile waits for it.
_AT_ONCE, _AT_LEAST, _ROUND_SECONDS = 100, 10, 0.1
#: From the beginning of a round to that of the next, where the last one left nothing: what comes within that time is
#: planned together, and as much else is committed in between.
_APART_SECONDS = 0.05
#: How often it is looked for what others have written, and how long is waited at most after something went wrong.
_LOOK_SECONDS = 1.0
_LONGEST_WAIT_SECONDS = 10.0
#: No round has ended for so long: something hangs.
STALE_SECONDS = 60.0
_SHORTEST_WAIT_SECONDS = 0.02
_TOLD_SECONDS = 60.0


class Plans(Protocol):
    """What plans (`sla_kit.routing.planning.planner.Planner`)."""

    def plan(self, connection: Connection, now: float, limit: int = ...) -> bool:
        """Plans new events and due timers, ``limit`` of each at most; whether there is more."""
        ...

    def next_due(self, connection: Connection) -> float | None:
        """When the next timer is due, in epoch seconds."""
        ...


class Rounds:
    """A thread that plans. ``planned`` is called after each round that may have made something due."""

    def __init__(self, outbox: Outbox, plans: Plans, planned: Callable[[], None]) -> None:
        self._outbox = outbox
        self._plans = plans
        self._planned = planned
        self._woken = threading.Event()
        self._apart = threading.Event()  # set at the end, which waits for nothing
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="planner", daemon=True)
        self._ended_at = time.monotonic()
        self._failures = 0
        self._trouble = ""
        self._told = ("", 0.0)
        self._at_once = _AT_ONCE

    @property
    def trouble(self) -> str:
        """Why nothing is planned now, in words; empty where all is well."""
        if not self._thread.is_alive():
            return "the planner has ended"
        if time.monotonic() - self._ended_at > STALE_SECONDS:
            return f"no round of planning has ended for {STALE_SECONDS:.0f} s"
        return self._trouble

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to plan."""
        self._woken.set()

    def exchange(self, plans: Plans) -> None:
        """From the next round on this plans."""
        self._plans = plans
        self.wake()

    def stop(self, timeout: float) -> None:
        """Ends after the round that is under way."""
        self._stopping = True
        self._apart.set()
        self.wake()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping:
            self._woken.clear()
            began = time.monotonic()
            try:
                wait = self._round()
            except Exception as error:
                wait = self._after(error)
            else:
                self._failures, self._trouble = 0, ""
            self._ended_at = time.monotonic()
            if wait > 0:
                self._apart.wait(max(0.0, _APART_SECONDS - (self._ended_at - began)))
                self._woken.wait(wait)

    def _round(self) -> float:
        """Plans; seconds until the next round."""
        plans = self._plans

        def work(connection: Connection) -> tuple[bool, float | None, float]:
            began = time.monotonic()
            more = plans.plan(connection, self._outbox.clock.now(), limit=self._at_once)
            return more, None if more else plans.next_due(connection), time.monotonic() - began

        more, due, seconds = self._outbox.write(work, alone=True)
        self._at_once = _adapted(self._at_once, seconds, full=more)
        self._planned()
        if more:
            return 0.0
        until = _LOOK_SECONDS if due is None else due - self._outbox.clock.now()
        return min(max(until, _SHORTEST_WAIT_SECONDS), _LOOK_SECONDS)

    def _after(self, error: Exception) -> float:
        """Tells of an error; seconds to wait. What is in the way of planning may pass by itself."""
        self._failures += 1
        self._trouble = f"planning fails: {error}" if isinstance(error, OutboxError) else "planning fails"
        now = time.monotonic()
        if self._told[0] != str(error) or now - self._told[1] > _TOLD_SECONDS:
            self._told = (str(error), now)
            unexpected = not isinstance(error, OutboxError)
            _log.error("planning failed, and is tried again: %s", error, exc_info=unexpected)
        return float(min(_LONGEST_WAIT_SECONDS, 0.25 * 2 ** min(self._failures, 8)))


def _adapted(at_once: int, seconds: float, *, full: bool) -> int:
    """How many to plan at once after a round with so many took so long."""
    if seconds > _ROUND_SECONDS:
        return max(_AT_LEAST, at_once // 2)
    return min(_AT_ONCE, at_once * 2) if full and seconds < _ROUND_SECONDS / 3 else at_once
