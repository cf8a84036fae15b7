"""What an exporter brings to the framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sla_kit.exporters.sidecar.collector import Collector
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration

if TYPE_CHECKING:  # it takes a fifth of a second to import, and an install may lack it
    from starlette.routing import BaseRoute


class Service(Protocol):
    """What runs beside the collectors, in the event loop: a listener of datagrams, a scheduler of restore tests."""

    async def start(self) -> None:
        """Begins, and returns once it has. Raises `SlaKitError` where it can't."""
        ...

    async def stop(self) -> None:
        """Ends, with what must be kept kept."""
        ...


@dataclass(frozen=True, slots=True)
class Loaded:
    """An exporter as one state of its configuration makes it.

    ``collectors`` that equal ones of the state before (``==``) go on as they are when the configuration is read again;
    so do ``services``. ``routes`` are added to the web server's, and taken to be for data that come in: without users
    or required client certificates they are open to this machine only. ``watched`` are further files whose change means
    to read the configuration again.
    """

    configuration: SidecarConfiguration
    collectors: Sequence[Collector]
    routes: Sequence[BaseRoute] = ()
    services: Sequence[Service] = ()
    watched: Sequence[Path] = ()


@dataclass(frozen=True, slots=True)
class Exporter:
    """One exporter: its name on the command line, what it is for in a line, its usual port."""

    name: str
    summary: str
    port: int
    load: Load


class Load(Protocol):
    """Reads a configuration and makes what it says, without asking any source."""

    def __call__(self, path: Path, /, *, before: Loaded | None = None) -> Loaded:
        """Raises `ConfigurationError`. ``before`` is the state that this one is to follow, if any."""
        ...
