"""What the catalogue's structs are made of: forms of numbers and texts, and the struct that all of them are."""

from __future__ import annotations

from typing import Annotated, Any

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
#: A date and time; in YAML RFC 3339, or a local time that the calendar's time zone completes. Kept as text, since a
#: recurring event means the same wall-clock time on both sides of a daylight-saving change.
LocalTime = Annotated[str, Meta(extra={"form": "time"})]
#: A name that other parts of the catalogue refer to: letters, digits, "-", "_", ".".
Name = Annotated[str, Meta(extra={"form": "name"}, extra_json_schema={"pattern": r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"})]
#: Label matchers: "api" means equal, "=~5.." a regular expression, "!=x" and "!~x" their negations; a list means any
#: of.
Matchers = dict[str, str | list[str]]

#: Labels as OpenSLO has them: a text or several under one key. They change no figure.
Labels = dict[str, str | list[str]]
#: A question in the words of a source that sla-kit does not read, whatever its keys are.
ForeignQuery = dict[str, Any]


class Value(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every part of the catalogue is: frozen, built by keyword, closed to unknown keys."""
