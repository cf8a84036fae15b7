"""Writing down how an attempt ended: in one transaction with what follows from it, and until it is written."""

from __future__ import annotations

import logging
from typing import Protocol

from sqlalchemy import Connection, text

from sla_kit.routing.destinations import PEOPLE
from sla_kit.routing.dispatching.backoff import PAGE_PRIORITY, Uniform, delay, is_over
from sla_kit.routing.dispatching.calls import Outcome
from sla_kit.routing.outbox import deliveries
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.errors import is_own

_log = logging.getLogger(__name__)


class OnFailure(Protocol):
    """Told, within the transaction, that somebody could not be told for a while, or ever; once for each delivery until
    it succeeds. What it raises is logged, and takes back only what it did itself."""

    def __call__(self, connection: Connection, claimed: Claimed, reason: str, now: float) -> None: ...


class OnRecovery(Protocol):
    """Told, within the transaction, that somebody was told now of whom `OnFailure` had to be told. What it raises is
    logged, and takes back only what it did itself."""

    def __call__(self, connection: Connection, claimed: Claimed, now: float) -> None: ...


def due_again(claimed: Claimed, outcome: Outcome, uniform: Uniform) -> float:
    """When a delivery that failed is tried again."""
    return outcome.at + delay(
        claimed.attempts + 1,
        urgent=claimed.priority <= PAGE_PRIORITY or outcome.unreachable,
        retry_after_seconds=outcome.retry_after_seconds,
        uniform=uniform,
    )


def is_dead(claimed: Claimed, outcome: Outcome) -> bool:
    """Whether a delivery that failed is given up."""
    since = outcome.at if claimed.failing_since is None else claimed.failing_since
    return outcome.permanent or is_over(since, outcome.at)


def settle(
    connection: Connection,
    claimed: Claimed,
    outcome: Outcome,
    references: dict[str, str],
    *,
    due_at: float,
    held_up: bool = False,
    fall_back_after: float,
    on_failure: OnFailure | None,
    on_recovery: OnRecovery | None = None,
) -> bool:
    """Writes down how an attempt ended; whether its failure was handed on to be told elsewhere. ``held_up``: people
    have waited since it was due."""
    if references:
        deliveries.remember(connection, claimed, references)
    if outcome.delivered:
        of_people = on_recovery is not None and claimed.destination.kind in PEOPLE
        recovered = of_people and _fell_back(connection, claimed)
        kept = deliveries.succeed(connection, claimed, outcome.told, outcome.at)
        if _lost_unless(kept, claimed) and recovered and on_recovery is not None:
            _tell_of_recovery(connection, claimed, outcome.at, on_recovery)
        return False
    since = claimed.failing_since
    if since is None:
        # Longer than until it is handed on need not be counted, and is not: it has a day before it is given up.
        waited = max(0.0, outcome.at - claimed.due_at) if held_up else 0.0
        since = outcome.at - min(waited, fall_back_after)
    if outcome.permanent:
        dead = outcome.error
    elif is_over(claimed.failing_since, outcome.at):
        dead = f"failed for {(outcome.at - since) / 3600:.0f} hours, at last: {outcome.error}"
    else:
        dead = ""
    if dead:
        kept = deliveries.give_up(connection, claimed, dead, outcome.at)
    else:
        kept = deliveries.retry(
            connection,
            claimed,
            outcome.error,
            due_at=due_at,
            since=since,
            uncertain=outcome.uncertain,
            now=outcome.at,
        )
    if _lost_unless(kept, claimed) and (dead or outcome.at - since >= fall_back_after):
        return hand_on(connection, claimed, dead or outcome.error, outcome.at, on_failure)
    return False


def hand_on(connection: Connection, claimed: Claimed, reason: str, now: float, on_failure: OnFailure | None) -> bool:
    """Has it told elsewhere that a destination of people can't be told; once, until it succeeds."""
    if on_failure is None or claimed.destination.kind not in PEOPLE or _fell_back(connection, claimed):
        return False
    try:
        with connection.begin_nested():
            on_failure(connection, claimed, reason, now)
    except Exception as error:
        if not is_own(error):
            raise  # of the whole transaction: it is run again
        _log.exception("the failure of delivery %d to %s could not be told elsewhere", claimed.id, claimed.destination)
        return False
    deliveries.mark_fell_back(connection, claimed.id)
    return True


def _tell_of_recovery(connection: Connection, claimed: Claimed, now: float, on_recovery: OnRecovery) -> None:
    try:
        with connection.begin_nested():
            on_recovery(connection, claimed, now)
    except Exception as error:
        if not is_own(error):
            raise  # of the whole transaction: it is run again
        _log.exception("that delivery %d was made after all could not be told", claimed.id)


def _lost_unless(kept: bool, claimed: Claimed) -> bool:
    if not kept:
        _log.warning(
            "the result of delivery %d to %s came after its lease had ended, and somebody else tries it",
            claimed.id,
            claimed.destination,
        )
    return kept


def _fell_back(connection: Connection, claimed: Claimed) -> bool:
    """As it is now: it may have been handed on while it was being attempted."""
    found = connection.execute(text("SELECT fell_back FROM delivery WHERE id = :id"), {"id": claimed.id}).scalar()
    return bool(found)
