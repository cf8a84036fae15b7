"""What the catalogue's structs are made of beside the forms that every configuration has."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

#: A date and time; in YAML RFC 3339, or a local time that the calendar's time zone completes. Kept as text, since a
#: recurring event means the same wall-clock time on both sides of a daylight-saving change.
LocalTime = Annotated[str, Meta(extra={"form": "time"})]
#: Label matchers: "api" means equal, "=~5.." a regular expression, "!=x" and "!~x" their negations; a list means any
#: of.
Matchers = dict[str, str | list[str]]

#: Labels as OpenSLO has them: a text or several under one key. They change no figure.
Labels = dict[str, str | list[str]]
#: A question in the words of a source that sla-kit does not read, whatever its keys are.
ForeignQuery = dict[str, Any]
