"""The report as one owner of services needs it: their objectives, what they should do, their incidents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sla_kit.configuration.places import nearest
from sla_kit.engine.results import Audience, Evaluation, SloResult, verdict
from sla_kit.errors import SlaKitError
from sla_kit.report import Paper, formats, put, write
from sla_kit.report.blocks import Cell, Column, Page, Section, Table, tone_of
from sla_kit.report.content import about, counted, headline
from sla_kit.report.language import ENGLISH, Language, _, speaking
from sla_kit.report.rows import verdict_cell

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.timeline import Finding

#: The file of services that nobody owns; no name of the catalogue begins like this.
_NOBODY = "_no-owner"


def services_of(catalogue: Catalogue, owner: str) -> list[str]:
    """The services of an owner. Raises `SlaKitError` where there is none."""
    found = [service.name for service in catalogue.services if service.owner == owner]
    if not found:
        known = dict.fromkeys(service.owner for service in catalogue.services if service.owner)
        raise SlaKitError(f"no service is owned by {owner!r}", remedy=nearest(owner, known) or "no owner is declared")
    return found


def for_owner(evaluation: Evaluation, catalogue: Catalogue, owner: str) -> Evaluation:
    """The part of an evaluation that belongs to an owner ("" for what nobody owns), addressed to them. A promise
    stands there as their own objectives do."""
    slos = tuple(slo for slo in evaluation.slos if slo.owner == owner)
    keys = {slo.key for slo in slos}
    promises = tuple(
        replace(
            promise,
            slos=tuple(key for key in promise.slos if key in keys),
            met=verdict(slo.figure.met for slo in slos if slo.key in promise.slos),
            rollups=tuple(
                replace(rollup, met=verdict(slo.rollups[place].figure.met for slo in slos if slo.key in promise.slos))
                for place, rollup in enumerate(promise.rollups)
            ),
        )
        for promise in evaluation.promises
        if keys & set(promise.slos)
    )
    services = {slo.service for slo in slos}
    touching = tuple(one for one in evaluation.exclusions if not one.services or services & set(one.services))
    comparison = evaluation.comparison
    if comparison is not None:
        mine = tuple(change for change in comparison.changes if change.named.key in keys)
        comparison = replace(comparison, changes=mine)
    contact = next((contact for contact in catalogue.contacts if contact.name == owner), None)
    audience = Audience(owner, *((contact.email, contact.slack, contact.pagerduty) if contact else ("", "", "")))
    ahead = None if evaluation.forecast is None else evaluation.forecast.of({slo.service for slo in slos})
    owned = [service.name for service in catalogue.services if service.owner == owner]
    errors = None if evaluation.errors is None else evaluation.errors.of(owned)
    responses = None if evaluation.responses is None else evaluation.responses.of(owned)
    return replace(
        evaluation,
        slos=slos,
        promises=promises,
        exclusions=touching,
        comparison=comparison,
        comparisons=tuple(one for one in evaluation.comparisons if one.key in keys),
        findings=tuple(finding for finding in evaluation.findings if _concerns(finding, slos)),
        audience=audience,
        forecast=ahead,
        errors=errors,
        responses=responses,
    )


def _concerns(finding: Finding, slos: Sequence[SloResult]) -> bool:
    """Whether a finding of the whole is one of these SLOs' as well, or of none in particular."""
    return finding.kind != "disagreement" or any(finding in slo.findings for slo in slos)


def write_by_owner(
    evaluation: Evaluation,
    catalogue: Catalogue,
    out: Path,
    formats: Sequence[str],
    *,
    language: Language = ENGLISH,
    paper: Paper = "A4",
) -> list[Path]:
    """Writes ``owners/NAME.<format>`` into the folder ``out`` for each owner, and ``owners.html`` and ``owners.md``
    (of these formats) that link to them. Returns the files, the indexes first."""
    parts = {owner: for_owner(evaluation, catalogue, owner) for owner in _owners(evaluation.slos)}
    written = []
    for owner, part in parts.items():
        name = owner or _NOBODY
        written += write(part, out / "owners", formats, language=language, paper=paper, name=name)
    indexes = []
    with speaking(language):
        if "html" in formats:
            from sla_kit.report.as_html import html

            indexes.append(put(out / "owners.html", html(index(evaluation, parts, "html")).encode()))
        if "md" in formats:
            from sla_kit.report.as_markdown import markdown

            indexes.append(put(out / "owners.md", markdown(index(evaluation, parts, "md")).encode()))
    return indexes + written


def index(evaluation: Evaluation, parts: dict[str, Evaluation], format: str) -> Page:
    """The page that links to each owner's."""
    rows = tuple(
        (
            Cell(owner or _("no owner"), link=f"owners/{owner or _NOBODY}.{format}"),
            verdict_cell(part.met),
            Cell(counted(part.slos)),
            Cell(formats.count(len(part.incidents)), len(part.incidents)),
            Cell("; ".join(dict.fromkeys(slo.action for slo in part.slos if slo.action)) or formats.UNKNOWN),
        )
        for owner, part in parts.items()
    )
    columns = (
        Column(_("Owner")),
        Column(_("Verdict")),
        Column(_("Objectives")),
        Column(_("Incidents"), numeric=True),
        Column(_("What to do now"), prose=True),
    )
    window = evaluation.window
    days = formats.span(window.start, window.end, evaluation.timezone)
    return Page(
        title=_("SLA report {window} by owner: {subject}", window=window.name, subject=about(evaluation)),
        subject=f"{window.name}: {days} ({evaluation.timezone})",
        tone=tone_of(evaluation.met),
        headline=headline(evaluation),
        details=(),
        sections=(
            Section("owners", _("Owners"), (Table(_("The owners, those first that missed most"), columns, rows),)),
        ),
        footer=(_("The whole report is beside this page."),),
    )


def _owners(slos: Sequence[SloResult]) -> list[str]:
    """Each owner once: those with the most missed objectives first, nobody last."""
    missed: dict[str, int] = {}
    for slo in slos:
        missed[slo.owner] = missed.get(slo.owner, 0) + (slo.figure.met is False)
    return sorted(missed, key=lambda owner: (not owner, -missed[owner], owner))
