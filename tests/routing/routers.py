"""Routers in processes of their own, as users start them, that can be killed at any instant and started again."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

import pytest

from tests.servers.process import READY_SECONDS, free_port

Json = Any
#: How long a router may take to end: longer than it promises, since the machine may be busy.
_END_SECONDS = 120.0
_held: deque[socket.socket] = deque(maxlen=64)


def until(what: str, holds: Callable[[], bool], seconds: float = 120, every: float = 0.05) -> None:
    """Waits for something to happen, and fails with its words where it does not."""
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{what} has not happened within {seconds:g} s")
        time.sleep(every)


def lasting_port() -> int:
    """A free loopback port that no other test is given while no router has it, either: before its first life, and
    between two of them. A socket that does not listen holds it, beside which one that does may be bound."""
    while True:
        port, held = free_port(), socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind(("127.0.0.1", port))
        except OSError:
            held.close()
        else:
            _held.append(held)
            return port


@dataclass
class Router:
    """`sla-kit route serve` on the catalogue at ``catalogue``; ``outbox`` is where it keeps what it accepts. Statements
    in ``preamble`` are run first."""

    catalogue: Path
    outbox: str
    port: int = field(default_factory=lasting_port)
    arguments: tuple[str, ...] = ()
    preamble: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        """What it has said in all its lives."""
        return self.catalogue.parent / f"router-{self.port}.log"

    def __enter__(self) -> Router:
        self.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.stop()

    def start(self, *, ready: bool = True) -> None:
        """Begins a life; returns once it is ready, or at once."""
        command = [sys.executable, "-c", f"{self.preamble}\nfrom sla_kit.cli import main; main()"]
        command += ["route", "serve", "-c", str(self.catalogue)]
        command += ["--listen", f"127.0.0.1:{self.port}", "--outbox", self.outbox, *self.arguments]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment},
                cwd=self.catalogue.parent,
            )
        if ready:
            until("the router's start", self._ready, READY_SECONDS)

    def _ready(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            pytest.fail(f"the router ended with {self.process.returncode}; its log ends:\n{self.said()[-3000:]}")
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, HTTPException):
            return False

    def said(self) -> str:
        """The text of its log."""
        return self.log.read_text(errors="replace")

    def kill(self) -> None:
        """Ends it at this instant, as a crash or the kernel would."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Tells it to end, and waits until it has; its exit code."""
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(_END_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
        return self.process.wait()

    def get(self, path: str) -> tuple[int, bytes]:
        """The status and body of an answer."""
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: Json, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Posts JSON (bytes as they are)."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **(headers or {})}
        return self._ask(urllib.request.Request(self.url + path, data=data, headers=told))

    def _ask(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def metric(self, name: str, **labels: str) -> float:
        """The value of one of its metrics, 0 where it has none with these labels."""
        from prometheus_client.parser import text_string_to_metric_families

        _, body = self.get("/metrics")
        for family in text_string_to_metric_families(body.decode()):
            for sample in family.samples:
                if sample.name == name and sample.labels.items() >= labels.items():
                    return float(sample.value)
        return 0.0


def webhook(
    *alerts: dict[str, Any], receiver: str = "on-call", status: str | None = None, **group: str
) -> dict[str, Any]:
    """Alertmanager's webhook of version 4 with these alerts, in one group."""
    firing = any(each["status"] == "firing" for each in alerts)
    return {
        "version": "4",
        "groupKey": "{}:{" + ", ".join(f'{name}="{value}"' for name, value in sorted(group.items())) + "}",
        "truncatedAlerts": 0,
        "status": status or ("firing" if firing else "resolved"),
        "receiver": receiver,
        "groupLabels": group,
        "commonLabels": group,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.com",
        "alerts": list(alerts),
    }


def alert(name: str, *, starts_at: float, ends_at: float | None = None, **labels: str) -> dict[str, Any]:
    """One alert of a webhook: firing, or resolved where it has an end."""
    every = {"alertname": name, **labels}
    fingerprint = f"{abs(hash_of(every)):016x}"[:16]
    return {
        "status": "firing" if ends_at is None else "resolved",
        "labels": every,
        "annotations": {"summary": f"{name} of {labels.get('service', 'nobody')}", "description": "It is as it is."},
        "startsAt": _text(starts_at),
        "endsAt": "0001-01-01T00:00:00Z" if ends_at is None else _text(ends_at),
        "generatorURL": "http://prometheus.example.com/graph?g0.expr=up+%3D%3D+0&g0.tab=1",
        "fingerprint": fingerprint,
    }


def hash_of(labels: dict[str, str]) -> int:
    """A number that is the same in every process."""
    import zlib

    text = json.dumps(labels, sort_keys=True).encode()
    return zlib.crc32(text) << 32 | zlib.adler32(text)


def _text(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")
