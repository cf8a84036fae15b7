"""Several servers or tenants read as one source, side by side, with a bounded number of connections."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sla_kit.errors import SourceError
from sla_kit.sources import Indicator, Progress, Source, no_progress, open_source

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.timeline import Grid, Timeline

#: Requests under way at the same time, to all servers together.
CONNECTIONS = 8
#: Timelines that wait to be judged; a server that is ahead of the engine waits then.
_AHEAD = 16


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
        """Each indicator with its timeline, as the servers answer. The first error of any ends the reading."""
        asked: dict[str, list[Indicator]] = {}
        for indicator in indicators:
            asked.setdefault(indicator.source, []).append(indicator)
        unknown = [name for name in asked if name not in self.sources]
        if unknown:
            raise SourceError(
                f"no source is called {unknown[0]!r}", remedy=f"the sources are {', '.join(self.sources) or 'none'}"
            )
        if len(asked) == 1:
            name, wanted = asked.popitem()
            yield from self.sources[name].fetch(wanted, grid, progress)
            return
        yield from _side_by_side(
            [(self.sources[name], wanted) for name, wanted in asked.items()], grid, progress, self._side_by_side
        )

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


@dataclass(frozen=True, slots=True)
class _Done:
    """A source has answered all."""


def _side_by_side(
    work: Sequence[tuple[Source, list[Indicator]]], grid: Grid, progress: Progress, workers: int
) -> Iterator[tuple[Indicator, Timeline]]:
    found: queue.Queue[tuple[Indicator, Timeline] | _Done] = queue.Queue(_AHEAD)
    stopped = threading.Event()
    told = _Told(progress, len(work))

    def put(item: tuple[Indicator, Timeline] | _Done) -> None:
        while not stopped.is_set():
            with suppress(queue.Full):
                found.put(item, timeout=0.1)
                return

    def read(number: int, source: Source, wanted: list[Indicator]) -> None:
        try:
            if not stopped.is_set():
                for answer in source.fetch(wanted, grid, told.of(number)):
                    put(answer)
                    if stopped.is_set():
                        return
        finally:
            put(_Done())

    pool = ThreadPoolExecutor(workers, thread_name_prefix="sla-kit-source")
    running: list[Future[None]] = [pool.submit(read, number, *one) for number, one in enumerate(work)]
    try:
        left = len(work)
        while left:
            item = found.get()
            if not isinstance(item, _Done):
                yield item
                continue
            left -= 1
            for future in running:
                if future.done():
                    future.result()
        for future in running:
            future.result()
    finally:
        stopped.set()
        pool.shutdown(wait=True, cancel_futures=True)


class _Told:
    """One progress from several that run at the same time."""

    def __init__(self, progress: Progress, parts: int) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._shares = [0.0] * parts

    def of(self, number: int) -> Progress:
        """The progress of one part."""

        def report(done: int, total: int, what: str) -> None:
            with self._lock:
                self._shares[number] = done / total if total else 1.0
                self._progress(round(1000 * sum(self._shares)), 1000 * len(self._shares), what)

        return report


def open_sources(catalogue: Catalogue, given: Sequence[str] = ()) -> Source:
    """The source of a catalogue's history: what the command line gives, else the servers that the catalogue names.

    ``given`` are addresses or paths. ``NAME=ADDRESS`` stands for one of the catalogue's sources; an address without a
    name for all of them. Raises `SourceError` where something has no address.
    """
    from sla_kit.configuration.places import nearest

    names = [server.name for server in catalogue.sources]
    addresses = {server.name: server.url for server in catalogue.sources if server.url}
    plain: list[str] = []
    for text in given:
        name, equals, address = text.partition("=")
        if equals and name in names:
            addresses[name] = address
        elif not equals or "/" in name or not names:  # an address or a path may hold an equals sign, too
            plain.append(text)
        else:
            raise SourceError(
                f"the catalogue has no source {name!r}", remedy=nearest(name, names) or "name one of them"
            )
    if len(plain) > 1:
        raise SourceError(
            "several sources are given without saying which is which",
            remedy="write --source NAME=ADDRESS, with the names that the catalogue gives under sources",
        )
    if plain:
        return open_source(plain[0])
    if not names:
        raise SourceError(
            "it is not said where the history is",
            remedy="give --source (http://host:9090, or the path of a recording), or name servers under sources",
        )
    used = list(dict.fromkeys(catalogue.source(service, slo) for service, slo in catalogue.slos()))
    missing = [name for name in used if name not in addresses]
    if missing:
        raise SourceError(
            f"the source {missing[0]!r} has no address",
            remedy=f"give it a url in the catalogue, or --source {missing[0]}=http://host:9090",
        )
    tenants = {server.name: server.tenant for server in catalogue.sources}
    each = max(1, min(4, CONNECTIONS // max(1, len(used))))
    with ExitStack() as stack:
        opened: dict[str, Source] = {}
        for name in used:
            opened[name] = _opened(name, addresses[name], tenants[name], each)
            stack.callback(opened[name].close)
        stack.pop_all()
    return ManySources(opened)


def _opened(name: str, address: str, tenant: str, connections: int) -> Source:
    if not address.startswith(("http://", "https://")):
        return open_source(address)
    from sla_kit.sources.prometheus import PrometheusSource
    from sla_kit.sources.settings import Settings

    return PrometheusSource(address, Settings.from_environment(os.environ, name, tenant), connections=connections)
