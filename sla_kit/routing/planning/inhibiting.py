"""What makes what superfluous, by Alertmanager's inhibition rules: in a storm it points at the likely root."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sla_kit.routing.events import Labels

_MATCHER = re.compile(r'\s*([^=!~\s]+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*')
_Matches = Callable[[Labels], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    sources: list[_Matches]
    targets: list[_Matches]
    equal: list[str]


class Inhibitions:
    """Rules as `sla_kit.generate.alertmanager.inhibitions` writes them."""

    def __init__(self, rules: Sequence[Mapping[str, Any]]) -> None:
        self._rules = [
            _Rule(
                [_matcher(each) for each in rule["source_matchers"]],
                [_matcher(each) for each in rule["target_matchers"]],
                list(rule["equal"]),
            )
            for rule in rules
        ]

    def counts(self, alerts: Sequence[Labels]) -> list[int]:
        """For each alert how many of the others it makes superfluous. Alerts that do so to each other count neither
        way. Time grows with rules times alerts."""
        found: list[set[int]] = [set() for _ in alerts]
        for rule in self._rules:
            sources: dict[tuple[str, ...], list[int]] = defaultdict(list)
            targets: dict[tuple[str, ...], list[int]] = defaultdict(list)
            for number, labels in enumerate(alerts):
                of = tuple(labels.get(name, "") for name in rule.equal)
                source = all(matches(labels) for matches in rule.sources)
                target = all(matches(labels) for matches in rule.targets)
                if source and not target:
                    sources[of].append(number)
                elif target and not source:
                    targets[of].append(number)
            for of, numbers in sources.items():
                for number in numbers:
                    found[number].update(targets.get(of, ()))
        return [len(each) for each in found]


def _matcher(text: str) -> _Matches:
    match = _MATCHER.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no matcher")
    name, operator, quoted = match.groups()
    value = quoted.replace('\\"', '"').replace("\\\\", "\\")
    if operator == "=":
        return lambda labels: labels.get(name, "") == value
    if operator == "!=":
        return lambda labels: labels.get(name, "") != value
    pattern = re.compile(value)
    if operator == "=~":
        return lambda labels: pattern.fullmatch(labels.get(name, "")) is not None
    return lambda labels: pattern.fullmatch(labels.get(name, "")) is None
