"""One collection: close what has grown old enough, read what is younger, judge, forecast, publish."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast, get_args

from prometheus_client.metrics_core import Metric
from stamina import instrumentation

from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.engine.context import grid_for
from sla_kit.engine.needed import needed_for
from sla_kit.errors import LedgerError, SlaKitError, SourceError
from sla_kit.exporters.sidecar.collector import CollectError, Collector, Kind, Schedule
from sla_kit.exporters.slo.configuration import Forecasting
from sla_kit.exporters.slo.forecasts import Forecasts
from sla_kit.exporters.slo.judging import Asking, judged
from sla_kit.exporters.slo.keeping import Kept
from sla_kit.exporters.slo.publishing import Published
from sla_kit.exporters.slo.refusals import Refusals
from sla_kit.ledger import Ledger
from sla_kit.opening import SETTLE_SECONDS, moment
from sla_kit.sources import Indicator, Source
from sla_kit.sources.many import open_sources

_log = logging.getLogger(__name__)
_DAY = 86400
Key = tuple[str, str]
#: Buckets are closed by the hour: to close each as it comes would write every row anew each time.
_CLOSING_SECONDS = 3600
#: The share of a collection's time that forecasts may take.
_FORECAST_SHARE = 0.25


class _Reading:
    """What a collector remembers from one collection to the next."""

    def __init__(self) -> None:
        self.source: Source | None = None
        self.closed: tuple[Ledger, frozenset[Key], int, int] | None = None  # what, from and to, epoch seconds
        self.refusals = Refusals()
        self.forecasts = Forecasts()


@dataclass(frozen=True, slots=True)
class PromiseCollector:
    """Judges the SLOs of a catalogue whose history is in the same place.

    ``catalogue`` is one without what is not published; ``chosen`` are the SLOs by service and name; ``addresses`` are
    what `sla_kit.sources.many.open_sources` is given, None to read the ledger alone. Unless ``closing``, nothing is
    written to the ledger.
    """

    name: str
    schedule: Schedule
    catalogue: Catalogue
    chosen: tuple[tuple[str, str], ...]
    addresses: tuple[str, ...] | None
    windows: tuple[str, ...]
    forecasting: Forecasting
    kept: Kept
    clock: Callable[[], float] = field(default=time.time, compare=False, repr=False)
    closing: bool = True
    _reading: _Reading = field(default_factory=_Reading, compare=False, repr=False)

    def collect(self, deadline: float) -> Iterable[Metric]:
        """Every figure as it is now. Raises `CollectError`; what was read before it gave up is not read again."""
        try:
            return self._collect(deadline)
        except SourceError as error:
            self._let_go()  # secrets may have been replaced
            kind = cast(Kind, error.kind) if error.kind in get_args(Kind) else "data"
            raise CollectError(kind, error.message, place=error.place, remedy=error.remedy) from error
        except LedgerError as error:
            raise CollectError("data", error.message, place=error.place, remedy=error.remedy) from error
        except CollectError:
            raise
        except SlaKitError as error:
            raise CollectError("query", error.message, place=error.place, remedy=error.remedy) from error

    def close(self) -> None:
        """Lets go of the source; what is kept stays, for the collector that may follow."""
        self._let_go()

    def rehearsing(self) -> Collector:
        """As `Keeping` has it: one that writes nothing to a ledger, and leaves no temporary one."""
        address = self.kept.address
        there = "://" in address or Path(address).exists()
        return _Rehearsed(replace(self, kept=Kept(address if there else ""), closing=False, _reading=_Reading()))

    def _collect(self, deadline: float) -> list[Metric]:
        began = time.monotonic()
        catalogue, reading, bucket = self.catalogue, self._reading, int(self.catalogue.bucket)
        ledger, live = self.kept.ledger(), self._live(deadline)
        now = int(self.clock()) - SETTLE_SECONDS
        source = ledger.source(catalogue, live)
        at = moment(source, None if source.span() else now, bucket) // bucket * bucket
        mine = set(self.chosen)
        chosen = [one for one in catalogue.slos() if (one[0].name, one[1].name) in mine]
        asked = reading.refusals.without(catalogue, chosen)
        asking = Asking(catalogue, asked, at, self.windows, ledger.exclusions(catalogue))
        context = asking.context()
        until = _Until(deadline)
        since = min(grid_for(context).start, at - int(self.forecasting.history) if self.forecasting.on else at)
        since = since // _DAY * _DAY
        try:
            if live is not None and self.closing:
                self._close_buckets(ledger, live, asked, since, at, max(now, at), until)
            found = judged(asking, context, source, until)
        except SourceError as error:
            if error.kind != "query" or live is None or not reading.refusals.found(live, catalogue, asked, at, until):
                raise
            return self._collect(deadline)  # without those that are refused
        self.kept.forget(since - _DAY)
        if self.forecasting.on:
            left = deadline - time.monotonic()
            end = time.monotonic() + min(_FORECAST_SHARE * (deadline - began), left / 2)
            told = self.forecasting
            reading.forecasts.refresh(catalogue, source, asked, at, told, later=asking.later, until=end)
        published = Published()
        known = {(service.name, slo.name) for service, slo in asked}
        outlooks = reading.forecasts.outlooks() if self.forecasting.on else {}
        for service, slo in chosen:
            key = (service.name, slo.name)
            published.promised(catalogue, service, slo, readable=key in known)
            if key in known and key in outlooks:
                published.expected(outlooks[key], slo)
        for one in found:
            published.judged(catalogue, one)
        published.evaluated(self.name, at)
        return published.metrics()

    def _live(self, deadline: float) -> Source | None:
        """The source, opened when it is first needed, with an end to its patience."""
        if self.addresses is None:
            return None
        reading = self._reading
        if reading.source is None:
            # As lines of the exporter's own log, whatever else is installed.
            instrumentation.set_on_retry_hooks([instrumentation.LoggingOnRetryHook])
            reading.source = open_sources(self.catalogue, self.addresses)
        if hasattr(reading.source, "give_up_at"):
            reading.source.give_up_at(deadline)
        return self.kept.lean(reading.source)

    def _close_buckets(
        self,
        ledger: Ledger,
        live: Source,
        asked: Sequence[tuple[Service, Slo]],
        since: int,
        at: int,
        now: int,
        until: _Until,
    ) -> None:
        """Closes what is old enough by now, unless that was done before. ``now`` is when the source knows all of."""
        lag = int(self.catalogue.ledger.lag)
        end = (at - lag) // _CLOSING_SECONDS * _CLOSING_SECONDS
        only = frozenset(Indicator.of(self.catalogue, *one).key for one in needed_for(self.catalogue, asked).measured)
        if (ledger, only, since, end) == self._reading.closed:
            return
        until.doing = "the history of the SLOs is read and kept"
        ledger.close_buckets(self.catalogue, live, since=since, until=end, now=now, progress=until, only=only)
        until.doing = ""
        self._reading.closed = (ledger, only, since, end)

    def _let_go(self) -> None:
        source, self._reading.source = self._reading.source, None
        if source is not None:
            with suppress(SlaKitError, OSError):
                source.close()


@dataclass(frozen=True, slots=True)
class _Rehearsed:
    """Collects once."""

    collector: PromiseCollector

    @property
    def name(self) -> str:
        return self.collector.name

    @property
    def schedule(self) -> Schedule:
        return self.collector.schedule

    def collect(self, deadline: float) -> Iterable[Metric]:
        try:
            return self.collector.collect(deadline)
        finally:
            self.close()

    def close(self) -> None:
        self.collector.close()
        self.collector.kept.close()


class _Until:
    """A progress that ends what reports it when its time has come."""

    def __init__(self, deadline: float) -> None:
        self.doing = ""
        self._deadline = deadline

    def __call__(self, done: int, total: int, what: str) -> None:
        if time.monotonic() > self._deadline:
            if self.doing:
                share = done / total if total else 0.0
                raise CollectError(
                    "timeout",
                    f"{self.doing}: {share:.0%} of what was left when this collection began",
                    remedy="the next one goes on from there; give a longer timeout where they never come to an end",
                )
            raise CollectError("timeout", "the SLOs were not all read in time", remedy="give a longer timeout")
