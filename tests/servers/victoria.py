"""VictoriaMetrics, which speaks Prometheus's API with habits of its own."""

from __future__ import annotations

import gzip
import tempfile
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import Server, binary, running

_IMPORT_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class VictoriaMetrics(Server):
    """A running VictoriaMetrics."""


@contextmanager
def victoria_metrics(
    *, openmetrics: Path | None = None, data: Path | None = None, flags: Sequence[str] = ()
) -> Iterator[VictoriaMetrics]:
    """A VictoriaMetrics that holds the samples of an OpenMetrics file (``.gz`` too), whatever their age."""
    if data is None:
        with (
            tempfile.TemporaryDirectory(prefix="sla-kit-victoria-") as scratch,
            victoria_metrics(openmetrics=openmetrics, data=Path(scratch), flags=flags) as scratched,
        ):
            yield scratched
        return
    program = binary("victoria-metrics", "victoria-metrics")
    folder = data.resolve()

    def command(port: int) -> list[str]:
        return [
            program,
            f"-storageDataPath={folder / 'store'}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=100y",
            "-search.latencyOffset=0s",
            "-search.disableCache",
            *flags,
        ]

    with running(command, data=folder, ready="/health", name="victoria-metrics") as server:
        if openmetrics is not None:
            for part in _in_milliseconds(openmetrics):
                urllib.request.urlopen(f"{server.url}/api/v1/import/prometheus", data=part, timeout=240).close()
            urllib.request.urlopen(f"{server.url}/internal/force_flush", timeout=240).close()
        yield VictoriaMetrics(server.url, server.data, server.log, server.pid)


def _in_milliseconds(openmetrics: Path) -> Iterator[bytes]:
    """The samples in Prometheus's older text format, some megabytes at a time: its timestamps are milliseconds,
    OpenMetrics's are seconds."""
    lines: list[str] = []
    size = 0
    with gzip.open(openmetrics, "rt") if openmetrics.suffix == ".gz" else openmetrics.open() as text:
        for line in text:
            if line.startswith("#") or not line.strip():
                continue
            sample, seconds = line.split(" # {", 1)[0].rstrip().rsplit(" ", 1)
            lines.append(f"{sample} {round(float(seconds) * 1000)}\n")
            size += len(line)
            if size > _IMPORT_BYTES:
                yield "".join(lines).encode()
                lines, size = [], 0
    yield "".join(lines).encode()
