"""From a catalogue, and the sources that a user names, to the errors of a window: which cluster is asked, what people
said of groups before, and which incidents there were."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from sla_kit.elastic.settings import SCHEME
from sla_kit.error_tracking.results import ErrorReport, IncidentLink
from sla_kit.errors import SlaKitError, SourceError
from sla_kit.opening import opened_ledger
from sla_kit.sources import Progress, no_progress
from sla_kit.timeline import Finding

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from sla_kit.catalogue.model import Catalogue
    from sla_kit.elastic.cluster import Cluster
    from sla_kit.engine.results import Evaluation
    from sla_kit.ledger import Ledger
    from sla_kit.opening import Given

#: The finding of a report whose errors could not be read.
UNREAD = "errors-unread"
#: Incidents that opened so long before a window, in seconds, may still touch it.
_LONG_BEFORE = 30 * 86400.0


def log_server(catalogue: Catalogue, given: Given | Cluster = None, *, instead: bool = False) -> tuple[str, str]:
    """The address of the cluster that holds a catalogue's logs, and the name that the catalogue gives it; both empty
    where there is none.

    ``given`` is what a user names as sources: an address that begins with ``elasticsearch+``, or NAME=ADDRESS of a
    source of the catalogue. Without one of these the catalogue's is meant; where only other sources are given without
    a name these stand for all of the catalogue's, unless ``instead`` says that the catalogue's is meant then too.
    """
    servers = {server.name: server for server in catalogue.sources}
    named: dict[str, str] = {}
    plain: list[object] = []
    for one in _several(given):
        name, equals, address = one.partition("=") if isinstance(one, str) else ("", "", "")
        if equals and name in servers:
            if servers[name].holds_logs or address.startswith(SCHEME):
                named[name] = address
        else:
            plain.append(one)
    logs = [text for text in plain if isinstance(text, str) and text.startswith(SCHEME)]
    if logs:
        return logs[0], ""
    addresses = named
    if not plain or instead:
        addresses = {
            server.name: server.url for server in catalogue.sources if server.holds_logs and server.url
        } | named
    chosen = catalogue.logs.source if catalogue.logs.source in addresses else next(iter(addresses), "")
    return addresses.get(chosen, ""), chosen


def track_errors(
    catalogue: Catalogue,
    given: Given | Cluster = None,
    start: float | None = None,
    end: float | None = None,
    *,
    services: Sequence[str] = (),
    ledger: Ledger | str | Path | None = None,
    incidents: Sequence[IncidentLink] = (),
    exact: bool | None = None,
    sample: int = 10_000,
    groups: int | None = None,
    progress: Progress = no_progress,
) -> ErrorReport:
    """The errors of a catalogue's services (or of some) from ``start`` to ``end``, epoch seconds; the last seven days
    where they are None.

    ``given`` is a source as `log_server` takes it, a `Cluster` or a user's own ``Elasticsearch``. A ``ledger`` (a path,
    a URL or an open one) says what people said of groups, and which incidents there were beside ``incidents``.
    ``exact``, ``sample`` and ``groups`` are as of `sla_kit.error_tracking.track`. Raises `SourceError` where no cluster
    is named or it does not answer.
    """
    from sla_kit.error_tracking.tracking import track

    end = time.time() if end is None else end
    start = end - 7 * 86400.0 if start is None else start
    with opened_ledger(ledger) as kept:
        states = {} if kept is None else kept.error_states(catalogue.environment)
        told = list(incidents) + ([] if kept is None else incidents_of(kept, start, end))
    with opened_logs(catalogue, given) as cluster:
        found = track(
            cluster,
            catalogue,
            start,
            end,
            services=services,
            states=states,
            incidents=told,
            exact=exact,
            sample=sample,
            groups=groups,
            progress=progress,
        )
    return replace(found, services=tuple(services))


@contextmanager
def opened_logs(catalogue: Catalogue, given: Given | Cluster = None) -> Iterator[Cluster]:
    """The cluster that holds a catalogue's logs: a client or a source that is given, or one that is opened here and
    closed afterwards. Raises `SourceError` where none is named."""
    from sla_kit.elastic import Cluster, open_cluster

    for one in _several(given):
        if isinstance(one, Cluster):
            yield one
            return
        if isinstance(cluster := getattr(one, "cluster", None), Cluster):  # a source of logs
            yield cluster
            return
        if hasattr(one, "msearch"):  # a user's own client
            yield Cluster(cast("Elasticsearch", one))
            return
    address, name = log_server(catalogue, given, instead=True)
    if not address:
        raise no_logs()
    with closing(open_cluster(address if address.startswith(SCHEME) else f"{SCHEME}{address}", name)) as opened:
        yield opened


def no_logs() -> SourceError:
    """That no cluster is named."""
    return SourceError(
        "it is not said where the logs are",
        remedy="give --source elasticsearch+https://host:9200, or name a server of `type: elasticsearch` under sources",
    )


def with_errors(
    evaluation: Evaluation,
    catalogue: Catalogue,
    given: Given = None,
    *,
    services: Sequence[str] = (),
    ledger: Ledger | str | Path | None = None,
    progress: Progress = no_progress,
) -> Evaluation:
    """An evaluation with the errors of its window, linked to its incidents. What keeps them from being read is a
    finding: the figures stand without them."""
    links = [
        IncidentLink(f"{one.service} / {one.slo}", float(one.start), one.recovered, one.service)
        for one in evaluation.incidents
    ]
    window = evaluation.window
    try:
        found = track_errors(
            catalogue,
            given,
            window.start,
            window.end,
            services=services,
            ledger=ledger,
            incidents=links,
            progress=progress,
        )
    except SlaKitError as error:
        finding = Finding(UNREAD, f"errors could not be tracked: {error.message}", 1, window.start, window.end)
        return replace(evaluation, findings=(*evaluation.findings, finding))
    return replace(evaluation, errors=found)


def incidents_of(ledger: Ledger, start: float, end: float) -> list[IncidentLink]:
    """The incidents of a ledger's responses that touched a window."""
    return [
        IncidentLink(one.title, one.opened_at, one.resolved_at, one.labels.get("service", ""))
        for one in ledger.responses(start - _LONG_BEFORE, end)
        if one.resolved_at is None or one.resolved_at > start
    ]


def _several(given: object) -> list[object]:
    several = [] if given is None else list(given) if isinstance(given, list | tuple) else [given]
    return [str(one) if isinstance(one, str | Path) else one for one in several]
