"""What the benchmarks of the router share: its catalogue, alerts, and Slack and PagerDuty in a process of their own."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from tests.routing.routers import Router, alert, webhook
from tests.servers.pagerduty import KEY, pagerduty_server
from tests.servers.slack import slack_server

_CATALOGUE = """\
name: bench
contacts: [{{name: on-call, pagerduty: primary, slack: "#incidents"}}, {{name: web, slack: "#web"}}]
routes: [{{severity: [critical], to: [on-call]}}, {{to: [web]}}]
services: [{{name: api, slos: [{{name: up, sli: {{kind: probe, matchers: {{job: api}}}}, objective: 99%}}]}}]
routing:
  slack: {{url: "{slack}", token: {{file: slack-token}}{slack_rate}}}
  pagerduty: {{url: "{pagerduty}", keys: {{primary: {{file: key}}}}{pagerduty_rate}}}
  {more}
"""
#: More than the router could ever send.
_UNLIMITED = ", per_second: 100000"
#: For a database that keeps what it has acknowledged, as an outbox's must.
DURABLE = "fsync = on\nsynchronous_commit = on\nfull_page_writes = on\nautovacuum = on\nshared_buffers = 128MB\n"


@dataclass(frozen=True, slots=True)
class Seen:
    """What came to Slack and PagerDuty: when each page and each message was (epoch seconds), and calls by name."""

    pages: list[float]
    posts: dict[str, list[float]]
    calls: Counter[str]


class Services:
    """A local Slack and a local PagerDuty, whose work takes nothing from this process."""

    def __init__(self, pipe: Connection, slack: str, token: str, pagerduty: str) -> None:
        self._pipe = pipe
        self.slack, self.token, self.pagerduty = slack, token, pagerduty

    def seen(self) -> Seen:
        """What they have taken so far."""
        self._pipe.send("seen")
        found = self._pipe.recv()
        assert isinstance(found, Seen)
        return found


@contextmanager
def services() -> Iterator[Services]:
    """Both, until the block ends."""
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_serve, args=(there,), daemon=True)
    process.start()
    there.close()
    try:
        yield Services(here, *here.recv())
    finally:
        here.send("end")
        process.join(10)
        process.kill()


def _serve(pipe: Connection) -> None:
    with slack_server(["incidents", "web"]) as slack, pagerduty_server(KEY) as pagerduty:
        pipe.send((slack.url, slack.token, pagerduty.url))
        while pipe.recv() == "seen":
            calls = Counter(call.method for call in list(slack.calls))
            calls.update(f"pagerduty.{request.event.get('event_action')}" for request in list(pagerduty.accepted))
            pages = [page.created_at for page in list(pagerduty.pages)]
            posts = {name: [float(post.ts) for post in slack.posts(name)] for name in slack.channels}
            pipe.send(Seen(pages, posts, calls))


@contextmanager
def router(folder: Path, served: Services, outbox: str = "", *, unlimited: bool, more: str = "") -> Iterator[Router]:
    """A router in a process of its own. ``unlimited``: it sends as quickly as it can, not as the services ask for;
    ``more`` are lines of `routing`."""
    folder.mkdir(parents=True, exist_ok=True)
    rate = _UNLIMITED if unlimited else ""
    text = _CATALOGUE.format(
        slack=served.slack, pagerduty=served.pagerduty, slack_rate=rate, pagerduty_rate=rate, more=more
    )
    (folder / "sla.yml").write_text(text)
    (folder / "slack-token").write_text(served.token)
    (folder / "key").write_text(KEY)
    with Router(folder / "sla.yml", outbox or str(folder / "outbox.db")) as running:
        yield running


def alert_of(group: int, member: int, *, severity: str, at: float, over: bool = False) -> dict[str, Any]:
    """One alert of a group, as Prometheus would have it."""
    return alert(
        f"Bench{group}",
        starts_at=at,
        ends_at=at + 1 if over else None,
        service="api",
        severity=severity,
        environment="production",
        pod=f"api-{member}",
        instance=f"10.0.{member // 250}.{member % 250}:9090",
    )


def webhook_of(group: int, alerts: list[dict[str, Any]]) -> dict[str, Any]:
    """Alertmanager's webhook for a group."""
    return webhook(*alerts, alertname=f"Bench{group}", service="api", environment="production")


def memory(process: int, key: str) -> float:
    """Megabytes (10^6 bytes): VmRSS is what is resident, VmHWM the most it was."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{key}:")[2].split()[0]) * 1024 / 1e6


def processor(process: int) -> float:
    """Seconds that a process and the kernel for it have used of the processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def sync_seconds(folder: Path, times: int = 200) -> float:
    """The median time that this disk takes to keep 4 kB."""
    taken = []
    descriptor = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT, 0o600)
    for _ in range(times):
        os.write(descriptor, b"x" * 4096)
        began = time.perf_counter()
        os.fdatasync(descriptor)
        taken.append(time.perf_counter() - began)
    os.close(descriptor)
    return sorted(taken)[times // 2]


def pid_of(running: Router) -> int:
    """The number of its process."""
    assert running.process is not None
    return running.process.pid
