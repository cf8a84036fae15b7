"""The 30-day report for many services on a real Prometheus, beside one query per SLO and window in series.

``python -m bench.report [--services 100] [--bucket 5m]`` fills a Prometheus with 30 days of 100 services (two
process each, requests by route and status, a latency histogram) and evaluates ten SLOs per service over 30 days:

- ours: `sla_kit.evaluate`, which asks for the bucketed counters once and computes every window, burn rate, incident
  and heat map from them;
- the peer: for each SLO and window one ratio of increases, asked one after another through prometheus-api-client, the
  way of slo-generator, for the report's window and those of the burn-rate alerts, which our evaluation gives too.

Both run in this process against the same server; the table gives queries, seconds and their ratios.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from prometheus_api_client import PrometheusConnect

from sla_kit import evaluate
from sla_kit.catalogue.model import Catalogue, Latency, Requests, Service, Sli, Slo, Window
from sla_kit.timeline import Ints
from tests.servers import prometheus

DAYS = 30
PIECE_DAYS = 5
END = 1_790_000_000 // 86400 * 86400
ROUTES = ("/games", "/teams", "/login")
CODES = {"200": 0.985, "404": 0.01, "500": 0.005}
BOUNDS = {"0.05": 0.60, "0.1": 0.93, "0.25": 0.97, "1.0": 0.998, "+Inf": 1.0}
#: The windows whose figures our one evaluation gives: the report's own, and those of the burn-rate alerts.
PEER_WINDOWS = ("5m", "30m", "1h", "6h", "3d", "30d")


@dataclass(frozen=True, slots=True)
class Counter:
    """One series of the history: its line up to the value, and its events per second."""

    head: str
    per_second: float


def counters(services: int, processes: int) -> tuple[list[Counter], list[list[Counter]]]:
    """The request counters, and the histograms' buckets, each list of which counts what the one before it counts and
    more."""
    plain, buckets = [], []
    for service in range(services):
        for process in range(processes):
            who = f'service="svc{service}",instance="10.0.{service}.{process}:80"'
            for route in ROUTES:
                for code, share in CODES.items():
                    plain.append(Counter(f'http_requests_total{{{who},route="{route}",code="{code}"}} ', 5 * share))
            shares = [0.0, *BOUNDS.values()]
            buckets.append(
                [
                    Counter(f'http_request_duration_seconds_bucket{{{who},le="{le}"}} ', 15 * (share - less))
                    for le, share, less in zip(BOUNDS, BOUNDS.values(), shares[:-1], strict=True)
                ]
            )
    return plain, buckets


def write_history(folder: Path, services: int, processes: int, scrape: int) -> Iterator[Path]:
    """Writes the history as OpenMetrics, a few days at a time, for a month of it would not fit into memory."""
    plain, buckets = counters(services, processes)
    totals: dict[str, int] = {}
    path = folder / "history.om"
    for piece in range(0, DAYS, PIECE_DAYS):
        begin = END - (DAYS - piece) * 86400
        times = np.arange(begin + scrape, begin + PIECE_DAYS * 86400 + 1, scrape)
        day = 1 + 0.8 * np.sin((times % 86400) / 86400 * 2 * np.pi)
        random = np.random.default_rng((7, piece))
        stamps = [f" {stamp}\n" for stamp in times.tolist()]

        def lines(counter: Counter, events: Ints, stamps: list[str] = stamps) -> str:
            values = (np.cumsum(events) + totals.get(counter.head, 0)).tolist()
            totals[counter.head] = values[-1]
            return "".join([f"{counter.head}{value}{stamp}" for value, stamp in zip(values, stamps, strict=True)])

        with path.open("w") as out:
            out.write("# TYPE http_requests counter\n")
            for counter in plain:
                out.write(lines(counter, random.poisson(counter.per_second * scrape * day)))
            out.write("# TYPE http_request_duration_seconds histogram\n")
            for histogram in buckets:
                events = np.zeros(times.size, dtype=np.int64)
                for counter in histogram:
                    events = events + random.poisson(counter.per_second * scrape * day)
                    out.write(lines(counter, events))
            out.write("# EOF\n")
        yield path
    path.unlink()


def catalogue_of(services: int, bucket: float) -> Catalogue:
    """Ten SLOs a service: five on its requests, five on its latency."""
    indicators: dict[str, Callable[[str], Sli]] = {
        "availability": lambda name: _requests(name, "=~5.."),
        "not-found": lambda name: _requests(name, "404"),
        "refused": lambda name: _requests(name, "=~4.."),
        "errors": lambda name: _requests(name, "=~[45].."),
    }
    for threshold in (0.05, 0.1, 0.25, 1.0):
        indicators[f"under-{threshold:g}s"] = lambda name, threshold=threshold: _latency(name, threshold)  # type: ignore[misc]
    indicators["answered"] = lambda name: _requests(name, "=~[^2]..")
    indicators["quick-enough"] = lambda name: _latency(name, 0.25)
    objectives = [0.99, 0.98, 0.98, 0.98, 0.5, 0.9, 0.95, 0.99, 0.98, 0.9]
    return Catalogue(
        name="bench",
        bucket=bucket,
        sum_labels=["route", "code"],
        services=[
            Service(
                name=f"svc{number}",
                slos=[
                    Slo(name=name, sli=make(f"svc{number}"), objective=objective, window=Window(rolling=30 * 86400.0))
                    for (name, make), objective in zip(indicators.items(), objectives, strict=True)
                ],
            )
            for number in range(services)
        ],
    )


def _requests(service: str, bad: str) -> Requests:
    return Requests(metric="http_requests_total", matchers={"service": service}, bad={"code": bad})


def _latency(service: str, threshold: float) -> Latency:
    return Latency(metric="http_request_duration_seconds", matchers={"service": service}, threshold=threshold)


def peer_expression(sli: Sli, window: str) -> str:
    """The error ratio of one SLO over one window, as one PromQL expression."""
    if isinstance(sli, Requests):
        assert sli.bad is not None
        service, code = sli.matchers["service"], str(sli.bad["code"]).removeprefix("=~")
        total = f'http_requests_total{{service="{service}"}}'
        bad = f'http_requests_total{{service="{service}",code=~"{code}"}}'
        return f"sum(increase({bad}[{window}])) / sum(increase({total}[{window}]))"
    assert isinstance(sli, Latency)
    metric, service = f"{sli.metric}_bucket", sli.matchers["service"]
    bound = f"{sli.threshold:g}" + (".0" if sli.threshold == int(sli.threshold) else "")
    good = f'sum(increase({metric}{{service="{service}",le=~"{bound}|{sli.threshold:g}"}}[{window}]))'
    return f'1 - {good} / sum(increase({metric}{{service="{service}",le="+Inf"}}[{window}]))'


def run_peer(connect: PrometheusConnect, catalogue: Catalogue) -> tuple[int, dict[tuple[str, str], float]]:
    """Every SLO and window, one query after another; the 30-day error ratios."""
    queries = 0
    ratios = {}
    for service, slo in catalogue.slos():
        sli = catalogue.sli(service, slo)
        for window in PEER_WINDOWS:
            answer = connect.custom_query(peer_expression(sli, window), params={"time": END})
            queries += 1
        ratios[service.name, slo.name] = float(answer[0]["value"][1])
    return queries, ratios


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--scrape", type=int, default=15, help="seconds between samples")
    parser.add_argument("--bucket", type=int, nargs="*", default=[300, 60], help="our buckets, in seconds")
    parser.add_argument("--binary", default="2", help="2 (the distribution's) or 3")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        begun = time.perf_counter()
        history = write_history(Path(scratch), arguments.services, arguments.processes, arguments.scrape)
        with prometheus(version=arguments.binary, openmetrics=history) as server:
            series = arguments.services * arguments.processes * (len(ROUTES) * len(CODES) + len(BOUNDS))
            samples = series * DAYS * 86400 // arguments.scrape
            print(f"{series} series, {samples / 1e6:.0f} M samples, filled in {time.perf_counter() - begun:.0f} s")
            connect = PrometheusConnect(url=server.url)
            catalogue = catalogue_of(arguments.services, 60)
            begun = time.perf_counter()
            peer_queries, ratios = run_peer(connect, catalogue)
            peer_seconds = time.perf_counter() - begun
            print(
                f"{'':24}{'queries':>9}{'seconds':>9}{'fewer':>8}{'faster':>8}   largest difference of a 30-day ratio"
            )
            print(f"{'one query at a time':24}{peer_queries:>9}{peer_seconds:>9.1f}")
            for bucket in arguments.bucket:
                asked, seconds, difference = run_ours(server.url, arguments.services, bucket, ratios)
                fewer, faster = peer_queries / asked, peer_seconds / seconds
                name = f"sla-kit, {bucket} s"
                print(f"{name:24}{asked:>9}{seconds:>9.1f}{fewer:>7.0f}x{faster:>7.1f}x   {difference:.1e}")


def run_ours(url: str, services: int, bucket: int, ratios: dict[tuple[str, str], float]) -> tuple[int, float, float]:
    """Requests sent, seconds, and the largest relative difference to the peer's error ratios."""
    from sla_kit.sources.prometheus import PrometheusSource

    connect = PrometheusConnect(url=url)
    asked = 0
    send = connect._session.send

    def counted(*args: object, **kwargs: object) -> object:
        nonlocal asked
        asked += 1
        return send(*args, **kwargs)

    connect._session.send = counted
    begun = time.perf_counter()
    evaluation = evaluate(catalogue_of(services, bucket), PrometheusSource(connect), "30d", END)
    seconds = time.perf_counter() - begun
    differences = [
        abs((1 - (slo.figure.sli or 0)) / ratios[slo.key] - 1) for slo in evaluation.slos if ratios.get(slo.key)
    ]
    return asked, seconds, max(differences)


if __name__ == "__main__":
    main()
