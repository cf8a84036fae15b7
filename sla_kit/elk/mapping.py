"""The mapping of the data stream: the types of `sla_kit.logs.mapping`, for the fields that a catalogue names."""

from __future__ import annotations

from typing import Any

from sla_kit.catalogue.logs import LogFields
from sla_kit.logs.mapping import FIELDS, mappings

#: What the ingest pipeline and the shippers write besides.
_MORE = {
    "event.original": "keyword",
    "host.ip": "ip",
    "log.offset": "long",
    "user_agent.device.name": "keyword",
    "user_agent.name": "keyword",
    "user_agent.os.name": "keyword",
    "user_agent.version": "keyword",
}
#: What a field holds whatever a catalogue calls it; the others hold keywords.
_KINDS = {
    "time": "date",
    "ingested": "date",
    "status": "integer",
    "duration": "long",
    "message": "text",
    "error_message": "text",
    "stack": "text",
}
_UNIT = "duration_unit_seconds"
#: From this unit of durations on a fraction of it counts.
_COARSE_SECONDS = 1e-3


def kinds(fields: LogFields) -> dict[str, str]:
    """The type of each field by its dotted name. A field that a catalogue names goes before those of ECS that can't be
    beside it: where ``log`` holds the level there is no ``log.file.path``."""
    found = _named(fields)
    for name, kind in (FIELDS | _MORE).items():
        if not any(name == other or _within(name, other) or _within(other, name) for other in found):
            found[name] = kind
    return dict(sorted(found.items()))


def mapping(fields: LogFields) -> dict[str, Any]:
    """The whole mapping of an index of the stream."""
    return mappings(kinds(fields))


def _named(fields: LogFields) -> dict[str, str]:
    """The fields that a catalogue calls by names of its own, or whose unit is its own."""
    usual = LogFields()
    found = {}
    for role in LogFields.__struct_fields__:
        if role != _UNIT and getattr(fields, role) != getattr(usual, role):
            found[getattr(fields, role)] = _KINDS.get(role, "keyword")
    if fields.duration_unit_seconds >= _COARSE_SECONDS:
        found[fields.duration] = "float"
    return found


def _within(name: str, other: str) -> bool:
    return name.startswith(f"{other}.")
