"""Which SLOs must be judged for those that are wanted, and in which order: some are made of others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sla_kit.catalogue.model import Catalogue, Composite, Recovery, Service, Slo
from sla_kit.errors import SlaKitError

Key = tuple[str, str]


@dataclass(frozen=True)
class Needed:
    """SLOs to judge, as (service, SLO): those ``measured`` by a source, and those ``derived`` from others, each after
    what it is made of. ``parts`` are those whose counts a composite or a comparison needs."""

    measured: tuple[tuple[Service, Slo], ...]
    derived: tuple[tuple[Service, Slo], ...]
    parts: frozenset[Key]


def needed_for(catalogue: Catalogue, chosen: Sequence[tuple[Service, Slo]]) -> Needed:
    """What must be judged for some SLOs of a catalogue: they, what recoveries time, the parts of composites, what they
    depend on and what they are compared with, whichever service these belong to. Raises `SlaKitError` for a name that
    does not exist and for a composite that is a part of itself."""
    everything = {(service.name, slo.name): (service, slo) for service, slo in catalogue.slos()}
    measured: dict[Key, tuple[Service, Slo]] = {}
    derived: dict[Key, tuple[Service, Slo]] = {}
    parts: set[Key] = set()
    open_keys: set[Key] = set()

    def visit(key: Key) -> None:
        if key in measured or key in derived:
            return
        if key in open_keys or key not in everything:
            what = "rests on itself" if key in open_keys else "does not exist"
            raise SlaKitError(f"the SLO {'/'.join(key)} {what}", remedy="run `sla-kit check` on the catalogue")
        service, slo = everything[key]
        open_keys.add(key)
        sli = catalogue.sli(service, slo)
        of = [sli.target(service.name)] if isinstance(sli, Recovery) else []
        if isinstance(sli, Composite):
            of = [part.target(service.name) for part in sli.of]
            parts.update(of)
        for each in of:
            visit(each)
        (derived if of else measured)[key] = (service, slo)
        open_keys.discard(key)

    ahead = [(service.name, slo.name) for service, slo in chosen]
    seen: set[Key] = set()
    while ahead:
        key = ahead.pop(0)
        visit(key)
        if key not in seen:
            seen.add(key)
            service, slo = everything[key]
            targets = [dependency.target(service.name) for dependency in slo.depends_on]
            sli = catalogue.sli(service, slo)
            targets += [part.target(service.name) for part in sli.of] if isinstance(sli, Composite) else []
            if slo.compare_with is not None:
                other = slo.compare_with.target(service.name)
                parts.update((key, other))
                targets.append(other)
            ahead += [target for target in targets if target is not None]
    return Needed(tuple(measured.values()), tuple(derived.values()), frozenset(parts))
