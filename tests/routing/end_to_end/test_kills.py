"""Nothing acknowledged is lost, and nobody is told twice, whenever the router is killed.

Each run begins a router on a new outbox, sends it webhooks as Alertmanager does (again until they are taken; some
twice, some late), kills it at a random instant, and lets another life go on. In the end the local PagerDuty and Slack
hold exactly what had to be told.
"""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from sla_kit.routing.outbox.store import open_outbox
from sla_kit.routing.slack.incidents import ACKNOWLEDGE
from tests.routing.end_to_end.forked import ForkedRouter, Nursery
from tests.routing.routers import alert, until, webhook
from tests.servers.pagerduty import KEY, PagerDutyServer, pagerduty_server
from tests.servers.slack import Message, SlackServer, slack_server

RUNS, WORKERS = 500, 10
CATALOGUE = """\
name: kills
contacts: [{{name: on-call, pagerduty: primary, slack: "#incidents"}}, {{name: web, slack: "#incidents"}}]
routes: [{{severity: [critical], to: [on-call]}}, {{to: [web]}}]
services: [{{name: api, slos: [{{name: up, sli: {{kind: probe, matchers: {{job: api}}}}, objective: 99%}}]}}]
routing:
  escalate: false
  update_every: 0.05s
  storm: {{incidents: 0}}
  slack: {{url: "{slack}", token: {{file: slack-token}}, signing_secret: {{file: slack-secret}}, per_second: 1000}}
  pagerduty: {{url: "{pagerduty}", keys: {{primary: {{file: key}}}}, per_second: 1000}}
"""


@dataclass
class Services:
    """Where messages end."""

    slack: SlackServer
    pagerduty: PagerDutyServer


@dataclass(frozen=True)
class Group:
    """One group of alerts of a run, and how it ends."""

    name: str
    severity: str
    webhooks: list[dict[str, Any]]
    resolved: bool


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture
def services() -> Iterator[Services]:
    with slack_server(["incidents"]) as slack, pagerduty_server(KEY) as pagerduty:
        yield Services(slack, pagerduty)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("worker", range(WORKERS))
def test_each_group_is_told_exactly_once_whenever_the_router_is_killed(
    worker: int, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    (tmp_path / "sla.yml").write_text(CATALOGUE.format(slack=services.slack.url, pagerduty=services.pagerduty.url))
    (tmp_path / "slack-token").write_text(services.slack.token)
    (tmp_path / "slack-secret").write_text(services.slack.signing_secret)
    (tmp_path / "key").write_text(KEY)
    template = tmp_path / "template.db"
    open_outbox(str(template)).close()
    for run in range(RUNS // WORKERS):
        seed = worker * 1000 + run
        chance = random.Random(seed)
        outbox = tmp_path / f"outbox-{run}.db"
        outbox.write_bytes(template.read_bytes())
        groups = [_group(chance, f"S{seed}G{number}") for number in range(chance.randint(2, 4))]
        _one_run(chance, ForkedRouter(nursery, tmp_path / "sla.yml", str(outbox)), outbox, groups)
        for group in groups:
            _check(group, services, f"seed {seed}")


def _one_run(chance: random.Random, router: ForkedRouter, outbox: Path, groups: list[Group]) -> None:
    router.start()
    sending = threading.Thread(target=_send, args=(router, _shuffled(chance, groups)))
    sending.start()
    for _ in range(chance.choice((1, 1, 1, 2))):
        time.sleep(chance.uniform(0.0, 0.25))  # the instant at which it dies is what this is about
        router.kill()
        router.start(ready=False)
    sending.join(120)
    assert not sending.is_alive(), "the webhooks were not taken"
    until("the last delivery", lambda: _nothing_waits(outbox), 120, 0.02)
    router.kill()


def _group(chance: random.Random, name: str) -> Group:
    """A group that fires, may gain alerts, and may be resolved."""
    severity = chance.choice(("critical", "warning"))
    start, resolved = time.time() - 60, chance.random() < 0.6
    pods = chance.randint(1, 3)

    def one(pod: int, ends_at: float | None = None) -> dict[str, Any]:
        return alert(name, starts_at=start + pod, ends_at=ends_at, service="api", severity=severity, pod=f"pod-{pod}")

    told = [webhook(*(one(pod) for pod in range(count)), alertname=name, service="api") for count in range(1, pods + 1)]
    if resolved:
        told.append(webhook(*(one(pod, start + 50) for pod in range(pods)), alertname=name, service="api"))
    return Group(name, severity, told, resolved)


def _shuffled(chance: random.Random, groups: list[Group]) -> list[dict[str, Any]]:
    """The webhooks of all groups, those of one group in their order, with some a second time, later."""
    queues = [list(group.webhooks) for group in groups]
    found: list[dict[str, Any]] = []
    while any(queues):
        queue = chance.choice([queue for queue in queues if queue])
        found.append(queue.pop(0))
        if chance.random() < 0.3:
            found.append(chance.choice(found))
    return found


def _send(router: ForkedRouter, webhooks: list[dict[str, Any]]) -> None:
    """As Alertmanager: until it is taken."""
    for each in webhooks:
        while True:
            try:
                status, body = router.post("/v1/alertmanager", each)
            except (OSError, HTTPException):
                status, body = 0, b""
            if status == 200:
                break
            assert status in (0, 503), (status, body)
            time.sleep(0.01)  # between two attempts


def _nothing_waits(outbox: Path) -> bool:
    connection = sqlite3.connect(f"file:{outbox}?mode=ro", uri=True, timeout=10)
    try:
        query = (
            "SELECT (SELECT count(*) FROM event WHERE state = 'new') + (SELECT count(*) FROM delivery WHERE pending)"
        )
        return bool(connection.execute(query).fetchone()[0] == 0)
    finally:
        connection.close()


def _check(group: Group, services: Services, of: str) -> None:
    messages = [each for each in services.slack.posts("incidents") if group.name in each.words + each.text]
    assert len(messages) == 1, f"{of}: {group.name} has {len(messages)} messages"
    [message] = messages
    assert (ACKNOWLEDGE in message.buttons) != group.resolved, f"{of}: {group.name} does not tell its end"
    _check_thread(group, services.slack.replies(message), message, of)
    incidents = [each for each in services.pagerduty.incidents if group.name in str(each.payload)]
    if group.severity != "critical":
        assert not incidents, f"{of}: {group.name} paged"
        return
    pages = [each for each in services.pagerduty.pages if group.name in str(each.payload)]
    assert len(pages) == len(incidents) <= 1, f"{of}: {group.name} paged {len(pages)} times"
    if not group.resolved:
        assert [each.status for each in incidents] == ["triggered"], f"{of}: {group.name} was lost"
    elif incidents:  # or it was over before anybody was called
        assert incidents[0].status == "resolved", f"{of}: {group.name} is open for ever"


def _check_thread(group: Group, replies: list[Message], message: Message, of: str) -> None:
    told_firing = ACKNOWLEDGE in str(message.versions[0])
    expected = 1 if group.resolved and told_firing else 0
    assert len(replies) == expected, f"{of}: {group.name} has {len(replies)} replies instead of {expected}"
