"""PostgreSQL, of which a ledger may be kept in a database."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.servers.process import READY_SECONDS, Server, free_port, listens

#: Who may do everything without a password, and who needs one.
OWNER, GUEST, PASSWORD = "sla", "guest", "a secret of the guest's"
#: Where Debian keeps the programs: they are not on the PATH.
_PROGRAMS = Path("/usr/lib/postgresql")
_STOP_SECONDS = 20.0
_PR_SET_PDEATHSIG = 1
_PORT_TAKEN = "could not bind"
#: Data of a test need not outlive a loss of power; a killed process loses nothing either way.
_SETTINGS = """\
listen_addresses = '127.0.0.1'
fsync = off
synchronous_commit = off
full_page_writes = off
autovacuum = off
max_connections = 50
shared_buffers = 16MB
"""
_WHO = f"""\
local all all trust
host all {GUEST} 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
host replication all 127.0.0.1/32 trust
"""


@dataclass(frozen=True, slots=True)
class Postgresql(Server):
    """A running PostgreSQL; ``url`` is that of its owner's first database."""

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        self.run(f'CREATE DATABASE "{name}"')
        return self.url.rpartition("/")[0] + f"/{name}"

    def drop(self, name: str) -> None:
        """Takes a database away, whoever is connected."""
        self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def run(self, statement: str) -> None:
        """Runs one statement as the owner."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """Ends the server at once, as a machine that goes down does; it is gone when this returns."""
        os.kill(self.pid, signal.SIGQUIT)
        deadline = time.monotonic() + READY_SECONDS
        while (self.data / "postmaster.pid").exists():  # goes last
            assert time.monotonic() < deadline, "postgres does not end"
            time.sleep(0.01)  # between two looks, not instead of looking


@contextmanager
def postgresql(settings: str = "", *, follows: Postgresql | None = None) -> Iterator[Postgresql]:
    """A PostgreSQL with an empty database, reached without a password as ``OWNER``, with ``PASSWORD`` as ``GUEST``.

    ``settings`` are lines of its postgresql.conf. One that ``follows`` another is that one's streaming replica.
    """
    server = _program("postgres")
    who = _who()
    with tempfile.TemporaryDirectory(prefix="sla-kit-postgresql-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch)
        if who:
            shutil.chown(folder, who["user"], who["group"])
        data, log = folder / "data", folder / "postgresql.log"
        made = subprocess.run(
            [_program("initdb"), "-D", data, "-U", OWNER, "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
            if follows is None
            else [_program("pg_basebackup"), "-D", data, "-d", follows.url, "-R", "-c", "fast", "--no-sync"],
            capture_output=True,
            text=True,
            cwd=folder,
            **who,
        )
        if made.returncode:
            pytest.fail(f"PostgreSQL's data could not be made: {made.stderr[-3000:]}", pytrace=False)
        with (data / "postgresql.conf").open("a") as configuration:
            configuration.write((_SETTINGS if follows is None else "") + settings)
        (data / "pg_hba.conf").write_text(_WHO)
        for attempt in range(5):
            port = free_port()
            with log.open("wb") as output:
                process = subprocess.Popen(
                    [server, "-D", data, "-p", str(port), "-k", str(folder)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=folder,
                    preexec_fn=_die_with_parent,
                    **who,
                )
            try:
                url = f"postgresql://{OWNER}@127.0.0.1:{port}/postgres"
                if not _answers(process, url):
                    tail = log.read_text(errors="replace")[-3000:]
                    if _PORT_TAKEN in tail and attempt < 4:
                        continue
                    pytest.fail(f"postgres did not start in {READY_SECONDS:g} s; its log ends:\n{tail}", pytrace=False)
                running = Postgresql(url, data, log, process.pid)
                if follows is None:
                    running.run(f"CREATE ROLE {GUEST} LOGIN PASSWORD '{PASSWORD.replace(chr(39), chr(39) * 2)}'")
                yield running
                return
            finally:
                _stop(process)


@contextmanager
def started_again(server: Postgresql) -> Iterator[None]:
    """A server that was stopped, running once more where it was, with what it held."""
    port, who = server.url.rpartition(":")[2].partition("/")[0], _who()
    _wait_for_the_end(server.pid)
    with server.log.open("ab") as output:
        process = subprocess.Popen(
            [_program("postgres"), "-D", server.data, "-p", port, "-k", server.data.parent],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=server.data.parent,
            preexec_fn=_die_with_parent,
            **who,
        )
    try:
        if not _answers(process, server.url):
            tail = server.log.read_text(errors="replace")[-3000:]
            pytest.fail(f"postgres did not start again; its log ends:\n{tail}", pytrace=False)
        yield
    finally:
        _stop(process)


def _wait_for_the_end(pid: int) -> None:
    """Returns once nothing of a server is left but its exit code: beside it no other one gets its data."""
    deadline = time.monotonic() + READY_SECONDS
    while _runs(pid):
        if time.monotonic() > deadline:
            pytest.fail("postgres was stopped, and has not ended", pytrace=False)
        time.sleep(0.02)  # between two looks


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _program(name: str) -> str:
    newest = sorted(_PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: [int(n) for n in path.parts if n.isdigit()])
    found = str(newest[-1]) if newest else shutil.which(name)
    if found is None:
        pytest.fail(f"{name} is not installed; try: apt-get install --no-install-recommends postgresql", pytrace=False)
    return found


def _who() -> dict[str, Any]:
    """PostgreSQL refuses to run as root: then it runs as somebody who may do nothing else."""
    if os.geteuid():
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = names.get("postgres") or names["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _answers(process: subprocess.Popen[bytes], url: str) -> bool:
    import psycopg

    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            psycopg.connect(url, connect_timeout=30).close()
            # Another process may have taken the port between choosing and binding it.
            if listens(process.pid, int(url.rpartition(":")[2].partition("/")[0])):
                return True
        except psycopg.OperationalError:
            pass
        time.sleep(0.05)  # between two looks, not instead of looking
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)  # ends whoever is connected
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
    process.wait()


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends the server should the test run be killed before it can."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    os.setsid()
