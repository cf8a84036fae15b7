"""A client that sends prepared requests over several connections that it keeps, and measures each of them."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Sent:
    """How requests went: ``times`` from the first byte written to the last byte read, ``seconds`` of all of them."""

    times: list[float] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0

    @property
    def per_second(self) -> float:
        """Requests answered 2xx a second."""
        return (len(self.times) - self.refused) / self.seconds

    def percentile(self, percent: float) -> float:
        """Seconds that so many percent took at most."""
        ordered = sorted(self.times)
        return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def request(path: str, body: bytes) -> bytes:
    """The bytes of a POST of JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


def send(port: int, requests: Sequence[bytes], connections: int) -> Sent:
    """Sends them all, each connection one after the other, and returns once all are answered. Raises `ConnectionError`
    where a connection ends before that."""
    return asyncio.run(_send(port, iter(requests), connections))


async def _send(port: int, requests: Iterator[bytes], connections: int) -> Sent:
    loop, sent = asyncio.get_running_loop(), Sent()
    made = [
        (await loop.create_connection(lambda: _Connection(requests, sent), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    began = time.perf_counter()
    for each in made:
        each.next()
    await asyncio.gather(*(each.done for each in made))
    sent.seconds = time.perf_counter() - began
    return sent


class _Connection(asyncio.Protocol):
    """One connection, that takes the next request as soon as it has its answer."""

    def __init__(self, requests: Iterator[bytes], sent: Sent) -> None:
        self._requests, self._sent = requests, sent
        self._read = b""
        self._began = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionError("the server closed a connection"))

    def next(self) -> None:
        """Sends the next request; without one it is done."""
        following = next(self._requests, None)
        if following is None:
            self.done.set_result(None)
            self._transport.close()
            return
        self._began = time.perf_counter()
        self._transport.write(following)

    def data_received(self, data: bytes) -> None:
        self._read += data
        head, ends, body = self._read.partition(b"\r\n\r\n")
        if not ends:
            return
        length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
        if len(body) < int(length):
            return
        self._sent.times.append(time.perf_counter() - self._began)
        self._sent.refused += head[9:10] != b"2"
        self._read = b""
        self.next()
