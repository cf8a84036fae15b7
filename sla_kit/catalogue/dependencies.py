"""What an SLO can promise at best, given the promises of what it depends on.

Availabilities in series multiply, of several copies any one suffices: Google SRE, "The Calculus of Service
Availability" (ACM Queue 15(2), 2017), whose rule that a dependency counts once wherever it stands in the hierarchy is
kept here: what two dependencies share fails once, for both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue, Composite, Service, Slo
from sla_kit.configuration.places import Findings, Places
from sla_kit.errors import Mistake

#: An SLO as (service, name), or an outside provider as ("", name).
Name = tuple[str, str]
#: A bound that differs by less than this from the promise is no reason to warn: floating-point noise.
_SLACK = 1e-12


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is depended on: any one of ``copies`` suffices, ``share`` of the events need it."""

    name: Name
    copies: int
    share: float


@dataclass(frozen=True)
class Hierarchy:
    """What every SLO of a catalogue depends on directly, and what each of these promises."""

    needs: dict[Name, tuple[Need, ...]]
    objectives: dict[Name, float]

    @classmethod
    def of(cls, catalogue: Catalogue) -> Hierarchy:
        """That of a catalogue. The parts of a journey (a composite of ``all``) are dependencies of it."""
        needs: dict[Name, tuple[Need, ...]] = {}
        objectives: dict[Name, float] = {}
        for service, slo in catalogue.slos():
            objectives[service.name, slo.name] = slo.objective
            needs[service.name, slo.name] = tuple(_needs(catalogue, service, slo, objectives))
        return cls(needs, objectives)

    def bound(self, name: Name, availability: Callable[[Name], float | None]) -> float | None:
        """The most that an SLO can keep, 0 to 1; None where the availability of a dependency is not known.

        The product over everything it depends on, at any depth and each once, of 1 - share x (1 - own)^copies, where
        ``own`` is the dependency's availability without what its own dependencies cost it, which counts by itself. So
        a chain allows as much as its weakest promise, and two independent dependencies the product of theirs.
        """
        try:
            return self._bound(name, availability, {}, ())
        except _UnknownError:
            return None

    def _bound(
        self, name: Name, availability: Callable[[Name], float | None], known: dict[Name, float], way: tuple[Name, ...]
    ) -> float:
        if name in known or name in way:  # a circle, which the rules refuse
            return known.get(name, 1.0)
        product = 1.0
        for each, need in self._reached(name).items():
            own = availability(each)
            if own is None:
                raise _UnknownError
            through = self._bound(each, availability, known, (*way, name))
            lost = 1.0 - min(own / through, 1.0) if through > 0 else 0.0
            product *= 1.0 - need.share * lost**need.copies
        known[name] = product
        return product

    def _reached(self, name: Name) -> dict[Name, Need]:
        """Everything that one depends on at any depth. Reached on several ways, it counts by the one that needs it
        most."""
        found: dict[Name, Need] = {}
        ahead = list(self.needs.get(name, ()))
        while ahead:
            need = ahead.pop(0)
            before = found.get(need.name)
            if before is not None:
                need = Need(need.name, min(need.copies, before.copies), max(need.share, before.share))
            if need != before and need.name != name:
                found[need.name] = need
                ahead += [Need(e.name, e.copies, e.share * need.share) for e in self.needs.get(need.name, ())]
        return found


class _UnknownError(Exception):
    """The availability of a dependency is not known."""


def _needs(catalogue: Catalogue, service: Service, slo: Slo, objectives: dict[Name, float]) -> list[Need]:
    found: dict[Name, Need] = {}
    for each in slo.depends_on:
        target = each.target(service.name) or ("", each.provider)
        found[target] = Need(target, each.copies, each.share)
        if each.objective is not None and not each.slo:  # of two contracts with one provider the weaker is sure
            objectives[target] = min(each.objective, objectives.get(target, 1.0))
    sli = catalogue.sli(service, slo)
    if isinstance(sli, Composite) and sli.combine == "all":
        for part in sli.of:
            found.setdefault(part.target(service.name), Need(part.target(service.name), 1, 1.0))
    return list(found.values())


def check_bounds(catalogue: Catalogue, places: Places | None = None) -> list[Mistake]:
    """A warning for every SLO of a right catalogue that promises more than what it depends on allows."""
    findings = Findings(places)
    hierarchy = Hierarchy.of(catalogue)
    for at, service in enumerate(catalogue.services):
        for number, slo in enumerate(service.slos):
            name = (service.name, slo.name)
            if not hierarchy.needs[name]:
                continue
            bound = hierarchy.bound(name, hierarchy.objectives.get)
            if bound is not None and exceeds(slo.objective, bound):
                path = ("services", at, "slos", number, "objective")
                findings.say(path, too_much(name, slo.objective, bound), "promise less, or make them redundant")
    return findings.mistakes


def exceeds(objective: float, bound: float) -> bool:
    """Whether an objective promises more than a bound allows."""
    return objective > bound + _SLACK


def too_much(name: Name, objective: float, bound: float) -> str:
    """What to say of an SLO that promises more than its bound."""
    return f"{'/'.join(name)} promises {_percent(objective)}, but what it depends on allows {_percent(bound)} at best"


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.7g} %"
