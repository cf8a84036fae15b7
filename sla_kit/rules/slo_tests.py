"""promtool's tests of the alerts on SLOs, made from the rules as they are written.

Windows of days would take promtool minutes each, and evaluate nothing but sums. What the tests feed is what the alerts
read: the recorded error ratios and events. That those are recorded rightly is held against real servers.

Many SLOs go through one test at a time: the first of each indicator with error ratios just above what its alerts
tolerate, or just below, and every alert that then fires, of whichever SLO reads those error ratios, is expected with
its texts. All further SLOs of the indicators go through a second round together, with error ratios above what the
mildest of them tolerates and below what the strictest does. A round for each would take a time that grows with the
square of their number; their own thresholds are proved by asking what each alert asks, second by second between two
evaluations.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from textwrap import indent

import msgspec

from sla_kit.alert_rules.rendering import render
from sla_kit.rules.model import AlertCheck, AlertingRule, FiringAlert, Rule, RuleTest, ValueCheck
from sla_kit.rules.published import BAD_EVENTS, OBSERVED
from sla_kit.rules.slo_alerts import BURN, NO_DATA, RUNS_OUT, SPENT, TOO_SLOW

#: The distance of samples and of evaluations: every `pending` is rounded up to it.
STEP = 300.0
#: When data that ended at once is certainly old, in seconds: more than any bucket is long.
_OLD = 2 * 86400.0
_NAME = r'"((?:[^"\\]|\\.)*)"'
_CONDITION = re.compile(rf"(sla:error_ratio:\w+)\{{sli={_NAME}\}}(?: / ([0-9.e-]+))? (>=|>|<=|<) ([0-9.e+-]+)")
_RUNS_OUT = re.compile(
    rf"\(1 - (sla:error_ratio:\w+)\{{sli={_NAME}\}} / ([0-9.e-]+)\) \* (\d+)\s*/\s*"
    rf"\((sla:error_ratio:\w+)\{{[^}}]*\}} / [0-9.e-]+ > 1\)\s*< ([0-9.e+]+) > 0"
)
_EVENTS = re.compile(rf"sla:events:\w+\{{events={_NAME}\}}|{BAD_EVENTS}\{{[^}}]*\}}")
_OBSERVED = re.compile(rf"{OBSERVED}\{{[^}}]*\}}")
_MAINTENANCE = re.compile(rf"sla_maintenance_active\{{service={_NAME}\}}")
_COMPARED: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
Feed = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class _Condition:
    """An error ratio in units of what is allowed, compared to a factor."""

    series: str
    sli: str
    allowed: float
    operator: str
    factor: float

    def ratio(self, share: float) -> float:
        """An error ratio that is over the threshold by a share above 1, or under it by one below."""
        return self.allowed * self.factor * (share if self.operator[0] == ">" else 2 - share)

    def holds(self, feed: Feed) -> bool:
        """Whether what is fed meets it."""
        value = feed.get(self.series)
        if value is None:
            return False
        burn = value / self.allowed
        return _COMPARED[self.operator](burn, self.factor)


@dataclass(frozen=True, slots=True)
class _Read:
    """An alert as it is written, taken apart: all ``conditions`` must hold; ``enough`` are the recorded events that its
    floor wants, unless it reads them ``from_samples``, which are not fed; ``instead`` is what
    decides below the floor; ``runs_out`` is window and warning time."""

    rule: AlertingRule
    conditions: tuple[_Condition, ...]
    enough: tuple[str, ...] = ()
    from_samples: bool = False
    instead: tuple[_Condition, ...] = ()
    maintenance: str = ""
    runs_out: tuple[float, float] | None = None

    @property
    def pending(self) -> float:
        """``for``, up to the next evaluation."""
        return float(-(-self.rule.pending_seconds // STEP) * STEP)

    def value(self, feed: Feed) -> float | None:
        """The alert's value with what is fed, None where it does not fire."""
        if self.maintenance in feed:
            return None
        if self.runs_out is not None:
            return self._left(feed)
        if not all(each.holds(feed) for each in self.conditions):
            return None
        few = bool(self.enough) and not feed.get(self.enough[0], 0.0) > 0
        if (few or self.from_samples) and not (self.instead and all(each.holds(feed) for each in self.instead)):
            return None
        first = self.conditions[0]
        return feed[first.series] / first.allowed

    def _left(self, feed: Feed) -> float | None:
        whole, trend = self.conditions
        if whole.series not in feed or trend.series not in feed or feed[trend.series] / trend.allowed <= 1:
            return None
        assert self.runs_out is not None
        window, within = self.runs_out
        left = (1 - feed[whole.series] / whole.allowed) * window / (feed[trend.series] / trend.allowed)
        return left if 0 < left < within else None


def tests_of(rules: Sequence[Rule]) -> Iterator[RuleTest]:
    """The tests of every alert on a budget, and of those for series that vanish."""
    alerts = [rule for rule in rules if isinstance(rule, AlertingRule)]
    reads = [read for rule in alerts if (read := _read(rule)) is not None]
    first, further = _rounds(reads)
    for number, batch in enumerate(filter(None, (first, further)), 1):
        above = _feed(batch, 1.05)
        yield _test(f"{number}: above what is tolerated", reads, above)
        yield _test(f"{number}: nearly", reads, _feed(batch, 0.95))
        if any(read.enough for read in batch):
            few = above | {read.enough[0]: 0.0 for read in batch if read.enough}
            yield _test(f"{number}: too few bad events", reads, few)
        if any(read.maintenance for read in batch):
            during = above | {read.maintenance: 1.0 for read in batch if read.maintenance}
            yield _test(f"{number}: during maintenance", reads, during)
        soon = _running_out(batch)
        if soon:
            yield _test(f"{number}: the budget runs out", reads, soon)
    if further:
        yield _thresholds(further)
    gone = [rule for rule in alerts if rule.alert == NO_DATA]
    if gone:
        yield _nothing_there(gone)
        yield from _observed(gone)


def _read(rule: AlertingRule) -> _Read | None:
    """An alert on a budget taken apart; None for others."""
    if rule.alert not in (BURN, SPENT, TOO_SLOW, RUNS_OUT):
        return None
    maintenance = _MAINTENANCE.search(rule.expression)
    quiet = maintenance[0] if maintenance else ""
    out = _RUNS_OUT.search(rule.expression)
    if out is not None:
        allowed = float(out[3])
        whole = _Condition(f'{out[1]}{{sli="{out[2]}"}}', out[2], allowed, "<", 1.0)
        trend = _Condition(f'{out[5]}{{sli="{out[2]}"}}', out[2], allowed, ">", 1.0)
        return _Read(rule, (whole, trend), maintenance=quiet, runs_out=(float(out[4]), float(out[6])))
    burn, _, floor = rule.expression.partition("and on () (\n")
    usual = re.split(r"\n\s*unless on \(\) sla_event_active", burn)[0]
    found, instead = _conditions(usual), _conditions(floor)
    enough = tuple(dict.fromkeys(match[0] for match in _EVENTS.finditer(floor)))
    return _Read(rule, found, enough, bool(floor) and not enough, instead, quiet) if found else None


def _conditions(text: str) -> tuple[_Condition, ...]:
    return tuple(
        _Condition(f'{name}{{sli="{sli}"}}', sli, float(allowed or 1), operator, float(factor))
        for name, sli, allowed, operator, factor in _CONDITION.findall(text)
    )


def _rounds(reads: Sequence[_Read]) -> tuple[list[_Read], list[_Read]]:
    """The alerts of the first SLO of every indicator, and those of all others."""
    owner: dict[str, tuple[str, str]] = {}
    first: list[_Read] = []
    further: list[_Read] = []
    for read in reads:
        slo = read.rule.labels.get("service", ""), read.rule.labels.get("slo", "")
        (first if owner.setdefault(read.conditions[0].sli, slo) == slo else further).append(read)
    return first, further


def _thresholds(reads: Sequence[_Read]) -> RuleTest:
    """A test that asks what each alert asks, once just above its threshold and once just below. The alerts of one
    indicator take turns, those of different ones do so side by side."""
    turns: dict[str, int] = {}
    fed: dict[str, dict[int, float]] = {}
    checks: list[ValueCheck] = []
    for read in reads:
        if read.from_samples:
            continue
        feeds = (_running_out([read]), _lasting(read)) if read.runs_out else (_feed([read], 1.05), _feed([read], 0.95))
        for feed in feeds:
            turn = turns.setdefault(read.conditions[0].sli, 0)
            turns[read.conditions[0].sli] += 1
            for series, number in feed.items():
                fed.setdefault(series, {})[turn] = number
            value = read.value(feed)
            found = {} if value is None else {"{}": value}
            checks.append(ValueCheck(f"sum(\n{indent(read.rule.expression, '  ')}\n)", float(turn), found))
    last = max(turns.values(), default=1) - 1
    end = -(-last // STEP) * STEP  # promtool reads no samples after the last evaluation: the last one asks then
    values = tuple(
        msgspec.structs.replace(each, at_seconds=end) if each.at_seconds == last else each for each in checks
    )
    stepped = {name: _stepped(steps, last) for name, steps in fed.items()}
    return RuleTest("each at its own threshold", 1.0, stepped, (), values)


def _lasting(read: _Read) -> dict[str, float]:
    """What is spent as half of a budget runs out, at a pace at which it lasts."""
    whole, trend = read.conditions
    return {**_running_out([read]), trend.series: 0.99 * trend.allowed} if whole.series != trend.series else {}


def _stepped(values: Mapping[int, float], last: int) -> str:
    """A series that keeps each value until the next, in promtool's notation."""
    turns = [*sorted(values), last + 1]
    parts = [f"_x{turns[0]}"] if turns[0] else []
    return " ".join(parts + [f"{values[at]!r}x{after - at - 1}" for at, after in pairwise(turns)])


def _feed(batch: Sequence[_Read], share: float) -> dict[str, float]:
    """Error ratios so much above or below what each alert tolerates (of a window that several read, the highest
    threshold above, the lowest below), and plenty of bad events."""
    found: dict[str, float] = {}
    for read in batch:
        if read.runs_out is not None:
            continue
        for each in read.conditions:
            value, known = each.ratio(share), found.get(each.series)
            pick = max if (share > 1) == (each.operator[0] == ">") else min
            found[each.series] = value if known is None else pick(known, value)
        if read.enough:
            found.update({read.enough[0]: 1e6} | dict.fromkeys(read.enough[1:], 0.0))
    return found


def _running_out(batch: Sequence[_Read]) -> dict[str, float]:
    """Half of each budget spent, at a pace that spends the rest in half of the time somebody wants to know before."""
    found: dict[str, float] = {}
    for read in batch:
        if read.runs_out is not None and read.conditions[0].series != read.conditions[1].series:
            window, within = read.runs_out
            whole, trend = read.conditions
            found[whole.series] = 0.5 * whole.allowed
            found[trend.series] = max(window / within, 1.01) * trend.allowed
    return found


def _test(name: str, reads: Sequence[_Read], feed: Feed) -> RuleTest:
    """A test in which all of that is there from the start until every alert that it sets off has fired, and is good
    from then on until none does."""
    firing = [(read, value) for read in reads if (value := read.value(feed)) is not None]
    times = sorted({0.0} | {at for read, _ in firing for at in (read.pending - STEP, read.pending) if at >= 0})
    last = times[-1] + STEP
    over = last + STEP + max((read.rule.keep_firing_seconds for read, _ in firing), default=0.0) + STEP
    over = -(-over // STEP) * STEP
    samples, after = int(last // STEP), int((over - last) // STEP)
    good = {series: _good(series, reads) for series in feed}
    series = {name: f"{value!r}x{samples} {good[name]!r}x{after}" for name, value in feed.items()}
    names = dict.fromkeys(read.rule.alert for read in reads)
    checks = [
        AlertCheck(alert, at, tuple(_fired(read, value) for read, value in firing if _is(read, alert, at)))
        for at in [*times, last]
        for alert in names
    ]
    checks += [AlertCheck(alert, over) for alert in names]
    return RuleTest(name, STEP, series, tuple(checks))


def _is(read: _Read, alert: str, at: float) -> bool:
    return read.rule.alert == alert and read.pending <= at


def _good(series: str, reads: Sequence[_Read]) -> float:
    """A value that sets nothing off: what is above a threshold from below, otherwise nothing."""
    factors = [
        each.factor * each.allowed * 2
        for read in reads
        for each in read.conditions
        if each.series == series and each.operator[0] == "<" and read.runs_out is None
    ]
    return max(factors, default=0.0)


def _nothing_there(gone: Sequence[AlertingRule]) -> RuleTest:
    """No series at all: every indicator's alert fires once its time is over."""
    pending = max(-(-rule.pending_seconds // STEP) * STEP for rule in gone)
    firing = tuple(FiringAlert(dict(rule.labels), _rendered(rule, {}, 1.0)) for rule in gone)
    before = (AlertCheck(NO_DATA, 0.0),) if all(rule.pending_seconds for rule in gone) else ()
    return RuleTest("nothing is there", STEP, {}, (*before, AlertCheck(NO_DATA, pending + STEP, firing)))


def _observed(gone: Sequence[AlertingRule]) -> Iterator[RuleTest]:
    """Indicators whose figures are published: their alerts fire where the data has ended, and not while it goes on."""
    series = list(dict.fromkeys(name for rule in gone for name in _OBSERVED.findall(rule.expression)))
    if not series:
        return
    pending = max(-(-rule.pending_seconds // STEP) * STEP for rule in gone)
    last = pending + _OLD
    steps = int(last // STEP)
    for name, values in (("figures go on", f"0+{STEP:g}x{steps}"), ("data has ended", f"0x{steps}")):
        fires = [rule for rule in gone if values.startswith("0x") or not _OBSERVED.search(rule.expression)]
        firing = tuple(FiringAlert(dict(rule.labels), _rendered(rule, {}, 1.0)) for rule in fires)
        yield RuleTest(name, STEP, dict.fromkeys(series, values), (AlertCheck(NO_DATA, last, firing),))


def _fired(read: _Read, value: float) -> FiringAlert:
    sli = read.conditions[0].sli.replace('\\"', '"').replace("\\\\", "\\")
    labels = {"sli": sli}
    return FiringAlert({**labels, **read.rule.labels}, _rendered(read.rule, labels, value))


def _rendered(rule: AlertingRule, labels: Mapping[str, str], value: float) -> dict[str, str]:
    return {name: render(text, labels, value) for name, text in rule.annotations.items()}
