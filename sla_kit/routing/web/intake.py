"""What was read is committed before it is acknowledged; where that can't be, or too much waits for it, it says so."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from sla_kit.errors import OutboxError
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.events import Event
from sla_kit.routing.outbox import attachments
from sla_kit.routing.outbox.accepting import accept
from sla_kit.routing.outbox.store import Outbox
from sla_kit.routing.web.native import Arrival
from sla_kit.routing.web.reading import RefusedError

_log = logging.getLogger(__name__)
#: So many requests, and so many bytes of them, may be in memory at once.
MAX_WAITING = 2_000
MAX_HELD_BYTES = 128 * 1024 * 1024
#: How long a request waits for its commit; what is committed later is committed all the same.
COMMIT_SECONDS = 20.0
RETRY_AFTER_SECONDS = 5
#: What the outbox says is logged so often at most.
_TOLD_SECONDS = 30.0


class UnavailableError(RefusedError):
    """Nothing can be taken now; the same again, later, may be."""

    def __init__(self, error: str, hint: str = "send it again later") -> None:
        super().__init__(error, hint=hint, status=503)


class Taken(NamedTuple):
    """How many events were committed, and how many had been before."""

    accepted: int
    repeated: int


class Intake:
    """The way into an outbox, of one router."""

    def __init__(self, outbox: Outbox, metrics: RouterMetrics) -> None:
        self._outbox = outbox
        self._metrics = metrics
        self._waiting = 0
        self._held = 0
        self._told_at = -_TOLD_SECONDS
        #: What is planned before all else: by the catalogue, which may be exchanged.
        self.urgent: Callable[[Event], bool] = lambda event: False
        #: Called after each commit, so that what came in is planned.
        self.committed: Callable[[], None] = lambda: None
        #: Set once the router ends: what comes now is for the next one.
        self.stopping = False

    @property
    def outbox(self) -> Outbox:
        """Where it leads."""
        return self._outbox

    def now(self) -> float:
        """The time by the outbox's clock."""
        return self._outbox.clock.now()

    def enter(self) -> None:
        """A request begins; `leave` must follow. Raises `UnavailableError` where too many are there."""
        if self.stopping:
            raise UnavailableError("the router is being ended")
        if self._waiting >= MAX_WAITING:
            raise UnavailableError("too many requests wait to be committed")
        self._waiting += 1

    def hold(self, size: int) -> None:
        """So many more bytes of requests are in memory, fewer where negative. Raises `UnavailableError`."""
        if size > 0 and self._held + size > MAX_HELD_BYTES:
            raise UnavailableError("too much waits to be committed")
        self._held += size

    def leave(self, size: int) -> None:
        """A request that held so many bytes ended."""
        self._waiting -= 1
        self._held -= size

    async def take(self, arrivals: Sequence[Arrival]) -> Taken:
        """Commits events with their files. Raises `UnavailableError` where that can't be done; then some of them may
        be there all the same, and keys keep them from being taken twice."""
        began = time.perf_counter()
        try:
            async with asyncio.timeout(COMMIT_SECONDS):
                new = await self._commit(arrivals)
        except TimeoutError:
            raise self._failed("the outbox took too long") from None
        except OutboxError as error:
            raise self._failed(str(error)) from None
        self.committed()
        self._metrics.accepted(time.perf_counter() - began)
        counts = Counter((kind(arrival.event), is_new) for arrival, is_new in zip(arrivals, new, strict=True))
        for (name, is_new), count in counts.items():
            self._metrics.event(name, "accepted" if is_new else "repeated", count)
        return Taken(sum(new), len(new) - sum(new))

    async def _commit(self, arrivals: Sequence[Arrival]) -> list[bool]:
        files = [content for arrival in arrivals for content in arrival.files]
        if files:
            now = self.now()
            kept = [self._outbox.submit(partial(attachments.keep, body=body, now=now)) for body in files]
            await asyncio.gather(*map(asyncio.wrap_future, kept))
        futures = [
            accept(self._outbox, each.event, idempotency=each.idempotency, urgent=self.urgent(each.event))
            for each in arrivals
        ]
        if len(futures) == 1:
            return [await asyncio.wrap_future(futures[0])]
        return list(await asyncio.gather(*map(asyncio.wrap_future, futures)))

    def _failed(self, why: str) -> UnavailableError:
        self._metrics.outbox_failed()
        now = time.monotonic()
        if now - self._told_at >= _TOLD_SECONDS:
            self._told_at = now
            _log.error("what came in could not be committed, and is asked for again: %s", why)
        return UnavailableError("the outbox can't be written")


def kind(event: Event) -> str:
    """Its tag."""
    return str(type(event).__struct_config__.tag)
