"""A dispatcher at work on an outbox of its own, with adapters that do what a test says, and a clock that it turns."""

from __future__ import annotations

import threading
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection

from sla_kit.catalogue.routing import Routing
from sla_kit.routing.clock import Clock
from sla_kit.routing.delivering import Adapter, DeliveryError, Parcel, Remember
from sla_kit.routing.destinations import KINDS, Kind, parse_destination
from sla_kit.routing.dispatching.dispatcher import Dispatcher
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.events import Notice
from sla_kit.routing.outbox.deliveries import Claimed, Delivery, delivery_of, page, want_content
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.waiting import until

Answer = Exception | Callable[[Parcel, Remember], None]


class HandClock:
    """A clock that a test turns."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now

    def now(self) -> float:
        return self._now

    def turn(self, seconds: float) -> None:
        self._now += seconds


class Seen(NamedTuple):
    """A call of an adapter."""

    title: str
    destination: str
    at: float
    uncertain: bool
    references: dict[str, str]
    key: str


class Scripted:
    """Answers as it is told to: each answer of a destination once, then well. Holds that no delivery is made twice at
    once."""

    def __init__(self, clock: Clock) -> None:
        self.calls: list[Seen] = []
        self.answers: dict[str, deque[Answer]] = defaultdict(deque)
        self.always: dict[str, Answer] = {}
        self.twice: list[str] = []
        self._clock = clock
        self._running: set[str] = set()
        self._lock = threading.Lock()

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        where = str(parcel.destination)
        assert isinstance(parcel.content, Notice)
        with self._lock:
            if parcel.key in self._running:
                self.twice.append(parcel.content.title)
            self._running.add(parcel.key)
            self.calls.append(
                Seen(
                    parcel.content.title,
                    where,
                    self._clock.now(),
                    parcel.uncertain,
                    dict(parcel.references),
                    parcel.key,
                )
            )
            answers = self.answers[where]
            answer = answers.popleft() if answers else self.always.get(where)
        try:
            if isinstance(answer, Exception):
                raise answer
            if answer is not None:
                answer(parcel, remember)
        finally:
            with self._lock:
                self._running.discard(parcel.key)

    def close(self) -> None:
        """Nothing is open."""

    def titles(self, destination: str = "") -> list[str]:
        """What was asked for, in order."""
        return [call.title for call in list(self.calls) if not destination or call.destination == destination]


def failing(message: str = "it does not work", **flags: bool | float) -> DeliveryError:
    """An error of an adapter."""
    return DeliveryError(message, **flags)  # type: ignore[arg-type]


def most(low: float, high: float) -> float:
    """Jitter that always is the longest."""
    return high


class Desk:
    """A dispatcher, its outbox, and what may be asked about them."""

    def __init__(self, outbox: Outbox, adapter: Scripted, dispatcher: Dispatcher, metrics: RouterMetrics) -> None:
        self.outbox, self.adapter, self.dispatcher, self.metrics = outbox, adapter, dispatcher, metrics
        self.failures: list[tuple[str, str]] = []

    def want(self, title: str, destination: str = "slack:#a", *, priority: int = 2, queue: str = "") -> int:
        """Has something told; its delivery's id."""
        want(self.outbox, title, destination, priority=priority, queue=queue)
        self.dispatcher.wake()
        return self.all()[0].id

    def turn(self, seconds: float) -> None:
        """Time passes at once."""
        clock = self.outbox.clock
        assert isinstance(clock, HandClock)
        clock.turn(seconds)
        self.dispatcher.wake()

    def row(self, id_: int) -> Delivery:
        """A delivery as it stands."""
        with self.outbox.reading() as connection:
            found = delivery_of(connection, id_)
        assert found is not None
        return found

    def all(self) -> list[Delivery]:
        """All deliveries, the newest first."""
        with self.outbox.reading() as connection:
            return page(connection, limit=1000)

    def idle(self) -> bool:
        """Whether nothing is leased, so that all results are recorded."""
        return not any(row.leased_by for row in self.all())

    def settled(self) -> bool:
        """Whether everything has been told, or given up."""
        return not any(row.pending for row in self.all())

    def sample(self, name: str, **labels: str) -> float:
        """A value of the metrics."""
        return self.metrics.registry.get_sample_value(f"sla_router_{name}", labels) or 0.0

    def on_failure(self, connection: Connection, claimed: Claimed, reason: str, now: float) -> None:
        """What planning would be asked to do."""
        assert isinstance(claimed.content, Notice)
        self.failures.append((claimed.content.title, reason))


def want(outbox: Outbox, title: str, destination: str, *, priority: int = 2, queue: str = "") -> None:
    """Has something told."""
    outbox.write(
        lambda connection: want_content(
            connection,
            Notice(title=title),
            parse_destination(destination),
            contact="",
            priority=priority,
            now=outbox.clock.now(),
            queue=queue,
        )
    )


@contextmanager
def desk(
    address: Path | str, *, clock: Clock | None = None, routing: Routing | None = None, workers: int = 8
) -> Iterator[Desk]:
    """A dispatcher that runs; every kind has the same scripted adapter."""
    with open_outbox(str(address), exclusive="://" not in str(address)) as outbox:
        outbox.clock = clock or HandClock()
        adapter, metrics = Scripted(outbox.clock), RouterMetrics()
        adapters: dict[Kind, Adapter] = dict.fromkeys(KINDS, adapter)
        failures: list[Desk] = []
        dispatcher = Dispatcher(
            outbox,
            adapters,
            routing or Routing(),
            metrics,
            lambda connection, claimed, reason, now: failures[0].on_failure(connection, claimed, reason, now),
            workers=workers,
            uniform=most,
        )
        one = Desk(outbox, adapter, dispatcher, metrics)
        failures.append(one)
        dispatcher.start()
        try:
            yield one
        finally:
            dispatcher.stop(timeout=5)
        assert adapter.twice == []


def looked(one: Desk, *, idle: bool = True) -> None:
    """Returns once the dispatcher has looked at all that is due: it has since told what comes last of all; and, with
    ``idle``, once all results are recorded."""
    for _ in range(2):
        id_ = one.want("look", "ledger", priority=9)
        until(partial(_told, one, id_))
    until(lambda: not idle or one.idle())


def _told(one: Desk, id_: int) -> bool:
    return not one.row(id_).pending
