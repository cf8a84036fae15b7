"""Range decoding beside prometheus-api-client: the same query of a real Prometheus, from HTTP to numbers.

    python -m bench.decode [--samples N] [--rounds N] [--prometheus 2|3]

Each side runs in a process of its own, a few times in turn; the time is the best round's, from before the first
request to the last number (imports are outside). Memory is the peak of the process above what it had when everything
was imported. Each side is as its users get it; prometheus-api-client thus asks for gzip, even on its own machine.
Beside them stands the bare answer to one request, fetched and thrown away.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from tests.servers import prometheus

START, STEP = 1_700_000_040, 60
METRIC = "bench_requests_total"
_SIDES = ("prometheus-api-client", "sla-kit", "bare answer")


def main() -> None:
    """Runs both sides and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--points", type=int, default=5_000, help="points a series, at most 11000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--prometheus", choices=("2", "3"), default="2")
    parser.add_argument("--floats", action="store_true", help="values with many decimals instead of counters")
    parser.add_argument("--side", choices=_SIDES, help=argparse.SUPPRESS)
    parser.add_argument("--url", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(_measure(options.side, options.url, options.points)))
        return
    count = -(-options.samples // options.points)
    with tempfile.TemporaryDirectory() as folder:
        history = Path(folder) / "history.om"
        with history.open("w") as text:
            _write(text, count, options.points, options.floats)
        with prometheus(options.prometheus, openmetrics=history) as server:
            best: dict[str, dict[str, float]] = {}
            for _ in range(options.rounds):
                for side in _SIDES:
                    found = _in_a_process(side, server.url, options.points)
                    known = best.setdefault(side, found)
                    known["seconds"] = min(known["seconds"], found["seconds"])
                    known["megabytes"] = min(known["megabytes"], found["megabytes"])
    _print(best, count * options.points, count, options.prometheus)


def _write(text: TextIO, series: int, points: int, floats: bool) -> None:
    chance = random.Random(1)
    text.write(f"# TYPE {METRIC.removesuffix('_total')} counter\n")
    for number in range(series):
        labels = f'{{service="service-{number % 20}",instance="10.0.{number // 250}.{number % 250}:8080",code="200"}}'
        value = 0.0
        for point in range(points):
            value += chance.random() if floats else chance.randrange(1000)
            text.write(f"{METRIC}{labels} {value if floats else int(value)} {START + point * STEP}\n")
    text.write("# EOF\n")


def _in_a_process(side: str, url: str, points: int) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.decode", "--side", side, "--url", url, "--points", str(points)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure(side: str, url: str, points: int) -> dict[str, float]:
    """Seconds, megabytes above the imports, samples and their sum, of one side in this process."""
    import numpy as np
    import pandas as pd
    import requests
    from prometheus_api_client import MetricRangeDataFrame, PrometheusConnect

    from sla_kit.sources.prometheus import PrometheusSource
    from sla_kit.sources.series import Reduction, Selector, SeriesQuery
    from sla_kit.timeline import Grid

    grid = Grid(START - STEP, STEP, points)
    expression = f"max_over_time({METRIC}[{STEP}s])"
    pd.DataFrame({"warm": np.ones(3)})
    requests.get(url + "/-/ready", timeout=10)
    before = _peak()
    start = time.perf_counter()
    if side == "sla-kit":
        source = PrometheusSource(url)
        ((_, frame),) = source.read([SeriesQuery(Selector.of(METRIC), Reduction.MAX)], grid)
        seconds = time.perf_counter() - start
        samples, total = int((~np.isnan(frame.values)).sum()), float(np.nansum(frame.values))
    elif side == "prometheus-api-client":
        client = PrometheusConnect(url=url)
        first, last = (datetime.fromtimestamp(at, UTC) for at in (START, START + STEP * (points - 1)))
        table = MetricRangeDataFrame(client.custom_query_range(expression, first, last, str(STEP)))
        seconds = time.perf_counter() - start
        samples, total = len(table), float(table["value"].sum())
    else:
        form = {"query": expression, "start": START, "end": START + STEP * (points - 1), "step": STEP}
        headers = {"Accept-Encoding": "identity"}
        with requests.post(url + "/api/v1/query_range", data=form, headers=headers, stream=True, timeout=600) as answer:
            samples, total = len(answer.raw.read()), 0.0
        seconds = time.perf_counter() - start
    return {"seconds": seconds, "megabytes": _peak() - before, "samples": samples, "total": total}


def _peak() -> float:
    """The most memory that this process ever held, in MB (2**20 bytes)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("no VmHWM in /proc/self/status: this benchmark needs Linux")


def _print(best: dict[str, dict[str, float]], asked: int, series: int, version: str) -> None:
    peer, ours, bare = (best[side] for side in _SIDES)
    if not peer["samples"] == ours["samples"] == asked or abs(peer["total"] / ours["total"] - 1) > 1e-9:
        raise SystemExit(f"the two sides do not agree: {peer} and {ours}")
    print(f"{asked:,} samples in {series} series from Prometheus {version}, best of the rounds")
    print(f"{'':24}{'seconds':>10}{'peak MB above imports':>24}")
    for side in _SIDES[:2]:
        print(f"{side:24}{best[side]['seconds']:>10.3f}{best[side]['megabytes']:>24.1f}")
    print(f"{_SIDES[2]:24}{bare['seconds']:>10.3f}{'':>24}")
    print(f"{'ratio':24}{peer['seconds'] / ours['seconds']:>9.1f}x{peer['megabytes'] / ours['megabytes']:>23.1f}x")


if __name__ == "__main__":
    main()
