"""Dotted names of StatsD as metrics with labels: ``api.*.*.requests`` as in statsd_exporter's glob mappings."""

from __future__ import annotations

import re
from collections.abc import Mapping as ReadOnly
from collections.abc import Sequence

import msgspec

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.values import Value

_REFERENCE = re.compile(r"\$(?:\{(\d+)\}|(\d+))")
#: Names are whatever the network sends: only so many answers are remembered.
_REMEMBERED = 2_000


class Mapping(Value, frozen=True, kw_only=True):
    """Names like ``match`` are the metric ``name``; ``*`` is one part between dots, and ``$1`` in a label's value the
    first of them."""

    match: str
    name: str
    labels: dict[str, str] = msgspec.field(default_factory=dict)


def check_mapping(mapping: Mapping, findings: Findings, path: Part) -> None:
    """Says what is wrong with a mapping itself."""
    parts = mapping.match.split(".")
    if any(not part or ("*" in part and part != "*") for part in parts) or re.search(r"[:|\s]", mapping.match):
        findings.say((*path, "match"), f"{mapping.match!r} is no pattern", "parts between dots, such as api.*.requests")
    stars = parts.count("*")
    for label, value in mapping.labels.items():
        for number in (int(one or other) for one, other in _REFERENCE.findall(value)):
            if not 1 <= number <= stars:
                findings.say((*path, "labels", label), f"${number} is none of the {stars} * in match")


class Mappings:
    """Several mappings, of which the first that matches counts."""

    def __init__(self, mappings: Sequence[Mapping]) -> None:
        self._known: dict[str, tuple[str, ReadOnly[str, str]] | None] = {}
        self._patterns = [
            (
                re.compile(r"\.".join("([^.]+)" if part == "*" else re.escape(part) for part in each.match.split("."))),
                each,
            )
            for each in mappings
        ]

    def find(self, name: str) -> tuple[str, ReadOnly[str, str]] | None:
        """The metric and labels that a name of StatsD stands for, None where nothing matches."""
        if name in self._known:
            return self._known[name]
        found = None
        for pattern, mapping in self._patterns:
            if match := pattern.fullmatch(name):
                labels = {label: _filled(value, match) for label, value in mapping.labels.items()}
                found = (mapping.name, labels)
                break
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[name] = found
        return found


def _filled(text: str, match: re.Match[str]) -> str:
    return _REFERENCE.sub(lambda reference: match[int(reference[1] or reference[2])], text)
