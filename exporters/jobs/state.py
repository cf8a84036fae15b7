"""What is known of a job, and the metrics that tell it. Pure: no clock, no network, no files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.metrics_core import Metric

#: More kinds of records than these are counted together as ``other``: labels are for a few words.
MOST_KINDS = 50
#: A longer reason is cut.
_LONGEST_REASON = 100


@dataclass(frozen=True, slots=True)
class State:
    """What is known of a job; times in seconds since 1970, None where something is not known.

    ``first_start`` is when it was seen first, ``last_success_time`` 0 where no run has succeeded yet. ``failures``
    counts runs. ``records`` are those of the run that ended last, by their kind. ``last_failure`` is why and when.
    """

    first_start: float | None = None
    last_start: float | None = None
    last_end: float | None = None
    last_duration_seconds: float | None = None
    last_success: bool | None = None
    last_success_time: float | None = None
    last_exit_code: int | None = None
    failures: float | None = None
    last_failure: tuple[str, float] | None = None
    records: Mapping[str, float] = field(default_factory=dict)
    expected_interval_seconds: float | None = None
    expected_duration_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Promise:
    """What a job declares of itself, in seconds: how far apart successes are at most, how long a run takes at most."""

    interval_seconds: float | None = None
    duration_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a run ended, and at which time; ``reason`` is why it failed in a word, empty where it succeeded."""

    at: float
    start: float
    duration_seconds: float
    reason: str = ""
    exit_code: int | None = None
    records: Mapping[str, float] = field(default_factory=dict)


#: The metrics of single numbers: what of a `State` they tell, and in which words.
_NUMBERS = (
    ("sla_job_first_start_timestamp_seconds", "first_start", "When the job was first seen to start."),
    ("sla_job_last_start_timestamp_seconds", "last_start", "When the run began that began last."),
    ("sla_job_last_end_timestamp_seconds", "last_end", "When the run ended that ended last, well or not."),
    ("sla_job_last_duration_seconds", "last_duration_seconds", "How long the run took that ended last."),
    ("sla_job_last_success", "last_success", "1 where the run that ended last succeeded, 0 where it failed."),
    ("sla_job_last_success_timestamp_seconds", "last_success_time", "When a run last succeeded, 0 where none has."),
    ("sla_job_last_exit_code", "last_exit_code", "The exit code of the command that ended last, 128 + n by a signal."),
    (
        "sla_job_expected_interval_seconds",
        "expected_interval_seconds",
        "How far apart the job declares its successes to be, at most.",
    ),
    (
        "sla_job_expected_duration_seconds",
        "expected_duration_seconds",
        "How long the job declares a run to take, at most.",
    ),
)
_FAILURES = "sla_job_failures"
_LAST_FAILURE = "sla_job_last_failure_timestamp_seconds"
_RECORDS = "sla_job_records_processed"


def begun(before: State | None, at: float, promise: Promise) -> State:
    """The state once a run has begun. ``before`` is None where it could not be asked for: what follows from it alone
    is then not told."""
    state = _promised(before or State(), promise)
    if before is not None:
        state = replace(
            state,
            first_start=at if before.first_start is None else before.first_start,
            last_success_time=before.last_success_time or 0.0,
            failures=before.failures or 0.0,
        )
    return replace(state, last_start=at)


def ended(before: State | None, ending: Ending, promise: Promise) -> State:
    """The state once a run has ended. A run of the same job that began meanwhile keeps its start."""
    known = before or State()
    state = _promised(known, promise)
    failure = (ending.reason[:_LONGEST_REASON], ending.at)
    told = known.last_failure == failure  # a push that arrived though its answer did not is tried again
    if before is not None:
        state = replace(
            state,
            first_start=ending.start if known.first_start is None else known.first_start,
            last_success_time=known.last_success_time or 0.0,
            failures=(known.failures or 0.0) + (bool(ending.reason) and not told),
        )
    state = replace(state, last_failure=failure) if ending.reason else replace(state, last_success_time=ending.at)
    # A start that lies ahead of the clock is one of a clock that was wrong.
    later = known.last_start is not None and ending.start < known.last_start <= ending.at
    return replace(
        state,
        last_start=known.last_start if later else ending.start,
        last_end=ending.at,
        last_duration_seconds=ending.duration_seconds,
        last_success=not ending.reason,
        last_exit_code=ending.exit_code,
        records=dict(ending.records) or {"": 0.0},
    )


def counted(records: Mapping[str, float], kind: str, number: float) -> dict[str, float]:
    """The records with so many more of a kind."""
    key = kind if kind in records or len(records) < MOST_KINDS else "other"
    return {**records, key: records.get(key, 0.0) + number}


def metrics(name: str, state: State) -> Iterable[Metric]:
    """What a state is published as; what is not known is left out."""
    from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily

    for metric, attribute, text in _NUMBERS:
        value = getattr(state, attribute)
        if value is not None:
            number = GaugeMetricFamily(metric, text, labels=("job_name",))
            number.add_metric((name,), float(value))
            yield number
    if state.failures is not None:
        failures = CounterMetricFamily(_FAILURES, "How many runs failed.", labels=("job_name",))
        failures.add_metric((name,), state.failures)
        yield failures
    if state.last_failure is not None:
        reason, at = state.last_failure
        last = GaugeMetricFamily(
            _LAST_FAILURE,
            "When a run last failed; reason is the type of the exception, the exit code or the signal.",
            labels=("job_name", "reason"),
        )
        last.add_metric((name, reason), at)
        yield last
    if state.records:
        text = "How many records the run processed that ended last, by their kind."
        records = GaugeMetricFamily(_RECORDS, text, labels=("job_name", "kind"))
        for kind, count in state.records.items():
            records.add_metric((name, kind), count)
        yield records


def state_of(samples: Iterable[tuple[str, Mapping[str, str], float]]) -> State:
    """The state that published samples tell (name, labels, value); others among them are passed over."""
    attributes = {metric: attribute for metric, attribute, _ in _NUMBERS}
    found: dict[str, object] = {}
    records: dict[str, float] = {}
    for name, labels, value in samples:
        if name == f"{_FAILURES}_total":
            found["failures"] = value
        elif name == _LAST_FAILURE:
            found["last_failure"] = (labels.get("reason", ""), value)
        elif name == _RECORDS:
            records[labels.get("kind", "")] = value
        elif name in attributes:
            found[attributes[name]] = _typed(attributes[name], value)
    return State(**found, records=records)  # type: ignore[arg-type]  # by the names of its fields, each of its type


def exposition(name: str, state: State) -> str:
    """The metrics in Prometheus's text format."""
    from prometheus_client import generate_latest

    return generate_latest(registry(name, state)).decode()


def registry(name: str, state: State) -> CollectorRegistry:
    """The metrics as what prometheus-client pushes."""
    from prometheus_client import CollectorRegistry

    found = CollectorRegistry(auto_describe=False)
    found.register(_Collector(name, state))
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Collector:
    name: str
    state: State

    def collect(self) -> Iterable[Metric]:
        return metrics(self.name, self.state)

    def describe(self) -> Iterable[Metric]:
        return ()


def _promised(state: State, promise: Promise) -> State:
    """With what is declared now; what is declared no more stays what it was, for a Pushgateway keeps it anyway."""
    return replace(
        state,
        expected_interval_seconds=promise.interval_seconds or state.expected_interval_seconds,
        expected_duration_seconds=promise.duration_seconds or state.expected_duration_seconds,
    )


def _typed(attribute: str, value: float) -> object:
    kinds = {"last_success": bool, "last_exit_code": int}
    return kinds.get(attribute, float)(value)
