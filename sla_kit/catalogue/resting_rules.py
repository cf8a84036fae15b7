"""What SLOs that rest on others must hold: the parts of a composite, what an SLO depends on, and no circles."""

from __future__ import annotations

from collections.abc import Sequence

from sla_kit.catalogue.model import (
    Catalogue,
    Composite,
    Dependency,
    External,
    Latency,
    LogEvents,
    LogLatency,
    Part,
    Probe,
    Promql,
    Recovery,
    Requests,
    Service,
    Sli,
    Slo,
)
from sla_kit.configuration.places import Findings, Path

#: Service and name of an SLO.
Key = tuple[str, str]


def expect_slo(target: Key, path: Path, catalogue: Catalogue, findings: Findings) -> Sli | None:
    """The indicator of the SLO that a name written at ``path`` means; None where there is none, which is noted."""
    owner, name = target
    if not owner:  # of an indicator that several services share
        findings.say(path, f"{name} names no service", f"write service/{name}, since several services share this")
        return None
    services = {service.name: index for index, service in enumerate(catalogue.services)}
    if not findings.expect(owner, services, path, "service", [("services",)]):
        return None
    index = services[owner]
    service = catalogue.services[index]
    slos = {slo.name: slo for slo in service.slos}
    known = findings.expect(name, slos, path, f"SLO of {owner}", [("services", index, "slos")])
    return _sli(catalogue, service, slos[name]) if known else None


def check_recovery(sli: Recovery, service: Service, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Notes what is wrong with the SLO whose outages a recovery indicator times."""
    here = (*path, "of")
    judged = expect_slo(sli.target(service.name), here, catalogue, findings)
    if judged is sli:
        findings.say(here, f"{sli.of} can't time its own recovery", "name the SLO whose outages count")
    elif isinstance(judged, Recovery):
        findings.say(here, f"{sli.of} is a recovery itself", "name the SLO whose outages count")
    elif isinstance(judged, Composite) and not judged.counts_events:
        findings.say(here, f"{sli.of} has no outages of its own", "time those of its parts")


def check_composite(sli: Composite, service: Service, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Notes what is wrong with the parts of a composite."""
    say = findings.say
    if not sli.of and findings.places.complete((*path, "of")):
        say((*path, "of"), "a composite needs parts", "name SLOs under of, such as web/availability")
    first: set[Key] = set()
    for number, part in enumerate(sli.of):
        here = (*path, "of", number)
        key = part.target(service.name)
        if key in first:
            say(here, f"{part.slo} is a part twice", "give it a weight instead")
        first.add(key)
        if isinstance(expect_slo(key, (*here, "slo"), catalogue, findings), Recovery):
            say(here, f"{part.slo} is a recovery, whose outages can't be combined", "name the SLO that it times")
        _weight(sli, part, here, findings)
    weights = [part.weight is not None for part in sli.of]
    if any(weights) and not all(weights) and sli.combine == "weighted" and not findings.places.has_broken(path):
        say((*path, "of", weights.index(False)), "this part has no weight", "give one to every part or to none")
    if sli.combine == "weighted" and sli.counts_events and not findings.places.has_broken(path):
        _units(sli, service, path, catalogue, findings)


def _weight(sli: Composite, part: Part, path: Path, findings: Findings) -> None:
    if part.weight is None or findings.places.broken((*path[:-2], "combine")):
        return
    here = (*path, "weight")
    if sli.combine != "weighted":
        findings.say(here, f"a weight means nothing where parts are combined by {sli.combine}", "combine: weighted")
    elif not part.weight > 0:
        findings.say(here, f"a weight of {part.weight:g} is impossible", "above 0")


def _units(sli: Composite, service: Service, path: Path, catalogue: Catalogue, findings: Findings) -> None:
    """Events can be added only where they are of one kind."""
    known: dict[Key, str] = {}
    for number, part in enumerate(sli.of):
        key, here = part.target(service.name), (*path, "of", number)
        _, judged = _find(catalogue, key) or (None, None)
        if isinstance(judged, Composite) and not judged.counts_events:
            hint = "give every part a weight, or combine them by worst"
            findings.say(here, f"{part.slo} counts no events that could be added", hint)
            continue
        unit = unit_of(catalogue, key)
        if unit is not None and known and unit not in known.values():
            other, its = next(iter(known.items()))
            message = f"{part.slo} counts {unit}, {'/'.join(other)} {its}: they can't be added"
            findings.say(here, message, "give every part a weight, or combine them by worst")
        elif unit is not None:
            known[key] = unit


def unit_of(catalogue: Catalogue, key: Key, seen: frozenset[Key] = frozenset()) -> str | None:
    """What an SLO counts, as its timeline's unit; None where that can't be told from the catalogue."""
    slo, sli = _find(catalogue, key) or (None, None)
    if slo is None or sli is None or key in seen:
        return None
    if isinstance(sli, Composite):
        if not sli.counts_events:
            return "minutes"
        return unit_of(catalogue, sli.of[0].target(key[0]), seen | {key}) if sli.of else None
    if isinstance(sli, Recovery):
        return "outages"
    if isinstance(sli, Requests | Latency | Promql | LogEvents | LogLatency) or (
        isinstance(sli, External) and sli.counts_events
    ):
        return "requests" if slo.budgeting in (None, "occurrences") else "minutes"
    return "samples" if isinstance(sli, Probe) and slo.budgeting == "occurrences" else "minutes"


def check_dependencies(
    wanted: Sequence[Dependency], service: Service, path: Path, catalogue: Catalogue, findings: Findings
) -> None:
    """Notes what is wrong with what an SLO depends on."""
    say, broken = findings.say, findings.places.broken
    seen: set[Key | str] = set()
    for number, dependency in enumerate(wanted):
        here = (*path, number)
        key = dependency.target(service.name)
        if bool(dependency.slo) == bool(dependency.provider):
            if not broken((*here, "slo")) and not broken((*here, "provider")):
                say(here, "a dependency is either an slo or a provider", "such as api/availability")
            continue
        if (key or dependency.provider) in seen:
            say(here, f"{dependency.slo or dependency.provider} is a dependency twice", "copies says how many")
        seen.add(key or dependency.provider)
        if key is not None:
            if isinstance(expect_slo(key, (*here, "slo"), catalogue, findings), Recovery):
                say(here, f"{dependency.slo} is a recovery, on which nothing depends", "name the SLO that it times")
            if dependency.objective is not None:
                say((*here, "objective"), f"{dependency.slo} has an objective of its own", "leave it out here")
        elif dependency.objective is None:
            if not broken((*here, "objective")):
                say(here, f"{dependency.provider} has no objective", "what its SLA promises, such as 99.9%")
        elif not 0 < dependency.objective < 1:
            impossible = f"an objective of {dependency.objective * 100:g} % is impossible"
            say((*here, "objective"), impossible, "more than 0 % and less than 100 %, such as 99.9%")
        if dependency.copies < 1:
            say((*here, "copies"), f"{dependency.copies} copies are impossible", "1 at least")
        if not 0 < dependency.share <= 1:
            say((*here, "share"), f"a share of {dependency.share * 100:g} % is impossible", "above 0 %, up to 100 %")


def check_circles(catalogue: Catalogue, findings: Findings) -> None:
    """Notes every circle of composites and dependencies, at the line that closes it."""
    edges = _edges(catalogue)
    done: set[Key] = set()
    for start in edges:
        way: list[Key] = [start] if start not in done else []
        ahead = [iter(edges[start])]
        while way:
            key, path = next(ahead[-1], (None, ()))
            if key is None:
                done.add(way.pop())
                ahead.pop()
            elif key in way:
                circle = " → ".join("/".join(each) for each in [*way[way.index(key) :], key])
                findings.say(path, f"{'/'.join(key)} rests on itself: {circle}", "take one of these out")
            elif key in edges and key not in done:
                way.append(key)
                ahead.append(iter(edges[key]))


def _edges(catalogue: Catalogue) -> dict[Key, list[tuple[Key, Path]]]:
    """The SLOs that each one rests on, and where that is written."""
    edges: dict[Key, list[tuple[Key, Path]]] = {}
    for at, service in enumerate(catalogue.services):
        for number, slo in enumerate(service.slos):
            found = edges.setdefault((service.name, slo.name), [])
            path: Path = ("services", at, "slos", number)
            sli = _sli(catalogue, service, slo)
            if isinstance(sli, Composite):
                place: Path = (*path, "sli")
                if isinstance(slo.sli, str):
                    place = ("services", at, "slis", slo.sli) if slo.sli in service.slis else ("slis", slo.sli)
                found += [(part.target(service.name), (*place, "of", i)) for i, part in enumerate(sli.of)]
            for index, dependency in enumerate(slo.depends_on):
                target = dependency.target(service.name)
                if target is not None:
                    found.append((target, (*path, "depends_on", index)))
    return edges


def _find(catalogue: Catalogue, key: Key) -> tuple[Slo, Sli | None] | None:
    """An SLO and its indicator, None where its name is dangling."""
    for service in catalogue.services:
        if service.name == key[0]:
            for slo in service.slos:
                if slo.name == key[1]:
                    return slo, _sli(catalogue, service, slo)
    return None


def _sli(catalogue: Catalogue, service: Service, slo: Slo) -> Sli | None:
    return service.slis.get(slo.sli, catalogue.slis.get(slo.sli)) if isinstance(slo.sli, str) else slo.sli
