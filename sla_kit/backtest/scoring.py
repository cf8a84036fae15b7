"""How often alerts fired, how well that agrees with known incidents, and what it cost to be late. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from sla_kit.backtest.results import Detection, Firing, KnownIncident, Score, Spent

#: By which labels alerts say what they are about; the second of each is Sloth's.
_SERVICE, _SLO = ("service", "sloth_service"), ("slo", "sloth_slo")
WEEK = 7 * 86400

#: The share of each SLO's budget that is spent between two times, for the SLOs that a known incident concerns.
Spending = Callable[[KnownIncident, int, int], tuple[tuple[str, str, float], ...]]


@dataclass(frozen=True, slots=True)
class Manner:
    """What the counting goes by, seconds: a firing agrees with an incident that it overlaps, or misses by no more than
    ``tolerance``; firings less than ``flap_within`` after the same alert's last one are flapping, those under ``short``
    were not worth a look. One page is one stretch in which alerts of one group fire, with breaks of less than
    ``regroup`` (Alertmanager's group_interval)."""

    tolerance: float = 300.0
    flap_within: float = 900.0
    short: float = 300.0
    regroup: float = 300.0
    page_severities: tuple[str, ...] = ("critical", "page")
    group_by: tuple[str, ...] = ("alertname", "service", "cluster", "namespace")


def about(alert: str, labels: Mapping[str, str], incident: KnownIncident) -> bool:
    """Whether an alert may be about an incident: nothing that both name differs."""
    if incident.alerts and alert not in incident.alerts:
        return False
    for names, wanted in ((_SERVICE, incident.service), (_SLO, incident.slo)):
        said = next((labels[name] for name in names if labels.get(name)), "")
        if wanted and said and said != wanted:
            return False
    return True


def overlaps(firing: Firing, incident: KnownIncident, tolerance: float) -> bool:
    """Whether a firing and an incident share a moment, or miss each other by no more than the tolerance."""
    return firing.start <= incident.end + tolerance and firing.end >= incident.start - tolerance


def matched(
    alert: str, firings: Sequence[Firing], incidents: Sequence[KnownIncident], tolerance: float
) -> tuple[Firing, ...]:
    """The firings with the numbers of the incidents that each agrees with. One that goes on throughout the window
    agrees only with what was there from its beginning."""
    return tuple(
        replace(
            firing,
            incidents=tuple(
                number
                for number, incident in enumerate(incidents)
                if overlaps(firing, incident, tolerance)
                and about(alert, dict(firing.labels), incident)
                and (not firing.throughout or incident.start <= firing.start + tolerance)
            ),
        )
        for firing in firings
    )


def concerned(
    alert: str, labels: Mapping[str, str], firings: Sequence[Firing], incidents: Sequence[KnownIncident]
) -> list[int]:
    """The incidents that an alert could have told of: by the labels that its rule always sets, and by those of what
    fired only where they agree with one."""
    return [
        number
        for number, incident in enumerate(incidents)
        if about(alert, labels, incident) or any(number in firing.incidents for firing in firings)
    ]


def score(
    named: Sequence[tuple[str, Firing]],
    incidents: Sequence[KnownIncident],
    numbers: Sequence[int],
    spending: Spending | None = None,
    tolerance: float = 300.0,
) -> Score:
    """Firings, each with its alert's name and already `matched`, against the incidents with these ``numbers``. Those
    that go on throughout and agree with none are no statement."""
    named = [(alert, firing) for alert, firing in named if firing.incidents or not firing.throughout]
    right = [firing for _, firing in named if firing.incidents]
    detections = [_detection(number, incidents[number], named, spending) for number in numbers]
    found = [one for one in detections if one.at is not None]
    seconds = [float(one.seconds) for one in found if one.seconds is not None]
    budgets = [
        max(spent.in_all if spent.before_detection is None else spent.before_detection for spent in one.budgets)
        for one in detections
        if one.budgets
    ]
    total = sum(firing.seconds for _, firing in named)
    inside = sum(_inside(firing, incidents, tolerance) for _, firing in named)
    return Score(
        firings=len(named),
        right=len(right),
        incidents=len(numbers),
        found=len(found),
        precision=len(right) / len(named) if named else None,
        time_precision=inside / total if total else None,
        recall=len(found) / len(numbers) if numbers else None,
        detect_median=median(seconds) if seconds else None,
        detect_worst=max(seconds, default=None),
        budget_median=median(budgets) if budgets else None,
        budget_worst=max(budgets, default=None),
        detections=tuple(detections),
    )


def _detection(
    number: int, incident: KnownIncident, named: Sequence[tuple[str, Firing]], spending: Spending | None
) -> Detection:
    telling = [(max(firing.start, incident.start), alert) for alert, firing in named if number in firing.incidents]
    at, alert = min(telling, default=(None, ""))
    budgets: tuple[Spent, ...] = ()
    if spending is not None:
        in_all = spending(incident, incident.start, incident.end)
        until = incident.start if at is None else min(at, incident.end)
        before = {(service, slo): share for service, slo, share in spending(incident, incident.start, until)}
        budgets = tuple(
            Spent(service, slo, None if at is None else before[service, slo], share) for service, slo, share in in_all
        )
    return Detection(number, at, alert, None if at is None else at - incident.start, budgets)


def _inside(firing: Firing, incidents: Sequence[KnownIncident], tolerance: float) -> float:
    """The seconds of a firing that lie in incidents which it agrees with, the tolerance around them."""
    agreed = (incidents[number] for number in firing.incidents)
    spans = sorted((incident.start - tolerance, incident.end + tolerance) for incident in agreed)
    covered, reached = 0.0, float(firing.start)
    for start, end in spans:
        low, high = max(start, reached), min(end, firing.end)
        if high > low:
            covered += high - low
            reached = high
    return covered


def refires(firings: Iterable[Firing], within: float) -> int:
    """How many firings began less than ``within`` seconds after the same alert, by its labels, was resolved."""
    ended: dict[tuple[tuple[str, str], ...], int] = {}
    count = 0
    for firing in sorted(firings, key=lambda one: one.start):
        last = ended.get(firing.labels)
        count += last is not None and firing.start - last < within
        ended[firing.labels] = firing.end
    return count


def short_ones(firings: Iterable[Firing], under: float) -> int:
    """How many firings were over in less than ``under`` seconds; what still fires is not over."""
    return sum(1 for firing in firings if not firing.open and firing.seconds < under)


def pages(named: Iterable[tuple[str, Firing]], manner: Manner) -> int:
    """How often somebody would have been called: alerts that page, grouped by the values of some labels; a group calls
    when its first alert begins to fire, and again once all of it has been resolved for a while."""
    groups: dict[tuple[str, ...], list[tuple[int, int]]] = {}
    for alert, firing in named:
        labels = {**dict(firing.labels), "alertname": alert}
        if labels.get("severity", "").lower() in manner.page_severities:
            key = tuple(labels.get(name, "") for name in manner.group_by)
            groups.setdefault(key, []).append((firing.start, firing.end))
    count = 0
    for spans in groups.values():
        reached = float("-inf")
        for start, end in sorted(spans):
            count += start - reached >= manner.regroup
            reached = max(reached, end)
    return count


def per_week(count: int, seconds: float) -> float:
    """A count as so many a week."""
    return count * WEEK / seconds if seconds > 0 else 0.0
