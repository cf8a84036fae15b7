"""Planning: takes what came in and what is due, in one transaction, and says who is to be told.

All that is kept is in the outbox, so that any router goes on where another one stopped. Of several on one database one
plans at a time. An event that can't be planned is put aside as dead, with the reason, and others go on; an error of the
database is none of an event's, and is left to whoever runs the transaction.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, text

from sla_kit.catalogue.model import Catalogue
from sla_kit.errors import OutboxError
from sla_kit.redacting import redacted
from sla_kit.routing.clock import Clock
from sla_kit.routing.outbox import accepting, timers
from sla_kit.routing.outbox.accepting import Accepted
from sla_kit.routing.outbox.errors import is_own
from sla_kit.routing.outbox.timers import Timer
from sla_kit.routing.planning import dead_man
from sla_kit.routing.planning.batch import Batch
from sla_kit.routing.planning.recording import Observed
from sla_kit.routing.planning.rules import Observe, Rules, Unobserved, rules_of

T = TypeVar("T")
_log = logging.getLogger(__name__)
#: Who plans holds this lock of PostgreSQL until the transaction ends.
_LOCK = zlib.crc32(b"sla-kit planning")
#: How soon to look again where another router plans, in seconds.
_AGAIN_SECONDS = 0.2
#: A timer that can't be dealt with is tried again after so long, and so often.
_TIMER_AGAIN_SECONDS, _TIMER_TRIES = 60.0, 5
#: How often a batch is planned anew that found an incident changed by somebody else meanwhile.
_REPETITIONS = 3


class Planner:
    """Plans by a catalogue. Its methods are called with a connection of the outbox's writer, by one thread."""

    def __init__(self, catalogue: Catalogue, clock: Clock, observe: Observe | None = None) -> None:
        self._rules: Rules = rules_of(catalogue)
        self._clock = clock
        self._observe: Observe = observe or Unobserved()
        self._started = False
        self._turned_away = False

    @property
    def rules(self) -> Rules:
        """What it goes by."""
        return self._rules

    def plan(self, connection: Connection, now: float | None = None, limit: int = 500) -> bool:
        """Plans up to ``limit`` events and as many timers; whether there may be more. Nothing is planned, and
        `next_due` is soon, while another router plans."""
        now = self._clock.now() if now is None else now
        self._turned_away = not _alone(connection)
        if self._turned_away:
            return False
        if not self._started:
            dead_man.start(connection, self._rules.routing.dead_man, now)
        observed: list[Observed] = []
        events = accepting.new_events(connection, limit)
        observed += self._each(connection, events, now, _take, _bury)
        accepting.mark_planned(connection, [each.id for each in events])
        more = len(events) >= limit
        due = timers.due(connection, now, limit)

        def take(batch: Batch, due: Sequence[Timer]) -> None:
            for timer in due:
                batch.due(timer, behind=more)

        observed += self._each(connection, due, now, take, lambda on, timer, error: _put_off(on, timer, error, now))
        self._started = True
        for each in observed:
            each(self._observe)
        return more or len(due) >= limit

    def next_due(self, connection: Connection) -> float | None:
        """When there is something to plan even if nothing comes in, in epoch seconds."""
        due = timers.next_due(connection)
        if not self._turned_away:
            return due
        soon = self._clock.now() + _AGAIN_SECONDS
        return soon if due is None else min(due, soon)

    def _each(
        self,
        connection: Connection,
        items: Sequence[T],
        now: float,
        take: Callable[[Batch, Sequence[T]], None],
        broken: Callable[[Connection, T, Exception], None],
    ) -> list[Observed]:
        """Plans items as one batch; where that fails, its halves, until the one that breaks it is found."""
        if not items:
            return []
        for repetition in range(_REPETITIONS):
            try:
                with _savepoint(connection):
                    batch = Batch(connection, self._rules, now)
                    take(batch, items)
                    batch.finish()
                return batch.observed
            except OutboxError:  # an incident was changed by another router, after it was read here
                if repetition == _REPETITIONS - 1:
                    raise
            except Exception as error:
                if not is_own(error):
                    raise
                if len(items) == 1:
                    broken(connection, items[0], error)
                    return []
                break
        half = len(items) // 2
        return [
            *self._each(connection, items[:half], now, take, broken),
            *self._each(connection, items[half:], now, take, broken),
        ]


def _take(batch: Batch, events: Sequence[Accepted]) -> None:
    batch.expect(events)
    for accepted in events:
        batch.take(accepted)


def _bury(connection: Connection, accepted: Accepted, error: Exception) -> None:
    reason = _reason(error)
    _log.error("event %d can't be planned, and is put aside: %s", accepted.id, reason)
    accepting.mark_dead(connection, accepted.id, reason)


def _put_off(connection: Connection, timer: Timer, error: Exception, now: float) -> None:
    tries = int(timer.data.get("tries", 0)) + 1
    _log.error("timer %s %s failed, %d times now: %s", timer.kind, timer.key, tries, _reason(error))
    if tries < _TIMER_TRIES:
        timers.set_timer(connection, timer.kind, timer.key, now + _TIMER_AGAIN_SECONDS, {**timer.data, "tries": tries})


def _reason(error: Exception) -> str:
    return redacted(f"{type(error).__name__}: {error}")[:500]


def _alone(connection: Connection) -> bool:
    """Whether nobody else plans; nobody else does until the transaction ends."""
    if connection.dialect.name == "sqlite":
        return True
    return bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:lock)"), {"lock": _LOCK}).scalar())


@contextmanager
def _savepoint(connection: Connection) -> Iterator[None]:
    connection.exec_driver_sql("SAVEPOINT planning")
    try:
        yield
    except BaseException as error:
        if isinstance(error, Exception) and is_own(error):
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT planning")
            connection.exec_driver_sql("RELEASE SAVEPOINT planning")
        raise
    connection.exec_driver_sql("RELEASE SAVEPOINT planning")
