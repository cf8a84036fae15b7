"""Who takes part in a chain from metrics to messages: what is scraped, a catcher of messages, what servers say."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any

from tests.servers import Alertmanager, Prometheus

#: All areas but those that a chain is about: nothing of theirs runs here.
OFF = (
    *("promises", "business", "live_events", "kubernetes", "postgresql", "redis", "ingress", "probes", "hosts"),
    *("logging", "backups", "delivery", "security", "cloud"),
)
PER_SECOND = 40.0


@dataclass
class Endpoint:
    """What is scraped, and the router's place: every message that was handed over, by the version that led to it."""

    address: str = ""
    down: bool = False
    failing: float = 0.0
    served: float = 0.0
    failed: float = 0.0
    since: float = field(default_factory=time.monotonic)
    answered: float | None = None
    stood_still_seconds: float = 0.0
    caught: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def set(self, *, down: bool = False, failing: float = 0.0) -> None:
        """From now on the endpoint is down, or that share of its requests fails."""
        with self.lock:
            self._count()
            self.down, self.failing = down, failing

    def metrics(self) -> str | None:
        """The counters as they are now; None while it is down."""
        with self.lock:
            self._count()
            counts = {"200": self.served, "500": self.failed}
            if self.down:
                return None
        name = "http_request_duration_seconds_count"
        lines = [f'{name}{{status_code="{code}"}} {int(count)}' for code, count in counts.items()]
        return "\n".join([f"# TYPE {name} counter", *lines, ""])

    def scraped(self) -> None:
        """Notes that a scrape was answered, and how long none was: by that much this machine looked like an outage."""
        with self.lock:
            now = time.monotonic()
            self.stood_still_seconds = max(self.stood_still_seconds, now - (self.answered or now))
            self.answered = now

    def _count(self) -> None:
        now = time.monotonic()
        requests = PER_SECOND * (now - self.since)
        self.since = now
        self.served += requests * (1 - self.failing)
        self.failed += requests * self.failing

    def told(self, version: str, status: str, name: str, receiver: str, **labels: str) -> list[dict[str, Any]]:
        """The alerts of a name that reached a receiver."""
        return [
            alert
            for path, message in list(self.caught)
            if path == version and message["receiver"] == receiver
            for alert in message["alerts"]
            if alert["status"] == status and alert["labels"].items() >= ({"alertname": name} | labels).items()
        ]


@contextmanager
def endpoint() -> Iterator[Endpoint]:
    state = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = state.metrics()
            self._answer(503 if text is None else 200, text or "")
            state.scraped()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            state.caught.append((self.path.strip("/"), json.loads(body)))
            self._answer(200, "")

        def _answer(self, status: int, text: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.address = f"127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def until(what: str, holds: Callable[[], bool], seconds: float = 400) -> None:
    """Waits for something to happen."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} has not happened within {seconds} s"
        time.sleep(0.2)


def asked(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.load(answer)


def states(server: Alertmanager, name: str, **labels: str) -> set[str]:
    """What Alertmanager says of the alerts of a name: active, suppressed."""
    alerts = asked(f"{server.url}/api/v2/alerts")
    wanted = ({"alertname": name} | labels).items()
    return {each["status"]["state"] for each in alerts if each["labels"].items() >= wanted}


def firing(server: Prometheus, name: str, **labels: str) -> bool:
    alerts = asked(f"{server.url}/api/v1/alerts")["data"]["alerts"]
    wanted = ({"alertname": name} | labels).items()
    return any(each["state"] == "firing" and each["labels"].items() >= wanted for each in alerts)
