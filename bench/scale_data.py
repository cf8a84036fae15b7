"""The catalogue and the recording that scale benchmarks run on: any number of services with ten SLOs each.

    from bench.scale_data import END, catalogue_of, write_recording

    write_recording(path, services=100)
    evaluate(catalogue_of(100), path, "30d", END)

A service has two processes with requests by route and code and a latency histogram, a probe, a queue's age and a
backup: 27 series. The recording is written series by series, so that it never is in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sla_kit.catalogue.model import (
    Bound,
    Catalogue,
    Freshness,
    Latency,
    Probe,
    Requests,
    Service,
    Sli,
    Slo,
    Window,
)
from sla_kit.history import Series, parquet
from sla_kit.sources.series import sorted_labels
from sla_kit.timeline import Floats, Ints

DAYS = 30
SCRAPE = 300
END = 1_790_000_000 // 86400 * 86400
SLOS_A_SERVICE = 10
SERIES_A_SERVICE = 27
PROCESSES = 2
ROUTES = ("/games", "/teams")
CODES = {"200": 0.985, "404": 0.0135, "500": 0.0015}
BOUNDS = {"0.05": 0.60, "0.1": 0.33, "0.25": 0.04, "0.5": 0.02, "1.0": 0.008, "+Inf": 0.002}
#: Events per second of one process.
_PER_SECOND = 5.0
#: Courses of events that are drawn once; each series takes one of them from another hour on.
_COURSES = 16


def catalogue_of(services: int, bucket: float = SCRAPE) -> Catalogue:
    """Ten SLOs a service: four on its requests, three on its latency, one each on probe, queue and backup."""
    return Catalogue(
        name="scale",
        bucket=bucket,
        services=[Service(name=_name(number), slos=_slos(_name(number))) for number in range(services)],
    )


def _slos(service: str) -> list[Slo]:
    matchers: dict[str, str | list[str]] = {"service": service}
    indicators: dict[str, tuple[Sli, float]] = {
        "availability": (Requests(metric="http_requests_total", matchers=matchers, bad={"code": "=~5.."}), 0.995),
        "found": (Requests(metric="http_requests_total", matchers=matchers, bad={"code": "404"}), 0.98),
        "answered": (Requests(metric="http_requests_total", matchers=matchers, bad={"code": "=~[45].."}), 0.98),
        "games": (
            Requests(metric="http_requests_total", matchers=matchers, bad={"code": "=~5..", "route": "/games"}),
            0.999,
        ),
        "probe": (Probe(matchers=matchers), 0.99),
        "queue": (Bound(metric="queue_age_seconds", matchers=matchers, max=60.0), 0.99),
        "backup": (Freshness(metric="backup_at", matchers=matchers, max_age=26 * 3600.0), 0.9),
    }
    for threshold, objective in ((0.1, 0.9), (0.25, 0.95), (1.0, 0.99)):
        metric = "http_request_duration_seconds"
        indicators[f"under-{threshold:g}s"] = Latency(metric=metric, matchers=matchers, threshold=threshold), objective
    window = Window(rolling=DAYS * 86400.0)
    return [Slo(name=name, sli=sli, objective=least, window=window) for name, (sli, least) in indicators.items()]


def write_recording(path: Path, services: int, days: int = DAYS, scrape: int = SCRAPE) -> int:
    """Writes the recording of a number of services as Parquet; how many samples it holds."""
    samples = 0

    def counted() -> Iterator[Series]:
        nonlocal samples
        for one in series_of(services, days, scrape):
            samples += one.times.size
            yield one

    parquet.write_series(counted(), path)
    return samples


def series_of(services: int, days: int = DAYS, scrape: int = SCRAPE) -> Iterator[Series]:
    """Every series of the recording, one after another, by metric, service and process."""
    times = np.arange(END - days * 86400 + scrape // 2, END, scrape, dtype=np.int64) * 1000
    random = np.random.default_rng(11)
    day = 1 + 0.8 * np.sin(times / 86_400_000 * 2 * np.pi)
    quiet = random.poisson(_PER_SECOND * scrape * 0.0005 * day, (_COURSES, times.size)).astype(np.float64)
    busy = random.poisson(_PER_SECOND * scrape * day, (_COURSES, times.size)).astype(np.float64)

    def events(share: float) -> Floats:
        course = (busy if share > 0.05 else quiet)[random.integers(_COURSES)]
        scale = share if share > 0.05 else share / 0.0005
        return np.asarray(np.rint(np.roll(course, int(random.integers(times.size))) * scale), dtype=np.float64)

    for number in range(services):
        yield _gauge("backup_at", number, times, ((times // 1000 - 7200) // 86400 * 86400 + 7200).astype(np.float64))
    for number in range(services):
        for process in range(PROCESSES):
            counts = np.zeros(times.size)
            for le, share in BOUNDS.items():
                counts = counts + events(share)
                yield _counter("http_request_duration_seconds_bucket", number, process, times, counts, le=le)
    for number in range(services):
        outage = slice(begun := int(random.integers(times.size)), begun + max(1, 3600 // scrape))
        for process in range(PROCESSES):
            for route in ROUTES:
                for code, share in CODES.items():
                    counts = events(share / len(ROUTES))
                    if code == "500" and number % 5 == 0:  # every fifth service had a bad hour
                        counts[outage] += np.rint(_PER_SECOND * scrape * 0.1)
                    yield _counter("http_requests_total", number, process, times, counts, code=code, route=route)
    for number in range(services):
        up = np.ones(times.size)
        up[random.integers(times.size, size=3)] = 0.0
        yield _gauge("probe_success", number, times, up)
    for number in range(services):
        yield _gauge("queue_age_seconds", number, times, 20 + quiet[number % _COURSES] * 4)


def _name(number: int) -> str:
    return f"svc{number:04d}"


def _counter(metric: str, number: int, process: int, times: Ints, events: Floats, **labels: str) -> Series:
    instance = f"10.{number // 250}.{number % 250}.{process}:80"
    known = {"service": _name(number), "instance": instance, **labels}
    return Series(metric, sorted_labels(known), times, np.cumsum(events))


def _gauge(metric: str, number: int, times: Ints, values: Floats) -> Series:
    return Series(metric, sorted_labels({"service": _name(number)}), times, values)
