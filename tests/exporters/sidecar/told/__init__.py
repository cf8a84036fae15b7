"""An exporter for tests: its collectors do what its configuration tells them, also what no collector should."""

from __future__ import annotations

import builtins
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sla_kit.configuration.places import Findings
from sla_kit.configuration.secrets import Secret
from sla_kit.configuration.values import Duration, Value
from sla_kit.errors import SlaKitError
from sla_kit.exporters.sidecar.collector import CollectError, Kind, Schedule
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration, read_configuration
from sla_kit.exporters.sidecar.exporter import Exporter, Loaded


class Told(Value, frozen=True, kw_only=True):
    """One collector, and what it does."""

    name: str
    does: Literal["values", "sleep", "hang", "fail", "raise", "query"] = "values"
    value: float = 1.0
    series: int = 1
    seconds: float = 0.0
    kind: Kind = "connect"
    text: str = ""
    error: str = "ValueError"
    secret: Secret | None = None
    url: str = ""
    interval: Duration = 1.0
    #: Long, since what was collected lasts that much longer where a busy machine lets the exporter wait.
    timeout: Duration = 60.0


class ToldConfiguration(SidecarConfiguration, frozen=True, kw_only=True):
    """``diary`` is a file to which services write when they start and stop, ``services`` are their names; one called
    "broken" can't start. ``watch`` are further files. It is read once somebody has opened the pipe ``waits_for``."""

    collectors: list[Told] = []  # noqa: RUF012
    push: bool = False
    services: list[str] = []  # noqa: RUF012
    diary: str = ""
    watch: list[str] = []  # noqa: RUF012
    waits_for: str = ""


@dataclass(frozen=True)
class ToldCollector:
    """Does what it is told."""

    told: Told
    connections: list[Any] = field(default_factory=list, compare=False)

    @property
    def name(self) -> str:
        """Its name."""
        return self.told.name

    @property
    def schedule(self) -> Schedule:
        """Often, so that tests need not wait."""
        return Schedule(self.told.interval, self.told.timeout)

    def collect(self, deadline: float) -> Iterable[Metric]:
        """What it was told to do."""
        told = self.told
        if told.secret is not None:
            told.secret.read()
        if told.does == "sleep":
            time.sleep(told.seconds)
        elif told.does == "hang":
            while True:
                time.sleep(3600)
        elif told.does == "fail":
            raise CollectError(told.kind, told.text or "nobody answers", place="told.example:1")
        elif told.does == "raise":
            error = getattr(builtins, told.error)
            raise error(told.text)
        elif told.does == "query":
            yield from self._queried(deadline)
            return
        gauge = GaugeMetricFamily("told_value", "What was told.", labels=["collector", "number"])
        for number in range(told.series):
            gauge.add_metric([told.name, str(number)], told.value)
        yield gauge
        counter = CounterMetricFamily("told_things", "Things that were told.", labels=["collector"])
        counter.add_metric([told.name], told.value)
        yield counter

    def close(self) -> None:
        """Lets go of its connection."""
        for connection in self.connections:
            connection.close()
        self.connections.clear()

    def _queried(self, deadline: float) -> Iterable[Metric]:
        import psycopg

        try:
            if not self.connections:
                self.connections.append(psycopg.connect(self.told.url, connect_timeout=2, autocommit=True))
            rows = self.connections[0].execute("SELECT n, n * 2 FROM generate_series(1, 200) AS n").fetchall()
        except psycopg.Error as error:
            self.close()
            raise CollectError("connect", str(error).partition("\n")[0]) from None
        gauge = GaugeMetricFamily("told_queried", "What a database said.", labels=["number"])
        for number, value in rows:
            gauge.add_metric([str(number)], value)
        yield gauge


@dataclass(frozen=True)
class ToldService:
    """Writes down when it starts and stops."""

    name: str
    diary: Path

    async def start(self) -> None:
        """Starts, but for a broken one."""
        if self.name == "broken":
            raise SlaKitError("the service is broken", remedy="do not use it")
        self._write("start")

    async def stop(self) -> None:
        """Stops."""
        self._write("stop")

    def _write(self, what: str) -> None:
        with self.diary.open("a") as diary:
            diary.write(f"{what} {self.name}\n")


async def _push(request: Request) -> PlainTextResponse:
    return PlainTextResponse(f"took {len(await request.body())} bytes\n")


async def _break(request: Request) -> PlainTextResponse:
    raise RuntimeError(f"broke with password={request.headers.get('x-secret', '')}")


def _rules(configuration: ToldConfiguration, findings: Findings) -> None:
    for index, told in enumerate(configuration.collectors):
        if told.does == "sleep" and told.seconds <= 0:
            findings.say(("collectors", index, "seconds"), "must be above 0")


def load(path: Path, /, *, before: Loaded | None = None) -> Loaded:
    """Reads the configuration."""
    if os.environ.get("TOLD_LOAD") == "breaks":
        raise RuntimeError("loading broke with password=hunter2hunter2")
    if os.environ.get("TOLD_LOAD") == "lacks":
        raise ModuleNotFoundError("No module named 'redis'", name="redis.asyncio")
    found = read_configuration(path, ToldConfiguration, _rules)
    if found.waits_for:
        with Path(found.waits_for).open() as pipe:
            pipe.read()
    return Loaded(
        found,
        [ToldCollector(told) for told in found.collectors],
        [Route("/push", _push, methods=["POST"]), Route("/break", _break)] if found.push else (),
        [ToldService(name, path.parent / found.diary) for name in found.services],
        [path.parent / each for each in found.watch],
    )


EXPORTER = Exporter("told", "Does what it is told.", 9999, load)
