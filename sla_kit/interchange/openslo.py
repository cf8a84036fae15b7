"""OpenSLO v1 (and v1alpha, as far as Sloth reads it) into a catalogue. https://github.com/OpenSLO/OpenSLO

References are followed through all documents. Indicators, alert policies, conditions and targets that stand in place
become named ones: to refer to them or to write them out is the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from sla_kit.catalogue.model import (
    Composite,
    Part,
    Service,
    Slo,
)
from sla_kit.configuration.nodes import Mapping, Scalar
from sla_kit.configuration.places import Place
from sla_kit.interchange.draft import Draft, objective
from sla_kit.interchange.fields import Fields
from sla_kit.interchange.openslo_alpha import as_v1
from sla_kit.interchange.openslo_parts import KINDS, Indicator, Parts
from sla_kit.interchange.openslo_windows import slice_seconds, window_of
from sla_kit.interchange.promql_shape import LIMIT_OF

_BUDGETING: dict[str, Literal["occurrences", "timeslices", "ratio-timeslices"]] = {
    "Occurrences": "occurrences",
    "Timeslices": "timeslices",
    "RatioTimeslices": "ratio-timeslices",
}


def read_openslo(documents: Sequence[Mapping], draft: Draft) -> None:
    """Adds what OpenSLO's documents say to a draft."""
    _Reading(draft).read([one for document in documents for one in as_v1(document, draft.notes)])


class _Reading:
    def __init__(self, draft: Draft) -> None:
        self.draft = draft
        self.notes = draft.notes
        self.parts = Parts(draft)
        self.first_services: dict[str, Place] = {}

    def read(self, documents: Sequence[Mapping]) -> None:
        by_kind: dict[str, list[Fields]] = {kind: [] for kind in KINDS}
        for document in documents:
            root = Fields(document, "the document", self.notes)
            root.skip("apiVersion")
            kind = root.choice("kind", KINDS, required=True)
            if kind:
                root.where = f"the {kind}"
                by_kind[kind].append(root)
        read_one: dict[str, Callable[[Fields], object]] = {
            "DataSource": self.parts.data_source,
            "AlertNotificationTarget": self.parts.target,
            "AlertCondition": self.parts.condition,
            "AlertPolicy": self.parts.policy,
            "SLI": self.parts.sli,
            "Service": self.service,
            "SLO": self.slo,
        }
        for kind in KINDS:  # in an order in which what is referred to comes first
            for root in by_kind[kind]:
                read_one[kind](root)
                root.done()
        for name, indicator in self.parts.indicators.items():
            if name not in self.parts.used:
                self.parts.keep(indicator)

    def service(self, root: Fields) -> None:
        header, spec = self.parts.header(root), root.fields("spec")
        if header is None:
            return
        description = spec.text("description") if spec is not None else ""
        if spec is not None:
            spec.done()
        first = self.first_services.get(header.called)
        if first is not None:
            why = f"the first is at {first.file}:{first.line}"
            self.notes.left(header.place, f"a second Service {header.called!r}", why, "the first is kept")
            return
        self.first_services[header.called] = header.place
        name = self.draft.service(header.called, header.place)
        self.draft.put_service(Service(name=name, description=description, **header.told))

    def slo(self, root: Fields) -> None:
        header, spec = self.parts.header(root), root.fields("spec", required=True)
        if header is None or spec is None:
            return
        called, description = spec.text("service", required=True), spec.text("description")
        window = window_of(spec)
        method = spec.choice("budgetingMethod", _BUDGETING)
        if not spec.has("budgetingMethod"):
            self.notes.left(spec.place, "no budgetingMethod", "OpenSLO requires one", "Occurrences is taken")
        alerts = [
            found
            for item in spec.mappings("alertPolicies")
            if (found := self.parts.either(item, "AlertPolicy", "alertPolicyRef", self.parts.policy)) is not None
        ]
        objectives = spec.mappings("objectives", required=True)
        composite = [item for item in objectives if item.has("indicator") or item.has("indicatorRef")]
        indicator = None if composite else self.indicator(spec, spec.where)
        if spec.has("objectives") and not objectives:
            self.notes.wrong(spec.place_of("objectives"), f"{spec.where} has no objective")
        if composite and (spec.has("indicator") or spec.has("indicatorRef")):
            key = "indicator" if spec.has("indicator") else "indicatorRef"
            self.notes.wrong(spec.place_of(key), f"{key} beside the objectives' own", "a composite has them there only")
        service = self.draft.service(called, spec.value_place("service")) if called else ""
        base = self.draft.slo_name(service, header.called, header.place) if service else ""
        common = Slo(
            name=base or "unnamed",
            sli="",
            objective=0.5,
            window=window,
            description=description,
            budgeting=_BUDGETING.get(method, "occurrences"),
            alerts=list(alerts),
            **header.told,
        )
        names = _objective_names(base, objectives, bool(composite))
        made: list[tuple[Slo, float | None]] = []
        for item, name in zip(objectives, names, strict=True):
            own = self.indicator(item, item.where) if composite else indicator
            one = self.one(replace(common, name=name), item, own)
            item.done()
            if one is not None:
                made.append((one, item.number("compositeWeight")))
        if not composite:
            for item in objectives:
                item.leave("compositeWeight", "means nothing where objectives share one indicator")
        spec.done()
        if not service or len(made) != len(objectives):
            return
        for slo, _ in made:
            self.draft.add_slo(service, slo, header.place, slo.name)
        if composite:
            self.draft.add_slo(service, self.composite(common, spec, made), header.place, base)

    def indicator(self, fields: Fields, where: str) -> Indicator | None:
        if fields.has("indicator") == fields.has("indicatorRef"):
            said = "has both indicator and indicatorRef" if fields.has("indicator") else "has no indicator"
            self.notes.wrong(fields.place, f"{where} {said}", "exactly one of indicator and indicatorRef")
            fields.skip("indicator", "indicatorRef")
            return None
        if fields.has("indicatorRef"):
            fields.skip("indicator")
            name = self.parts.referred("SLI", fields, "indicatorRef")
        else:
            fields.skip("indicatorRef")
            inner = fields.fields("indicator")
            if inner is not None:
                inner.skip("kind")
            name = self.parts.sli(inner) if inner is not None else None
            if inner is not None:
                inner.done()
        return self.parts.indicators.get(name) if name is not None else None

    def one(self, slo: Slo, item: Fields, indicator: Indicator | None) -> Slo | None:
        title, target = item.text("displayName"), self.target_of(item)
        item.get("compositeWeight")
        op, value = item.choice("op", LIMIT_OF), item.number("value")
        slices = slice_seconds(item)
        slice_target = item.number("timeSliceTarget")
        if slo.budgeting == "occurrences":
            item.leave("timeSliceWindow", "means nothing with budgetingMethod: Occurrences")
            slices = 0.0
        elif not item.has("timeSliceWindow"):
            self.notes.wrong(item.place, f"{item.where} has no timeSliceWindow", "such as 1m")
        if slo.budgeting != "timeslices":
            item.leave("timeSliceTarget", "means nothing without budgetingMethod: Timeslices")
            slice_target = None
        elif slice_target is None:
            self.notes.wrong(item.place, f"{item.where} has no timeSliceTarget", "such as 0.95")
        if indicator is None:
            return None
        if indicator.metrics.is_threshold:
            if not op or value is None:
                missing = "op" if not op else "value"
                self.notes.wrong(item.place, f"{item.where} has no {missing}", "a threshold metric is compared to it")
                return None
        else:
            for key in ("op", "value"):
                item.leave(key, "means nothing beside a ratio", "only a threshold metric is compared to a value")
            op, value = "", None
        return replace(
            slo,
            sli=self.parts.keep(indicator, op, value),
            objective=target,
            objective_title=title,
            slice=slices,
            slice_target=slice_target,
        )

    def target_of(self, item: Fields) -> float:
        if item.has("target") == item.has("targetPercent"):
            said = "has both target and targetPercent" if item.has("target") else "has no target"
            self.notes.wrong(item.place, f"{item.where} {said}", "exactly one of target and targetPercent")
            item.skip("target", "targetPercent")
            return 0.5
        key, whole = ("target", 1) if item.has("target") else ("targetPercent", 100)
        number = item.number(key)
        item.skip("target", "targetPercent")
        if number is None:
            return 0.5
        return objective(Decimal(repr(number)) / whole, item.value_place(key), self.notes)

    def composite(self, common: Slo, spec: Fields, parts: list[tuple[Slo, float | None]]) -> Slo:
        """The composite of objectives that have an indicator each."""
        worst = common.budgeting == "timeslices"
        place = spec.place_of("objectives")
        why = "OpenSLO gives a composite no target of its own"
        self.notes.left(place, "the composite's objective", why, "the lowest of its parts' is taken")
        if worst and any(weight not in (None, 1.0) for _, weight in parts):
            self.notes.left(place, "compositeWeight", "with Timeslices any part's bad slice is the composite's")
        of = [
            Part(slo=slo.name, weight=None if worst else (1.0 if weight is None else weight)) for slo, weight in parts
        ]
        sli = Composite(combine="worst" if worst else "weighted", of=of)
        return replace(common, sli=sli, objective=min(slo.objective for slo, _ in parts), budgeting=None)


def _objective_names(base: str, objectives: list[Fields], always: bool) -> list[str]:
    """The names of an SLO's objectives: the SLO's own where there is one, else with what tells each apart behind it."""
    if len(objectives) == 1 and not always:
        return [base]
    names: list[str] = []
    for number, item in enumerate(objectives, 1):
        node = item.node.get("displayName")
        title = node.text if isinstance(node, Scalar) and node.type != "null" else ""
        slug = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or str(number)
        name = f"{base}.{slug}"
        names.append(f"{base}.{slug}-{number}" if name in names else name)
    return names
