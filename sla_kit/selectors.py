"""Which series of a metric are meant: matchers as the catalogue writes them, and as PromQL."""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from sla_kit.catalogue.model import Matchers, Requests

_OPERATORS = ("=~", "!~", "!=", "=")


class Matcher(msgspec.Struct, frozen=True, order=True):
    """One label matcher: ``operator`` is =, !=, =~ or !~ with Prometheus's meaning (regular expressions are
    anchored at both ends; a missing label equals the empty string)."""

    label: str
    operator: str
    value: str

    @classmethod
    def parse(cls, label: str, text: str | list[str]) -> Matcher:
        """A matcher as the catalogue writes it: ``"api"``, ``"=~5.."``, ``"!=x"``, ``"!~x"`` or a list of values."""
        if isinstance(text, list):
            return cls(label, "=~", "|".join(re.escape(value) for value in text))
        for operator in _OPERATORS:
            if text.startswith(operator):
                return cls(label, operator, text[len(operator) :])
        return cls(label, "=", text)

    def predicate(self) -> Callable[[str], bool]:
        """A function that tells whether a label's value matches."""
        wanted, value = self.operator in ("=", "=~"), self.value
        if self.operator in ("=", "!="):
            return lambda text: (text == value) is wanted
        pattern = re.compile(value, re.DOTALL)
        return lambda text: (pattern.fullmatch(text) is not None) is wanted


class Selector(msgspec.Struct, frozen=True):
    """A metric and its matchers, sorted by label."""

    metric: str
    matchers: tuple[Matcher, ...] = ()

    @classmethod
    def of(cls, metric: str, *parts: Matchers) -> Selector:
        """The selector of a metric with the matchers of several mappings, all of which must hold."""
        matchers = {Matcher.parse(label, value) for part in parts for label, value in part.items()}
        return cls(metric, tuple(sorted(matchers)))

    def promql(self) -> str:
        """The selector as PromQL."""
        return self.metric + "{" + ",".join(f"{m.label}{m.operator}{quote(m.value)}" for m in self.matchers) + "}"


def quote(text: str) -> str:
    """A string literal of PromQL."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


class Side(msgspec.Struct, frozen=True):
    """The declared side of a requests indicator: ``name`` is good or bad. ``matchers`` come on top of the indicator's
    own; ``metric`` is where that side is counted."""

    name: str
    metric: str
    matchers: Matchers


def side_of(sli: Requests) -> Side:
    """The side that an indicator declares."""
    if sli.good is not None or sli.good_metric is not None:
        return Side("good", sli.good_metric or sli.metric, sli.good or {})
    return Side("bad", sli.bad_metric or sli.metric, sli.bad or {})
