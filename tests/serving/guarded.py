"""A guarded application behind a real socket, in this process."""

from __future__ import annotations

import asyncio
import http.client
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from sla_kit.serving.addresses import Address
from sla_kit.serving.listening import Listener, bind

_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True)
class Told:
    """An answer; ``headers`` holds each value of a name in lower case."""

    status: int
    headers: Mapping[str, list[str]]
    text: str


@dataclass(frozen=True)
class Serving:
    """A server on a port of the loopback address."""

    port: int

    def ask(self, path: str, method: str = "GET", body: bytes | Iterable[bytes] | None = None, **headers: str) -> Told:
        """Asks on a connection of its own; ``x_y="z"`` is the header ``x-y: z``."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            found: dict[str, list[str]] = {}
            for name, value in answer.getheaders():
                found.setdefault(name.lower(), []).append(value)
            return Told(answer.status, found, answer.read().decode())
        finally:
            connection.close()


@contextmanager
def serving(app: ASGIApp, *, client: str = "") -> Iterator[Serving]:
    """Serves it in a thread; ``client`` is the address that everybody who asks is made to have."""

    async def seen(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": (client, 1)} if client else scope, receive, send)

    ready = threading.Event()
    ends: list[Callable[[], object]] = []
    ports: list[int] = []

    async def run() -> None:
        sockets = bind(Address("127.0.0.1", 0))
        ports.append(sockets[0].getsockname()[1])
        listener = Listener(seen, sockets)
        await listener.start(None)
        loop, end = asyncio.get_running_loop(), asyncio.Event()
        ends.append(lambda: loop.call_soon_threadsafe(end.set))
        ready.set()
        await end.wait()
        await listener.stop()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    try:
        assert ready.wait(_PATIENCE_SECONDS)
        yield Serving(ports[0])
    finally:
        for end in ends:
            end()
        thread.join(_PATIENCE_SECONDS)
