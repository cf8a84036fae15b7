"""What to ask Prometheus about an incident: pure, from its labels and the expression that its rule evaluates."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from msgspec import Struct

from sla_kit.routing.incident import Incident
from sla_kit.selectors import quote

if TYPE_CHECKING:
    import promql_parser

#: A longer expression than this is nobody's to draw.
_LONGEST = 20_000
#: Nor is one with more operators and brackets: the parser goes one call deeper for each, and beyond some thousand of
#: them its stack ends, and with it the process.
_MOST_PARTS = 400
_PART = re.compile(r"[(\[{^*/%+<>=!-]|\b(?:and|or|unless|atan2)\b", re.I)
_COMPARISONS = frozenset({">", "<", ">=", "<=", "==", "!="})
_SETS = frozenset({"and", "unless"})


class Plot(Struct, frozen=True):
    """What to draw: the series of ``query``, and the ``limit`` at which the alert fires, where it is one number.
    ``labels`` are the alert's: a series that contradicts them is somebody else's."""

    title: str
    query: str
    limit: float | None
    labels: dict[str, str]


def expression_of(generator_url: str) -> str:
    """The PromQL of the rule that an alert came from, which Prometheus puts into the address of its graph
    (``g0.expr``); empty where there is none."""
    try:
        found = parse_qs(urlsplit(generator_url).query).get("g0.expr", [""])
    except ValueError:
        return ""
    return found[0] if len(found[0]) <= _LONGEST else ""


def plot_of(incident: Incident) -> Plot | None:
    """What the incident's earliest firing alert measures, None where that can't be told."""
    for alert in incident.firing:
        expression = expression_of(alert.generator_url)
        measured = measured_by(expression) if expression else None
        if measured is not None:
            query, limit = measured
            return Plot(alert.annotations.get("summary") or alert.name or incident.title, query, limit, alert.labels)
    return None


def measured_by(expression: str) -> tuple[str, float | None] | None:
    """What an alert's expression measures, and its limit: the left side of its first comparison with a number, apart
    from conditions that ``and`` and ``unless`` add. The whole of it where it compares nothing; None for no PromQL, or
    for more than can be read."""
    if len(_PART.findall(expression)) > _MOST_PARTS:
        return None
    import promql_parser

    try:
        found = promql_parser.parse(expression)
    except ValueError:
        return None
    while True:
        if isinstance(found, promql_parser.ParenExpr):
            found = found.expr
            continue
        if not isinstance(found, promql_parser.BinaryExpr):
            return _text(found), None
        # The operator is written with its modifier, such as "> bool" or "and on ()".
        operator = str(found.op).split()[0]
        if operator in _SETS or operator == "or":
            found = found.lhs
            continue
        if operator in _COMPARISONS:
            limit = _number(found.rhs)
            if limit is not None:
                return _text(found.lhs), limit
            flipped = _number(found.lhs)
            return (_text(found.rhs), flipped) if flipped is not None else (_text(found.lhs), None)
        return _text(found), None


def _text(found: promql_parser.Expr) -> str:
    return str(found.prettify())


def _number(found: promql_parser.Expr) -> float | None:
    import promql_parser

    if isinstance(found, promql_parser.ParenExpr):
        return _number(found.expr)
    if isinstance(found, promql_parser.UnaryExpr):
        value = _number(found.expr)
        return None if value is None else -value
    return float(found.val) if isinstance(found, promql_parser.NumberLiteral) else None


def objectives_query(labels: Mapping[str, str]) -> str:
    """The recorded objectives of the SLO that labels name, or of all of the service; empty where they name none."""
    service, slo = labels.get("service", ""), labels.get("slo", "")
    if not service:
        return ""
    named = f"service={quote(service)}" + (f",slo={quote(slo)}" if slo else "")
    return f"sla:objective:ratio{{{named}}}"


def published_query(labels: Mapping[str, str]) -> str:
    """The budget that is left as the slo exporter publishes it, the lowest of those that labels name."""
    service, slo = labels.get("service", ""), labels.get("slo", "")
    if not service:
        return ""
    named = f"service={quote(service)}" + (f",slo={quote(slo)}" if slo else "")
    return f"min by (service, slo) (sla_slo_error_budget_left_ratio{{{named}}})"


def ratio_query(objective: Mapping[str, str]) -> str:
    """The recorded error ratio over the window of an SLO, from the labels of its recorded objective; empty where none
    is recorded."""
    sli, window = objective.get("sli", ""), objective.get("window", "")
    return f"sla:error_ratio:{window}{{sli={quote(sli)}}}" if sli and window.isalnum() else ""


def budget_left(objective: float, error_ratio: float) -> float | None:
    """The share of the error budget that is left, below 0 once overspent (SRE Workbook ch. 2: the budget is 1 minus the
    objective); None where the objective allows nothing."""
    allowed = 1 - objective
    return 1 - error_ratio / allowed if allowed > 1e-12 else None


def fits(series: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether a series may be what an alert with these labels is about: no label that both have differs."""
    return all(labels.get(name, value) == value for name, value in series.items() if name != "__name__")


def chosen(series: Iterable[Mapping[str, str]], labels: Mapping[str, str], most: int) -> list[int]:
    """Which series to draw: those that fit, or the first ones where none does; ``most`` at most."""
    every = list(series)
    fitting = [number for number, each in enumerate(every) if fits(each, labels)]
    return (fitting or list(range(len(every))))[:most]
