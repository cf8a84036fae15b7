"""The report's later sections, on what the figures rest: evidence, live events, exclusions, coverage, findings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Cell, Column, Fold, Paragraph, Table
from sla_kit.report.rows import bounded, number_cell, slo_name, time_cell, verdict_cell, worst_first

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, Exclusion, Figure, SloResult
    from sla_kit.timeline import Finding

SHOWN_ROWS = 20
SHOWN_RUNS = 8
_OWNER = Column("Objective of")
#: What the end and the length of a run are called, by kind of indicator.
_MEASURES = {"freshness": ("Completed", "Age reached"), "recovery": ("Recovered", "Recovered after")}


def evidence(evaluation: Evaluation) -> tuple[Block, ...]:
    """Each run of a backup or a restore that was measured, newest first, one table an SLO."""
    proved = [slo for slo in worst_first(evaluation.slos) if slo.evidence and slo.kind != "recovery"]
    if not proved:
        return (Paragraph("No run of a backup or a restore was measured in this window."),)
    blocks: list[Block] = []
    for slo in proved[:SHOWN_ROWS]:
        blocks += runs(slo, evaluation.timezone)
    if len(proved) > SHOWN_ROWS:
        rest = [block for slo in proved[SHOWN_ROWS:] for block in runs(slo, evaluation.timezone)]
        blocks.append(Fold(f"Evidence of {len(proved) - SHOWN_ROWS} more objectives", tuple(rest)))
    return tuple(blocks)


def runs(slo: SloResult, timezone: str) -> tuple[Block, ...]:
    """The runs or outages that one SLO was judged by, newest first; nothing where there are none."""
    if not slo.evidence:
        return ()
    limit = "" if slo.threshold is None else f", at most {formats.measured(slo.threshold, slo.kind)}"
    newest = sorted(slo.evidence, key=lambda run: math.inf if run.completed is None else run.completed, reverse=True)
    ended, measure = _MEASURES.get(slo.kind, ("Completed", "Took"))
    columns: tuple[Column, ...] = (Column(ended), Column(measure, numeric=True), Column("Verdict"))
    rows: list[tuple[Cell, ...]] = [
        (
            time_cell(run.completed, timezone),
            number_cell(formats.duration(run.seconds), run.seconds),
            Cell("In time" if run.ok else "Too late", tone="met" if run.ok else "missed"),
        )
        for run in newest
    ]
    if any(run.note for run in newest):
        columns += (Column("Note", prose=True),)
        rows = [(*row, Cell(run.note or formats.UNKNOWN)) for row, run in zip(rows, newest, strict=True)]
    return bounded(f"{slo_name(slo)}{limit}", columns, rows, SHOWN_RUNS, f"earlier runs of {slo_name(slo)}")


def live_events(evaluation: Evaluation) -> tuple[Block, ...]:
    """The events that touched the window, and each SLO's figure during and outside them."""
    if not evaluation.events:
        return (Paragraph("No live event is declared for this window."),)
    zone = evaluation.timezone
    events = [
        (
            Cell(event.name),
            Cell(formats.span(event.start, event.end, zone), formats.rfc3339(event.start)),
            Cell(", ".join(event.services) or "all services"),
        )
        for event in evaluation.events
    ]
    blocks = list(
        bounded(
            "Events that touched the window",
            (Column("Event"), Column("When"), Column("Services")),
            events,
            SHOWN_ROWS,
            "more events",
        )
    )
    rows = [
        (
            Cell(slo_name(slo)),
            _side(slo.during_events, slo),
            _side(slo.outside_events, slo),
            number_cell(formats.objective_percent(slo.objective), slo.objective),
        )
        for slo in worst_first(evaluation.slos)
        if slo.during_events is not None and slo.during_events.total > 0
    ]
    if not rows:
        return (*blocks, Paragraph("No objective has events that fall into a live event."))
    columns = (
        _OWNER,
        Column("During events", numeric=True),
        Column("Outside", numeric=True),
        Column("Objective", numeric=True),
    )
    return (*blocks, *bounded("SLI during live events and outside", columns, rows, SHOWN_ROWS, "more objectives"))


def _side(figure: Figure | None, slo: SloResult) -> Cell:
    if figure is None or figure.sli is None:
        return Cell(formats.UNKNOWN)
    note = f"{formats.count(figure.bad)} of {formats.events(figure.total, slo.unit)} bad"
    tone = "missed" if figure.sli < slo.objective else ""
    return Cell(formats.percent(figure.sli, slo.objective), figure.sli, "missed" if tone else "", note=note)


def exclusions(evaluation: Evaluation) -> tuple[Block, ...]:
    """What was left out, by whom and why, and each figure with and without it."""
    found: dict[Exclusion, None] = dict.fromkeys(evaluation.exclusions)
    for slo in evaluation.slos:
        found.update(dict.fromkeys(slo.exclusions))
    if not found:
        return (Paragraph("Nothing was excluded: every figure counts the whole window."),)
    rows = [
        (
            Cell(exclusion.name, note=", ".join(exclusion.services) or "all services"),
            Cell(formats.span(exclusion.start, exclusion.end, evaluation.timezone), formats.rfc3339(exclusion.start)),
            number_cell(formats.duration(exclusion.end - exclusion.start), exclusion.end - exclusion.start),
            Cell(exclusion.reason or "no reason given", tone="" if exclusion.reason else "unknown"),
            Cell(exclusion.approved_by or "nobody named", tone="" if exclusion.approved_by else "unknown"),
        )
        for exclusion in sorted(found, key=lambda exclusion: (exclusion.start, exclusion.name))
    ]
    columns = (
        Column("Maintenance"),
        Column("When"),
        Column("Length", numeric=True),
        Column("Why", prose=True),
        Column("Approved by"),
    )
    touched = [slo for slo in worst_first(evaluation.slos) if slo.exclusions]
    blocks = bounded("Maintenance that was left out", columns, rows, SHOWN_ROWS, "more exclusions")
    different = [slo for slo in touched if _shown(slo.figure, slo) != _shown(slo.without_exclusions, slo)]
    same = [slo for slo in touched if slo not in different]
    if different:
        changed = [_both_ways(slo) for slo in different]
        blocks += bounded("The figures that it changed", _BOTH_WAYS, changed, SHOWN_ROWS, "more objectives")
    if same:
        unchanged = Table("The figures that it did not change", _BOTH_WAYS, tuple(_both_ways(slo) for slo in same))
        read = "objective that reads" if len(same) == 1 else "objectives that read"
        blocks += (Fold(f"{len(same)} {read} the same either way", (unchanged,)),)
    return blocks


_BOTH_WAYS = (
    _OWNER,
    Column("SLI as reported", numeric=True),
    Column("Verdict"),
    Column("SLI with nothing excluded", numeric=True),
    Column("Verdict with nothing excluded"),
)


def _shown(figure: Figure, slo: SloResult) -> tuple[str, str]:
    return formats.percent(figure.sli, slo.objective), formats.verdict(figure.met)


def _both_ways(slo: SloResult) -> tuple[Cell, ...]:
    with_all = slo.without_exclusions
    return (
        Cell(slo_name(slo)),
        number_cell(formats.percent(slo.figure.sli, slo.objective), slo.figure.sli),
        verdict_cell(slo.figure.met),
        number_cell(formats.percent(with_all.sli, slo.objective), with_all.sli),
        verdict_cell(with_all.met),
    )


def coverage(evaluation: Evaluation) -> tuple[Block, ...]:
    """Where data was missing, and what the data itself showed to be wrong."""
    gaps = sorted((slo for slo in evaluation.slos if slo.figure.coverage < 1), key=lambda slo: slo.figure.coverage)
    blocks: list[Block] = []
    if gaps:
        short = [
            (
                Cell(slo_name(slo)),
                number_cell(formats.share(slo.figure.coverage), slo.figure.coverage),
                verdict_cell(slo.figure.met, slo.figure.reason),
            )
            for slo in gaps
        ]
        sides = (_OWNER, Column("Coverage", numeric=True), Column("Verdict"))
        blocks += bounded("Objectives without full coverage", sides, short, SHOWN_ROWS, "more objectives")
    else:
        blocks.append(Paragraph("Every objective was observed in every bucket of the window: coverage 100 %.", "met"))
    found = [("the whole report", finding) for finding in evaluation.findings]
    found += [(slo_name(slo), finding) for slo in worst_first(evaluation.slos) for finding in slo.findings]
    if not found:
        return (*blocks, Paragraph("The data showed nothing else that a reader must know."))
    rows = [_finding(where, finding, evaluation.timezone) for where, finding in found]
    columns = (
        Column("Where"),
        Column("Finding"),
        Column("What", prose=True),
        Column("Buckets", numeric=True),
        Column("When"),
    )
    return (*blocks, *bounded("Findings in the data", columns, rows, SHOWN_ROWS, "more findings"))


def _finding(where: str, finding: Finding, timezone: str) -> tuple[Cell, ...]:
    when = Cell(formats.UNKNOWN)
    if finding.start is not None and finding.end is not None:
        when = Cell(formats.span(finding.start, finding.end, timezone), formats.rfc3339(finding.start))
    elif finding.start is not None:
        when = time_cell(finding.start, timezone)
    return (
        Cell(where),
        Cell(finding.kind),
        Cell(finding.message),
        number_cell(formats.count(finding.count), finding.count),
        when,
    )
