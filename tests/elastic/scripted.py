"""A small HTTP(S) server that answers as a script says: what no real Elasticsearch without security does."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PRODUCT = {"X-elastic-product": "Elasticsearch"}


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; JSON of an Elasticsearch unless said otherwise. ``cut`` bytes of it are left out at the end."""

    body: object = field(default_factory=lambda: {"version": {"number": "9.5.3"}})
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    product: bool = True
    kind: str = "application/json"
    cut: int = 0


@dataclass
class Scripted:
    """Where it listens, and the headers of the requests that came."""

    url: str
    seen: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def scripted(answers: Sequence[Answer], certificate: tuple[Path, Path] | None = None) -> Iterator[Scripted]:
    """Gives the answers one after another, the last for ever."""
    left = list(answers)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                server_of.seen.append({name.lower(): value for name, value in self.headers.items()})
                answer = left.pop(0) if len(left) > 1 else left[0]
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.send_response(answer.status)
            for name, value in {**(PRODUCT if answer.product else {}), **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Type", answer.kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: len(body) - answer.cut])
            self.close_connection = bool(answer.cut)

        def handle(self) -> None:
            with suppress(OSError):
                super().handle()

        def log_message(self, *_: object) -> None:
            pass

    class Listener(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            pass

    with Listener(("127.0.0.1", 0), Handler) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server_of = Scripted(f"http{'s' if certificate else ''}://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server_of
        finally:
            server.shutdown()
            thread.join()
