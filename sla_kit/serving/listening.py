"""The web server: sockets on the addresses asked for, TLS whose certificates can be exchanged, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from sla_kit.errors import SlaKitError
from sla_kit.serving.addresses import Address
from sla_kit.serving.connections import BoundedProtocol
from sla_kit.serving.guard import MAX_HEADERS_BYTES

_BACKLOG = 256
#: asyncio accepts so many at once before any of them is looked at, and where there are no descriptors left tries as
#: often, with a line of the log each time.
_ACCEPTED_AT_ONCE = 8
_KEEP_ALIVE_SECONDS = 75  # longer than the usual scrape interval, so that a scraper keeps its connection
_HANDSHAKE_SECONDS = 10.0
_FAREWELL_SECONDS = 3.0
#: How long an end waits for requests that are being answered.
_DRAIN_SECONDS = 10
_SHUT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def bind(address: Address) -> list[socket.socket]:
    """Sockets on an address: several where a name has several. Raises `SlaKitError`."""
    found: list[socket.socket] = []
    port, trouble = address.port, None
    for family, target in _targets(address):
        try:
            # The protocol is said, or asyncio sets no TCP_NODELAY: a body then waits 40 ms for its headers' receipt.
            listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        except OSError as error:
            trouble = error
            continue
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(bool(address.host)))
            listener.bind((target[0], port, *target[2:]))
            listener.listen(_BACKLOG)
            listener.setblocking(False)
        except OSError as error:
            listener.close()
            trouble = error
            if error.errno in _SHUT:  # a machine may know a name by an address that it does not have
                continue
            break
        found.append(listener)
        port = listener.getsockname()[1]
        if not address.host:  # one socket for IPv4 and IPv6
            return found
    else:
        if found:
            return found
    for each in found:
        each.close()
    raise _unusable(address, trouble)


class Listener:
    """Serves an application on sockets, of which it is the owner."""

    def __init__(self, app: ASGIApp, sockets: list[socket.socket]) -> None:
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,  # who asks decides what is open: no header may say it
            server_header=False,
            interface="asgi3",
            workers=1,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_DRAIN_SECONDS,
            h11_max_incomplete_event_size=2 * MAX_HEADERS_BYTES,
        )
        self._server = _Server(config, sockets)

    @property
    def addresses(self) -> list[str]:
        """Where it listens."""
        return self._server.addresses

    async def start(self, tls: ssl.SSLContext | None) -> None:
        """Begins to accept."""
        self._server.tls = tls
        self._task = asyncio.create_task(self._server.serve(), name="web server")
        await self._server.begun.wait()

    async def exchange(self, tls: ssl.SSLContext | None) -> None:
        """New connections get this certificate; those that there are go on."""
        if tls is None and self._server.tls is None:
            return
        self._server.tls = tls
        await self._server.listen()

    async def stop(self) -> None:
        """Accepts no more, and returns once what is being answered is, or has had its time."""
        self._server.should_exit = True
        self._server.woken.set()
        await self._task


class _Server(uvicorn.Server):
    """uvicorn's server, in a process whose signals and sockets are ours."""

    def __init__(self, config: uvicorn.Config, sockets: list[socket.socket]) -> None:
        super().__init__(config)
        self.sockets = sockets
        self.tls: ssl.SSLContext | None = None
        self.begun, self.woken = asyncio.Event(), asyncio.Event()
        self.servers = []
        self.addresses = [_written(each) for each in sockets]

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await self.lifespan.startup()
        await self.listen()
        await self.on_tick(0)
        self.started = True
        self.begun.set()

    async def listen(self) -> None:
        """Accepts on duplicates of the sockets: with those of before closed, nobody has been turned away."""
        loop, before, created = asyncio.get_running_loop(), self.servers, []
        for each in self.sockets:
            created.append(
                await loop.create_server(
                    lambda: BoundedProtocol(self.config, self.server_state, {}),
                    sock=each.dup(),
                    ssl=self.tls,
                    ssl_handshake_timeout=_HANDSHAKE_SECONDS if self.tls else None,
                    ssl_shutdown_timeout=_FAREWELL_SECONDS if self.tls else None,
                    backlog=_ACCEPTED_AT_ONCE,
                )
            )
            each.listen(_BACKLOG)  # of the kernel's, which was set to the same
        self.servers = created
        for server in before:
            server.close()

    async def main_loop(self) -> None:
        """Keeps the header Date right until it is told to end."""
        while not self.should_exit:
            await self.on_tick(0)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.woken.wait(), 1.0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for each in self.sockets:
            each.close()
        await super().shutdown()


def _targets(address: Address) -> Iterator[tuple[socket.AddressFamily, tuple[str, int] | tuple[str, int, int, int]]]:
    if not address.host:
        yield socket.AF_INET6, ("::", address.port)
        yield socket.AF_INET, ("0.0.0.0", address.port)  # noqa: S104  # it was asked for
        return
    try:
        infos = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no name"
        raise SlaKitError(
            f"can't listen on {address}: {reason}", remedy="listen: 127.0.0.1:PORT, or :PORT for every address"
        ) from None
    yield from dict.fromkeys((info[0], info[4]) for info in infos)  # type: ignore[misc]


def _unusable(address: Address, trouble: OSError | None) -> SlaKitError:
    if trouble is not None and trouble.errno == errno.EADDRINUSE:
        return SlaKitError(
            f"can't listen on {address}: the port is in use",
            remedy="another port with --listen or listen, or end what has it (ss -ltnp shows it)",
        )
    reason = os.strerror(trouble.errno) if trouble is not None and trouble.errno else "no address"
    return SlaKitError(
        f"can't listen on {address}: {reason}", remedy="an address of this machine, and a port above 1023"
    )


def _written(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return str(Address(host, port))
