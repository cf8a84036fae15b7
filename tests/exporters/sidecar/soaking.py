"""Scrapes an exporter without a break, many at a time, while the PostgreSQL behind it is killed and started again."""

from __future__ import annotations

import gzip
import http.client
import os
import shlex
import signal
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.exporters.sidecar.sidecars import PATIENCE_SECONDS, Sidecar, eventually, sidecar
from tests.servers import Postgresql, postgresql

_CONFIG = """
collectors:
  - {{name: database, does: query, url: "{url}", interval: 1s, timeout: 2s}}
  - {{name: other, series: 300, interval: 1s}}
"""
_SAMPLE_SECONDS = 0.05
#: Until so many scrapes memory is filled that stays in use.
_WARM_UP = 500
#: So many scrapes find the source up before each outage, and down in it, and as many looks at the memory are made.
_EACH = 60
#: Long, since the machine may be slow: only what stands still is waited for in vain.
_PATIENCE_SECONDS = 1200.0


@dataclass
class Soak:
    """What was seen: answers by status (0: none), scrapes that found the source up and down, memory in bytes."""

    statuses: Counter[int] = field(default_factory=Counter)
    up: int = 0
    down: int = 0
    broken: list[str] = field(default_factory=list)
    outages: int = 0
    seconds: float = 0.0
    memory: list[int] = field(default_factory=list)

    @property
    def scrapes(self) -> int:
        """How many scrapes were made."""
        return sum(self.statuses.values())

    def growth(self) -> tuple[float, float]:
        """The median of the memory in the first and the last third of the time, in bytes."""
        third = len(self.memory) // 3
        return statistics.median(self.memory[:third]), statistics.median(self.memory[-third:])


def soak(folder: Path, *, scrapes: int, parallel: int, outages: int) -> Soak:
    """Scrapes at least so often, and goes on until there were so many outages, spread over the time."""
    seen = Soak()
    started: list[subprocess.Popen[bytes]] = []
    with postgresql() as server, sidecar(folder, _CONFIG.format(url=server.url)) as running:
        stop = threading.Event()
        threads = [threading.Thread(target=_scrape, args=(running, number, seen, stop)) for number in range(parallel)]
        sampling = threading.Thread(target=_sample, args=(running.process.pid, seen, stop))
        began = time.monotonic()
        for thread in (*threads, sampling):
            thread.start()
        try:
            for number in range(outages):
                _until(seen, lambda due=scrapes * number // (outages + 1): seen.scrapes >= due)  # type: ignore[misc]
                _until(seen, lambda due=seen.up + _EACH: seen.up >= due)  # type: ignore[misc]
                with _killed(server, started):
                    running.until(lambda found: found["sla_exporter_collector_up", "database"] == 0)
                    _until(seen, lambda due=seen.down + _EACH: seen.down >= due)  # type: ignore[misc]
                running.until(lambda found: found["sla_exporter_collector_up", "database"] == 1)
                seen.outages += 1
            _until(seen, lambda: seen.scrapes >= scrapes and len(seen.memory) >= _EACH)
        finally:
            stop.set()
            for thread in (*threads, sampling):
                thread.join()
            for process in started:
                process.send_signal(signal.SIGQUIT)
                process.wait()
        seen.seconds = time.monotonic() - began
    return seen


def _until(seen: Soak, holds: Callable[[], bool]) -> None:
    """Waits until it holds, or nobody need wait since something is broken."""
    eventually(lambda: bool(seen.broken) or holds(), bool, _PATIENCE_SECONDS)


def _scrape(running: Sidecar, number: int, seen: Soak, stop: threading.Event) -> None:
    """One scraper, on a connection that it keeps."""
    headers = {"Accept": "application/openmetrics-text" if number % 2 else "text/plain"}
    if number % 3:
        headers["Accept-Encoding"] = "gzip"
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_SECONDS)
    while not stop.is_set():
        status = 0
        try:
            connection.request("GET", "/metrics", headers=headers)
            answer = connection.getresponse()
            body, status = answer.read(), answer.status
            page = gzip.decompress(body) if answer.getheader("Content-Encoding") else body
            _judge(page, number, seen)
        except Exception as error:
            seen.broken.append(repr(error))
            connection.close()
        seen.statuses[status] += 1
    connection.close()


def _judge(page: bytes, number: int, seen: Soak) -> None:
    """A source that is down shows nothing, and what is up shows all."""
    rows, others = page.count(b"\ntold_queried{"), page.count(b"\ntold_value{")
    is_up = b'sla_exporter_collector_up{collector="database"} 1.0\n' in page
    if rows != (200 if is_up else 0) or others != 300 or (number % 2 and not page.endswith(b"# EOF\n")):
        seen.broken.append(f"up {is_up}, {rows} rows, {others} others, {page[-60:]!r}")
    if is_up:
        seen.up += 1
    else:
        seen.down += 1


def _sample(pid: int, seen: Soak, stop: threading.Event) -> None:
    page = os.sysconf("SC_PAGE_SIZE")
    while not stop.wait(_SAMPLE_SECONDS):
        if seen.scrapes > _WARM_UP:
            seen.memory.append(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page)


@contextmanager
def _killed(server: Postgresql, started: list[subprocess.Popen[bytes]]) -> Iterator[None]:
    """A PostgreSQL that is killed, and started again on its data and port when the block ends."""
    command = shlex.split((server.data / "postmaster.opts").read_text())
    pid = int((server.data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGQUIT)  # as SIGKILL, but its children end as well
    while started:
        started.pop().wait()
    eventually(lambda: _is_zombie(pid), bool)
    yield
    owner = server.data.stat()
    who = {} if os.geteuid() else {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    with (server.data.parent / "again.log").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=server.data.parent, **who)  # type: ignore[call-overload]
    started.append(process)


def _is_zombie(pid: int) -> bool:
    """Whether a process has ended, though nobody has asked for its exit code yet."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
