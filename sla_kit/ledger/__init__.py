"""The ledger: closed buckets kept for years, corrections that are only ever added, and proof of what reports said.

>>> from sla_kit.ledger import open_ledger
>>> with open_ledger("ledger.db") as ledger:                 # doctest: +SKIP
...     ledger.update(catalogue, "http://localhost:9090")    # reads and closes what is new
...     sla_kit.evaluate(catalogue, "http://localhost:9090", "quarter", ledger=ledger)

A day of one indicator is one row. Rows and everything else lie in SQLite (one file) or PostgreSQL (by its URL).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from types import TracebackType

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue
from sla_kit.engine.windows import DAY, nominal_seconds
from sla_kit.error_tracking.results import ErrorState, Status
from sla_kit.errors import LedgerError
from sla_kit.ledger import corrections as correcting
from sla_kit.ledger import error_states as saying
from sla_kit.ledger import responses as responding
from sla_kit.ledger.closing import Closed, Wanted, close_buckets
from sla_kit.ledger.corrections import Correction
from sla_kit.ledger.extents import first_gaps, newest_correction
from sla_kit.ledger.identity import Identity, indicators_of
from sla_kit.ledger.reading import LedgerSource
from sla_kit.ledger.store import Store, open_store
from sla_kit.routing.delivering import Response
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.sources.indicators import summed_alone

__all__ = ["Closed", "Correction", "Ledger", "LedgerError", "LedgerSource", "open_ledger"]


class Ledger:
    """An open ledger. What it does is in the modules beside this one; this is their common face."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"Ledger({self.name!r})"

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def name(self) -> str:
        """Its path, or its URL without the password."""
        return self.store.name

    def close(self) -> None:
        """Lets go of the database."""
        self.store.close()

    # --- buckets ----------------------------------------------------------------------------------------------------

    def close_buckets(
        self,
        catalogue: Catalogue,
        source: Source,
        *,
        since: int,
        until: int,
        now: int,
        progress: Progress = no_progress,
        only: frozenset[tuple[str, str]] | None = None,
    ) -> Closed:
        """Reads the buckets of every indicator of a catalogue (or of those with a key of ``only``) from ``since`` on
        that the ledger lacks, and closes those that end at or before ``until`` and are older than the catalogue's lag
        at ``now``; all in epoch seconds.

        May be stopped at any instant, and run again or beside another run. Raises `SourceError` and `LedgerError`;
        what was committed before stays.
        """
        step = int(catalogue.bucket)
        until, known = _closable(catalogue, source, until, now)
        indicators = [one for one in summed_alone(indicators_of(catalogue)) if only is None or one.key in only]
        wanted = [
            Wanted(identity.id, identity, one) for one in indicators for identity in [Identity.of(catalogue, one)]
        ]
        return close_buckets(
            self.store, source, wanted, step=step, since=since, until=until, now=known, progress=progress
        )

    def update(
        self,
        catalogue: Catalogue,
        source: Source,
        *,
        since: int | None = None,
        until: int,
        now: int,
        progress: Progress = no_progress,
    ) -> Closed:
        """Closes what is new. Without ``since`` each indicator goes on where its rows first end, and one without begins
        as far back as a recording goes, or the catalogue's longest window; else as `close_buckets`."""
        if since is not None:
            closed = self.close_buckets(catalogue, source, since=since, until=until, now=now, progress=progress)
            self._sum_days(catalogue, since, until)
            return closed
        until, _ = _closable(catalogue, source, until, now)
        span = source.span()
        if span is None:
            oldest = until - max((nominal_seconds(slo.window) for _, slo in catalogue.slos()), default=0)
        else:
            oldest = span[0]
        ends = self._ends(catalogue)
        begin: dict[int, set[tuple[str, str]]] = {}
        for key, end in ends.items():
            begin.setdefault(oldest if end is None else end, set()).add(key)
        closed = Closed(0, 0, 0, until)
        for start, keys in sorted(begin.items()):
            one = self.close_buckets(
                catalogue, source, since=start, until=until, now=now, progress=progress, only=frozenset(keys)
            )
            closed = Closed(
                closed.rows + one.rows, closed.buckets + one.buckets, closed.indicators + one.indicators, one.until
            )
        self._sum_days(catalogue, min(begin, default=until), until)
        return closed

    def _sum_days(self, catalogue: Catalogue, since: int, until: int) -> None:
        """Sums the new days now, so that a report over a year need not."""
        from sla_kit.ledger.days import Asked, sum_days

        identities = self.identities(catalogue)
        asked = [
            Asked.of(service, slo, catalogue.sli(service, slo), identities[key])
            for service, slo in catalogue.slos()
            for key in [Indicator.of(catalogue, service, slo).key]
            if key in identities
        ]
        sum_days(self.store, asked, int(catalogue.bucket), since // DAY * DAY, until)

    def _ends(self, catalogue: Catalogue) -> dict[tuple[str, str], int | None]:
        """Where each indicator's closed buckets first end (epoch seconds), None where it has none."""
        identities = self.identities(catalogue)
        with self.store.reading() as connection:
            last = first_gaps(connection, [one.id for one in identities.values()], int(catalogue.bucket))
        return {key: last.get(one.id) for key, one in identities.items()}

    def source(
        self,
        catalogue: Catalogue,
        live: Source | None = None,
        until_correction: int | None = None,
        *,
        distrust: bool = False,
    ) -> LedgerSource:
        """The ledger as a source of a catalogue's history; ``live`` tells what is not closed yet. With
        ``until_correction`` the rows are those of that time; with ``distrust`` the digests of rows are made anew."""
        return LedgerSource(self.store, self.identities(catalogue), live, until_correction, distrust)

    def identities(self, catalogue: Catalogue) -> dict[tuple[str, str], Identity]:
        """The identity of every indicator of a catalogue, by (service, name)."""
        return {one.key: Identity.of(catalogue, one) for one in indicators_of(catalogue)}

    # --- responses --------------------------------------------------------------------------------------------------

    def record(self, response: Response) -> bool:
        """Appends how an incident was responded to; returns whether it was not there already."""
        with self.store.writing() as connection:
            return responding.append(connection, response)

    def responses(
        self,
        since: float = -math.inf,
        until: float = math.inf,
        *,
        severity: str = "",
        team: str = "",
        until_record: int | None = None,
    ) -> list[Response]:
        """How incidents were responded to that opened at or after ``since`` and before ``until`` (epoch seconds), by
        what was recorded up to the number ``until_record``."""
        with self.store.reading() as connection:
            return responding.responses(
                connection, since, until, severity=severity, team=team, until_record=until_record
            )

    def newest_response(self) -> int:
        """The number of the last response that was recorded, 0 where there is none."""
        with self.store.reading() as connection:
            return responding.newest(connection)

    # --- errors -----------------------------------------------------------------------------------------------------

    def say_of_error(
        self,
        service: str,
        key: str,
        *,
        status: Status | None = None,
        owner: str | None = None,
        release: str = "",
        note: str = "",
        by: str = "",
        at: float | None = None,
        environment: str = "",
    ) -> ErrorState:
        """Appends what somebody says of a group of errors, and returns how it stands then. None leaves ``status`` or
        ``owner`` as they are; ``at`` is epoch seconds, now where it is None. Raises `LedgerError`."""
        said = saying.saying(
            service, key, environment=environment, status=status, owner=owner, release=release, note=note, by=by, at=at
        )
        with self.store.writing() as connection:
            saying.append(connection, said)
            return saying.states(saying.sayings(connection, environment, service=service, key=key))[service, key]

    def error_states(self, environment: str = "") -> dict[tuple[str, str], ErrorState]:
        """How the groups of errors stand of which anything was said in an environment, by (service, key)."""
        return saying.states(self.said_of_errors(environment))

    def said_of_errors(self, environment: str = "", *, service: str = "", key: str = "") -> list[saying.Saying]:
        """All that was said of groups of errors, or of one service's or one group's, the oldest first."""
        with self.store.reading() as connection:
            return saying.sayings(connection, environment, service=service, key=key)

    # --- corrections ------------------------------------------------------------------------------------------------

    def corrections(self, until: int | None = None) -> list[Correction]:
        """All corrections in their order, or those up to a number."""
        with self.store.reading() as connection:
            return correcting.corrections(connection, until)

    def newest_correction(self) -> int:
        """The number of the last correction, 0 where there is none."""
        with self.store.reading() as connection:
            return newest_correction(connection)

    def exclusions(self, catalogue: Catalogue, until_correction: int | None = None) -> list[Interval]:
        """The exclusions that corrections have added to a catalogue, in order of time."""
        chain = self.corrections(until_correction)
        return correcting.exclusions(chain, catalogue.name, catalogue.environment)

    def exclude(
        self,
        catalogue: Catalogue,
        start: int,
        end: int,
        *,
        author: str,
        reason: str,
        services: Sequence[str] = (),
        name: str = "",
        made_at: datetime | None = None,
    ) -> Correction:
        """Appends an exclusion: buckets from ``start`` to ``end`` (epoch seconds) of some services, of all where none
        is named, no longer count. Every earlier figure can still be computed."""
        known = {service.name for service in catalogue.services}
        for service in services:
            if service not in known:
                raise LedgerError(
                    f"the catalogue has no service {service!r}", remedy=f"the services are {', '.join(sorted(known))}"
                )
        if end <= start:
            raise LedgerError("the exclusion ends before it starts", remedy="swap --start and --end")
        content = {"start": start, "end": end, "services": list(services), "name": name}
        return self._append(catalogue, "exclusion", author, reason, content, made_at)

    def withdraw(
        self, catalogue: Catalogue, number: int, *, author: str, reason: str, made_at: datetime | None = None
    ) -> Correction:
        """Appends that an exclusion no longer counts."""
        found = [one for one in self.corrections() if one.number == number]
        if not found or found[0].kind != "exclusion":
            raise LedgerError(f"correction {number} is no exclusion", remedy="`sla-kit ledger list` shows them")
        if (found[0].catalogue, found[0].environment) != (catalogue.name, catalogue.environment):
            raise LedgerError(f"correction {number} belongs to another catalogue or environment")
        return self._append(catalogue, "withdrawal", author, reason, {"number": number}, made_at)

    def _append(
        self,
        catalogue: Catalogue,
        kind: correcting.Kind,
        author: str,
        reason: str,
        content: dict[str, object],
        made_at: datetime | None,
    ) -> Correction:
        with self.store.writing() as connection:
            return correcting.append(
                connection,
                catalogue=catalogue.name,
                environment=catalogue.environment,
                kind=kind,
                author=author,
                reason=reason,
                content=content,
                made_at=made_at,
            )


def _closable(catalogue: Catalogue, source: Source, until: int, now: int) -> tuple[int, int]:
    """Until when buckets may be closed, and until when the source knows anything."""
    until, span = min(until, now - int(catalogue.ledger.lag)), source.span()
    if span is None:
        return until, now
    bucket = int(catalogue.bucket)
    known = min(now, -(-span[1] // bucket) * bucket)  # the bucket that holds a recording's last sample is known
    return min(until, known), known


def open_ledger(address: str, *, create: bool = True, patience_seconds: float | None = None) -> Ledger:
    """The ledger at a path, or at ``sqlite:///…`` or ``postgresql://…``; made where it is missing unless ``create`` is
    false. ``patience_seconds`` as of `open_store`. Raises `LedgerError`."""
    return Ledger(open_store(address, create=create, patience_seconds=patience_seconds))
