"""Groups of alerts whose webhooks come in whichever order, and what must have been told of each in the end."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

from sla_kit.routing.slack.incidents import ACKNOWLEDGE
from tests.routing.routers import Router, alert, until, webhook
from tests.servers.pagerduty import KEY, PagerDutyServer, pagerduty_server
from tests.servers.slack import Message, SlackServer, slack_server

#: Those that are critical page and are told in Slack, the others in Slack only.
CATALOGUE = """\
name: faults
contacts:
  - {{name: on-call, pagerduty: primary, slack: "#incidents"{email}}}
  - {{name: web, slack: "#incidents"}}
routes: [{{severity: [critical], to: [on-call]}}, {{to: [web]}}]
services: [{{name: api, slos: [{{name: up, sli: {{kind: probe, matchers: {{job: api}}}}, objective: 99%}}]}}]
routing:
  update_every: 0.05s
  storm: {{incidents: 0}}
  slack: {{url: "{slack}", token: {{file: slack-token}}, signing_secret: {{file: slack-secret}}, per_second: 1000}}
  pagerduty:
    url: "{pagerduty}"
    keys: {{primary: {{file: key}}}}
    webhook_secrets: [{{file: webhook-secret}}]
    per_second: 1000
{more}
"""
WEBHOOK_SECRET = "what signs the webhooks of PagerDuty"
WAITING = """
SELECT (SELECT count(*) FROM event WHERE state = 'new') + (SELECT count(*) FROM delivery WHERE pending)
"""


@dataclass
class Services:
    """Where messages end."""

    slack: SlackServer
    pagerduty: PagerDutyServer

    def catalogue(self, folder: Path, more: str = "escalate: false", email: str = "") -> Path:
        """A catalogue in a folder that delivers here; ``more`` are further lines of its routing."""
        lines = "\n".join(f"  {line}" for line in more.splitlines())
        text = CATALOGUE.format(slack=self.slack.url, pagerduty=self.pagerduty.url, more=lines, email=email)
        (folder / "sla.yml").write_text(text)
        (folder / "slack-token").write_text(self.slack.token)
        (folder / "slack-secret").write_text(self.slack.signing_secret)
        (folder / "key").write_text(KEY)
        (folder / "webhook-secret").write_text(WEBHOOK_SECRET)
        return folder / "sla.yml"


@contextmanager
def local_services() -> Iterator[Services]:
    """A Slack with the channel #incidents, and a PagerDuty."""
    with slack_server(["incidents"]) as slack, pagerduty_server(KEY) as pagerduty:
        yield Services(slack, pagerduty)


@dataclass(frozen=True)
class Group:
    """A group of alerts: its webhooks as they are to be sent, how often it begins to fire by them in that order, and
    whether it fires in the end. ``name`` is no part of another group's."""

    name: str
    severity: str
    webhooks: list[dict[str, Any]]
    opened: int
    firing: bool


def group(chance: random.Random, name: str, severity: str = "") -> Group:
    """A group that fires, may gain alerts, and may be resolved; its webhooks in their order."""
    name, severity = f"{name}Z", severity or chance.choice(("critical", "warning"))
    start, resolved = time.time() - 60, chance.random() < 0.6
    pods = chance.randint(1, 3)

    def state(pod: int, ends_at: float | None = None) -> dict[str, Any]:
        labels = {"service": "api", "severity": severity, "pod": f"pod-{pod}"}
        return alert(name, starts_at=start + pod, ends_at=ends_at, **labels)

    told = [
        webhook(*(state(pod) for pod in range(count)), alertname=name, service="api") for count in range(1, pods + 1)
    ]
    if resolved:
        over = [state(pod, start + 50) for pod in range(pods)]
        told.append(webhook(*over, alertname=name, service="api"))
    return Group(name, severity, told, 1, not resolved)


def shuffled(chance: random.Random, groups: Sequence[Group], twice: float = 0.3) -> list[dict[str, Any]]:
    """The webhooks of all groups, those of one group in their order, some a second time, later."""
    queues = [list(each.webhooks) for each in groups]
    found: list[dict[str, Any]] = []
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        found.append(queue.pop(0))
        if chance.random() < twice:
            found.append(chance.choice(found))
    return found


class Sender(threading.Thread):
    """Sends webhooks one after the other as Alertmanager does: again until it is taken, by whichever of the routers.
    ``refused`` counts the answers 503. With ``enough`` the last one is sent again and again until that is set: what is
    to happen while webhooks come must not come too late."""

    def __init__(
        self,
        routers: Sequence[Router],
        webhooks: Sequence[dict[str, Any]],
        chance: random.Random | None = None,
        enough: threading.Event | None = None,
    ) -> None:
        super().__init__(daemon=True)
        self._routers, self._webhooks, self._chance = routers, webhooks, chance or random.Random(0)
        self._enough = enough
        self.refused = self.taken = 0
        self.wrong: list[tuple[int, bytes]] = []

    def run(self) -> None:
        """Sends all."""
        for each in self._webhooks:
            self._send(each)
        while self._enough is not None and not self._enough.is_set():
            self._send(self._webhooks[-1])

    def _send(self, body: dict[str, Any]) -> None:
        while not self._is_taken(body):
            time.sleep(0.01)  # between two attempts
        self.taken += 1

    def _is_taken(self, body: dict[str, Any]) -> bool:
        try:
            status, answer = self._chance.choice(self._routers).post("/v1/alertmanager", body)
        except (OSError, HTTPException):
            return False
        self.refused += status == 503
        if status not in (200, 503):
            self.wrong.append((status, answer))
        return status == 200

    def finish(self, seconds: float = 120) -> None:
        """Waits until all are taken."""
        if self._enough is not None:
            self._enough.set()
        self.join(seconds)
        assert not self.is_alive(), f"{self.taken} of {len(self._webhooks)} webhooks were taken"
        assert not self.wrong


def sending(
    routers: Sequence[Router],
    webhooks: Sequence[dict[str, Any]],
    chance: random.Random | None = None,
    enough: threading.Event | None = None,
) -> Sender:
    """A sender that has begun."""
    sender = Sender(routers, webhooks, chance, enough)
    sender.start()
    return sender


def nothing_waits(outbox: str) -> bool:
    """Whether everything in an outbox is planned and delivered; not while that can't be known, since a router begins or
    dies at this moment."""
    if "://" in outbox:
        import psycopg

        with suppress(psycopg.OperationalError), psycopg.connect(outbox) as shared:
            row = shared.execute(WAITING.encode()).fetchone()
            return row is not None and row[0] == 0
        return False
    with suppress(sqlite3.OperationalError), closing(_read_only(outbox)) as file:
        return bool(file.execute(WAITING).fetchone()[0] == 0)
    return False


def _read_only(outbox: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=60)


def wait_for_the_last(outbox: str, seconds: float = 120) -> None:
    """Waits until everything is planned and delivered."""
    until("the last delivery", lambda: nothing_waits(outbox), seconds, 0.02)


def check(group: Group, services: Services, of: str, *, away: bool = False) -> None:
    """Fails unless exactly what had to be told of a group was told; ``away``: while somebody could not be reached, of
    which its thread tells, too."""
    messages = [each for each in services.slack.posts("incidents") if group.name in each.words + each.text]
    assert len(messages) == group.opened, f"{of}: {group.name} has {len(messages)} messages, not {group.opened}"
    for number, message in enumerate(messages, start=1):
        firing = group.firing and number == len(messages)
        assert (ACKNOWLEDGE in message.buttons) == firing, f"{of}: {group.name} does not tell its end"
        _check_thread(group, services.slack.replies(message), message, firing, of, away)
    incidents = [each for each in services.pagerduty.incidents if group.name in str(each.payload)]
    if group.severity != "critical":
        assert not incidents, f"{of}: {group.name} paged"
        return
    pages = [each for each in services.pagerduty.pages if group.name in str(each.payload)]
    assert len(pages) == len(incidents) <= group.opened, f"{of}: {group.name} paged {len(pages)} times"
    states = [each.status for each in incidents]
    assert [state for state in states if state != "resolved"] == ["triggered"] * group.firing, f"{of}: {group.name}"
    assert not group.firing or states[-1] == "triggered", f"{of}: {group.name} was lost"


def _check_thread(group: Group, replies: list[Message], message: Message, firing: bool, of: str, away: bool) -> None:
    told_firing = ACKNOWLEDGE in str(message.versions[0])
    expected = 1 if told_firing and not firing else 0
    steps = Counter(str(each.metadata.get("step")) for each in replies)
    assert all(count == 1 for count in steps.values()), f"{of}: {group.name} has replies twice: {steps}"
    assert steps.pop("resolved", 0) == expected, f"{of}: {group.name} does not tell its end in its thread"
    others = [step for step in steps if not (away and step.startswith("fallbacks-"))]
    assert not others, f"{of}: {group.name} has more replies: {others}"
