"""A document as error tracking reads it: what an answer says of one, and its fingerprint.

Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sla_kit.catalogue.logs import LogFields
from sla_kit.error_tracking.results import Example
from sla_kit.logs.fingerprint import Fingerprint, fingerprint, normalised, redacted_message

_LONGEST_MESSAGE, _LONGEST_STACK = 2000, 8000


@dataclass(frozen=True, slots=True)
class Document:
    """One document that is an error; what it lacks is empty."""

    time: float
    service: str
    type: str
    level: str
    message: str
    stack: str
    key: str
    name: str
    version: str
    user: str
    host: str
    trace: str

    @classmethod
    def of(cls, hit: Mapping[str, Any], fields: LogFields) -> Document:
        """The document behind a hit."""
        found: Mapping[str, Any] = hit.get("fields") or {}

        def text(name: str) -> str:
            values = found.get(name) or [""]
            return "" if values[0] is None else str(values[0])

        return cls(
            time=_seconds(found.get(fields.time)),
            service=text(fields.service),
            type=text(fields.error_type),
            level=text(fields.level),
            message=text(fields.error_message) or text(fields.message),
            stack=text(fields.stack),
            key=text(fields.group),
            name=text("error.grouping_name"),
            version=text(fields.version),
            user=text(fields.user),
            host=text(fields.host),
            trace=text(fields.trace),
        )

    def fingerprint(self) -> Fingerprint:
        """What groups it, whatever key it brought."""
        return fingerprint(self.type, self.message, self.stack)

    def words(self) -> str:
        """Its normalised message, for people."""
        return normalised(self.message)

    def example(self) -> Example:
        """The document for people, without its secrets."""
        return Example(
            time=self.time,
            message=redacted_message(self.message, _LONGEST_MESSAGE),
            host=redacted_message(self.host, 200),
            version=redacted_message(self.version, 200),
            trace=self.trace[:200],
            stack=redacted_message(self.stack, _LONGEST_STACK),
        )


def _seconds(values: object) -> float:
    first = values[0] if isinstance(values, list) and values else 0
    try:
        return float(first) / 1000.0
    except (TypeError, ValueError):
        return 0.0
