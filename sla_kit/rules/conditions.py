"""When an SLO's budget burns too fast: the conditions that a catalogue declares, or those that follow from the SLO."""

from __future__ import annotations

from functools import lru_cache

import msgspec

from sla_kit.catalogue.model import Alert, Catalogue, Condition, Slo
from sla_kit.engine.alert_windows import alert_pairs, highest_burn, nominal_seconds

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
#: From the most urgent on; a severity of the catalogue's own stands before them.
SEVERITIES = ("critical", "warning", "info")
#: Seconds that a burn alert may have to hold.
_LONGEST_PENDING = 3600


class BurnCondition(msgspec.Struct, frozen=True):
    """An alert fires once the burn rate over ``long`` and over ``short`` (the same, where there is only one window)
    compares to ``factor``, for ``pending`` seconds."""

    severity: str
    long: int
    short: int
    factor: float
    operator: str
    pending: float
    keep: float
    name: str = ""

    @property
    def windows(self) -> tuple[int, ...]:
        """The windows that it reads, in seconds."""
        return tuple(dict.fromkeys((self.long, self.short)))

    def is_whole(self, bucket: int) -> bool:
        """Whether its windows are whole numbers of buckets of so many seconds."""
        return all(seconds > 0 and seconds % bucket == 0 for seconds in self.windows)


def conditions_of(catalogue: Catalogue, slo: Slo, bucket: int = 0) -> tuple[BurnCondition, ...]:
    """The conditions of an SLO: those of its own alerts, where it has any; otherwise the pairs of the SRE workbook's
    chapter 5 for its window, which page or make a ticket as severely as the SLO allows. Those that could never hold are
    left out of the former; of the latter the windows are longer. With a ``bucket`` (seconds) all windows are whole
    numbers of it, since what they are read from is counted by it.

    An alert has to hold for a twenty-fourth of its long window (2.5 minutes of an hour), but never for more than an
    hour: where traffic comes in bursts a slow burn passes over as the next burst fills the window. It goes on for as
    long as its short window, so that a burn that comes and goes is one alert.
    """
    if slo.alerts:
        declared = [each for each in declared_conditions(catalogue, slo) if not bucket or each.is_whole(bucket)]
        if declared:
            return tuple(declared)
    shortest = bucket or max(1, 4 * round(catalogue.monitoring.scrape_interval))
    return _usual(nominal_seconds(slo.window), slo.objective, slo.severity, shortest)


@lru_cache(maxsize=1024)
def _usual(window: int, objective: float, most_severe: str, shortest: int) -> tuple[BurnCondition, ...]:
    """The pairs for a window in seconds, of which none is shorter than ``shortest``."""
    found: list[BurnCondition] = []
    for pair in alert_pairs(window, shortest, allowed_ratio(objective)):
        severity = capped("critical" if pair.severity == "page" else "warning", most_severe)
        pending = float(min(pair.long // 24, _LONGEST_PENDING))
        found.append(BurnCondition(severity, pair.long, pair.short, pair.factor, ">", pending, float(pair.short)))
    return tuple(_distinct(found))


@lru_cache(maxsize=1024)
def allowed_ratio(objective: float) -> float:
    """The share of events that may be bad, without what floats add to it."""
    return float(f"{1.0 - objective:.12g}")


def declared_conditions(catalogue: Catalogue, slo: Slo) -> list[BurnCondition]:
    """The conditions of an SLO's own alerts that can hold."""
    return [each for alert in slo.alerts for each in _declared(catalogue, slo, alert) if _can_hold(each, slo)]


def impossible(catalogue: Catalogue, slo: Slo) -> list[BurnCondition]:
    """Conditions that an SLO declares but which can never hold, since all events being bad burns no faster."""
    declared = [each for alert in slo.alerts for each in _declared(catalogue, slo, alert)]
    return [each for each in declared if not _can_hold(each, slo)]


def _can_hold(condition: BurnCondition, slo: Slo) -> bool:
    if slo.objective >= 1 or condition.operator[0] == "<":
        return True
    most = highest_burn(allowed_ratio(slo.objective)) * (1 + 1e-9)
    return condition.factor <= most if condition.operator == ">=" else condition.factor * (1 + 2e-9) < most


def _distinct(found: list[BurnCondition]) -> list[BurnCondition]:
    """Of conditions with the same windows and severity, as a very short SLO window has, the one that fires first."""
    least: dict[tuple[str, int, int], BurnCondition] = {}
    for each in found:
        known = least.setdefault((each.severity, each.long, each.short), each)
        if each.factor < known.factor:
            least[each.severity, each.long, each.short] = each
    return list(least.values())


def capped(severity: str, most: str) -> str:
    """A severity, but no more urgent than the SLO's own; one that is the catalogue's own word stands for critical."""
    if severity not in SEVERITIES:
        return severity
    if most not in SEVERITIES:
        return most if severity == "critical" else severity
    return SEVERITIES[max(SEVERITIES.index(severity), SEVERITIES.index(most))]


def _declared(catalogue: Catalogue, slo: Slo, alert: str | Alert) -> list[BurnCondition]:
    known = {each.name: each for each in catalogue.alerts}
    found = known.get(alert) if isinstance(alert, str) else alert
    if found is None or "breaching" not in found.tell:
        return []
    conditions = {each.name: each for each in catalogue.conditions}
    resolved = [conditions.get(each) if isinstance(each, str) else each for each in found.conditions]
    return [_of(each, found, slo) for each in resolved if each is not None]


def _of(condition: Condition, alert: Alert, slo: Slo) -> BurnCondition:
    severity = _known(condition.severity or alert.severity) or slo.severity
    long = int(condition.over)
    short = int(condition.short) or long
    return BurnCondition(
        severity,
        long,
        short,
        condition.burn_rate,
        _OPERATORS[condition.op],
        condition.after,
        float(min(short, 3600)),
        condition.name or alert.name,
    )


def _known(severity: str) -> str:
    """A severity in our words: other tools call them page and ticket, or high and low."""
    words = {"page": "critical", "ticket": "warning", "high": "critical", "medium": "warning", "low": "info"}
    return words.get(severity.lower(), severity)
