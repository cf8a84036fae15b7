"""Sloth's service levels: the file format ``prometheus/v1`` and the Kubernetes ``PrometheusServiceLevel``.

https://sloth.dev/specs/default/ and https://sloth.dev/specs/kubernetes/v1/; the alerts are those that Sloth makes of
its windows (internal/alert/windows/google-30d.yaml, SRE Workbook ch. 5).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from msgspec.structs import replace

from sla_kit.catalogue.model import Alert, Condition, External, Labels, Sli, Slo, Window
from sla_kit.configuration.nodes import Mapping
from sla_kit.configuration.quantities import parse_duration
from sla_kit.interchange.draft import Draft, by_events, percent
from sla_kit.interchange.fields import Fields, Notes
from sla_kit.interchange.promql_nodes import NotPromqlError
from sla_kit.interchange.promql_shape import Shaped, of_events, of_ratio

_DAY = 86400.0
_RULES = (("page", "quick"), ("page", "slow"), ("ticket", "quick"), ("ticket", "slow"))


class _Pair(NamedTuple):
    """One alert rule of two windows: the share of the budget in percent, and their lengths in seconds."""

    severity: str
    budget_percent: float
    short: float
    long: float


@dataclass(frozen=True, slots=True)
class _Windows:
    """An SLO's period in seconds, and the rules that follow from it."""

    period: float = 30 * _DAY
    pairs: tuple[_Pair, ...] = (
        _Pair("page", 2, 300, 3600),
        _Pair("page", 5, 1800, 6 * 3600),
        _Pair("ticket", 10, 2 * 3600, _DAY),
        _Pair("ticket", 10, 6 * 3600, 3 * _DAY),
    )


class _Keys(NamedTuple):
    """The keys that are spelt differently in a file and in Kubernetes."""

    plugins: str
    error: str
    total: str
    ratio: str
    page: str
    ticket: str


_OF_FILE = _Keys("slo_plugins", "error_query", "total_query", "error_ratio_query", "page_alert", "ticket_alert")
_OF_KUBERNETES = _Keys("sloPlugins", "errorQuery", "totalQuery", "errorRatioQuery", "pageAlert", "ticketAlert")


def read_sloth(documents: Sequence[Mapping], draft: Draft) -> None:
    """Adds what Sloth's documents say to a draft."""
    roots = [Fields(document, "the document", draft.notes) for document in documents]
    given = [root for root in roots if root.text("kind") == "AlertWindows"]
    windows = _windows(given, draft.notes)
    if given and len(given) == len(roots):
        draft.notes.left(given[0].place, "alert windows", "they belong to SLOs", "give the files of these too")
    for root in roots:
        kind = root.text("kind")
        if kind == "AlertWindows":
            continue
        if not root.has("apiVersion"):
            root.skip("version")
            _service_level(root, _OF_FILE, windows, draft)
            root.done()
        elif kind != "PrometheusServiceLevel":
            hint = "PrometheusServiceLevel or AlertWindows"
            draft.notes.wrong(root.value_place("kind"), f"a {kind or 'document without kind'} is not read", hint)
        else:
            _custom_resource(root, windows, draft)


def _custom_resource(root: Fields, windows: _Windows, draft: Draft) -> None:
    root.skip("apiVersion", "kind", "status")
    metadata, spec = root.fields("metadata"), root.fields("spec", required=True)
    if spec is None:
        return
    name = _service_level(spec, _OF_KUBERNETES, windows, draft)
    spec.done()
    root.done()
    if metadata is None or name is None:
        return
    own, space = metadata.text("name"), metadata.text("namespace")
    for key in ("labels", "annotations"):
        metadata.leave(key, "is about the Kubernetes object, not about what is promised")
    if own:
        service = draft.services[name]
        kept = {**service.annotations, "sloth.slok.dev/resource": f"{space}/{own}" if space else own}
        draft.put_service(replace(service, annotations=kept))


def _service_level(spec: Fields, keys: _Keys, windows: _Windows, draft: Draft) -> str | None:
    """The service's name; None where it has none."""
    called, labels = spec.text("service", required=True), spec.labels()
    _plugins(spec, keys.plugins)
    slos = spec.mappings("slos", required=True)
    if spec.has("slos") and not slos:
        draft.notes.wrong(spec.place_of("slos"), f"{spec.where} has no SLO", "give it one under slos")
    if not called.strip():
        return None
    name = draft.service(called, spec.value_place("service"))
    service = draft.services[name]
    extra: Labels = {}
    if not service.slos and not service.labels:
        draft.put_service(replace(service, labels=labels))
    else:  # a second document of one service: its labels are those of its SLOs
        extra = {key: value for key, value in labels.items() if service.labels.get(key) != value}
    for slo in slos:
        _slo(slo, name, extra, keys, windows, draft)
    return name


def _slo(fields: Fields, service: str, labels: Labels, keys: _Keys, windows: _Windows, draft: Draft) -> None:
    called = fields.text("name", required=True)
    place = fields.value_place("name")
    target = percent(fields, "objective")
    own, description = fields.labels(), fields.text("description")
    _plugins(fields, "plugins")
    sli = _indicator(fields, keys, draft.notes)
    alerts = _alerts(fields.fields("alerting"), fields, keys, windows, target)
    fields.done()
    if sli is None or not called:
        return
    slo = Slo(
        name=draft.slo_name(service, called, place),
        sli=sli,
        objective=target,
        window=Window(rolling=windows.period),
        description=description,
        budgeting=by_events(sli),
        labels={**labels, **own},
        alerts=list(alerts),
    )
    draft.add_slo(service, slo, place, called)


def _indicator(fields: Fields, keys: _Keys, notes: Notes) -> Sli | None:
    sli = fields.fields("sli", required=True)
    if sli is None:
        return None
    kinds = [kind for kind in ("events", "raw", "plugin") if sli.has(kind)]
    if len(kinds) != 1:
        said = f"has {' and '.join(kinds)}" if kinds else "has no indicator"
        notes.wrong(fields.place_of("sli"), f"{sli.where} {said}", "exactly one of events, raw and plugin")
        sli.skip("events", "raw", "plugin")
        return None
    inner = sli.fields(kinds[0])
    sli.done()
    if inner is None:
        return None
    if kinds[0] == "plugin":
        return _plugin(inner, notes)
    if kinds[0] == "raw":
        ratio = inner.text(keys.ratio, required=True)
        inner.done()
        return _shaped(inner, keys.ratio, {"bad_ratio": ratio}, notes) if ratio.strip() else None
    bad, total = inner.text(keys.error, required=True), inner.text(keys.total, required=True)
    inner.done()
    return _shaped(inner, keys.error, {"bad": bad, "total": total}, notes) if bad.strip() and total.strip() else None


def _shaped(fields: Fields, key: str, queries: dict[str, str], notes: Notes) -> Sli:
    place = fields.value_place(key)
    try:
        ratio = queries.get("bad_ratio")
        shaped: Shaped = of_ratio(ratio, good=False) if ratio else of_events(queries["total"], bad=queries["bad"])
    except NotPromqlError as error:
        notes.left(place, key, str(error), "kept as an external indicator, which nothing measures")
        texts = {side: {"query": text} for side, text in queries.items()}
        return External(type="Prometheus", **texts)  # type: ignore[arg-type]
    for note in shaped.notes:
        notes.left(place, key, note)
    return shaped.sli


def _plugin(fields: Fields, notes: Notes) -> External:
    name, options = fields.text("id", required=True), fields.texts("options")
    fields.done()
    shown = ", ".join(f"{key}={value}" for key, value in options.items())
    why = "a plugin makes the query, and is not part of the file" + (f"; its options: {shown}" if shown else "")
    notes.left(fields.value_place("id"), f"the SLI plugin {name}", why, "write its query as an indicator")
    return External(type="Sloth plugin", bad_ratio={"id": name, **({"options": options} if options else {})})


def _plugins(fields: Fields, key: str) -> None:
    chain = fields.fields(key)
    if chain is None:
        return
    if chain.flag("overridePrevious"):
        chain.notes.left(chain.place_of("overridePrevious"), "overridePrevious", "Sloth's own rules are not made here")
    for plugin in chain.mappings("chain"):
        config = plugin.plain("config")
        shown = f", configured {json.dumps(config, ensure_ascii=False)}" if config else ""
        plugin.notes.left(
            plugin.value_place("id"),
            f"the SLO plugin {plugin.text('id')}",
            f"plugins make Sloth's rules, and none are made here{shown}",
        )
        plugin.skip("priority")
        plugin.done()
    chain.done()


def _alerts(alerting: Fields | None, slo: Fields, keys: _Keys, windows: _Windows, target: float) -> list[Alert]:
    name = labels = annotations = None
    if alerting is not None:
        name, labels, annotations = alerting.text("name"), alerting.labels(), alerting.texts("annotations")
    found = []
    for severity, key in (("page", keys.page), ("ticket", keys.ticket)):
        own = alerting.fields(key) if alerting is not None else None
        off = own.flag("disable") if own is not None else None
        more, told = (own.labels(), own.texts("annotations")) if own is not None else ({}, {})
        if own is not None:
            own.done()
        if off:
            continue
        conditions = [
            Condition(burn_rate=_factor(pair, windows.period), over=pair.long, short=pair.short)
            for pair in windows.pairs
            if pair.severity == severity
        ]
        found.append(
            Alert(
                name=severity,
                title=name or "",
                severity=severity,
                labels={**(labels or {}), **more},
                annotations={**(annotations or {}), **told},
                conditions=list(conditions),
            )
        )
    if alerting is not None:
        alerting.done()
    if found and not name:
        place = alerting.place_of("name") if alerting is not None else slo.place
        slo.notes.wrong(place, f"the alerts of {slo.where} have no name", "alerting: name, or disable both")
    return found


def _factor(pair: _Pair, period: float) -> float:
    """The burn rate that spends the share of the budget within the long window."""
    return float(f"{pair.budget_percent / 100 * period / pair.long:.12g}")


def _windows(documents: Sequence[Fields], notes: Notes) -> _Windows:
    """The period that SLOs have: Sloth's default, or that of the only ``AlertWindows`` which was given."""
    found = []
    for root in documents:
        root.skip("apiVersion", "kind", "metadata")
        spec = root.fields("spec", required=True)
        root.done()
        period = spec.parsed("sloPeriod", parse_duration, "duration", required=True) if spec is not None else None
        if spec is None or not period:
            continue
        pairs = []
        for severity, speed in _RULES:
            side = spec.fields(severity, required=True)
            rule = side.fields(speed, required=True) if side is not None else None
            if rule is None:
                continue
            share = rule.number("errorBudgetPercent", required=True)
            short = rule.parsed("shortWindow", parse_duration, "duration", required=True)
            long = rule.parsed("longWindow", parse_duration, "duration", required=True)
            rule.done()
            if share and short and long:
                pairs.append(_Pair(severity, share, short, long))
        found.append((root, _Windows(period, tuple(pairs))))
    if len(found) == 1:
        return found[0][1]
    for root, windows in found:
        why = "several alert windows are given, and an SLO does not say which it has"
        notes.left(root.place, f"alert windows of {windows.period / _DAY:g} days", why, "give one of them at a time")
    return _Windows()
