"""Dashboards that are not ours: those that installed packages bring, and those that a catalogue names.

A package brings its own by an entry point of the group ``sla_kit.dashboards``, a catalogue names them under
``monitoring.dashboards``. Each leads to a function that is given the catalogue and returns a dashboard, or several.
Their code runs here and nowhere else.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.monitoring import OFF, ON
from sla_kit.catalogue.monitoring_rules import PLACE
from sla_kit.configuration.places import nearest
from sla_kit.dashboards.model import Dashboard
from sla_kit.errors import SlaKitError

GROUP = "sla_kit.dashboards"
_LOOK = "see docs/dashboards.md, which shows a dashboard of one's own"


class DashboardError(SlaKitError):
    """A dashboard of somebody's own can't be made: ``place`` is the file and line, or what leads to it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A dashboard, and who brought it: in words for messages."""

    dashboard: Dashboard
    by: str


def brought(catalogue: Catalogue) -> Iterator[Made]:
    """The dashboards of installed packages, by the names of their entry points, and then those that the catalogue
    names. An entry point that is switched off, or whose name the catalogue leads elsewhere, is not even loaded."""
    named = catalogue.monitoring.dashboards
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.name):
        if named.get(point.name, "on").lower() in ON:
            yield from _made(catalogue, f"the entry point {point.name!r} of {_package(point)}", point.load)
    for name, place in named.items():
        if place.lower() not in OFF | ON:
            by = f"monitoring.dashboards.{name} ({place})"
            yield from _made(catalogue, by, lambda place=place, by=by: _function(catalogue, place, by))  # type: ignore[misc]


def _made(catalogue: Catalogue, by: str, find: Callable[[], Any]) -> Iterator[Made]:
    function = _run(by, find)
    if not callable(function):
        raise DashboardError(
            f"it leads to {_kind(function)}, which is no function",
            place=by,
            remedy=f"write dashboard(catalogue); {_LOOK}",
        )
    found = _run(by, lambda: function(catalogue))
    several = list(found) if isinstance(found, Iterable) and not isinstance(found, str | bytes) else [found]
    for each in several:
        if not isinstance(each, Dashboard):
            code: CodeType | None = getattr(function, "__code__", None)
            raise DashboardError(
                f"{by}: its function returns {_kind(each)}",
                place=f"{code.co_filename}:{code.co_firstlineno}" if code else "",
                remedy="return a Dashboard of sla_kit.dashboards.vocabulary, or a tuple of them",
            )
        yield Made(each, by)


def _function(catalogue: Catalogue, place: str, by: str) -> Any:
    found = PLACE.fullmatch(place)
    if not found:
        raise DashboardError(
            f"{place!r} leads to no dashboard",
            place=by,
            remedy="write my_package.boards:orders or boards/orders.py:orders",
        )
    module = _file(catalogue, found["file"], by) if found["file"] else _module(found["module"], by)
    name = found["function"]
    if not hasattr(module, name):
        known = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        where = found["file"] or found["module"]
        raise DashboardError(f"{where} has no function {name!r}", place=by, remedy=nearest(name, known) or _LOOK)
    return getattr(module, name)


def _module(name: str, by: str) -> ModuleType:
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if not error.name or not f"{name}.".startswith(f"{error.name}."):
            raise  # it is there, but what it imports is not
        raise DashboardError(
            f"there is no module {error.name!r}",
            place=by,
            remedy="install its package where sla-kit is installed, or name a file: boards/orders.py:dashboard",
        ) from error


def _file(catalogue: Catalogue, name: str, by: str) -> ModuleType:
    folder = Path(catalogue.folder or ".").resolve()
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise DashboardError(
            f"{name} lies outside the catalogue's folder", place=by, remedy="put it there, or install it as a package"
        )
    if not path.is_file():
        raise DashboardError(f"there is no file {path}", place=by, remedy="it is looked for in the catalogue's folder")
    spec = spec_from_file_location(f"sla_kit_board_{path.stem}_{abs(hash(str(path))):x}", path)
    if spec is None or spec.loader is None:
        raise DashboardError(f"{path} is no Python", place=by, remedy="name a file that ends in .py")
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look themselves up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _run(by: str, step: Callable[[], Any]) -> Any:
    """What somebody else's code answers, its mistakes told with the line in it."""
    try:
        return step()
    except SlaKitError as error:
        if isinstance(error, DashboardError) or error.place:
            raise
        raise DashboardError(f"{by}: {error.message}", place=_line(error), remedy=error.remedy) from error
    except Exception as error:
        place = f"{error.filename}:{error.lineno}" if isinstance(error, SyntaxError) else _line(error)
        said = f"{type(error).__name__}: {error.msg if isinstance(error, SyntaxError) else error}"
        raise DashboardError(f"{by} fails: {said}", place=place, remedy=f"mend that line; {_LOOK}") from error


def _line(error: BaseException) -> str:
    """The line of somebody else's code that went wrong: the innermost one that is neither ours nor the importer's."""
    ours = str(Path(__file__).parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not str(Path(frame.filename)).startswith(ours) and not frame.filename.startswith("<frozen")
        and not frame.filename.startswith(str(Path(sys.modules["importlib"].__file__ or "").parent))
    ]  # fmt: skip
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else ""


def _package(point: EntryPoint) -> str:
    return f"the package {point.dist.name}" if point.dist else "a package"


def _kind(value: object) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}"
