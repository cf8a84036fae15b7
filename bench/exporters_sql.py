"""The business exporter beside Debian's prometheus-sql-exporter, on one PostgreSQL query with 10,000 rows.

    python -m bench.exporters_sql [--rows N] [--scrapes N] [--starts N]

Both ask the same server the same query every few seconds and are scraped in turns, plain and with gzip: what a client
waits for the whole body (median and 99th percentile), which memory the processes have resident after that, and how
long it takes from their start to the first scrape that has all rows, also in time of the processor, which a busy
machine does not stretch.
"""

from __future__ import annotations

import argparse
import http.client
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.servers.postgresql import postgresql
from tests.servers.process import free_port

_PEER = "prometheus-sql-exporter"
_QUERY = "SELECT route, client, plan, requests FROM usage"
_ROWS = """
INSERT INTO usage
SELECT '/v1/things/' || n / 20, (ARRAY['web', 'ios', 'android', 'partner'])[1 + n / 5 %% 4],
  (ARRAY['free', 'basic', 'pro', 'team', 'enterprise'])[1 + n %% 5], n * 7
FROM generate_series(0, %(rows)s - 1) AS n
"""
_OURS = """
interval: {interval}s
timeout: 5s
jitter: 0%
max_series: 1000000
sources:
  shop: {{kind: postgresql, url: "{url}"}}
queries:
  usage:
    source: shop
    sql: {query}
    max_rows: 1000000
    metrics: [{{name: requests, type: gauge, help: Requests., value: requests, labels: [route, client, plan]}}]
"""
_THEIRS = """
jobs:
- name: usage
  interval: '{interval}s'
  connections: ['{url}?sslmode=disable']
  queries:
  - name: requests
    help: Requests.
    labels: [route, client, plan]
    values: [requests]
    query: {query}
"""


@dataclass(frozen=True)
class Side:
    """One exporter: its command, and what its series begin with."""

    command: Sequence[str]
    port: int
    series: bytes


def main() -> None:
    """Measures and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--scrapes", type=int, default=500)
    parser.add_argument("--starts", type=int, default=7)
    parser.add_argument("--interval", type=int, default=5)
    options = parser.parse_args()
    if shutil.which(_PEER) is None:
        sys.exit(f"{_PEER} is not installed; try: apt-get install --no-install-recommends {_PEER}")
    with postgresql() as server, tempfile.TemporaryDirectory() as scratch:
        _fill(server.url, options.rows)
        ours, theirs = _sides(Path(scratch), server.url, options.interval)
        print(f"{options.rows} rows, {options.scrapes} scrapes each, asked every {options.interval} s:")
        print(f"{'':34} {'sla-kit':>10} {_PEER:>24} {'ratio':>8}")
        with ExitStack() as stack:
            processes = [stack.enter_context(_running(side, options.rows)) for side in (ours, theirs)]
            for gzip in (False, True):
                times = _scraped(ours, theirs, options.scrapes, gzip)
                what = "scrape with gzip" if gzip else "scrape"
                _row(f"{what}, median, ms", *(1e3 * statistics.median(each) for each in times))
                _row(f"{what}, 99th percentile, ms", *(1e3 * statistics.quantiles(each, n=100)[98] for each in times))
            for key, name in (("VmRSS", "resident memory"), ("VmHWM", "the most it was")):
                _row(f"{name}, MB", *(_memory(process.pid, key) for process in processes))
        starts: tuple[list[float], list[float]] = ([], [])
        needed: tuple[list[float], list[float]] = ([], [])
        for _ in range(options.starts):
            for index, side in enumerate((ours, theirs)):
                began = time.perf_counter()
                with _running(side, options.rows) as process:
                    starts[index].append(time.perf_counter() - began)
                    needed[index].append(_processor(process.pid))
        _row("start to first whole scrape, s", *(statistics.median(each) for each in starts))
        _row("of which on the processor, s", *(statistics.median(each) for each in needed))


def _row(name: str, ours: float, theirs: float) -> None:
    print(f"{name:34} {ours:>10.2f} {theirs:>24.2f} {ours / theirs:>7.2f}x")


def _fill(url: str, rows: int) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE usage (route text, client text, plan text, requests bigint)")
        connection.execute(_ROWS, {"rows": rows})


def _sides(folder: Path, url: str, interval: int) -> tuple[Side, Side]:
    made = []
    for name, text in (("ours", _OURS), ("theirs", _THEIRS)):
        path = folder / f"{name}.yml"
        # Its drivers go by the short scheme, which libpq knows as well.
        path.write_text(text.format(url=url.replace("postgresql://", "postgres://"), query=_QUERY, interval=interval))
        made.append(str(path))
    port, other = free_port(), free_port()
    listen = f"127.0.0.1:{port}"
    ours = [sys.executable, "-m", "sla_kit.exporters.business", "--config", made[0], "--listen", listen]
    theirs = [_PEER, "-config.file", made[1], "-web.listen-address", f"127.0.0.1:{other}"]
    return Side(ours, port, b"\nrequests{"), Side(theirs, other, b"\nsql_requests{")


@contextmanager
def _running(side: Side, rows: int) -> Iterator[subprocess.Popen[bytes]]:
    """The exporter, from its first whole scrape on."""
    with subprocess.Popen(side.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            end = time.monotonic() + 60
            while not _whole(side, rows):
                if process.poll() is not None or time.monotonic() > end:
                    sys.exit(f"{side.command[0]} does not publish {rows} rows")
                time.sleep(0.005)
            yield process
        finally:
            process.terminate()


def _whole(side: Side, rows: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", side.port, timeout=60)
    try:
        return _scrape(connection, "identity").count(side.series) == rows
    except OSError:
        return False
    finally:
        connection.close()


def _scraped(ours: Side, theirs: Side, scrapes: int, gzip: bool) -> tuple[list[float], list[float]]:
    times: tuple[list[float], list[float]] = ([], [])
    connections = [http.client.HTTPConnection("127.0.0.1", side.port, timeout=60) for side in (ours, theirs)]
    for _ in range(scrapes):
        for connection, found in zip(connections, times, strict=True):
            began = time.perf_counter()
            _scrape(connection, "gzip" if gzip else "identity")
            found.append(time.perf_counter() - began)
    for connection in connections:
        connection.close()
    return times


def _scrape(connection: http.client.HTTPConnection, encoding: str) -> bytes:
    connection.request("GET", "/metrics", headers={"Accept": "text/plain;version=0.0.4", "Accept-Encoding": encoding})
    return connection.getresponse().read()


def _memory(process: int, key: str) -> float:
    """Megabytes (10^6 bytes)."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(status.partition(f"{key}:")[2].split()[0]) * 1024 / 1e6


def _processor(process: int) -> float:
    """Seconds that a process and the kernel for it have used of the processor."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
