"""The exporter of SLOs: what a collection takes, and whether memory stays flat.

    python -m bench.exporters_slo [--services 100] [--collections 60] [--seconds 90] [--prometheus 5]

- steady: 10 SLOs a service over 30 days of one-minute buckets, from a source in the process that costs next to nothing,
  so that what is measured is ours. The first collection reads everything; each later one is a minute after the one
  before, for so many collections or seconds, whatever ends first; then hours and a day pass. Memory is the process's
  own, in the first third of the minutes and in the last. The peer is `sla_kit.evaluate` on the same source: what it
  takes to judge all SLOs anew where reading is free.
- prometheus: the same on a real Prometheus (`bench.report` fills it with 30 days), in turns with `sla_kit.evaluate`,
  which reads the whole window each time, as `sla-kit status` in a loop would.

Times are the processor's too, since the clock's tell more of a busy machine than of us.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

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
#: However slow the machine is: thirds of less tell nothing.
_LEAST = 9
Result = TypeVar("Result")


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


def steady(services: int, collections: int, seconds: float) -> None:
    """Prints what collections took, and memory by and by."""
    now = live_bench.END
    each = collector(live_bench.catalogue_of(services, 60), "http://127.0.0.1:1", lambda: now + SETTLE_SECONDS)
    each._reading.source = Steady()
    idle = _resident()
    first = _timed(lambda: collected(each))
    times, series = first.result
    print(f"steady: {services * 10} SLOs, {series} series; the process without any: {idle:.0f} MB")
    print(f"{'first':>12}: {first}, in {times} collections; memory {_resident():.0f} MB", flush=True)
    end = time.monotonic() + seconds
    for name, most, step in (("minutes", collections, 60), ("hours", 3, 3600), ("a day", 1, 86400)):
        taken: list[_Taken[tuple[int, int]]] = []
        memory: list[float] = []
        while len(taken) < most and (step > 60 or len(taken) < _LEAST or time.monotonic() < end):
            now += step
            taken.append(_timed(lambda: collected(each)))
            memory.append(_resident())
        told = f"{_median(taken)}, at most {max(one.clock for one in taken):.2f} s of {INTERVAL:g} s"
        if step == 60:
            later, third = _median(taken), len(memory) // 3
            before, after = statistics.median(memory[:third]), statistics.median(memory[-third:])
            told += f"; memory {before:.1f} MB, then {after:.1f} MB: {after / before:.3f} times"
        print(f"{name:>12}: {told} (of {len(taken)}; memory {memory[-1]:.0f} MB)", flush=True)
    anew = _timed(lambda: evaluate(each.catalogue, Steady(), "1d", now))
    share = later.processor / anew.processor
    print(f"{'anew':>12}: {anew}; a later collection takes {share:.2f} of its processor time")
    each.kept.close()


def on_prometheus(services: int) -> None:
    """Prints collections from a real server beside evaluating anew."""
    catalogue = live_bench.catalogue_of(services, 60)
    with tempfile.TemporaryDirectory() as scratch:
        history = live_bench.write_history(Path(scratch), services, 1, 60)
        with prometheus(openmetrics=history) as server:
            now = live_bench.END - 7200
            each = collector(catalogue, server.url, lambda: now + SETTLE_SECONDS)
            print(f"a Prometheus: {services * 10} SLOs\n{'first':>12}: {_timed(lambda: collected(each))}", flush=True)
            ours, peers = [], []
            for _ in range(5):
                now += 60
                ours.append(_timed(lambda: collected(each)))
                peers.append(_timed(partial(evaluate, catalogue, server.url, "1d", now)))
            later, anew = _median(ours), _median(peers)
            print(f"{'later':>12}: {later}\n{'anew':>12}: {anew}")
            ratios = anew.clock / later.clock, anew.processor / later.processor
            print(f"{'':>12}  anew takes {ratios[0]:.1f} times as long, and {ratios[1]:.1f} times our processor")
            each.close()
            each.kept.close()


@dataclass(frozen=True, slots=True)
class _Taken(Generic[Result]):
    """What something took, in seconds of the process's processor time and of the clock, and what came of it."""

    processor: float
    clock: float
    result: Result

    def __str__(self) -> str:
        return f"{self.processor:.2f} s of the processor, {self.clock:.2f} s by the clock"


def _timed(work: Callable[[], Result]) -> _Taken[Result]:
    processor, clock = time.process_time(), time.perf_counter()
    result = work()
    return _Taken(time.process_time() - processor, time.perf_counter() - clock, result)


def _median(taken: Sequence[_Taken[Any]]) -> _Taken[None]:
    return _Taken(
        statistics.median(one.processor for one in taken), statistics.median(one.clock for one in taken), None
    )


def _resident() -> float:
    """Resident memory in MB."""
    [line] = [line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--collections", type=int, default=60, help="a minute apart, at most")
    parser.add_argument("--seconds", type=float, default=90.0, help="how long to go on with these")
    parser.add_argument("--prometheus", type=int, default=5, help="services on a real one; 0 leaves it out")
    arguments = parser.parse_args()
    steady(arguments.services, arguments.collections, arguments.seconds)
    if arguments.prometheus:
        on_prometheus(arguments.prometheus)


if __name__ == "__main__":
    main()
