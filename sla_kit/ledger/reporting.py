"""An evaluation from the ledger: close what is new, judge, and keep the proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Service, Slo
from sla_kit.engine.conclusion import conclude
from sla_kit.engine.context import Context, Judgement, grid_for
from sla_kit.engine.needed import needed_for
from sla_kit.engine.results import Evaluation
from sla_kit.engine.windows import DAY
from sla_kit.evaluation import results
from sla_kit.ledger import Ledger
from sla_kit.ledger.closing import write_marks
from sla_kit.ledger.days import Asked, roll_up
from sla_kit.ledger.extents import ends
from sla_kit.ledger.identity import Identity, names_defined_twice
from sla_kit.ledger.proofs import keep
from sla_kit.ledger.reading import LedgerSource
from sla_kit.ledger.remembering import Memory
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Grid, Timeline

Key = tuple[str, str]
#: Days at the end that are not closed are read bucket by bucket; where they are more than these, so is all.
_LONGEST_TAIL_SECONDS = 9 * DAY


@dataclass(frozen=True, slots=True)
class _Read:
    """SLOs judged, the digests of the days of every indicator that were read for them, and the marks of days that were
    read in part."""

    judgements: list[Judgement]
    inputs: Mapping[Key, Mapping[int, bytes]]
    marks: Mapping[bytes, bytes]


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
    catalogue = context.catalogue
    needed = needed_for(catalogue, chosen)
    asked = {(service.name, slo.name): Indicator.of(catalogue, service, slo) for service, slo in needed.measured}
    if live is not None:
        only = frozenset(indicator.key for indicator in asked.values())
        grid = grid_for(context)
        ledger.close_buckets(catalogue, live, since=grid.start, until=grid.end, now=now, progress=progress, only=only)
    number = ledger.newest_correction()
    context = with_exclusions(context, ledger.exclusions(catalogue, number))
    with ledger.store.reading() as connection:
        redefined = names_defined_twice(connection, catalogue.name, catalogue.environment)
    reader = _Reader(ledger, live, number, ledger.identities(catalogue), redefined, progress)
    read = reader.judged(context, chosen, asked)
    evaluation = conclude(context, reader.source().name, read.judgements)
    with ledger.store.writing() as connection:
        proof = keep(connection, context, read.inputs, number)
        write_marks(connection, read.marks)
    return replace(evaluation, proof=proof)


@dataclass(frozen=True)
class _Reader:
    """What judging from the ledger needs besides the promises: where buckets are, the last correction (its ``number``)
    that counts, and the indicators that were ``redefined``, of which there are rows of several definitions."""

    ledger: Ledger
    live: Source | None
    number: int
    identities: Mapping[Key, Identity]
    redefined: set[Key]
    progress: Progress

    def source(self) -> LedgerSource:
        """The ledger as a source, with the live one for what is not closed yet."""
        return LedgerSource(self.ledger.store, self.identities, self.live, self.number)

    def judged(self, context: Context, chosen: Sequence[tuple[Service, Slo]], asked: Mapping[Key, Indicator]) -> _Read:
        """The chosen SLOs judged.

        Roll-ups reach far back: where sums of days tell them, the buckets of those days are not read. SLOs that are
        made of others have theirs from all the buckets.
        """
        near = replace(context, rollups=())
        summed, tails = self._by_days(context, chosen, asked) if context.rollups else ([], {})
        keys = {(one.service.name, one.slo.name) for one in summed}
        by_sums = [one for one in chosen if (one[0].name, one[1].name) in keys]
        by_buckets = [one for one in chosen if (one[0].name, one[1].name) not in keys]
        found: dict[Key, Judgement] = {}
        inputs: dict[Key, Mapping[int, bytes]] = {}
        marks: dict[bytes, bytes] = {}
        for about, some in ((context, by_buckets), (near, by_sums)):
            if some:
                read = self._remembered(about, some)
                found.update((one.result.key, one) for one in read.judgements)
                inputs.update({key: {**inputs.get(key, {}), **days} for key, days in read.inputs.items()})
                marks.update(read.marks)
        if summed:
            rolled = roll_up(self.ledger.store, context, summed, self.number, tails)
            for key, rollups in rolled.rollups.items():
                found[key] = replace(found[key], result=replace(found[key].result, rollups=rollups))
            for one in summed:
                indicator = asked[one.service.name, one.slo.name].key
                inputs[indicator] = {**rolled.proofs.get(one.identity.id, {}), **inputs.get(indicator, {})}
        return _Read([found[service.name, slo.name] for service, slo in chosen], inputs, marks)

    def _by_days(
        self, context: Context, chosen: Sequence[tuple[Service, Slo]], asked: Mapping[Key, Indicator]
    ) -> tuple[list[Asked], dict[int, Timeline]]:
        """The chosen SLOs whose days can be summed one by one, and the last days of those that are not all closed."""
        catalogue, grid = context.catalogue, grid_for(context)
        several = [
            Asked.of(service, slo, sli, self.identities[asked[service.name, slo.name].key])
            for service, slo in chosen
            for sli in [catalogue.sli(service, slo)]
            if (service.name, slo.name) in asked and asked[service.name, slo.name].key in self.identities
        ]
        with self.ledger.store.reading() as connection:
            last = ends(connection, sorted({one.identity.id for one in several}), grid.step)
        several = [
            one
            for one in several
            if one.by_days
            and (one.identity.service, one.identity.name) not in self.redefined
            and (self.live is None or last.get(one.identity.id, 0) >= grid.end - _LONGEST_TAIL_SECONDS)
        ]
        open_ids = {one.identity.id for one in several if self.live is not None and last[one.identity.id] < grid.end}
        if not open_ids:
            return several, {}
        start = min(last[id] for id in open_ids) // DAY * DAY
        tail = Grid(start, grid.step, (grid.end - start) // grid.step)
        ids = {key: identity.id for key, identity in self.identities.items() if identity.id in open_ids}
        wanted = {indicator.key: indicator for indicator in asked.values() if indicator.key in ids}
        source = self.source()
        tails = {ids[indicator.key]: timeline for indicator, timeline in source.fetch(list(wanted.values()), tail)}
        return several, tails

    def _remembered(self, context: Context, chosen: Sequence[tuple[Service, Slo]]) -> _Read:
        """SLOs judged, those from memory that were judged before over the same buckets."""
        catalogue = context.catalogue
        needed = needed_for(catalogue, chosen)
        # A composite needs what its parts counted, which is not remembered; nor is what rests on earlier definitions.
        asked = {
            (service.name, slo.name): Indicator.of(catalogue, service, slo)
            for service, slo in needed.measured
            if (service.name, slo.name) not in needed.parts
        }
        memorable = {
            key: indicator
            for key, indicator in asked.items()
            if indicator.key in self.identities and indicator.key not in self.redefined
        }
        memory = Memory(self.ledger.store, context, memorable, self.identities, self.number)
        recalled = memory.recall()
        known = {key: one.judgement for key, one in recalled.items()}
        source = self.source()

        def learn(indicator: Indicator, judgement: Judgement) -> None:
            if indicator.key in source.proofs:
                memory.learn(judgement.result.key, judgement, source.proofs[indicator.key])

        judgements = results(context, source, self.progress, chosen, known, learn)
        memory.keep()
        inputs: dict[Key, Mapping[int, bytes]] = {memorable[key].key: one.proof for key, one in recalled.items()}
        return _Read(judgements, inputs | source.proofs, source.marks)


def with_exclusions(context: Context, later: Sequence[Interval]) -> Context:
    """The context with exclusions that were added later and touch it."""
    grid = grid_for(context)
    touching = [one for one in later if one.start < grid.end and one.end > grid.start]
    return replace(context, maintenance=tuple(sorted([*context.maintenance, *touching])))
