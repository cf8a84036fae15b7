"""Errors as plain values: what ``sla-kit errors --format json`` prints, and report.json holds."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from sla_kit.error_tracking.results import Deployment, ErrorGroup, ErrorReport, Estimate, IncidentLink
from sla_kit.logs.fingerprint import redacted_message
from sla_kit.report.formats import number, rfc3339


class EstimateDocument(Struct, frozen=True, kw_only=True):
    """A number of events, and the bounds that it lies in with 95 % confidence; both equal it where it was counted."""

    value: float | None
    low: float | None
    high: float | None


class ErrorStateDocument(Struct, frozen=True, kw_only=True):
    """What people said last of a group; ``at`` and ``by`` are null where nobody said anything."""

    status: Literal["open", "resolved", "ignored"]
    owner: str
    at: str | None
    by: str | None
    release: str
    note: str


class DeploymentDocument(Struct, frozen=True, kw_only=True):
    """A release that began to run, as a document tells (``document``), or the first document with that version does
    (``first-seen``)."""

    service: str
    version: str
    time: str
    told: Literal["document", "first-seen"]


class ErrorIncidentDocument(Struct, frozen=True, kw_only=True):
    """An incident that a group may belong to; ``end`` is null while it lasts."""

    title: str
    service: str
    start: str
    end: str | None


class ExampleDocument(Struct, frozen=True, kw_only=True):
    """One document of a group, redacted."""

    time: str
    message: str
    host: str
    version: str
    trace: str
    stack: str


class ReleaseDocument(Struct, frozen=True, kw_only=True):
    """How many of a group's errors a release wrote."""

    version: str
    count: float


class ErrorGroupDocument(Struct, frozen=True, kw_only=True):
    """Errors of a service that are the same. ``count`` and ``users`` (null where none is recorded) are of the window,
    ``before`` of the time of equal length before it, ``trend`` of slices of equal length of the window. ``owner`` is
    whom it was given to, else who owns the service. ``kinds`` are new, regressed, surging."""

    service: str
    key: str
    type: str
    message: str
    frames: list[str]
    first_seen: str
    last_seen: str
    count: EstimateDocument
    before: EstimateDocument
    users: EstimateDocument | None
    releases: list[ReleaseDocument]
    trend: list[float]
    kinds: list[str]
    owner: str
    state: ErrorStateDocument
    deployment: DeploymentDocument | None
    incidents: list[ErrorIncidentDocument]
    example: ExampleDocument | None


class ErrorFindingDocument(Struct, frozen=True, kw_only=True):
    """Something in the documents that a reader of the figures must know."""

    kind: str
    message: str
    count: int
    start: str | None
    end: str | None


class ErrorsDocument(Struct, frozen=True, kw_only=True):
    """The errors of a window: the groups worth showing, the most important first, and how many errors are
    ``elsewhere``, in no shown group. ``services`` are those that were asked for, none where it was all."""

    source: str
    start: str
    end: str
    lookback_start: str
    slice_seconds: float | None
    services: list[str]
    total: EstimateDocument
    before: EstimateDocument
    documents: EstimateDocument
    elsewhere: EstimateDocument
    method: str
    groups: list[ErrorGroupDocument]
    deployments: list[DeploymentDocument]
    findings: list[ErrorFindingDocument]


def errors_of(report: ErrorReport, owners: Mapping[str, str]) -> ErrorsDocument:
    """Errors as those values; ``owners`` are of services."""
    slices = len(report.groups[0].trend) if report.groups else 0
    return ErrorsDocument(
        source=report.source,
        start=_time(report.start),
        end=_time(report.end),
        lookback_start=_time(report.lookback_start),
        slice_seconds=number((report.end - report.start) / slices) if slices else None,
        services=list(report.services),
        total=_estimate(report.total),
        before=_estimate(report.before),
        documents=_estimate(report.documents),
        elsewhere=_estimate(report.elsewhere),
        method=report.method,
        groups=[group_of(group, owners) for group in report.groups],
        deployments=[_deployment(one) for one in report.deployments],
        findings=[
            ErrorFindingDocument(
                kind=one.kind,
                message=one.message,
                count=int(one.count),
                start=rfc3339(one.start),
                end=rfc3339(one.end),
            )
            for one in report.findings
        ],
    )


def errors_document(report: ErrorReport, owners: Mapping[str, str]) -> dict[str, Any]:
    """The same as dicts and lists."""
    built: dict[str, Any] = msgspec.to_builtins(errors_of(report, owners))
    return {"version": 1, **built}


def group_of(group: ErrorGroup, owners: Mapping[str, str]) -> ErrorGroupDocument:
    """One group as those values; what nobody may be shown is taken out of texts."""
    state, example = group.state, group.example
    return ErrorGroupDocument(
        service=group.service,
        key=group.key,
        type=group.type,
        message=redacted_message(group.message),
        frames=list(group.frames),
        first_seen=_time(group.first_seen),
        last_seen=_time(group.last_seen),
        count=_estimate(group.count),
        before=_estimate(group.before),
        users=None if group.users is None else _estimate(group.users),
        releases=[ReleaseDocument(version=name, count=number(count) or 0) for name, count in group.releases],
        trend=[number(count) or 0 for count in group.trend],
        kinds=sorted(group.kinds),
        owner=state.owner or owners.get(group.service, ""),
        state=ErrorStateDocument(
            status=state.status,
            owner=state.owner,
            at=rfc3339(state.at) if state.at else None,
            by=state.by or None,
            release=state.release,
            note=state.note,
        ),
        deployment=None if group.deployment is None else _deployment(group.deployment),
        incidents=[_incident(one) for one in group.incidents],
        example=None
        if example is None
        else ExampleDocument(
            time=_time(example.time),
            message=redacted_message(example.message),
            host=example.host,
            version=example.version,
            trace=example.trace,
            stack=redacted_message(example.stack),
        ),
    )


#: The columns of ``--format csv``, one row a group.
CSV_COLUMNS = (
    "service", "key", "type", "message", "kinds", "status", "owner", "count", "count_low", "count_high", "before",
    "users", "users_low", "users_high", "first_seen", "last_seen", "releases", "deployment", "incidents",
)  # fmt: skip


def errors_csv(groups: Iterable[ErrorGroup], owners: Mapping[str, str]) -> str:
    """A header and one row a group (RFC 4180) with the full numbers; an unknown value is an empty cell."""
    from sla_kit.report.as_csv import cell

    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(CSV_COLUMNS)
    for group in groups:
        one = group_of(group, owners)
        users = (one.users.value, one.users.low, one.users.high) if one.users else (None, None, None)
        row = [
            one.service, one.key, one.type, one.message, " ".join(one.kinds), one.state.status, one.owner,
            one.count.value, one.count.low, one.count.high, one.before.value, *users, one.first_seen, one.last_seen,
            " ".join(release.version for release in one.releases), one.deployment.version if one.deployment else "",
            "; ".join(incident.title for incident in one.incidents),
        ]  # fmt: skip
        writer.writerow([cell(value) for value in row])
    return out.getvalue()


def _estimate(estimate: Estimate) -> EstimateDocument:
    return EstimateDocument(value=number(estimate.value), low=number(estimate.low), high=number(estimate.high))


def _deployment(one: Deployment) -> DeploymentDocument:
    return DeploymentDocument(service=one.service, version=one.version, time=_time(one.time), told=one.told)


def _incident(one: IncidentLink) -> ErrorIncidentDocument:
    return ErrorIncidentDocument(title=one.title, service=one.service, start=_time(one.start), end=rfc3339(one.end))


def _time(time: float) -> str:
    # Milliseconds are what Elasticsearch keeps.
    return rfc3339(round(time, 3)) or ""
