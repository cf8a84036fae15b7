"""The services that a catalogue's router delivers to, opened; what keeps one from being used is said in its place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from sla_kit.catalogue import Catalogue
from sla_kit.errors import MissingExtraError, SecretError, SlaKitError
from sla_kit.routing.amending import amend
from sla_kit.routing.delivering import Adapter, DeliveryError, Parcel, Remember, SilenceWanted
from sla_kit.routing.destinations import PEOPLE, Destination, Kind, destinations_of
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox.store import Outbox

_SLACK_VARIABLE = "SLACK_BOT_TOKEN"
_EXTRAS = {"slack_sdk": "slack", "pagerduty": "pagerduty", "pdpyras": "pagerduty", "matplotlib": "report"}


class Unusable:
    """Stands for a service that can't be used: each delivery fails for good, and says why and what to do."""

    def __init__(self, kind: Kind, error: SlaKitError) -> None:
        self.kind, self.error = kind, error

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Raises `DeliveryError`. Where a secret can't be read it may be there later."""
        raise DeliveryError(
            self.error.message,
            permanent=not isinstance(self.error, SecretError),
            unreachable=isinstance(self.error, SecretError),
            place=self.error.place or str(parcel.destination),
            remedy=self.error.remedy,
        )

    def close(self) -> None:
        """Nothing is open."""


class NoSilences(Unusable):
    """Stands for an Alertmanager that can't be used: whoever asked for a silence is told that there is none, and what
    waits for its end does not."""

    def __init__(self, error: SlaKitError, outbox: Outbox) -> None:
        super().__init__("alertmanager", error)
        self._outbox = outbox

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Raises `DeliveryError`, once that is kept with the incident where it is for good."""
        if isinstance(parcel.content, SilenceWanted) and not isinstance(self.error, SecretError):
            _tell_of_silence(self._outbox, parcel.content, "", self.error.message)
        super().deliver(parcel, remember)


class Unreachable(NamedTuple):
    """An address that nothing can be delivered to, and why."""

    contact: str
    destination: Destination
    why: str


def open_adapters(
    catalogue: Catalogue, outbox: Outbox | None = None, environment: Mapping[str, str] = os.environ
) -> dict[Kind, Adapter]:
    """One adapter a kind of service, `Unusable` where it can't be used; none of those that the catalogue does not ask
    for, nor of those that write to the outbox where there is none."""
    found: dict[Kind, Adapter] = {}
    for kind, open_one in _openers(catalogue, outbox, environment).items():
        try:
            adapter = open_one()
        except ModuleNotFoundError as error:
            missing = (error.name or "").partition(".")[0]
            if missing in ("", "sla_kit"):
                raise
            adapter = Unusable(
                kind, MissingExtraError(f"delivering to {kind}", missing, _EXTRAS.get(missing, "router"))
            )
        except SlaKitError as error:
            adapter = Unusable(kind, error)
        if kind == "alertmanager" and outbox is not None:
            adapter = _silencing(adapter, outbox)
        if adapter is not None:
            found[kind] = adapter
    return found


def _silencing(adapter: Adapter | None, outbox: Outbox) -> Adapter:
    if adapter is None:
        unnamed = SlaKitError("no Alertmanager is named", remedy="say routing.alertmanager.url")
        return NoSilences(unnamed, outbox)
    return NoSilences(adapter.error, outbox) if isinstance(adapter, Unusable) else adapter


def unreachable(
    catalogue: Catalogue, adapters: Mapping[Kind, Adapter], environment: Mapping[str, str] = os.environ
) -> list[Unreachable]:
    """The contacts' addresses that nothing can be delivered to as it is now."""
    found: list[Unreachable] = []
    for contact in catalogue.contacts:
        for destination in destinations_of([contact]):
            why = _why_not(catalogue, destination, adapters, environment)
            if why:
                found.append(Unreachable(contact.name, destination, why))
    return found


def _why_not(
    catalogue: Catalogue, destination: Destination, adapters: Mapping[Kind, Adapter], environment: Mapping[str, str]
) -> str:
    adapter = adapters.get(destination.kind)
    if adapter is None:
        return f"{destination.kind} is not set up"
    if isinstance(adapter, Unusable):
        return f"{adapter.error.message} ({adapter.error.remedy})" if adapter.error.remedy else adapter.error.message
    if destination.kind == "pagerduty":
        from sla_kit.routing.pagerduty.keys import routing_key

        try:
            routing_key(catalogue.routing.pagerduty, destination.address, environment)
        except DeliveryError as error:
            return f"{error.message} ({error.remedy})" if error.remedy else error.message
    return ""


def _tell_of_silence(outbox: Outbox, wanted: SilenceWanted, made: str, why: str) -> None:
    """Keeps a silence's id with its incident, or that there is none."""

    def change(incident: Incident) -> Incident:
        asked = incident.silence
        if asked is None or (asked.until, asked.by) != (wanted.silence.until, wanted.silence.by):
            return incident  # somebody has asked for another one since
        if made:
            return msgspec.structs.replace(incident, silence=msgspec.structs.replace(asked, id=made))
        note = f"It is not silenced, though {asked.by or 'somebody'} asked for it: {why}."
        notes = incident.notes if note in incident.notes else [*incident.notes, note]
        return msgspec.structs.replace(incident, silence=None, notes=notes)

    now = outbox.clock.now()
    outbox.write(lambda connection: amend(connection, wanted.incident, change, now))


def _openers(
    catalogue: Catalogue, outbox: Outbox | None, environment: Mapping[str, str]
) -> dict[Kind, Callable[[], Adapter | None]]:
    routing = catalogue.routing

    def pagerduty() -> Adapter:
        from sla_kit.routing.pagerduty.sending import open_adapter

        return open_adapter(routing.pagerduty, environment=environment)

    def slack() -> Adapter:
        if routing.slack.token is None and not environment.get(_SLACK_VARIABLE):
            remedy = f"set {_SLACK_VARIABLE}, or say routing.slack.token"
            raise SlaKitError("there is no bot token for Slack", place="routing.slack", remedy=remedy)
        from sla_kit.routing.slack.adapter import open_adapter

        return open_adapter(routing.slack, now=time.time if outbox is None else outbox.clock.now)

    def email() -> Adapter:
        if not routing.email.host:
            remedy = "say routing.email.host and sender"
            raise SlaKitError("there is no mail server", place="routing.email", remedy=remedy)
        from sla_kit.routing.mail.adapter import open_adapter

        return open_adapter(routing.email, contacts=catalogue.contacts, timezone=catalogue.timezone)

    def context() -> Adapter | None:
        if outbox is None or not routing.graphs.prometheus:
            return None
        from sla_kit.routing.context.adapter import open_adapter

        return open_adapter(routing.graphs, outbox)

    def alertmanager() -> Adapter | None:
        url = routing.alertmanager.url or catalogue.monitoring.alertmanager
        if not url:
            return None
        from sla_kit.routing.alertmanager.adapter import open_adapter

        if outbox is None:
            return open_adapter(routing.alertmanager, url)
        return open_adapter(routing.alertmanager, url, clock=outbox.clock, settled=partial(_tell_of_silence, outbox))

    def ledger() -> Adapter | None:
        if not routing.ledger:
            return None
        from sla_kit.routing.ledger import open_adapter

        return open_adapter(routing.ledger)

    wanted = {destination.kind for destination in destinations_of(catalogue.contacts)}
    of_people: dict[Kind, Callable[[], Adapter | None]] = {"pagerduty": pagerduty, "slack": slack, "email": email}
    asked = {kind: of_people[kind] for kind in PEOPLE if kind in wanted}
    return {**asked, "context": context, "alertmanager": alertmanager, "ledger": ledger}
