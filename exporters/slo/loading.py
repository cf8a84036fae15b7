"""From a configuration to collectors: one for the SLOs of each source, so that none takes the others with it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from msgspec.structs import replace

from sla_kit.catalogue.model import Catalogue, Composite, Recovery
from sla_kit.engine.needed import needed_for
from sla_kit.errors import ConfigurationError, Mistake, SlaKitError
from sla_kit.evaluation import chosen_slos
from sla_kit.exporters.sidecar.exporter import Loaded
from sla_kit.exporters.slo.collecting import PromiseCollector
from sla_kit.exporters.slo.configuration import SloConfiguration, located, read
from sla_kit.exporters.slo.keeping import Kept
from sla_kit.sources.many import open_sources

Key = tuple[str, str]


def load(path: Path, *, before: Loaded | None = None) -> Loaded:
    """What a configuration says, without asking any source. Raises `ConfigurationError`."""
    configuration, catalogue = read(path)
    folder = path.parent
    wanted = Kept(located(configuration.ledger, folder))
    kept = next((one for one in (before.services if before else ()) if isinstance(one, Kept) and one == wanted), wanted)
    addresses = _addresses(configuration, catalogue, path)
    published = _published(catalogue)
    collectors = [
        PromiseCollector(
            name,
            configuration.schedule(),
            published,
            keys,
            addresses,
            tuple(configuration.windows),
            configuration.forecast,
            kept,
        )
        for name, keys in _by_source(catalogue, configuration).items()
    ]
    watched = tuple(_files(folder / configuration.catalogue.path))
    return Loaded(configuration, collectors, services=(kept,), watched=watched)


def _addresses(configuration: SloConfiguration, catalogue: Catalogue, path: Path) -> tuple[str, ...] | None:
    """What sources are opened by; None where there is but a ledger."""
    folder = path.parent
    given = [located(address, folder) for address in configuration.given]
    given += [f"{name}={located(address, folder)}" for name, address in configuration.sources.items()]
    if not given and configuration.ledger and not any(server.url for server in catalogue.sources):
        return None
    try:
        open_sources(catalogue, given).close()  # asks nothing, but knows what is missing
    except SlaKitError as error:
        where = f"{error.place}: " if error.place else ""
        raise ConfigurationError([Mistake(str(path), 0, 0, f"{where}{error.message}", error.remedy)]) from error
    return tuple(given)


def _published(catalogue: Catalogue) -> Catalogue:
    """The catalogue without what would be read and is not published: what SLOs depend on, and capacities."""
    return replace(
        catalogue,
        services=[
            replace(service, capacity=None, slos=[replace(slo, depends_on=[]) for slo in service.slos])
            for service in catalogue.services
        ],
    )


def _by_source(catalogue: Catalogue, configuration: SloConfiguration) -> dict[str, tuple[Key, ...]]:
    """The SLOs by the sources that must answer for them, in the catalogue's order."""
    bare = _published(catalogue)
    chosen = chosen_slos(bare, configuration.services)
    several = len({server.name for server in catalogue.sources}) > 1 and not configuration.source
    needed, rests_on = needed_for(bare, chosen), dict[Key, frozenset[str]]()
    for service, slo in needed.measured:
        rests_on[service.name, slo.name] = frozenset([bare.source(service, slo)])
    for service, slo in needed.derived:
        sli = bare.sli(service, slo)
        of = [sli.target(service.name)] if isinstance(sli, Recovery) else []
        of += [part.target(service.name) for part in sli.of] if isinstance(sli, Composite) else []
        rests_on[service.name, slo.name] = frozenset[str]().union(*(rests_on[key] for key in of))
    found: dict[str, list[Key]] = {}
    for service, slo in chosen:
        key = (service.name, slo.name)
        name = "+".join(sorted(rests_on[key])) if several else "promises"
        found.setdefault(name or "promises", []).append(key)
    return {name: tuple(keys) for name, keys in found.items()}


def _files(path: Path) -> Iterator[Path]:
    """The catalogue, and where it is a folder the files in it."""
    yield path
    if path.is_dir():
        yield from sorted(file for file in path.iterdir() if file.suffix in (".yml", ".yaml"))
