"""A small HTTP server that answers as a script says: the faults that no real server makes on request."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from sla_kit.timeline import Grid

GRID = Grid(1_700_000_040, 60, 3)


def matrix(**more: object) -> bytes:
    """A good answer over `GRID`: 1, 2, 3."""
    values = [[int(end), str(index + 1)] for index, end in enumerate(GRID.ends)]
    data = {"resultType": "matrix", "result": [{"metric": {"a": "b"}, "values": values}]}
    return json.dumps({"status": "success", "data": data, **more}, separators=(",", ":")).encode()


@dataclass
class Seen:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    form: dict[str, list[str]]
    at: float


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:
            self.server.seen.append(Seen(self.path, headers, form, time.monotonic()))
            script = self.server.script
            answer = script.pop(0) if len(script) > 1 else script[0]
        answer(self)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    script: list[Answer]
    seen: list[Seen]
    lock: threading.Lock


Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Faulty:
    """The running server: its address and what it was asked."""

    port: int
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


def says(status: int, body: bytes = b"", **headers: str) -> Answer:
    """A whole answer."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(body)

    return answer


GOOD = says(200, matrix())


def refuses(status: int, error: str, kind: str = "bad_data") -> Answer:
    """An error as Prometheus writes it."""
    return says(status, json.dumps({"status": "error", "errorType": kind, "error": error}).encode())


def hangs_up(handler: BaseHTTPRequestHandler) -> None:
    """Closes the connection without a word."""
    handler.close_connection = True


def breaks_off(handler: BaseHTTPRequestHandler) -> None:
    """Promises more than it sends."""
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(matrix())))
    handler.end_headers()
    handler.wfile.write(matrix()[:-30])
    handler.close_connection = True


def breaks_off_a_chunk(handler: BaseHTTPRequestHandler) -> None:
    """Ends in the middle of a chunked body."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b"%x\r\n" % len(matrix()) + matrix()[:40])
    handler.close_connection = True


@contextmanager
def faulty(*script: Answer) -> Iterator[Faulty]:
    """Answers the first request with the first of ``script``, and so on; the last again and again."""
    server = _Server(("127.0.0.1", 0), _Handler)
    found = Faulty(server.server_address[1])
    server.script, server.seen, server.lock = list(script), found.seen, threading.Lock()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
