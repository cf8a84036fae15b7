"""What makes what superfluous, by Alertmanager's inhibition rules: in a storm it points at the likely root."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sla_kit.routing.events import Labels

_MATCHER = re.compile(r'\s*([^=!~\s]+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*')
_Matches = Callable[[Labels], bool]


@dataclass(frozen=True, slots=True)
class _Rule:
    sources: list[_Matches]
    targets: list[_Matches]
    equal: list[str]

    def kinds(self, labels: Labels) -> tuple[bool, bool]:
        """Whether it makes others superfluous, and whether it is made so itself."""
        return self._all(self.sources, labels), self._all(self.targets, labels)

    @staticmethod
    def _all(matchers: list[_Matches], labels: Labels) -> bool:
        return all(matches(labels) for matches in matchers)


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
                source, target = rule.kinds(labels)
                if source != target:
                    of = tuple(labels.get(name, "") for name in rule.equal)
                    (sources if source else targets)[of].append(number)
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

    @lru_cache(maxsize=4096)  # the same few values again and again
    def fits(text: str) -> bool:
        return (pattern.fullmatch(text) is not None) == (operator == "=~")

    return lambda labels: fits(labels.get(name, ""))
