"""The report's later sections, on what the figures rest: evidence, live events, exclusions, coverage, findings."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sla_kit.report import formats
from sla_kit.report.blocks import Block, Cell, Column, Fold, Paragraph, Table
from sla_kit.report.language import _, ngettext
from sla_kit.report.rows import bounded, more_objectives, number_cell, slo_name, time_cell, verdict_cell, worst_first
from sla_kit.report.told import told

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation, Exclusion, Figure, SloResult
    from sla_kit.timeline import Finding

SHOWN_ROWS = 20
SHOWN_RUNS = 8


def evidence(evaluation: Evaluation) -> tuple[Block, ...]:
    """Each run of a backup or a restore that was measured, newest first, one table an SLO."""
    proved = [slo for slo in worst_first(evaluation.slos) if slo.evidence and slo.kind != "recovery"]
    if not proved:
        return (Paragraph(_("No run of a backup or a restore was measured in this window.")),)
    blocks: list[Block] = []
    for slo in proved[:SHOWN_ROWS]:
        blocks += runs(slo, evaluation.timezone)
    if len(proved) > SHOWN_ROWS:
        rest = [block for slo in proved[SHOWN_ROWS:] for block in runs(slo, evaluation.timezone)]
        more = len(proved) - SHOWN_ROWS
        title = ngettext(
            "Evidence of {count} more objective", "Evidence of {count} more objectives", more, count=formats.count(more)
        )
        blocks.append(Fold(title, tuple(rest)))
    return tuple(blocks)


def runs(slo: SloResult, timezone: str) -> tuple[Block, ...]:
    """The runs or outages that one SLO was judged by, newest first; nothing where there are none."""
    if not slo.evidence:
        return ()
    name = slo_name(slo)
    newest = sorted(slo.evidence, key=lambda run: math.inf if run.completed is None else run.completed, reverse=True)
    ended, measure = _measures(slo.kind)
    columns: tuple[Column, ...] = (Column(ended), Column(measure, numeric=True), Column(_("Verdict")))
    rows: list[tuple[Cell, ...]] = [
        (
            time_cell(run.completed, timezone),
            number_cell(formats.duration(run.seconds), run.seconds),
            Cell(_("In time") if run.ok else _("Too late"), tone="met" if run.ok else "missed"),
        )
        for run in newest
    ]
    if any(run.note for run in newest):
        columns += (Column(_("Note"), prose=True),)
        rows = [(*row, Cell(told(run.note) or formats.UNKNOWN)) for row, run in zip(rows, newest, strict=True)]
    caption = name
    if slo.threshold is not None:
        caption = _("{name}, at most {limit}", name=name, limit=formats.measured(slo.threshold, slo.kind))
    return bounded(
        caption,
        columns,
        rows,
        SHOWN_RUNS,
        lambda more: ngettext(
            "{count} earlier run of {name}",
            "{count} earlier runs of {name}",
            more,
            count=formats.count(more),
            name=name,
        ),
    )


def _measures(kind: str) -> tuple[str, str]:
    """What the end and the length of a run are called, by kind of indicator."""
    match kind:
        case "freshness":
            return _("Completed"), _("Age reached")
        case "recovery":
            return _("Recovered"), _("Recovered after")
        case _:
            return _("Completed"), _("Took")


def live_events(evaluation: Evaluation) -> tuple[Block, ...]:
    """The events that touched the window, and each SLO's figure during and outside them."""
    if not evaluation.events:
        return (Paragraph(_("No live event is declared for this window.")),)
    zone = evaluation.timezone
    events = [
        (
            Cell(event.name),
            Cell(formats.span(event.start, event.end, zone), formats.rfc3339(event.start)),
            Cell(", ".join(event.services) or _("all services")),
        )
        for event in evaluation.events
    ]
    blocks = list(
        bounded(
            _("Events that touched the window"),
            (Column(_("Event")), Column(_("When")), Column(_("Services"))),
            events,
            SHOWN_ROWS,
            lambda more: ngettext("{count} more event", "{count} more events", more, count=formats.count(more)),
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
        return (*blocks, Paragraph(_("No objective has events that fall into a live event.")))
    columns = (
        Column(_("Objective of")),
        Column(_("During events"), numeric=True),
        Column(_("Outside"), numeric=True),
        Column(_("Objective"), numeric=True),
    )
    caption = _("SLI during live events and outside")
    return (*blocks, *bounded(caption, columns, rows, SHOWN_ROWS, more_objectives))


def _side(figure: Figure | None, slo: SloResult) -> Cell:
    if figure is None or figure.sli is None:
        return Cell(formats.UNKNOWN)
    note = _("{bad} of {total} bad", bad=formats.count(figure.bad), total=formats.events(figure.total, slo.unit))
    tone = "missed" if figure.sli < slo.objective else ""
    return Cell(formats.percent(figure.sli, slo.objective), figure.sli, "missed" if tone else "", note=note)


def exclusions(evaluation: Evaluation) -> tuple[Block, ...]:
    """What was left out, by whom and why, and each figure with and without it."""
    found: dict[Exclusion, None] = dict.fromkeys(evaluation.exclusions)
    for slo in evaluation.slos:
        found.update(dict.fromkeys(slo.exclusions))
    if not found:
        return (Paragraph(_("Nothing was excluded: every figure counts the whole window.")),)
    rows = [
        (
            Cell(exclusion.name, note=", ".join(exclusion.services) or _("all services")),
            Cell(formats.span(exclusion.start, exclusion.end, evaluation.timezone), formats.rfc3339(exclusion.start)),
            number_cell(formats.duration(exclusion.end - exclusion.start), exclusion.end - exclusion.start),
            Cell(exclusion.reason or _("no reason given"), tone="" if exclusion.reason else "unknown"),
            Cell(exclusion.approved_by or _("nobody named"), tone="" if exclusion.approved_by else "unknown"),
        )
        for exclusion in sorted(found, key=lambda exclusion: (exclusion.start, exclusion.name))
    ]
    columns = (
        Column(_("Maintenance")),
        Column(_("When")),
        Column(_("Length"), numeric=True),
        Column(_("Why"), prose=True),
        Column(_("Approved by")),
    )
    touched = [slo for slo in worst_first(evaluation.slos) if slo.exclusions]
    blocks = bounded(
        _("Maintenance that was left out"),
        columns,
        rows,
        SHOWN_ROWS,
        lambda more: ngettext("{count} more exclusion", "{count} more exclusions", more, count=formats.count(more)),
    )
    different = [slo for slo in touched if _shown(slo.figure, slo) != _shown(slo.without_exclusions, slo)]
    same = [slo for slo in touched if slo not in different]
    if different:
        changed = [_both_ways(slo) for slo in different]
        caption = _("The figures that it changed")
        blocks += bounded(caption, _both_ways_columns(), changed, SHOWN_ROWS, more_objectives)
    if same:
        caption = _("The figures that it did not change")
        unchanged = Table(caption, _both_ways_columns(), tuple(_both_ways(slo) for slo in same))
        title = ngettext(
            "{count} objective that reads the same either way",
            "{count} objectives that read the same either way",
            len(same),
            count=formats.count(len(same)),
        )
        blocks += (Fold(title, (unchanged,)),)
    return blocks


def _both_ways_columns() -> tuple[Column, ...]:
    return (
        Column(_("Objective of")),
        Column(_("SLI as reported"), numeric=True),
        Column(_("Verdict")),
        Column(_("SLI with nothing excluded"), numeric=True),
        Column(_("Verdict with nothing excluded")),
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
                verdict_cell(slo.figure.met, told(slo.figure.reason)),
            )
            for slo in gaps
        ]
        sides = (Column(_("Objective of")), Column(_("Coverage"), numeric=True), Column(_("Verdict")))
        blocks += bounded(_("Objectives without full coverage"), sides, short, SHOWN_ROWS, more_objectives)
    else:
        text = _(
            "Every objective was observed in every bucket of the window: coverage {share}.", share=formats.share(1)
        )
        blocks.append(Paragraph(text, "met"))
    found = [(_("the whole report"), finding) for finding in evaluation.findings]
    found += [(slo_name(slo), finding) for slo in worst_first(evaluation.slos) for finding in slo.findings]
    if not found:
        return (*blocks, Paragraph(_("The data showed nothing else that a reader must know.")))
    rows = [_finding(where, finding, evaluation.timezone) for where, finding in found]
    columns = (
        Column(_("Where")),
        Column(_("Finding")),
        Column(_("What"), prose=True),
        Column(_("Buckets"), numeric=True),
        Column(_("When")),
    )
    return (
        *blocks,
        *bounded(
            _("Findings in the data"),
            columns,
            rows,
            SHOWN_ROWS,
            lambda more: ngettext("{count} more finding", "{count} more findings", more, count=formats.count(more)),
        ),
    )


def _finding(where: str, finding: Finding, timezone: str) -> tuple[Cell, ...]:
    when = Cell(formats.UNKNOWN)
    if finding.start is not None and finding.end is not None:
        when = Cell(formats.span(finding.start, finding.end, timezone), formats.rfc3339(finding.start))
    elif finding.start is not None:
        when = time_cell(finding.start, timezone)
    return (
        Cell(where),
        Cell(finding.kind),
        Cell(told(finding.message)),
        number_cell(formats.count(finding.count), finding.count),
        when,
    )
