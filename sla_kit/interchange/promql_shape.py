"""PromQL as other tools write it, turned into an indicator with a structure wherever it has one.

Sloth's ``{{.window}}`` and Grafana's variables become ``$window``. What has no structure stays PromQL, which means the
same. Ratios of counters are read as the counts behind them: a rate over 5 minutes at every moment, and increases bucket
by bucket, count the same events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

from sla_kit.catalogue.indicator_rules import check_indicator
from sla_kit.catalogue.model import Bound, Freshness, Latency, Probe, Promql, Requests, Sli
from sla_kit.configuration.places import Findings
from sla_kit.interchange.promql_nodes import (
    STAND_IN_SECONDS,
    Selected,
    bare,
    complement,
    is_a,
    is_call,
    matchers_of,
    number,
    or_nothing,
    parsed,
    plain_match,
    printed,
    selected_by,
    with_window,
)

Op = Literal["gt", "gte", "lt", "lte"]
#: Which limit of ours each of OpenSLO's operators is.
LIMIT_OF: dict[str, str] = {"lt": "below", "lte": "max", "gt": "above", "gte": "min"}
_COMPARED: dict[str, Op] = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}
_OPPOSITE: dict[str, Op] = {"gt": "lte", "gte": "lt", "lt": "gte", "lte": "gt"}
_MIRRORED: dict[str, Op] = {"gt": "lt", "gte": "lte", "lt": "gt", "lte": "gte"}


@dataclass(frozen=True, slots=True)
class Shaped:
    """An indicator, and in ``notes`` where it differs from the letter of what it was made of."""

    sli: Sli
    notes: tuple[str, ...] = ()


def of_events(total: str, *, good: str = "", bad: str = "", counter: bool = False) -> Shaped:
    """An indicator from two expressions that count: ``total`` and one of ``good`` and ``bad``. ``counter`` says that
    expressions without a range are counters themselves. `NotPromqlError` where one is no PromQL."""
    side = good or bad
    texts = with_window(total), with_window(side)
    return _of_nodes(parsed(texts[0]), parsed(texts[1]), bool(good), counter, texts)


def of_ratio(ratio: str, *, good: bool) -> Shaped:
    """An indicator from an expression that is a ratio already, of ``good`` or of bad events."""
    text = with_window(ratio)
    node = bare(parsed(text))
    while (inner := complement(node)) is not None:
        node, good = bare(inner), not good
    if not good and (inner := or_nothing(node)) is not None:
        node = bare(inner)
    if is_a(node, "BinaryExpr") and str(node.op).strip() == "/" and plain_match(node):
        sides = printed(node.rhs), printed(node.lhs)
        return _of_nodes(bare(node.rhs), bare(node.lhs), good, False, sides)
    fraction = _fraction(node) if good else None
    if fraction is not None:
        return _right(fraction, lambda: _of_any_ratio(text, node, good))
    series = _averaged(node)
    if series is not None:
        return _of_gauge(series, good)
    compared = _comparison(node)
    if compared is not None:
        inner, op, value = compared
        return of_threshold(printed(inner), op if good else _OPPOSITE[op], value)
    return _of_any_ratio(text, node, good)


def of_threshold(query: str, op: str, value: float) -> Shaped:
    """An indicator from an expression whose value must compare to ``value`` as ``op`` says."""
    text = with_window(query)
    node = bare(parsed(text))
    limit = {LIMIT_OF[op]: value}
    whole = Bound(promql=text, **limit)  # type: ignore[arg-type]
    fresh = _freshness(node, op, value)
    if fresh is not None:
        return _right(fresh, lambda: Shaped(whole))
    combine, selected = _combined(node)
    matchers = matchers_of(selected) if selected is not None else None
    if selected is None or matchers is None:
        return Shaped(whole)
    worst: Literal["max", "min", "mean", "sum"] = combine or ("max" if op in ("lt", "lte") else "min")
    found = Bound(metric=selected.metric, matchers=matchers, combine=worst, **limit)  # type: ignore[arg-type]
    return _right(found, lambda: Shaped(whole))


def of_selectors(total: Selected, *, good: Selected | None = None, bad: Selected | None = None) -> Shaped:
    """An indicator from selectors of counters, as Pyrra has them: latency where they are a histogram's buckets."""
    side = good or bad
    assert side is not None
    found = _of_selected(total, side, good is not None)
    as_promql = Promql(
        total=f"sum(increase({total.promql()}[$window]))",
        good=f"sum(increase({side.promql()}[$window]))" if good else None,
        bad=None if good else f"sum(increase({side.promql()}[$window]))",
    )
    return Shaped(as_promql) if found is None else _right(found, lambda: Shaped(as_promql))


# --- events ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Counted:
    """What counts events: the counter, by which function and over how many seconds (0 for the counter itself)."""

    selected: Selected
    function: str
    seconds: float


def _of_nodes(total: Any, side: Any, good: bool, counter: bool, texts: tuple[str, str]) -> Shaped:
    total, side = bare(total), bare(side)
    shaped = _of_one_group(total, side, good, counter, texts)
    if _grouped(total) or _grouped(side):
        return Shaped(shaped.sli, (*shaped.notes, "its groups are counted together, as one indicator"))
    return shaped


def _of_one_group(total: Any, side: Any, good: bool, counter: bool, texts: tuple[str, str]) -> Shaped:
    rest = _rest_of(total, side)
    if rest is not None:  # total - x: what the other side is
        flipped = _structured(total, rest, not good, counter)
        if flipped is not None:
            return _right(flipped, lambda: _as_promql(total, side, good, counter, texts))
    found = _structured(total, side, good, counter)
    if found is None:
        return _as_promql(total, side, good, counter, texts)
    return _right(found, lambda: _as_promql(total, side, good, counter, texts))


def _structured(total: Any, side: Any, good: bool, counter: bool) -> Sli | None:
    of_side, of_total = _counted(side, counter), _counted(total, counter)
    if of_side is None or of_total is None:
        return _native(total, side) if good else None
    if of_side.seconds != of_total.seconds:
        return None
    if (of_side.function, of_total.function) == ("sum_over_time", "count_over_time"):
        matchers = matchers_of(of_total.selected)
        if not good or of_side.selected != of_total.selected or matchers is None:
            return None
        return Probe(metric=of_total.selected.metric, matchers=matchers)  # the mean of all samples
    if of_side.function != of_total.function or of_side.function.endswith("_over_time"):
        return None
    return _of_selected(of_total.selected, of_side.selected, good)


def _of_selected(total: Selected, side: Selected, good: bool) -> Sli | None:
    if good and (latency := _latency(total, side)) is not None:
        return latency
    if not set(total.matchers) <= set(side.matchers):
        return None
    if total.metric.endswith("_bucket") or side.metric.endswith("_bucket"):
        return None  # each bucket holds the ones below: events would count several times
    more = replace(side, matchers=tuple(each for each in side.matchers if each not in total.matchers))
    common, extra = matchers_of(total), matchers_of(more)
    if common is None or extra is None or set(common) & set(extra):
        return None
    other = side.metric if side.metric != total.metric else None
    if other is None and not extra:
        return None
    told = extra or None
    if good:
        return Requests(metric=total.metric, matchers=common, good=told, good_metric=other)
    return Requests(metric=total.metric, matchers=common, bad=told, bad_metric=other)


def _latency(total: Selected, good: Selected) -> Latency | None:
    """Observations of a classic histogram up to a bound, of all of them."""
    base = good.metric.removesuffix("_bucket")
    bounds = [value for label, op, value in good.matchers if label == "le" and op == "="]
    if base == good.metric or len(bounds) != 1:
        return None
    rest = tuple(each for each in good.matchers if each[0] != "le")
    everything = replace(total, matchers=tuple(each for each in total.matchers if each != ("le", "=", "+Inf")))
    whole = total.metric == f"{base}_count" or (total.metric == good.metric and everything != total)
    matchers = matchers_of(replace(good, matchers=rest))
    try:
        bound = float(bounds[0])
    except ValueError:
        return None
    if not whole or everything.matchers != rest or matchers is None or not 0 < bound < float("inf"):
        return None
    unit = 0.001 if base.endswith(("_milliseconds", "_ms", "_millis")) else 1.0
    threshold = bound if unit == 1.0 else float(f"{bound * unit:.12g}")
    return Latency(metric=base, threshold=threshold, matchers=matchers, unit_seconds=unit)


def _native(total: Any, good: Any) -> Latency | None:
    """histogram_fraction(0, x, h) * histogram_count(h) of histogram_count(h)."""
    if not (is_a(good, "BinaryExpr") and str(good.op).strip() == "*" and is_call(total, "histogram_count")):
        return None
    for one, other in ((good.lhs, good.rhs), (good.rhs, good.lhs)):
        latency = _fraction(bare(one))
        if latency is not None and printed(bare(other)) == printed(total):
            return latency if printed(bare(one).args[2]) == printed(total.args[0]) else None
    return None


def _fraction(node: Any) -> Latency | None:
    """histogram_fraction(0, x, sum(rate(h[w]))): what a native histogram holds up to x."""
    if not is_call(node, "histogram_fraction"):
        return None
    low, high = number(node.args[0]), number(node.args[1])
    counted = _counted(node.args[2], False)
    if low is None or low > 0 or high is None or not 0 < high < float("inf") or counted is None:
        return None
    matchers = matchers_of(counted.selected)
    if matchers is None or counted.function not in ("rate", "increase"):
        return None
    return Latency(metric=counted.selected.metric, threshold=high, matchers=matchers, native=True)


def _counted(node: Any, counter: bool) -> _Counted | None:
    node = bare(node)
    if (inner := or_nothing(node)) is not None:
        return _counted(inner, counter)
    if is_a(node, "AggregateExpr"):
        return _counted_series(bare(node.expr), counter) if str(node.op) == "sum" else None
    return _counted_series(node, counter)


def _counted_series(node: Any, counter: bool) -> _Counted | None:
    if is_a(node, "VectorSelector") and counter:
        selected = selected_by(node)
        return None if selected is None else _Counted(selected, "", 0.0)
    if is_a(node, "Call") and node.func.name in ("rate", "increase", "sum_over_time", "count_over_time"):
        ranged = bare(node.args[0])
        selected = selected_by(ranged.vector_selector) if is_a(ranged, "MatrixSelector") else None
        return None if selected is None else _Counted(selected, node.func.name, ranged.range.total_seconds())
    return None


def _harmless(modifier: Any, selected: Selected) -> bool:
    """Whether grouping makes one group only: by labels that the selector fixes."""
    if modifier is None:
        return True
    fixed = {label for label, op, _ in selected.matchers if op == "="}
    return "Without" not in str(modifier.type) and set(modifier.labels) <= fixed


def _rest_of(total: Any, side: Any) -> Any | None:
    """x, where ``side`` is ``total - x``."""
    if is_a(side, "BinaryExpr") and str(side.op).strip() == "-" and plain_match(side):
        return bare(side.rhs) if printed(bare(side.lhs)) == printed(total) else None
    return None


def _as_promql(total: Any, side: Any, good: bool, counter: bool, texts: tuple[str, str]) -> Shaped:
    (whole, part), notes = _made_countable((total, side), texts, counter)
    return Shaped(Promql(total=whole, good=part if good else None, bad=None if good else part), notes)


_Pair = tuple[tuple[str, str], tuple[str, ...]]


def _made_countable(nodes: tuple[Any, Any], texts: tuple[str, str], counter: bool) -> _Pair:
    """The two expressions with ``$window`` in them, as they must have it."""
    ranges = {seconds for node in nodes for seconds in _ranges(node)}
    linear = all(_linear(node) for node in nodes)
    if all("$window" in text for text in texts) and ranges == {STAND_IN_SECONDS}:
        return ((_counts(texts[0]), _counts(texts[1])) if linear else texts), ()
    if linear and len(ranges) == 1 and all(_ranges(node) for node in nodes):
        counting = [_counts(re.sub(r"\[[^\]\"]*\]", "[$window]", printed(node))) for node in nodes]
        if all(text.count("[") == len(_ranges(node)) for text, node in zip(counting, nodes, strict=True)):
            return (counting[0], counting[1]), ()
    if all("$window" in text for text in texts):
        return texts, ()
    function = "increase" if counter else "avg_over_time"
    wrapped = [
        text if "$window" in text else _over_window(node, text, function)
        for node, text in zip(nodes, texts, strict=True)
    ]
    return (wrapped[0], wrapped[1]), ("an expression without a window is read over each bucket",)


def _over_window(node: Any, text: str, function: str) -> str:
    combine, selected = _combined(node)
    if selected is not None and combine in (None, "sum"):
        return f"sum({function}({selected.promql()}[$window]))"
    return f"{function}(({text})[$window:])"


def _counts(text: str) -> str:
    """Rates as increases: per bucket these are events, and not events a second."""
    return re.sub(r"\brate\s*\(", "increase(", text)


def _linear(node: Any) -> bool:
    """Whether an expression is sums of rates and nothing else, so that increases in their place only scale it."""
    node = bare(node)
    if (inner := or_nothing(node)) is not None:
        return _linear(inner)
    if is_a(node, "AggregateExpr"):
        return str(node.op) == "sum" and _linear(node.expr)
    if is_a(node, "BinaryExpr"):
        return str(node.op).strip() in ("+", "-") and _linear(node.lhs) and _linear(node.rhs)
    return is_call(node, "rate") or is_call(node, "increase")


def _ranges(node: Any) -> list[float]:
    """The lengths of all ranges in an expression, seconds."""
    node = bare(node)
    found: list[float] = []
    if is_a(node, "MatrixSelector") or is_a(node, "SubqueryExpr"):
        found.append(node.range.total_seconds())
    for key in ("lhs", "rhs", "expr"):
        child = getattr(node, key, None)
        if child is not None:
            found += _ranges(child)
    for child in getattr(node, "args", None) or ():
        found += _ranges(child)
    return found


def _grouped(node: Any) -> bool:
    node = bare(node)
    if not is_a(node, "AggregateExpr") or node.modifier is None:
        return False
    counted = _counted_series(bare(node.expr), True)
    return counted is None or not _harmless(node.modifier, counted.selected)


# --- ratios and values ----------------------------------------------------------------------------------------------


def _of_gauge(series: Selected, good: bool) -> Shaped:
    """The mean of a gauge between 0 and 1, of good or of bad."""
    matchers = matchers_of(series)
    text = series.promql()
    counted = f"sum(count_over_time({text}[$window]))"
    summed = f"sum(sum_over_time({text}[$window]))"
    plain = Promql(total=counted, good=summed if good else None, bad=None if good else summed)
    if not good or matchers is None:
        return Shaped(plain)
    return _right(Probe(metric=series.metric, matchers=matchers), lambda: Shaped(plain))


def _of_any_ratio(text: str, node: Any, good: bool) -> Shaped:
    ratio = printed(node)
    if "$window" not in ratio:
        ratio = f"avg_over_time(({ratio})[$window:])"
    sli = Promql(total=f"({ratio}) * 0 + 1", good=ratio if good else None, bad=None if good else ratio)
    return Shaped(sli, ("the ratio is taken bucket by bucket, and each bucket weighs the same",))


def _averaged(node: Any) -> Selected | None:
    """The gauge whose mean an expression is: avg_over_time(g[w]), avg of it, avg(g), or g itself."""
    node = bare(node)
    if is_a(node, "AggregateExpr"):
        if str(node.op) != "avg":
            return None
        selected = _averaged(node.expr)
        return selected if selected is not None and _harmless(node.modifier, selected) else None
    if is_call(node, "avg_over_time"):
        ranged = bare(node.args[0])
        return selected_by(ranged.vector_selector) if is_a(ranged, "MatrixSelector") else None
    return selected_by(node)


def _comparison(node: Any) -> tuple[Any, Op, float] | None:
    """A comparison that is 0 or 1, alone or averaged over the window: what is compared, how, to which number."""
    node = bare(node)
    if is_call(node, "avg_over_time") and is_a(bare(node.args[0]), "SubqueryExpr"):
        subquery = bare(node.args[0])
        if subquery.offset is not None or subquery.at is not None:
            return None
        node = bare(subquery.expr)
    if not is_a(node, "BinaryExpr") or node.modifier is None or not node.modifier.return_bool:
        return None
    op = _COMPARED.get(str(node.op).strip().split()[0])
    if op is None:
        return None
    left, right = number(node.lhs), number(node.rhs)
    if right is not None and left is None:
        return node.lhs, op, right
    if left is not None and right is None:
        return node.rhs, _MIRRORED[op], left
    return None


def _combined(node: Any) -> tuple[Literal["max", "min", "mean", "sum"] | None, Selected | None]:
    """How an expression makes one value of a gauge's series, and which."""
    node = bare(node)
    if is_a(node, "AggregateExpr"):
        names: dict[str, Literal["max", "min", "mean", "sum"]] = {
            "max": "max",
            "min": "min",
            "avg": "mean",
            "sum": "sum",
        }
        selected = selected_by(bare(node.expr))
        if str(node.op) in names and selected is not None and _harmless(node.modifier, selected):
            return names[str(node.op)], selected
        return None, None
    return None, selected_by(node)


def _freshness(node: Any, op: str, value: float) -> Freshness | None:
    """time() - g, at most so many seconds; max(g) of several is the newest, min(g), as each by itself, the oldest."""
    if op != "lte" or not value > 0 or not (is_a(node, "BinaryExpr") and str(node.op).strip() == "-"):
        return None
    combine, selected = _combined(node.rhs)
    matchers = matchers_of(selected) if selected is not None else None
    if selected is None or matchers is None or not is_call(node.lhs, "time") or combine not in (None, "max", "min"):
        return None
    newest: Literal["newest", "oldest"] = "newest" if combine == "max" else "oldest"
    return Freshness(metric=selected.metric, matchers=matchers, max_age=value, combine=newest)


def _right(sli: Sli, otherwise: Callable[[], Shaped]) -> Shaped:
    """The indicator, unless the catalogue's rules refuse it: a regular expression that Python reads differently."""
    findings = Findings(None)
    check_indicator(sli, (), findings)
    return otherwise() if findings.mistakes else Shaped(sli)
