"""A stand-in for the outbox and its dispatcher towards one Slack channel: what was remembered outlives a crash, and an
attempt after one is told that it can't be sure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from sla_kit.catalogue.routing import SlackSettings
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import OutboxError
from sla_kit.routing.delivering import Content, DeliveryError, Parcel
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Alert, Link
from sla_kit.routing.incident import Context, Escalation, Incident, told
from sla_kit.routing.slack.adapter import open_adapter
from tests.servers.slack import SlackServer, slack_server

OPENED = 1_795_740_000.0
GRAPH = b"\x89PNG\r\n\x1a\n graph"


class Crash(BaseException):
    """The process dies here."""


class Channel:
    """Delivers contents to one channel as the dispatcher does. ``crash_at`` is the number of the remembering at which
    the process dies, before it is committed or (``committed``) after."""

    def __init__(self, slack: SlackServer, folder: Path, address: str = "#incidents") -> None:
        token, secret = folder / "token", folder / "secret"
        token.write_text(slack.token)
        secret.write_text(slack.signing_secret)
        self.settings = SlackSettings(
            url=slack.url, token=Secret(file=str(token)), signing_secret=Secret(file=str(secret))
        )
        self.slack = slack
        self.adapter = open_adapter(self.settings, sleep=lambda seconds: None, now=lambda: OPENED)
        self.parcel = Parcel(
            id=1, key="0123456789abcdef", destination=Destination("slack", address), content=incident(), read=_read
        )
        self.crash_at = 0
        self.committed = False
        self.errors: list[DeliveryError] = []

    def attempt(self, content: Content | None = None) -> None:
        """One attempt; raises what it raises."""
        if content is not None:
            self.parcel = replace(self.parcel, content=content)
        try:
            self.adapter.deliver(self.parcel, self._remember)
        except DeliveryError as error:
            self.errors.append(error)
            self.parcel = replace(self.parcel, uncertain=error.uncertain)
            raise
        except Crash:
            self.parcel = replace(self.parcel, uncertain=True)
            raise
        now = self.parcel.content
        known = told(now, OPENED) if isinstance(now, Incident) else None
        self.parcel = replace(self.parcel, told=known, uncertain=False)

    def tell(self, content: Content) -> None:
        """Attempts until it is told."""
        for _ in range(30):
            try:
                self.attempt(content)
            except Crash:
                continue
            except DeliveryError as error:
                if error.permanent:
                    raise
                continue
            return
        raise AssertionError(f"not told after thirty attempts: {self.errors}")

    def _remember(self, references: Mapping[str, str]) -> None:
        self.crash_at -= 1
        if self.crash_at == 0 and not self.committed:
            raise Crash
        self.parcel = replace(self.parcel, references=self.parcel.references | dict(references))
        if self.crash_at == 0:
            raise Crash


def _read(digest: str) -> bytes:
    kept = {"graph": GRAPH, "html": b"<html>report</html>", "csv": b"a,b\n1,2\n", "empty": b""}
    if digest not in kept:
        raise OutboxError(f"the outbox has no attachment {digest}")
    return kept[digest]


@contextmanager
def channel(folder: Path, address: str = "#incidents") -> Iterator[Channel]:
    """A channel of a workspace of its own."""
    with slack_server(["incidents", "reports"]) as slack:
        yield Channel(slack, folder, address)


def alert(number: int = 1, *, firing: bool = True, **labels: str) -> Alert:
    """An alert of the service api."""
    return Alert(
        labels={"alertname": "ErrorBudgetBurn", "service": "api", "severity": "critical", "pod": f"api-{number}"}
        | labels,
        fingerprint=f"{number:016x}",
        firing=firing,
        starts_at=OPENED + number,
        annotations={"summary": "The API fails too often", "description": f"pod api-{number} answers 5xx"},
    )


def incident(**changes: object) -> Incident:
    """An incident that fires, with these fields changed."""
    found = Incident(
        group='{service="api"}',
        dedup_key="sla-kit:9f86d081884c7d65",
        title="ErrorBudgetBurn api",
        severity="warning",
        status="firing",
        opened_at=OPENED,
        received_at=OPENED + 30,
        group_labels={"alertname": "ErrorBudgetBurn", "service": "api"},
        labels={"alertname": "ErrorBudgetBurn", "service": "api", "environment": "production", "team": "platform"},
        alerts={each.fingerprint: each for each in (alert(1), alert(2))},
        promise="99.99 % of requests succeed over 30 days",
        links=[
            Link(url="https://runbooks.example.org/api", text="runbook"),
            Link(url="https://grafana.example.org/d/api?a=1&b=2", text="dashboard"),
        ],
    )
    return replace(found, **changes)


def course() -> list[Incident]:
    """The states of an incident from its beginning to its end, each of which tells something new."""
    begun = incident()
    pictured = replace(begun, context=Context(budget_left=0.42, graph="graph", at=OPENED + 40))
    raised = replace(pictured, severity="critical")
    escalated = replace(raised, escalations=[Escalation(at=OPENED + 300, to=["second line"], why="not acknowledged")])
    taken = replace(escalated, acknowledged_at=OPENED + 400, acknowledged_by="erin", acknowledged_via="slack")
    over = replace(
        taken,
        status="resolved",
        resolved_at=OPENED + 725,
        alerts={each.fingerprint: each for each in (alert(1, firing=False), alert(2, firing=False))},
    )
    return [begun, pictured, raised, escalated, taken, over]
