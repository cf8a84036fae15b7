"""How often each destination may be called: a token bucket each, and a pause where a service asked for one.

Slack limits messages to about one a second and channel, PagerDuty events by integration key, which is a rotation here:
both are a destination. What a service says of itself as a whole pauses all of its destinations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from sla_kit.routing.destinations import Destination, Kind
from sla_kit.routing.dispatching.backoff import RETRY_AFTER_CAP_SECONDS

#: Buckets that are full again say nothing; beyond so many destinations they are forgotten.
_FORGET_BEYOND = 1000


class Bucket:
    """``per_second`` tokens a second, of which as many as a second brings, one at least, may be taken at once."""

    def __init__(self, per_second: float, now: float) -> None:
        self.per_second = per_second
        self.size = max(1.0, per_second)
        self._tokens = self.size
        self._at = now

    def wait(self, now: float) -> float:
        """Seconds until there is a token; 0 where there is one."""
        self._fill(now)
        # What a float loses by adding up must not hold a token back.
        return 0.0 if self._tokens >= 1 - 1e-9 else (1 - self._tokens) / self.per_second

    def take(self, now: float) -> bool:
        """Takes a token; False where there is none."""
        if self.wait(now) > 0:
            return False
        self._tokens = max(0.0, self._tokens - 1)
        return True

    def full(self, now: float) -> bool:
        """Whether all tokens are there."""
        self._fill(now)
        return self._tokens >= self.size

    def _fill(self, now: float) -> None:
        passed = max(0.0, now - self._at)
        self._tokens = min(self.size, self._tokens + passed * self.per_second)
        self._at = max(self._at, now)


class Limits:
    """The buckets and pauses of all destinations. ``per_second`` says how often one destination of a kind may be
    called; a kind that is not in it has no limit. Not for several threads at once."""

    def __init__(self, per_second: Mapping[Kind, float]) -> None:
        self._per_second = {kind: rate for kind, rate in per_second.items() if rate > 0 and math.isfinite(rate)}
        self._buckets: dict[Destination, Bucket] = {}
        self._paused: dict[Destination | Kind, float] = {}

    def wait(self, destination: Destination, now: float) -> float:
        """Seconds until the destination may be called; 0 where it may be now."""
        pause = max(self.paused(destination, now), self.paused(destination.kind, now))
        bucket = self._buckets.get(destination)
        return max(pause, bucket.wait(now) if bucket else 0.0)

    def take(self, destination: Destination, now: float) -> bool:
        """Whether the destination may be called now; if so, that it is."""
        if self.wait(destination, now) > 0:
            return False
        rate = self._per_second.get(destination.kind)
        if rate is not None:
            self._forget(now)
            self._buckets.setdefault(destination, Bucket(rate, now)).take(now)
        return True

    def pause(self, what: Destination | Kind, seconds: float, now: float) -> None:
        """Leaves a destination, or a whole service, alone for as long as it asked for, up to an hour."""
        until = now + min(max(seconds, 0.0), RETRY_AFTER_CAP_SECONDS)
        self._paused[what] = max(until, self._paused.get(what, until))

    def paused(self, what: Destination | Kind, now: float) -> float:
        """For how many seconds more a destination or service is left alone."""
        left = self._paused.get(what, now) - now
        if left <= 0:
            self._paused.pop(what, None)
        return max(left, 0.0)

    def blocked(self, now: float) -> dict[Destination | Kind, float]:
        """What may not be called now, and for how many seconds yet."""
        found = {what: self.paused(what, now) for what in list(self._paused)}
        for destination in self._buckets:
            found[destination] = max(self.wait(destination, now), found.get(destination, 0.0))
        return {what: seconds for what, seconds in found.items() if seconds > 0}

    def _forget(self, now: float) -> None:
        if len(self._buckets) > _FORGET_BEYOND:
            self._buckets = {key: bucket for key, bucket in self._buckets.items() if not bucket.full(now)}
