"""What is bound to the parameters of a question, from the texts that a configuration has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from sla_kit.configuration.quantities import parse_duration
from sla_kit.exporters.business.sources import Parameter

#: Bound by the exporter to how far a query has counted, and to how long a row is left to settle.
SINCE, SETTLE_SECONDS = "since", "settle_seconds"
_NUMBER = re.compile(r"-?(0|[1-9]\d{0,17})(\.\d+)?")
_DURATION = re.compile(r"(\d+(\.\d+)?\s*(ms|s|m|h|d|w|y)\s*)+")


def bound(texts: Mapping[str, str]) -> dict[str, Parameter]:
    """Each text as a number where it is written as one; a duration (``5m``) stays a text and is bound once more, in
    seconds, to NAME_seconds. A zero in front (``007``) makes it a text."""
    found: dict[str, Parameter] = {}
    for name, text in texts.items():
        if _DURATION.fullmatch(text):
            seconds = parse_duration(text)
            found[f"{name}_seconds"] = int(seconds) if seconds == int(seconds) else seconds
        if (number := _NUMBER.fullmatch(text)) is None:
            found[name] = text
        else:
            found[name] = float(text) if number[2] else int(text)
    return found


def names(texts: Mapping[str, Iterable[str]]) -> frozenset[str]:
    """The parameters that are bound for every one of the values that each may have."""
    found = set(texts)
    for name, values in texts.items():
        if all(_DURATION.fullmatch(value) for value in values):
            found.add(f"{name}_seconds")
    return frozenset(found)
