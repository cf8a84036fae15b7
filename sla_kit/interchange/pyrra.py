"""Pyrra's ``ServiceLevelObjective``: ratio, latency, latency of native histograms, and boolean gauges.

https://github.com/pyrra-dev/pyrra, kubernetes/api/v1alpha1; the burn rates are those of its slo/rules.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from sla_kit.catalogue.model import Alert, Condition, Latency, Probe, Promql, Sli, Slo, Window
from sla_kit.configuration.nodes import Mapping, Scalar
from sla_kit.configuration.quantities import parse_duration
from sla_kit.interchange.draft import Draft, by_events, percent
from sla_kit.interchange.fields import Fields, Notes
from sla_kit.interchange.promql_nodes import NotPromqlError, Selected, matchers_of, selector
from sla_kit.interchange.promql_shape import of_selectors

_KINDS = ("ratio", "latency", "latencyNative", "bool_gauge")
#: Of 28 days: the factor, and how long the alert waits, the long window and the short one, in hours. slo/rules.go.
_BURNS = (
    ("fastBurn", "critical", 14.0, 1 / 30, 1.0, 1 / 12),
    ("mediumBurn", "critical", 7.0, 0.25, 6.0, 0.5),
    ("slowBurn", "warning", 2.0, 1.0, 24.0, 2.0),
    ("longTermBurn", "warning", 1.0, 3.0, 96.0, 6.0),
)
_HOURS = 28 * 24


def read_pyrra(documents: Sequence[Mapping], draft: Draft) -> None:
    """Adds what Pyrra's documents say to a draft. A namespace is a service."""
    for document in documents:
        root = Fields(document, "the document", draft.notes)
        if root.choice("kind", ["ServiceLevelObjective"], required=True):
            _objective(root, draft)


def _objective(root: Fields, draft: Draft) -> None:
    root.skip("apiVersion", "kind", "status")
    metadata, spec = root.fields("metadata", required=True), root.fields("spec", required=True)
    root.done()
    if metadata is None or spec is None:
        return
    called, space = metadata.text("name", required=True), metadata.text("namespace")
    labels, annotations = metadata.labels(), metadata.texts("annotations")
    metadata.done()
    target = percent(spec, "target")
    window = spec.parsed("window", parse_duration, "duration", required=True)
    description = spec.text("description")
    found = _indicator(spec, draft.notes)
    alerts = _alerts(spec, window or 0.0)
    spec.leave("partial_response_strategy", "is about the rules that Thanos evaluates")
    spec.leave("performanceOverAccuracy", "figures come from all of history here, not from rules")
    spec.leave("ruleOutput", "no rules are made here")
    spec.done()
    if found is None or not called or not window:
        return
    sli, grouping = found
    if grouping:
        annotations = {**annotations, "pyrra.dev/grouping": ",".join(grouping)}
    place = metadata.value_place("name")
    service = draft.service(space or "default", metadata.value_place("namespace"))
    slo = Slo(
        name=draft.slo_name(service, called, place),
        sli=sli,
        objective=target,
        window=Window(rolling=window),
        description=description,
        budgeting=by_events(sli),
        labels=labels,
        annotations=annotations,
        alerts=list(alerts),
    )
    draft.add_slo(service, slo, place, called)


def _indicator(spec: Fields, notes: Notes) -> tuple[Sli, list[str]] | None:
    indicator = spec.fields("indicator", required=True)
    if indicator is None:
        return None
    kinds = [kind for kind in _KINDS if indicator.has(kind)]
    if len(kinds) != 1:
        said = f"has {' and '.join(kinds)}" if kinds else "is empty"
        notes.wrong(spec.place_of("indicator"), f"the indicator {said}", f"exactly one of {', '.join(_KINDS)}")
        return None
    inner = indicator.fields(kinds[0])
    indicator.done()
    if inner is None:
        return None
    grouping = _grouping(inner)
    sli: Sli | None
    match kinds[0]:
        case "ratio":
            sli = _ratio(inner, "errors", notes)
        case "latency":
            sli = _ratio(inner, "success", notes)
        case "latencyNative":
            sli = _native(inner, notes)
        case _:
            sli = _gauge(inner, notes)
    inner.done()
    return None if sli is None else (sli, grouping)


def _ratio(fields: Fields, side: str, notes: Notes) -> Sli | None:
    total, other = _selector(fields, "total"), _selector(fields, side)
    if total is None or other is None:
        return None
    return (of_selectors(total, good=other) if side == "success" else of_selectors(total, bad=other)).sli


def _native(fields: Fields, notes: Notes) -> Sli | None:
    total = _selector(fields, "total")
    latency = fields.parsed("latency", parse_duration, "duration", required=True)
    if total is None or not latency:
        return None
    matchers = matchers_of(total)
    if matchers is None:
        notes.wrong(fields.place, "a label is matched twice", "a native histogram takes one matcher a label")
        return None
    return Latency(metric=total.metric, threshold=latency, matchers=matchers, native=True)


def _gauge(fields: Fields, notes: Notes) -> Sli | None:
    gauge = _metric(fields)
    if gauge is None:
        return None
    matchers = matchers_of(gauge)
    if matchers is not None:
        return Probe(metric=gauge.metric, matchers=matchers)
    text = gauge.promql()
    return Promql(total=f"sum(count_over_time({text}[$window]))", good=f"sum(sum_over_time({text}[$window]))")


def _selector(fields: Fields, key: str) -> Selected | None:
    inner = fields.fields(key, required=True)
    if inner is None:
        return None
    found = _metric(inner)
    inner.done()
    return found


def _metric(fields: Fields) -> Selected | None:
    text = fields.text("metric", required=True)
    if not text.strip():
        return None
    try:
        return selector(text)
    except NotPromqlError as error:
        hint = 'a metric with matchers, such as http_requests_total{code=~"5.."}'
        fields.notes.wrong(fields.value_place("metric"), f"the metric {error}", hint)
        return None


def _grouping(fields: Fields) -> list[str]:
    names = [item.text for item in fields.entries("grouping") if isinstance(item, Scalar)]
    if names:
        why = "each group is an SLO of its own there; here all of them are one"
        fields.notes.left(
            fields.place_of("grouping"), f"grouping by {', '.join(names)}", why, "write an SLO for each that matters"
        )
    return names


def _alerts(spec: Fields, window: float) -> list[Alert]:
    alerting = spec.fields("alerting")
    if alerting is None:
        return [_burning("", {}, window), _absent("", {})]
    disabled, burns, absent = alerting.flag("disabled"), alerting.flag("burnrates"), alerting.flag("absent")
    name, absent_name = alerting.text("name"), alerting.text("absentName")
    levels = alerting.fields("severities")
    severities = {}
    if levels is not None:
        severities = {key: levels.text(key) for key in ("absent", *(burn[0] for burn in _BURNS)) if levels.has(key)}
        levels.done()
    alerting.done()
    if disabled:
        return []
    found = [] if burns is False else [_burning(name, severities, window)]
    return found if absent is False else [*found, _absent(absent_name, severities)]


def _burning(name: str, severities: dict[str, str], window: float) -> Alert:
    def minutes(hours: float) -> float:
        """As long as that is of 28 days, in seconds, to the minute."""
        return max(60.0, int(window * hours / _HOURS / 60 + 0.5) * 60.0)

    conditions = [
        Condition(
            burn_rate=factor,
            over=minutes(long),
            short=minutes(short),
            after=minutes(wait),
            severity=severities.get(key, severity),
        )
        for key, severity, factor, wait, long, short in _BURNS
    ]
    return Alert(name="burning", title=name or "ErrorBudgetBurn", conditions=list(conditions))


def _absent(name: str, severities: dict[str, str]) -> Alert:
    severity = severities.get("absent", "critical")
    return Alert(name="absent", title=name or "SLOMetricAbsent", severity=severity, tell=["no-data"])
