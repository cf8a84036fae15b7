"""What an evaluation says, as plain values: the shape that reports, tables, frames and other programs read.

Ratios are 0 to 1, times epoch seconds (UTC), lengths seconds; what can't be known is None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from sla_kit.timeline import Finding, Floats, Ints, Unit

if TYPE_CHECKING:
    import pandas

    from sla_kit.engine.agreement import SideBySide
    from sla_kit.engine.comparison import Comparison
    from sla_kit.engine.forecast.results import Forecast
    from sla_kit.error_tracking.results import ErrorReport
    from sla_kit.ledger.response_report import ResponseReport


@dataclass(frozen=True, slots=True)
class Period:
    """A stretch of time (start, end] with the name a person would give it ("7d", "2026-W38", "2026-Q3")."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Budget:
    """An error budget in events: ``allowed`` bad events, ``spent`` of them, ``left`` (negative once overspent).

    ``left_ratio`` is left / allowed, None where nothing was allowed because nothing happened. The same in minutes of
    full outage: ``allowed_minutes`` = (1 - objective) x the period's length, ``spent_minutes`` in proportion.
    """

    allowed: float
    spent: float
    left: float
    left_ratio: float | None
    allowed_minutes: float
    spent_minutes: float | None


@dataclass(frozen=True, slots=True)
class Figure:
    """What a set of buckets says of one promise.

    ``met`` is None where it can't be told, and ``reason`` then says why ("no data", "too few events to say",
    "coverage 41 % is under 90 %"). ``interval`` is the 95 % Wilson interval of the SLI, for budgets of occurrences.
    ``value`` is the measured figure itself: the quantile in seconds for latency, the worst age, duration or gauge.
    ``coverage`` is the share of the period's buckets that were observed.
    """

    sli: float | None
    good: float
    bad: float
    total: float
    coverage: float
    met: bool | None
    budget: Budget
    reason: str = ""
    interval: tuple[float, float] | None = None
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """One outage of one SLO.

    It starts with the first bad bucket, is ``detected`` when the first alert window fires and has ``recovered`` when
    the last bad bucket ends; None while it lasts. ``budget_spent`` is the share of the SLO's own window's budget.
    ``alert`` is the severity of the alert pair that fired first.
    """

    service: str
    slo: str
    start: int
    detected: int
    recovered: int | None
    bad: float
    budget_spent: float | None
    alert: str = "page"
    during_event: str = ""
    until: int | None = None  # the end of the evaluation, for an incident that lasts

    @property
    def seconds(self) -> int:
        """How long it lasted, from start to recovery (or so far)."""
        end = self.recovered if self.recovered is not None else self.until
        return (end if end is not None else self.detected) - self.start

    @property
    def detect_seconds(self) -> int:
        """Time to detect."""
        return self.detected - self.start

    @property
    def recover_seconds(self) -> int | None:
        """Time to recover, from detection; None while it lasts."""
        return None if self.recovered is None else self.recovered - self.detected


@dataclass(frozen=True, slots=True)
class Exclusion:
    """One maintenance window that took buckets out of a figure."""

    name: str
    start: int
    end: int
    reason: str = ""
    approved_by: str = ""
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BurnRate:
    """How fast the budget burns over the last ``window_seconds``: 1 spends it exactly by the end of the SLO's window.
    ``threshold`` is the factor that pages or tickets at this window."""

    window_seconds: int
    rate: float | None
    threshold: float
    severity: Literal["page", "ticket"]


@dataclass(frozen=True, slots=True)
class Burndown:
    """The budget left over the SLO's own window: ``times`` (k,) epoch seconds, ``left_ratio`` (k,)."""

    times: Ints
    left_ratio: Floats


@dataclass(frozen=True, slots=True)
class HeatMap:
    """The error ratio by local day and hour: ``days`` ISO dates (rows), ``ratio`` (days, 24), NaN without data."""

    days: tuple[str, ...]
    ratio: Floats


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measured run (a backup, a restore): when it ended and how long it took or how old it was allowed to be."""

    completed: int | None
    seconds: float | None
    ok: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class PartResult:
    """One part of a composite over the composite's windows: ``figure`` over the report's, ``own`` over its own. A part
    that is a composite has ``parts`` as well.

    ``loss_share`` is the part's share of what the composite lost in the report's window, 0 to 1, None where nothing
    was lost: of its bad events where events are added, of the weighted loss where SLIs are weighed, all of it for the
    lowest of ``worst``, and for ``all`` each bucket's loss by how bad each part was in it.
    """

    service: str
    slo: str
    kind: str
    unit: Unit
    objective: float
    weight: float | None
    figure: Figure
    own: Figure
    loss_share: float | None
    parts: tuple[PartResult, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Service and name."""
        return self.service, self.slo


@dataclass(frozen=True, slots=True)
class DependencyResult:
    """One thing that an SLO rests on: an SLO of the catalogue, or an outside ``provider``.

    ``objective`` is what it promises, ``sli`` what was measured of it in the report's window (None: not measured).
    ``through`` are its own dependencies; ``repeated`` says that it has been counted elsewhere in the same tree already.
    """

    service: str
    slo: str
    provider: str
    objective: float
    sli: float | None
    copies: int
    share: float
    through: tuple[DependencyResult, ...] = ()
    repeated: bool = False

    @property
    def name(self) -> str:
        """How a reader knows it: service / name, or the provider's."""
        return self.provider or f"{self.service} / {self.slo}"


@dataclass(frozen=True, slots=True)
class BoundResult:
    """What an SLO can keep at best, given what it depends on: by their objectives, and by what was measured of them
    in the report's window (providers by their objectives), None where one of them could not be measured."""

    by_objectives: float
    by_measured: float | None
    dependencies: tuple[DependencyResult, ...]


Effect = Literal["freeze", "review", "escalate"]


@dataclass(frozen=True, slots=True)
class StepState:
    """One step of an error-budget policy and whether it is reached: None where that can't be told.

    ``because`` says why in a few words, ``to`` whom to escalate to, ``exempt`` which kinds of change pass its freeze.
    ``frees_at`` is when a reached step is left again if nothing else goes wrong (epoch seconds), None where that can't
    be known.
    """

    action: str
    left: float | None
    incident: float | None
    effects: tuple[Effect, ...]
    to: tuple[str, ...]
    exempt: tuple[str, ...]
    reached: bool | None
    because: str
    frees_at: int | None = None


@dataclass(frozen=True, slots=True)
class PolicyState:
    """How an SLO stands by its error-budget policy: all steps, those by the budget left before those by incident."""

    steps: tuple[StepState, ...]

    @property
    def reached(self) -> tuple[StepState, ...]:
        """The steps that are reached, the gravest first."""
        return tuple(sorted((step for step in self.steps if step.reached), key=_gravity))

    @property
    def effects(self) -> tuple[Effect, ...]:
        """What the reached steps ask for, each once."""
        return tuple(dict.fromkeys(effect for step in self.reached for effect in step.effects))

    @property
    def to(self) -> tuple[str, ...]:
        """Whom the reached steps escalate to, each once."""
        return tuple(dict.fromkeys(name for step in self.reached for name in step.to))


def _gravity(step: StepState) -> tuple[int, float]:
    return (0, step.left) if step.left is not None else (1, -(step.incident or 0.0))


@dataclass(frozen=True, slots=True)
class Rollup:
    """One SLO's figure over a month, a quarter or another period beside the report's window, exclusions left out."""

    period: Period
    figure: Figure


@dataclass(frozen=True, slots=True)
class PromiseRollup:
    """How a promise stands over such a period."""

    period: Period
    met: bool | None


@dataclass(frozen=True, slots=True)
class SloResult:
    """One SLO over the report's window.

    ``figure`` leaves the exclusions out, ``without_exclusions`` has them in. ``own`` is the figure over ``own_window``,
    the SLO's own rolling or calendar window, which its budget belongs to. ``before`` is the figure over the window of
    the same length just before, None without data. A composite has ``parts``, one of ``all`` also ``sli_range``: its
    SLI if the parts' failures never met, and if they met wherever they could. ``bound`` is there for what has
    dependencies, ``policy`` where steps are declared, and ``action`` the words of the gravest step that is reached.
    """

    service: str
    slo: str
    kind: str
    unit: Unit
    objective: float
    window: Period
    figure: Figure
    without_exclusions: Figure
    own_window: Period
    own: Figure
    promise: str = ""
    description: str = ""
    owner: str = ""
    severity: str = ""
    consequence: str = ""
    sla_objective: float | None = None
    sla_met: bool | None = None
    sla_consequence: str = ""
    threshold: float | None = None
    quantile: float | None = None
    before: Figure | None = None
    during_events: Figure | None = None
    outside_events: Figure | None = None
    burn_rates: tuple[BurnRate, ...] = ()
    burndown: Burndown | None = None
    heat: HeatMap | None = None
    incidents: tuple[Incident, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    action: str = ""
    combine: str = ""
    parts: tuple[PartResult, ...] = ()
    sli_range: tuple[float, float] | None = None
    bound: BoundResult | None = None
    policy: PolicyState | None = None
    rollups: tuple[Rollup, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Service and name."""
        return self.service, self.slo


@dataclass(frozen=True, slots=True)
class PromiseResult:
    """One promise of the first page: met where all its SLOs are, missed where one is."""

    name: str
    title: str
    target: str
    met: bool | None
    slos: tuple[tuple[str, str], ...] = ()
    summary: str = ""
    rollups: tuple[PromiseRollup, ...] = ()


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """A live event that touched the window."""

    name: str
    start: int
    end: int
    services: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """What an evaluation was made of, as SHA-256 digests: the resolved ``catalogue``, its ``exclusions`` (maintenance
    and live events, with those that were added later) and the ``inputs`` (every bucket of every indicator); and the
    number of the last of the ledger's ``corrections`` that it knew."""

    catalogue: str
    exclusions: str
    inputs: str
    corrections: int


@dataclass(frozen=True, slots=True)
class Audience:
    """Whom a report speaks to: the owner of its services ("" for those of nobody), and where they are reached."""

    owner: str
    email: str = ""
    slack: str = ""
    pagerduty: str = ""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The whole answer for one window. ``comparisons`` are SLOs beside others that measure the same by other means."""

    catalogue: str
    environment: str
    source: str
    timezone: str
    at: int
    bucket: int
    window: Period
    slos: tuple[SloResult, ...]
    promises: tuple[PromiseResult, ...] = ()
    events: tuple[LiveEvent, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    findings: tuple[Finding, ...] = field(default=())
    proof: Proof | None = None
    comparison: Comparison | None = None
    comparisons: tuple[SideBySide, ...] = ()
    audience: Audience | None = None
    forecast: Forecast | None = None
    errors: ErrorReport | None = None
    responses: ResponseReport | None = None

    @property
    def met(self) -> bool | None:
        """True where every SLO is met, False where one is missed, None otherwise."""
        return verdict(slo.figure.met for slo in self.slos)

    @property
    def incidents(self) -> tuple[Incident, ...]:
        """The incidents of all SLOs, by start."""
        return tuple(sorted((i for slo in self.slos for i in slo.incidents), key=lambda i: (i.start, i.service, i.slo)))

    def __getitem__(self, key: tuple[str, str]) -> SloResult:
        for slo in self.slos:
            if slo.key == key:
                return slo
        raise KeyError(key)

    def to_pandas(self) -> pandas.DataFrame:
        """One row an SLO, in the catalogue's order; times are UTC timestamps."""
        import pandas as pd

        rows = [
            {
                "service": slo.service,
                "slo": slo.slo,
                "promise": slo.promise,
                "kind": slo.kind,
                "unit": slo.unit,
                "objective": slo.objective,
                "window": slo.window.name,
                "start": pd.Timestamp(slo.window.start, unit="s", tz="UTC"),
                "end": pd.Timestamp(slo.window.end, unit="s", tz="UTC"),
                "sli": np.nan if slo.figure.sli is None else slo.figure.sli,
                "good": slo.figure.good,
                "bad": slo.figure.bad,
                "total": slo.figure.total,
                "coverage": slo.figure.coverage,
                "met": slo.figure.met,
                "budget_left_ratio": np.nan if slo.own.budget.left_ratio is None else slo.own.budget.left_ratio,
                "value": np.nan if slo.figure.value is None else slo.figure.value,
                "incidents": len(slo.incidents),
            }
            for slo in self.slos
        ]
        return pd.DataFrame(rows)


def verdict(parts: Iterable[bool | None]) -> bool | None:
    """Several verdicts as one: False where one is False, else None where one is None (or there is none), else True."""
    seen = list(parts)
    if any(part is False for part in seen):
        return False
    return True if seen and all(seen) else None
