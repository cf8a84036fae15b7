"""sla-kit: promises declared once, evaluated, proved and reported.

>>> import sla_kit
>>> catalogue = sla_kit.load("sla.yml")                                     # doctest: +SKIP
>>> evaluation = sla_kit.evaluate(catalogue, "http://localhost:9090", "7d")  # doctest: +SKIP
>>> evaluation.to_pandas()                                                  # doctest: +SKIP

Importing this is light: numpy and pandas are loaded when something is evaluated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sla_kit.errors import CatalogueError, MissingExtraError, SlaKitError, SourceError

if TYPE_CHECKING:
    from sla_kit.catalogue import check, load
    from sla_kit.evaluation import evaluate
    from sla_kit.forecasting import forecast
    from sla_kit.sources import open_source

    __version__: str

__all__ = [
    "CatalogueError",
    "MissingExtraError",
    "SlaKitError",
    "SourceError",
    "__version__",
    "check",
    "evaluate",
    "forecast",
    "load",
    "open_source",
]

_LATE = {
    "check": "sla_kit.catalogue",
    "evaluate": "sla_kit.evaluation",
    "forecast": "sla_kit.forecasting",
    "load": "sla_kit.catalogue",
    "open_source": "sla_kit.sources",
}


def __getattr__(name: str) -> Any:
    """Loads what needs numpy, or reads YAML or what is installed, on first use."""
    if name == "__version__":
        return _version()
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(_LATE[name]), name)
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("sla_kit"):
            raise
        raise MissingExtraError(f"sla_kit.{name}", error.name or "?", "report") from error


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("sla-kit")
    except PackageNotFoundError:  # a bare source tree on the path
        return "0+unknown"


def __dir__() -> list[str]:
    return __all__
