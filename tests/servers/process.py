"""Starting a server for a test: a free loopback port, a wait until it answers, and a stop that always happens."""

from __future__ import annotations

import ctypes
import http.client
import os
import random
import shutil
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

#: How long a server may take to answer: long, since the machine may be busy with other tests.
READY_SECONDS = 180.0
_STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_PORT_TAKEN = "address already in use"
_LISTENING = "0A"  # of /proc/net/tcp
_LOWEST_PORT = 10_240
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_chance = random.SystemRandom()  # hypothesis seeds the usual one: every process would draw the same ports


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: its ``url``, its ``data`` folder, its ``log`` file and its process id."""

    url: str
    data: Path
    log: Path
    pid: int

    @property
    def port(self) -> int:
        """The loopback port it listens on."""
        return int(self.url.rsplit(":", 1)[1])


def binary(name: str, package: str) -> str:
    """The path of a server's program; a missing one fails the test and says how to install it."""
    found = shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; try: apt-get install --no-install-recommends {package}", pytrace=False)
    return found


def free_port() -> int:
    """A loopback port that was free a moment ago, and that nobody is given who asks for no port in particular: neither
    a connection nor a listener on port 0 takes it meanwhile, nor while a server that had it is started again."""
    ports = range(_LOWEST_PORT, int(_EPHEMERAL.read_text().split()[0]))
    for port in (_chance.choice(ports) for _ in range(100 if ports else 0)):
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port
    with socket.socket() as listener:  # where any port may be given to anybody
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def refusing_port() -> Iterator[int]:
    """A loopback port that refuses connections until the block ends: it is taken, and nobody listens on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield int(taken.getsockname()[1])


def listens(pid: int, port: int) -> bool:
    """Whether that process, or one that it started, is who listens on the port: somebody else's server of the same kind
    would answer as well."""
    sockets = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                _, local, _, state, *_, inode = line.split()[:10]
                if state == _LISTENING and int(local.rpartition(":")[2], 16) == port:
                    sockets.add(f"socket:[{inode}]")
    try:
        return any(not sockets.isdisjoint(_open_files(each)) for each in _session(pid))
    except PermissionError:  # a program with privileges of its own is looked into by nobody
        return bool(sockets)


def _session(pid: int) -> Iterator[int]:
    """The processes of its session: what is started here leads one."""
    for folder in Path("/proc").iterdir():
        with suppress(OSError, ValueError, IndexError):
            if int((folder / "stat").read_text().rpartition(")")[2].split()[3]) == pid:
                yield int(folder.name)


def _open_files(pid: int) -> Iterator[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError, ProcessLookupError):
                yield str(file.readlink())


@contextmanager
def running(
    command: Callable[[int], Sequence[str]],
    *,
    data: Path,
    ready: str,
    name: str,
    tls: ssl.SSLContext | None = None,
    port: int | None = None,
) -> Iterator[Server]:
    """Runs ``command(port)`` until the block ends; enters it once GET ``ready`` (a path) answers 200, or 401 where the
    server wants to know who asks. ``tls`` is the client's side of a server that speaks https.

    Another process may take the port between choosing and binding it: then another port is tried, unless it must be
    this ``port``; what that other process answers is not taken for this server's.
    """
    scheme = "https" if tls else "http"
    with started(
        command,
        data=data,
        answers=lambda pid, port: _found(f"{scheme}://127.0.0.1:{port}{ready}", tls) and listens(pid, port),
        name=name,
        scheme=scheme,
        port=port,
    ) as server:
        yield server


@contextmanager
def started(
    command: Callable[[int], Sequence[str]],
    *,
    data: Path,
    answers: Callable[[int, int], bool],
    name: str,
    scheme: str,
    port: int | None = None,
    stop_seconds: float = _STOP_SECONDS,
) -> Iterator[Server]:
    """As ``running``, for a server that doesn't speak HTTP: ``answers(pid, port)`` tells whether it is ready. It is
    killed where it has not ended ``stop_seconds`` after it was told to."""
    data.mkdir(parents=True, exist_ok=True)
    log = data / f"{name}.log"
    for attempt in range(5):
        chosen = port or free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(  # the commands are this package's own
                list(command(chosen)),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=data,
                preexec_fn=_die_with_parent,
            )
        try:
            if not _answers(process, partial(answers, process.pid, chosen)):
                said = log.read_text(errors="replace")
                if _PORT_TAKEN in said.lower() and attempt < 4:
                    continue
                pytest.fail(
                    f"{name} did not start within {READY_SECONDS:g} s; its log ends:\n{said[-3000:]}", pytrace=False
                )
            yield Server(f"{scheme}://127.0.0.1:{chosen}", data, log, process.pid)
            return
        finally:
            _stop(process, stop_seconds)


def _answers(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if ready():
            return True
        time.sleep(0.05)  # between two looks, not instead of looking
    return False


def _found(url: str, tls: ssl.SSLContext | None) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5, context=tls) as answer:
            return bool(answer.status == 200)
    except urllib.error.HTTPError as error:
        return error.code == 401
    except (urllib.error.URLError, OSError, http.client.HTTPException):
        # What is no HTTP comes from whoever has the port meanwhile: also from oneself, where a connection to a free
        # port of those that connections begin at meets itself.
        return False


def _stop(process: subprocess.Popen[bytes], seconds: float) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends it should the test run be killed before it can stop what it started."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    os.setsid()
