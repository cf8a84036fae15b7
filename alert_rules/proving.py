"""promtool's tests of an alert, from the cases that it declares and from what is true of every alert."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Shape, Values
from sla_kit.alert_rules.expanding import (
    EVENT_ACTIVE,
    Wording,
    annotations_of,
    static_labels,
)
from sla_kit.alert_rules.notation import Phase, number, written
from sla_kit.alert_rules.rendering import render
from sla_kit.alert_rules.settings import Settings, scopes
from sla_kit.catalogue.model import Catalogue
from sla_kit.rules.model import AlertCheck, FiringAlert, RuleTest, ValueCheck
from sla_kit.selectors import quote

#: How many samples more than it takes, so that what is true at a boundary is seen to stay so.
_MORE = 10


@dataclass(frozen=True, slots=True)
class Course:
    """When things happen in a case, in seconds, all of them at samples."""

    step: float
    begins: float
    holds: float
    settled: float
    recovers: float
    cleared: float
    ends: float
    pending: float
    keeps: float

    @classmethod
    def of(cls, breach: Breach, settings: Settings) -> Course:
        """The course of a case with the settings in force."""

        def whole(seconds: float) -> float:
            return -(-seconds // breach.step) * breach.step

        longer = sum(
            max(0.0, settings.thresholds[name] - each.value)
            for name, each in settings.alert.thresholds.items()
            if each.unit in ("window", "seconds")
        )
        settles = (breach.lag if breach.settles is None else breach.settles) + longer
        clears = settles if breach.clears is None else breach.clears + longer
        begins = whole(breach.healthy)
        holds = begins + whole(breach.lag)
        pending, keeps = whole(settings.pending), whole(settings.keep_firing_for)
        settled = begins + whole(settles) + pending + breach.step * 2
        recovers = settled + breach.step * _MORE
        cleared = recovers + whole(clears) + keeps + breach.step
        return cls(breach.step, begins, holds, settled, recovers, cleared, cleared + breach.step, pending, keeps)

    def phases(self, trouble: Literal["bad", "near"]) -> list[Phase]:
        """How many samples of each kind there are."""
        return [
            Phase("good", int(self.begins // self.step)),
            Phase(trouble, int((self.recovers - self.begins) // self.step)),
            Phase("good", int((self.ends - self.recovers) // self.step) + 1),
        ]


def tests_of(catalogue: Catalogue, settings: Settings) -> Iterator[RuleTest]:
    """Every test of one alert as the catalogue has it."""
    alert = settings.alert
    prefix = alert.name if settings.scope.service is None else f"{alert.name} ({settings.scope.service.name})"
    for case in alert.cases:
        if isinstance(case, Quiet):
            yield _quiet(prefix, catalogue, settings, case)
        else:
            yield from _breach(prefix, catalogue, settings, case)
    if not alert.missing_fires and not alert.always:
        yield RuleTest(f"{prefix}: no series at all", 60.0, {}, (AlertCheck(alert.name, settings.pending + 600.0),))
    if alert.always:
        texts = {name: render(text, {}, 1.0) for name, text in annotations_of(catalogue, settings).items()}
        firing = FiringAlert(static_labels(catalogue, settings), texts)
        yield RuleTest(f"{prefix}: always", 60.0, {}, (AlertCheck(alert.name, settings.pending + 600.0, (firing,)),))


def _breach(prefix: str, catalogue: Catalogue, settings: Settings, case: Breach) -> Iterator[RuleTest]:
    alert, course, values = settings.alert, Course.of(case, settings), settings.values()
    checks = [
        AlertCheck(alert.name, course.begins - course.step),
        AlertCheck(alert.name, course.settled, (_firing(catalogue, settings, case, values),)),
        AlertCheck(alert.name, course.cleared),
    ]
    states: list[ValueCheck] = []
    if settings.defaults:  # other thresholds move the moment at which a rate over a window passes them
        if course.pending:
            states.append(_is_firing(alert, course.holds + course.pending - course.step, False))
        states.append(_is_firing(alert, course.holds + course.pending, True))
    if course.keeps > course.step:
        states.append(_is_firing(alert, course.recovers + course.keeps - course.step, True))
    series = _series(catalogue, settings, case.series, course.phases("bad"), case.step, values)
    yield RuleTest(f"{prefix}: {case.name}", case.step, series, tuple(checks), tuple(states))

    if any(shape.near is not None for shape in case.series.values()):
        series = _series(catalogue, settings, case.series, course.phases("near"), case.step, values)
        times = dict.fromkeys((course.holds + course.pending, course.settled, course.recovers - course.step))
        checks = [AlertCheck(alert.name, at) for at in sorted(times)]
        yield RuleTest(f"{prefix}: {case.name}, only nearly", case.step, series, tuple(checks))

    if settings.event_mute:
        series = _series(catalogue, settings, case.series, course.phases("bad"), case.step, values)
        series |= _event_series(settings, course)
        checks = [AlertCheck(alert.name, course.settled), AlertCheck(alert.name, course.recovers - course.step)]
        yield RuleTest(f"{prefix}: {case.name}, muted while a live event goes on", case.step, series, tuple(checks))
    elif settings.event_thresholds is not None:
        during = settings.values(settings.event_thresholds)
        series = _series(catalogue, settings, case.series, course.phases("bad"), case.step, during)
        series |= _event_series(settings, course)
        check = AlertCheck(alert.name, course.settled, (_firing(catalogue, settings, case, during),))
        yield RuleTest(f"{prefix}: {case.name}, while a live event goes on", case.step, series, (check,))


def _quiet(prefix: str, catalogue: Catalogue, settings: Settings, case: Quiet) -> RuleTest:
    earlier, healthy = int(case.earlier // case.step), int(case.healthy // case.step)
    before, samples = earlier + healthy, int(case.lasts // case.step)
    phases = [Phase("near", earlier), Phase("good", healthy), Phase("bad", samples + 1)]
    series = _series(catalogue, settings, case.series, phases, case.step, settings.values())
    times = dict.fromkeys(((before + samples // 2) * case.step, (before + samples) * case.step))
    return RuleTest(
        f"{prefix}: {case.name}", case.step, series, tuple(AlertCheck(settings.alert.name, at) for at in times)
    )


def _firing(catalogue: Catalogue, settings: Settings, case: Breach, values: Values) -> FiringAlert:
    """The alert as it fires; its texts see the labels of the series, which those of the rule then overrule."""
    wording = Wording.of(catalogue, settings)
    kept = {wording.label(name): kept_value(name) for name in wording.keep} if case.keeps else {}
    of_series = {**kept, **wording.labels(case.labels)}
    value = number(case.value, values)
    texts = annotations_of(catalogue, settings)
    return FiringAlert(
        {**of_series, **static_labels(catalogue, settings)},
        {name: render(text, of_series, value) for name, text in texts.items()},
    )


def _is_firing(alert: Alert, at: float, firing: bool) -> ValueCheck:
    """Whether anything of that alert fires, without saying with which labels and texts."""
    expression = f'count(ALERTS{{alertname={quote(alert.name)},alertstate="firing"}}) > bool 0'
    return ValueCheck(expression, at, {"{}": 1.0} if firing else {})


def _series(
    catalogue: Catalogue,
    settings: Settings,
    series: Mapping[str, Shape],
    phases: Sequence[Phase],
    step: float,
    values: Values,
) -> dict[str, str]:
    """Every series with the labels that are kept, and its samples."""
    wording = Wording.of(catalogue, settings)
    found = {
        with_labels(wording.series(name), {wording.label(label): kept_value(label) for label in wording.keep}): written(
            shape, phases, step, values
        )
        for name, shape in series.items()
    }
    if not settings.alert.missing_fires:
        return found
    # Its own jobs may be missing; those of other services are there, or the alert would fire for them too.
    well = [Phase("good", sum(phase.samples for phase in phases))]
    for scope in scopes(catalogue, settings.alert.exporter):
        if scope.service is not settings.scope.service:
            other = Wording.of(catalogue, replace(settings, scope=scope))
            for name, shape in series.items():
                kept = {other.label(label): kept_value(label) for label in other.keep}
                found.setdefault(with_labels(other.series(name), kept), written(shape, well, step, values))
    return found


def _event_series(settings: Settings, course: Course) -> dict[str, str]:
    service = settings.scope.service
    name = f"{EVENT_ACTIVE}{{service={quote(service.name if service else 'any')}}}"
    return {name: f"1x{int(course.ends // course.step)}"}


def with_labels(series: str, labels: Mapping[str, str]) -> str:
    """A series in Prometheus's notation with labels added that it has not."""
    more = [f"{name}={quote(value)}" for name, value in labels.items() if f"{name}=" not in series]
    if not more:
        return series
    if not series.endswith("}"):
        return f"{series}{{{','.join(more)}}}"
    inner = series[:-1].rstrip(", ")
    return f"{inner}{'' if inner.endswith('{') else ', '}{', '.join(more)}}}"


def kept_value(label: str) -> str:
    """The value of a kept label in tests."""
    return f"test-{label}"
