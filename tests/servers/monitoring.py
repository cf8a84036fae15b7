"""Prometheus (2 from the distribution, 3 built from its module) and Alertmanager."""

from __future__ import annotations

import gzip
import os
import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.process import Server, binary, running
from tests.servers.tools import built, tool

_NO_SCRAPES = "global: {scrape_interval: 15s}\n"
_NO_RECEIVERS = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"


@dataclass(frozen=True, slots=True)
class Prometheus(Server):
    """A running Prometheus; ``version`` is "2" or "3"."""

    version: str = "2"


@dataclass(frozen=True, slots=True)
class Alertmanager(Server):
    """A running Alertmanager."""


def prometheus_program(version: str) -> Path:
    """The program of that major version: from the PATH for 2; for 3 ``SLA_KIT_PROMETHEUS3`` or the one ``.ci/tools``
    built."""
    if version == "2":
        return Path(binary("prometheus", "prometheus"))
    named = os.environ.get("SLA_KIT_PROMETHEUS3")
    if named:
        if not Path(named).is_file():
            pytest.fail(f"SLA_KIT_PROMETHEUS3 names {named}, which is not there", pytrace=False)
        return Path(named)
    return built("prometheus")


def promtool(version: str) -> Path:
    """The promtool that goes with ``prometheus_program(version)``."""
    beside = prometheus_program(version).with_name("promtool")
    return beside if beside.is_file() else tool("promtool") if version == "2" else built("promtool")


def prometheus_versions() -> list[str]:
    """The major versions that every test of Prometheus covers, for ``pytest.mark.parametrize``."""
    return ["2", "3"]


@contextmanager
def prometheus(
    version: str = "2",
    *,
    config: str = "",
    data: Path | None = None,
    openmetrics: Path | Iterable[Path] = (),
    flags: Sequence[str] = (),
    web_config: str = "",
    tls: ssl.SSLContext | None = None,
) -> Iterator[Prometheus]:
    """A Prometheus that holds the samples of an OpenMetrics file (``.gz`` too), or of several, taken one by one.

    ``config`` is the text of its prometheus.yml (without it nothing is scraped), ``web_config`` of its web.config.file
    (TLS, basic authentication; ``tls`` is then what a client of it needs). Whatever the samples' age, none is dropped.
    """
    program = prometheus_program(version)
    with _folder(data, "prometheus") as folder:
        store = folder / "tsdb"
        store.mkdir(parents=True, exist_ok=True)
        for one in [openmetrics] if isinstance(openmetrics, Path) else openmetrics:
            _backfill(promtool(version), one, store)
        settings = folder / "prometheus.yml"
        settings.write_text(config or _NO_SCRAPES)
        more = list(flags)
        if web_config:
            (folder / "web.yml").write_text(web_config)
            more.append(f"--web.config.file={folder / 'web.yml'}")

        def command(port: int) -> list[str]:
            return [
                str(program),
                f"--config.file={settings}",
                f"--storage.tsdb.path={store}",
                "--storage.tsdb.retention.time=100y",
                f"--web.listen-address=127.0.0.1:{port}",
                *more,
            ]

        with running(command, data=folder, ready="/-/ready", name="prometheus", tls=tls) as server:
            yield Prometheus(server.url, server.data, server.log, server.pid, version)


@contextmanager
def alertmanager(*, config: str = "", data: Path | None = None, flags: Sequence[str] = ()) -> Iterator[Alertmanager]:
    """An Alertmanager that forms no cluster; ``config`` is the text of its alertmanager.yml."""
    program = binary("prometheus-alertmanager", "prometheus-alertmanager")
    with _folder(data, "alertmanager") as folder:
        settings = folder / "alertmanager.yml"
        settings.write_text(config or _NO_RECEIVERS)

        def command(port: int) -> list[str]:
            return [
                program,
                f"--config.file={settings}",
                f"--storage.path={folder / 'state'}",
                f"--web.listen-address=127.0.0.1:{port}",
                "--cluster.listen-address=",
                *flags,
            ]

        with running(command, data=folder, ready="/-/ready", name="alertmanager") as server:
            yield Alertmanager(server.url, server.data, server.log, server.pid)


def _backfill(promtool: Path, openmetrics: Path, store: Path) -> None:
    """Writes the file's samples as blocks; long blocks, for a month in two-hour ones takes minutes to write."""
    with tempfile.TemporaryDirectory() as scratch:
        text = openmetrics
        if openmetrics.suffix == ".gz":
            text = Path(scratch) / "history.om"
            with gzip.open(openmetrics, "rb") as packed, text.open("wb") as plain:
                shutil.copyfileobj(packed, plain)
        done = subprocess.run(
            [promtool, "tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=336h", "-q", text, store],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        pytest.fail(f"promtool could not import {openmetrics}:\n{done.stderr[-3000:]}", pytrace=False)


@contextmanager
def _folder(data: Path | None, name: str) -> Iterator[Path]:
    if data is not None:
        data.mkdir(parents=True, exist_ok=True)
        yield data.resolve()
        return
    with tempfile.TemporaryDirectory(prefix=f"sla-kit-{name}-") as folder:
        yield Path(folder).resolve()
