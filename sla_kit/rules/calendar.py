"""The calendar as series: which live events and which maintenance go on, and how long until the next live event.

PromQL knows no local time, so occurrences are written down for a while ahead: from the beginning of the quarter in
which the rules are made, for fifteen months. What repeats evenly, as every week between two changes of the clocks does,
is one expression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue, Occasion
from sla_kit.rules.model import (
    AlertCheck,
    AlertingRule,
    FiringAlert,
    RecordingRule,
    Rule,
    RuleFile,
    RuleGroup,
    RuleTest,
    RuleTestFile,
    ValueCheck,
)

EVENT, MAINTENANCE, STARTS_IN = "sla_event_active", "sla_maintenance_active", "sla_event_starts_in_seconds"
ENDS = "SlaCalendarEnds"
#: How long before what is written down runs out somebody is told to write it anew, in seconds.
_NOTICE = 30 * 86400
_MONTHS = 15
#: So far apart tests evaluate: they begin in 1970, and what the calendar says takes a while to evaluate.
_STEP = 180 * 86400.0


@dataclass(frozen=True, slots=True)
class Run:
    """Stretches of time of equal length that begin every ``step`` seconds (0 for a single one): the first begins at
    ``first``, the last at ``last``, each lasts ``length`` seconds."""

    first: int
    last: int
    step: int
    length: int

    def active(self) -> str:
        """PromQL that has a value while one of them goes on."""
        whole = f"(vector(time()) >= {self.first} < {self.last + self.length})"
        if not self.step:
            return whole
        return f"({whole} and on () ((vector(time()) - {self.first}) % {self.step} < {self.length}))"

    def until(self) -> str:
        """PromQL for the seconds until the next of them begins."""
        first = f"({self.first} - vector(time()) > 0)"
        if not self.step:
            return first
        then = f"({self.step} - (vector(time()) - {self.first}) % {self.step} and on () (vector(time()) < {self.last}))"
        return f"({first} or {then})"


def horizon(at: float) -> tuple[int, int]:
    """From when to when occurrences are written down, in epoch seconds: it moves once a quarter."""
    moment = datetime.fromtimestamp(at, UTC)
    start = datetime(moment.year, (moment.month - 1) // 3 * 3 + 1, 1, tzinfo=UTC)
    months = start.month - 1 + _MONTHS
    end = datetime(start.year + months // 12, months % 12 + 1, 1, tzinfo=UTC)
    return int(start.timestamp()), int(end.timestamp())


def occurrences(catalogue: Catalogue, occasions: Sequence[Occasion], at: float) -> list[Interval]:
    """The occurrences of some occasions of the catalogue that are written down. Raises `SlaKitError` for a calendar
    that can't be read."""
    start, end = horizon(at)
    return intervals(occasions, start, end, catalogue.timezone, catalogue.folder)


def runs(found: Sequence[Interval]) -> list[Run]:
    """Stretches of time in as few runs as is easily found; those that touch are one stretch."""
    merged: list[tuple[int, int]] = []
    for each in sorted(found):
        if merged and each.start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], each.end))
        else:
            merged.append((each.start, each.end))
    rest, made = list(merged), []
    while rest:
        made.append(_longest(rest))
        taken = set(range(made[-1].first, made[-1].last + 1, made[-1].step or 1)) if made[-1].step else {made[-1].first}
        rest = [span for span in rest if not (span[0] in taken and span[1] - span[0] == made[-1].length)]
    return sorted(made, key=lambda run: (run.first, run.step, run.length))


def _longest(spans: Sequence[tuple[int, int]]) -> Run:
    """The run of the first stretch that holds the most of them: the step is that to one of the next few."""
    first, end = spans[0]
    length = end - first
    starts = {start for start, stop in spans if stop - start == length}
    best = Run(first, first, 0, length)
    count = 1
    for step in [86400, 7 * 86400, 14 * 86400]:
        last, many = first, 1
        while last + step in starts:
            last, many = last + step, many + 1
        if many > count and many >= 3 and step > length:
            best, count = Run(first, last, step, length), many
    return best


def rule_files(catalogue: Catalogue, at: float) -> tuple[RuleFile, ...]:
    """The calendar's rules: a series for each service that an occasion concerns, and one for all of them. Empty for a
    catalogue without a calendar."""
    rules = _rules(catalogue, at)
    if not rules:
        return ()
    ends = datetime.fromtimestamp(horizon(at)[1], UTC).date().isoformat()
    comment = f"Live events and maintenance up to {ends}; generate again before then."
    return (RuleFile("calendar", (RuleGroup("calendar", tuple(rules)),), comment),)


def test_files(catalogue: Catalogue, at: float) -> tuple[RuleTestFile, ...]:
    """promtool's tests: at the epoch, long before anything, nothing goes on and nobody is told."""
    alerts = [rule for rule in _rules(catalogue, at) if isinstance(rule, AlertingRule)]
    if not alerts:
        return ()
    [ends] = alerts
    never = (ValueCheck(EVENT, 0.0, {}), ValueCheck(MAINTENANCE, 0.0, {}))
    test = RuleTest("nothing goes on in 1970", _STEP, {}, (AlertCheck(ENDS, _STEP),), never)
    notice = float((horizon(at)[1] - _NOTICE) // _STEP * _STEP)
    firing = FiringAlert(dict(ends.labels), dict(ends.annotations))
    checks = (AlertCheck(ENDS, notice), AlertCheck(ENDS, notice + 2 * _STEP, (firing,)))
    soon = RuleTest("somebody is told before it runs out", _STEP, {}, checks)
    return (RuleTestFile("calendar", ("calendar",), (test, soon), _STEP),)


test_files.__test__ = False  # type: ignore[attr-defined]  # its name is no test's


def _rules(catalogue: Catalogue, at: float) -> list[Rule]:
    from sla_kit.alert_rules.expanding import links

    calendar = catalogue.calendar
    rules: list[Rule] = []
    for record, occasions in ((EVENT, calendar.events), (MAINTENANCE, calendar.maintenance)):
        found = occurrences(catalogue, occasions, at) if occasions else []
        for service in catalogue.services:
            concerned = [each for each in found if each.concerns(service.name)]
            if concerned:
                active = "\nor\n".join(run.active() for run in runs(concerned))
                rules.append(RecordingRule(record, f"group(\n{active}\n)", {"service": service.name}))
        if record == EVENT and found:
            terms = [
                f'label_replace({run.until()}, "run", "{number}", "", "")' for number, run in enumerate(runs(found))
            ]
            joined = "\nor\n".join(terms)
            rules.append(RecordingRule(STARTS_IN, f"min(\n{joined}\n)"))
    if not rules:
        return []
    end = horizon(at)[1]
    ends = datetime.fromtimestamp(end, UTC).date().isoformat()
    texts = {
        "summary": "The calendar that the rules know runs out",
        "description": f"Live events and maintenance are known up to {ends} only. Generate the rules again.",
    }
    labels = {"severity": "warning", "area": "slo", "environment": catalogue.environment}
    rules.append(
        AlertingRule(
            ENDS,
            f"vector(time()) > {end - _NOTICE}",
            3600.0,
            0.0,
            {name: value for name, value in labels.items() if value},
            {**texts, **links(catalogue, ENDS, "monitoring")},
        )
    )
    return rules
