"""Sends what is due: claims it, has it called in threads, and records how each call ended before it goes on.

One thread decides; each kind of destination has threads of its own for its calls (`gates`). Nothing is sent while the
result of a call is known that the outbox can't take. What a call leaves open when its process dies is claimed again
once its lease has ended, and told to the adapter as uncertain.
"""

from __future__ import annotations

import heapq
import logging
import random
import threading
import time
import uuid
from collections.abc import Mapping

from sqlalchemy import Connection

from sla_kit.catalogue.routing import Routing
from sla_kit.errors import OutboxError
from sla_kit.routing.delivering import TIMEOUT_SECONDS, Adapter, DeliveryError, Parcel, Remember
from sla_kit.routing.destinations import KINDS, Kind
from sla_kit.routing.dispatching.backoff import PAGE_PRIORITY, Uniform
from sla_kit.routing.dispatching.bulkheads import Ticket
from sla_kit.routing.dispatching.calls import Call, Outcome
from sla_kit.routing.dispatching.gates import Gates, limits_of
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.dispatching.overdue import hand_on_overdue, overdue
from sla_kit.routing.dispatching.recorder import Recorder
from sla_kit.routing.dispatching.recording import OnFailure, OnRecovery
from sla_kit.routing.outbox.deliveries import Claimed, claim, postpone, release
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)

#: A call that has not ended by then hangs: an adapter promises to end within `TIMEOUT_SECONDS`.
HANGING_SECONDS = TIMEOUT_SECONDS + 15.0
#: For how long a delivery is this router's alone. What follows a call (its record) has to fit in, too.
LEASE_SECONDS = 2 * TIMEOUT_SECONDS
#: How often the outbox is looked at though nothing was said to have changed: other routers write to it.
POLL_SECONDS = 1.0
#: So many are claimed in one search.
_CLAIM = 8
#: How often it is looked for people who should be told elsewhere.
_OVERDUE_SECONDS = 5.0


class Dispatcher:
    """Delivers what is due in an outbox, from `start` to `stop`.

    ``adapters`` are called for destinations of their kind; what has none fails for good. ``on_failure`` is told within
    the transaction when people have not been reached for `Fallback.after`, or never will be, ``on_recovery`` when they
    are after that. ``owner`` names this router in leases: no two that run may have the same. ``workers`` is the number
    of threads for each kind that reaches people.
    """

    def __init__(
        self,
        outbox: Outbox,
        adapters: Mapping[Kind, Adapter],
        routing: Routing,
        observe: RouterMetrics,
        on_failure: OnFailure | None = None,
        *,
        owner: str = "",
        workers: int = 8,
        uniform: Uniform = random.uniform,
        on_recovery: OnRecovery | None = None,
    ) -> None:
        self.owner = owner or f"router-{uuid.uuid4().hex}"
        self._outbox = outbox
        self._adapters = adapters
        self._routing = routing
        self._observe = observe
        self._on_failure = on_failure
        self._recorder = Recorder(outbox, observe, on_failure, routing.fallback.after, uniform, on_recovery)
        self._changed = threading.Event()
        self._stopping = threading.Event()
        self._gates = Gates(limits_of(routing), workers, observe.breaker, self._changed.set)
        self._lock = threading.Lock()
        self._calls: dict[Call, Ticket] = {}
        self._retries: list[float] = []
        self._next_overdue = 0.0
        self._stuck_at: dict[str, float] = {}  # when nothing got through to a kind or a destination, last
        self._in_trouble = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begins to deliver."""
        for kind in KINDS:
            self._observe.breaker(kind, False)  # whatever a dispatcher before this one had found
        self._thread = threading.Thread(target=self._run, name="dispatcher", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """Something may have become due."""
        self._changed.set()

    def stop(self, timeout: float = 20.0) -> None:
        """Claims nothing more, waits for calls under way and their records for up to ``timeout`` seconds, and leaves
        the rest to the next router, which is told that they may have arrived."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(timeout)
        while self._under_way() and time.monotonic() < deadline:
            self._changed.wait(max(0.0, min(0.1, deadline - time.monotonic())))
            self._changed.clear()
        self._gates.close()  # first, so that nothing begins that is not seen here
        left = self._under_way()
        self._recorder.drop()
        for call in left:
            call.abandon()
        if left:
            _log.warning("%d deliveries were still under way at the end; they are tried again", len(left))
        if left or self.alive:  # a claim that is still to be committed is so before this
            try:
                self._outbox.write(lambda connection: release(connection, self.owner, self._outbox.clock.now()))
            except OutboxError as error:
                _log.warning("leases could not be ended, and end by themselves: %s", error)

    def _under_way(self) -> list[Call]:
        with self._lock:
            return [*self._calls, *self._recorder.held]

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.clear()
            try:
                wait = self._round()
                self._in_trouble = False
            except OutboxError as error:
                wait = POLL_SECONDS
                self._trouble(error)
            except Exception:
                _log.exception("delivering failed unexpectedly, and is tried again")
                wait = POLL_SECONDS
            self._changed.wait(wait)

    def _round(self) -> float:
        """Does what can be done now; seconds until there may be more."""
        now = self._outbox.clock.now()
        self._abandon_hanging(now)
        if self._recorder.behind(now):
            return POLL_SECONDS
        if now >= self._next_overdue:
            self._hand_on_overdue(now)
            self._next_overdue = now + min(_OVERDUE_SECONDS, max(self._routing.fallback.after / 4, 0.25))
        for call in self._claim():
            self._begin(call)
        for kind, calls in self._gates.in_flight().items():
            self._observe.in_flight(kind, calls)
        now = self._outbox.clock.now()
        return max(0.0, min(POLL_SECONDS, self._gates.wait(now), self._until_retry(now)))

    def _claim(self) -> list[Call]:
        calls: list[Call] = []

        def work(connection: Connection) -> None:
            self._forget(calls)  # it is run again
            now = self._outbox.clock.now()
            if self._stopping.is_set() or self._recorder.behind(now):
                return
            self._stuck(now)
            for page in (False, True):  # in what is kept for pages, after all the rest is taken
                while began := self._claim_some(connection, now, page=page):
                    calls.extend(began)

        try:
            self._outbox.write(work)
        except BaseException:
            self._forget(calls)
            raise
        return calls

    def _claim_some(self, connection: Connection, now: float, *, page: bool) -> list[Call]:
        """What is due and may be called now, the most urgent first and one of each destination; or only pages."""
        kinds = [kind for kind in KINDS if self._gates.admits(kind, now, page=page)]
        if not kinds:
            return []
        found = claim(
            connection,
            self.owner,
            limit=_CLAIM,
            each=1,
            now=now,
            lease_seconds=LEASE_SECONDS,
            kinds=kinds,
            excluding={where for kind in kinds for where in self._gates.closed(kind, now, page=page)},
            max_priority=PAGE_PRIORITY if page else None,
        )
        calls = []
        for claimed in found:
            kind = claimed.destination.kind
            if self._gates.admits(kind, now, page=page):
                call = Call(self._outbox, claimed, self._adapter(kind), now, held_up=self._held_up(claimed))
                self._gates.begin(call, claimed.destination, now)
                calls.append(call)
            else:  # others of its kind took the last threads
                postpone(connection, claimed, due_at=claimed.due_at, now=now)
        return calls

    def _held_up(self, claimed: Claimed) -> bool:
        """Whether people have waited for it since it was due, as `overdue` counts it."""
        where = claimed.destination
        stuck_at = max(self._stuck_at.get(name, 0.0) for name in (where.kind, str(where)))
        return claimed.priority <= PAGE_PRIORITY or claimed.due_at <= stuck_at

    def _forget(self, calls: list[Call]) -> None:
        for call in calls:
            self._gates.forget(call, call.claimed.destination)
        calls.clear()

    def _adapter(self, kind: Kind) -> Adapter:
        return self._adapters.get(kind) or _Missing(kind)

    def _begin(self, call: Call) -> None:
        with self._lock:  # its end waits until it is known
            try:
                self._calls[call] = self._gates.run(call.claimed.destination.kind, lambda: self._attempt(call))
                return
            except RuntimeError as error:
                outcome = Outcome(at=self._outbox.clock.now(), delivered=False, error=f"it could not be begun: {error}")
        self._gates.forget(call, call.claimed.destination)
        self._record_apart(call, outcome)

    def _attempt(self, call: Call) -> None:
        """Makes a call, in a thread of its kind."""
        outcome = call.run()
        destination = call.claimed.destination
        with self._lock:
            if self._calls.pop(call, None) is None:
                _log.warning("delivery %d to %s ended after nobody waited for it", call.claimed.id, destination)
                return
            self._recorder.hold(call)
        self._gates.end(call, destination, outcome)
        self._observe.called(destination.kind, outcome.at - call.began, delivered=outcome.delivered)
        if outcome.retry_after_seconds:
            self._observe.rate_limited(destination.kind)
        self._record(call, outcome)

    def _record(self, call: Call, outcome: Outcome, not_before: float = 0.0) -> None:
        due_at = self._recorder.record(call, outcome, not_before)
        if due_at is not None:
            with self._lock:
                heapq.heappush(self._retries, due_at)
        self._changed.set()

    def _record_apart(self, call: Call, outcome: Outcome, not_before: float = 0.0) -> None:
        self._recorder.hold(call)
        arguments = (call, outcome, not_before)
        threading.Thread(target=self._record, args=arguments, name="recording", daemon=True).start()

    def _abandon_hanging(self, now: float) -> None:
        with self._lock:
            hanging = [call for call in self._calls if now - call.began >= HANGING_SECONDS]
            hanging = [
                call for call in hanging if self._gates.abandon(call.claimed.destination.kind, self._calls[call])
            ]
            for call in hanging:
                del self._calls[call]
        for call in hanging:
            call.abandon()
            destination = call.claimed.destination
            _log.warning("delivery %d to %s hangs, and is tried again later", call.claimed.id, destination)
            outcome = Outcome(
                at=now,
                delivered=False,
                error=f"no answer within {now - call.began:.0f} seconds",
                uncertain=True,
                unreachable=True,
            )
            self._gates.end(call, destination, outcome)
            self._observe.abandoned(destination.kind)
            # Its thread may still do something: nobody else tries before the lease would have ended.
            self._record_apart(call, outcome, call.claimed.leased_until)

    def _hand_on_overdue(self, now: float) -> None:
        if self._on_failure is None:
            return
        kinds, destinations = self._stuck(now)
        on_failure, before = self._on_failure, now - self._routing.fallback.after

        with self._outbox.reading() as connection:
            if not overdue(connection, before, kinds, destinations):
                return

        def work(connection: Connection) -> list[Kind]:
            return hand_on_overdue(connection, now, before, kinds, destinations, on_failure)

        for kind in self._outbox.write(work):
            self._observe.fell_back(kind)

    def _stuck(self, now: float) -> tuple[set[Kind], set[str]]:
        kinds, destinations = self._gates.stuck(now)
        self._stuck_at.update(dict.fromkeys([*kinds, *destinations], now))
        return kinds, destinations

    def _until_retry(self, now: float) -> float:
        with self._lock:
            while self._retries and self._retries[0] <= now:
                heapq.heappop(self._retries)
            return self._retries[0] - now if self._retries else POLL_SECONDS

    def _trouble(self, error: OutboxError) -> None:
        self._observe.outbox_failed()
        if not self._in_trouble:
            _log.error("deliveries wait: %s", error)
        self._in_trouble = True


class _Missing:
    """Stands for the adapter of a kind that the router was not given what it needs for."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        raise DeliveryError(
            f"{self._kind} is not set up: nothing can be delivered to {parcel.destination}",
            permanent=True,
            remedy=f"set up routing.{self._kind} in the catalogue",
        )

    def close(self) -> None:
        """There is nothing to let go of."""
