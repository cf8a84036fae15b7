"""Incidents and parcels for tests of mail."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sla_kit.routing.delivering import Adapter, Content, Parcel
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Incident, Told, told

START = 1_788_220_800.0  # Tue 1 Sep 2026, 00:00 UTC
MAILBOX = Destination("email", "oncall@example.org")


def alert(number: int = 0, *, firing: bool = True, **labels: str) -> Alert:
    return Alert(
        labels={"alertname": "ApiErrors", "service": "api", "pod": f"api-{number}", **labels},
        annotations={"summary": f"api-{number} answers with errors", "description": "One request in ten fails."},
        fingerprint=f"f{number}",
        firing=firing,
        starts_at=START + number,
        ends_at=None if firing else START + 720,
    )


def incident(**changed: object) -> Incident:
    values: dict[str, object] = {
        "group": "alertname=ApiErrors,service=api",
        "dedup_key": "sla-kit-0123456789abcdef",
        "title": "API answers with errors",
        "severity": "critical",
        "status": "firing",
        "opened_at": START,
        "received_at": START + 5,
        "group_labels": {"alertname": "ApiErrors", "service": "api"},
        "labels": {"alertname": "ApiErrors", "service": "api", "environment": "production"},
        "alerts": {each.fingerprint: each for each in (alert(0), alert(1))},
        "promise": "The API answers (api/availability: 99.99 % over 30d)",
    }
    return Incident(**{**values, **changed})  # type: ignore[arg-type]


def resolved(**changed: object) -> Incident:
    over = {each.fingerprint: each for each in (alert(0, firing=False), alert(1, firing=False))}
    return incident(**{"status": "resolved", "resolved_at": START + 720, "alerts": over, **changed})


@dataclass(slots=True)
class Box:
    """A delivery as the outbox would keep it: what was remembered, and what the mailbox was told."""

    adapter: Adapter
    destination: Destination = MAILBOX
    key: str = "delivery-17"
    references: dict[str, str] = field(default_factory=dict)
    told: Told | None = None
    read: Callable[[str], bytes] = lambda digest: b""

    def deliver(self, content: Content, *, crash: bool = False, uncertain: bool = False) -> None:
        """One attempt. After a ``crash`` nothing is known but what was remembered."""
        parcel = Parcel(
            id=17,
            key=self.key,
            destination=self.destination,
            content=content,
            told=self.told,
            references=dict(self.references),
            uncertain=uncertain,
            read=self.read,
        )
        self.adapter.deliver(parcel, self.remember)
        if not crash and isinstance(content, Incident):
            self.told = told(content, START)

    def remember(self, references: Mapping[str, str]) -> None:
        self.references.update(references)
