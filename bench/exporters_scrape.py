"""Scrapes of a sidecar beside those of bare prometheus-client, for 1,000, 10,000 and 100,000 labelled gauges.

    python -m bench.exporters_scrape [--series N …] [--rounds N]

In one process: what ``generate_latest`` needs for a registry of so many gauges, what ours needs for a fresh collection
(its limits held, its text written, the page put together) and for a page of a snapshot that is there. Over HTTP, on
the loopback address: what a client waits for the whole body, plain and with gzip, from prometheus-client's own server
and from a sidecar, each a process of its own. Each figure is the median of rounds that take turns.
"""

from __future__ import annotations

import argparse
import http.client
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client.exposition import generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from sla_kit.exporters.sidecar.collector import Schedule
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration, read_configuration
from sla_kit.exporters.sidecar.exporter import Exporter, Loaded
from sla_kit.exporters.sidecar.limiting import limited
from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
from sla_kit.exporters.sidecar.snapshot import Snapshot
from sla_kit.exporters.sidecar.store import Store

_MANY = 10**9
_SIZES = (1_000, 10_000, 100_000)


def main() -> None:
    """Measures and prints the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=int, nargs="+", default=list(_SIZES))
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--serve", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--config", help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        _serve(options.serve, options.series[0], options.port, options.config)
        return
    print("In one process, milliseconds:")
    print(f"{'series':>8} {'generate_latest':>16} {'fresh':>8} {'ratio':>7} {'cached':>8} {'faster':>8}")
    for count in options.series:
        print("{:>8} {:>16.2f} {:>8.2f} {:>6.2f}x {:>8.2f} {:>7.0f}x".format(*_in_process(count, options.rounds)))
    print("\nOver HTTP, milliseconds, median and 99th percentile:")
    print(f"{'series':>8} {'body':>6} {'prometheus-client':>19} {'sidecar':>19} {'faster':>8}")
    for count in options.series:
        for gzip in (False, True):
            peer, ours = _over_http(count, options.rounds, gzip)
            times = [f"{1e3 * _median(each):.2f} / {1e3 * _worst(each):.2f}" for each in (peer, ours)]
            faster = _median(peer) / _median(ours)
            print(f"{count:>8} {'gzip' if gzip else 'plain':>6} {times[0]:>19} {times[1]:>19} {faster:>7.1f}x")


def _in_process(count: int, rounds: int) -> tuple[int, float, float, float, float, float]:
    registry = _registry(count)
    store = Store(_MANY, SelfMetrics("bench"))
    store.expect(["bench"])
    bare, fresh, cached = [], [], []
    for _ in range(rounds):
        bare.append(_timed(lambda: generate_latest(registry)))
        family = _family(count)  # building it is the source's work, as inc() and set() are the peer's
        fresh.append(_timed(lambda family=family: _collected(store, family)))  # type: ignore[misc]
        cached.append(_timed(lambda: store.page(False, False)))
    times = [1e3 * _median(each) for each in (bare, fresh, cached)]
    return count, times[0], times[1], times[1] / times[0], times[2], times[0] / times[2]


def _collected(store: Store, family: Metric) -> None:
    now = time.monotonic()
    store.succeeded("bench", Snapshot(limited([family], _MANY), now, now + 3600, store.forms), 0.0)
    store.page(False, False)


def _over_http(count: int, rounds: int, gzip: bool) -> tuple[list[float], list[float]]:
    headers = {"Accept": "text/plain;version=0.0.4", "Accept-Encoding": "gzip" if gzip else "identity"}
    times: tuple[list[float], list[float]] = ([], [])
    with _server("peer", count) as peer, _server("ours", count) as ours:
        for _ in range(max(rounds, 100 if count < 100_000 else 20)):
            for port, found in ((peer, times[0]), (ours, times[1])):
                found.append(_timed(lambda port=port: _scrape(port, headers)))  # type: ignore[misc]
    return times


@contextmanager
def _server(side: str, count: int) -> Iterator[int]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "bench.yml"
        config.write_text(f"interval: 1h\ntimeout: 1m\nmax_series: {count}\nlog: {{level: warning}}\n")
        command = [sys.executable, "-m", "bench.exporters_scrape", "--serve", side, "--series", str(count)]
        process = subprocess.Popen([*command, "--port", str(port), "--config", str(config)])
        try:
            end = time.monotonic() + 60
            while not _there(port, count) and time.monotonic() < end:
                time.sleep(0.05)
            yield port
        finally:
            process.terminate()
            process.wait(20)


def _there(port: int, count: int) -> bool:
    try:
        return _scrape(port, {}).count(b"bench_users{") == count
    except OSError:
        return False


def _scrape(port: int, headers: dict[str, str]) -> bytes:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/metrics", headers=headers)
        return connection.getresponse().read()
    finally:
        connection.close()


def _serve(side: str, count: int, port: int, config: str) -> None:
    if side == "peer":
        start_http_server(port, addr="127.0.0.1", registry=_registry(count))
        threading.Event().wait()
    from sla_kit.exporters.sidecar.running import main as run

    run(Exporter("bench", "Many gauges.", port, _Load(count)), ["--config", config, "--listen", f"127.0.0.1:{port}"])


@dataclass(frozen=True)
class _Load:
    count: int

    def __call__(self, path: Path, /, *, before: Loaded | None = None) -> Loaded:
        configuration = read_configuration(path, SidecarConfiguration, lambda found, findings: None)
        return Loaded(configuration, [_Gauges(self.count, configuration.schedule())])


@dataclass(frozen=True)
class _Gauges:
    count: int
    schedule: Schedule
    name: str = "bench"

    def collect(self, deadline: float) -> Iterable[Metric]:
        return [_family(self.count)]

    def close(self) -> None:
        pass


def _family(count: int) -> Metric:
    family = GaugeMetricFamily("bench_users", "Users.", labels=["route", "plan"])
    for number in range(count):
        family.add_metric([f"/route/{number}", "pro"], number)
    return family


def _registry(count: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    gauge = Gauge("bench_users", "Users.", ["route", "plan"], registry=registry)
    for number in range(count):
        gauge.labels(f"/route/{number}", "pro").set(number)
    return registry


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _median(times: list[float]) -> float:
    return statistics.median(times)


def _worst(times: list[float]) -> float:
    return sorted(times)[min(len(times) - 1, int(0.99 * len(times)))]


if __name__ == "__main__":
    main()
