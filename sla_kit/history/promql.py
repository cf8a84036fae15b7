"""PromQL on recorded samples: the subset that SLOs are written in, evaluated at the end of every bucket of a grid.

Parsed by promql-parser; ranges, look-back, staleness and matching are Prometheus 3's. Nothing is approximated: an
expression beyond the subset is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import numpy as np

from sla_kit.errors import MissingExtraError, SourceError
from sla_kit.history import ranges
from sla_kit.history.store import History, Series, without_stale
from sla_kit.history.vectors import (
    AGGREGATIONS,
    ARITHMETIC,
    COMPARISONS,
    Vector,
    VectorError,
    aggregate,
    histogram_quantile,
    matching,
    one_to_one,
    set_operation,
    with_labels,
    with_scalar,
    without_labels,
)
from sla_kit.sources.series import Labels, Matcher, Selector
from sla_kit.timeline import Floats, Grid, Ints

try:
    import promql_parser as pq
except ModuleNotFoundError as error:
    raise MissingExtraError("PromQL on recorded histories", "promql_parser", "report") from error

#: How far an instant selector looks back for a sample, Prometheus's default.
LOOKBACK_MS = 300_000
#: Times evaluated together: bounds the memory that a vector of many series needs.
_PIECE = 8192

#: By name: the function, how many samples it needs, whether the metric keeps its name.
_RANGE_FUNCTIONS: dict[str, tuple[ranges.RangeFunction, int, bool]] = {
    "increase": (ranges.increase, 2, False),
    "rate": (ranges.rate, 2, False),
    "delta": (ranges.delta, 2, False),
    "irate": (ranges.irate, 2, False),
    "idelta": (ranges.idelta, 2, False),
    "resets": (ranges.resets, 1, False),
    "changes": (ranges.changes, 1, False),
    "sum_over_time": (ranges.sum_over_time, 1, False),
    "avg_over_time": (ranges.avg_over_time, 1, False),
    "min_over_time": (ranges.min_over_time, 1, False),
    "max_over_time": (ranges.max_over_time, 1, False),
    "count_over_time": (ranges.count_over_time, 1, False),
    "last_over_time": (ranges.last_over_time, 1, True),
    "present_over_time": (ranges.present_over_time, 1, False),
}
_VALUE_FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs,
    "ceil": np.ceil,
    "floor": np.floor,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "ln": np.log,
    "log2": np.log2,
    "log10": np.log10,
}
_OPERATORS = {"=": pq.MatchOp.Equal, "!=": pq.MatchOp.NotEqual, "=~": pq.MatchOp.Re, "!~": pq.MatchOp.NotRe}
_NAME = ("__name__",)


def evaluate_range(history: History, expression: str, grid: Grid) -> Floats:
    """The expression at the end of each bucket, shape (grid.count,), NaN where it has no value.

    Several series in the answer are summed, NaN ignored. ``$window`` stands for the bucket's length. `SourceError` for
    what is no PromQL, what is beyond the subset of docs/history.md, and what Prometheus refuses too.
    """
    text = expression.replace("$window", f"{grid.step}s")
    tree = _parsed(text)
    result = np.full(grid.count, np.nan)
    try:
        for begun in range(0, max(grid.count, 1), _PIECE):
            ends = grid.ends[begun : begun + _PIECE] * 1000
            result[begun : begun + _PIECE] = _summed(_Evaluation(history, text, ends).value(tree), text)
    except VectorError as error:
        raise SourceError(
            str(error), place=text, remedy="aggregate the sides (sum by …) so that each series matches one"
        ) from error
    except (OverflowError, RecursionError) as error:
        raise SourceError(
            f"the expression is beyond what can be evaluated: {error}", place=text, remedy="simplify it"
        ) from error
    return result


def evaluate_vector(history: History, expression: str, grid: Grid) -> Vector:
    """The expression at the end of each bucket, series by series; a scalar is one series without labels. Raises
    `SourceError` as `evaluate_range` does, and `VectorError` where series can't be matched."""
    tree = _parsed(expression)
    try:
        value = _Evaluation(history, expression, grid.ends * 1000).value(tree)
    except (OverflowError, RecursionError) as error:
        raise SourceError(
            f"the expression is beyond what can be evaluated: {error}", place=expression, remedy="simplify it"
        ) from error
    if isinstance(value, Vector):
        return value
    if isinstance(value, str):
        raise SourceError("a text is no number", place=expression, remedy="give an expression that has values")
    return Vector.of([((), value, np.ones(value.shape, dtype=np.bool_))], grid.count)


def _parsed(text: str) -> Any:
    try:
        return pq.parse(text)
    except BaseException as error:
        # The parser panics over durations beyond measure, and its panic is no Exception.
        if not isinstance(error, (ValueError, OverflowError)) and type(error).__name__ != "PanicException":
            raise
        raise SourceError(f"this is no PromQL: {error}", place=text, remedy="correct the expression") from error


def _summed(value: Value, text: str) -> Floats:
    if isinstance(value, str):
        raise SourceError("a text is no number", place=text, remedy="give an expression that has values")
    if isinstance(value, Vector):
        some = ~np.isnan(value.values)
        return np.where(some.any(axis=0), np.sum(value.values, axis=0, where=some), np.nan)
    return value


#: What a part of an expression amounts to: a vector, a scalar (n,), or a text.
Value = Vector | Floats | str


class _Evaluation:
    """One walk over the tree of an expression at the times ``ends`` (n,), epoch milliseconds."""

    def __init__(self, history: History, text: str, ends: Ints) -> None:
        self.history = history
        self.text = text
        self.ends = ends

    def value(self, node: Any) -> Value:
        """The value of a part of the expression."""
        match node:
            case pq.NumberLiteral():
                return np.full(self.ends.shape, node.val)
            case pq.StringLiteral():
                return str(node.val)
            case pq.ParenExpr():
                return self.value(node.expr)
            case pq.UnaryExpr():
                operand = self.value(node.expr)
                assert not isinstance(operand, str), "the parser refuses it"
                return operand.mapped(np.negative) if isinstance(operand, Vector) else -operand
            case pq.VectorSelector():
                return self._instant(node)
            case pq.Call():
                return self._call(node)
            case pq.AggregateExpr():
                return self._aggregate(node)
            case pq.BinaryExpr():
                return self._binary(node)
            case pq.SubqueryExpr():
                raise self._unsupported("a subquery")
            case pq.MatrixSelector():
                raise self._unsupported("a range outside a function")
        raise self._unsupported(type(node).__name__)

    # --- selectors ---

    def _instant(self, node: Any) -> Vector:
        shifted = self._shifted(node)
        rows = []
        for one in self._series(node):
            times, values = _within(one, shifted, LOOKBACK_MS)
            rows.append((_named(one), *ranges.latest(times, values, shifted, LOOKBACK_MS)))
        return Vector.of(rows, self.ends.size)

    def _range(self, name: str, node: Any) -> Vector:
        function, least, named = _RANGE_FUNCTIONS[name]
        if not isinstance(node, pq.MatrixSelector):
            raise self._unsupported(f"{name}() of a subquery")
        shifted, window = self._shifted(node.vector_selector), _milliseconds(node.range)
        rows = []
        for one in self._series(node.vector_selector):
            times, values = without_stale(*_within(one, shifted, window))
            present = ranges.counts(times, shifted, window) >= least
            if present.any():
                labels = _named(one) if named else one.labels
                rows.append((labels, function(times, values, shifted, window), present))
        return Vector.of(rows, self.ends.size)

    def _shifted(self, selector: Any) -> Ints:
        if selector.at is not None:
            raise self._unsupported("the modifier @")
        try:
            offset = selector.offset
        except (ValueError, OverflowError) as error:
            raise self._unsupported("so long an offset") from error
        return self.ends - (_milliseconds(offset) if offset is not None else 0)

    def _series(self, node: Any) -> list[Series]:
        if node.matchers.or_matchers:
            raise self._unsupported("'or' between matchers")
        matchers = [Matcher(one.name, _operator(one.op), one.value) for one in node.matchers.matchers]
        try:
            names = [match.predicate() for match in matchers if match.label == "__name__"]
            metrics = [node.name] if node.name else self.history.metrics()
            wanted = tuple(sorted(match for match in matchers if match.label != "__name__"))
            return [
                one
                for metric in metrics
                if all(test(metric) for test in names)
                for one in self.history.select(Selector(metric, wanted))
            ]
        except re.error as error:
            raise self._unsupported(f"a regular expression that Python reads differently ({error})") from error

    # --- functions ---

    def _call(self, node: Any) -> Value:
        name, arguments = node.func.name, node.args
        if name in _RANGE_FUNCTIONS:
            return self._range(name, arguments[0])
        if name in _VALUE_FUNCTIONS:
            vector = self._vector(arguments[0])
            return vector.mapped(_VALUE_FUNCTIONS[name])
        match name:
            case "time":
                return self.ends / 1000
            case "vector":
                scalar = self._scalar(arguments[0])
                return Vector.of([((), scalar, np.ones(scalar.shape, dtype=np.bool_))], self.ends.size)
            case "scalar":
                vector = self._vector(arguments[0])
                alone = vector.present.sum(axis=0) == 1
                return np.where(alone, np.sum(vector.values, axis=0, where=vector.present), np.nan)
            case "clamp" | "clamp_min" | "clamp_max":
                return self._clamp(name, arguments)
            case "histogram_quantile":
                quantile, vector = self._scalar(arguments[0]), self._vector(arguments[1])
                return histogram_quantile(quantile, vector)
        raise self._unsupported(f"the function {name}()")

    def _clamp(self, name: str, arguments: list[Any]) -> Vector:
        vector = self._vector(arguments[0])
        lowest = np.full(self.ends.shape, -np.inf) if name == "clamp_max" else self._scalar(arguments[1])
        highest = np.full(self.ends.shape, np.inf) if name == "clamp_min" else self._scalar(arguments[-1])
        values = np.maximum(lowest, np.minimum(highest, vector.values))
        present = vector.present & ~(lowest > highest)  # such bounds leave nothing
        return vector.kept(values, present, nameless=True)

    def _vector(self, node: Any) -> Vector:
        value = self.value(node)
        assert isinstance(value, Vector), "the parser checks the types of arguments"
        return value

    def _scalar(self, node: Any) -> Floats:
        value = self.value(node)
        assert isinstance(value, np.ndarray), "the parser checks the types of arguments"
        return value

    # --- operators ---

    def _aggregate(self, node: Any) -> Vector:
        operation = str(node.op)
        if operation not in AGGREGATIONS:
            raise self._unsupported(f"the aggregation {operation}()")
        vector = self._vector(node.expr)
        names = list(node.modifier.labels) if node.modifier is not None else []
        if node.modifier is not None and node.modifier.type == pq.AggModifierType.Without:
            names += _NAME
            return aggregate(operation, vector, lambda labels: without_labels(labels, names))
        return aggregate(operation, vector, lambda labels: with_labels(labels, names))

    def _binary(self, node: Any) -> Value:
        operator, modifier = str(node.op).strip(), node.modifier
        as_bool = modifier is not None and modifier.return_bool
        left, right = self.value(node.lhs), self.value(node.rhs)
        assert not isinstance(left, str), "the parser refuses it"
        assert not isinstance(right, str), "the parser refuses it"
        if operator not in ARITHMETIC and operator not in COMPARISONS and operator not in ("and", "or", "unless"):
            raise self._unsupported(f"the operator {operator}")
        if isinstance(left, Vector) and isinstance(right, Vector):
            return self._matched(operator, left, right, modifier, as_bool)
        if isinstance(left, Vector):
            vector, scalar, first = left, right, False
        elif isinstance(right, Vector):
            vector, scalar, first = right, left, True
        else:
            with np.errstate(all="ignore"):
                result = (ARITHMETIC.get(operator) or COMPARISONS[operator])(left, right)
            return np.asarray(result, dtype=np.float64)
        assert isinstance(scalar, np.ndarray)
        return with_scalar(operator, vector, scalar, scalar_first=first, as_bool=as_bool)

    def _matched(self, operator: str, left: Vector, right: Vector, modifier: Any, as_bool: bool) -> Vector:
        labels, include, filled = [], False, None
        if modifier is not None:
            if modifier.card in (pq.VectorMatchCardinality.ManyToOne, pq.VectorMatchCardinality.OneToMany):
                raise self._unsupported("group_left and group_right")
            filled = modifier.fill_values
            if modifier.matching is not None:
                labels = list(modifier.matching.labels)
                include = modifier.matching.type == pq.LabelModifierType.Include
        if filled is not None and (filled.lhs is not None or filled.rhs is not None):
            raise self._unsupported("fill()")
        key = matching(labels if include else None, labels)
        if operator in ("and", "or", "unless"):
            return set_operation(operator, left, right, key)
        dropped = [*labels, "__name__"] if operator in ARITHMETIC or as_bool else labels

        def result(found: Labels) -> Labels:
            return with_labels(found, labels) if include else without_labels(found, dropped)

        return one_to_one(operator, left, right, key, result, as_bool=as_bool)

    # --- errors ---

    def _unsupported(self, what: str) -> SourceError:
        return SourceError(
            f"{what} is beyond the PromQL that a recorded history is evaluated with",
            place=self.text,
            remedy="evaluate it on a Prometheus, or write it with what docs/history.md lists",
        )


def _within(one: Series, ends: Ints, window: int) -> tuple[Ints, Floats]:
    """The samples that any of the ranges (end - window, end] may hold."""
    if not ends.size:
        return one.times[:0], one.values[:0]
    low, high = np.searchsorted(one.times, (int(ends[0]) - window, int(ends[-1])), side="right")
    return one.times[low:high], one.values[low:high]


def _named(one: Series) -> Labels:
    return (("__name__", one.metric), *one.labels)


def _operator(found: Any) -> str:
    return next(text for text, operator in _OPERATORS.items() if operator == found)


def _milliseconds(length: timedelta) -> int:
    return length // timedelta(milliseconds=1)
