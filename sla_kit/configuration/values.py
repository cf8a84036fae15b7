"""What the structs of a configuration are made of: forms of numbers and texts, and the struct that all of them are."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

_DURATION = r"^\s*(\d+(\.\d+)?\s*(ms|s|m|h|d|w|y)\s*)+$"
_RATIO = r"^\s*\d+(\.\d+)?\s*%\s*$"

#: A length of time in seconds; in YAML also "15m", "1h30m", "100ms", "30d".
Duration = Annotated[
    float,
    Meta(
        extra={"form": "duration"},
        extra_json_schema={"type": ["number", "string"], "pattern": _DURATION, "examples": ["15m", "100ms", 30]},
    ),
]
#: A share from 0 to 1; in YAML also "99.9 %", and a bare number above 1 is a percentage.
Ratio = Annotated[
    float,
    Meta(
        extra={"form": "ratio"},
        extra_json_schema={"type": ["number", "string"], "pattern": _RATIO, "examples": ["99.99%", 0.9999]},
    ),
]
#: A name that other parts refer to: letters, digits, "-", "_", ".".
Name = Annotated[str, Meta(extra={"form": "name"}, extra_json_schema={"pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"})]
#: A text that loading sets and no file says.
Unwritten = Annotated[str, Meta(extra={"form": "unwritten"})]


class Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of a configuration is: frozen, built by keyword, closed to unknown keys."""
