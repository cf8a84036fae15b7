"""OpenSLO's ``ratioMetric`` and ``thresholdMetric`` of an indicator, and what they are in a catalogue."""

from __future__ import annotations

import json
from typing import Any, NamedTuple, cast

import msgspec

from sla_kit.catalogue.logs import LogFields, LogQuery
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
    Requests,
    Sli,
)
from sla_kit.configuration.places import Place
from sla_kit.interchange.fields import Fields, Notes
from sla_kit.interchange.promql_nodes import NotPromqlError
from sla_kit.interchange.promql_shape import LIMIT_OF, Shaped, of_events, of_ratio, of_threshold
from sla_kit.sources.series import Selector

#: Where an export keeps an indicator that OpenSLO can't tell whole.
INDICATOR = "sla-kit/indicator"
_PROMETHEUS = "prometheus"
_WINDOW = "{{.window}}"


class Metric(NamedTuple):
    """One metric source: its type ("" where only its DataSource says), the DataSource it refers to, its query, and
    where these stand."""

    type: str
    source: str
    query: dict[str, Any]
    place: Place
    query_place: Place

    @property
    def promql(self) -> str:
        """Its query, where it is PromQL."""
        text = self.query.get("query", self.query.get("promql"))
        return text if self.type.lower() == _PROMETHEUS and isinstance(text, str) else ""


class Metrics(NamedTuple):
    """What an indicator is measured by: metrics by their role (good, bad, total, good_ratio, bad_ratio, value)."""

    by_role: dict[str, Metric]
    counter: bool = False

    @property
    def is_threshold(self) -> bool:
        """Whether an objective must say which values are good."""
        return "value" in self.by_role


def metrics_of(spec: Fields) -> Metrics | None:
    """The metrics of an indicator's spec; None after noting why there are none."""
    kinds = [key for key in ("ratioMetric", "thresholdMetric") if spec.has(key)]
    if len(kinds) != 1:
        said = "has both ratioMetric and thresholdMetric" if kinds else "has neither ratioMetric nor thresholdMetric"
        spec.notes.wrong(spec.place, f"{spec.where} {said}", "exactly one of them")
        spec.skip("ratioMetric", "thresholdMetric")
        return None
    inner = spec.fields(kinds[0])
    if inner is None:
        return None
    if kinds[0] == "thresholdMetric":
        value = _metric(inner)
        inner.done()
        return None if value is None else Metrics({"value": value})
    return _ratio(inner)


def sli_of(metrics: Metrics, op: str, value: float | None, notes: Notes) -> Sli:
    """The indicator that metrics amount to; a threshold metric with the objective's ``op`` and ``value``, or without
    them where no objective refers to it."""
    one = next(iter(metrics.by_role.values()))
    limit: dict[str, Any] = {LIMIT_OF[op]: value} if op and value is not None else {}
    alike = {(metric.type, metric.source) for metric in metrics.by_role.values()}
    texts = {role: metric.promql for role, metric in metrics.by_role.items()}
    if len(alike) == 1 and all(texts.values()) and not (metrics.is_threshold and not limit):
        try:
            shaped = _shaped(texts, metrics.counter, op, value)
            for role, metric in metrics.by_role.items():
                for key in metric.query:
                    if key not in ("query", "promql"):
                        notes.left(metric.query_place, f"{key} of {role}", "a query of Prometheus has no such part")
            for note in shaped.notes:
                notes.left(one.query_place, "the query", note)
            return msgspec.structs.replace(shaped.sli, source=one.source)
        except NotPromqlError as error:
            notes.left(
                one.query_place, "the query", str(error), "kept as an external indicator, which nothing measures"
            )
    elif len(alike) > 1:
        why = "its queries are for different sources, and counts of two sources are not put together"
        notes.left(one.place, "the indicator", why, "kept as an external indicator, which nothing measures")
    elif limit or not metrics.is_threshold:
        why = f"no source of sla-kit reads {one.type}"
        notes.left(
            one.place, f"the indicator of {one.type}", why, "kept as an external indicator, which nothing measures"
        )
    queries: dict[str, Any] = {role: metric.query for role, metric in metrics.by_role.items()}
    return External(type=one.type, source=one.source, counter=metrics.counter, **queries, **limit)


def _shaped(texts: dict[str, str], counter: bool, op: str, value: float | None) -> Shaped:
    if "value" in texts:
        return of_threshold(texts["value"], op, cast(float, value))
    for role in ("good_ratio", "bad_ratio"):
        if role in texts:
            return of_ratio(texts[role], good=role == "good_ratio")
    return of_events(texts["total"], good=texts.get("good", ""), bad=texts.get("bad", ""), counter=counter)


def _ratio(ratio: Fields) -> Metrics | None:
    counter = ratio.flag("counter") or False
    roles = [role for role in ("good", "bad", "total", "raw") if ratio.has(role)]
    kind = ratio.choice("rawType", ["success", "failure"], required="raw" in roles)
    found = {}
    for role in roles:
        inner = ratio.fields(role)
        metric = _metric(inner) if inner is not None else None
        if inner is not None:
            inner.done()
        if metric is not None:
            ready = "good_ratio" if kind == "success" else "bad_ratio"
            found[ready if role == "raw" else role] = metric
            if role != "raw" and kind:
                ratio.notes.left(ratio.place_of("rawType"), "rawType", "means nothing without raw")
    ratio.done()
    if roles not in (["good", "total"], ["bad", "total"], ["raw"]):
        said = " and ".join(roles) or "nothing"
        ratio.notes.wrong(ratio.place, f"{ratio.where} has {said}", "total with one of good and bad, or raw")
        return None
    return Metrics(found, counter) if len(found) == len(roles) else None


def _metric(fields: Fields) -> Metric | None:
    source = fields.fields("metricSource", required=True)
    if source is None:
        return None
    kind, ref = source.text("type"), source.text("metricSourceRef")
    query, place = source.plain("spec", required=True), source.value_place("spec")
    inner = source.fields("spec")
    source.done()
    if not isinstance(query, dict) or inner is None:
        return None
    if not query:
        fields.notes.wrong(place, f"spec of {source.where} is empty", "such as query: …")
    query_place = inner.value_place("query") if inner.has("query") else place
    return Metric(kind, ref, query, source.place, query_place)


# --- the way back ---------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """An indicator in OpenSLO's words: the spec, an objective's op and value, and whether reading it gives the same
    indicator again."""

    spec: dict[str, Any]
    op: str = ""
    value: float | None = None
    whole: bool = True


def told(sli: Sli, source: str) -> Told | None:
    """What OpenSLO says of an indicator; None for one that is derived from other SLOs."""
    if isinstance(sli, External):
        return _told_external(sli, source)
    if isinstance(sli, LogEvents | LogLatency):
        return _told_of_logs(sli, source)
    texts, op, value, counter = _queries(sli)
    if not texts:
        return None
    metrics = {role: _source({"query": text}, "Prometheus", source) for role, text in texts.items()}
    bare = msgspec.structs.replace(sli, title="", description="", labels={}, annotations={}, source="")
    try:
        whole = _shaped(texts, counter, op, value).sli == bare
    except NotPromqlError:
        whole = False
    return Told(_spec(metrics, counter), op, value, whole)


def kept_indicator(annotations: dict[str, str], spec: object, op: str, value: float | None) -> Sli | None:
    """The indicator that an export has kept beside a spec; None where there is none, or where the spec, which was
    changed since, says something else."""
    try:
        sli: Sli = msgspec.convert(json.loads(annotations[INDICATOR]), type=Sli, strict=False)
    except (KeyError, ValueError, RecursionError):
        return None
    metric = spec.get("ratioMetric") or spec.get("thresholdMetric") if isinstance(spec, dict) else None
    found = told(sli, _ref(metric))
    if found is None or (found.op, found.value) != (op if found.op else "", value if found.op else None):
        return None
    same = isinstance(spec, dict) and {key: spec[key] for key in spec if key != "description"} == found.spec
    return sli if same else None


def _ref(metric: object) -> str:
    """The first metricSourceRef in a metric."""
    if isinstance(metric, dict):
        if isinstance(metric.get("metricSourceRef"), str):
            return str(metric["metricSourceRef"])
        return next((found for each in metric.values() if (found := _ref(each))), "")
    return ""


def as_annotation(sli: Sli) -> str:
    """An indicator as an export keeps it."""
    bare = msgspec.structs.replace(sli, title="", description="", labels={}, annotations={}, source="")
    plain = msgspec.to_builtins(bare)
    empty: tuple[Any, ...] = ("", None, {}, [])
    return json.dumps({key: value for key, value in plain.items() if value not in empty}, ensure_ascii=False)


_Queries = tuple[dict[str, str], str, float | None, bool]


def _queries(sli: Sli) -> _Queries:
    """PromQL by role, an objective's op and value, and whether the queries are counters."""
    match sli:
        case Requests():
            good = sli.good is not None or sli.good_metric is not None
            more = (sli.good if good else sli.bad) or {}
            metric = (sli.good_metric if good else sli.bad_metric) or sli.metric
            side = _selector(metric, sli.matchers, more)
            total = _selector(sli.metric, sli.matchers)
            return {"good" if good else "bad": f"sum({side})", "total": f"sum({total})"}, "", None, True
        case Latency(native=True):
            series = _selector(sli.metric, sli.matchers)
            text = f"histogram_fraction(0, {sli.threshold:.12g}, sum(rate({series}[{_WINDOW}])))"
            return {"good_ratio": text}, "", None, False
        case Latency():
            bound = f"{sli.threshold / sli.unit_seconds:.12g}"
            fast = _selector(f"{sli.metric}_bucket", sli.matchers, {"le": bound})
            count = _selector(f"{sli.metric}_count", sli.matchers)
            return {"good": f"sum({fast})", "total": f"sum({count})"}, "", None, True
        case Probe():
            series = _selector(sli.metric, sli.matchers)
            up, count = f"sum(sum_over_time({series}[{_WINDOW}]))", f"sum(count_over_time({series}[{_WINDOW}]))"
            return {"good": up, "total": count}, "", None, False
        case Promql():
            side = "good" if sli.good is not None else "bad"
            pair = {side: sli.good or sli.bad or "", "total": sli.total}
            return {role: text.replace("$window", _WINDOW) for role, text in pair.items()}, "", None, False
        case Freshness():
            series = _selector(sli.metric, sli.matchers)
            text = f"time() - {'max' if sli.combine == 'newest' else 'min'}({series})"
            return {"value": text}, "lte", sli.max_age, False
        case Bound():
            return _bound_queries(sli)
        case LastDuration():
            series = _selector(sli.metric, sli.matchers)
            return {"value": f"max({series})"}, "lte", sli.max, False
    return {}, "", None, False


def _selector(metric: str, *matchers: Matchers) -> str:
    return Selector.of(metric, *matchers).promql().removesuffix("{}")


def _bound_queries(sli: Bound) -> _Queries:
    function = {"mean": "avg"}.get(sli.combine, sli.combine)
    text = sli.promql or f"{function}({_selector(sli.metric, sli.matchers)})"
    text = text.replace("$window", _WINDOW)
    limits = [(op, getattr(sli, key)) for op, key in LIMIT_OF.items() if getattr(sli, key) is not None]
    if len(limits) == 1:
        return {"value": text}, limits[0][0], limits[0][1], False
    signs = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
    inside = " * ".join(f"(({text}) {signs[op]} bool {value!r})" for op, value in limits)
    return {"good_ratio": f"avg_over_time(({inside})[{_WINDOW}:])"}, "", None, False


def _told_external(sli: External, source: str) -> Told:
    roles = ("good", "bad", "total", "good_ratio", "bad_ratio", "value")
    metrics = {role: _source(query, sli.type, source) for role in roles if (query := getattr(sli, role)) is not None}
    op, value = next(
        ((op, getattr(sli, key)) for op, key in LIMIT_OF.items() if getattr(sli, key) is not None), ("", None)
    )
    several = sum(getattr(sli, key) is not None for key in LIMIT_OF.values()) > 1
    return Told(_spec(metrics, sli.counter), op, value, not several)


def _told_of_logs(sli: LogEvents | LogLatency, source: str) -> Told:
    """An indicator of documents as queries of an Elasticsearch, of which the specification says nothing: what they do
    not tell, such as a quantile, is kept beside them. What the catalogue's ``logs`` say is not in it."""
    if isinstance(sli, LogEvents):
        role = "good" if sli.good is not None else "bad"
        side = sli.good if sli.good is not None else sli.bad or ""
    else:
        usual = LogFields()
        unit = usual.duration_unit_seconds if sli.unit_seconds is None else sli.unit_seconds
        role, side = "good", {"range": {sli.field or usual.duration: {"lte": sli.threshold / unit}}}
    index = {"index": sli.index} if sli.index else {}
    queries = {role: _both(sli.query, side), "total": sli.query or "*"}
    metrics = {each: _source({**index, "query": query}, "Elasticsearch", source) for each, query in queries.items()}
    return Told(_spec(metrics, False), whole=False)


def _both(query: LogQuery, side: LogQuery) -> LogQuery:
    """A query for documents that two others both select."""
    if isinstance(query, str) and isinstance(side, str):
        return f"({query}) AND ({side})" if query else side
    parts = [{"query_string": {"query": each}} if isinstance(each, str) else each for each in (query, side) if each]
    return parts[0] if len(parts) == 1 else {"bool": {"filter": parts}}


def _source(query: dict[str, Any], kind: str, ref: str) -> dict[str, Any]:
    return {"metricSource": {**({"metricSourceRef": ref} if ref else {}), "type": kind, "spec": query}}


def _spec(metrics: dict[str, Any], counter: bool) -> dict[str, Any]:
    if "value" in metrics:
        return {"thresholdMetric": metrics["value"]}
    for role, kind in (("good_ratio", "success"), ("bad_ratio", "failure")):
        if role in metrics:
            return {"ratioMetric": {"rawType": kind, "raw": metrics[role]}}
    return {"ratioMetric": {"counter": counter, **metrics}}
