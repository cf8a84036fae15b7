"""A Prometheus of our own over recorded samples: blocks written by promtool, a server on a free loopback port.

Whatever PromQL the installed Prometheus knows is thereby what a rule file may hold. Blocks are put in place whole, so
that a run that is killed while it imports leaves none or all of them, or the same again beside them, which is no harm.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from sla_kit.errors import SlaKitError
from sla_kit.history.store import Series

_READY_SECONDS = 300.0
_STOP_SECONDS = 20.0
_PORT_TAKEN = "address already in use"
_PR_SET_PDEATHSIG = 1
#: A query may take its time: nobody else waits for this server.
_QUERY_TIMEOUT = "2h"
#: Long blocks: promtool reads its whole input once for each block.
_BLOCK = "1500h"
INSTALL = (
    "install Prometheus (its programs prometheus and promtool; on Debian or Ubuntu: apt-get install prometheus), or "
    "name it by --prometheus"
)


class LocalPrometheusError(SlaKitError):
    """The Prometheus that should evaluate a recorded history can't be run."""


@dataclass(frozen=True, slots=True)
class Programs:
    """Where the two programs are."""

    prometheus: str
    promtool: str


def find_programs(named: str = "") -> Programs | None:
    """The programs on the PATH, or those that ``named`` names: prometheus itself, or the folder with both. None where
    one is missing; `LocalPrometheusError` where what is named is not there."""
    if not named:
        found = shutil.which("prometheus"), shutil.which("promtool")
        return Programs(found[0], found[1]) if found[0] and found[1] else None
    path = Path(named)
    program = path / "prometheus" if path.is_dir() else path
    if not program.is_file() or not os.access(program, os.X_OK):
        raise LocalPrometheusError("there is no program prometheus", place=named, remedy="name the program's path")
    beside = program.with_name("promtool")
    promtool = str(beside) if beside.is_file() else shutil.which("promtool")
    if promtool is None:
        raise LocalPrometheusError("there is no promtool beside it", place=named, remedy=INSTALL)
    return Programs(str(program), promtool)


def write_blocks(programs: Programs, series: Iterable[Series], store: Path) -> int:
    """Adds samples to the blocks in ``store``; how many there were."""
    store.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="import-", dir=store.parent) as scratch:
        text, blocks = Path(scratch) / "samples.om", Path(scratch) / "blocks"
        count = _write_text(series, text)
        if not count:
            return 0
        command = [programs.promtool, "tsdb", "create-blocks-from", "openmetrics", f"--max-block-duration={_BLOCK}"]
        try:
            done = subprocess.run([*command, "-q", text, blocks], capture_output=True, text=True, check=False)  # noqa: S603
        except OSError as error:
            raise LocalPrometheusError(f"promtool can't be run: {error}", place=programs.promtool) from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["it says nothing"]
            raise LocalPrometheusError(
                f"promtool can't take the recorded samples: {said[-1]}",
                place=programs.promtool,
                remedy="is there room on the disk? Otherwise try a newer Prometheus",
            )
        for block in sorted(blocks.iterdir()):
            block.rename(store / block.name)
    return count


@contextmanager
def serving(programs: Programs, store: Path) -> Iterator[str]:
    """The address of a Prometheus over the blocks in ``store``, which is stopped afterwards."""
    store.mkdir(parents=True, exist_ok=True)
    settings, log = store.parent / "prometheus.yml", store.parent / "prometheus.log"
    settings.write_text("global: {scrape_interval: 1h}\n")
    for _ in range(5):
        port = _free_port()
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603
                [
                    programs.prometheus,
                    f"--config.file={settings}",
                    f"--storage.tsdb.path={store}",
                    "--storage.tsdb.retention.time=100y",
                    f"--query.timeout={_QUERY_TIMEOUT}",
                    f"--web.listen-address=127.0.0.1:{port}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=_die_with_parent if sys.platform == "linux" else None,
            )
        try:
            if _ready(process, port):
                yield f"http://127.0.0.1:{port}"
                return
            tail = log.read_text(errors="replace")[-2000:]
            if _PORT_TAKEN not in tail:
                break
        finally:
            _stop(process)
    last = (tail.strip().splitlines() or ["it says nothing"])[-1]
    raise LocalPrometheusError(
        f"Prometheus did not start: {last}", place=programs.prometheus, remedy="try --prometheus with another one"
    )


def _write_text(series: Iterable[Series], path: Path) -> int:
    count = 0
    with path.open("w", encoding="utf-8") as out:
        for one in series:
            labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in one.labels)
            head = f"{one.metric}{{{labels}}}" if labels else one.metric
            values = map(_number, one.values.tolist())
            times = one.times.tolist()
            out.write("".join(f"{head} {value} {ms / 1000}\n" for value, ms in zip(values, times, strict=True)))
            count += one.times.size
        out.write("# EOF\n")
    return count


def _number(value: float) -> str:
    if value != value:
        return "NaN"
    return repr(value) if abs(value) != float("inf") else "+Inf" if value > 0 else "-Inf"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _ready(process: subprocess.Popen[bytes], port: int) -> bool:
    deadline = time.monotonic() + _READY_SECONDS
    with requests.Session() as session:
        session.trust_env = False  # no proxy stands between us and ourselves
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if session.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).status_code == 200:
                    return True
            except requests.RequestException:
                pass
            time.sleep(0.05)
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends it should we be killed before we can."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
