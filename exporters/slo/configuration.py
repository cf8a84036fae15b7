"""What the exporter of promises is told: a catalogue, where its history is, over which windows, whether to forecast."""

from __future__ import annotations

import time
from pathlib import Path

from msgspec import field

from sla_kit.catalogue.load import load as load_catalogue
from sla_kit.catalogue.model import Catalogue
from sla_kit.configuration.decode import Shorthands
from sla_kit.configuration.places import Findings, nearest
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import check_address
from sla_kit.configuration.values import Duration, Value
from sla_kit.engine.windows import parse_period
from sla_kit.errors import CatalogueError, SlaKitError
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration, read_configuration

_HOUR, _DAY = 3600.0, 86400.0
#: What windows of this exporter's own are called; a window of the configuration can't be.
EVENT = "event"


class CatalogueFile(Value, frozen=True, kw_only=True):
    """The catalogue: a YAML file or a folder of them, and the environment whose overlay counts."""

    path: str
    environment: str = ""


class Forecasting(Value, frozen=True, kw_only=True):
    """Whether to forecast when budgets run out; each SLO ``every`` so often, over ``horizon``, from so long a
    ``history``."""

    on: bool = True
    every: Duration = _HOUR
    horizon: Duration = 30 * _DAY
    history: Duration = 60 * _DAY


class SloConfiguration(SidecarConfiguration, frozen=True, kw_only=True):
    """The whole configuration.

    ``source`` is an address or a recorded history for all SLOs, or one of metrics and one of logs; ``sources`` are
    those of the servers that the catalogue names; without either they are read where the catalogue says. ``ledger`` is
    where closed buckets are kept for good; without one they are kept in a file that goes with the process. ``windows``
    are further periods to tell figures of, beside each SLO's own: "1d", "week", "last-month". ``services`` are all
    where none is named.
    """

    catalogue: CatalogueFile
    source: str | list[str] = ""
    sources: dict[str, str] = field(default_factory=dict)
    ledger: str = ""
    windows: list[str] = field(default_factory=list)
    services: list[str] = field(default_factory=list)
    forecast: Forecasting = Forecasting()
    interval: Duration = 60.0
    timeout: Duration = 50.0
    max_series: int = 200_000

    @property
    def given(self) -> list[str]:
        """What stands under ``source``."""
        several = [self.source] if isinstance(self.source, str) else self.source
        return [address for address in several if address]


_SHORTHANDS: Shorthands = {CatalogueFile: lambda text: CatalogueFile(path=text)}


def read(path: Path) -> tuple[SloConfiguration, Catalogue]:
    """The configuration of a file, and the catalogue that it names. Raises `ConfigurationError` with the mistakes of
    both."""
    found: list[Catalogue] = []

    def rules(configuration: SloConfiguration, findings: Findings) -> None:
        try:
            file = path.parent / configuration.catalogue.path
            catalogue = load_catalogue(file, configuration.catalogue.environment or None)
        except CatalogueError as error:
            findings.mistakes.extend(error.mistakes)
        else:
            found.append(catalogue)
            _check_names(configuration, catalogue, findings)
        _check_windows(configuration, found[0].timezone if found else "UTC", findings)
        _check_addresses(configuration, findings)
        _check_forecast(configuration.forecast, findings)
        if configuration.state:
            findings.say(("state",), "is not for this exporter", "say ledger: what must outlive the process is there")

    configuration = read_configuration(path, SloConfiguration, rules, shorthands=_SHORTHANDS)
    return configuration, found[0]


def located(text: str, folder: Path) -> str:
    """An address as it is, a path as one from the configuration's folder."""
    return text if not text or "://" in text else str(folder / text)


def _check_names(configuration: SloConfiguration, catalogue: Catalogue, findings: Findings) -> None:
    services = [service.name for service in catalogue.services]
    for place, name in enumerate(configuration.services):
        if name not in services:
            findings.say(("services", place), f"the catalogue has no service {name!r}", nearest(name, services))
    sources = [server.name for server in catalogue.sources]
    for name in configuration.sources:
        if name not in sources:
            hint = nearest(name, sources) or "say source: the catalogue names none"
            findings.say(("sources", name), f"the catalogue has no source {name!r}", hint)


def _check_windows(configuration: SloConfiguration, timezone: str, findings: Findings) -> None:
    for place, text in enumerate(configuration.windows):
        try:
            parse_period(text, int(time.time()), timezone)
        except SlaKitError as error:
            findings.say(("windows", place), error.message, error.remedy)


def _check_addresses(configuration: SloConfiguration, findings: Findings) -> None:
    if configuration.source and configuration.sources:
        findings.say(("sources",), "stands beside source", "say source for one server, sources for several by name")
    check_address(configuration.ledger, findings, ("ledger",), "take it out; it comes from PGPASSWORD or ~/.pgpass")
    for place, address in enumerate(configuration.given):
        path: Part = ("source",) if isinstance(configuration.source, str) else ("source", place)
        check_address(address, findings, path, _from_elsewhere(address))
    for name, address in configuration.sources.items():
        check_address(address, findings, ("sources", name), _from_elsewhere(address))


def _from_elsewhere(address: str) -> str:
    kind = "ELASTICSEARCH" if address.startswith("elasticsearch+") else "PROMETHEUS"
    return f"take it out; it comes from SLA_KIT_{kind}_PASSWORD or SLA_KIT_{kind}_PASSWORD_FILE"


def _check_forecast(forecast: Forecasting, findings: Findings) -> None:
    for name, least in (("every", 60.0), ("horizon", _HOUR), ("history", _DAY)):
        if getattr(forecast, name) < least:
            findings.say(("forecast", name), f"must be at least {least / 60:g} minutes")
        elif getattr(forecast, name) > 366 * _DAY:
            findings.say(("forecast", name), "must be at most 366 days")
