"""From rules and a history to a backtest: what is asked of whom, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from sla_kit.backtest.evaluators import Engine, EngineName, Wanted, open_engine
from sla_kit.backtest.expressions import readings
from sla_kit.backtest.gathering import Job, Seen, gather, remembered
from sla_kit.backtest.judging import Asked, Judging
from sla_kit.backtest.kept import Begun, State, digest, opened_state
from sla_kit.backtest.promises import Promises, declared, merged, promises
from sla_kit.backtest.raw_samples import NativeHistogramError
from sla_kit.backtest.resolving import CycleError, Recordings, recordings_of, seconds_between
from sla_kit.backtest.results import Backtest, KnownIncident
from sla_kit.backtest.rule_files import PlacedRule, RuleFileError, RuleSet
from sla_kit.backtest.scoring import Manner
from sla_kit.catalogue.model import Catalogue
from sla_kit.engine.results import Period
from sla_kit.engine.windows import parse_period
from sla_kit.errors import Mistake, SlaKitError
from sla_kit.opening import SETTLE_SECONDS
from sla_kit.rules.model import AlertingRule
from sla_kit.sources import Progress, no_progress, open_source
from sla_kit.sources.connection import QueryRefusedError
from sla_kit.timeline import Grid

#: Prometheus's own evaluation_interval where nobody says otherwise.
INTERVAL = 60
#: How long after a recording begins everything in it has been scraped once: Prometheus's own lookback, in seconds.
_SETTLING = 300
_DAY = 86_400
#: Over how many gaps in a row an alert may have been kept firing before the window.
_GAPS = 10


@dataclass(frozen=True, slots=True)
class Settings:
    """How a backtest is made. ``interval`` is the server's evaluation_interval in seconds, for groups that have none.
    ``outages`` counts the outages of the catalogue's SLOs as incidents; None: where no others are known."""

    interval: int = INTERVAL
    engine: EngineName = "auto"
    prometheus: str = ""
    timezone: str = "UTC"
    outages: bool | None = None
    manner: Manner = field(default_factory=Manner)


def backtest(
    source: str,
    rules: Sequence[RuleSet],
    *,
    window: str = "30d",
    at: datetime | float | None = None,
    incidents: Sequence[KnownIncident] = (),
    catalogue: Catalogue | None = None,
    settings: Settings | None = None,
    state: Path = Path(".backtest"),
    keep_scratch: bool = False,
    progress: Progress = no_progress,
) -> Backtest:
    """Replays alerting rules over a window of a history, and says how well they would have served.

    ``source`` is an address or a path. The first of ``rules`` is what is judged, others are compared with it.
    ``incidents`` are known; with a ``catalogue`` those that the engine finds may count, too (`Settings`), and what
    incidents spent of its error budgets is told. What is found is kept in the folder ``state`` as it is found: the same
    call goes on where one that was killed has been. Raises `SlaKitError`.
    """
    settings = settings or Settings()
    if not rules or not any(group.alerts for group in rules[0].groups):
        raise SlaKitError("there is no alerting rule to replay", remedy="give rule files with alerts, by --rules")
    with opened_state(state) as kept:
        given = _Given(source, rules, window, at, tuple(incidents), catalogue, settings, keep_scratch)
        try:
            return _replayed(given, kept, progress)
        except NativeHistogramError as error:
            if settings.engine != "auto":
                raise
            # Only the server itself can evaluate those.
            found = _replayed(replace(given, settings=replace(settings, engine="server")), kept, progress)
            return replace(found, notes=(*found.notes, f"{error.message}; the server evaluated the rules."))


@dataclass(frozen=True, slots=True)
class _Given:
    """What `backtest` is given."""

    source: str
    rules: Sequence[RuleSet]
    window: str
    at: datetime | float | None
    incidents: tuple[KnownIncident, ...]
    catalogue: Catalogue | None
    settings: Settings
    keep_scratch: bool


def _replayed(given: _Given, kept: State, progress: Progress) -> Backtest:
    settings, rules, catalogue = given.settings, given.rules, given.catalogue
    with open_engine(given.source, settings.engine, kept, settings.prometheus, rules) as engine:
        question = digest(engine.identity, given.window, given.at, [each.groups for each in rules], settings)
        moment = _moment(engine, kept, question, given.at)
        period, notes, settled = _period(engine, given.window, moment, settings.timezone, rules)
        kept.begin(Begun(question, moment))
        asked = [_asked(engine, each, period, settings) for each in rules]
        _check(engine, rules, asked)
        found = None if catalogue is None else _promises(given.source, catalogue, period, progress)
        told = [*given.incidents, *(declared(catalogue, period) if catalogue is not None else ())]
        counts = settings.outages if settings.outages is not None else not told
        known = merged([*told, *(found.incidents if found and counts else ())], period)
        everything = [wanted for wanted, _ in asked]
        variants = []
        for each, (wanted, alerts) in zip(rules, asked, strict=True):
            seen = _gathered(engine, wanted, everything, alerts, kept, progress)
            absent = _absent(engine, wanted, alerts, seen, period)
            judging = Judging(period, known, settings.manner, found.spending if found else None, settled)
            results = tuple(
                judging.alert(one, seen.get(number), absent.get(number, "")) for number, one in enumerate(alerts)
            )
            variants.append(judging.variant(each, results))
        kept.begin(Begun(question, moment, done=True))
        if not given.keep_scratch:
            kept.clear_scratch()
        if all(one.absent for variant in variants for one in variant.alerts):
            raise SlaKitError(
                f"none of the metrics that the rules read is in the history of {period.name}",
                place=engine.source,
                remedy=f"check --window and --at, and the names: {variants[0].alerts[0].never}",
            )
        tolerance = settings.manner.tolerance
        return Backtest(
            engine.source, engine.name, period, settings.timezone, known, tuple(variants), tolerance, tuple(notes)
        )


def _moment(engine: Engine, kept: State, question: str, at: datetime | float | None) -> int:
    """The time to look back from. A run that was killed looks back from where it did."""
    if isinstance(at, datetime):
        if at.tzinfo is None:
            raise SlaKitError(f"the time {at.isoformat()} has no time zone", remedy="give it one, such as UTC")
        return int(at.timestamp())
    if at is not None:
        return int(at)
    span = engine.span()
    if span is not None:
        return span[1]
    import time

    before = kept.begun()
    if before is not None and before.question == question and not before.done:
        return before.at
    return (int(time.time()) - SETTLE_SECONDS) // 60 * 60


def _period(
    engine: Engine, window: str, at: int, timezone: str, rules: Sequence[RuleSet]
) -> tuple[Period, list[str], int]:
    """The window, cut to what was recorded; and until when nothing that is missing counts."""
    period = parse_period(window, at, timezone)
    span = engine.span()
    if span is None:
        begun = engine.reach(_read_by(rules), period.start, period.end)
        if begun <= period.start:
            return period, [], 0
        note = f"The server holds samples from {_told(begun)} on; only what it holds could be replayed."
        notes = [note] if begun - period.start > INTERVAL else []
        return Period(period.name, begun, period.end), notes, begun + _SETTLING
    start, end = max(period.start, span[0]), min(period.end, max(span[1], period.start))
    if start >= end:
        raise SlaKitError(
            f"the recording holds nothing of {period.name}",
            place=engine.source,
            remedy=f"it holds {_told(span[0])} to {_told(span[1])}",
        )
    notes = []
    if start - period.start > INTERVAL or period.end - end > INTERVAL:
        notes.append(f"The recording holds {_told(span[0])} to {_told(span[1])}; only that could be replayed.")
    return Period(period.name, start, end), notes, span[0] + _SETTLING


def _read_by(rules: Sequence[RuleSet]) -> list[str]:
    """The metrics that rules read."""
    expressions = (placed.rule.expression for each in rules for group in each.groups for placed in group.rules)
    return sorted({reading.metric for text in expressions for reading in readings(text) if reading.metric})


def _told(seconds: float) -> str:
    from datetime import UTC

    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _check(engine: Engine, rules: Sequence[RuleSet], asked: Sequence[tuple[Wanted, list[Asked]]]) -> None:
    """Raises `RuleFileError` with every expression that is no PromQL, and for sla-kit's own PromQL, which is small,
    what it can't evaluate of what is needed."""
    mistakes: dict[Mistake, None] = {}
    known: dict[str, str] = {}
    with engine.checking() as evaluator:
        if engine.name == "builtin":
            for one in (one for _, alerts in asked for one in alerts if one.job is not None):
                said = evaluator.refusal(one.job.expression) if one.job is not None else ""
                if said:
                    raise _needs_prometheus(one.rule.alert, said, one.placed)
            return
        for placed in (placed for each in rules for group in each.groups for placed in group.rules):
            expression = placed.rule.expression
            if expression not in known:
                known[expression] = evaluator.refusal(expression)
            if known[expression]:
                name = placed.rule.alert if isinstance(placed.rule, AlertingRule) else placed.rule.record
                said = known[expression]
                mistakes[placed.place.mistake(f"{name}: the expression can't be used: {said}")] = None
    if mistakes:
        raise RuleFileError(list(mistakes))


def _needs_prometheus(name: str, said: str, placed: PlacedRule) -> SlaKitError:
    from sla_kit.backtest.local import INSTALL

    place = placed.place
    return SlaKitError(
        f"{name}: {said}", place=f"{place.file}:{place.line}" if place.line else place.file, remedy=INSTALL
    )


def _promises(source: str, catalogue: Catalogue, period: Period, progress: Progress) -> Promises:
    opened = open_source(source)
    try:
        return promises(catalogue, opened, period, progress)
    finally:
        opened.close()


def _asked(engine: Engine, each: RuleSet, period: Period, settings: Settings) -> tuple[Wanted, list[Asked]]:
    """What a rule set needs, and how each of its alerts is asked."""
    by_name = recordings_of(each.groups, settings.interval)
    plain = Recordings(by_name)
    rules = [
        (group, placed) for group in each.groups for placed in group.rules if isinstance(placed.rule, AlertingRule)
    ]
    usable: dict[int, str] = {}
    for number, (group, placed) in enumerate(rules):
        try:
            plain.resolved(placed.rule.expression, seconds_between(group, settings.interval))
            plain.levels([placed.rule.expression])
            usable[number] = ""
        except CycleError as error:
            usable[number] = f"can't be replayed: {error}"
    good = [placed.rule.expression for number, (_, placed) in enumerate(rules) if not usable[number]]
    recordings = Recordings(by_name, engine.recorded(plain, good))
    span = engine.span()
    expressions, alerts = [], []
    for number, (group, placed) in enumerate(rules):
        rule = placed.rule
        assert isinstance(rule, AlertingRule)
        every = seconds_between(group, settings.interval)
        # What fires as the window begins may be pending long before it, and be kept firing over many gaps.
        begin = period.start - min(7 * _DAY, rule.pending_seconds + _GAPS * rule.keep_firing_seconds) - 2 * every
        if span is not None:
            begin = max(begin, span[0])
        start = int(begin // every) * every
        grid = Grid(start, every, max(0, (period.end - start) // every))
        job = None
        if not usable[number]:
            job = Job(rule, recordings.resolved(rule.expression, every), grid)
            expressions.append((rule.expression, float(start)))
        alerts.append(Asked(group, placed, rule, job, usable[number]))
    return Wanted(recordings, tuple(expressions), period.end), alerts


def _gathered(
    engine: Engine,
    wanted: Wanted,
    everything: Sequence[Wanted],
    alerts: Sequence[Asked],
    kept: State,
    progress: Progress,
) -> dict[int, Seen]:
    """When each alert's expression had values, by the alert's number."""
    numbers = [number for number, one in enumerate(alerts) if one.job is not None]
    jobs = [job for one in alerts if (job := one.job) is not None]
    # What is read from recorded samples depends on the rules that recorded them.
    recorded = sorted(wanted.recordings.wanted)
    definitions = [
        (one.rule.record, one.rule.expression, sorted(one.rule.labels.items()), one.interval)
        for name in sorted(wanted.recordings.needed([expression for expression, _ in wanted.expressions]))
        for one in wanted.recordings.by_name[name]
    ]
    identity = digest(engine.identity, definitions) if recorded else engine.identity
    seen = remembered(jobs, identity, kept)
    if seen is None:
        try:
            with engine.prepared(wanted, everything, progress) as evaluator:
                seen = gather(jobs, evaluator, identity, kept, progress, engine.connections)
        except QueryRefusedError as error:
            raise SlaKitError(
                f"an expression with its recording rules put in is refused: {error.said}",
                place=engine.source,
                remedy="this should not be: the rules alone were taken. Please report it with the rule file",
            ) from error
    return dict(zip(numbers, seen, strict=True))


def _absent(
    engine: Engine,
    wanted: Wanted,
    alerts: Sequence[Asked],
    seen: dict[int, Seen],
    period: Period,
) -> dict[int, str]:
    """For alerts that never had a value, and those that read nothing else: the metrics that are not in the history."""
    reads = {number: sorted(_raw_names(alerts[number].rule.expression, wanted.recordings)) for number in seen}
    names = sorted({name for several in reads.values() for name in several})
    gone = engine.missing(names, period.start, period.end) if names else set()
    return {
        number: f"not in the history: {', '.join(name for name in several if name in gone)}"
        for number, several in reads.items()
        if (gone.issuperset(several) if seen[number].runs else gone.intersection(several)) and several
    }


def _raw_names(expression: str, recordings: Recordings) -> set[str]:
    """The metrics that an expression reads from the history, itself or through recordings."""
    expressions = [expression] + [
        one.rule.expression for name in recordings.needed([expression]) for one in recordings.by_name[name]
    ]
    return {
        reading.metric
        for text in expressions
        for reading in readings(text)
        if reading.metric and reading.metric not in recordings.by_name
    }


def as_one(*several: RuleSet) -> RuleSet:
    """Several rule sets as one, by the first one's name."""
    groups = tuple(group for each in several for group in each.groups)
    return replace(several[0], groups=groups)


__all__ = ["RuleSet", "Settings", "as_one", "backtest"]
