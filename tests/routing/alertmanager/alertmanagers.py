"""Alerts and webhooks of a real Alertmanager, and servers before it that ask for a password or lose answers."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from sla_kit.catalogue.routing import AlertmanagerSettings
from sla_kit.routing.alertmanager import Client, access

PATIENCE_SECONDS = 60.0


def client_of(url: str) -> Client:
    return Client(access(AlertmanagerSettings(url=url), timeout_seconds=60.0, patience_seconds=120.0))


def fire(url: str, *labels: dict[str, str]) -> None:
    """Lets alerts fire for an hour."""
    end = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    body = json.dumps([{"labels": each, "endsAt": end} for each in labels]).encode()
    request = urllib.request.Request(f"{url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 200


def eventually(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


@dataclass(slots=True)
class Proxy:
    """What stands before an Alertmanager. ``lose`` answers that are still to be lost, after the request was passed on;
    ``before`` says the same of requests that are not passed on; ``answer`` is a status that is given instead."""

    url: str = ""
    lose: int = 0
    before: int = 0
    statuses: list[int] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)


@contextmanager
def proxy(behind: str, *, user: str = "", password: str = "", token: str = "") -> Iterator[Proxy]:
    """A proxy, which asks for a user and password, or a token, where they are given."""
    state = Proxy()
    expected = f"Bearer {token}" if token else ""
    if user:
        expected = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.requests.append(f"{self.command} {self.path}")
            if expected and self.headers.get("Authorization") != expected:
                self.answer(401, b'"who are you?"')
                return
            if self.command != "GET" and state.before:
                state.before -= 1
                self.close_connection = True
                return
            if state.statuses:
                self.answer(state.statuses.pop(0), b'{"message": "not now"}')
                return
            headers = {"Content-Type": self.headers.get("Content-Type") or "application/json"}
            request = urllib.request.Request(behind + self.path, body or None, headers, method=self.command)
            try:
                with urllib.request.urlopen(request, timeout=30) as found:
                    status, told = found.status, found.read()
            except urllib.error.HTTPError as error:
                status, told = error.code, error.read()
            if self.command != "GET" and state.lose:
                state.lose -= 1
                self.close_connection = True
                return
            self.answer(status, told)

        do_GET = do_POST = do_DELETE = handle_any  # noqa: N815

        def answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join(30)


@dataclass(slots=True)
class Webhooks:
    """What an Alertmanager sent: the names of the alerts, one entry a webhook."""

    url: str = ""
    told: list[list[str]] = field(default_factory=list)


@contextmanager
def webhooks() -> Iterator[Webhooks]:
    """A receiver of webhooks."""
    state = Webhooks()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            state.told.append([each["labels"]["alertname"] for each in body["alerts"]])
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    state.url = f"http://127.0.0.1:{server.server_port}/"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
