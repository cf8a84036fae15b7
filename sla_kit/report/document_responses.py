"""How incidents were responded to, as plain values in report.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from sla_kit.report.formats import number, rfc3339

if TYPE_CHECKING:
    from sla_kit.ledger.response_report import Group, Handled, Kept, ResponseReport, Spread


class SpreadDocument(Struct, frozen=True, kw_only=True):
    """Seconds, by nearest rank, of ``known`` incidents and ``open`` ones, which count as longer than any that is known:
    a figure is null where its rank falls on one, and where there is none."""

    known: int
    open: int
    median: float | None
    p90: float | None


class KeptDocument(Struct, frozen=True, kw_only=True):
    """Of ``judged`` incidents, for which there is a promise and which can be judged already, ``in_time`` kept it;
    ``within_seconds`` is the promise, null where there is none or several."""

    judged: int
    in_time: int
    within_seconds: float | None


class ResponseGroupDocument(Struct, frozen=True, kw_only=True):
    """Incidents of one severity; ``team`` and ``service`` are null where they are of any. ``escalated`` is null where
    it was not recorded of all of them."""

    severity: str
    team: str | None
    service: str | None
    incidents: int
    open: int
    acknowledged: int
    unacknowledged: int
    escalated: int | None
    acknowledge_seconds: SpreadDocument
    recover_seconds: SpreadDocument
    acknowledged_in_time: KeptDocument
    recovered_in_time: KeptDocument


class OpenIncidentDocument(Struct, frozen=True, kw_only=True):
    """An incident that was not over at the end of the window; the figures count it as it stood then."""

    title: str
    severity: str
    team: str
    service: str
    opened: str
    open_seconds: float | None
    acknowledge_seconds: float | None


class ResponsesDocument(Struct, frozen=True, kw_only=True):
    """The incidents that were over in the window from ``start`` to ``end``, or open at its end, as the ledger held them
    up to its response number ``records``. ``compared`` is the same of what the report is compared with."""

    window: str
    start: str
    end: str
    records: int
    services: list[str]
    percentiles: str
    severities: list[ResponseGroupDocument]
    groups: list[ResponseGroupDocument]
    open: list[OpenIncidentDocument]
    compared: ResponsesDocument | None


#: How a percentile is made.
METHOD = "nearest rank; an open incident counts as longer than any that is over"


def responses_of(report: ResponseReport) -> ResponsesDocument:
    """Those values of a report's responses."""
    period = report.period
    return ResponsesDocument(
        window=period.name,
        start=rfc3339(period.start) or "",
        end=rfc3339(period.end) or "",
        records=report.records,
        services=list(report.services),
        percentiles=METHOD,
        severities=[_group(one) for one in report.severities()],
        groups=[_group(one) for one in report.groups()],
        open=[_open(one) for one in report.open],
        compared=None if report.compared is None else responses_of(report.compared),
    )


def _group(group: Group) -> ResponseGroupDocument:
    return ResponseGroupDocument(
        severity=group.severity,
        team=group.team,
        service=group.service,
        incidents=group.incidents,
        open=group.open,
        acknowledged=group.acknowledged,
        unacknowledged=group.unacknowledged,
        escalated=group.escalated,
        acknowledge_seconds=_spread(group.acknowledge),
        recover_seconds=_spread(group.recover),
        acknowledged_in_time=_kept(group.acknowledged_in_time),
        recovered_in_time=_kept(group.recovered_in_time),
    )


def _spread(spread: Spread) -> SpreadDocument:
    return SpreadDocument(known=spread.known, open=spread.open, median=number(spread.median), p90=number(spread.p90))


def _kept(kept: Kept) -> KeptDocument:
    return KeptDocument(judged=kept.judged, in_time=kept.in_time, within_seconds=number(kept.within))


def _open(one: Handled) -> OpenIncidentDocument:
    return OpenIncidentDocument(
        title=one.title,
        severity=one.severity,
        team=one.team,
        service=one.service,
        opened=rfc3339(round(one.opened, 3)) or "",
        open_seconds=number(one.recover_seconds),
        acknowledge_seconds=number(one.acknowledge_seconds),
    )
