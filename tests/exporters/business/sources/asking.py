"""Asking a source as the exporter does, and judging its configuration."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from sla_kit.configuration.places import Findings
from sla_kit.exporters.business.sources import Opening, Question, Source
from sla_kit.exporters.sidecar.collector import CollectError, Schedule

PATIENCE_SECONDS = 60.0


def rows(source: Source, asks: Any, *, seconds: float = PATIENCE_SECONDS, **parameters: Any) -> list[dict[str, Any]]:
    """The answer to one question."""
    opened = source.open(Opening("test", Schedule(), Path("/")))
    try:
        return [dict(row) for row in opened.rows(Question(asks, parameters), time.monotonic() + seconds)]
    finally:
        opened.close()


def refusal(source: Source, asks: Any, *, seconds: float = PATIENCE_SECONDS, **parameters: Any) -> CollectError:
    """How a question fails."""
    try:
        found = rows(source, asks, seconds=seconds, **parameters)
    except CollectError as error:
        return error
    raise AssertionError(f"answered with {found}")


def mistakes(source: Source, asks: Any = None, *parameters: str) -> list[str]:
    """What is said about a source and a question."""
    findings = Findings(None)
    source.check(findings, ("source",))
    if asks is not None:
        source.check_question(asks, frozenset(parameters), findings, ("question",))
    return [mistake.message for mistake in findings.mistakes]


def changed(struct: Any, **values: Any) -> Any:
    """A struct with some fields of its own."""
    return msgspec.structs.replace(struct, **values)


@contextmanager
def answering(answer: bytes, *, hangs_up: bool = False) -> Iterator[int]:
    """A port of a server that sends ``answer`` to whoever connects, and then says nothing more, or hangs up."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                held.append(connection)
                with contextlib.suppress(OSError):  # who came is gone already
                    connection.sendall(answer)
                    if hangs_up:
                        connection.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


@contextmanager
def trickling(answer: bytes) -> Iterator[int]:
    """A port of a server that sends ``answer`` a byte at a time, each well before anybody loses patience."""
    ending = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with contextlib.suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    for at in range(len(answer)):
                        if ending.wait(0.02):
                            return
                        connection.sendall(answer[at : at + 1])

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listener.getsockname()[1])
        ending.set()
        listener.shutdown(socket.SHUT_RDWR)  # nobody may have come
        thread.join()
