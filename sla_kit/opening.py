"""Opening what a user names: a source of history from an address, a path or a client, and the moment it is read at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from sla_kit.errors import SlaKitError, SourceError
from sla_kit.sources import Source
from sla_kit.sources.many import open_sources

if TYPE_CHECKING:
    from prometheus_api_client import PrometheusConnect

    from sla_kit.catalogue.model import Catalogue
    from sla_kit.ledger import Ledger

    #: What may be given as a source: an address or a path, several of them as NAME=ADDRESS for the sources that the
    #: catalogue names, a `Source`, or a user's own client; None reads the servers that the catalogue names.
    Given: TypeAlias = Source | PrometheusConnect | str | Path | Sequence[str] | None

#: A fresh Prometheus answers for the last scrapes only after a moment; the newest buckets are left to the next run.
SETTLE_SECONDS = 60


@contextmanager
def opened(given: Given, catalogue: Catalogue) -> Iterator[Source]:
    """A source from whatever was given; closed afterwards only if it was opened here. Raises `SourceError`."""
    if given is None or isinstance(given, str | Path | list | tuple):
        several: Sequence[str | Path] = [] if given is None else [given] if isinstance(given, str | Path) else given
        texts = [str(one) for one in several]
        source = open_sources(catalogue, texts)
        try:
            yield source
        finally:
            source.close()
    elif isinstance(given, Source):
        yield given
    elif type(given).__name__ == "PrometheusConnect" or hasattr(given, "custom_query_range"):
        from sla_kit.sources.prometheus import PrometheusSource

        yield PrometheusSource(given)
    else:
        raise SourceError(
            f"a {type(given).__name__} is no source", remedy="give an address, a path, a Source or a PrometheusConnect"
        )


@contextmanager
def opened_ledger(ledger: Ledger | str | Path | None) -> Iterator[Ledger | None]:
    """A ledger from its path or URL; closed afterwards only if it was opened here."""
    if isinstance(ledger, str | Path):
        from sla_kit.ledger import open_ledger

        with open_ledger(str(ledger)) as kept:
            yield kept
    else:
        yield ledger


@contextmanager
def live_source(source: Given, catalogue: Catalogue, kept: Ledger | None) -> Iterator[Source | None]:
    """The source that is given, or that the catalogue names; None where there is but a ledger. Raises `SourceError`."""
    if source is None and kept is not None and not any(server.url for server in catalogue.sources):
        yield None
        return
    with opened(source, catalogue) as live:
        yield live


def moment(source: Source, at: datetime | float | None, bucket: int) -> int:
    """The time to look back from, epoch seconds: the one given, the end of a recorded history, or a minute ago.
    Raises `SlaKitError` for a time without a zone."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise SlaKitError(f"the time {at.isoformat()} has no time zone", remedy="give it one, such as UTC")
        return int(at.timestamp())
    if at is not None:
        return int(at)
    span = source.span()
    if span is not None:
        return -(-span[1] // bucket) * bucket  # the bucket that holds the last sample counts
    return int(time.time()) - SETTLE_SECONDS
