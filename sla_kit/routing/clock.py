"""The time that the router plans by: it starts where the machine's clock is, and then only ever runs on.

A clock that is set while the router runs must neither send an escalation early nor hold a retry back for hours.
"""

from __future__ import annotations

import time
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
