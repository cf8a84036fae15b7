"""What a backtest says, as plain values: times are epoch seconds, lengths seconds, ratios 0 to 1, None what can't be
told."""

from __future__ import annotations

from dataclasses import dataclass, field

from sla_kit.engine.results import Period


@dataclass(frozen=True, slots=True)
class Firing:
    """One time that an alert fired: from ``start`` to ``end``, which is the window's where it began before it or went
    on after it (``open``). ``incidents`` are the numbers of those that it agrees with. One that goes on
    ``throughout`` the window says nothing of when something went wrong."""

    labels: tuple[tuple[str, str], ...]
    start: int
    end: int
    open: bool = False
    throughout: bool = False
    value: float = 0.0
    incidents: tuple[int, ...] = ()

    @property
    def seconds(self) -> int:
        """How long it fired."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class KnownIncident:
    """Something that is known to have gone wrong. Alerts that carry another ``service`` or ``slo`` are not about it;
    where it names ``alerts``, only those are. ``origin`` says who knows: "file", "engine", "catalogue"."""

    name: str
    start: int
    end: int
    service: str = ""
    slo: str = ""
    alerts: tuple[str, ...] = ()
    origin: str = "file"


@dataclass(frozen=True, slots=True)
class Spent:
    """The share of an SLO's error budget that an incident had spent when it was detected, and in all."""

    service: str
    slo: str
    before_detection: float | None
    in_all: float


@dataclass(frozen=True, slots=True)
class Detection:
    """How one incident was found: when, by which alert, after how many seconds; None where none fired."""

    incident: int
    at: int | None
    alert: str
    seconds: int | None
    budgets: tuple[Spent, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """How well firings agree with the incidents that they may be about.

    ``precision`` is the share of firings that overlap an incident, ``time_precision`` the share of the firing time
    that does, ``recall`` the share of incidents with a firing. ``budget_median`` and ``budget_worst`` are shares of an
    error budget that were spent before detection, of all of an incident where it was not detected.
    """

    firings: int
    right: int
    incidents: int
    found: int
    precision: float | None
    time_precision: float | None
    recall: float | None
    detect_median: float | None
    detect_worst: float | None
    budget_median: float | None = None
    budget_worst: float | None = None
    detections: tuple[Detection, ...] = ()


@dataclass(frozen=True, slots=True)
class AlertResult:
    """One alerting rule on history.

    ``labels`` are those that the rule sets itself, as they are written. ``pages`` counts how often somebody would have
    been called, after grouping, for alerts whose severity pages. ``refires`` are firings that began again soon after
    the same alert was resolved, ``short`` those that were soon over. ``never`` says why there is nothing to tell, ""
    where there is, and ``absent`` whether that is for want of metrics; ``failed`` is how many evaluations failed,
    ``notes`` what to know.
    """

    alert: str
    file: str
    line: int
    severity: str
    expression: str
    pending_seconds: float
    firings: tuple[Firing, ...]
    series: int
    firing_seconds: int
    longest_seconds: int
    pages: int
    pages_per_week: float
    refires: int
    short: int
    score: Score | None
    labels: tuple[tuple[str, str], ...] = ()
    failed: int = 0
    never: str = ""
    absent: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """The same history with one set of rules: the rules as given, or some of them set otherwise. ``overall`` takes all
    alerts as one."""

    name: str
    alerts: tuple[AlertResult, ...]
    pages: int
    pages_per_week: float
    overall: Score | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Backtest:
    """The whole answer. The first of the ``variants`` is the rules as given, the others are compared with it."""

    source: str
    engine: str
    window: Period
    timezone: str
    incidents: tuple[KnownIncident, ...]
    variants: tuple[Variant, ...]
    tolerance_seconds: float
    notes: tuple[str, ...] = field(default=())
