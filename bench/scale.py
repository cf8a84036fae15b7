"""Time and memory of an evaluation from 10 to 10,000 SLOs over 30 days of recorded history.

    python -m bench.scale [--services 1 10 100 1000] [--rounds 1] [--peer-to 10]

Each size is a recording in Parquet of its own (`bench.scale_data`: ten SLOs and 27 series a service, scraped every
five minutes, so that the largest holds 233 million samples) and is evaluated in a process of its own, over 30 days and
the 30 before. Time is the processor's, so that what else the machine does hardly counts, beside that of the clock.
Memory is the process's peak, the interpreter and its libraries included; kB/SLO is what comes on top of them. "ratio"
is what an SLO costs beside one of the size before: 1 is linear, less is better.

The peer is the obvious script: for each SLO its metric from the same Parquet into pandas, its series chosen, their
increases summed, and the error ratio over 30 days and the windows of the burn-rate alerts. It reads the metric of all
services for every SLO, so that it is run on the smaller sizes only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.scale_data import END, SLOS_A_SERVICE, catalogue_of, write_recording

LIMIT_MB = 2048
_WINDOWS = (3600, 300, 21600, 1800, 259200, 21600, 30 * 86400)


@dataclass(frozen=True, slots=True)
class Cost:
    """What one run took: ``seconds`` of the processor and of the ``clock``, peak memory in ``megabytes``, and the
    availability it found for one SLO."""

    seconds: float
    clock: float
    megabytes: float
    idle_megabytes: float
    ratio: float


def main() -> None:
    """Runs every size and prints the table; ends with 1 where 10,000 SLOs take more than 2 GiB."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, nargs="*", default=[1, 10, 100, 1000])
    parser.add_argument("--rounds", type=int, default=1, help="the quickest counts")
    parser.add_argument(
        "--peer-to", type=int, default=10, help="the largest number of services that the peer is run on"
    )
    parser.add_argument("--side", choices=("ours", "peer"), help=argparse.SUPPRESS)
    parser.add_argument("--recording", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.side:
        print(json.dumps(_run(chosen.side, chosen.recording, chosen.services[0])))
        return
    print(
        f"{'SLOs':>7}{'samples':>12}{'on disk':>9}  {'':6}{'clock':>8}{'seconds':>9}{'ms/SLO':>8}{'ratio':>7}", end=""
    )
    print(f"{'peak MB':>9}{'kB/SLO':>8}{'ratio':>7}")
    before: tuple[int, Cost] | None = None
    too_much = False
    for services in chosen.services:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "history.parquet"
            samples = write_recording(path, services)
            slos = services * SLOS_A_SERVICE
            ours = _best(["ours"] * chosen.rounds, path, services)
            print(f"{slos:>7,}{samples:>12,}{path.stat().st_size / 1e6:>6.0f} MB  {'ours':6}", end="")
            print(_row(slos, ours, before), flush=True)
            before = slos, ours
            too_much |= slos >= 10_000 and ours.megabytes > LIMIT_MB
            if services <= chosen.peer_to:
                peer = _best(["peer"] * chosen.rounds, path, services)
                print(f"{'':28}  {'pandas':6}{_row(slos, peer, None)}", end="")
                apart = abs(ours.ratio - peer.ratio)
                print(f"   {peer.seconds / ours.seconds:.1f} times our time, ratios {apart:.0e} apart")
    if too_much:
        sys.exit(f"10,000 SLOs took more than {LIMIT_MB} MB")


def _row(slos: int, cost: Cost, before: tuple[int, Cost] | None) -> str:
    each, memory = cost.seconds / slos, (cost.megabytes - cost.idle_megabytes) / slos
    ratios = ["", ""]
    if before is not None:
        fewer, other = before
        ratios = [f"{each / (other.seconds / fewer):.2f}"]
        ratios.append(f"{memory / ((other.megabytes - other.idle_megabytes) / fewer):.2f}")
    seconds = f"{cost.clock:>7.1f}s{cost.seconds:>9.1f}{each * 1000:>8.1f}{ratios[0]:>7}"
    return f"{seconds}{cost.megabytes:>9.0f}{memory * 1000:>8.0f}{ratios[1]:>7}"


def _best(sides: list[str], path: Path, services: int) -> Cost:
    found = []
    for side in sides:
        command = [sys.executable, "-m", "bench.scale", "--side", side, "--recording", str(path)]
        answer = subprocess.run([*command, "--services", str(services)], check=True, capture_output=True, text=True)
        found.append(Cost(**json.loads(answer.stdout)))
    return min(found, key=lambda cost: cost.seconds)


def _run(side: str, path: Path, services: int) -> dict[str, float]:
    """One side in this process; imports are outside of the time, but not of the peak."""
    import pandas  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    from sla_kit import evaluate

    idle = _peak()
    catalogue = catalogue_of(services)
    clock, begun = time.perf_counter(), time.process_time()
    if side == "ours":
        ratio = evaluate(catalogue, path, "30d", END)["svc0000", "availability"].figure.sli or 0.0
    else:
        ratio = _peer(path, services)
    return {
        "seconds": time.process_time() - begun,
        "clock": time.perf_counter() - clock,
        "megabytes": _peak(),
        "idle_megabytes": idle,
        "ratio": ratio,
    }


def _peak() -> float:
    """The most memory that this process has had, in MB. That of getrusage may be its parent's."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


def _peer(path: Path, services: int) -> float:
    """Each SLO by itself in pandas; the 30-day availability of the first service."""
    from sla_kit.catalogue.model import Bound, Freshness, Latency, Probe, Requests

    availability = 0.0
    catalogue = catalogue_of(services)
    for service, slo in catalogue.slos():
        sli = catalogue.sli(service, slo)
        if isinstance(sli, Requests):
            events = _events(path, sli.metric, service.name)
            assert sli.bad is not None
            bad = events
            for label, pattern in sli.bad.items():
                wanted = rf'"{label}":"(?:{str(pattern).removeprefix("=~")})"'
                bad = bad.loc[:, bad.columns.str.contains(wanted, regex=True)]
            found = _ratios(events.sum(axis=1), bad.sum(axis=1))
            if (service.name, slo.name) == ("svc0000", "availability"):
                availability = 1 - found[-1]
        elif isinstance(sli, Latency):
            events = _events(path, sli.metric + "_bucket", service.name)
            total = events.loc[:, events.columns.str.contains('"le":"+Inf"', regex=False)].sum(axis=1)
            bound = f'"le":"{sli.threshold}"'
            good = events.loc[:, events.columns.str.contains(bound, regex=False)].sum(axis=1)
            _ratios(total, total - good)
        else:
            assert isinstance(sli, Probe | Bound | Freshness)
            values = _samples(path, sli.metric, service.name).mean(axis=1)
            match sli:
                case Probe():
                    bad = 1 - values
                case Bound():
                    bad = (values > sli.max).astype(float)
                case Freshness():
                    bad = (values.index.astype("int64") / 1e9 - values > sli.max_age).astype(float)
            _ratios(values.notna().astype(float), bad)
    return availability


def _samples(path: Path, metric: str, service: str):  # type: ignore[no-untyped-def]
    import pandas as pd

    rows = pd.read_parquet(path, filters=[("metric", "=", metric)], columns=["labels", "timestamp", "value"])
    labels = rows["labels"].astype("category")
    chosen = [text for text in labels.cat.categories if f'"service":"{service}"' in text]
    rows = rows[labels.isin(chosen)].assign(labels=lambda kept: kept["labels"].astype(str))
    rows["timestamp"] = pd.to_datetime(rows["timestamp"], unit="ms")
    return rows.pivot(index="timestamp", columns="labels", values="value").resample("5min").max()


def _events(path: Path, metric: str, service: str):  # type: ignore[no-untyped-def]
    samples = _samples(path, metric, service)
    steps = samples.diff()
    return steps.where(steps >= 0, samples).fillna(0.0)


def _ratios(total, bad) -> list[float]:  # type: ignore[no-untyped-def]
    """The error ratio over the last of each window."""
    return [float(bad.iloc[-seconds // 300 :].sum() / total.iloc[-seconds // 300 :].sum()) for seconds in _WINDOWS]


if __name__ == "__main__":
    main()
