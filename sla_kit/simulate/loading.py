"""Scenarios from YAML: those that come with sla-kit, and anybody's own."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sla_kit.catalogue.quantities import parse_duration
from sla_kit.errors import ScenarioError
from sla_kit.simulate.checking import faults
from sla_kit.simulate.scenario import Scenario

_REMEDY = "docs/simulate.md lists what a scenario holds"


def packaged() -> list[str]:
    """The names of the scenarios that come with sla-kit."""
    folder = files("sla_kit.simulate") / "scenarios"
    return sorted(one.name.removesuffix(".yml") for one in folder.iterdir() if one.name.endswith(".yml"))


def load_scenario(name: str | Path) -> Scenario:
    """A scenario that comes with sla-kit by its name, or one from a YAML file. `ScenarioError` with the place."""
    path = Path(name)
    if str(name) in packaged():
        text = (files("sla_kit.simulate") / "scenarios" / f"{name}.yml").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            remedy = f"give the path of a YAML file, or one of {', '.join(packaged())}"
            raise ScenarioError(f"the scenario can't be read: {error}", place=str(name), remedy=remedy) from error
    try:
        return checked(_converted(yaml.safe_load(text)), str(name))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else str(name)
        raise ScenarioError(f"this is no YAML: {getattr(error, 'problem', error)}", place=place) from error
    except msgspec.ValidationError as error:
        raise ScenarioError(str(error), place=str(name), remedy=_REMEDY) from error


def _converted(raw: Any) -> Scenario:
    return msgspec.convert(_prepared(raw), Scenario, str_keys=True)


#: The keys whose values may be written as text.
_MOMENTS = ("start", "at")
_LENGTHS = ("length", "ramp", "scrape_interval", "seconds")


def _prepared(raw: Any, place: str = "$") -> Any:
    """The tree with moments and lengths as numbers, and the days of jobs as text."""
    if isinstance(raw, dict):
        return {str(key): _value(str(key), value, f"{place}.{key}") for key, value in raw.items()}
    if isinstance(raw, list):
        return [_prepared(item, f"{place}[{number}]") for number, item in enumerate(raw)]
    return raw


def _value(key: str, value: Any, place: str) -> Any:
    try:
        if key in _MOMENTS and not isinstance(value, dict | list):
            return _moment(value)
        if key in _LENGTHS and not isinstance(value, dict | list):
            return _length(value)
    except msgspec.ValidationError as error:
        raise msgspec.ValidationError(f"{error} - at `{place}`") from None
    if key == "day" or (key == "missed" and isinstance(value, list)):
        return [str(item) for item in value] if isinstance(value, list) else str(value)
    return _prepared(value, place)


def _moment(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise msgspec.ValidationError(f"{value!r} is no time; write 2026-09-01T00:00:00Z") from None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _length(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    try:
        return parse_duration(str(value))
    except ValueError:
        raise msgspec.ValidationError(f"{value!r} is no length of time; write 20m or 1h30m") from None


def checked(scenario: Scenario, place: str = "scenario") -> Scenario:
    """The scenario, if it can be drawn; a `ScenarioError` that tells every fault with its place otherwise."""
    found = [f"{where}: {what}" for where, what in faults(scenario)]
    if found:
        raise ScenarioError("; ".join(found), place=place, remedy=_REMEDY)
    return scenario
