"""A storm of 10,000 alerts, of which 100 are critical and come last: what is sent, how soon the pages go out, memory.

    python -m bench.routing_storm [--alerts N] [--small] [--only NAME]

Three shapes: each alert in a webhook and a group of its own; all in one webhook of one group; 100 groups of 100, each
of which comes without its critical alert first. They come as quickly as the router takes them, over 16 connections. It
delivers as it does by default (2 pages a second, 1 message a second and channel, a storm as one message), and once with
no limits at all: every alert of its own group a message of its own. For each: webhooks a second; seconds after the
first webhook when the first with a critical alert was sent, the first and the last page came, all was planned, and all
was delivered; how many messages about what is not critical came before the last page, of how many; calls of Slack and
PagerDuty; the router's memory at most; and how many times as many calls a router makes that tells of each by itself.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.routing_client import request, send
from bench.routing_setting import (
    Seen,
    Services,
    alert_of,
    memory,
    pid_of,
    processor,
    router,
    services,
    webhook_of,
)
from sla_kit.routing.outbox.looking import figures
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.routers import Router

_CRITICAL = 100
_CONNECTIONS = 16
#: Enough for what waits for `update_every`, and for the slower of the limits.
_PATIENCE_SECONDS = 600.0
_ALONE = "storm: {incidents: 0}"


@dataclass(frozen=True, slots=True)
class Shape:
    """How alerts come: so many webhooks, of so many alerts; ``unlimited``: one message for each group, at any rate."""

    name: str
    groups: int
    members: int
    unlimited: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """Seconds from the first webhook on, and counts."""

    webhooks_per_second: float
    first_critical: float
    first_page: float
    last_page: float
    planned: float
    delivered: float
    before: int
    less_urgent: int
    pages: int
    calls: int
    megabytes: float
    processor: float


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--alerts", type=int, default=10_000)
    parser.add_argument("--only", default="", help="the shape whose name begins so")
    parser.add_argument("--small", action="store_true", help="only to see that it runs")
    options = parser.parse_args()
    alerts = 400 if options.small else options.alerts
    side = round(alerts**0.5)
    shapes = [
        Shape(f"{alerts} groups of 1", alerts, 1),
        Shape(f"1 group of {alerts}", 1, alerts),
        Shape(f"{side} groups of {side}", side, side),
        Shape(f"{alerts} groups of 1, all told", alerts, 1, unlimited=True),
    ]
    print(
        f"{'':28} {'webhooks':>9} {'critical':>9} {'1st page':>9} {'last page':>9} {'planned':>8} {'delivered':>9}",
        end="",
    )
    print(f" {'before it':>12} {'pages':>6} {'calls':>7} {'MB':>5} {'CPU s':>6} {'alerts / call':>14}")
    print(f"{'':28} {'a second':>9} {'sent, s':>9} {'s':>9} {'s':>9} {'s':>8} {'s':>9} {'of others':>12}")
    for shape in shapes:
        if shape.name.startswith(options.only):
            _print(shape, _run(shape), alerts)


def _run(shape: Shape) -> Outcome:
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        served = stack.enter_context(services())
        more = _ALONE if shape.unlimited else ""
        running = stack.enter_context(router(Path(scratch), served, unlimited=shape.unlimited, more=more))
        outbox = stack.enter_context(open_outbox(running.outbox, create=False))
        return _storm(shape, running, outbox, served)


def _storm(shape: Shape, running: Router, outbox: Outbox, served: Services) -> Outcome:
    less, critical = _requests(shape)
    began = time.time()
    if less:
        send(running.port, less, _CONNECTIONS)
    before_critical = time.time()
    send(running.port, critical, _CONNECTIONS)
    taken = time.time()
    planned, delivered = _until_done(outbox)
    seen = served.seen()
    pages = sorted(seen.pages) or [float("nan")]
    others = _others(seen)
    count = len(less) + len(critical)
    return Outcome(
        webhooks_per_second=count / (taken - began),
        first_critical=before_critical - began,
        first_page=pages[0] - began,
        last_page=pages[-1] - began,
        planned=planned - began,
        delivered=delivered - began,
        before=sum(at < pages[-1] for at in others),
        less_urgent=len(others),
        pages=len(seen.pages),
        calls=sum(seen.calls.values()),
        megabytes=memory(pid_of(running), "VmHWM"),
        processor=processor(pid_of(running)),
    )


def _others(seen: Seen) -> list[float]:
    """When each message in the channel of what is not critical was."""
    return seen.posts["web"]


def _requests(shape: Shape) -> tuple[list[bytes], list[bytes]]:
    """Webhooks without a critical alert, and then those with one. Where groups have many alerts, each comes twice, as
    from Alertmanager: first without what is critical."""
    now = time.time()
    paging = min(shape.groups, _CRITICAL)
    critical_members = min(shape.members, _CRITICAL // paging)
    less, critical = [], []
    for group in range(shape.groups):
        members = []
        for member in range(shape.members):
            worst = group >= shape.groups - paging and member >= shape.members - critical_members
            severity = "critical" if worst else "info" if (group + member) % 2 else "warning"
            members.append(alert_of(group, member, severity=severity, at=now))
        others = [each for each in members if each["labels"]["severity"] != "critical"]
        if others and (shape.groups > 1):
            less.append(_webhook(group, others))
        if len(others) < len(members):
            critical.append(_webhook(group, members))
    return less, critical


def _webhook(group: int, alerts: list[dict[str, Any]]) -> bytes:
    return request("/v1/alertmanager", json.dumps(webhook_of(group, alerts), separators=(",", ":")).encode())


def _until_done(outbox: Outbox) -> tuple[float, float]:
    """When nothing was left to plan, and when nothing to deliver."""
    planned, deadline = 0.0, time.time() + _PATIENCE_SECONDS
    for now in _moments():
        with outbox.reading() as connection:
            found = figures(connection, outbox.clock.now())
        if not found.events and not planned:
            planned = now
        if not found.events and not sum(found.pending.values()):
            return planned, now
        if now > deadline:
            return planned or float("nan"), float("nan")
    raise AssertionError


def _moments() -> Iterator[float]:
    while True:
        yield time.time()
        time.sleep(0.02)


def _print(shape: Shape, found: Outcome, alerts: int) -> None:
    print(
        f"{shape.name:28} {found.webhooks_per_second:>9.0f} {found.first_critical:>9.2f} {found.first_page:>9.2f}"
        f" {found.last_page:>9.2f} {found.planned:>8.2f} {found.delivered:>9.2f}"
        f" {found.before:>5} of {found.less_urgent:<4}{found.pages:>6} {found.calls:>7} {found.megabytes:>5.0f}"
        f" {found.processor:>6.1f} {alerts / found.calls:>13.1f}x",
        flush=True,
    )


if __name__ == "__main__":
    main()
