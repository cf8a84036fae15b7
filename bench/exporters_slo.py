"""The exporter of SLOs: what a collection takes, and whether memory stays flat.

    python -m bench.exporters_slo [--services 100] [--collections 60] [--prometheus 10]

- steady: 10 SLOs a service over 30 days of one-minute buckets, from a source in the process that costs next to nothing,
  so that what is measured is ours. The first collection reads everything; each later one is a minute after the one
  before, and an hour and a day pass among them. Time is the processor's and the clock's; memory is the process's own.
- prometheus: the same on a real Prometheus (`bench.report` fills it with 30 days). The peer is `sla_kit.evaluate`,
  which reads the whole window each time, as `sla-kit status` in a loop would.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from bench import report as live_bench
from sla_kit import evaluate
from sla_kit.catalogue.model import Catalogue
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from sla_kit.exporters.slo.collecting import PromiseCollector
from sla_kit.exporters.slo.configuration import Forecasting
from sla_kit.exporters.slo.keeping import Kept
from sla_kit.opening import SETTLE_SECONDS
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.timeline import Grid, Timeline
from tests.servers import prometheus

INTERVAL, TIMEOUT = 60.0, 50.0


class Steady:
    """Requests whose numbers follow from the time and the indicator."""

    name = "steady"

    def span(self) -> tuple[int, int] | None:
        """Always."""
        return None

    def close(self) -> None:
        """There is nothing to let go of."""

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline."""
        numbers = grid.ends // grid.step
        for done, indicator in enumerate(indicators, 1):
            mixed = (numbers * 2_654_435_761 + hash(indicator.key) % 65_521 * 40_503) & 0xFFFFFFFF
            total = (500 + mixed % 400).astype(np.float64)
            bad = np.where((mixed >> 9) % 1000 == 0, 3 + mixed % 5, 0).astype(np.float64)
            yield indicator, Timeline(grid, total - bad, total, np.ones(grid.count))
            progress(done, len(indicators), "")


def collector(catalogue: Catalogue, address: str, clock: Callable[[], float]) -> PromiseCollector:
    """The exporter's collector of a whole catalogue."""
    keys = tuple((service.name, slo.name) for service, slo in catalogue.slos())
    return PromiseCollector(
        name="promises",
        schedule=Schedule(INTERVAL, TIMEOUT),
        catalogue=catalogue,
        chosen=keys,
        addresses=(address,),
        windows=("1d",),
        forecasting=Forecasting(on=False),
        kept=Kept(""),
        clock=clock,
    )


def collected(each: PromiseCollector) -> tuple[int, int]:
    """Collects until it is done: how many times that took, and how many series there are."""
    times = 0
    while True:
        times += 1
        try:
            return times, sum(len(metric.samples) for metric in each.collect(time.monotonic() + TIMEOUT))
        except CollectError as error:
            if error.kind != "timeout":
                raise


def steady(services: int, collections: int) -> None:
    """Prints what collections took, and memory by and by."""
    now = live_bench.END
    each = collector(live_bench.catalogue_of(services, 60), "http://127.0.0.1:1", lambda: now + SETTLE_SECONDS)
    each._reading.source = Steady()
    idle = _resident()
    times, series, first, _ = _timed(each)
    print(f"{services * 10} SLOs: {series} series; the process without any: {idle} MB")
    print(f"{'first':>12}: {first:7.2f} s of the processor in {times} collections, {_resident()} MB")
    # Minutes, as it goes; then an hour, which is closed, and a day, of which the oldest goes.
    for name, steps, seconds in (("minutes", collections, 60), ("hours", 6, 3600), ("days", 5, 86400)):
        taken, clocks, memory = [], [], []
        for _ in range(steps):
            now += seconds
            _, _, processor, clock = _timed(each)
            taken.append(processor)
            clocks.append(clock)
            memory.append(_resident())
        print(
            f"{name:>12}: {statistics.median(taken):7.2f} s of the processor, {statistics.median(clocks):.2f} s by the "
            f"clock, at most {max(clocks):.2f} s of {INTERVAL:g} s; memory {memory[0]} to {memory[-1]} MB in {steps}",
            flush=True,
        )
    each.kept.close()


def on_prometheus(services: int) -> None:
    """Prints collections from a real server beside evaluating anew."""
    catalogue = live_bench.catalogue_of(services, 60)
    with tempfile.TemporaryDirectory() as scratch:
        history = live_bench.write_history(Path(scratch), services, 1, 60)
        with prometheus(openmetrics=history) as server:
            now = live_bench.END - 7200
            each = collector(catalogue, server.url, lambda: now + SETTLE_SECONDS)
            begun = time.perf_counter()
            collected(each)
            print(f"{services * 10} SLOs on a Prometheus\n{'first':>12}: {time.perf_counter() - begun:7.2f} s")
            ours, peers = [], []
            for _ in range(5):
                now += 60
                ours.append(_timed(each)[3])
                begun = time.perf_counter()
                evaluate(catalogue, server.url, "1d", now)
                peers.append(time.perf_counter() - begun)
            later, anew = statistics.median(ours), statistics.median(peers)
            print(f"{'later':>12}: {later:7.2f} s\n{'anew':>12}: {anew:7.2f} s, {anew / later:.1f} times as long")
            each.close()
            each.kept.close()


def _timed(each: PromiseCollector) -> tuple[int, int, float, float]:
    processor, clock = time.process_time(), time.perf_counter()
    times, series = collected(each)
    return times, series, time.process_time() - processor, time.perf_counter() - clock


def _resident() -> int:
    """Resident memory in MB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) // 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--collections", type=int, default=60)
    parser.add_argument("--prometheus", type=int, default=10, help="services on a real one; 0 leaves it out")
    arguments = parser.parse_args()
    steady(arguments.services, arguments.collections)
    if arguments.prometheus:
        on_prometheus(arguments.prometheus)


if __name__ == "__main__":
    main()
