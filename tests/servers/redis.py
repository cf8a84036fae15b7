"""Redis, and a connection to it that needs no client library."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import Server, binary, listens, started


@dataclass(frozen=True, slots=True)
class Redis(Server):
    """A running Redis."""

    def run(self, *command: str) -> str:
        """Runs one command; what Redis answers (``+OK``, ``:1``, ``-ERR …``), or the text that it sends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=150) as connection:
            parts = [f"*{len(command)}\r\n", *(f"${len(part.encode())}\r\n{part}\r\n" for part in command)]
            connection.sendall("".join(parts).encode())
            with connection.makefile("rb") as answer:
                first = answer.readline().decode().strip()
                return answer.read(int(first[1:])).decode() if first.startswith("$") and first != "$-1" else first


@contextmanager
def redis(*settings: str, follows: Redis | None = None) -> Iterator[Redis]:
    """An empty Redis; ``settings`` are arguments of its program, as ``"--maxmemory", "8mb"``. One that ``follows``
    another is its replica."""
    program = binary("redis-server", "redis-server")
    with tempfile.TemporaryDirectory(prefix="sla-kit-redis-") as scratch:
        folder = Path(scratch).resolve()
        role: Sequence[str] = () if follows is None else ("--replicaof", "127.0.0.1", str(follows.port))

        def command(port: int) -> list[str]:
            return [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *role, *settings]

        def answers(pid: int, port: int) -> bool:
            try:
                pong = Redis(f"redis://127.0.0.1:{port}", folder, folder, pid).run("PING") == "+PONG"
                return pong and listens(pid, port)
            except OSError:
                return False

        with started(command, data=folder, answers=answers, name="redis", scheme="redis") as server:
            yield Redis(server.url, server.data, server.log, server.pid)
