"""The JSON Schema of a catalogue's files, with which editors complete and check while somebody writes.

It comes from the structs themselves; here is added what only YAML has: text for durations, ratios and windows,
environments as overlays, and files that are a part of a folder. Names that refer to others, and figures that
can't be, are left to `sla-kit check`.
"""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from sla_kit.catalogue.model import Catalogue, Dependency, Part, Window

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_DURATION = r"^\s*(\d+(\.\d+)?|(\d+(\.\d+)?\s*(ms|s|m|h|d|w|y)\s*)+)\s*$"
_OVERLAID = "Overlay"
#: What has a short form and is replaced as a whole by an overlay.
_WHOLE = {Window.__name__, Part.__name__, Dependency.__name__}

_Schema = dict[str, Any]


def json_schema() -> _Schema:
    """The schema (2020-12) of one file.

    Nothing is required at the top, since a file may be a part of a folder. The definitions named ``Overlay…`` are
    those of an environment: every key may be left out, null takes a value away, and lists of things with a name may
    be mappings from name to what differs.
    """
    definitions: dict[str, _Schema] = {}
    for name, definition in msgspec.json.schema(Catalogue)["$defs"].items():
        definitions[name] = _written(definition)
        if "description" in definition:
            definitions[name]["description"] = _prose(definition["description"])
    definitions[Window.__name__] = _window(definitions[Window.__name__])
    for short in (Part, Dependency):
        definitions[short.__name__] = _or_name(definitions[short.__name__])
    whole = definitions.pop(Catalogue.__name__)
    del whole["properties"]["folder"]  # set by loading
    laid = {**whole, "properties": {key: value for key, value in whole["properties"].items() if key != "environment"}}
    overlays = {
        _OVERLAID + name: _partial(definition, definitions)
        for name, definition in {**definitions, "": laid}.items()
        if name not in _WHOLE
    }
    return {
        "$schema": _DIALECT,
        "title": "sla-kit catalogue",
        "description": whole["description"],
        "type": "object",
        "properties": {
            **whole["properties"],
            "environments": {
                "description": "What differs from the rest in an environment, by the environment's name.",
                "type": "object",
                "additionalProperties": {"anyOf": [_reference(_OVERLAID), {"type": "null"}]},
            },
        },
        "additionalProperties": False,
        "$defs": {**definitions, **overlays},
    }


def _reference(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name}"}


def _written(schema: Any) -> Any:
    """A schema of values as one of what stands in YAML."""
    if isinstance(schema, list):
        return [_written(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    written = {key: _written(value) for key, value in schema.items() if key != "discriminator"}
    if written.get("type") == "number" and "pattern" in written:
        written["type"] = ["number", "string"]
        if "%" in written["pattern"]:
            written["pattern"] = r"^\s*\d+(\.\d+)?\s*%?\s*$"
        else:
            written["pattern"] = _DURATION
            written["minimum"] = 0
    values = written.get("additionalProperties")
    if isinstance(values, dict) and {"type": "string"} in values.get("anyOf", []):
        # The values of matchers: a status of 500 is no less a label for being written without quotes.
        bare = {"type": ["string", "number", "boolean"]}
        written["additionalProperties"] = {"anyOf": [bare, {"type": "array", "items": bare}]}
    return written


def _prose(docstring: str) -> str:
    return " ".join(inspect.cleandoc(docstring).replace("``", "`").split())


def _window(structure: _Schema) -> _Schema:
    periods = next(option["enum"] for option in structure["properties"]["calendar"]["anyOf"] if "enum" in option)
    return {
        "description": structure["description"],
        "anyOf": [
            {"enum": periods},
            {"type": ["number", "string"], "pattern": _DURATION, "exclusiveMinimum": 0, "examples": ["30d", "7d"]},
            {key: value for key, value in structure.items() if key != "description"},
        ],
    }


def _or_name(structure: _Schema) -> _Schema:
    """Something that may be written as the name of an SLO alone."""
    return {
        "description": structure["description"],
        "anyOf": [
            {"type": "string", "examples": ["availability", "api/availability"]},
            {key: value for key, value in structure.items() if key != "description"},
        ],
    }


def _partial(schema: _Schema, definitions: dict[str, _Schema]) -> _Schema:
    """A struct's schema for an overlay."""
    partial = {key: value for key, value in schema.items() if key != "required"}
    partial["properties"] = {
        key: {"anyOf": [_overlaid(value, definitions), {"type": "null"}]} for key, value in schema["properties"].items()
    }
    return partial


def _overlaid(schema: _Schema, definitions: dict[str, _Schema]) -> _Schema:
    name = str(schema.get("$ref", "")).rpartition("/")[2]
    if name and name not in _WHOLE:
        return _reference(_OVERLAID + name)
    overlaid = {key: value for key, value in schema.items() if key != "default"}
    if "anyOf" in overlaid:
        overlaid["anyOf"] = [_overlaid(option, definitions) for option in overlaid["anyOf"]]
    if isinstance(overlaid.get("additionalProperties"), dict):
        values = _overlaid(overlaid["additionalProperties"], definitions)
        overlaid["additionalProperties"] = {"anyOf": [values, {"type": "null"}]}
    item = str(overlaid.get("items", {}).get("$ref", "")).rpartition("/")[2]
    if item and "name" in definitions[item].get("properties", {}):
        change = _reference(_OVERLAID + item)
        listed = {**overlaid, "items": {"allOf": [change], "required": ["name"]}}
        by_name = {"type": "object", "additionalProperties": {"anyOf": [change, {"type": "null"}]}}
        return {"anyOf": [listed, by_name]}
    return overlaid
