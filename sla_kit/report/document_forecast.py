"""A forecast as plain values: what ``sla-kit forecast --json`` prints, and report.json holds."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from sla_kit.engine.forecast.results import EventForecast, Forecast, Need, Outlook, ServiceNeed
from sla_kit.report.formats import number, rfc3339


class OutlookDocument(Struct, frozen=True, kw_only=True):
    """What comes of one error budget: ``left`` of it now, when it ``runs_out`` (half of all courses have by then; a
    tenth by ``runs_out_low``, nine tenths by ``runs_out_high``) and with which ``probability`` within the horizon, when
    one that is spent is ``back``, and what is left at ``left_at`` with its 80 % interval. ``burn_per_day`` and
    ``burn_per_event`` are shares of the budget. Null is what can't be told; ``reason`` says why."""

    service: str
    slo: str
    objective: float
    window: str
    left: float | None
    probability: float | None
    runs_out: str | None
    runs_out_low: str | None
    runs_out_high: str | None
    back: str | None
    left_at: str | None
    left_expected: float | None
    left_low: float | None
    left_high: float | None
    burn_per_day: float | None
    burn_per_event: float | None
    reason: str
    notes: list[str]


class NeedDocument(Struct, frozen=True, kw_only=True):
    """How much of something (``requests`` per second, ``pods``, ``connections``) a live event needs at its peak, with
    its 80 % interval. ``exceeds`` the limit: true, false, or null where only the interval's upper end does."""

    what: str
    value: float | None
    low: float | None
    high: float | None
    limit: float | None
    seen: float | None
    exceeds: bool | None
    basis: str


class ServiceNeedDocument(Struct, frozen=True, kw_only=True):
    """What a live event needs of one service; ``factor`` is peak over usual, from so many past ``events``."""

    service: str
    usual_peak: float | None
    factor: float | None
    factor_low: float | None
    factor_high: float | None
    events: int
    needs: list[NeedDocument]
    note: str


class RiskDocument(Struct, frozen=True, kw_only=True):
    """A promise at risk: how probable it is that its budget is spent at the event's end, and would be without it."""

    service: str
    slo: str
    probability: float
    without: float


class EventForecastDocument(Struct, frozen=True, kw_only=True):
    """One live event to come."""

    name: str
    start: str
    end: str
    services: list[str]
    needs: list[ServiceNeedDocument]
    risks: list[RiskDocument]


class ForecastDocument(Struct, frozen=True, kw_only=True):
    """The forecast from ``at`` until ``until``, from ``history_seconds`` of the past."""

    at: str
    until: str
    history_seconds: int
    method: str
    outlooks: list[OutlookDocument]
    events: list[EventForecastDocument]


def forecast_of(forecast: Forecast) -> ForecastDocument:
    """A forecast as those values."""
    return ForecastDocument(
        at=_time(forecast.at),
        until=_time(forecast.until),
        history_seconds=int(forecast.history),
        method=forecast.method,
        outlooks=[_outlook(one) for one in forecast.outlooks],
        events=[_event(event) for event in forecast.events],
    )


def forecast_document(forecast: Forecast) -> dict[str, Any]:
    """The same as dicts and lists, with whose forecast it is."""
    built: dict[str, Any] = msgspec.to_builtins(forecast_of(forecast))
    named = {"catalogue": forecast.catalogue, "environment": forecast.environment, "source": forecast.source}
    return {"version": 1, **named, "timezone": forecast.timezone, **built}


def _outlook(one: Outlook) -> OutlookDocument:
    return OutlookDocument(
        service=one.service,
        slo=one.slo,
        objective=one.objective,
        window=one.window,
        left=number(one.left),
        probability=number(one.probability),
        runs_out=rfc3339(one.runs_out),
        runs_out_low=rfc3339(one.runs_out_low),
        runs_out_high=rfc3339(one.runs_out_high),
        back=rfc3339(one.back),
        left_at=rfc3339(one.left_at),
        left_expected=number(one.left_expected),
        left_low=number(one.left_low),
        left_high=number(one.left_high),
        burn_per_day=number(one.burn_per_day),
        burn_per_event=number(one.burn_per_event),
        reason=one.reason,
        notes=list(one.notes),
    )


def _event(event: EventForecast) -> EventForecastDocument:
    return EventForecastDocument(
        name=event.name,
        start=_time(event.start),
        end=_time(event.end),
        services=list(event.services),
        needs=[_service(need) for need in event.needs],
        risks=[
            RiskDocument(service=risk.service, slo=risk.slo, probability=risk.probability, without=risk.without)
            for risk in event.risks
        ],
    )


def _service(need: ServiceNeed) -> ServiceNeedDocument:
    return ServiceNeedDocument(
        service=need.service,
        usual_peak=number(need.usual_peak),
        factor=number(need.factor),
        factor_low=number(need.factor_low),
        factor_high=number(need.factor_high),
        events=need.events,
        needs=[_need(one) for one in need.needs],
        note=need.note,
    )


def _need(need: Need) -> NeedDocument:
    return NeedDocument(
        what=need.what,
        value=number(need.value),
        low=number(need.low),
        high=number(need.high),
        limit=number(need.limit),
        seen=number(need.seen),
        exceeds=need.exceeds,
        basis=need.basis,
    )


def _time(time: int) -> str:
    return rfc3339(time) or ""
