"""Opening what a user names: a source of history from an address, a path or a client, and the moment it is read at."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, cast

from sla_kit.errors import SlaKitError, SourceError
from sla_kit.sources import Source
from sla_kit.sources.many import open_sources

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch
    from prometheus_api_client import PrometheusConnect

    from sla_kit.catalogue.model import Catalogue
    from sla_kit.ledger import Ledger

    #: One source: an address or a path, NAME=ADDRESS for one that the catalogue names, a `Source`, or a user's own
    #: client.
    One: TypeAlias = Source | PrometheusConnect | Elasticsearch | str | Path
    #: What may be given as a source: one, one of metrics and one of logs, or several by the catalogue's names; None
    #: reads the servers that the catalogue names.
    Given: TypeAlias = One | Sequence[One] | None

#: A fresh Prometheus answers for the last scrapes only after a moment; the newest buckets are left to the next run.
SETTLE_SECONDS = 60


@contextmanager
def opened(given: Given, catalogue: Catalogue) -> Iterator[Source]:
    """A source from whatever was given; closed afterwards only if it was opened here. Raises `SourceError`."""
    several = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    read = [str(one) if isinstance(one, str | Path) else _source_of(one) for one in several]
    if len(read) == 1 and not isinstance(read[0], str):
        yield read[0]
        return
    source = open_sources(catalogue, read)
    try:
        yield source
    finally:
        source.close()


def _source_of(given: object) -> Source:
    """A source as it is, or one that asks by a client of the user's own."""
    if isinstance(given, Source):
        return given
    if type(given).__name__ == "PrometheusConnect" or hasattr(given, "custom_query_range"):
        from sla_kit.sources.prometheus import PrometheusSource

        return PrometheusSource(cast("PrometheusConnect", given))
    if type(given).__name__ == "Elasticsearch" or hasattr(given, "msearch"):
        from sla_kit.sources.elasticsearch import ElasticsearchSource

        return ElasticsearchSource(cast("Elasticsearch", given))
    raise SourceError(
        f"a {type(given).__name__} is no source",
        remedy="give an address, a path, a Source, a PrometheusConnect or an Elasticsearch",
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
