"""What SLOs rest on, and how they stand by their policies, in report.json."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from msgspec import Struct

from sla_kit.report.document_figures import Figure, figure_of, sure, truth
from sla_kit.report.formats import number, rfc3339

if TYPE_CHECKING:
    from sla_kit.engine import results


class Part(Struct, frozen=True, kw_only=True):
    """One part of a composite, over the composite's windows; ``loss_share`` is its share of what the composite lost in
    the report's window, and ``weight`` null where parts are not weighed."""

    service: str
    slo: str
    kind: str
    unit: str
    objective: float
    weight: float | None
    loss_share: float | None
    figure: Figure
    own: Figure
    parts: list[Part]


class Dependency(Struct, frozen=True, kw_only=True):
    """One thing that an SLO rests on: an SLO, or an outside provider; any one of ``copies`` suffices, ``share`` of the
    events need it. What is ``repeated`` was counted before in the same tree."""

    service: str
    slo: str
    provider: str
    objective: float
    sli: float | None
    copies: int
    share: float
    repeated: bool
    through: list[Dependency]


class Bound(Struct, frozen=True, kw_only=True):
    """What an SLO can keep at best, given what it depends on: by the objectives of these, and by what was measured of
    them in the report's window."""

    by_objectives: float
    by_measured: float | None
    dependencies: list[Dependency]


class Step(Struct, frozen=True, kw_only=True):
    """One step of an error-budget policy; ``reached`` is null where that can't be told, ``frees_at`` is when a reached
    step is left again if nothing else goes wrong, null where that can't be known."""

    action: str
    left: float | None
    incident: float | None
    effects: list[str]
    to: list[str]
    exempt: list[str]
    reached: bool | None
    because: str
    frees_at: str | None


class Policy(Struct, frozen=True, kw_only=True):
    """How an SLO stands by its error-budget policy: what the reached steps do and whom they escalate to, and all."""

    effects: list[str]
    to: list[str]
    steps: list[Step]


def parts_of(parts: Iterable[results.PartResult]) -> list[Part]:
    """The parts of a composite, and theirs."""
    return [
        Part(
            service=part.service,
            slo=part.slo,
            kind=part.kind,
            unit=part.unit,
            objective=sure(part.objective),
            weight=number(part.weight),
            loss_share=number(part.loss_share),
            figure=figure_of(part.figure),
            own=figure_of(part.own),
            parts=parts_of(part.parts),
        )
        for part in parts
    ]


def bound_of(bound: results.BoundResult | None) -> Bound | None:
    """What an SLO's dependencies allow; None where it has none."""
    if bound is None:
        return None
    return Bound(
        by_objectives=sure(bound.by_objectives),
        by_measured=number(bound.by_measured),
        dependencies=_dependencies(bound.dependencies),
    )


def _dependencies(dependencies: Iterable[results.DependencyResult]) -> list[Dependency]:
    return [
        Dependency(
            service=each.service,
            slo=each.slo,
            provider=each.provider,
            objective=sure(each.objective),
            sli=number(each.sli),
            copies=int(each.copies),
            share=sure(each.share),
            repeated=bool(each.repeated),
            through=_dependencies(each.through),
        )
        for each in dependencies
    ]


def policy_of(policy: results.PolicyState | None) -> Policy | None:
    """How an SLO stands by its policy; None where no steps are declared."""
    if policy is None:
        return None
    steps = [
        Step(
            action=step.action,
            left=number(step.left),
            incident=number(step.incident),
            effects=list(step.effects),
            to=list(step.to),
            exempt=list(step.exempt),
            reached=truth(step.reached),
            because=step.because,
            frees_at=rfc3339(step.frees_at),
        )
        for step in policy.steps
    ]
    return Policy(effects=list(policy.effects), to=list(policy.to), steps=steps)
