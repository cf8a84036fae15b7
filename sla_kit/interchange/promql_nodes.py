"""PromQL read and taken apart: selectors, calls, and what an expression is without what changes nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sla_kit.catalogue.model import Matchers

#: How other tools write the window that they put in: Sloth's templates, Grafana's variables.
_PLACEHOLDER = re.compile(r"\{\{-?\s*\.?\s*\w*[wW]indow\s*-?\}\}|\$\{?__(?:rate_interval|interval|range)\b\}?")
#: A range that nobody writes, in place of $window while an expression is parsed, and as the parser writes it.
_STAND_IN, _STAND_IN_PRINTED = "7919s", "2h11m59s"
STAND_IN_SECONDS = 7919.0

#: What the catalogue takes is 4000 letters, and some are put around an expression.
_LONGEST = 3900


class NotPromqlError(ValueError):
    """An expression that can't be read."""


@dataclass(frozen=True, slots=True)
class Selected:
    """A selector of series: the metric and its matchers (label, operator, value), sorted."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    def promql(self) -> str:
        """The selector as PromQL."""
        inside = ",".join(f"{label}{op}{quoted(value)}" for label, op, value in self.matchers)
        return self.metric + (f"{{{inside}}}" if inside else "")


def selector(text: str) -> Selected:
    """A selector of one metric's series; `NotPromqlError` where it is anything else."""
    found = selected_by(bare(parsed(text)))
    if found is None:
        raise NotPromqlError("is no plain selector of one metric")
    return found


def matchers_of(selected: Selected) -> Matchers | None:
    """The matchers as a catalogue has them; None where a label is matched twice, which a catalogue can't say."""
    found: Matchers = {}
    for label, op, value in selected.matchers:
        if label in found or label == "__name__":
            return None
        if op == "=":
            found[label] = [value] if value.startswith(("=~", "!~", "!=")) else value
        else:
            found[label] = op + value
    return found


def with_window(text: str) -> str:
    """An expression with ``$window`` wherever another tool puts its own window in."""
    return _PLACEHOLDER.sub("$window", text).strip()


def parsed(text: str) -> Any:
    """The tree of an expression in which ``$window`` may stand for a range."""
    import promql_parser

    if len(text) > _LONGEST:
        raise NotPromqlError(f"is longer than {_LONGEST} letters")
    if text.count("(") > 200 or re.search(r"[-+!]{50}", text):
        raise NotPromqlError("is nested too deeply")
    try:
        return promql_parser.parse(text.replace("$window", _STAND_IN))
    except BaseException as error:
        # Over some durations the parser panics, and its panic is no Exception.
        if not isinstance(error, ValueError | OverflowError) and type(error).__name__ != "PanicException":
            raise
        raise NotPromqlError("is no PromQL: " + " ".join(str(error).split())[:200]) from error


def quoted(value: str) -> str:
    """A label's value as PromQL writes it."""
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        value = value.replace(plain, escaped)
    return f'"{value}"'


# --- parts of expressions --------------------------------------------------------------------------------------------


def is_a(node: Any, name: str) -> bool:
    """Whether a part is of a type of the parser's."""
    return type(node).__name__ == name


def is_call(node: Any, function: str) -> bool:
    """Whether a part calls a function."""
    node = bare(node)
    return is_a(node, "Call") and bool(node.func.name == function)


def bare(node: Any) -> Any:
    """A part without its parentheses."""
    while is_a(node, "ParenExpr"):
        node = node.expr
    return node


def number(node: Any) -> float | None:
    """The number that a part is, None where it is none."""
    node = bare(node)
    if is_a(node, "UnaryExpr"):
        inner = number(node.expr)
        return None if inner is None else -inner
    return float(node.val) if is_a(node, "NumberLiteral") else None


def selected_by(node: Any) -> Selected | None:
    """The selector that a part is, at its own time; None where it is none."""
    if not is_a(node, "VectorSelector") or not node.name or node.offset is not None or node.at is not None:
        return None
    if node.matchers.or_matchers or any(_STAND_IN in str(each.value) for each in node.matchers.matchers):
        return None
    names = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    found = []
    for each in node.matchers.matchers:
        name = str(each.op).rpartition(".")[2]
        op = names.get(name, name)
        found.append((str(each.name), op, str(each.value)))
    return Selected(node.name, tuple(sorted(set(found))))


def complement(node: Any) -> Any | None:
    """x, where the expression is 1 - x."""
    if is_a(node, "BinaryExpr") and str(node.op).strip() == "-" and number(node.lhs) == 1.0:
        return node.rhs
    return None


def or_nothing(node: Any) -> Any | None:
    """x, where the expression is ``x or vector(0)``: no series is no events."""
    if not (is_a(node, "BinaryExpr") and str(node.op).strip() == "or" and is_call(node.rhs, "vector")):
        return None
    return node.lhs if number(bare(node.rhs).args[0]) == 0.0 else None


def plain_match(node: Any) -> bool:
    """Whether two sides are matched on all their labels, or on none."""
    matching = node.modifier.matching if node.modifier is not None else None
    return matching is None or not list(matching.labels)


def printed(node: Any) -> str:
    """A part as PromQL, in one line, with $window."""
    text = re.sub(r"\s*\n\s*", " ", str(bare(node).prettify()))
    text = re.sub(r"(?<=[(\[]) | (?=[)\]])", "", text)
    return text.replace(_STAND_IN_PRINTED, "$window")
