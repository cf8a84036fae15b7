"""OpenSLO v1alpha, which Sloth reads: its SLOs and services as the same in v1, every value at its own place."""

from __future__ import annotations

from sla_kit.configuration.nodes import Mapping, Node, Scalar, Sequence
from sla_kit.configuration.places import Place
from sla_kit.interchange.fields import Notes

_UNITS = {"Minute": "m", "Hour": "h", "Day": "d", "Week": "w", "Month": "M", "Quarter": "Q", "Year": "Y"}


def as_v1(document: Mapping, notes: Notes) -> list[Mapping]:
    """A document of v1alpha as v1 would say it; one of v1 as it is. Objectives that have a ratio each are SLOs of their
    own, as Sloth reads them."""
    version = document.get("apiVersion")
    if not isinstance(version, Scalar) or version.text != "openslo/v1alpha":
        return [document]
    kind, spec, metadata = document.get("kind"), document.get("spec"), document.get("metadata")
    if not isinstance(kind, Scalar) or kind.text != "SLO":
        return [document]
    if not isinstance(spec, Mapping) or not isinstance(metadata, Mapping):
        return [document]
    name = metadata.get("name")
    called = name.text if isinstance(name, Scalar) else "unnamed"
    entries = _common(spec, called, notes)
    objectives = entries.get("objectives")
    if objectives is None or not isinstance(objectives[1], Sequence):
        return [_with(document, spec, metadata, entries, called)]
    method = entries.get("budgetingMethod")
    sliced = method is not None and isinstance(method[1], Scalar) and method[1].text == "Timeslices"
    items = [_sliced(item, notes) if sliced else item for item in objectives[1].items]
    own = [item for item in items if isinstance(item, Mapping) and isinstance(item.get("ratioMetrics"), Mapping)]
    if not own:
        entries["objectives"] = objectives[0], Sequence(objectives[1].place, tuple(items))
        return [_with(document, spec, metadata, entries, called)]
    found = []
    for number, item in enumerate(items, 1):
        each = f"{called}-{number}" if len(items) > 1 else called
        rest, indicator = _objective(item, each)
        more = dict(entries)
        if indicator is not None:
            more["indicator"] = item.place, indicator
        more["objectives"] = objectives[0], Sequence(objectives[1].place, (rest,))
        found.append(_with(document, spec, metadata, more, each))
    return found


_Entries = dict[str, tuple[Place, Node]]


def _with(document: Mapping, spec: Mapping, metadata: Mapping, entries: _Entries, called: str) -> Mapping:
    named = dict(metadata.entries)
    if "name" in named:
        place = named["name"][1].place
        named["name"] = named["name"][0], Scalar(place, called, "str")
    whole = dict(document.entries)
    whole["metadata"] = whole["metadata"][0], Mapping(metadata.place, named)
    whole["spec"] = whole["spec"][0], Mapping(spec.place, entries)
    return Mapping(document.place, whole)


def _common(spec: Mapping, called: str, notes: Notes) -> _Entries:
    entries = dict(spec.entries)
    if "timeWindows" in entries:
        place, windows = entries.pop("timeWindows")
        items = windows.items if isinstance(windows, Sequence) else ()
        entries["timeWindow"] = place, Sequence(place, tuple(_window(item, notes) for item in items))
    if "indicator" in entries:
        place, indicator = entries["indicator"]
        metric = indicator.get("thresholdMetric") if isinstance(indicator, Mapping) else None
        if isinstance(metric, Mapping):
            entries["indicator"] = place, _indicator(place, called, "thresholdMetric", _metric(metric))
    return entries


def _sliced(item: Node, notes: Notes) -> Node:
    """An objective with slices, which v1alpha lets it leave out."""
    if not isinstance(item, Mapping):
        return item
    entries = dict(item.entries)
    target = entries.get("target")
    if "timeSliceWindow" not in entries:
        entries["timeSliceWindow"] = item.place, Scalar(item.place, "1m", "str")
        notes.left(item.place, "no timeSliceWindow", "time slices have a length", "1m is taken")
    if "timeSliceTarget" not in entries and target is not None:
        entries["timeSliceTarget"] = target
        notes.left(item.place, "no timeSliceTarget", "a slice is good or bad", "the target is taken")
    return Mapping(item.place, entries)


def _objective(item: Node, called: str) -> tuple[Node, Mapping | None]:
    """An objective without its ratio, and that as an indicator."""
    ratio = item.get("ratioMetrics") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or not isinstance(ratio, Mapping):
        return item, None
    place = item.entries["ratioMetrics"][0]
    metric: dict[str, tuple[Place, Node]] = {}
    for key, (at, value) in ratio.entries.items():
        if key in ("good", "bad", "total") and isinstance(value, Mapping):
            metric[key] = at, _metric(value)
        else:  # called incremental or counter
            metric["counter" if key == "incremental" else key] = at, value
    entries = {key: entry for key, entry in item.entries.items() if key != "ratioMetrics"}
    return Mapping(item.place, entries), _indicator(place, called, "ratioMetric", Mapping(place, metric))


def _indicator(place: Place, called: str, kind: str, metric: Mapping) -> Mapping:
    spec = Mapping(place, {kind: (place, metric)})
    metadata = Mapping(place, {"name": (place, Scalar(place, called, "str"))})
    return Mapping(place, {"metadata": (place, metadata), "spec": (place, spec)})


def _metric(node: Mapping) -> Mapping:
    """``source``, ``queryType`` and ``query`` as a metric source."""
    source = {"type": node.entries["source"]} if "source" in node.entries else {}
    query = {key: entry for key, entry in node.entries.items() if key not in ("source", "queryType")}
    place = node.place
    inner = Mapping(place, {**source, "spec": (place, Mapping(place, query))})
    return Mapping(place, {"metricSource": (place, inner)})


def _window(item: Node, notes: Notes) -> Node:
    if not isinstance(item, Mapping):
        return item
    count, unit = item.get("count"), item.get("unit")
    entries = {key: entry for key, entry in item.entries.items() if key not in ("count", "unit")}
    if isinstance(count, Scalar) and isinstance(unit, Scalar):
        letter = _UNITS.get(unit.text, "")
        if not letter:
            notes.wrong(unit.place, f"unit can't be {unit.text[:60]!r}", f"one of {', '.join(_UNITS)}")
        entries["duration"] = count.place, Scalar(count.place, f"{count.text}{letter or 'd'}", "str")
    if "calendar" not in entries and "isRolling" not in entries:
        entries["isRolling"] = item.place, Scalar(item.place, "true", "bool")
    return Mapping(item.place, entries)
