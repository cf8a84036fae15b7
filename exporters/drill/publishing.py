"""What became of drills, as metrics: read from the small file that drills write, so that no scrape waits for one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric

from sla_kit.errors import LedgerError
from sla_kit.exporters.drill.configuration import Drill
from sla_kit.exporters.drill.results import Result, Results, read_results
from sla_kit.exporters.drill.schedule import next_due
from sla_kit.exporters.sidecar.collector import CollectError, Schedule

_OUTCOMES = ("succeeded", "slow", "failed")
_CHECKS = ("held", "failed", "skipped")


@dataclass(frozen=True, slots=True)
class DrillResults:
    """A `Collector` of the declared targets' results."""

    path: Path
    drill: Drill
    schedule: Schedule
    name: str = "drill"

    def collect(self, deadline: float) -> Iterable[Metric]:
        """The metrics of every declared target, of those that were never restored as well. Raises `CollectError`."""
        try:
            results = read_results(self.path)
        except LedgerError as error:
            raise CollectError("data", error.message, place=error.place, remedy=error.remedy) from None
        return metrics(self.drill, results)

    def close(self) -> None:
        """There is nothing to let go of."""


def metrics(drill: Drill, results: Results) -> list[Metric]:
    """Results as metrics. A drill counts as successful if all was restored, every check held, and it was in time."""
    success = GaugeMetricFamily(
        "restore_last_success",
        "1 where the last restore drill restored all, in time, and every check held; 0 where it did not.",
        labels=["target"],
    )
    succeeded = GaugeMetricFamily(
        "restore_last_success_timestamp_seconds",
        "When a restore drill last ended well; 0 where none ever did.",
        labels=["target"],
        unit="seconds",
    )
    duration = GaugeMetricFamily(
        "restore_last_duration_seconds",
        "How long the last restore took, of those in which all was restored and every check held.",
        labels=["target"],
        unit="seconds",
    )
    attempted = GaugeMetricFamily(
        "restore_last_attempt_timestamp_seconds",
        "When the last restore drill began, however it ended; 0 where there was none.",
        labels=["target"],
        unit="seconds",
    )
    taken = GaugeMetricFamily(
        "restore_last_backup_timestamp_seconds",
        "When the backup was made that the last restore drill chose.",
        labels=["target"],
        unit="seconds",
    )
    objective = GaugeMetricFamily(
        "restore_objective_seconds", "How long a restore may take.", labels=["target"], unit="seconds"
    )
    due = GaugeMetricFamily(
        "restore_next_drill_timestamp_seconds",
        "When the next restore drill is due by its schedule.",
        labels=["target"],
        unit="seconds",
    )
    steps = GaugeMetricFamily(
        "restore_step_duration_seconds",
        "How long each step of the last restore drill took by itself.",
        labels=["target", "step"],
        unit="seconds",
    )
    rows = GaugeMetricFamily(
        "restore_rows_verified", "Rows that the checks of the last restore drill found right.", labels=["target"]
    )
    checks = GaugeMetricFamily(
        "restore_checks", "Checks of the last restore drill by what came of them.", labels=["target", "outcome"]
    )
    failure = InfoMetricFamily(
        "restore_last_failure", "The step at which the last restore drill failed.", labels=["target"]
    )
    drills = CounterMetricFamily("restore_drills", "Restore drills by how they ended.", labels=["target", "outcome"])
    for name, restore in drill.targets.items():
        result = results.targets.get(name)
        succeeded.add_metric([name], 0.0 if result is None else result.succeeded_at)
        attempted.add_metric([name], 0.0 if result is None else result.attempted_at)
        if restore.objective is not None:
            objective.add_metric([name], restore.objective)
        if drill.schedule is not None:
            since = results.since.get(name)
            last = result.attempted_at if result is not None else since
            if last is not None:
                due.add_metric([name], next_due(drill.schedule, name, max(last, since or last)))
        for outcome in _OUTCOMES:
            drills.add_metric([name, outcome], 0 if result is None else result.totals.get(outcome, 0))
        if result is None:
            continue
        success.add_metric([name], float(result.outcome == "succeeded"))
        if result.duration_seconds is not None:
            duration.add_metric([name], result.duration_seconds)
        if result.backup_taken_at is not None:
            taken.add_metric([name], result.backup_taken_at)
        for step, seconds in _summed(result):
            steps.add_metric([name, step], seconds)
        rows.add_metric([name], result.rows_verified)
        for outcome in _CHECKS:
            checks.add_metric([name, outcome], result.checks.get(outcome, 0))
        if result.failed_step:
            failure.add_metric([name], {"step": result.failed_step})
    found: Sequence[Metric] = (
        success, succeeded, duration, attempted, taken, objective, due, steps, rows, checks, failure, drills,
    )  # fmt: skip
    return [each for each in found if each.samples]


def _summed(result: Result) -> list[tuple[str, float]]:
    found: dict[str, float] = {}
    for step in result.steps:
        found[step.name] = found.get(step.name, 0.0) + step.seconds
    return list(found.items())
