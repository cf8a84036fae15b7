"""A circuit breaker for each service: one that does not answer is left alone, and tried by one call at a time.

M. Nygard, "Release It!", ch. 5, "Circuit Breaker". While it is open, deliveries wait; none of them loses an attempt.
"""

from __future__ import annotations

from typing import Literal

State = Literal["closed", "open", "half-open"]

#: So many failures in a row open it.
FAILURES = 5
#: How long it stays open at first; each trial that fails doubles it.
OPEN_SECONDS = 5.0
#: The longest that it stays open before the next trial: somebody may have to be paged.
OPEN_CAP_SECONDS = 30.0


class Breaker:
    """Opens after so many calls in a row that did not reach the service; after a while one call at a time is let
    through as a trial, and the first one that the service answers, however it answers, closes it. Not for several
    threads at once."""

    def __init__(self, failures: int = FAILURES) -> None:
        self._limit = failures
        self._failures = 0
        self._open_until: float | None = None
        self._open_seconds = OPEN_SECONDS
        self._trial: object | None = None

    def state(self, now: float) -> State:
        """Whether calls are let through (closed), none is (open), or one as a trial (half-open)."""
        if self._open_until is None:
            return "closed"
        return "open" if now < self._open_until else "half-open"

    def wait(self, now: float) -> float:
        """Seconds until a call may be let through; 0 where one may be now. While a trial is under way, that is not
        known: infinite."""
        if self._open_until is None:
            return 0.0
        if self._trial is not None:
            return float("inf")
        return max(0.0, self._open_until - now)

    def begin(self, call: object, now: float) -> bool:
        """Whether this call may be made now; its end is then to be told."""
        if self.wait(now) > 0:
            return False
        if self._open_until is not None:
            self._trial = call
        return True

    def reached(self, call: object, now: float) -> bool:
        """A call was answered by the service. Returns whether this closed the breaker.

        One that had begun before it opened proves as much as a trial: the service answers.
        """
        was_open = self._open_until is not None
        self._failures = 0
        self._open_until = None
        self._open_seconds = OPEN_SECONDS
        self._trial = None
        return was_open

    def missed(self, call: object, now: float) -> bool:
        """A call did not reach the service. Returns whether this opened the breaker."""
        if self._open_until is None:
            self._failures += 1
            if self._failures < self._limit:
                return False
            self._open_until = now + self._open_seconds
            return True
        if self._trial is call:
            self._trial = None
            self._open_seconds = min(self._open_seconds * 2, OPEN_CAP_SECONDS)
            self._open_until = now + self._open_seconds
        return False

    def forget(self, call: object) -> None:
        """A call ended in a way that says nothing of the service, or was never made: another may be the trial."""
        if self._trial is call:
            self._trial = None
