"""Reads dashboards from a Grafana, as files beside which a catalogue's can be laid."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sla_kit.generate.files import Output
from sla_kit.grafana.api import Grafana, Kept
from sla_kit.grafana.comparing import Ours, extra
from sla_kit.grafana.document import text_of


@dataclass(frozen=True, slots=True)
class Pulled:
    """A dashboard of ours as Grafana has it; ``output`` is None where it has none. ``generated`` tells whether the
    catalogue has it, too."""

    title: str
    output: Output | None
    generated: bool = True


def pull(grafana: Grafana, ours: Sequence[Ours]) -> Iterator[Pulled]:
    """Every dashboard of the catalogue, and those with our tag beyond it, which are named after their uid."""
    taken = set()
    for each in ours:
        taken.add(f"{each.name}.json")
        yield Pulled(each.title, _output(grafana.dashboard(each.uid), f"{each.name}.json"))
    for hit in extra(grafana, ours):
        path = f"{re.sub(r'[^a-zA-Z0-9_-]', '-', hit.uid)}.json"
        while path in taken:
            path = f"more-{path}"
        taken.add(path)
        yield Pulled(hit.title, _output(grafana.dashboard(hit.uid), path), generated=False)


def _output(kept: Kept | None, path: str) -> Output | None:
    return None if kept is None else Output(path, text_of(kept.document))
