"""Recording rules put in: how an expression is asked of a history that lacks what other rules record.

A recorded series is read either where it stands, as an expression of its own (always exact, and dear where ranges of
it are long), or from samples that were recorded into the history beforehand (`Recordings.wanted`). The second kind is
read by ``last_over_time`` over less than its interval, since recorded samples carry no marks of staleness: a series
that ends would otherwise be seen for five minutes more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sla_kit.backtest.expressions import Reading, lookback_seconds, readings, replacement, rewritten
from sla_kit.backtest.rule_files import Group
from sla_kit.configuration.places import Place
from sla_kit.rules.model import RecordingRule
from sla_kit.selectors import Matcher, quote

#: A recording that more expressions read than this is cheaper recorded than put in.
_MOST_USES, _VERY_MANY = 2, 1_000_000
#: So are those that would make an expression longer than this.
_LONGEST = 8_000
#: A label that nobody uses, to mark what a regular expression matches.
_MARK = "__sla_kit_matches__"


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording rule, evaluated every ``interval`` seconds."""

    rule: RecordingRule
    interval: int
    place: Place


#: One of the rules that record a name: the name, and its number among them.
Node = tuple[str, int]


class CycleError(ValueError):
    """Recording rules that read one another in a circle: what they hold depends on when they began."""


def _no_circle(node: Node, within: tuple[Node, ...]) -> None:
    if node in within:
        raise CycleError(" reads ".join(name for name, _ in [*within[within.index(node) :], node]))


def recordings_of(groups: Iterable[Group], interval: int) -> dict[str, list[Recording]]:
    """The recording rules of some groups by the name of what they record; ``interval`` is the server's own."""
    found: dict[str, list[Recording]] = {}
    for group in groups:
        every = seconds_between(group, interval)
        for placed in group.rules:
            if isinstance(placed.rule, RecordingRule):
                found.setdefault(placed.rule.record, []).append(Recording(placed.rule, every, placed.place))
    return found


def seconds_between(group: Group, interval: int) -> int:
    """The whole seconds between two evaluations of a group."""
    return max(1, round(group.interval_seconds or interval))


class Recordings:
    """The recording rules of a run; ``wanted`` are the names that are in the history, or will be when it is asked."""

    def __init__(self, by_name: Mapping[str, Sequence[Recording]], wanted: frozenset[str] = frozenset()) -> None:
        self.by_name = by_name
        self.wanted = wanted

    def resolved(self, expression: str, interval: int, within: tuple[Node, ...] = ()) -> str:
        """The expression as it is asked every ``interval`` seconds. Raises `CycleError`."""

        def change(reading: Reading) -> str | None:
            name = reading.metric
            if not name or name not in self.by_name or not reading.plain:
                return None
            fitting = [number for number, one in enumerate(self.by_name[name]) if _may_give(one, reading.matchers)]
            if not fitting:
                return None
            if name in self.wanted:
                return _recorded(expression, reading, [self.by_name[name][number] for number in fitting])
            for number in fitting:
                _no_circle((name, number), within)
            return self._put_in(reading, name, fitting, interval, within)

        return rewritten(expression, change)

    def gives(self, reading: Reading) -> bool:
        """Whether a selector reads what these rules record, and no samples of the history."""
        rules = self.by_name.get(reading.metric, ())
        return any(not reading.plain or _may_give(one, reading.matchers) for one in rules)

    def read_by(self, expression: str) -> Iterator[Node]:
        """The rules whose recordings an expression itself reads."""
        found = ((name, number) for name, _, fitting in self._reads(expression) for number in fitting)
        yield from dict.fromkeys(found)

    def _reads(self, expression: str) -> Iterator[tuple[str, bool, tuple[int, ...]]]:
        """The recordings that an expression itself reads: the name, whether in a way that can't be put in well (a range
        of them, or by a pattern of names), and which of the rules that record it."""
        for reading in dict.fromkeys(replace(one, start=0, end=0, absent=None) for one in readings(expression)):
            for name in [reading.metric] if reading.metric else self.by_name:
                if name in self.by_name and reading.reads(name):
                    rules = self.by_name[name]
                    fitting = tuple(n for n, one in enumerate(rules) if _may_give(one, reading.matchers))
                    if fitting:
                        yield name, bool(reading.range) or not reading.metric or not reading.plain, fitting

    def needed(self, expressions: Iterable[str]) -> dict[str, int]:
        """All recordings that some expressions need, directly or not, and how many expressions read the rule of each
        that is read most; those that must be recorded count as read by very many."""
        uses: dict[str, dict[int, int]] = {}
        waiting, seen = list(expressions), set[tuple[str, int]]()
        while waiting:
            for name, must, fitting in self._reads(waiting.pop()):
                each = uses.setdefault(name, {})
                for number in fitting:
                    each[number] = each.get(number, 0) + (_VERY_MANY if must else 1)
                    if (name, number) not in seen:
                        seen.add((name, number))
                        waiting.append(self.by_name[name][number].rule.expression)
        return {name: max(each.values(), default=0) for name, each in uses.items()}

    def worth_recording(self, expressions: Sequence[str]) -> frozenset[str]:
        """Which recordings are better recorded beforehand than put in."""
        uses = self.needed(expressions)
        wanted = {name for name, count in uses.items() if count > _MOST_USES}
        for name in sorted(uses.keys() - wanted):
            trial = Recordings(self.by_name, frozenset(wanted))
            try:
                longest = max(len(trial.resolved(one.rule.expression, one.interval)) for one in self.by_name[name])
            except CycleError:
                continue
            if longest > _LONGEST:
                wanted.add(name)
        return frozenset(wanted)

    def levels(self, expressions: Iterable[str]) -> list[list[Node]]:
        """The rules of ``wanted`` recordings that some expressions need, those first that read no others. Raises
        `CycleError`."""
        depth: dict[Node, int] = {}

        def level(node: Node, within: tuple[Node, ...]) -> int:
            _no_circle(node, within)
            if node not in depth:
                inner = self.read_by(self.rule(node).rule.expression)
                below = [level(other, (*within, node)) for other in inner]
                depth[node] = max(below, default=0) + (1 if node[0] in self.wanted else 0)
            return depth[node]

        for expression in expressions:
            for node in self.read_by(expression):
                level(node, ())
        found: dict[int, list[Node]] = {}
        for node in sorted(depth):
            if node[0] in self.wanted:
                found.setdefault(depth[node], []).append(node)
        return [found[each] for each in sorted(found)]

    def rule(self, node: Node) -> Recording:
        """The recording rule that a name and a number mean."""
        return self.by_name[node[0]][node[1]]

    def begins(self, expressions: Iterable[tuple[str, float]]) -> dict[Node, float]:
        """From when on each recording rule is read, given expressions that read in no circle and when they are first
        asked, epoch seconds."""
        starts: dict[Node, float] = {}
        waiting = list(expressions)
        while waiting:
            expression, start = waiting.pop()
            back = start - lookback_seconds(expression)
            for node in self.read_by(expression):
                from_when = back - self.rule(node).interval
                if from_when < starts.get(node, float("inf")):
                    starts[node] = from_when
                    waiting.append((self.rule(node).rule.expression, from_when))
        return starts

    def _put_in(
        self, reading: Reading, name: str, numbers: Sequence[int], interval: int, within: tuple[Node, ...]
    ) -> str:
        fitting = [self.by_name[name][number] for number in numbers]
        sides = [
            self._value(one, reading.matchers, (*within, (name, number)))
            for number, one in zip(numbers, fitting, strict=True)
        ]
        value = sides[0] if len(sides) == 1 else "(" + " or ".join(sides) + ")"
        every = max(one.interval for one in fitting)
        if reading.range:
            return f"{value}[{reading.range}:{every}s] {reading.modifiers}".rstrip()
        if reading.modifiers or interval % every:
            return f"last_over_time({value}[{every * 1000 - 1}ms:{every}s] {reading.modifiers})"
        return value

    def _value(self, one: Recording, matchers: Sequence[Matcher], within: tuple[Node, ...]) -> str:
        """What a rule records, in parentheses, as far as the matchers let it through."""
        text = f"({self.resolved(one.rule.expression.strip(), one.interval, within)}\n)"
        for label, value in one.rule.labels.items():
            text = f'label_replace({text}, "{label}", {replacement(value)}, "", "")'
        for matcher in matchers:
            if matcher.label not in one.rule.labels:
                text = _filtered(text, matcher)
        return text if text.startswith("(") else f"({text})"


def _recorded(expression: str, reading: Reading, fitting: Sequence[Recording]) -> str | None:
    """A selector of recorded samples; a range needs no change."""
    if reading.range:
        return None
    text = expression[reading.start : reading.end].strip()
    bare = text[: len(text) - len(reading.modifiers)].rstrip() if reading.modifiers else text
    every = max(one.interval for one in fitting) * 1000 - 1
    return f"last_over_time({bare}[{every}ms] {reading.modifiers})"


def _may_give(one: Recording, matchers: Sequence[Matcher]) -> bool:
    """Whether a rule may record series that match: the labels which it sets itself are known."""
    for matcher in matchers:
        if matcher.label in one.rule.labels:
            try:
                if not matcher.predicate()(one.rule.labels[matcher.label]):
                    return False
            except Exception:  # noqa: S112  # a pattern that only RE2 reads may match
                continue
    return True


def _filtered(text: str, matcher: Matcher) -> str:
    """An expression's series that match: PromQL has matchers for selectors only, so sides are compared instead."""
    keep = "and" if matcher.operator in ("=", "=~") else "unless"
    if matcher.operator in ("=", "!="):
        side = f'label_replace(vector(1), "{matcher.label}", {replacement(matcher.value)}, "", "")'
        return f"({text} {keep} on ({matcher.label}) {side})"
    marked = f'label_replace({text}, "{_MARK}", "1", "{matcher.label}", {quote(matcher.value)})'
    side = f'label_replace(vector(1), "{_MARK}", "1", "", "")'
    return f'(label_replace({marked} {keep} on ({_MARK}) {side}, "{_MARK}", "", "", ""))'
