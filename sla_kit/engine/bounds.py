"""What an SLO can keep at best, given what it depends on: by the promises of these, and by what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sla_kit.catalogue.dependencies import Hierarchy, Name, exceeds, too_much
from sla_kit.engine.results import BoundResult, DependencyResult, SloResult
from sla_kit.timeline import Finding


def with_bound(result: SloResult, hierarchy: Hierarchy, results: Mapping[Name, SloResult]) -> SloResult:
    """A result with its bound, and with a finding where it promises more than that; as it is where it depends on
    nothing. ``results`` must hold everything that it depends on, at any depth."""
    if not hierarchy.needs.get(result.key):
        return result

    def measured(name: Name) -> float | None:
        return results[name].figure.sli if name in results else hierarchy.objectives.get(name)

    bound = hierarchy.bound(result.key, hierarchy.objectives.get)
    if bound is None:
        return result
    dependencies = _tree(result.key, hierarchy, results, {result.key})
    findings = result.findings
    if exceeds(result.objective, bound):
        findings = (*findings, Finding("over-dependencies", too_much(result.key, result.objective, bound)))
    found = BoundResult(bound, hierarchy.bound(result.key, measured), dependencies)
    return replace(result, bound=found, findings=findings)


def _tree(
    name: Name, hierarchy: Hierarchy, results: Mapping[Name, SloResult], seen: set[Name]
) -> tuple[DependencyResult, ...]:
    """What one depends on, and what each of these does; what was shown before only by its name."""
    found: list[DependencyResult] = []
    for need in hierarchy.needs.get(name, ()):
        service, called = need.name
        repeated = need.name in seen
        seen.add(need.name)
        found.append(
            DependencyResult(
                service=service,
                slo=called if service else "",
                provider="" if service else called,
                objective=hierarchy.objectives.get(need.name, 0.0),
                sli=results[need.name].figure.sli if need.name in results else None,
                copies=need.copies,
                share=need.share,
                through=() if repeated else _tree(need.name, hierarchy, results, seen),
                repeated=repeated,
            )
        )
    return tuple(found)
