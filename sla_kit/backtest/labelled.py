"""Incidents that somebody wrote down: a file in YAML, JSON or CSV.

YAML and JSON hold a list, or ``incidents:`` with one, of mappings with start, end (or duration) and, where known, name,
service, slo and alerts; a truth.json of the simulator is read as well. CSV has the same names in its first line, alerts
separated by blanks. Times are RFC 3339 with their zone, or seconds.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from sla_kit.backtest.results import KnownIncident
from sla_kit.configuration.nodes import Mapping, Node, Scalar, is_null, parse, read_text
from sla_kit.configuration.nodes import Sequence as ListNode
from sla_kit.configuration.places import Place, nearest
from sla_kit.configuration.quantities import parse_duration
from sla_kit.errors import CatalogueError, Mistake

_KEYS = ("name", "service", "slo", "start", "end", "duration", "alerts")
_Fields = dict[str, tuple[Place, str]]


class IncidentFileError(CatalogueError):
    """A file of incidents can't be read; ``mistakes`` holds every one that was found."""

    exit_code = 2

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(mistakes, "incidents")


def read_incidents(path: Path) -> tuple[KnownIncident, ...]:
    """The incidents of a file, by start. Raises `IncidentFileError` with all mistakes."""
    name = str(path)
    text, mistakes = read_text(path, name, "--incidents names a file of incidents")
    found: list[KnownIncident] = []
    if text is not None:
        rows: Iterator[_Fields]
        if path.suffix == ".csv":
            rows = _from_csv(text, name, mistakes)
        else:
            node, wrong = parse(text, name)
            mistakes += wrong
            rows = _from_tree(node, mistakes) if node is not None else iter(())
            if node is None and not wrong:
                mistakes.append(Place(name, 1, 1).mistake("is empty", "write a list of incidents"))
        for fields in rows:
            before = len(mistakes)
            incident = _incident(fields, mistakes)
            if incident is not None and len(mistakes) == before:
                found.append(incident)
    if mistakes:
        raise IncidentFileError(mistakes)
    return tuple(sorted(found, key=lambda one: (one.start, one.end, one.service, one.name)))


def _from_csv(text: str, name: str, mistakes: list[Mistake]) -> Iterator[_Fields]:
    reader = csv.reader(io.StringIO(text))
    try:
        head = [cell.strip().lower() for cell in next(reader, [])]
        for column, key in enumerate(head, 1):
            if key not in _KEYS:
                mistakes.append(Place(name, 1, column).mistake(f"no column is called {key!r}", nearest(key, _KEYS)))
        for row in reader:
            if any(cell.strip() for cell in row):
                place = Place(name, reader.line_num, 1)
                if len(row) > len(head):
                    mistakes.append(place.mistake("has more cells than the first line"))
                yield {key: (place, cell.strip()) for key, cell in zip(head, row, strict=False) if cell.strip()} or {
                    "": (place, "")
                }
    except csv.Error as error:
        mistakes.append(Place(name, reader.line_num, 1).mistake(f"is no CSV: {error}"))


def _from_tree(node: Node, mistakes: list[Mistake]) -> Iterator[_Fields]:
    if isinstance(node, Mapping) and "services" in node.entries and "scenario" in node.entries:
        yield from _from_truth(node)
        return
    inner = node.get("incidents") if isinstance(node, Mapping) else node
    if inner is not None and is_null(inner):
        return
    if not isinstance(inner, ListNode):
        mistakes.append(node.place.mistake("holds no list of incidents", "write incidents: and a list"))
        return
    for item in inner.items:
        if not isinstance(item, Mapping):
            mistakes.append(item.place.mistake("an incident is a mapping", "with start and end"))
            continue
        fields: _Fields = {"": (item.place, "")}
        for key, (place, value) in item.entries.items():
            if key not in _KEYS:
                mistakes.append(place.mistake(f"an incident has no key {key!r}", nearest(key, _KEYS)))
            elif isinstance(value, ListNode) and key == "alerts":
                fields[key] = (place, " ".join(one.text for one in value.items if isinstance(one, Scalar)))
            elif not isinstance(value, Scalar):
                mistakes.append(value.place.mistake(f"{key} must be text"))
            elif value.type != "null":
                fields[key] = (value.place, value.text)
        yield fields


def _from_truth(node: Mapping) -> Iterator[_Fields]:
    """The outages of a simulated history, by service."""
    services = node.get("services")
    for service, (_, told) in services.entries.items() if isinstance(services, Mapping) else ():
        outages = told.get("outages") if isinstance(told, Mapping) else None
        for item in outages.items if isinstance(outages, ListNode) else ():
            if isinstance(item, Mapping):
                fields = {
                    key: (value.place, value.text)
                    for key in ("start", "end")
                    if isinstance(value := item.get(key), Scalar)
                }
                yield {"": (item.place, ""), **fields, "service": (item.place, service)}


def _incident(fields: _Fields, mistakes: list[Mistake]) -> KnownIncident | None:
    place = next(iter(fields.values()))[0]
    times: dict[str, float] = {}
    for key in ("start", "end", "duration"):
        if key in fields:
            where, text = fields[key]
            try:
                times[key] = parse_duration(text) if key == "duration" else _time(text)
            except ValueError as error:
                mistakes.append(where.mistake(f"{key}: {text!r} {error}"))
                return None
    if "start" not in times or ("end" in times) == ("duration" in times):
        lacks = "start" if "start" not in times else "end" if "end" not in times else ""
        said = f"the incident has no {lacks}" if lacks else "the incident has both an end and a duration"
        mistakes.append(place.mistake(said, "give start, and end or duration"))
        return None
    end = times["end"] if "end" in times else times["start"] + times["duration"]
    if end <= times["start"]:
        mistakes.append(place.mistake("the incident ends before it begins"))
        return None
    service = fields.get("service", (place, ""))[1]
    return KnownIncident(
        name=fields.get("name", (place, ""))[1] or service or "incident",
        start=int(times["start"]),
        end=int(end),
        service=service,
        slo=fields.get("slo", (place, ""))[1],
        alerts=tuple(fields.get("alerts", (place, ""))[1].replace(",", " ").split()),
    )


def _time(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        pass
    else:
        if not abs(seconds) < 1e11:
            raise ValueError("is no time in seconds")
        return seconds
    try:
        moment = datetime.fromisoformat(text.replace(" ", "T", 1))
    except ValueError:
        raise ValueError("is no time: write 2026-09-28T14:00:00Z, or seconds") from None
    if moment.tzinfo is None:
        raise ValueError("has no time zone: add Z or an offset such as +02:00")
    return moment.timestamp()
