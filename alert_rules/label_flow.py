"""Which labels the result of an expression has, and whether it is a bare counter: what PromQL itself never checks.

Trees are those of promql-parser. What the functions and operators do to labels is told in Prometheus's documentation
(prometheus.io/docs/prometheus/latest/querying/operators and …/functions).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sla_kit.alert_rules.inventory import TARGET_LABELS, find

#: Functions of a counter's rise, and those that make sense for gauges only.
RISES = frozenset({"rate", "irate", "increase", "resets"})
MOVES = frozenset({"delta", "idelta", "deriv", "predict_linear", "double_exponential_smoothing", "holt_winters"})
#: Functions that leave a counter's level what it is.
_LEVELS = frozenset(
    f"{name}_over_time" for name in ("avg", "last", "max", "min", "quantile", "stddev", "stdvar", "sum")
) | {"abs", "ceil", "clamp", "clamp_max", "clamp_min", "floor", "label_join", "label_replace", "round", "sort"}
_COMPARISONS = frozenset({"==", "!=", ">", "<", ">=", "<="})
_SETS = frozenset({"and", "or", "unless"})
_RANKING = frozenset({"topk", "bottomk", "limitk"})
_COUNTING = frozenset({"count", "group", "count_values"})
_SUBQUERY = "SubqueryExpr"


@dataclass(slots=True)
class Flow:
    """Follows labels through an expression and notes what can't be right on the way.

    ``kept`` are labels that everything scraped has, ``renamed`` says what labels of the inventory are called here,
    ``others`` are series besides the inventory's with their labels (None: any). ``problems`` are in the order of the
    expression.
    """

    kept: frozenset[str]
    renamed: Mapping[str, str] = field(default_factory=dict)
    others: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def labels(self, node: Any) -> frozenset[str] | None:
        """The labels that the result may have; None for a scalar."""
        match type(node).__name__:
            case "VectorSelector":
                return self._of_selector(node)
            case "MatrixSelector":
                return self._of_selector(node.vector_selector)
            case "ParenExpr" | "SubqueryExpr" | "UnaryExpr":
                return self.labels(node.expr)
            case "Call":
                return self._of_call(node)
            case "AggregateExpr":
                return self._of_aggregation(node)
            case "BinaryExpr":
                return self._of_operation(node)
            case _:
                return None

    def _of_selector(self, node: Any) -> frozenset[str]:
        if node.name in self.others:
            return self._of_other(node, self.others[node.name])
        found = find(node.name)
        if found is None:
            self.problems.append(f"{node.name} is not in the inventory")
            return (
                frozenset(matcher.name for matcher in node.matchers.matchers) | self.kept | self._called(TARGET_LABELS)
            )
        exporter, metric = found
        labels = self._called({*metric.labels, *exporter.labels, *TARGET_LABELS}) | self.kept
        if metric.type == "histogram" and node.name.endswith("_bucket"):
            labels |= {"le"}
        if metric.type == "summary" and node.name in exporter.metrics:
            labels |= {"quantile"}
        for matcher in node.matchers.matchers:
            if matcher.name not in labels and matcher.name != "__name__":
                self.problems.append(f"{node.name} has no label {matcher.name} ({exporter.title})")
        return labels

    def _of_other(self, node: Any, labels: frozenset[str] | None) -> frozenset[str]:
        asked = frozenset(matcher.name for matcher in node.matchers.matchers) - {"__name__"}
        if labels is None:
            of_buckets = {"le"} if node.name.endswith("_bucket") else set()
            return asked | self.kept | self._called(TARGET_LABELS) | of_buckets
        for name in sorted(asked - labels - self.kept):
            self.problems.append(f"{node.name} has no label {name}")
        return labels | self.kept

    def _called(self, labels: Iterable[str]) -> frozenset[str]:
        return frozenset(self.renamed.get(name, name) for name in labels)

    def _of_call(self, node: Any) -> frozenset[str] | None:
        name, arguments = node.func.name, list(node.args)
        vectors = [labels for labels in map(self.labels, arguments) if labels is not None]
        if name in ("absent", "absent_over_time"):
            return _equalities(arguments[0])
        if name in ("vector", "time", "scalar", "pi"):
            return None if name in ("time", "scalar", "pi") else frozenset()
        if not vectors:  # hour() and its like
            return frozenset()
        if name in ("label_replace", "label_join"):
            return vectors[0] | {arguments[1].val}
        if name == "histogram_quantile":
            if "le" not in vectors[-1]:
                self.problems.append("histogram_quantile() needs the label le, which is dropped before")
            return vectors[-1] - {"le"}
        return vectors[0]

    def _of_aggregation(self, node: Any) -> frozenset[str]:
        inner = self.labels(node.expr) or frozenset()
        listed = _listed(node.modifier)
        if listed is None:
            return inner if str(node.op) in _RANKING else frozenset()
        by, names = listed
        for name in sorted(names - inner):
            self.problems.append(f"{'by' if by else 'without'} ({name}): there is no such label to aggregate")
        if str(node.op) in _RANKING:
            return inner
        added = {node.param.val} if str(node.op) == "count_values" else set()
        return (names & inner if by else inner - names) | added

    def _of_operation(self, node: Any) -> frozenset[str] | None:
        left, right = self.labels(node.lhs), self.labels(node.rhs)
        if left is None or right is None:
            return left if right is None else right
        operator, modifier = str(node.op), node.modifier
        matching = _matching(modifier)
        if operator in _SETS:
            self._can_match(operator, left, right, matching)
            return left & right if operator == "or" else left
        self._can_match(operator, left, right, matching)
        card = str(modifier.card) if modifier else ""
        included = _included(modifier)
        if "ManyToOne" in card or "group_left" in str(modifier or ""):
            return left | included
        if "OneToMany" in card or "group_right" in str(modifier or ""):
            return right | included
        if matching is None:
            return left
        on, names = matching
        if on:
            for side, labels in (("left", left), ("right", right)):
                more = labels - names - self.kept - self._called(TARGET_LABELS)
                if more:
                    self.problems.append(
                        f"{operator} on ({', '.join(sorted(names))}): the {side} side has {', '.join(sorted(more))} "
                        "too and may have several series each; aggregate it, or say group_left"
                    )
            return left & names
        return left - names

    def _can_match(
        self, operator: str, left: frozenset[str], right: frozenset[str], matching: tuple[bool, frozenset[str]] | None
    ) -> None:
        """Sides whose labels differ never match, and nobody is told."""
        if operator == "or":
            return
        if matching is None:
            differ = left ^ right
        elif matching[0]:
            differ = frozenset(name for name in matching[1] if (name in left) != (name in right))
        else:
            differ = (left ^ right) - matching[1]
        if differ:
            self.problems.append(
                f"the sides of {operator} never match: only one of them has {', '.join(sorted(differ))}"
            )


def selectors(node: Any) -> Iterator[tuple[Any, str, float]]:
    """Every selector of an expression, with the function around it ("" for none) and its range in seconds (0 for
    none)."""
    yield from _selectors(node, "")


def _selectors(node: Any, function: str) -> Iterator[tuple[Any, str, float]]:
    match type(node).__name__:
        case "VectorSelector":
            yield node, function, 0.0
        case "MatrixSelector":
            yield node.vector_selector, function, node.range.total_seconds()
        case "Call":
            for argument in node.args:
                yield from _selectors(argument, node.func.name)
        case "BinaryExpr":
            yield from _selectors(node.lhs, "")
            yield from _selectors(node.rhs, "")
        case "AggregateExpr" | "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            yield from _selectors(node.expr, function)


def comparisons(node: Any) -> Iterator[Any]:
    """Every comparison of an expression."""
    return (each for each in walk(node) if type(each).__name__ == "BinaryExpr" and str(each.op) in _COMPARISONS)


def joins(node: Any) -> Iterator[Any]:
    """Every operation with group_left or group_right."""
    return (each for each in walk(node) if type(each).__name__ == "BinaryExpr" and "group_" in str(each.modifier or ""))


def bare_counter(node: Any, others: frozenset[str] = frozenset()) -> str:
    """The counter whose level, not its rise, an expression is made of; "" where there is none. ``others`` are counters
    besides the inventory's."""
    match type(node).__name__:
        case "VectorSelector" if node.name in others:
            return str(node.name)
        case "VectorSelector":
            found = find(node.name)
            rises = found is not None and found[1].type in ("counter", "histogram")
            rises = rises or (found is not None and found[1].type == "summary" and node.name not in found[0].metrics)
            return str(node.name) if rises else ""
        case "MatrixSelector":
            return bare_counter(node.vector_selector, others)
        case "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            return bare_counter(node.expr, others)
        case "Call":
            levels = [bare_counter(each, others) for each in node.args] if node.func.name in _LEVELS else []
            return next((found for found in levels if found), "")
        case "AggregateExpr":
            return "" if str(node.op) in _COUNTING else bare_counter(node.expr, others)
        case "BinaryExpr" if str(node.op) not in _SETS | _COMPARISONS:
            return bare_counter(node.lhs, others) or bare_counter(node.rhs, others)
        case _:
            return ""


def subqueries(node: Any) -> Iterator[tuple[Any, str]]:
    """Every subquery of an expression, with the function around it."""
    for each in walk(node):
        if type(each).__name__ == "Call":
            yield from ((argument, each.func.name) for argument in each.args if type(argument).__name__ == _SUBQUERY)


def filters(node: Any) -> bool:
    """Whether an expression can be empty while its series are there: it compares, or asks whether others are there."""
    return any(map(_filters, walk(node)))


def _filters(node: Any) -> bool:
    match type(node).__name__:
        case "BinaryExpr":
            filtering = str(node.op) in _COMPARISONS | _SETS - {"or"}
            return filtering and not (node.modifier and node.modifier.return_bool)
        case "Call":
            return node.func.name in ("absent", "absent_over_time")
        case _:
            return False


def walk(node: Any) -> Iterator[Any]:
    """A node and all that it is made of, from the outside in."""
    yield node
    match type(node).__name__:
        case "Call":
            inside = list(node.args)
        case "BinaryExpr":
            inside = [node.lhs, node.rhs]
        case "AggregateExpr" | "ParenExpr" | "UnaryExpr" | "SubqueryExpr":
            inside = [node.expr]
        case _:
            inside = []
    for each in inside:
        yield from walk(each)


def bare(node: Any) -> Any:
    """A node without its parentheses."""
    while type(node).__name__ == "ParenExpr":
        node = node.expr
    return node


def _equalities(node: Any) -> frozenset[str]:
    """The labels that absent() takes over: those that a plain selector asks to be equal to something."""
    node = bare(node)
    selector = node.vector_selector if type(node).__name__ == "MatrixSelector" else node
    if type(selector).__name__ != "VectorSelector":
        return frozenset()
    return frozenset(each.name for each in selector.matchers.matchers if str(each.op).endswith("Equal") and each.value)


def _listed(modifier: Any) -> tuple[bool, frozenset[str]] | None:
    """Whether by or without, and the labels; None where neither is said."""
    if modifier is None:
        return None
    return "By" in str(modifier.type), frozenset(modifier.labels)


def _matching(modifier: Any) -> tuple[bool, frozenset[str]] | None:
    """Whether on or ignoring, and the labels; None where neither is said."""
    if modifier is None or modifier.matching is None:
        return None
    return str(modifier).startswith("on"), frozenset(modifier.matching.labels)


def _included(modifier: Any) -> frozenset[str]:
    return frozenset(modifier.group_labels or ()) if modifier is not None else frozenset()
