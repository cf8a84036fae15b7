"""Scenarios from YAML: those that come with sla-kit, and anybody's own."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sla_kit.configuration.quantities import parse_duration
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
        return checked(_converted(_composed(yaml.safe_load(text), path)), str(name))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{name}:{mark.line + 1}" if mark else str(name)
        raise ScenarioError(f"this is no YAML: {getattr(error, 'problem', error)}", place=place) from error
    except msgspec.ValidationError as error:
        raise ScenarioError(str(error), place=str(name), remedy=_REMEDY) from error


def _composed(raw: Any, path: Path) -> Any:
    """The tree with what it is built on: ``base`` names a scenario to which it is added, ``parts`` a folder beside it
    whose files hold more lists. Each ``hours`` beside such lists is that of all their entries without one."""
    if not isinstance(raw, dict) or not {"base", "parts"} & set(raw):
        return raw
    own = {key: value for key, value in raw.items() if key not in ("base", "parts")}
    found: dict[str, Any] = {}
    if "base" in raw:
        base = str(raw["base"])
        if base not in packaged():
            raise msgspec.ValidationError(f"there is no scenario {base!r}; there are {', '.join(packaged())}")
        found = yaml.safe_load((files("sla_kit.simulate") / "scenarios" / f"{base}.yml").read_text(encoding="utf-8"))
    more = []
    if "parts" in raw:
        name = str(raw["parts"])
        beside = files("sla_kit.simulate") / "scenarios" if str(path) in packaged() else path.parent
        folder = beside / name
        if not folder.is_dir():
            raise msgspec.ValidationError(f"there is no folder {name!r} beside the scenario")
        listed = sorted((one for one in folder.iterdir() if one.name.endswith(".yml")), key=lambda one: one.name)
        more = [yaml.safe_load(one.read_text(encoding="utf-8")) or {} for one in listed]
    for part in (own, *more):
        hours = part.pop("hours", None)
        for key, value in part.items():
            if isinstance(value, list):
                entries = [{"hours": hours, **one} if hours is not None and key in _HOURS else one for one in value]
                found[key] = [*found.get(key, []), *entries]
            else:
                found[key] = value
    return found


def _converted(raw: Any) -> Scenario:
    return msgspec.convert(_prepared(raw), Scenario, str_keys=True)


#: The keys whose values may be written as text.
_MOMENTS = ("start", "at")
_LENGTHS = ("length", "ramp", "scrape_interval", "seconds", "age")
#: The lists whose entries may be recorded for the last hours only.
_HOURS = ("gauges", "counters", "histograms")


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
