"""Clients that are slow, silent or many: none of them keeps others from being answered."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sla_kit.serving import connections
from sla_kit.serving.addresses import Address
from sla_kit.serving.guard import Guard
from sla_kit.serving.listening import Listener, bind

Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]
#: Longer than the machine may stand still in a test: times are up when the loop's clock is put on, and not sooner.
LONG_SECONDS = 1000.0


class Ahead(asyncio.SelectorEventLoop):
    """A loop whose clock a test puts on, so that what waits need not be waited for."""

    seconds = 0.0

    def time(self) -> float:
        """As ever, and so many seconds more."""
        return super().time() + self.seconds


def pass_by(seconds: float) -> None:
    """Lets so much time pass at once."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Ahead)
    loop.seconds += seconds


async def _large(request: Request) -> PlainTextResponse:
    return PlainTextResponse("x" * 50_000_000)


async def _good(request: Request) -> PlainTextResponse:
    return PlainTextResponse("ok\n")


async def _taken(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"took {len(await request.body())} bytes\n")


def served(work: Callable[[int, Listener], Coroutine[Any, Any, None]], body_seconds: float = 20.0) -> None:
    """Runs ``work(port, listener)`` beside a web server in this process, whose limits a test may have changed."""

    async def run() -> None:
        routes = [Route("/healthz", _good), Route("/push", _taken, methods=["POST"]), Route("/large", _large)]
        app = Guard(Starlette(routes=routes), body_seconds=body_seconds)
        [listening] = sockets = bind(Address("127.0.0.1", 0))
        port = listening.getsockname()[1]
        listener = Listener(app, sockets)
        await listener.start(None)
        try:
            await work(port, listener)
        finally:
            await listener.stop()

    with asyncio.Runner(loop_factory=Ahead) as runner:
        runner.run(run())


async def client(port: int, sent: bytes = b"") -> Client:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    return reader, writer


async def closed(reader: asyncio.StreamReader) -> bytes:
    """What came until the server closed."""
    found = b""
    try:
        while chunk := await reader.read(65536):
            found += chunk
    except ConnectionError:
        pass
    return found


async def ask(port: int) -> bytes:
    reader, writer = await client(port, b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    found = await closed(reader)
    writer.close()
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /metrics HT",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /metr",
        b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123",
    ],
)
def test_a_request_that_does_not_come_to_its_end_is_given_up(monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", LONG_SECONDS)

    async def work(port: int, listener: Listener) -> None:
        reader, writer = await client(port, sent)
        if b"healthz" in sent:  # what came whole is answered
            assert b"HTTP/1.1 200 OK" in await reader.readuntil(b"ok\n")
        while not listener._server.server_state.connections:
            await asyncio.sleep(0.01)

        async def trickle() -> None:
            """A byte now and then, as a slowloris does, of what never ends."""
            while True:
                await asyncio.sleep(0.01)
                if sent:
                    writer.write(b"1")
                pass_by(LONG_SECONDS / 10)

        trickling = asyncio.create_task(trickle())
        assert await closed(reader) == b""
        trickling.cancel()
        writer.close()

    served(work)


def test_answers_are_sent_at_once() -> None:
    """Without TCP_NODELAY a body would wait for the client to acknowledge its head, 40 ms on Linux."""

    async def work(port: int, listener: Listener) -> None:
        _, writer = await client(port)
        while not (known := listener._server.server_state.connections):
            await asyncio.sleep(0.01)
        [connection] = known
        transport = connection.transport
        assert isinstance(transport, asyncio.Transport)
        assert transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        writer.close()

    served(work)


def test_a_body_that_does_not_come_to_its_end_is_given_up() -> None:
    async def work(port: int, listener: Listener) -> None:
        reader, writer = await client(port, b"POST /push HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n123")
        assert (await reader.read(65536)).startswith(b"HTTP/1.1 408 ")
        writer.close()

    served(work, body_seconds=0.3)


def test_a_client_that_stops_reading_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", LONG_SECONDS)

    async def work(port: int, listener: Listener) -> None:
        with socket.create_connection(("127.0.0.1", port)) as bare:
            bare.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            while not waited_for(listener):
                await asyncio.sleep(0.01)
            pass_by(LONG_SECONDS)
            while listener._server.server_state.connections:
                await asyncio.sleep(0.01)

    served(work)


def test_a_client_that_reads_slowly_gets_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "STALLED_SECONDS", LONG_SECONDS)

    async def work(port: int, listener: Listener) -> None:
        reader, writer = await client(port, b"GET /large HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        size = looks = 0
        while chunk := await reader.read(1_000_000):
            size += len(chunk)
            if size > (looks + 1) * 10_000_000 and waited_for(listener):  # far more than the kernel holds by itself
                looks += 1
                pass_by(LONG_SECONDS)  # the server looks how much of it has been read since it looked before
                await asyncio.sleep(0.01)
        writer.close()
        assert size > 50_000_000
        assert looks >= 3

    served(work)


def waited_for(listener: Listener) -> bool:
    """Whether the one client that there is has yet to read what was written for it."""
    return any(getattr(each, "_stall_timer", None) for each in listener._server.server_state.connections)


def test_more_clients_than_there_is_room_for_keep_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 20)

    async def work(port: int, listener: Listener) -> None:
        crowd = [await client(port, b"GET /met") for _ in range(60)]
        for _ in range(10):
            assert (await ask(port)).startswith(b"HTTP/1.1 200")
        assert len(listener._server.server_state.connections) <= 20
        for _, writer in crowd:
            writer.close()

    served(work)


def test_garbage_within_a_request_that_is_being_answered_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    async def work(port: int, listener: Listener) -> None:
        for path in (b"/large", b"/push", b"/metrics"):
            sent = (
                b"POST " + path + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\nnot hex\r\n"
            )
            reader, writer = await client(port, sent)
            found = await closed(reader)
            writer.close()
            assert not found or found.startswith(b"HTTP/1.1 4"), found[:100]
        assert (await ask(port)).startswith(b"HTTP/1.1 200")

    served(work)
    assert not [record for record in caplog.records if record.exc_info]
