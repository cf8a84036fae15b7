"""The OpenSLO objects that SLOs refer to: data sources, indicators, alert policies, conditions and targets.

Those that stand in place become named ones: to refer to them or to write them out is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple, TypedDict, TypeVar, cast

from msgspec.structs import replace

from sla_kit.catalogue.model import (
    Alert,
    Condition,
    Contact,
    ForeignSource,
    Labels,
    Server,
)
from sla_kit.configuration.decode import plain
from sla_kit.configuration.places import Place, nearest
from sla_kit.interchange.draft import Draft
from sla_kit.interchange.fields import Fields
from sla_kit.interchange.openslo_alerts import SHORT
from sla_kit.interchange.openslo_metrics import INDICATOR, Metrics, kept_indicator, metrics_of, sli_of
from sla_kit.interchange.openslo_windows import is_shorthand, shorthand
from sla_kit.interchange.promql_shape import LIMIT_OF

KINDS = ("DataSource", "AlertNotificationTarget", "AlertCondition", "AlertPolicy", "SLI", "Service", "SLO")
#: Keys of connection details that hold what must not be copied.
_SECRET = re.compile(r"key|token|secret|passw|credential|auth|cookie|webhook|dsn", re.IGNORECASE)
_ADDRESS = re.compile(r"https?://[^\s/@:]+(:\d+)?(/[^\s@]*)?")
_Thing = TypeVar("_Thing")


class Told(TypedDict):
    title: str
    labels: Labels
    annotations: dict[str, str]


class Header(NamedTuple):
    """What an object's metadata says, and where its name stands."""

    called: str
    place: Place
    told: Told


class Indicator(NamedTuple):
    """An SLI as it was read: a threshold needs an objective to become an indicator of ours."""

    name: str
    metrics: Metrics
    told: Told
    description: str
    spec: object


class Parts:
    """What has been read of them, and under which name in the catalogue."""

    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.notes = draft.notes
        self.indicators: dict[str, Indicator] = {}
        self.names: dict[str, dict[str, str]] = {kind: {} for kind in KINDS}
        self.contents: dict[tuple[str, str], list[tuple[object, str]]] = {}
        self.firsts: dict[tuple[str, str], Place] = {}
        self.taken: dict[str, set[str]] = {kind: set() for kind in KINDS}
        self.types: dict[str, str] = {}
        self.used: set[str] = set()

    def header(self, root: Fields) -> Header | None:
        """What an object's metadata says; None after noting why it can't be told."""
        metadata = root.fields("metadata", required=True)
        if metadata is None:
            return None
        called, place = metadata.text("name", required=True), metadata.value_place("name")
        told: Told = {
            "title": metadata.text("displayName"),
            "labels": metadata.labels(),
            "annotations": metadata.texts("annotations"),
        }
        metadata.done()
        return Header(called, place, told) if called.strip() else None

    def named(self, kind: str, root: Fields, build: Callable[[str, Header, Fields], _Thing | None]) -> str | None:
        """Reads an object once, and gives its name in the catalogue. One that is the same as before is that one; one
        that stands in place may differ and gets another name; two documents of one name are a mistake."""
        header = self.header(root)
        spec = root.fields("spec", required=True)
        if header is None or spec is None:
            return None
        content = {key: plain(node) for key in ("metadata", "spec") if (node := root.node.get(key)) is not None}
        names, same = self.names[kind], self.contents.setdefault((kind, header.called), [])
        for before, name in same:
            if before == content:
                return name
        if same and root.node.get("apiVersion") is not None:
            first = self.firsts[kind, header.called]
            hint = f"the first is at {first.file}:{first.line}"
            self.notes.wrong(header.place, f"two objects of kind {kind} are called {header.called!r}", hint)
            return None
        name = self.notes.name(header.called, header.place, [*names.values(), *self.taken[kind]])
        self.taken[kind].add(name)
        names.setdefault(header.called, name)
        same.append((content, name))
        self.firsts.setdefault((kind, header.called), header.place)
        built = build(name, header, spec)
        spec.done()
        return None if built is None else name

    def referred(self, kind: str, fields: Fields, key: str) -> str | None:
        """The name of what a reference means; a dangling one is a mistake."""
        called = fields.text(key, required=True)
        if not called:
            return None
        known = self.names[kind]
        if called not in known:
            hint = nearest(called, known) or f"give the file that defines this {kind} too"
            hint = hint if hint.startswith("did") else f"give the file that defines this {kind} too"
            self.notes.wrong(fields.value_place(key), f"there is no {kind} {called!r}", hint)
        return known.get(called)

    # --- what SLOs refer to -----------------------------------------------------------------------------------------

    def data_source(self, root: Fields) -> None:
        """Reads a DataSource."""

        def build(name: str, header: Header, spec: Fields) -> bool:
            kind, description = spec.text("type", required=True), spec.text("description")
            details = self.connection(spec)
            self.types[header.called] = kind
            url = details.get("url")
            if kind.lower() == "elasticsearch" and isinstance(url, str) and url.startswith("elasticsearch+"):
                self.draft.sources.append(Server(name=name, url=url, description=description, **header.told))
                return True
            if kind.lower() != "prometheus":
                self.draft.external.append(
                    ForeignSource(name=name, type=kind, description=description, connection=details, **header.told)
                )
                return True
            found = next((details.pop(key) for key in list(details) if key.lower() in ("url", "address")), "")
            address = found if isinstance(found, str) and _ADDRESS.fullmatch(found) else ""
            if found and not address:
                why = "is no http(s) address without a password"
                self.notes.left(spec.place_of("connectionDetails"), "the address in connectionDetails", why)
            tenant = details.pop("tenant") if isinstance(details.get("tenant"), str) else ""
            for key in details:
                self.notes.left(spec.place_of("connectionDetails"), f"{key} in connectionDetails", "a server has none")
            self.draft.sources.append(
                Server(name=name, url=address, tenant=tenant, description=description, **header.told)
            )
            return True

        self.named("DataSource", root, build)

    def connection(self, spec: Fields) -> dict[str, Any]:
        """Connection details as one mapping, without what looks like a secret."""
        given = spec.plain("connectionDetails")
        items = given if isinstance(given, list) else [given] if isinstance(given, dict) else []
        found = {str(key): value for item in items if isinstance(item, dict) for key, value in item.items()}
        for key in [key for key in found if _SECRET.search(key)]:
            del found[key]
            why = "secrets are not copied into a catalogue"
            self.notes.left(spec.place_of("connectionDetails"), f"{key} in connectionDetails", why)
        if given is not None and not all(isinstance(item, dict) for item in items or [given]):
            self.notes.left(spec.place_of("connectionDetails"), "connectionDetails", "are no mapping")
        return found

    def target(self, root: Fields) -> str | None:
        """Reads an AlertNotificationTarget, and gives its name."""

        def build(name: str, header: Header, spec: Fields) -> bool:
            channel, description = spec.text("target", required=True), spec.text("description")
            self.draft.contacts.append(Contact(name=name, channel=channel, description=description, **header.told))
            return True

        return self.named("AlertNotificationTarget", root, build)

    def condition(self, root: Fields) -> str | None:
        """Reads an AlertCondition, and gives its name."""

        def build(name: str, header: Header, spec: Fields) -> bool:
            description, severity = spec.text("description"), spec.text("severity", required=True)
            inner = spec.fields("condition", required=True)
            if inner is None:
                return False
            inner.choice("kind", ["burnrate"])
            op = inner.choice("op", LIMIT_OF, required=True)
            threshold = inner.number("threshold", required=True)
            over = inner.parsed("lookbackWindow", shorthand, "duration such as 1h", required=True)
            after = inner.parsed("alertAfter", shorthand, "duration such as 5m")
            inner.done()
            if not op or threshold is None or over is None:
                return False
            if not over > 0:
                self.notes.wrong(inner.value_place("lookbackWindow"), "lookbackWindow must be above 0")
            short = header.told["annotations"].pop(SHORT, "")
            self.draft.conditions.append(
                Condition(
                    short=shorthand(short) if is_shorthand(short) else 0.0,
                    name=name,
                    description=description,
                    severity=severity,
                    op=cast(Any, op),
                    burn_rate=threshold,
                    over=over,
                    after=after or 0.0,
                    **header.told,
                )
            )
            return True

        return self.named("AlertCondition", root, build)

    def policy(self, root: Fields) -> str | None:
        """Reads an AlertPolicy, and gives its name."""

        def build(name: str, header: Header, spec: Fields) -> bool:
            description = spec.text("description")
            moments = (("Breaching", "breaching"), ("Resolved", "resolved"), ("NoData", "no-data"))
            tell = [word for key, word in moments if spec.flag(f"alertWhen{key}")]
            conditions = [
                found
                for item in spec.mappings("conditions", required=True)
                if (found := self.either(item, "AlertCondition", "conditionRef", self.condition)) is not None
            ]
            notify = [found for item in spec.mappings("notificationTargets") if (found := self.told_to(item))]
            alert = Alert(
                name=name,
                description=description,
                conditions=list(conditions),
                tell=cast(Any, tell),
                notify=notify,
                **header.told,
            )
            self.draft.alerts.append(alert)
            return True

        return self.named("AlertPolicy", root, build)

    def told_to(self, item: Fields) -> str | None:
        """Whom a policy notifies. A target may live elsewhere: its name alone is enough for whoever routes alerts."""
        called = item.text("targetRef")
        names = self.names["AlertNotificationTarget"]
        if called and called not in names and not item.has("metadata"):
            place = item.value_place("targetRef")
            why = "no AlertNotificationTarget of that name is in these files"
            self.notes.left(place, f"the target {called!r}", why, "kept as a contact by name")
            names[called] = self.notes.name(called, place, names.values())
            self.draft.contacts.append(Contact(name=names[called]))
        return self.either(item, "AlertNotificationTarget", "targetRef", self.target)

    def either(self, item: Fields, kind: str, key: str, read: Callable[[Fields], str | None]) -> str | None:
        """What is referred to, or stands in place."""
        if item.has(key) and (item.has("metadata") or item.has("spec")):
            self.notes.wrong(item.place_of(key), f"{key} beside a {kind} in place", "one of them")
        if item.has(key) or not item.has("metadata"):
            return self.referred(kind, item, key)
        item.skip("kind", "apiVersion")
        found = read(item)
        item.done()
        return found

    def sli(self, root: Fields) -> str | None:
        """Reads an SLI, and gives its name."""

        def build(name: str, header: Header, spec: Fields) -> bool:
            description = spec.text("description")
            metrics = metrics_of(spec)
            if metrics is None:
                return False
            metrics = metrics._replace(by_role={r: self.sourced(m) for r, m in metrics.by_role.items()})
            whole = {key: plain(node) for key, (_, node) in spec.node.entries.items()}
            self.indicators[name] = Indicator(name, metrics, header.told, description, whole)
            return True

        return self.named("SLI", root, build)

    def sourced(self, metric: Any) -> Any:
        """A metric with the type and the catalogue's name of its source."""
        known = self.names["DataSource"]
        kind = metric.type or self.types.get(metric.source, "")
        if not kind:
            said = f"there is no DataSource {metric.source!r}" if metric.source else "the metric source has no type"
            hint = "give the file that defines it too, or the source's type" if metric.source else "such as Prometheus"
            self.notes.wrong(metric.place, said, hint)
            kind = "unknown"
        if metric.source and metric.source not in known:
            why = "no DataSource of that name is in these files"
            self.notes.left(metric.place, f"the data source {metric.source!r}", why, "its address must be given")
            name = known[metric.source] = self.notes.name(metric.source, metric.place, known.values())
            self.types[metric.source] = kind
            if kind.lower() == "prometheus":
                self.draft.sources.append(Server(name=name))
            else:
                self.draft.external.append(ForeignSource(name=name, type=kind))
        return metric._replace(type=kind, source=known.get(metric.source, ""))

    def keep(self, indicator: Indicator, op: str = "", value: float | None = None) -> str:
        """Puts an indicator among the catalogue's, and gives its name there. A threshold is part of ours, and of its
        name."""
        name = indicator.name
        if indicator.metrics.is_threshold and op and value is not None:
            name += f".{op}{value!r}".removesuffix(".0").replace("+", "")
        if name not in self.draft.slis:
            place = next(iter(indicator.metrics.by_role.values())).query_place
            self.draft.sli_places[name] = place
            annotations = dict(indicator.told["annotations"])
            sli = kept_indicator(annotations, indicator.spec, op, value)
            if sli is None:
                if INDICATOR in annotations:
                    self.notes.left(place, INDICATOR, "the queries beside it have been changed since", "these count")
                sli = sli_of(indicator.metrics, op, value, self.notes)
            else:
                sli = replace(sli, source=next(iter(indicator.metrics.by_role.values())).source)
            annotations.pop(INDICATOR, None)
            told: Told = {**indicator.told, "annotations": annotations}
            self.draft.slis[name] = replace(sli, description=indicator.description, **told)
        self.used.add(indicator.name)
        return name
