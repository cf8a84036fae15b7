"""A comparison as plain values: what ``sla-kit compare --format json`` writes, and report.json holds."""

from __future__ import annotations

from msgspec import Struct

from sla_kit.engine.comparison import Change, Comparison, Side, Standing
from sla_kit.report.formats import number, rfc3339


class ComparedStanding(Struct, frozen=True, kw_only=True):
    """One SLO on one side."""

    objective: float
    sli: float | None
    bad: float | None
    total: float | None
    met: bool | None
    budget_left_ratio: float | None
    value: float | None
    incident_count: int


class ComparedSlo(Struct, frozen=True, kw_only=True):
    """One SLO on both sides, null where a side lacks it. ``change`` is the second SLI less the first, ``interval`` its
    95 % interval (Newcombe 1998, method 10) and ``beyond_chance`` whether that leaves out 0; null where it can't be
    told."""

    service: str
    slo: str
    first: ComparedStanding | None
    second: ComparedStanding | None
    change: float | None
    interval: list[float | None] | None
    beyond_chance: bool | None


class ComparedSide(Struct, frozen=True, kw_only=True):
    """What was compared: whose promises, over which window."""

    catalogue: str
    environment: str
    window: str
    start: str
    end: str


class ComparisonDocument(Struct, frozen=True, kw_only=True):
    """Two evaluations and their SLOs, the worst change first."""

    first: ComparedSide
    second: ComparedSide
    slos: list[ComparedSlo]


def comparison_of(comparison: Comparison) -> ComparisonDocument:
    """A comparison as those values."""
    return ComparisonDocument(
        first=_side(comparison.first),
        second=_side(comparison.second),
        slos=[_slo(change) for change in comparison.changes],
    )


def _side(side: Side) -> ComparedSide:
    return ComparedSide(
        catalogue=side.catalogue,
        environment=side.environment,
        window=side.window,
        start=rfc3339(side.start) or "",
        end=rfc3339(side.end) or "",
    )


def _slo(change: Change) -> ComparedSlo:
    interval = change.interval
    return ComparedSlo(
        service=change.named.service,
        slo=change.named.slo,
        first=_standing(change.first),
        second=_standing(change.second),
        change=number(change.sli),
        interval=None if interval is None else [number(bound) for bound in interval],
        beyond_chance=change.beyond_chance,
    )


def _standing(standing: Standing | None) -> ComparedStanding | None:
    if standing is None:
        return None
    return ComparedStanding(
        objective=standing.objective,
        sli=number(standing.sli),
        bad=number(standing.bad),
        total=number(standing.total),
        met=standing.met,
        budget_left_ratio=number(standing.budget_left_ratio),
        value=number(standing.value),
        incident_count=standing.incidents,
    )
