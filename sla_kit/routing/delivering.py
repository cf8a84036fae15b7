"""What an adapter of a destination is given, and what it answers: the seam between the outbox and the services.

At least once towards a service, and there idempotent: an adapter is called again after any failure, a crash included,
with everything that it asked to be remembered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from msgspec import Struct, field

from sla_kit.errors import SlaKitError
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.incident import Incident, Silence, Told

#: Names a message in a hosted service, such as ``ts`` of a Slack post; committed before `Adapter.deliver` goes on.
Remember = Callable[[Mapping[str, str]], None]


class SilenceWanted(Struct, frozen=True, kw_only=True, tag="silence"):
    """A silence to be made in Alertmanager, for an incident's group."""

    incident: str
    matchers: dict[str, str]
    silence: Silence
    comment: str


class Response(Struct, frozen=True, kw_only=True, tag="response"):
    """How an incident was responded to, for the ledger: times in epoch seconds, None for what did not happen.
    ``escalations`` is how often further people were told; None where that was not recorded, as before there was it."""

    dedup_key: str
    title: str
    labels: dict[str, str]
    severity: str
    opened_at: float
    told_at: float | None
    acknowledged_at: float | None
    acknowledged_by: str
    resolved_at: float
    escalations: int | None = None


Content = Incident | Notice | Change | SilenceWanted | Response


class Parcel(Struct, frozen=True, kw_only=True):
    """One delivery that is due.

    ``key`` is the same for every attempt and for every process: it identifies the message to a service that can look it
    up. ``told`` is what the destination was told last, None where nothing was (for certain); ``references`` is what was
    remembered. ``uncertain`` says that an attempt before this one may have arrived: its answer was lost, or its process
    died. ``read`` gives the content of an attachment by its digest.
    """

    id: int
    key: str
    destination: Destination
    content: Content
    told: Told | None = None
    references: dict[str, str] = field(default_factory=dict)
    uncertain: bool = False
    read: Callable[[str], bytes] = lambda digest: b""


class DeliveryError(SlaKitError):
    """A delivery failed. ``permanent``: the same again would fail, too. ``uncertain``: it may have arrived all the
    same. ``unreachable``: the service as a whole did not answer, and other deliveries to it would fail, too.
    ``retry_after_seconds`` is what the service asks for: of this destination, or with ``unreachable`` of all."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        permanent: bool = False,
        uncertain: bool = False,
        unreachable: bool = False,
        retry_after_seconds: float | None = None,
        place: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.permanent = permanent
        self.uncertain = uncertain
        self.unreachable = unreachable
        self.retry_after_seconds = retry_after_seconds


class Adapter(Protocol):
    """A destination's kind. It is called from threads, several at once, never twice at once for one delivery."""

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Brings the destination from what it was told to what the content says now, in as many steps as needed;
        returning means that it is told. Raises `DeliveryError`, and lets other errors of its own making through, which
        count as passing. It must end within `TIMEOUT_SECONDS`."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


#: How long one call of an adapter may take; a lease is longer.
TIMEOUT_SECONDS = 45.0
