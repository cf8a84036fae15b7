"""Webhooks that the router accepts a second, each committed to disk before it is answered, beside Alertmanager's own
ingestion, which keeps alerts in memory.

    python -m bench.routing_accept [--small] [--rounds N] [--scale X] [--no-postgresql]

A real router on SQLite (synchronous=FULL), one on PostgreSQL (synchronous_commit=on) and a real Alertmanager get the
same alerts in the same portions by the same client, in turns: POST /v1/alertmanager, and POST /api/v2/alerts. The
router plans and delivers to a local Slack and a local PagerDuty meanwhile. Every second time an alert comes it is over.
How much is not planned yet when the last one is answered, and how long that takes, is told, too. The last two columns
are how many times as many webhooks Alertmanager takes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.routing_client import Sent, request, send
from bench.routing_setting import (
    DURABLE,
    alert_of,
    memory,
    pid_of,
    processor,
    router,
    services,
    sync_seconds,
    webhook_of,
)
from sla_kit.routing.outbox.accepting import waiting_events
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.servers.monitoring import alertmanager
from tests.servers.postgresql import postgresql

#: Alerts of a request, and how many requests of that size a round has for one, and for more connections.
_SIZES = {1: (400, 2000), 5: (300, 1000), 50: (60, 200)}
_CONNECTIONS = (1, 16, 64)
_GROUPS = 500


@dataclass
class Side:
    """One server: how what is sent to it is written, and how it went."""

    name: str
    port: int
    pid: int
    written: Callable[[int, list[dict[str, Any]]], bytes]
    outbox: Outbox | None = None
    sent: list[Sent] = field(default_factory=list)
    behind: list[int] = field(default_factory=list)
    catching_up: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="times as many requests")
    parser.add_argument("--no-postgresql", action="store_true")
    parser.add_argument("--small", action="store_true", help="only to see that it runs")
    options = parser.parse_args()
    if options.small:
        options.rounds, options.scale = 1, 0.02
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        print(f"this disk keeps 4 kB in {1e3 * sync_seconds(folder):.1f} ms (median)")
        sides = _sides(stack, folder, with_postgresql=not options.no_postgresql)
        print(
            f"\n{'alerts  connections':20} {'':13} {'webhooks/s':>10} {'alerts/s':>9} {'p50 ms':>8} {'p99 ms':>8}",
            end="",
        )
        print(f" {'behind':>8} {'caught up s':>12} {'CPU ms each':>12} {'peer / ours':>12}")
        alerts = _alerts()
        worst: dict[str, float] = {}
        for size, (alone, together) in _SIZES.items():
            for connections in _CONNECTIONS:
                count = max(8, round((alone if connections == 1 else together) * options.scale))
                _measure(sides, alerts, size, count, connections, options.rounds)
                _print(sides, size, connections, worst)
        for side in sides:
            print(f"{side.name}: {memory(side.pid, 'VmHWM'):.0f} MB resident at most")
    for name, ratio in worst.items():
        print(f"ratio: Alertmanager, in memory, takes up to {ratio:.1f} times as many a second as {name}, on disk")


def _sides(stack: ExitStack, folder: Path, *, with_postgresql: bool) -> list[Side]:
    served = stack.enter_context(services())
    outboxes = {"SQLite": str(folder / "outbox.db")}
    if with_postgresql:
        outboxes["PostgreSQL"] = stack.enter_context(postgresql(DURABLE)).url
    sides = []
    for name, address in outboxes.items():
        running = stack.enter_context(router(folder / name, served, address, unlimited=True))
        outbox = stack.enter_context(open_outbox(address, create=False))
        sides.append(Side(f"router, {name}", running.port, pid_of(running), _webhook, outbox))
    manager = stack.enter_context(alertmanager())
    return [*sides, Side("Alertmanager", manager.port, manager.pid, _posted)]


def _alerts() -> Iterator[tuple[int, int]]:
    """Which group comes next, and in which turn."""
    turn = 0
    while True:
        for group in range(_GROUPS):
            yield group, turn
        turn += 1


def _measure(
    sides: list[Side], alerts: Iterator[tuple[int, int]], size: int, count: int, connections: int, rounds: int
) -> None:
    for side in sides:
        side.sent, side.behind, side.catching_up, side.processor = [], [], [], []
    for _ in range(rounds):
        now = time.time() - 60
        portions = [_portion(group, turn, size, now) for group, turn in (next(alerts) for _ in range(count))]
        for side in sides:
            requests = [side.written(group, portion) for group, portion in portions]
            used = processor(side.pid)
            side.sent.append(send(side.port, requests, connections))
            ended = time.monotonic()
            side.processor.append((processor(side.pid) - used) / count)
            if side.outbox is not None:
                side.behind.append(_waiting(side.outbox))
                while _waiting(side.outbox):
                    time.sleep(0.01)
                side.catching_up.append(time.monotonic() - ended)


def _portion(group: int, turn: int, size: int, now: float) -> tuple[int, list[dict[str, Any]]]:
    severity = "critical" if group % 10 == 0 else "warning"
    at = now - now % 1000 + turn // 2  # an alert that comes again is another one
    return group, [alert_of(group, member, severity=severity, at=at, over=bool(turn % 2)) for member in range(size)]


def _webhook(group: int, alerts: list[dict[str, Any]]) -> bytes:
    return request("/v1/alertmanager", json.dumps(webhook_of(group, alerts), separators=(",", ":")).encode())


def _posted(group: int, alerts: list[dict[str, Any]]) -> bytes:
    told = [
        {
            "labels": each["labels"],
            "annotations": each["annotations"],
            "startsAt": each["startsAt"],
            "generatorURL": each["generatorURL"],
            **({"endsAt": each["endsAt"]} if each["status"] == "resolved" else {}),
        }
        for each in alerts
    ]
    return request("/api/v2/alerts", json.dumps(told, separators=(",", ":")).encode())


def _waiting(outbox: Outbox) -> int:
    with outbox.reading() as connection:
        return waiting_events(connection)


def _print(sides: list[Side], size: int, connections: int, worst: dict[str, float]) -> None:
    peer = statistics.median(each.per_second for each in sides[-1].sent)
    for side in sides:
        rate = statistics.median(each.per_second for each in side.sent)
        every = Sent([taken for each in side.sent for taken in each.times])
        refused = sum(each.refused for each in side.sent)
        where = f"{size:>6}  {connections:>11}" if side is sides[0] else ""
        line = f"{where:20} {side.name:19} {rate:>4.0f} {rate * size:>9.0f}"
        line += f" {1e3 * every.percentile(50):>8.1f} {1e3 * every.percentile(99):>8.1f}"
        if side.outbox is not None:
            worst[side.name] = max(worst.get(side.name, 0.0), peer / rate)
            line += f" {statistics.median(side.behind):>8.0f} {statistics.median(side.catching_up):>12.2f}"
        else:
            line += f" {'':>8} {'':>12}"
        line += f" {1e3 * statistics.median(side.processor):>12.2f}"
        print(
            line
            + (f" {peer / rate:>11.1f}x" if side.outbox is not None else "")
            + (f"  {refused} refused" if refused else "")
        )


if __name__ == "__main__":
    main()
