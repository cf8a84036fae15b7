"""Where history comes from: a small protocol, found by the scheme of an address.

A source answers `fetch` with one `Timeline` per indicator. `open_source("http://prometheus:9090")` finds the source
by entry point (group ``sla_kit.sources``, name = scheme), so that another distribution can add one: its entry point
names a callable ``factory(address: str) -> Source``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import urlsplit

from sla_kit.errors import MissingExtraError, SourceError

if TYPE_CHECKING:
    from sla_kit.catalogue.logs import Logs
    from sla_kit.catalogue.model import Catalogue, Service, Sli, Slo
    from sla_kit.timeline import Grid, Timeline

#: Called with (done, of all, what) as work goes on.
Progress = Callable[[int, int, str], None]


def no_progress(done: int, total: int, what: str) -> None:
    """Tells nobody."""


@dataclass(frozen=True, slots=True)
class Indicator:
    """One indicator to fetch: its ``key`` (service, name) and how it is measured. ``sum_labels`` are those of the
    catalogue, ``source`` is the name of the server that is asked where a catalogue names several. An indicator of
    documents has all of its fields filled in, and ``logs`` are the catalogue's: which field holds the time."""

    key: tuple[str, str]
    sli: Sli = field(hash=False)
    sum_labels: tuple[str, ...] = ()
    source: str = ""
    logs: Logs | None = field(default=None, hash=False)

    @classmethod
    def of(cls, catalogue: Catalogue, service: Service, slo: Slo) -> Indicator:
        """What must be fetched to judge an SLO. SLOs that share an indicator get equal ones."""
        name = slo.sli if isinstance(slo.sli, str) else f"{slo.name}:sli"
        if slo.source and slo.source != service.source:
            name = f"{name}@{slo.source}"
        sli, source = catalogue.filled(catalogue.sli(service, slo)), catalogue.source(service, slo)
        logs = catalogue.logs if catalogue.of_logs(sli) else None
        return cls((service.name, name), sli, tuple(catalogue.sum_labels), source, logs)


@runtime_checkable
class Source(Protocol):
    """What sla-kit asks of a source of history."""

    @property
    def name(self) -> str:
        """The address without secrets, for messages and reports."""
        ...

    def span(self) -> tuple[int, int] | None:
        """First and last time with data, epoch seconds, where the source knows it cheaply."""
        ...

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline on ``grid``, in any order, each exactly once.

        An indicator without data comes with coverage 0 and a finding, never with an error; `SourceError` is for a
        source that can't answer. Recovery indicators are not asked for: the engine derives them.
        """
        ...

    def close(self) -> None:
        """Lets go of connections and files."""
        ...


def open_source(address: str) -> Source:
    """The source behind an address: ``http(s)://…`` a Prometheus API, a path a recorded history.

    Raises `SourceError` for an address that no installed source knows, and `MissingExtraError` where the libraries
    of a known one are not installed.
    """
    scheme = urlsplit(address).scheme if "://" in address else "file"
    found = {point.name: point for point in entry_points(group="sla_kit.sources")}
    if scheme not in found:
        known = ", ".join(f"{name}://" for name in sorted(found) if name != "file")
        raise SourceError(
            f"no source for addresses that begin with {scheme}://",
            place=address.split("://", 1)[0] + "://…",
            remedy=f"use {known}, or the path of a recorded history (.om, .om.gz, .parquet or a folder)",
        )
    if scheme == "file" and not Path(address.removeprefix("file://")).exists():
        raise SourceError("no such file or folder", place=address, remedy="check the path given to --source")
    try:
        factory: Callable[[str], Source] = found[scheme].load()
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"reading {scheme} histories", error.name or "?", "report") from error
    return factory(address)
