"""What may be called now, of all that is due: by threads, rate limits, pauses and breakers, each kind by itself."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping

from sla_kit.catalogue.routing import Routing
from sla_kit.routing.destinations import KINDS, PEOPLE, Destination, Kind
from sla_kit.routing.dispatching.breakers import Breaker
from sla_kit.routing.dispatching.bulkheads import Bulkhead, Job, Ticket
from sla_kit.routing.dispatching.calls import Outcome
from sla_kit.routing.dispatching.limits import Limits

OnBreaker = Callable[[Kind, bool], None]


def limits_of(routing: Routing) -> Mapping[Kind, float]:
    """Calls a second to one destination, as the catalogue has them."""
    return {
        "slack": routing.slack.per_second,
        "pagerduty": routing.pagerduty.per_second,
        "email": routing.email.per_second,
    }


class Gates:
    """The gate of each kind. ``workers`` is how many threads a kind that reaches people has; half of them one
    destination may have, and one in four is kept for pages. May be used from any thread."""

    def __init__(
        self, per_second: Mapping[Kind, float], workers: int, on_breaker: OnBreaker, on_room: Callable[[], None]
    ) -> None:
        self._lock = threading.RLock()
        self._limits = Limits(per_second)
        self._on_breaker = on_breaker
        self._breakers = {kind: Breaker() for kind in KINDS}
        sizes = {kind: workers if kind in PEOPLE else max(1, workers // 4) for kind in KINDS}
        self._bulkheads = {kind: Bulkhead(kind, size, on_room) for kind, size in sizes.items()}
        self._calls: Counter[Destination] = Counter()

    def admits(self, kind: Kind, now: float, *, page: bool) -> bool:
        """Whether a call to this kind may begin, of a page or of anything else."""
        with self._lock:
            bulkhead = self._bulkheads[kind]
            kept = 0 if page else bulkhead.size // 4
            # Those that are claimed and have no thread yet will have one.
            claimed = sum(calls for one, calls in self._calls.items() if one.kind == kind)
            free = bulkhead.free - max(0, claimed - bulkhead.busy)
            return free > kept and self._breakers[kind].wait(now) <= 0 and self._limits.paused(kind, now) <= 0

    def closed(self, kind: Kind, now: float, *, page: bool) -> set[str]:
        """Destinations of this kind that may not be called now, though the kind may."""
        with self._lock:
            size = self._bulkheads[kind].size
            share = max(1, size // 2) if page else max(1, size // 2 - size // 4)
            full = {str(one) for one, calls in self._calls.items() if one.kind == kind and calls >= share}
            limited = {
                str(one) for one in self._limits.blocked(now) if isinstance(one, Destination) and one.kind == kind
            }
            return full | limited

    def begin(self, call: object, destination: Destination, now: float) -> None:
        """A call begins, whose end is then to be told by `end` or `forget`."""
        with self._lock:
            self._breakers[destination.kind].begin(call, now)
            self._limits.take(destination, now)
            self._calls[destination] += 1

    def run(self, kind: Kind, job: Job) -> Ticket:
        """Runs the call in a thread of its kind."""
        return self._bulkheads[kind].run(job)

    def abandon(self, kind: Kind, ticket: Ticket) -> bool:
        """Waits for a thread no longer. False where its call has just ended."""
        return self._bulkheads[kind].abandon(ticket)

    def end(self, call: object, destination: Destination, outcome: Outcome) -> None:
        """A call ended so."""
        kind, now = destination.kind, outcome.at
        with self._lock:
            self._leave(destination)
            breaker = self._breakers[kind]
            if outcome.retry_after_seconds:
                self._limits.pause(kind if outcome.unreachable else destination, outcome.retry_after_seconds, now)
            # Who asks to be left alone for a while has answered.
            if outcome.unreachable and not outcome.retry_after_seconds:
                if breaker.missed(call, now):
                    self._on_breaker(kind, True)
            elif breaker.reached(call, now):
                self._on_breaker(kind, False)

    def forget(self, call: object, destination: Destination) -> None:
        """A call was not made after all."""
        with self._lock:
            self._leave(destination)
            self._breakers[destination.kind].forget(call)

    def wait(self, now: float) -> float:
        """Seconds until more may be called than now, as far as it is a matter of time."""
        with self._lock:
            waits = [*self._limits.blocked(now).values(), *(breaker.wait(now) for breaker in self._breakers.values())]
            return min((wait for wait in waits if wait > 0), default=float("inf"))

    def stuck(self, now: float) -> tuple[set[Kind], set[str]]:
        """Kinds that nothing gets through to at present, and single destinations that asked to be left alone."""
        with self._lock:
            kinds = {
                kind
                for kind in KINDS
                if self._breakers[kind].state(now) != "closed"
                or self._limits.paused(kind, now) > 0
                or self._bulkheads[kind].free <= 0
            }
            paused = {
                str(one)
                for one in self._limits.blocked(now)
                if isinstance(one, Destination) and self._limits.paused(one, now) > 0
            }
            return kinds, paused

    def in_flight(self) -> dict[Kind, int]:
        """Calls that are under way and not abandoned, by kind."""
        return {kind: bulkhead.busy for kind, bulkhead in self._bulkheads.items()}

    def close(self) -> None:
        """Lets the threads end."""
        for bulkhead in self._bulkheads.values():
            bulkhead.close()

    def _leave(self, destination: Destination) -> None:
        self._calls[destination] -= 1
        if self._calls[destination] <= 0:
            del self._calls[destination]
