"""An evaluation from the ledger: close what is new, judge, and keep the proof."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Service, Slo
from sla_kit.engine.conclusion import conclude
from sla_kit.engine.context import Context, Judgement, grid_for
from sla_kit.engine.needed import needed_for
from sla_kit.engine.results import Evaluation
from sla_kit.evaluation import results
from sla_kit.ledger import Ledger
from sla_kit.ledger.proofs import keep
from sla_kit.ledger.remembering import Memory
from sla_kit.sources import Indicator, Progress, Source, no_progress


def evaluate_kept(
    ledger: Ledger,
    live: Source | None,
    context: Context,
    chosen: Sequence[tuple[Service, Slo]],
    *,
    now: int,
    progress: Progress = no_progress,
) -> Evaluation:
    """Judges SLOs by what the ledger holds. Where there is a ``live`` source, buckets that are missing are read from it
    and closed first; those too young to be closed are read and not kept. ``now`` is the moment up to which the live
    source knows anything."""
    catalogue, grid = context.catalogue, grid_for(context)
    needed = needed_for(catalogue, chosen)
    asked = {(service.name, slo.name): Indicator.of(catalogue, service, slo) for service, slo in needed.measured}
    if live is not None:
        only = frozenset(indicator.key for indicator in asked.values())
        ledger.close_buckets(catalogue, live, since=grid.start, until=grid.end, now=now, progress=progress, only=only)
    number = ledger.newest_correction()
    context = with_exclusions(context, ledger.exclusions(catalogue, number))
    source = ledger.source(catalogue, live, number)
    # A composite needs what its parts counted, which is not remembered.
    memorable = {key: indicator for key, indicator in asked.items() if key not in needed.parts}
    memory = Memory(ledger.store, context, memorable, ledger.identities(catalogue), number)
    recalled = memory.recall()
    known = {key: one.judgement for key, one in recalled.items()}

    def learn(indicator: Indicator, judgement: Judgement) -> None:
        memory.learn(judgement.result.key, judgement, source.proofs[indicator.key])

    evaluation = conclude(context, source.name, results(context, source, progress, chosen, known, learn))
    memory.keep()
    inputs = {memorable[key].key: one.proof for key, one in recalled.items()} | source.proofs
    with ledger.store.writing() as connection:
        proof = keep(connection, context, inputs, number)
    return replace(evaluation, proof=proof)


def with_exclusions(context: Context, later: Sequence[Interval]) -> Context:
    """The context with exclusions that were added later and touch it."""
    grid = grid_for(context)
    touching = [one for one in later if one.start < grid.end and one.end > grid.start]
    return replace(context, maintenance=tuple(sorted([*context.maintenance, *touching])))
