"""The content of report.json: an evaluation as plain values that other programs read.

The structs are the format: `sla_kit.report.document.schema` makes the JSON Schema from them, and a program in Python
may decode a report into `Report` again. Ratios are 0 to 1, lengths seconds, times RFC 3339 in UTC, unknown is null.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import msgspec
from msgspec import Struct

from sla_kit.report.document_agreement import AgreementDocument, agreement_of
from sla_kit.report.document_comparison import ComparisonDocument, comparison_of
from sla_kit.report.document_errors import ErrorsDocument, errors_of
from sla_kit.report.document_figures import Budget, Figure, figure_of, sure, truth
from sla_kit.report.document_forecast import ForecastDocument, forecast_of
from sla_kit.report.document_responses import ResponsesDocument, responses_of
from sla_kit.report.document_resting import Bound, Part, Policy, bound_of, parts_of, policy_of
from sla_kit.report.formats import number, rfc3339
from sla_kit.report.rows import because

if TYPE_CHECKING:
    from sla_kit.engine import results
    from sla_kit.timeline import Finding as DataFinding

VERSION: Literal[1] = 1


class Window(Struct, frozen=True, kw_only=True):
    """A stretch of time, open at its start and closed at its end."""

    name: str
    start: str
    end: str


class Agreement(Struct, frozen=True, kw_only=True):
    """What customers were promised on top, and what a breach costs."""

    objective: float
    met: bool | None
    consequence: str


class BurnRate(Struct, frozen=True, kw_only=True):
    """How fast the budget burns over the last ``window_seconds``; ``threshold`` is where it alerts."""

    window_seconds: int
    rate: float | None
    threshold: float
    severity: str


class Evidence(Struct, frozen=True, kw_only=True):
    """One measured run of a backup or a restore."""

    completed: str | None
    seconds: float | None
    ok: bool
    note: str


class Exclusion(Struct, frozen=True, kw_only=True):
    """One maintenance window that was left out of figures; no services means all."""

    name: str
    start: str
    end: str
    reason: str
    approved_by: str
    services: list[str]


class Finding(Struct, frozen=True, kw_only=True):
    """Something in the data that a reader of the figures must know; ``count`` is in buckets."""

    kind: str
    message: str
    count: int
    start: str | None
    end: str | None


class Rollup(Struct, frozen=True, kw_only=True):
    """The figure over a month, a quarter or another period beside the window."""

    window: Window
    figure: Figure


class Slo(Struct, frozen=True, kw_only=True):
    """One SLO over the report's window; ``own`` over ``own_window``, the SLO's own. ``sli_range`` is the SLI of a
    journey if its parts never failed together, and if they did wherever they could."""

    service: str
    slo: str
    promise: str
    kind: str
    unit: str
    objective: float
    sli: float | None
    good: float | None
    bad: float | None
    total: float | None
    coverage: float | None
    met: bool | None
    reason: str
    interval: list[float | None] | None
    value: float | None
    threshold: float | None
    quantile: float | None
    budget: Budget
    without_exclusions: Figure
    own_window: Window
    own: Figure
    before: Figure | None
    during_events: Figure | None
    outside_events: Figure | None
    burn_rates: list[BurnRate]
    sla: Agreement | None
    incident_count: int
    evidence: list[Evidence]
    exclusions: list[Exclusion]
    findings: list[Finding]
    action: str
    description: str
    owner: str
    severity: str
    consequence: str
    combine: str
    parts: list[Part]
    sli_range: list[float | None] | None
    bound: Bound | None
    policy: Policy | None
    rollups: list[Rollup]


class Incident(Struct, frozen=True, kw_only=True):
    """One outage of one SLO; ``recovered`` and ``recover_seconds`` are null while it lasts."""

    service: str
    slo: str
    start: str
    detected: str
    recovered: str | None
    seconds: float
    detect_seconds: float
    recover_seconds: float | None
    bad: float | None
    budget_spent: float | None
    alert: str
    during_event: str


class SloName(Struct, frozen=True, kw_only=True):
    """Which SLO."""

    service: str
    slo: str


class PromiseRollup(Struct, frozen=True, kw_only=True):
    """How a promise stands over a month, a quarter or another period beside the window."""

    window: Window
    met: bool | None


class Promise(Struct, frozen=True, kw_only=True):
    """One promise of the report's first page."""

    name: str
    title: str
    target: str
    met: bool | None
    slos: list[SloName]
    summary: str
    rollups: list[PromiseRollup]


class LiveEvent(Struct, frozen=True, kw_only=True):
    """A live event that touched the window; no services means all."""

    name: str
    start: str
    end: str
    services: list[str]


class Proof(Struct, frozen=True, kw_only=True):
    """What the report was made of: SHA-256 digests of the resolved catalogue, of its exclusions and live events, and of
    every bucket that was read, which the ledger keeps; and the number of the ledger's last correction then."""

    catalogue: str
    exclusions: str
    inputs: str
    corrections: int


class Report(Struct, frozen=True, kw_only=True):
    """The whole of report.json. ``proof`` is null where there was no ledger, ``owner`` where it is not one owner's
    part, ``comparison`` where nothing was compared, ``forecast`` where none was asked for, ``errors`` where none were
    tracked, ``responses`` where no ledger holds any. ``comparisons`` are SLOs beside others that measure the same."""

    version: Literal[1]
    catalogue: str
    environment: str
    source: str
    timezone: str
    at: str
    bucket_seconds: int
    window: Window
    met: bool | None
    promises: list[Promise]
    slos: list[Slo]
    incidents: list[Incident]
    events: list[LiveEvent]
    exclusions: list[Exclusion]
    findings: list[Finding]
    proof: Proof | None = None
    owner: str | None = None
    comparison: ComparisonDocument | None = None
    forecast: ForecastDocument | None = None
    errors: ErrorsDocument | None = None
    comparisons: list[AgreementDocument] = []
    responses: ResponsesDocument | None = None


def to_document(evaluation: results.Evaluation) -> dict[str, Any]:
    """The content of report.json, as dicts, lists, strings, plain numbers, booleans and None: no NaN, no Infinity."""
    built: dict[str, Any] = msgspec.to_builtins(to_report(evaluation))
    return built


def schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of report.json."""
    made = msgspec.json.schema(Report)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "sla-kit report", **made}


def to_report(evaluation: results.Evaluation) -> Report:
    """The same content as typed values."""
    return Report(
        version=VERSION,
        catalogue=evaluation.catalogue,
        environment=evaluation.environment,
        source=evaluation.source,
        timezone=evaluation.timezone,
        at=_time(evaluation.at),
        bucket_seconds=int(evaluation.bucket),
        window=_window(evaluation.window),
        met=truth(evaluation.met),
        promises=[_promise(promise, evaluation.slos) for promise in evaluation.promises],
        slos=[_slo(slo) for slo in evaluation.slos],
        incidents=[_incident(incident) for incident in evaluation.incidents],
        events=[
            LiveEvent(name=event.name, start=_time(event.start), end=_time(event.end), services=list(event.services))
            for event in evaluation.events
        ],
        exclusions=_exclusions(evaluation.exclusions),
        findings=_findings(evaluation.findings),
        owner=None if evaluation.audience is None else evaluation.audience.owner,
        proof=None if evaluation.proof is None else Proof(**dataclasses.asdict(evaluation.proof)),
        comparison=None if evaluation.comparison is None else comparison_of(evaluation.comparison),
        forecast=None if evaluation.forecast is None else forecast_of(evaluation.forecast),
        errors=None if evaluation.errors is None else errors_of(evaluation.errors, owners(evaluation)),
        comparisons=[agreement_of(compared) for compared in evaluation.comparisons],
        responses=None if evaluation.responses is None else responses_of(evaluation.responses),
    )


def owners(evaluation: results.Evaluation) -> dict[str, str]:
    """Who owns each service that has an SLO."""
    return {slo.service: slo.owner for slo in evaluation.slos}


def _time(time: float) -> str:
    text = rfc3339(time)
    assert text is not None
    return text


def _window(period: results.Period) -> Window:
    return Window(name=period.name, start=_time(period.start), end=_time(period.end))


def _maybe(figure: results.Figure | None) -> Figure | None:
    return None if figure is None else figure_of(figure)


def _slo(slo: results.SloResult) -> Slo:
    figure = figure_of(slo.figure)
    agreement = (
        None
        if slo.sla_objective is None
        else Agreement(objective=sure(slo.sla_objective), met=truth(slo.sla_met), consequence=slo.sla_consequence)
    )
    return Slo(
        service=slo.service,
        slo=slo.slo,
        promise=slo.promise,
        kind=slo.kind,
        unit=slo.unit,
        objective=sure(slo.objective),
        sli=figure.sli,
        good=figure.good,
        bad=figure.bad,
        total=figure.total,
        coverage=figure.coverage,
        met=figure.met,
        reason=figure.reason,
        interval=figure.interval,
        value=figure.value,
        threshold=number(slo.threshold),
        quantile=number(slo.quantile),
        budget=figure.budget,
        without_exclusions=figure_of(slo.without_exclusions),
        own_window=_window(slo.own_window),
        own=figure_of(slo.own),
        before=_maybe(slo.before),
        during_events=_maybe(slo.during_events),
        outside_events=_maybe(slo.outside_events),
        burn_rates=[
            BurnRate(
                window_seconds=int(burn.window_seconds),
                rate=number(burn.rate),
                threshold=sure(burn.threshold),
                severity=burn.severity,
            )
            for burn in slo.burn_rates
        ],
        sla=agreement,
        incident_count=len(slo.incidents),
        evidence=[
            Evidence(completed=rfc3339(run.completed), seconds=number(run.seconds), ok=bool(run.ok), note=run.note)
            for run in slo.evidence
        ],
        exclusions=_exclusions(slo.exclusions),
        findings=_findings(slo.findings),
        action=slo.action,
        description=slo.description,
        owner=slo.owner,
        severity=slo.severity,
        consequence=slo.consequence,
        combine=slo.combine,
        parts=parts_of(slo.parts),
        sli_range=None if slo.sli_range is None else [number(end) for end in slo.sli_range],
        bound=bound_of(slo.bound),
        policy=policy_of(slo.policy),
        rollups=[Rollup(window=_window(one.period), figure=figure_of(one.figure)) for one in slo.rollups],
    )


def _incident(incident: results.Incident) -> Incident:
    return Incident(
        service=incident.service,
        slo=incident.slo,
        start=_time(incident.start),
        detected=_time(incident.detected),
        recovered=rfc3339(incident.recovered),
        seconds=sure(incident.seconds),
        detect_seconds=sure(incident.detect_seconds),
        recover_seconds=number(incident.recover_seconds),
        bad=number(incident.bad),
        budget_spent=number(incident.budget_spent),
        alert=incident.alert,
        during_event=incident.during_event,
    )


def _promise(promise: results.PromiseResult, slos: Sequence[results.SloResult]) -> Promise:
    return Promise(
        name=promise.name,
        title=promise.title,
        target=promise.target,
        met=truth(promise.met),
        slos=[SloName(service=service, slo=slo) for service, slo in promise.slos],
        summary=because(promise, slos),
        rollups=[PromiseRollup(window=_window(one.period), met=truth(one.met)) for one in promise.rollups],
    )


def _exclusions(exclusions: Iterable[results.Exclusion]) -> list[Exclusion]:
    return [
        Exclusion(
            name=exclusion.name,
            start=_time(exclusion.start),
            end=_time(exclusion.end),
            reason=exclusion.reason,
            approved_by=exclusion.approved_by,
            services=list(exclusion.services),
        )
        for exclusion in exclusions
    ]


def _findings(findings: Iterable[DataFinding]) -> list[Finding]:
    return [
        Finding(
            kind=finding.kind,
            message=finding.message,
            count=int(finding.count),
            start=rfc3339(finding.start),
            end=rfc3339(finding.end),
        )
        for finding in findings
    ]
