"""What the ledger saves: warm reports beside cold ones, years in seconds, and its size on disk.

    python -m bench.ledger cold-and-warm [--services 20] [--scrape 15]
    python -m bench.ledger scale [--services 1 10 100 1000]
    python -m bench.ledger year [--slos 1000]
    python -m bench.ledger size

- cold-and-warm: on a real Prometheus with 30 days of samples, the report of all SLOs (evaluated, and written as HTML,
  Markdown, JSON and CSV) without a ledger is the peer; beside it the first one with a ledger, which fills it, the same
  one again, and the report of six hours later, which reads six hours.
- scale: the recordings of `bench.scale`, read once into a ledger; then the report from the ledger alone, judged from
  the rows and judged before, each in a process of its own: time and peak memory from 10 to 10,000 SLOs.
- year: a year of 1,000 SLOs in SQLite at one-minute buckets; their figures over the year and its quarters as roll-ups
  of a weekly report. The peer is the same from all the buckets, for some of the SLOs.
- size: bytes that a day of an SLO takes, by kind of indicator.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bench import report as live_bench
from bench import scale_data
from sla_kit import evaluate
from sla_kit.catalogue.model import Bound, Catalogue, Latency, Probe, Requests, Service, Sli, Slo
from sla_kit.engine.results import Evaluation
from sla_kit.history import open_source
from sla_kit.ledger import open_ledger
from sla_kit.ledger.rows import pack
from sla_kit.report import write
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.timeline import Grid, Histogram, Timeline
from tests.servers import prometheus

FORMATS = ("html", "md", "json", "csv")
YEAR = 365
LIMIT_MB = 2048


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("cold-and-warm", "scale", "year", "size", "all"), nargs="?", default="all")
    parser.add_argument("--services", type=int, nargs="*")
    parser.add_argument("--scrape", type=int, default=15, help="seconds between samples of cold-and-warm")
    parser.add_argument("--bucket", type=int, default=60, help="seconds of cold-and-warm's buckets")
    parser.add_argument("--slos", type=int, default=1000, help="of year")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        print(json.dumps(_child(*json.loads(chosen.child))))
        return
    if chosen.what in ("size", "all"):
        size()
    if chosen.what in ("cold-and-warm", "all"):
        cold_and_warm((chosen.services or [20])[0], chosen.scrape, chosen.bucket)
    if chosen.what in ("scale", "all"):
        scale(chosen.services or [1, 10, 100, 1000])
    if chosen.what in ("year", "all"):
        year(chosen.slos)


# --- cold and warm --------------------------------------------------------------------------------------------------


def cold_and_warm(services: int, scrape: int, bucket: int) -> None:
    """Prints the table; every row's ratio is to the first."""
    catalogue = live_bench.catalogue_of(services, bucket)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(f"filling a Prometheus: {services} services, {services * 10} SLOs, 30 days every {scrape} s", flush=True)
        with prometheus("2", openmetrics=live_bench.write_history(folder, services, 1, scrape)) as server:
            address, later = server.url, live_bench.END
            earlier = later - 6 * 3600
            ledger = str(folder / "ledger.db")
            runs: list[tuple[str, Callable[[], Evaluation]]] = [
                ("without a ledger", lambda: evaluate(catalogue, address, "7d", earlier)),
                ("first, fills the ledger", lambda: evaluate(catalogue, address, "7d", earlier, ledger=ledger)),
                ("again", lambda: evaluate(catalogue, address, "7d", earlier, ledger=ledger)),
                ("again, from the ledger alone", lambda: evaluate(catalogue, None, "7d", earlier, ledger=ledger)),
                ("six hours later", lambda: evaluate(catalogue, address, "7d", later, ledger=ledger)),
            ]
            evaluate(catalogue, address, "1d", earlier)  # the server's caches and our imports are warm for all
            print(f"{'':32}{'evaluate':>10}{'write':>8}{'together':>10}{'times as fast':>15}")
            first = 0.0
            for name, run in runs:
                began = time.perf_counter()
                evaluation = run()
                judged = time.perf_counter() - began
                write(evaluation, folder / "report", FORMATS)
                seconds = time.perf_counter() - began
                first = first or seconds
                print(
                    f"{name:32}{judged:9.2f}s{seconds - judged:7.2f}s{seconds:9.2f}s{first / seconds:15.1f}", flush=True
                )


# --- scale ----------------------------------------------------------------------------------------------------------


def scale(sizes: Sequence[int]) -> None:
    """Prints the table; ends with 1 where 10,000 SLOs take more than 2 GiB."""
    print(f"{'SLOs':>7}{'bytes/SLO/day':>15}  {'report from':14}{'seconds':>9}{'ms/SLO':>8}{'ratio':>7}{'peak MB':>9}")
    before: dict[str, tuple[int, float]] = {}
    too_much = False
    for services in sizes:
        slos = services * scale_data.SLOS_A_SERVICE
        with tempfile.TemporaryDirectory() as scratch:
            recording, ledger = Path(scratch, "history.parquet"), str(Path(scratch, "ledger.db"))
            scale_data.write_recording(recording, services)
            filled = _in_a_process("fill", ledger, services, str(recording))
            bytes_a_day = Path(ledger).stat().st_size / slos / scale_data.DAYS
            for side in ("rows", "memory"):
                cost = _in_a_process("report", ledger, services, "")
                last = before.get(side)
                ratio = "" if last is None else f"{cost['seconds'] / slos / (last[1] / last[0]):.2f}"
                print(
                    f"{slos:7}{bytes_a_day:15.0f}  {side:14}{cost['seconds']:9.2f}"
                    f"{cost['seconds'] / slos * 1000:8.2f}{ratio:>7}{cost['megabytes']:9.0f}",
                    flush=True,
                )
                before[side] = (slos, cost["seconds"])
                too_much |= max(cost["megabytes"], filled["megabytes"]) > LIMIT_MB
            print(f"{'':24}{'filled in':14}{filled['seconds']:9.2f}{'':15}{filled['megabytes']:9.0f}", flush=True)
    if too_much:
        sys.exit(f"more than {LIMIT_MB} MB")


def _in_a_process(what: str, ledger: str, services: int, recording: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.ledger", "--child", json.dumps([what, ledger, services, recording])]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _child(what: str, address: str, services: int, recording: str) -> dict[str, float]:
    catalogue = scale_data.catalogue_of(services)
    end, start = scale_data.END, scale_data.END - scale_data.DAYS * 86400
    began = time.perf_counter()
    with open_ledger(address) as ledger:
        if what == "fill":
            ledger.close_buckets(catalogue, open_source(recording), since=start, until=end, now=int(time.time()))
        else:
            evaluate(catalogue, None, "7d", end, ledger=ledger)
    return {"seconds": time.perf_counter() - began, "megabytes": _peak()}


def _peak() -> float:
    """The process's peak memory in MB; ``ru_maxrss`` would be the parent's where that was larger when it forked."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


# --- a year ---------------------------------------------------------------------------------------------------------


class Drawn:
    """A source that draws what it is asked for: a few courses of each kind, shared by all SLOs."""

    name = "drawn"
    courses = 5

    def span(self) -> tuple[int, int] | None:
        """It knows everything."""
        return None

    def close(self) -> None:
        """Nothing is open."""

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with one of the courses of its kind."""
        drawn = {}
        for number, indicator in enumerate(indicators):
            kind, course = type(indicator.sli), number % self.courses
            if (kind, course) not in drawn:
                drawn[kind, course] = course_of(indicator.sli, grid, course)
            yield indicator, drawn[kind, course]


def course_of(sli: Sli, grid: Grid, seed: int) -> Timeline:
    """A course of some days: traffic that swings by day, a few errors, an outage of ten minutes."""
    random = np.random.default_rng((seed, grid.start))
    count, ones = grid.count, np.ones(grid.count)
    swing = 1.2 + np.sin(grid.ends % 86400 / 86400 * 2 * np.pi)
    outage = slice(count // 3, count // 3 + 10)
    total = random.poisson(900 * swing).astype(np.float64)
    match sli:
        case Probe():
            good = np.full(count, 4.0)
            good[outage] = 1.0
            return Timeline(grid, good, 4 * ones, ones, "samples", good / 4)
        case Bound():
            # A gauge as exporters publish them: whole numbers, averaged over four scrapes.
            value = random.poisson(9 * swing) / 4
            return Timeline(grid, (value < 30).astype(np.float64), ones, ones, "minutes", value)
        case Latency():
            shares = np.array([0.2, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0])
            each = random.multinomial(900, np.diff(shares, prepend=0.0), size=count).astype(np.float64)
            counts = np.cumsum(each, axis=1)
            bounds = np.array([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, np.inf])
            return Timeline(grid, counts[:, 4], counts[:, -1], ones, histogram=Histogram(bounds, counts))
        case _:
            bad = random.binomial(total.astype(np.int64), 0.00005).astype(np.float64)
            bad[outage] = total[outage] // 2
            return Timeline(grid, total - bad, total, ones)


def year_catalogue(slos: int) -> Catalogue:
    """Ten SLOs a service: four on its requests, two on its latency, three probes and a queue."""
    services = []
    for number in range(max(1, slos // 10)):
        labels: dict[str, str | list[str]] = {"service": f"svc{number}"}
        slis: list[Sli] = [
            Requests(metric=f"requests_{n}_total", matchers=labels, bad={"code": "5.."}) for n in range(4)
        ]
        slis += [Latency(metric="seconds", matchers=labels, threshold=at) for at in (0.1, 0.25)]
        slis += [Probe(matchers={**labels, "probe": str(n)}) for n in range(3)]
        slis.append(Bound(metric="queue", matchers=labels, max=30))
        names = [f"slo-{n}" for n in range(10)]
        services.append(
            Service(
                name=f"svc{number}",
                slos=[Slo(name=name, sli=sli, objective=0.999) for name, sli in zip(names, slis, strict=True)],
            )
        )
    return Catalogue(name="year", services=services)


def year(slos: int) -> None:
    """Prints what a year's figures take."""
    catalogue = year_catalogue(slos)
    end = int(time.time()) // 86400 * 86400 - 86400
    start = end - YEAR * 86400
    rollups = [f"{YEAR}d", "90d"]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch, "ledger.db")
        with open_ledger(str(path)) as ledger:
            print(f"filling a ledger: {slos} SLOs, {YEAR} days in buckets of a minute", flush=True)
            began = time.perf_counter()
            ledger.update(catalogue, Drawn(), since=start, until=end, now=end + 86400)
            filled = time.perf_counter() - began
            size = path.stat().st_size / slos / YEAR
            print(f"filled in {filled:.0f} s, {size:.0f} bytes an SLO and day, {path.stat().st_size / 1e9:.2f} GB")
            evaluate(catalogue, None, "7d", end, ledger=ledger)
            began = time.perf_counter()
            evaluate(catalogue, None, "7d", end, ledger=ledger)
            week = time.perf_counter() - began
            began = time.perf_counter()
            summed = evaluate(catalogue, None, "7d", end, ledger=ledger, rollups=rollups)
            by_days = time.perf_counter() - began
            some = [service.name for service in catalogue.services[: max(1, len(catalogue.services) // 50)]]
            began = time.perf_counter()
            read = evaluate(catalogue, ledger.source(catalogue), "7d", end, services=some, rollups=rollups)
            by_buckets = (time.perf_counter() - began) / len(read.slos) * slos
            for one in read.slos:
                for mine, theirs in zip(one.rollups, summed[one.key].rollups, strict=True):
                    assert mine.figure.sli is not None
                    assert theirs.figure.sli is not None
                    assert abs(mine.figure.sli - theirs.figure.sli) < 1e-12, one.key
    print(f"the week's figures of {slos} SLOs: {week:.2f} s; with those of the year and the quarter: {by_days:.2f} s")
    print(f"the same from all the buckets: {by_buckets:.0f} s, {by_buckets / by_days:.0f} times as long")


# --- size -----------------------------------------------------------------------------------------------------------


def size() -> None:
    """Prints the bytes of a day's row by kind of indicator, beside three columns of plain floats."""
    grid = Grid(20_000 * 86400, 60, 1440)
    kinds: dict[str, Sli] = {
        "requests": Requests(metric="m", bad={"code": "5.."}),
        "latency (10 buckets)": Latency(metric="m", threshold=0.1),
        "probe": Probe(),
        "gauge in bounds": Bound(metric="m", max=30),
    }
    print(f"{'a day of one SLO, buckets of 1 min':36}{'bytes':>8}{'of plain floats':>17}")
    for name, sli in kinds.items():
        timeline = course_of(sli, grid, 1)
        plain = 8 * 1440 * (3 + (timeline.value is not None))
        plain += 0 if timeline.histogram is None else timeline.histogram.counts.nbytes
        packed = len(pack(timeline))
        print(f"{name:36}{packed:8}{packed / plain:16.1%}")


if __name__ == "__main__":
    main()
