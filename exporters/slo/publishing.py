"""Judged SLOs as metrics: one gauge a figure, labelled by service, SLO and window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from prometheus_client.metrics_core import GaugeMetricFamily, InfoMetricFamily, Metric

from sla_kit.catalogue.model import Catalogue, Service, Slo
from sla_kit.engine.alert_windows import window_label
from sla_kit.engine.forecast.results import Outlook
from sla_kit.engine.results import Figure, StepState
from sla_kit.exporters.slo.judging import Judged
from sla_kit.rules.published import BAD_EVENTS, BURN_RATE, OBSERVED

Key = tuple[str, str]
_SLO = ("service", "slo")
_WINDOW = (*_SLO, "window")
#: By name: the labels, and the help text.
_GAUGES: dict[str, tuple[tuple[str, ...], str]] = {
    "sla_slo_objective_ratio": (_WINDOW, "What is promised: the share of events that must be good."),
    "sla_slo_readable": (_SLO, "1, or 0 where the source refuses the SLO's query: its figures are missing then."),
    "sla_slo_sli_ratio": (_WINDOW, "The share of good events; absent without events."),
    "sla_slo_events": (_WINDOW, "Events that count, in the unit that sla_slo_info names."),
    "sla_slo_good_events": (_WINDOW, "Good events."),
    "sla_slo_bad_events": (_WINDOW, "Bad events."),
    "sla_slo_error_budget_allowed_events": (_WINDOW, "Bad events that the objective allows."),
    "sla_slo_error_budget_spent_events": (_WINDOW, "Bad events that the error budget has paid for."),
    "sla_slo_error_budget_left_ratio": (_WINDOW, "The share of the error budget that is left, below 0 overspent."),
    "sla_slo_met": (_WINDOW, "1 where the objective is kept, 0 where it is missed; absent where that can't be told."),
    "sla_slo_coverage_ratio": (_WINDOW, "The share of the window of which there is data."),
    BURN_RATE: (
        (*_SLO, "burn_window"),
        "How fast the error budget burns: at 1 it lasts exactly the SLO's window. Absent without events.",
    ),
    BAD_EVENTS: (
        (*_SLO, "burn_window"),
        "Bad events over the long windows of alerts that want some least number of them; of SLOs on logs.",
    ),
    OBSERVED: (_SLO, "Up to when there is data of the SLO, Unix time; absent where there is none."),
    "sla_slo_event_active": (_SLO, "1 while a live event of the service goes on, else 0."),
    "sla_slo_exclusion_active": (_SLO, "1 while what happens is excluded, such as in maintenance, else 0."),
    "sla_slo_policy_step_reached": (
        (*_SLO, "step", "action"),
        "1 where a step of the error-budget policy is reached, else 0; absent where that can't be told.",
    ),
    "sla_slo_part_sli_ratio": (
        (*_WINDOW, "part_service", "part_slo"),
        "The SLI of a composite's part over the composite's window; absent without events.",
    ),
    "sla_slo_budget_exhausted_timestamp_seconds": (
        _WINDOW,
        "When the error budget is expected to run out, Unix time; absent where that is not within the forecast.",
    ),
    "sla_slo_budget_exhausted_probability_ratio": (
        _WINDOW,
        "How probable it is that the error budget runs out within the forecast; absent without a forecast.",
    ),
    "sla_slo_evaluated_timestamp_seconds": (("source",), "Up to when events are counted, Unix time."),
}


class Published:
    """The metrics of one collection in the making."""

    def __init__(self) -> None:
        self._gauges = {name: GaugeMetricFamily(name, text, labels=labels) for name, (labels, text) in _GAUGES.items()}
        self._info = InfoMetricFamily(
            "sla_slo",
            "An SLO and its service.",
            labels=(*_WINDOW, "owner", "kind", "unit", "promise", "severity", "environment"),
        )

    def promised(self, catalogue: Catalogue, service: Service, slo: Slo, *, readable: bool) -> None:
        """What the catalogue says of an SLO, whatever is known of it."""
        key, window = (service.name, slo.name), window_label(slo.window)
        self._put("sla_slo_objective_ratio", (*key, window), slo.objective)
        self._put("sla_slo_readable", key, float(readable))
        if not readable:
            self._describe(catalogue, service, slo, "")

    def judged(self, catalogue: Catalogue, one: Judged) -> None:
        """What was found of an SLO."""
        key = one.result.key
        self._describe(catalogue, one.service, one.slo, one.result.unit)
        for window, figure in one.figures.items():
            self._figure((*key, window), figure)
        for window, rate in one.burn_rates.items():
            self._put(BURN_RATE, (*key, window), rate)
        for window, bad in one.bad_events.items():
            self._put(BAD_EVENTS, (*key, window), bad)
        self._put(OBSERVED, key, one.observed)
        self._put("sla_slo_event_active", key, float(one.event))
        self._put("sla_slo_exclusion_active", key, float(one.excluded))
        for part in one.result.parts:
            self._put("sla_slo_part_sli_ratio", (*key, one.window, *part.key), part.own.sli)
        for step in one.result.policy.steps if one.result.policy else ():
            if step.reached is not None:
                labels = (*key, _step_name(step), step.action)
                self._put("sla_slo_policy_step_reached", labels, float(step.reached))

    def expected(self, outlook: Outlook, slo: Slo) -> None:
        """What is to be expected of an SLO."""
        labels = (*outlook.key, window_label(slo.window))
        self._put("sla_slo_budget_exhausted_timestamp_seconds", labels, outlook.runs_out)
        self._put("sla_slo_budget_exhausted_probability_ratio", labels, outlook.probability)

    def evaluated(self, source: str, at: int) -> None:
        """Up to when a source's events are counted."""
        self._put("sla_slo_evaluated_timestamp_seconds", (source,), at)

    def metrics(self) -> list[Metric]:
        """All of it."""
        return [self._info, *self._gauges.values()]

    def _figure(self, labels: tuple[str, ...], figure: Figure) -> None:
        put, budget = self._put, figure.budget
        put("sla_slo_coverage_ratio", labels, figure.coverage)
        put("sla_slo_events", labels, figure.total)
        put("sla_slo_good_events", labels, figure.good)
        put("sla_slo_bad_events", labels, figure.bad)
        put("sla_slo_sli_ratio", labels, figure.sli)
        put("sla_slo_error_budget_allowed_events", labels, budget.allowed)
        put("sla_slo_error_budget_spent_events", labels, budget.spent)
        put("sla_slo_error_budget_left_ratio", labels, budget.left_ratio)
        put("sla_slo_met", labels, None if figure.met is None else float(figure.met))

    def _describe(self, catalogue: Catalogue, service: Service, slo: Slo, unit: str) -> None:
        kind = str(type(catalogue.sli(service, slo)).__struct_config__.tag)
        names = (service.name, slo.name, window_label(slo.window), service.owner, kind, unit, slo.promise, slo.severity)
        self._info.add_metric((*names, catalogue.environment), {})

    def _put(self, name: str, labels: Sequence[str], value: float | None) -> None:
        if value is not None:
            self._gauges[name].add_metric(labels, value)


def documented() -> Mapping[str, tuple[Iterable[str], str]]:
    """Every metric with its labels and its help text."""
    return _GAUGES


def _step_name(step: StepState) -> str:
    """A step by when it is reached: "left 0.25", "incident 0.2"."""
    return f"left {step.left:g}" if step.left is not None else f"incident {step.incident or 0.0:g}"
