"""Several servers or tenants read as one source, side by side, with a bounded number of connections."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from sla_kit.catalogue.model import Composite, Recovery
from sla_kit.errors import MissingExtraError, SourceError
from sla_kit.sources import Indicator, Progress, Source, no_progress, open_source
from sla_kit.sources.beside import side_by_side
from sla_kit.sources.kinds import MetricsAndLogs, are_logs, unanswered

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue, Server
    from sla_kit.timeline import Grid, Timeline

#: Requests under way at the same time, to all servers together.
CONNECTIONS = 8


class ManySources:
    """Sources by the names that a catalogue gives them; an indicator is read from the one that it names."""

    def __init__(self, sources: Mapping[str, Source], connections: int = CONNECTIONS) -> None:
        self.sources = dict(sources)
        self._side_by_side = max(1, min(len(self.sources), connections))

    @property
    def name(self) -> str:
        """The addresses without secrets."""
        return ", ".join(f"{name}={source.name}" for name, source in self.sources.items())

    def span(self) -> tuple[int, int] | None:
        """The time that all of them know, where all know it cheaply."""
        spans = [source.span() for source in self.sources.values()]
        known = [span for span in spans if span is not None]
        if not known or len(known) < len(spans):
            return None
        return max(span[0] for span in known), min(span[1] for span in known)

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline, as the servers answer; nothing is known of one for which the catalogue has
        no server. The first error of any ends the reading."""
        asked: dict[str, list[Indicator]] = {}
        for indicator in indicators:
            asked.setdefault(indicator.source, []).append(indicator)
        if "" not in self.sources:
            for indicator in asked.pop("", []):
                yield indicator, unanswered(indicator, grid)
        unknown = [name for name in asked if name not in self.sources]
        if unknown:
            raise SourceError(
                f"no source is called {unknown[0]!r}", remedy=f"the sources are {', '.join(self.sources) or 'none'}"
            )
        if len(asked) == 1:
            name, wanted = asked.popitem()
            yield from self.sources[name].fetch(wanted, grid, progress)
        elif asked:
            work = [(self.sources[name], wanted) for name, wanted in asked.items()]
            yield from side_by_side(work, grid, progress, self._side_by_side)

    def give_up_at(self, until: float) -> None:
        """Has reading end by then (of `time.monotonic`), of those sources that wait for somebody."""
        for source in self.sources.values():
            if hasattr(source, "give_up_at"):
                source.give_up_at(until)

    def close(self) -> None:
        """Closes all of them."""
        with ExitStack() as stack:
            for source in self.sources.values():
                stack.callback(source.close)


def open_sources(catalogue: Catalogue, given: Sequence[str | Source] = ()) -> Source:
    """The source of a catalogue's history: what the command line gives, else the servers that the catalogue names.

    ``given`` are addresses or paths, or sources that are open already. ``NAME=ADDRESS`` stands for one of the
    catalogue's sources; an address without a name for all of them that hold the same: one of metrics and one of logs
    may be given together, and what is asked of the kind that is not given is unread. Raises `SourceError` where
    something has no address.
    """
    named, plain = _told_apart(catalogue, given)
    by_kind: dict[bool, str | Source] = {}
    for one in plain:
        logs = _names_logs(one)
        if logs in by_kind:
            what = " of logs" if logs else " of metrics" if any(_names_logs(each) for each in plain) else ""
            raise SourceError(
                f"several sources{what} are given without saying which is which",
                remedy="write --source NAME=ADDRESS, with the names that the catalogue gives under sources",
            )
        by_kind[logs] = one
    if not plain and not catalogue.sources:
        raise SourceError(
            "it is not said where the history is",
            remedy="give --source (http://host:9090, or the path of a recording), or name servers under sources",
        )
    if not plain:
        return _servers(catalogue, {server.name: server.url for server in catalogue.sources if server.url} | named)
    beside = {
        logs: [server.name for server in catalogue.sources if server.holds_logs is logs and server.name in named]
        for logs in (False, True)
        if logs not in by_kind
    }
    opened: dict[bool, Source] = {}
    with ExitStack() as stack:
        for logs, one in by_kind.items():
            opened[logs] = open_source(one) if isinstance(one, str) else one
            if isinstance(one, str):
                stack.callback(opened[logs].close)
        for logs, names in beside.items():
            if names:
                opened[logs] = _servers(catalogue, named, logs)
                stack.callback(opened[logs].close)
        if len(opened) == 1:
            [(logs, only)] = opened.items()
            if isinstance(by_kind[logs], str):
                stack.pop_all()
                return only
        return MetricsAndLogs(opened.get(False), opened.get(True), stack.pop_all().close)


def _names_logs(given: str | Source) -> bool:
    return given.startswith("elasticsearch+") if isinstance(given, str) else are_logs(given)


def _told_apart(catalogue: Catalogue, given: Sequence[str | Source]) -> tuple[dict[str, str], list[str | Source]]:
    """The addresses of the catalogue's sources by their names, and those without a name."""
    from sla_kit.configuration.places import nearest

    names = [server.name for server in catalogue.sources]
    named: dict[str, str] = {}
    plain: list[str | Source] = []
    for one in given:
        if not isinstance(one, str):
            plain.append(one)
            continue
        name, equals, address = one.partition("=")
        if equals and name in names:
            named[name] = address
        elif not equals or "/" in name or not names:  # an address or a path may hold an equals sign, too
            plain.append(one)
        else:
            raise SourceError(
                f"the catalogue has no source {name!r}", remedy=nearest(name, names) or "name one of them"
            )
    return named, plain


def _servers(catalogue: Catalogue, addresses: Mapping[str, str], logs: bool | None = None) -> ManySources:
    """The servers that the catalogue's SLOs ask, of one kind where that is said."""
    used = dict.fromkeys(
        name
        for service, slo in catalogue.slos()
        for sli in [catalogue.sli(service, slo)]
        if not isinstance(sli, Recovery | Composite) and logs in (None, catalogue.of_logs(sli))
        for name in [catalogue.source(service, slo)]
        if name
    )
    missing = [name for name in used if name not in addresses]
    servers = {server.name: server for server in catalogue.sources}
    if missing:
        write = "elasticsearch+http://host:9200" if servers[missing[0]].holds_logs else "http://host:9090"
        raise SourceError(
            f"the source {missing[0]!r} has no address",
            remedy=f"give it a url in the catalogue, or --source {missing[0]}={write}",
        )
    each = max(1, min(4, CONNECTIONS // max(1, len(used))))
    with ExitStack() as stack:
        opened: dict[str, Source] = {}
        for name in used:
            opened[name] = _opened(servers[name], addresses[name], each)
            stack.callback(opened[name].close)
        stack.pop_all()
    return ManySources(opened)


def _opened(server: Server, address: str, connections: int) -> Source:
    if address.startswith("elasticsearch+") or (server.holds_logs and "://" in address):
        return _elasticsearch(address, server.name)
    if not address.startswith(("http://", "https://")):
        return open_source(address)
    from sla_kit.sources.prometheus import PrometheusSource
    from sla_kit.sources.settings import Settings

    settings = Settings.from_environment(os.environ, server.name, server.tenant)
    return PrometheusSource(address, settings, connections=connections)


def _elasticsearch(address: str, name: str) -> Source:
    try:
        from sla_kit.elastic.settings import ClusterSettings
        from sla_kit.sources.elasticsearch import ElasticsearchSource
    except ModuleNotFoundError as error:
        raise MissingExtraError("reading logs", error.name or "?", "report,elasticsearch") from error
    return ElasticsearchSource(address, ClusterSettings.from_environment(os.environ, name))
