"""The time that the router plans by: it starts where the machine's clock is, and then only ever runs on.

A clock that is set while the router runs must neither send an escalation early nor hold a retry back for hours.
"""

from __future__ import annotations

import math
import time
from threading import Lock
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> float:
        """Epoch seconds, never less than they were before."""
        ...


class SteadyClock:
    """The machine's clock as it was when this was made, and what has passed since, sleep of the machine included."""

    def __init__(self) -> None:
        self._offset = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)

    def now(self) -> float:
        """Epoch seconds."""
        return self._offset + time.clock_gettime(time.CLOCK_BOOTTIME)


class SharedClock:
    """The clock of a database that several routers share, as it was measured last, and what has passed since.

    Small differences between two measurements never turn it back: then it stands still for that long. Where the other
    clock was set back by more than ``TOLERANCE_SECONDS`` it follows, since all have to agree; what is due is then moved
    with it (`sla_kit.routing.outbox.resuming`).
    """

    TOLERANCE_SECONDS = 5.0

    def __init__(self, reading: float) -> None:
        self._lock = Lock()
        self._last = -math.inf
        self.follow(reading, self.stopwatch())

    @staticmethod
    def stopwatch() -> float:
        """Seconds since some moment, sleep of the machine included."""
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def follow(self, reading: float, at: float) -> None:
        """The other clock read so when `stopwatch` was ``at``."""
        with self._lock:
            self._offset = reading - at
            now = self._offset + self.stopwatch()
            if now < self._last - self.TOLERANCE_SECONDS:
                self._last = now

    def now(self) -> float:
        """Epoch seconds."""
        with self._lock:
            self._last = max(self._last, self._offset + self.stopwatch())
            return self._last
