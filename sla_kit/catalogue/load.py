"""Reading a catalogue: a YAML file or a folder of them, for one environment or for all."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import msgspec

from sla_kit.catalogue import overlay
from sla_kit.catalogue.dependencies import check_bounds
from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.routing import anchored_routing
from sla_kit.catalogue.rules import check_catalogue
from sla_kit.catalogue.shorthands import SHORTHANDS
from sla_kit.configuration.decode import decode
from sla_kit.configuration.nodes import Mapping, Node, Scalar, Sequence, read
from sla_kit.configuration.places import Place, nearest
from sla_kit.errors import CatalogueError, Mistake

_REMEDY = "-c names the catalogue: a YAML file or a folder"
_NEEDS = "a catalogue needs at least a name and services"


def load(path: str | Path, environment: str | None = None) -> Catalogue:
    """The catalogue of a file, or of a folder of ``*.yml`` and ``*.yaml``, with the overlay of an environment.

    Without an environment the base is returned, and the overlays are checked all the same. Raises `CatalogueError`
    with every mistake.
    """
    catalogue, mistakes = check(path, environment)
    if catalogue is None:
        raise CatalogueError(mistakes)
    return catalogue


class Examined(NamedTuple):
    """What there is to say of a catalogue: it, None where there is any mistake; all mistakes, and warnings of a right
    one, each in order of file and line, each once."""

    catalogue: Catalogue | None
    mistakes: list[Mistake]
    warnings: list[Mistake]


def check(path: str | Path, environment: str | None = None) -> tuple[Catalogue | None, list[Mistake]]:
    """The catalogue, None where there is any mistake, and all mistakes in order of file and line, each once."""
    found = examine(path, environment)
    return found.catalogue, found.mistakes


def examine(path: str | Path, environment: str | None = None) -> Examined:
    """The catalogue with its mistakes, and with warnings: promises that can hardly be kept, but may be made."""
    root, mistakes, whole = _tree(Path(path), str(path))
    if root is None:
        return Examined(None, sorted(set(mistakes)), [])
    base, overlays, wrong = overlay.environments(root)
    mistakes += wrong
    folder = Path(path).resolve()
    folder = folder if folder.is_dir() else folder.parent
    known = list(overlays) + [name for name in [_own_environment(base)] if name]
    around = _Around(str(folder), tuple(known), bool(overlays), whole)
    readings: list[Examined] = []
    if environment is None:
        readings.append(_decoded(base, None, around))
        readings += [_laid(base, changes, name, around) for name, (_, changes) in overlays.items()]
    elif environment in overlays:
        readings.append(_laid(base, overlays[environment][1], environment, around))
    elif _own_environment(base) == environment:
        readings.append(_decoded(base, None, around))
    else:
        hint = nearest(environment, known) or "the catalogue declares none under environments"
        if whole:
            node = root.get("environments")
            mistakes.append((node or root).place.mistake(f"there is no environment {environment!r}", hint))
    mistakes += [mistake for reading in readings for mistake in reading.mistakes]
    warnings = [warning for reading in readings for warning in reading.warnings]
    found = readings[0].catalogue if readings and not mistakes else None
    return Examined(found, sorted(set(mistakes)), [] if mistakes else sorted(set(warnings)))


class _Around(NamedTuple):
    """What a catalogue can't tell of itself: its folder, its environments, whether it declares overlays for them, and
    whether all of it could be read."""

    folder: str
    environments: tuple[str, ...]
    overlays: bool
    whole: bool


def _laid(base: Mapping, changes: Mapping, name: str, around: _Around) -> Examined:
    root, mistakes = overlay.apply(base, changes)
    found = _decoded(root, name, around)
    return found._replace(mistakes=mistakes + found.mistakes)


def _decoded(root: Mapping, environment: str | None, around: _Around) -> Examined:
    catalogue, places, mistakes = decode(root, Catalogue, "the catalogue", shorthands=SHORTHANDS, whole=around.whole)
    catalogue = msgspec.structs.replace(
        catalogue,
        environment=catalogue.environment if environment is None else environment,
        folder=around.folder,
        routing=anchored_routing(catalogue.routing, around.folder),
    )
    known = around.environments if around.whole and around.overlays else None  # what is resolved names others freely
    mistakes += check_catalogue(catalogue, places, known)
    return Examined(catalogue, mistakes, [] if mistakes else check_bounds(catalogue, places))


def _own_environment(base: Mapping) -> str:
    node = base.get("environment")
    return node.text if isinstance(node, Scalar) else ""


def _tree(path: Path, name: str) -> tuple[Mapping | None, list[Mistake], bool]:
    """The tree of all files that can be read, the mistakes in reading, and whether none is missing."""
    try:
        is_folder = path.is_dir()
    except (OSError, ValueError) as error:
        return None, [Place(name, 0, 0).mistake(f"can't be read: {error}")], False
    if not is_folder:
        return *_mapping(*read(path, name, _REMEDY, _NEEDS)), True
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix in (".yml", ".yaml")
        and (file.is_file() or file.is_symlink())  # a link that leads nowhere must not lose promises in silence
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        return None, [Place(name, 0, 0).mistake("the folder holds no *.yml or *.yaml")], False
    whole: Mapping | None = None
    mistakes: list[Mistake] = []
    complete = True
    for file in files:
        root, wrong = _mapping(*read(file, str(Path(name) / file.relative_to(path)), _REMEDY, _NEEDS))
        mistakes += wrong
        if root is None:
            complete = False
        else:
            whole = root if whole is None else _joined(whole, root, mistakes)
    return whole, mistakes, complete


def _mapping(root: Node | None, mistakes: list[Mistake]) -> tuple[Mapping | None, list[Mistake]]:
    if root is None or isinstance(root, Mapping):
        return root, mistakes
    return None, [*mistakes, root.place.mistake("a catalogue is a mapping", "it begins with name: and services:")]


def _joined(first: Mapping, second: Mapping, mistakes: list[Mistake]) -> Mapping:
    """Two files as one: lists are put together, mappings merged, everything else may be said once."""
    entries = dict(first.entries)
    for key, (place, value) in second.entries.items():
        if key not in entries:
            entries[key] = (place, value)
            continue
        earlier_place, earlier = entries[key]
        if isinstance(earlier, Mapping) and isinstance(value, Mapping):
            entries[key] = (earlier_place, _joined(earlier, value, mistakes))
        elif isinstance(earlier, Sequence) and isinstance(value, Sequence):
            entries[key] = (earlier_place, Sequence(earlier.place, earlier.items + value.items))
        else:
            where = f"{earlier_place.file}:{earlier_place.line}"
            mistakes.append(place.mistake(f"{key} is set twice", f"it is in {where} already"))
    return Mapping(first.place, entries)
