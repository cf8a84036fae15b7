"""From when an alert's expression had values to what is told of the alert: firings, pages, agreement with incidents."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sla_kit.backtest.expressions import readings
from sla_kit.backtest.gathering import Job, Seen
from sla_kit.backtest.replay import Fired, Timing, replay
from sla_kit.backtest.results import AlertResult, Firing, KnownIncident, Score, Variant
from sla_kit.backtest.rule_files import Group, PlacedRule, RuleSet
from sla_kit.backtest.scoring import (
    Manner,
    Spending,
    concerned,
    matched,
    pages,
    per_week,
    refires,
    score,
    short_ones,
)
from sla_kit.backtest.templates import Template
from sla_kit.engine.results import Period
from sla_kit.rules.model import AlertingRule
from sla_kit.timeline import Grid

_PROMETHEUS_ALERTS = ("ALERTS", "ALERTS_FOR_STATE")
_THROUGHOUT = "fires throughout, and so tells of no incident"


@dataclass(frozen=True, slots=True)
class Asked:
    """An alerting rule of a rule set on its way: where it comes from and how it is asked."""

    group: Group
    placed: PlacedRule
    rule: AlertingRule
    job: Job | None
    never: str = ""


@dataclass(frozen=True, slots=True)
class Judging:
    """What is made of the evaluations of one rule set. What is over by the time ``settled`` does not count: so soon
    after a recording begins, alerts miss what merely is yet to be scraped."""

    period: Period
    incidents: tuple[KnownIncident, ...]
    manner: Manner
    spending: Spending | None
    settled: int = 0

    def alert(self, one: Asked, seen: Seen | None, absent: str) -> AlertResult:
        rule, manner = one.rule, self.manner
        seen = seen or Seen()
        fired: list[Fired] = []
        grid = one.job.grid if one.job is not None else Grid(0, 1, 0)
        if grid.count:
            timing = Timing(grid.step, rule.pending_seconds, rule.keep_firing_seconds, one.group.limit)
            first = grid.start // grid.step + 1
            fired = replay(seen.runs, timing, first, first + grid.count - 1, seen.failed)
        # A firing that goes on throughout may have begun only when its pending time was over.
        since = self.period.start + int(rule.pending_seconds) + 2 * grid.step
        within = [firing for each in fired if (firing := _clipped(each, grid.step, self.period, since)) is not None]
        within = [firing for firing in within if firing.open or firing.end > self.settled]
        if absent and all(firing.throughout for firing in within):
            within = []  # Where a metric never was, it is not known to be missed.
        firings = matched(rule.alert, within, self.incidents, manner.tolerance)
        numbers = concerned(rule.alert, _always(rule), firings, self.incidents)
        count = pages([(rule.alert, firing) for firing in firings], manner)
        return AlertResult(
            alert=rule.alert,
            file=one.placed.place.file,
            line=one.placed.place.line,
            severity=rule.labels.get("severity", ""),
            expression=rule.expression,
            pending_seconds=rule.pending_seconds,
            firings=firings,
            series=len({firing.labels for firing in firings}),
            firing_seconds=sum(firing.seconds for firing in firings),
            longest_seconds=max((firing.seconds for firing in firings), default=0),
            pages=count,
            pages_per_week=per_week(count, self.period.end - self.period.start),
            refires=refires(firings, manner.flap_within),
            short=short_ones(firings, manner.short),
            score=self._score([(rule.alert, firing) for firing in firings], numbers),
            labels=tuple(rule.labels.items()),
            failed=sum(seen.reasons.values()),
            never=one.never or ("" if firings else absent),
            absent=bool(absent) and not one.never and not firings,
            notes=(*_notes(one, seen), *([_THROUGHOUT] if any(each.throughout for each in firings) else [])),
        )

    def variant(self, rules: RuleSet, alerts: tuple[AlertResult, ...]) -> Variant:
        named = [(alert.alert, firing) for alert in alerts for firing in alert.firings]
        count = pages(named, self.manner)
        return Variant(
            name=rules.name,
            alerts=alerts,
            pages=count,
            pages_per_week=per_week(count, self.period.end - self.period.start),
            overall=self._score(named, range(len(self.incidents))),
            notes=rules.notes,
        )

    def _score(self, named: Sequence[tuple[str, Firing]], numbers: Sequence[int]) -> Score | None:
        if not self.incidents:
            return None
        return score(named, self.incidents, numbers, self.spending, self.manner.tolerance)


def _always(rule: AlertingRule) -> dict[str, str]:
    """The labels that a rule's alerts are known to carry, or to be about: those it sets itself, and what each of its
    selectors asks for."""
    each = [
        {matcher.label: matcher.value for matcher in reading.matchers if matcher.operator == "="}
        for reading in readings(rule.expression)
    ]
    first = each[0] if each else {}
    common = {label: value for label, value in first.items() if all(one.get(label) == value for one in each)}
    return {**common, **{name: text for name, text in rule.labels.items() if Template(text).fixed}}


def _clipped(fired: Fired, step: int, period: Period, since: int) -> Firing | None:
    """What of a firing lies in the window."""
    start, end = fired.since * step, period.end if fired.until is None else fired.until * step
    if end <= period.start or start > period.end:
        return None
    begun = max(start, period.start)
    until, open_ = max(begun, min(end, period.end)), fired.until is None
    return Firing(fired.labels, begun, until, open_, open_ and begun <= since, fired.value)


def _notes(one: Asked, seen: Seen) -> Iterable[str]:
    for reason, count in sorted(seen.reasons.items(), key=lambda item: -item[1])[:3]:
        yield f"{count} evaluations failed: {reason}"
    unknown = [name for name, text in one.rule.labels.items() if not Template(text).understood]
    if unknown:
        yield f"the template of the label {', '.join(unknown)} is not filled in"
    if one.group.query_offset_seconds:
        yield "its group's query_offset is not replayed"
    if any(reading.reads(name) for reading in readings(one.rule.expression) if reading.metric
           for name in _PROMETHEUS_ALERTS):  # fmt: skip
        yield "it reads ALERTS, of which the history holds only what was recorded then"
