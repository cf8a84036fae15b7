"""What the tests of the ledger's faults share: a small history of four weeks, the shop that it is of, and a ledger's
whole content, to be compared bit for bit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import select

from sla_kit.catalogue.model import Catalogue, Latency, Probe, Requests, Service, Slo, Window
from sla_kit.history import History, HistorySource, Series
from sla_kit.ledger import Closed, Ledger, open_ledger
from sla_kit.ledger.tables import metadata
from sla_kit.simulate import Scenario, simulate
from sla_kit.simulate import scenario as parts
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Grid, Timeline

#: The rows of every table.
Content = dict[str, list[tuple[Any, ...]]]
DAY = 86400
START = 1_788_220_800  # a UTC midnight
DAYS = 26
END = START + DAYS * DAY
STEP = 300
#: Later than any lag and any gap that stays open.
LATER = END + 30 * DAY

CATALOGUE = """\
name: shop
bucket: 5m
services:
  - name: api
    slis:
      requests: {kind: requests, metric: http_requests_total, matchers: {service: api}, bad: {status_code: "=~5.."}}
    slos:
      - {name: availability, sli: requests, objective: 99.8%, window: 7d}
      - name: fast
        objective: 90%
        window: 7d
        sli: {kind: latency, metric: http_request_duration_seconds, matchers: {service: api}, threshold: 100ms}
  - name: web
    slos:
      - name: availability
        objective: 99%
        window: 14d
        sli: {kind: requests, metric: http_requests_total, matchers: {service: web}, bad: {status_code: "=~5.."}}
      - {name: up, objective: 99%, window: 7d, sli: {kind: probe, matchers: {job: web}}}
"""


def shop(**changes: Any) -> Catalogue:
    """The catalogue of the text above, as values."""

    def requests(service: str) -> Requests:
        return Requests(metric="http_requests_total", matchers={"service": service}, bad={"status_code": "=~5.."})

    latency = Latency(metric="http_request_duration_seconds", matchers={"service": "api"}, threshold=0.1)
    week, fortnight = Window(rolling=7.0 * DAY), Window(rolling=14.0 * DAY)
    services = [
        Service(
            name="api",
            slis={"requests": requests("api")},
            slos=[
                Slo(name="availability", sli="requests", objective=0.998, window=week),
                Slo(name="fast", sli=latency, objective=0.9, window=week),
            ],
        ),
        Service(
            name="web",
            slos=[
                Slo(name="availability", sli=requests("web"), objective=0.99, window=fortnight),
                Slo(name="up", sli=Probe(matchers={"job": "web"}), objective=0.99, window=week),
            ],
        ),
    ]
    return Catalogue(**{"name": "shop", "bucket": float(STEP), "services": services, **changes})


def scenario() -> Scenario:
    """Four weeks less two days, with gaps across midnight and across the edge of a block, resets and an outage."""
    edge = (START // (7 * DAY) + 2) * 7 * DAY  # where the ledger cuts blocks
    latency = parts.Latency(median=0.02, p95=0.08, labels={"service": "api"}, bounds=[0.05, 0.1, 0.25])
    api = parts.Workload(
        name="api",
        labels={"service": "api"},
        rps=5,
        error_ratio=0.0005,
        latency=latency,
        pods=2,
        pods_most=3,
        pod_rps=3.0,
        outages=[parts.Outage(start=START + 20 * DAY + 43_200, length=2400, error_ratio=0.4)],
        restarts=[parts.Restart(at=START + 5 * DAY + 1000, pod=0), parts.Restart(at=edge + 400, pod=1)],
    )
    web = parts.Workload(name="web", labels={"service": "web"}, rps=2, error_ratio=0.001)
    return Scenario(
        start=START,
        days=DAYS,
        scrape_interval=60.0,
        services=[api, web],
        probes=[
            parts.ProbeTarget(labels={"job": "web"}, down=[parts.Span(start=START + 3 * DAY + 5000, length=900)]),
        ],
        gaps=[
            parts.Gap(start=START + 8 * DAY - 5 * 3600, length=10 * 3600),  # across midnight
            parts.Gap(start=edge - 1800, length=3600),  # an hour across the edge of a block
            parts.Gap(start=edge + 7 * DAY - 4 * 3600, length=10 * 3600),  # a whole margin on both sides of one
            parts.Gap(start=START + 22 * DAY, length=3600),
        ],
    )


def history() -> HistorySource:
    """The recording of it."""
    return HistorySource(simulate(scenario()).history, "recording")


def asof(source: HistorySource, now: int, missing: tuple[int, int] = (0, 0)) -> HistorySource:
    """The recording as it was at some moment, without the samples of a stretch that came late (epoch seconds)."""
    series: list[Series] = []
    for one in source.history.series:
        seconds = one.times / 1000
        kept = (seconds <= now) & ~((seconds > missing[0]) & (seconds <= missing[1]))
        if kept.any():
            series.append(replace(one, times=one.times[kept], values=one.values[kept]))
    return HistorySource(History(series), source.name)


class Counting:
    """A source that remembers what it was asked for."""

    def __init__(self, source: Source, known: tuple[int, int] | None = None) -> None:
        self._source = source
        self._known = known  # of when it says that it knows anything, epoch seconds
        self.asked: list[tuple[frozenset[tuple[str, str]], Grid]] = []

    @property
    def name(self) -> str:
        return self._source.name

    def span(self) -> tuple[int, int] | None:
        return self._known or self._source.span()

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        self.asked.append((frozenset(one.key for one in indicators), grid))
        return self._source.fetch(indicators, grid, progress)

    def close(self) -> None:
        self._source.close()


def update(address: str, source: Source, until: int = END, **changes: Any) -> Closed:
    """Opens a ledger, brings it up to date and closes it, as `sla-kit ledger update` does."""
    with open_ledger(address) as ledger:
        return ledger.update(shop(**changes), source, until=until, now=LATER)


def content(ledger: Ledger | str) -> Content:
    """Every row of every table, by primary key."""
    if isinstance(ledger, str):
        with open_ledger(ledger, create=False) as opened:
            return content(opened)
    found: Content = {}
    with ledger.store.reading() as connection:
        for table in metadata.sorted_tables:
            rows = connection.execute(select(table).order_by(*table.primary_key.columns))
            found[table.name] = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows]
    return found


def differences(found: Content, expected: Content, *, in_parts: bool = False) -> list[str]:
    """How two ledgers differ, table by table. A ledger that was filled ``in_parts`` holds beside its days what tells
    of the days that were once closed in part."""
    said: list[str] = []
    for table, rows in expected.items():
        more, fewer = set(found[table]) - set(rows), set(rows) - set(found[table])
        if fewer or (more and not (in_parts and table == "mark")):
            said.append(f"{table}: {len(more)} other rows, {len(fewer)} missing, as {[*more, *fewer][0][:5]}")
    return said
