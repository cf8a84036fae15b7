"""What an alert of the stack is: its rule, the text that people read, and the cases that prove it.

An area (`Area`) is a module of this package with a value ``AREA``. Everything here is a declaration: `settings` lays
the catalogue's own wishes over it, `expanding` makes a Prometheus rule of it, `proving` makes promtool's tests.

Texts hold placeholders. In expressions and series:

- ``$postgres`` inside braces: the matcher of that exporter's jobs (``job="postgres"``); the exporter's key is that of
  its inventory file,
- ``$keep`` in ``by``/``on``: the labels that every aggregation keeps (``cluster``),
- ``$ratio``: a threshold of that name, as a number, or as a duration where its unit is ``window``,
- ``$scrape_interval``, ``$scrape_seconds``: how often is scraped, as Prometheus labels it and as a number.

In annotations ``[[ratio]]`` is a threshold as people read it; ``{{ $labels.x }}`` and ``{{ $value }}`` are
Prometheus's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning", "info"]
Unit = Literal["ratio", "seconds", "bytes", "count", "window"]
Promise = Literal["availability", "response-time", "error-rate", "recovery-time", "backup-recovery"]


class Values:
    """The thresholds of an alert as they are in force, by attribute: ``t.ratio``; and ``t.scrape_seconds``."""

    def __init__(self, values: Mapping[str, float]) -> None:
        self._values = dict(values)

    def __getattr__(self, name: str) -> float:
        try:
            return self._values[name]
        except KeyError:
            raise AttributeError(f"the alert has no threshold {name!r}") from None


#: A number of a test, or how it follows from the thresholds in force, so that the test holds whatever they are set to.
Number = float | Callable[[Values], float]


@dataclass(frozen=True, slots=True)
class Threshold:
    """A number that a catalogue may set otherwise; ``value`` in seconds for ``seconds`` and ``window``, 0 to 1 for
    ``ratio``. ``meaning`` completes "…: " in the runbook."""

    value: float
    unit: Unit
    meaning: str


@dataclass(frozen=True, slots=True)
class Shape:
    """How one series of a test goes: ``good`` while all is well, ``bad`` while it is not, ``near`` while it nearly is
    (``bad`` where it is left out). None is no sample at all. A ``gauge`` has these values, a ``counter`` grows by them
    each minute."""

    kind: Literal["gauge", "counter"]
    good: Number | None
    bad: Number | None
    near: Number | None = None
    start: float = 0.0


def gauge(good: Number | None, bad: Number | None, near: Number | None = None) -> Shape:
    """A gauge that has one value while all is well and another while it is not."""
    return Shape("gauge", good, bad, near)


def counter(good: Number | None, bad: Number | None, near: Number | None = None, start: float = 0.0) -> Shape:
    """A counter (or a gauge that moves evenly, such as a timestamp: 60 keeps up with the clock, 0 stands still) that
    grows by so much a minute from ``start``. None is no sample while it lasts; after it the counter goes on."""
    return Shape("counter", good, bad, near, start)


def steady(value: Number) -> Shape:
    """A gauge that stays as it is."""
    return Shape("gauge", value, value)


def counting(per_minute: Number, start: float = 0.0) -> Shape:
    """A counter that grows evenly throughout."""
    return Shape("counter", per_minute, per_minute, None, start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A case in which the alert fires: all is well, then it is not, then it is again.

    ``series`` go through it; every one gets the labels that are kept (``cluster``) besides its own. ``labels`` are
    those that the alert carries then, beside the static ones and those kept (unless ``keeps`` is False, as for
    ``absent``). ``value`` is the alert's, once it has settled. ``says`` is the description then, as it is read with
    the default thresholds.

    Times in seconds: all is well for ``healthy``; the expression first holds ``lag`` after the trouble began, its
    value is steady from ``settles`` on (default: ``lag``), and after the recovery it holds no more from ``clears`` on
    (default: ``settles``). ``step`` is the distance of samples and of evaluations: raise it for what takes days.

    From this follow, with no more said: silence before; silence just before ``for`` is over and firing when it is;
    the labels and both texts; firing on after the recovery for as long as ``keep_firing_for`` holds it; silence
    then; silence with ``near`` in place of ``bad`` where a shape has it; silence with no series at all.
    """

    series: Mapping[str, Shape]
    labels: Mapping[str, str]
    value: Number
    says: str
    name: str = "breach"
    healthy: float = 1800.0
    lag: float = 0.0
    settles: float | None = None
    clears: float | None = None
    step: float = 60.0
    keeps: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """A case in which the alert must not fire: ``series`` as they are (their ``bad``) for ``lasts`` seconds, after
    ``healthy`` seconds in which they are ``good``, and ``earlier`` ones before those in which they are ``near``."""

    name: str
    series: Mapping[str, Shape]
    earlier: float = 0.0
    healthy: float = 0.0
    lasts: float = 7200.0
    step: float = 60.0


Case = Breach | Quiet


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert.

    ``exporter`` is the one whose jobs say to which service the alert belongs. ``pending`` (``for``) and
    ``keep_firing_for`` are seconds. ``inhibited_by`` are alerts that make this one superfluous where the labels in
    ``inhibition_labels`` are equal, ``cluster_inhibited_by`` are those that do so in the whole of a cluster.
    ``profile`` is the kind of ingress it is for. ``promises`` are those that suffer.
    ``missing_fires``: with no series at all it fires, as one with ``absent`` does. ``always`` fires always (a
    watchdog). Its runbook is ``runbooks/<area>/<name>.md`` beside this module.
    """

    name: str
    exporter: str
    expression: str
    severity: Severity
    summary: str
    description: str
    pending: float = 0.0
    keep_firing_for: float = 0.0
    thresholds: Mapping[str, Threshold] = field(default_factory=dict)
    cases: tuple[Case, ...] = ()
    promises: tuple[Promise, ...] = ()
    inhibited_by: tuple[str, ...] = ()
    inhibition_labels: tuple[str, ...] = ("cluster",)
    cluster_inhibited_by: tuple[str, ...] = ()
    dashboard: str = ""
    profile: str = ""
    missing_fires: bool = False
    always: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """Alerts that belong together. ``dashboard`` is where they are seen, ``healthy`` what the area's exporters publish
    while all is well, with every value that their labels take: all alerts are silent on the areas' worlds together."""

    name: str
    title: str
    dashboard: str
    alerts: tuple[Alert, ...]
    healthy: Mapping[str, Shape] = field(default_factory=dict)
