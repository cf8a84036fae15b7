"""What each kind of indicator must hold beyond its types."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from sla_kit.catalogue.log_rules import check_log_indicator
from sla_kit.catalogue.model import (
    Bound,
    External,
    Freshness,
    LastDuration,
    Latency,
    LogEvents,
    LogLatency,
    Matchers,
    Probe,
    Promql,
    Recovery,
    Requests,
    Sli,
)
from sla_kit.configuration.places import Findings, Path

# Prometheus's data model: https://prometheus.io/docs/concepts/data_model/
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
#: What Python's regular expressions know and RE2, Prometheus's own, refuses: lookaround and references.
_NOT_RE2 = re.compile(r"(?<!\\)(?:\\\\)*(?:\(\?(?:=|!|<=|<!|P=|>)|\\[1-9])")

#: The PromQL parser recurses into what is nested, and some ten thousand letters of "-" or "(" end the whole process.
_LONGEST_EXPRESSION = 4000


def check_indicator(sli: Sli, path: Path, findings: Findings) -> None:
    """Notes every mistake of one indicator, ``path`` being where it stands."""
    match sli:
        case Requests():
            _requests(sli, path, findings)
        case Latency():
            _latency(sli, path, findings)
        case Probe():
            check_selector(sli.metric, sli.matchers, path, findings)
        case Freshness():
            check_selector(sli.metric, sli.matchers, path, findings)
            _positive(sli.max_age, (*path, "max_age"), findings)
        case LastDuration():
            check_selector(sli.metric, sli.matchers, path, findings)
            _positive(sli.max, (*path, "max"), findings)
            if sli.completed_metric is not None:
                _metric(sli.completed_metric, (*path, "completed_metric"), findings)
        case Recovery():
            _positive(sli.within, (*path, "within"), findings)
        case Bound():
            _bound(sli, path, findings)
        case Promql():
            _promql(sli, path, findings)
        case LogEvents() | LogLatency():
            check_log_indicator(sli, path, findings)


def _requests(sli: Requests, path: Path, findings: Findings) -> None:
    check_selector(sli.metric, sli.matchers, path, findings)
    sides = [
        side
        for side in ("good", "bad")
        if getattr(sli, side) is not None
        or getattr(sli, f"{side}_metric") is not None
        or findings.places.broken((*path, side))
        or findings.places.broken((*path, f"{side}_metric"))
    ]
    if len(sides) != 1:
        wrong = "says both good and bad" if sides else "says neither good nor bad"
        findings.say(path, f"an indicator of requests {wrong}", "exactly one of them tells the two apart")
    for side in sides:
        matchers, metric = getattr(sli, side), getattr(sli, f"{side}_metric")
        if metric is not None:
            _metric(metric, (*path, f"{side}_metric"), findings)
        elif matchers == {}:
            findings.say((*path, side), f"{side} matches every request", "give it a matcher, or a metric of its own")
        _matchers(matchers or {}, (*path, side), findings)


def _latency(sli: Latency, path: Path, findings: Findings) -> None:
    check_selector(sli.metric, sli.matchers, path, findings)
    _positive(sli.threshold, (*path, "threshold"), findings)
    if sli.metric.endswith("_bucket"):
        findings.say((*path, "metric"), "the histogram's name ends before _bucket", sli.metric.removesuffix("_bucket"))
    if not 0 < sli.quantile < 1:
        findings.say((*path, "quantile"), f"a quantile of {sli.quantile:g} is impossible", "such as 0.95")
    if "le" in sli.matchers:
        findings.say((*path, "matchers", "le"), "le is the histogram's own label", "threshold chooses the bucket")
    _positive(sli.unit_seconds, (*path, "unit_seconds"), findings)


def _bound(sli: Bound, path: Path, findings: Findings) -> None:
    broken = findings.places.broken
    if sli.promql:
        for key in ("metric", "matchers"):
            if getattr(sli, key):
                findings.say((*path, key), f"{key} means nothing beside promql", "leave one of them out")
        _expression(sli.promql, (*path, "promql"), findings, counts=False)
    elif sli.metric or broken((*path, "metric")):
        check_selector(sli.metric, sli.matchers, path, findings)
    elif not broken((*path, "promql")):
        findings.say(path, "a bound has no metric", "or the promql of a value")
    check_limits(sli, path, findings)


def check_limits(sli: Bound | External, path: Path, findings: Findings) -> None:
    """Notes limits that leave nothing, and the want of any."""
    if any(findings.places.broken((*path, key)) for key in ("min", "max", "above", "below")):
        return
    if sli.min is None and sli.max is None and sli.above is None and sli.below is None:
        findings.say(path, "a bound needs a min or a max")
        return
    for one, other in (("min", "above"), ("max", "below")):
        if getattr(sli, one) is not None and getattr(sli, other) is not None:
            findings.say((*path, other), f"{other} beside {one}", "leave one of them out")
    low = sli.min if sli.min is not None else sli.above
    high = sli.max if sli.max is not None else sli.below
    strict = sli.above is not None or sli.below is not None
    if low is not None and high is not None and (low > high or (low == high and strict)):
        key, other = "min" if sli.min is not None else "above", "max" if sli.max is not None else "below"
        over = "not under" if low == high else "above"
        findings.say((*path, key), f"{key} ({low:g}) is {over} {other} ({high:g})")


def _promql(sli: Promql, path: Path, findings: Findings) -> None:
    sides = [
        side for side in ("good", "bad") if getattr(sli, side) is not None or findings.places.broken((*path, side))
    ]
    if len(sides) != 1:
        findings.say(path, f"promql needs good or bad beside total, {'not both' if sides else 'and has neither'}")
    for key in ("total", *sides):
        expression = getattr(sli, key)
        if expression is not None:
            _expression(expression, (*path, key), findings)


def _expression(expression: str, path: Path, findings: Findings, *, counts: bool = True) -> None:
    if not expression.strip():
        findings.say(path, "the expression is empty")
        return
    if counts and "$window" not in expression:
        # A range of its own counts events several times, or not at all, wherever it differs from the bucket.
        hint = "as in sum(increase(jobs_total[$window])), where it stands for the bucket's length"
        findings.say(path, "the expression does not hold $window", hint)
    if len(expression) > _LONGEST_EXPRESSION:
        findings.say(path, f"the expression is longer than {_LONGEST_EXPRESSION} letters", "record a part of it")
        return
    try:
        import promql_parser
    except ModuleNotFoundError:
        return
    try:
        promql_parser.parse(expression.replace("$window", "1m"))
    except BaseException as error:
        # Over some durations the parser panics, and its panic is no Exception.
        if not isinstance(error, ValueError | OverflowError) and type(error).__name__ != "PanicException":
            raise
        findings.say(path, f"is not PromQL: {' '.join(str(error).split())[:200]}")


def check_selector(metric: str, matchers: Matchers, path: Path, findings: Findings) -> None:
    """Notes a metric or matchers that no server would take."""
    _metric(metric, (*path, "metric"), findings)
    _matchers(matchers, (*path, "matchers"), findings)


def check_sum_label(label: str, path: Path, findings: Findings) -> None:
    """Notes a label that series can't be summed over."""
    if not _LABEL.fullmatch(label):
        findings.say(path, f"{label[:80]!r} can't be a label's name", "letters, digits and _")
    elif label in ("le", "quantile", "__name__"):
        findings.say(path, f"series that differ in {label} can't be summed", "name labels such as route or method")


def _metric(metric: str, path: Path, findings: Findings) -> None:
    if not _METRIC.fullmatch(metric):
        hint = "letters, digits, _ and :, no digit first"
        if "{" in metric:
            hint = "labels belong under matchers"
        findings.say(path, f"{metric[:80]!r} can't be a metric's name", hint)


def _matchers(matchers: Matchers, path: Path, findings: Findings) -> None:
    for label, values in matchers.items():
        here = (*path, label)
        if not _LABEL.fullmatch(label) or label == "__name__":
            hint = "the metric's name stands under metric" if label == "__name__" else "letters, digits and _"
            findings.say(here, f"{label[:80]!r} can't be a label's name", hint)
        if isinstance(values, str):
            _pattern(values, here, findings)
        elif not values and findings.places.complete(here):
            findings.say(here, f"{label} matches nothing", "a list means any of its values: name one")
        else:
            for index, value in enumerate(values):
                if value.startswith(("=~", "!~", "!=")):
                    hint = 'for patterns write one regular expression, such as "=~a|b.*"'
                    findings.say((*here, index), f"{value[:80]!r} in a list is taken by the letter", hint)


def _pattern(value: str, path: Path, findings: Findings) -> None:
    if value.startswith(("=~", "!~")):
        wrong, hint = _mistaken(value[2:])
        if wrong:
            findings.say(path, f"{value[2:82]!r} {wrong}", hint)


@lru_cache(maxsize=1024)
def _mistaken(pattern: str) -> tuple[str, str]:
    """What is wrong with a regular expression, and a hint; empty where nothing is."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"is no regular expression: {error}", ""
    if _NOT_RE2.search(pattern):
        return "holds lookaround or a reference", "Prometheus (RE2) knows neither"
    return "", ""


def _positive(value: float, path: Path, findings: Findings) -> None:
    if not value > 0:
        findings.say(path, f"{path[-1]} must be above 0")
