"""A catalogue as OpenSLO v1 documents. https://github.com/OpenSLO/OpenSLO

What OpenSLO has no words for is told. An indicator that it can't tell whole is kept in an annotation beside the nearest
that it can, so that an import gives the same again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import msgspec
import yaml

from sla_kit.catalogue.model import Alert, Bound, Catalogue, Composite, Contact, External, Service, Sli, Slo
from sla_kit.interchange.leftovers import Leftover
from sla_kit.interchange.openslo_alerts import alert_documents
from sla_kit.interchange.openslo_metrics import INDICATOR, Told, as_annotation, told
from sla_kit.interchange.openslo_objects import Document, Objects, described, document
from sla_kit.interchange.openslo_windows import as_shorthand, as_time_window

_BUDGETING = {"occurrences": "Occurrences", "timeslices": "Timeslices", "ratio-timeslices": "RatioTimeslices"}
#: What an import puts behind the name of a threshold's indicator.
_LIMIT = re.compile(r"\.(lt|lte|gt|gte)-?[0-9.]+(e-?[0-9]+)?$")
#: What OpenSLO has no words for: of an SLO, of a service and of a catalogue.
_OF_SLO = (
    "promise",
    "severity",
    "consequence",
    "sla",
    "missing",
    "min_coverage",
    "policy",
    "depends_on",
    "compare_with",
)
_OF_SERVICE = ("owner", "runbook")
_OF_CATALOGUE = ("runbooks", "sum_labels", "promises", "policy", "severities", "routes", "calendar", "logs")


@dataclass(frozen=True, slots=True)
class Exported:
    """OpenSLO documents, in an order in which nothing is referred to before it is there, and what they lack."""

    documents: tuple[Document, ...]
    leftovers: tuple[Leftover, ...]

    def yaml(self) -> str:
        """The documents as YAML."""
        text: str = yaml.dump_all(
            self.documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110, explicit_start=True
        )
        return text


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def to_openslo(catalogue: Catalogue) -> Exported:
    """The catalogue as OpenSLO v1 documents."""
    writing = _Writing(catalogue)
    slos = [made for service in catalogue.services for made in writing.slos(service)]
    writing.unused()
    documents = [
        *writing.data_sources(),
        *(writing.contact(contact) for contact in catalogue.contacts if contact != Contact(name=contact.name)),
        *alert_documents(catalogue.conditions, list(writing.alerts.values()), writing.objects),
        *(writing.service(service) for service in catalogue.services),
        *writing.slis.values(),
        *slos,
    ]
    return Exported(tuple(documents), tuple(sorted(set(writing.objects.leftovers))))


class _Writing:
    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.objects = Objects()
        self.slis: dict[str, Document] = {}
        self.alerts = {alert.name: alert for alert in catalogue.alerts}
        names = [base for service in catalogue.services for base, _ in _groups(service)]
        self.ambiguous = {name for name in names if names.count(name) > 1}
        for key in _OF_CATALOGUE:
            if getattr(catalogue, key) != _default(catalogue, key):
                self.objects.left(catalogue.name, key, "OpenSLO has no such thing")

    # --- what stands by itself --------------------------------------------------------------------------------------

    def data_sources(self) -> Iterable[Document]:
        for server in self.catalogue.sources:
            details = {key: value for key in ("url", "tenant") if (value := getattr(server, key))}
            if details or server.description or _has_more(server):
                kind = "Elasticsearch" if server.holds_logs else "Prometheus"
                spec = described(server.description, {"type": kind, "connectionDetails": details})
                yield document("DataSource", self.objects.name("DataSource", server.name), server, spec)
        for source in self.catalogue.external:
            if source.connection or source.description or _has_more(source):
                spec = described(source.description, {"type": source.type, "connectionDetails": source.connection})
                yield document("DataSource", self.objects.name("DataSource", source.name), source, spec)

    def contact(self, contact: Contact) -> Document:
        ways = [key for key in ("pagerduty", "slack", "email") if getattr(contact, key)]
        for key in ways if contact.channel else ways[1:]:
            self.objects.left(contact.name, key, "a target has one channel")
        target = contact.channel or (ways[0] if ways else "email")
        spec = described(contact.description, {"target": target})
        name = self.objects.name("AlertNotificationTarget", contact.name)
        return document("AlertNotificationTarget", name, contact, spec)

    def service(self, service: Service) -> Document:
        for key in _OF_SERVICE:
            if getattr(service, key):
                self.objects.left(service.name, key, "an OpenSLO service has none")
        name = self.objects.name("Service", service.name)
        return document("Service", name, service, described(service.description, {}))

    # --- indicators -------------------------------------------------------------------------------------------------

    def sli(self, name: str, sli: Sli, source: str) -> tuple[str, Told] | None:
        """The name of an indicator's document, which is written where it was not, and what it says. A threshold is no
        part of an SLI there, nor of its name."""
        ref = sli.source or source
        found = told(sli, self.objects.name("DataSource", ref) if ref else "")
        if found is None:
            return None
        op_and_value = f".{found.op}{found.value!r}".removesuffix(".0").replace("+", "")
        if found.op and name.endswith(op_and_value) and isinstance(sli, Bound | External):
            name = name.removesuffix(op_and_value)
        annotations = dict(sli.annotations)
        if not found.whole:
            annotations[INDICATOR] = as_annotation(sli)
        kept = msgspec.structs.replace(sli, annotations=annotations)
        spec = described(sli.description, found.spec)
        free = self.objects.name("SLI", name)
        while free in self.slis and self.slis[free] != document("SLI", free, kept, spec):
            name += "-2"
            free = self.objects.name("SLI", name)
        self.slis[free] = document("SLI", free, kept, spec)
        return free, found

    def unused(self) -> None:
        """Indicators to which no SLO refers."""
        used = {slo.sli for _, slo in self.catalogue.slos() if isinstance(slo.sli, str)}
        pools = [self.catalogue.slis, *(service.slis for service in self.catalogue.services)]
        for name, sli in ((name, sli) for pool in pools for name, sli in pool.items() if name not in used):
            if self.sli(name, sli, "") is None:
                self.objects.left(name, f"the indicator {name}", "it is derived from other SLOs")

    # --- SLOs -------------------------------------------------------------------------------------------------------

    def slos(self, service: Service) -> Iterable[Document]:
        for base, group in _groups(service):
            made = self.slo(service, base, group)
            if made is not None:
                yield made

    def slo(self, service: Service, base: str, group: list[Slo]) -> Document | None:
        composite = next((slo for slo in group if isinstance(slo.sli, Composite)), None)
        parts = [slo for slo in group if slo is not composite]
        where = f"{service.name}/{base}"
        weights = {} if composite is None else _weights(composite, service.name)
        first = parts[0] if parts else group[0]
        objectives, refs = [], []
        for slo in parts:
            self.unsaid(service, slo)
            sli = self.catalogue.sli(service, slo)
            named = slo.sli if isinstance(slo.sli, str) else f"{service.name}-{slo.name}"
            found = self.sli(named, sli, slo.source or service.source)
            if found is None:
                self.objects.left(
                    where, "the SLO", "its indicator is derived from other SLOs, which OpenSLO does not know"
                )
                return None
            refs.append(found[0])
            objectives.append(self.objective(service, slo, found[1]))
        if not parts:
            self.objects.left(
                where, "the SLO", "OpenSLO's composites hold their parts themselves; these are SLOs of their own"
            )
            return None
        spec: Document = {"service": self.objects.name("Service", service.name)}
        if composite is None:
            spec["indicatorRef"] = refs[0]
        else:
            objectives = [
                {**objective, "indicatorRef": ref, "compositeWeight": weights.get(slo.name, 1.0)}
                for objective, ref, slo in zip(objectives, refs, parts, strict=True)
            ]
        spec["timeWindow"] = [as_time_window(first.window, self.catalogue.timezone)]
        if first.window.rolling is not None and first.window.rolling % 60:
            self.objects.left(where, "window", "OpenSLO's are whole minutes")
        spec["budgetingMethod"] = _BUDGETING[self.budgeting(service, first)]
        spec["objectives"] = objectives
        alerts = [name for alert in first.alerts for name in self.alert(service, first, alert)]
        if alerts:
            spec["alertPolicies"] = [{"alertPolicyRef": name} for name in alerts]
        name = self.objects.name("SLO", f"{service.name}-{base}" if base in self.ambiguous else base)
        return document("SLO", name, first, described(first.description, spec))

    def budgeting(self, service: Service, slo: Slo) -> str:
        """The method that an SLO has, its kind's where it names none."""
        from sla_kit.engine.budgeting import Terms

        return Terms.of(slo, self.catalogue.sli(service, slo)).budgeting

    def objective(self, service: Service, slo: Slo, sli: Told) -> Document:
        said: Document = {}
        if slo.objective_title:
            said["displayName"] = slo.objective_title
        if sli.op:
            said |= {"op": sli.op, "value": sli.value}
        said["target"] = slo.objective
        method = self.budgeting(service, slo)
        if method == "timeslices":
            said["timeSliceTarget"] = 1.0 if slo.slice_target is None else slo.slice_target
        if method != "occurrences":
            said["timeSliceWindow"] = as_shorthand(slo.slice or max(self.catalogue.bucket, 60.0))
        return said

    def alert(self, service: Service, slo: Slo, alert: str | Alert) -> list[str]:
        """The names of an alert's policies; one in place becomes the catalogue's."""
        if isinstance(alert, str):
            return self.objects.policies(self.alerts[alert])
        named = msgspec.structs.replace(alert, name=f"{service.name}-{slo.name}-{alert.name}")
        self.alerts.setdefault(named.name, named)
        return self.objects.policies(named)

    def unsaid(self, service: Service, slo: Slo) -> None:
        for key in _OF_SLO:
            if getattr(slo, key) != _default(slo, key):
                self.objects.left(f"{service.name}/{slo.name}", key, "OpenSLO has no such thing")


def _groups(service: Service) -> list[tuple[str, list[Slo]]]:
    """SLOs by the document that they stand in: those called ``name.…`` that share all but their objective, and a
    composite called ``name`` of all of them."""
    by_base: dict[str, list[Slo]] = {}
    for slo in service.slos:
        by_base.setdefault(slo.name.rpartition(".")[0], []).append(slo)
    composites = {slo.name: slo for slo in service.slos if isinstance(slo.sli, Composite)}
    found: list[tuple[str, list[Slo]]] = []
    done: set[str] = set()
    for slo in service.slos:
        if slo.name in done:
            continue
        base = slo.name.rpartition(".")[0]
        if isinstance(slo.sli, Composite):
            base = slo.name
        group = by_base.get(base, []) if base else []
        composite = composites.get(base)
        if composite is not None and _is_of(composite, group, service.name):
            group = [*group, composite]
        elif composite is not None or not _alike(group) or any(each.name == base for each in service.slos):
            base, group = slo.name, [slo]
        done |= {each.name for each in group}
        found.append((base, group))
    return found


def _is_of(composite: Slo, group: list[Slo], service: str) -> bool:
    sli = composite.sli
    if not isinstance(sli, Composite) or not group:
        return False
    return {part.target(service) for part in sli.of} == {(service, slo.name) for slo in group}


def _alike(group: list[Slo]) -> bool:
    return len(group) > 1 and len({_shared(each) for each in group}) == 1


def _shared(slo: Slo) -> bytes:
    """What objectives of one document have in common."""
    sli: Any = _LIMIT.sub("", slo.sli) if isinstance(slo.sli, str) else slo.sli
    bare = msgspec.structs.replace(
        slo, name="", sli="", objective=0.5, objective_title="", slice=0.0, slice_target=None
    )
    return msgspec.json.encode((bare, sli))


def _weights(composite: Slo, service: str) -> dict[str, float]:
    assert isinstance(composite.sli, Composite)
    return {part.target(service)[1]: part.weight for part in composite.sli.of if part.weight is not None}


def _has_more(thing: Any) -> bool:
    return bool(thing.title or thing.labels or thing.annotations)


def _default(struct: msgspec.Struct, key: str) -> Any:
    field = next(each for each in msgspec.structs.fields(type(struct)) if each.name == key)
    return field.default if field.default is not msgspec.NODEFAULT else field.default_factory()
