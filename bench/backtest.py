"""The backtest of a catalogue on a live Prometheus beside the plain way: every alert as range queries, with what the
recording rules hold put in as subqueries, evaluated by the server.

    python -m bench.backtest                            two days of four, about ten minutes
    python -m bench.backtest --days 30 --window 30d     the whole month; the plain way is given up after --limit seconds

Both read the same server, one after the other, with four connections. Processor time is that of all that works: the
server, sla-kit, promtool and the Prometheus of our own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from sla_kit.simulate import load_scenario, simulate
from tests.servers import Prometheus, prometheus, prometheus_program

CATALOGUE = Path(__file__).parents[1] / "examples" / "astralfield"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: wall-clock and processor seconds, peak memory of sla-kit itself in MB, and when alerts fired. ``done``
    is false for one that was given up."""

    seconds: float
    processor: float
    peak: float
    fired: dict[str, Any]
    done: bool


def main(days: float, window: str, limit: float, version: str) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        history, end = month(folder, days)
        with prometheus(version, openmetrics=history) as server:
            ours = measured(server, "prometheus", version, window, end, folder / "ours", None)
            plain = measured(server, "server", version, window, end, folder / "plain", limit)
    fired = sum(bool(each) for each in ours.fired.values())
    print(f"{len(ours.fired)} alerts over {window} of {days:g} days on Prometheus {version}; {fired} fired")
    print(f"ours: {ours.seconds:.0f} s, {ours.processor:.0f} s of the processor, sla-kit's peak {ours.peak:.0f} MB")
    if plain.done:
        print(f"range queries: {plain.seconds:.0f} s, {plain.processor:.0f} s of the processor")
        same = sum(ours.fired[name] == plain.fired[name] for name in ours.fired)
        print(f"the same firings, to the second, of {same} of {len(ours.fired)} alerts")
    else:
        print(f"range queries: given up after {plain.seconds:.0f} s, {plain.processor:.0f} s of the processor")
    at_least = "" if plain.done else "more than "
    print(f"ratio: {at_least}{plain.seconds / ours.seconds:.1f} times as fast, {at_least}"
          f"{plain.processor / ours.processor:.1f} times less processor time")  # fmt: skip


def month(folder: Path, days: float) -> tuple[Path, float]:
    """The simulated month, or some days of it from Sunday, 6 September on: a game, and a bad release on Wednesday."""
    scenario = load_scenario("astralfield")
    if days < scenario.days:
        jobs = [msgspec.structs.replace(job, unusual=[]) for job in scenario.jobs]
        scenario = msgspec.structs.replace(scenario, start=1_788_667_200.0, days=days, jobs=jobs)
    simulate(scenario).write(folder / "history")
    return folder / "history" / "history.om.gz", scenario.end


def measured(
    server: Prometheus, engine: str, version: str, window: str, end: float, out: Path, limit: float | None
) -> Measured:
    """One run of the command."""
    command = [sys.executable, "-m", "bench.backtest", "--run", "-c", str(CATALOGUE), "-e", "production"]
    command += ["-s", server.url, "--at", f"{end:.0f}", "-w", window, "--engine", engine, "-o", str(out)]
    command += ["--no-outages", "--prometheus", str(prometheus_program(version))]
    before, begun = _processor(server.pid) + _children(), time.monotonic()
    done = True
    try:
        subprocess.run(command, check=True, timeout=limit, stdout=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        done = False
    seconds = time.monotonic() - begun
    processor = _processor(server.pid) + _children() - before
    if not done:
        return Measured(seconds, processor, 0.0, {}, done)
    document = json.loads((out / "backtest.json").read_text())
    fired = {one["title"]: [(each["start"], each["end"]) for each in one["intervals"]] for one in document["alerts"]}
    return Measured(seconds, processor, float((out / "peak").read_text()), fired, done)


def run(arguments: list[str]) -> None:
    """The command in this process, and its peak memory into a file."""
    from sla_kit.cli.backtest import backtest

    backtest.main(arguments, standalone_mode=False)
    status = Path("/proc/self/status").read_text().splitlines()
    peak = next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmHWM"))
    (Path(arguments[arguments.index("-o") + 1]) / "peak").write_text(str(peak))


def _processor(pid: int) -> float:
    """The seconds of the processor that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _children() -> float:
    """Those of all that were started here and have ended."""
    times = os.times()
    return times.children_user + times.children_system


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        run(sys.argv[2:])
    else:
        parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
        parser.add_argument("--days", type=float, default=4, help="how much history there is")
        parser.add_argument("--window", default="2d", help="how much of it is replayed")
        parser.add_argument("--limit", type=float, default=900, help="seconds after which the plain way is given up")
        parser.add_argument("--version", default="3", choices=["2", "3"], help="of Prometheus")
        given = parser.parse_args()
        main(given.days, given.window, given.limit, given.version)
