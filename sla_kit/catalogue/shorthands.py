"""Texts that are short for a part of the catalogue: "30d" for a window, an SLO's name for a part or a dependency."""

from __future__ import annotations

from typing import Any, cast

from sla_kit.catalogue.model import Dependency, Part, Window
from sla_kit.configuration.decode import Shorthands, Unreadable
from sla_kit.configuration.places import nearest
from sla_kit.configuration.quantities import meant_duration, parse_duration
from sla_kit.configuration.secrets import Secret, written

_PERIODS = ("day", "week", "month", "quarter", "year")


def _window(text: str) -> Window:
    if text in _PERIODS:
        return Window(calendar=cast(Any, text))
    try:
        return Window(rolling=parse_duration(text))
    except ValueError:
        close = nearest(text, _PERIODS)
        hint = close if close.startswith("did") else meant_duration(text)
        raise Unreadable("is not a window", hint or f"30d, or one of {', '.join(_PERIODS)}") from None


SHORTHANDS: Shorthands = {
    Window: _window,
    Part: lambda text: Part(slo=text),
    Dependency: lambda text: Dependency(slo=text),
    Secret: written,
}
