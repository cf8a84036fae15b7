"""One attempt to deliver: the adapter is called, what it wants remembered is committed, and how it ended is a value."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from functools import partial

from msgspec import Struct

from sla_kit.errors import OutboxError
from sla_kit.redacting import redacted
from sla_kit.routing.delivering import TIMEOUT_SECONDS, Adapter, DeliveryError
from sla_kit.routing.incident import Incident, Told, told
from sla_kit.routing.outbox.deliveries import Claimed, parcel, remember
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)
#: For how long an adapter waits, in the middle of its steps, for an outbox that can't be written.
_REMEMBER_SECONDS = 15.0
_PAUSE_SECONDS = 0.2


class Outcome(Struct, frozen=True, kw_only=True):
    """How an attempt ended, at ``at``: delivered, with what the destination knows since; or not, with the ``error`` in
    one line. The flags are those of `DeliveryError`."""

    at: float
    delivered: bool
    told: Told | None = None
    error: str = ""
    permanent: bool = False
    uncertain: bool = False
    unreachable: bool = False
    retry_after_seconds: float | None = None


class AbandonedError(DeliveryError):
    """The attempt took too long, and nobody waits for it any more."""


class Call:
    """One attempt. ``unsaved`` is what the adapter wants remembered and the outbox could not take. ``held_up``: people
    have waited since it was due, and not only since an attempt failed."""

    def __init__(
        self, outbox: Outbox, claimed: Claimed, adapter: Adapter, began: float, *, held_up: bool = False
    ) -> None:
        self.claimed = claimed
        self.began = began
        self.held_up = held_up
        self.unsaved: dict[str, str] = {}
        self._outbox = outbox
        self._adapter = adapter
        self._abandoned = threading.Event()

    def abandon(self) -> None:
        """Lets the adapter take no further step that would have to be remembered."""
        self._abandoned.set()

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits for it any more."""
        return self._abandoned.is_set()

    def run(self) -> Outcome:
        """Calls the adapter. Raises nothing."""
        now = self._outbox.clock.now
        try:
            self._adapter.deliver(parcel(self._outbox, self.claimed), self._remember)
        except DeliveryError as error:
            return Outcome(
                at=now(),
                delivered=False,
                error=_line(_reason(error)),
                permanent=error.permanent,
                uncertain=error.uncertain,
                unreachable=error.unreachable,
                retry_after_seconds=error.retry_after_seconds,
            )
        except OutboxError as error:
            # What was done before it could not be remembered may have arrived.
            return Outcome(at=now(), delivered=False, error=_line(str(error)), uncertain=True)
        except Exception as error:
            _log.exception("delivery %d to %s failed unexpectedly", self.claimed.id, self.claimed.destination)
            return Outcome(at=now(), delivered=False, error=_line(f"{type(error).__name__}: {error}"), uncertain=True)
        content, at = self.claimed.content, now()
        return Outcome(at=at, delivered=True, told=told(content, at) if isinstance(content, Incident) else None)

    def _remember(self, references: Mapping[str, str]) -> None:
        self.unsaved.update(references)
        deadline = time.monotonic() + min(_REMEMBER_SECONDS, TIMEOUT_SECONDS)
        while True:
            if self.abandoned:
                raise AbandonedError("it took too long, and is tried again", uncertain=True)
            try:
                mine = self._outbox.write(partial(remember, claimed=self.claimed, references=dict(self.unsaved)))
            except OutboxError:
                if time.monotonic() > deadline:
                    raise
                self._abandoned.wait(_PAUSE_SECONDS)
            else:
                self.unsaved.clear()
                if not mine:
                    raise AbandonedError("its lease has ended, and somebody else tries it", uncertain=True)
                return


def _reason(error: DeliveryError) -> str:
    """Why it failed; with what to try, where only somebody can help."""
    return f"{error.message}; try: {error.remedy}" if error.permanent and error.remedy else error.message


def _line(text: str) -> str:
    """What is kept of an error: one line, without secrets."""
    return " ".join(redacted(text).split())[:2000]
