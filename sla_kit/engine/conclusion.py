"""From judged SLOs to the whole answer: the promises, the live events and exclusions, and what to know of it all."""

from __future__ import annotations

from collections.abc import Sequence

from sla_kit.catalogue.model import Promise
from sla_kit.engine.agreement import disagreement
from sla_kit.engine.context import Context, Judgement
from sla_kit.engine.exclusions import as_exclusion, touching
from sla_kit.engine.figures import percent
from sla_kit.engine.results import Evaluation, LiveEvent, Period, PromiseResult, SloResult, verdict
from sla_kit.engine.rollups import promise_rollups
from sla_kit.timeline import Finding


def conclude(context: Context, source_name: str, results: Sequence[Judgement]) -> Evaluation:
    """The evaluation of judged SLOs, in the order given. ``source_name`` is the source's address without secrets."""
    catalogue = context.catalogue
    slos = tuple(judgement.result for judgement in results)
    declared = {promise.name: promise for promise in catalogue.promises}
    for slo in slos:
        if slo.promise and slo.promise not in declared:
            declared[slo.promise] = Promise(name=slo.promise, title=slo.promise)
    return Evaluation(
        catalogue=catalogue.name,
        environment=catalogue.environment,
        source=source_name,
        timezone=catalogue.timezone,
        at=context.at,
        bucket=int(catalogue.bucket),
        window=context.window,
        slos=slos,
        promises=tuple(_promise(promise, slos, context.rollups) for promise in declared.values()),
        events=tuple(
            LiveEvent(event.name, event.start, event.end, event.services)
            for event in touching(context.events, context.window)
        ),
        exclusions=tuple(as_exclusion(interval) for interval in touching(context.maintenance, context.window)),
        findings=(*_findings(context, slos), *_disagreements(context, results)),
        comparisons=tuple(judgement.compared for judgement in results if judgement.compared is not None),
    )


def _disagreements(context: Context, results: Sequence[Judgement]) -> list[Finding]:
    found = [disagreement(each.compared, context.window) for each in results if each.compared is not None]
    return [finding for finding in found if finding is not None]


def _promise(promise: Promise, slos: Sequence[SloResult], rollups: Sequence[Period]) -> PromiseResult:
    mine = [slo for slo in slos if slo.promise == promise.name]
    return PromiseResult(
        name=promise.name,
        title=promise.title,
        target=promise.target,
        met=verdict(slo.figure.met for slo in mine),
        slos=tuple(slo.key for slo in mine),
        summary=_summary(mine),
        rollups=promise_rollups(rollups, mine),
    )


def _summary(slos: Sequence[SloResult]) -> str:
    """One line on the worst SLO of a promise: one that is missed, else one that can't be told, else the tightest."""
    if not slos:
        return "no SLO measures it"
    worst = min(slos, key=_rank)
    found, name = worst.figure, f"{worst.service}/{worst.slo}"
    if found.sli is None:
        return f"{name}: {found.reason}"
    text = f"{name}: {percent(found.sli)} of {worst.unit} good, {percent(worst.objective)} promised"
    return f"{text} ({found.reason})" if found.reason else text


def _rank(slo: SloResult) -> tuple[int, float]:
    left = slo.figure.budget.left_ratio
    return {False: 0, None: 1, True: 2}[slo.figure.met], 1.0 if left is None else left


def _findings(context: Context, slos: Sequence[SloResult]) -> tuple[Finding, ...]:
    """What concerns the whole window rather than one SLO."""
    window = context.window
    if slos and all(slo.figure.coverage <= 0 and slo.figure.total <= 0 for slo in slos):
        message = f"no SLO has data in {window.name}: check the source, and that its history reaches back that far"
        return (Finding("no-data", message, len(slos), window.start, window.end),)
    return ()
