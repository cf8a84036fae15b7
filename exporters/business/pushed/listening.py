"""Datagrams of StatsD, over UDP and a Unix socket. Floods are bounded, and nothing that comes can do harm."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sla_kit.errors import SlaKitError
from sla_kit.exporters.business.pushed.changes import Admission, RefusedError
from sla_kit.exporters.business.pushed.committing import Committing
from sla_kit.exporters.business.pushed.configuration import Pushed, Statsd
from sla_kit.exporters.business.pushed.mapping import Mappings
from sla_kit.exporters.business.pushed.statsd import parse
from sla_kit.serving.addresses import parse_address

_LARGEST_DATAGRAM = 65_535
#: So many are read before others in the event loop have their turn.
_AT_ONCE = 128
_BUFFER_BYTES = 4 * 1024 * 1024
_EXPIRE_SECONDS = 300.0
#: Linux's, which Python has no name for.
_SO_RCVBUFFORCE = 33


@dataclass
class PushService:
    """Holds the state of what is pushed while the exporter runs, and listens for StatsD where that is declared."""

    pushed: Pushed
    folder: Path
    committing: Committing = field(compare=False, repr=False)
    _sockets: list[socket.socket] = field(default_factory=list, compare=False, repr=False)
    _expiring: asyncio.Task[None] | None = field(default=None, compare=False, repr=False)

    async def start(self) -> None:
        """Takes the state and begins to listen. Raises `SlaKitError`."""
        await self.committing.open()
        try:
            if self.pushed.statsd is not None:
                self._listen(self.pushed.statsd)
        except BaseException:
            await self.stop()
            raise
        self._expiring = asyncio.create_task(self._expire(), name="expiring of what was pushed")

    async def stop(self) -> None:
        """Takes what has come, keeps it, and lets go of the state."""
        if self._expiring is not None:
            self._expiring.cancel()
            self._expiring = None
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            loop.remove_reader(listener)
            if self.pushed.statsd is not None:
                self._drain(listener, self._taker(self.pushed.statsd, listener))
            path = listener.getsockname() if listener.family == socket.AF_UNIX else ""
            listener.close()
            if path:
                Path(path).unlink(missing_ok=True)
        self._sockets.clear()
        await self.committing.close()

    async def _expire(self) -> None:
        while True:
            await self.committing.expire(self.pushed.metrics)
            await asyncio.sleep(_EXPIRE_SECONDS)

    def _listen(self, statsd: Statsd) -> None:
        if statsd.udp:
            self._sockets.append(_udp(statsd.udp))
        if statsd.unix:
            self._sockets.append(_unix(self.folder / statsd.unix, int(statsd.unix_mode, 8)))
        loop = asyncio.get_running_loop()
        for listener in self._sockets:
            listener.setblocking(False)
            loop.add_reader(listener, self._read, listener, self._taker(statsd, listener))

    def _taker(self, statsd: Statsd, listener: socket.socket) -> Taker:
        senders = statsd.senders if listener.family != socket.AF_UNIX else []
        admission = Admission(self.pushed.metrics, Mappings(statsd.mappings), statsd.ignored_tags)
        return Taker(admission, self.committing, senders, statsd.max_rate)

    def _read(self, listener: socket.socket, taker: Taker) -> None:
        for _ in range(_AT_ONCE):
            if not _receive(listener, taker):
                return

    def _drain(self, listener: socket.socket, taker: Taker) -> None:
        """Takes what the kernel still holds; no more than that, however much goes on coming."""
        for _ in range(taker.max_rate):
            if not _receive(listener, taker):
                return


class Taker:
    """Takes datagrams: at most ``max_rate`` in a second, of ``senders`` where some are named."""

    def __init__(
        self,
        admission: Admission,
        committing: Committing,
        senders: list[str],
        max_rate: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.max_rate = max_rate
        self._admission = admission
        self._committing = committing
        self._networks = [ipaddress.ip_network(sender) for sender in senders]
        self._clock = clock
        self._second = 0
        self._count = 0

    def take(self, datagram: bytes, sender: object) -> None:
        """Takes one datagram; what can't be taken is counted by its reason."""
        dropped = self._committing.dropped
        second = int(self._clock())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        if self._count > self.max_rate:
            dropped["statsd", "rate"] += 1
            return
        if self._networks and not self._known(sender):
            dropped["statsd", "sender"] += 1
            return
        for sample in parse(datagram):
            if isinstance(sample, str):
                dropped["statsd", sample] += 1
                continue
            try:
                self._committing.gather(self._admission.sampled(sample))
            except RefusedError as error:
                dropped["statsd", error.reason] += 1

    def _known(self, sender: object) -> bool:
        try:
            address = ipaddress.ip_address(str(sender[0] if isinstance(sender, tuple) else "").partition("%")[0])
        except ValueError:
            return False
        mapped = getattr(address, "ipv4_mapped", None) or address
        return mapped.is_loopback or any(mapped in network for network in self._networks)


def _receive(listener: socket.socket, taker: Taker) -> bool:
    """Takes the next datagram, if there is one."""
    try:
        datagram, sender = listener.recvfrom(_LARGEST_DATAGRAM)
    except OSError:  # none is there, or one could not be received
        return False
    taker.take(datagram, sender)
    return True


def _udp(text: str) -> socket.socket:
    address = parse_address(text)
    try:
        found = socket.getaddrinfo(address.host or None, address.port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, where = sorted(found, key=lambda each: each[0] != socket.AF_INET6)[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise SlaKitError(
            f"no socket for StatsD: {error.strerror}", place=text, remedy="say another address under statsd: udp:"
        ) from None
    try:
        if family == socket.AF_INET6 and not address.host:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        _make_room(listener)
        listener.bind(where)
    except OSError as error:
        listener.close()
        raise SlaKitError(
            f"StatsD can't be listened for there: {error.strerror}",
            place=text,
            remedy="say another udp:, or end what holds it",
        ) from None
    return listener


def _make_room(listener: socket.socket) -> None:
    """Lets the kernel keep what comes in a burst: as much as the machine allows, or more for who may have that."""
    try:
        listener.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER_BYTES)
    except OSError:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)


def _unix(path: Path, mode: int) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        _clear(path)
        _make_room(listener)
        listener.bind(str(path))
        os.chmod(path, mode)  # noqa: PTH101
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise SlaKitError(
            f"StatsD can't be listened for there: {reason}",
            place=str(path),
            remedy="its folder must exist and be writable",
        ) from None
    return listener


def _clear(path: Path) -> None:
    """Takes away a socket that a process left behind which is no more."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise OSError(errno.EEXIST, "something else is there")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
