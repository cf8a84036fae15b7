"""Holds the results of calls until the outbox has taken them, however long that takes."""

from __future__ import annotations

import logging
import threading

from sqlalchemy import Connection

from sla_kit.errors import OutboxError
from sla_kit.routing.dispatching.backoff import Uniform
from sla_kit.routing.dispatching.calls import Call, Outcome
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.dispatching.recording import OnFailure, OnRecovery, due_again, is_dead, settle
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)

_START_SECONDS = 0.1
_CAP_SECONDS = 2.0
#: So often a result may be refused by an outbox that takes everything else: then it is the result that is wrong.
_REFUSALS = 20


class Recorder:
    """Writes results down, from the threads that have them. While it is `behind`, nothing is to be sent: a result that
    is known but not written would be asked for again."""

    def __init__(
        self,
        outbox: Outbox,
        observe: RouterMetrics,
        on_failure: OnFailure | None,
        fall_back_after: float,
        uniform: Uniform,
        on_recovery: OnRecovery | None = None,
    ) -> None:
        self._outbox = outbox
        self._observe = observe
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._fall_back_after = fall_back_after
        self._uniform = uniform
        self._lock = threading.Lock()
        self._held: dict[Call, bool] = {}  # whether writing it has failed
        self._dropped = threading.Event()

    def behind(self, now: float) -> bool:
        """Whether a result could not be written so far, or is still to be written though its lease has ended."""
        with self._lock:
            return any(failed or call.claimed.leased_until <= now for call, failed in self._held.items())

    @property
    def held(self) -> list[Call]:
        """Calls that have ended and whose result is not written yet."""
        with self._lock:
            return list(self._held)

    def hold(self, call: Call) -> None:
        """The call has ended; its result is about to be recorded."""
        with self._lock:
            self._held.setdefault(call, False)

    def record(self, call: Call, outcome: Outcome, not_before: float = 0.0) -> float | None:
        """Writes a result down; returns once it is written, or nobody waits for that any more. When the delivery is
        due again, ``not_before`` at the earliest, where it failed."""
        self.hold(call)
        due_at = max(due_again(call.claimed, outcome, self._uniform), not_before)
        references = dict(call.unsaved)

        def work(connection: Connection) -> bool:
            return settle(
                connection,
                call.claimed,
                outcome,
                references,
                due_at=due_at,
                held_up=call.held_up,
                fall_back_after=self._fall_back_after,
                on_failure=self._on_failure,
                on_recovery=self._on_recovery,
            )

        pause, refused, destination = _START_SECONDS, 0, call.claimed.destination
        try:
            while not self._dropped.is_set():
                try:
                    handed_on = self._outbox.submit(work).result()
                except OutboxError as error:
                    self._failed(call, error)
                    refused += self._outbox.trouble is None
                    if refused >= _REFUSALS:
                        raise
                    self._dropped.wait(pause)
                    pause = min(pause * 2, _CAP_SECONDS)
                    continue
                self._tell(call.claimed, outcome, handed_on)
                if outcome.delivered:
                    if call.claimed.first_told_at is None:
                        self._observe.first_told(destination.kind, outcome.at - call.claimed.created_at)
                    return None
                if handed_on:
                    self._observe.fell_back(destination.kind)
                return due_at
        except Exception:
            # It stays leased, and is tried as uncertain once the lease has ended.
            _log.exception("the result of delivery %d to %s could not be recorded", call.claimed.id, destination)
        finally:
            with self._lock:
                self._held.pop(call, None)
        return None

    def _tell(self, claimed: Claimed, outcome: Outcome, handed_on: bool) -> None:
        """Logs what somebody would look for: the first failure of several, the end of them, and what is given up."""
        where = {"delivery": claimed.id, "destination": str(claimed.destination), "contact": claimed.contact}
        if outcome.delivered:
            if claimed.failing_since is not None:
                seconds = outcome.at - claimed.failing_since
                _log.info("a delivery that had failed was made", extra={**where, "failed_for_seconds": round(seconds)})
        elif is_dead(claimed, outcome):
            _log.error("a delivery was given up: %s", outcome.error, extra=where)
        elif claimed.failing_since is None:
            _log.warning("a delivery failed, and is tried again: %s", outcome.error, extra=where)
        if handed_on:
            _log.warning("what could not be delivered is told elsewhere", extra=where)

    def drop(self) -> None:
        """Waits no longer for an outbox that can't be written."""
        self._dropped.set()

    def _failed(self, call: Call, error: OutboxError) -> None:
        self._observe.outbox_failed()
        with self._lock:
            first = not self._held.get(call)
            if call in self._held:
                self._held[call] = True
        if first:
            _log.warning(
                "the result of delivery %d to %s waits for the outbox: %s",
                call.claimed.id,
                call.claimed.destination,
                error,
            )
