"""Webhooks that come twice, late, and in another order than they were sent: each incident is told once, and ends in the
state that the newest of what was sent says."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sla_kit.routing.events import Alert
from sla_kit.routing.web.alertmanager import read_webhook
from tests.routing.end_to_end.forked import ForkedRouter, Nursery
from tests.routing.end_to_end.groups import Group, Services, check, local_services, sending, wait_for_the_last
from tests.routing.routers import alert, webhook

SEEDS, AT_ONCE, LINES = 120, 40, 4


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as found:
        yield found


@pytest.fixture
def services() -> Iterator[Services]:
    with local_services() as found:
        yield found


@pytest.mark.timeout(900)
@pytest.mark.parametrize("first", range(0, SEEDS, AT_ONCE))
def test_in_whichever_order_webhooks_come_each_incident_is_told_once(
    first: int, nursery: Nursery, services: Services, tmp_path: Path
) -> None:
    outbox, catalogue = tmp_path / "outbox.db", services.catalogue(tmp_path)
    router = ForkedRouter(nursery, catalogue, str(outbox))
    router.start()
    runs = {seed: _groups(seed) for seed in range(first, first + AT_ONCE)}
    streams: list[list[dict[str, Any]]] = [[] for _ in range(LINES)]
    for seed, groups in runs.items():
        streams[seed % LINES] += _mixed(random.Random(seed), groups)
    senders = [sending([router], stream) for stream in streams]
    for sender in senders:
        sender.finish(300)
    wait_for_the_last(str(outbox), 300)
    router.kill()
    for seed, groups in runs.items():
        for group in groups:
            check(group, services, f"seed {seed}")


def _groups(seed: int) -> list[Group]:
    chance = random.Random(seed)
    return [_group(chance, f"S{seed}G{number}Z") for number in range(chance.randint(2, 4))]


def _group(chance: random.Random, name: str) -> Group:
    """What one or two Alertmanagers say of a group that may fire, be over, and fire again: in a new order."""
    severity, now = chance.choice(("critical", "warning")), float(int(time.time()))
    pods = [f"pod-{number}" for number in range(chance.randint(1, 3))]
    at, history, state = now - 600.0, [], dict[str, tuple[float, float | None]]()
    for _ in range(chance.randint(1, 6)):
        for pod in chance.sample(pods, chance.randint(1, len(pods))):
            at += chance.randint(1, 15)
            start, end = state.get(pod, (0.0, 0.0))
            state[pod] = (start, at) if end is None else (at, None)
        history.append(_webhook(name, severity, state))
        state = {pod: each for pod, each in state.items() if each[1] is None}  # what is over is told once
    told = [each for each in history for _ in range(chance.choice((1, 1, 2, 3)))]
    reach = chance.choice((0.0, 1.5, 4.0, 100.0))  # how far one may be from its place
    places = [place + chance.uniform(0.0, reach) for place in range(len(told))]
    told = [told[place] for place in sorted(range(len(told)), key=places.__getitem__)]
    opened, firing = _expected(told)
    return Group(name, severity, told, opened, firing)


def _webhook(name: str, severity: str, state: dict[str, tuple[float, float | None]]) -> dict[str, Any]:
    alerts = [
        alert(name, starts_at=start, ends_at=end, service="api", severity=severity, pod=pod)
        for pod, (start, end) in state.items()
    ]
    return webhook(*alerts, alertname=name, service="api")


def _expected(told: list[dict[str, Any]]) -> tuple[int, bool]:
    """How often a group begins to fire where its webhooks come in this order, and whether it fires in the end: of each
    alert a later beginning counts, and of one beginning its end."""
    firing: dict[str, float] = {}
    over: dict[str, float] = {}
    opened = 0
    for each in told:
        before = bool(firing)
        for found in _alerts(each):
            if not found.firing:
                over[found.fingerprint] = max(found.starts_at, over.get(found.fingerprint, 0.0))
                if (found.ends_at or 0.0) >= firing.get(found.fingerprint, float("inf")):
                    del firing[found.fingerprint]
            elif found.starts_at > over.get(found.fingerprint, 0.0):
                firing[found.fingerprint] = max(found.starts_at, firing.get(found.fingerprint, 0.0))
        opened += bool(firing) and not before
    return opened, bool(firing)


def _alerts(body: dict[str, Any]) -> list[Alert]:
    import json

    return read_webhook(json.dumps(body).encode(), time.time()).alerts


def _mixed(chance: random.Random, groups: list[Group]) -> list[dict[str, Any]]:
    queues = [list(each.webhooks) for each in groups]
    found = []
    while any(queues):
        found.append(chance.choice([queue for queue in queues if queue]).pop(0))
    return found
