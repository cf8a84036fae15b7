"""Batch jobs that tell of themselves: which went well, which are overdue, how long they take.

What was pushed has another job than what node_exporter read from a file, so nothing here names one.
"""

from __future__ import annotations

from sla_kit.dashboards.model import Row
from sla_kit.dashboards.vocabulary import (
    State,
    alert_limit,
    bars,
    column,
    limit,
    query,
    row,
    runbook,
    table,
    timeseries,
)

_JOB = "job_name, instance, $keep"
_ENDED = {"1": State(text="went well", meaning="good"), "0": State(text="failed", meaning="critical")}
#: One that has never succeeded is measured from when it was first seen, as its alert does.
_SINCE = f"""
time() - (
  max by ({_JOB}) (sla_job_last_success_timestamp_seconds{{$scope}} != 0)
  or max by ({_JOB}) (sla_job_first_start_timestamp_seconds{{$scope}})
)""".strip()
_DECLARED = f"on ({_JOB}) max by ({_JOB}) (sla_job_expected_interval_seconds{{$scope}})"


def batch_jobs() -> Row:
    """The row of batch jobs."""
    return row(
        "Batch jobs",
        table(
            "Jobs",
            query(f"min by ({_JOB}) (sla_job_last_success{{$scope}})", "Last run"),
            query(_SINCE, "Succeeded"),
            query(f"({_SINCE}) / {_DECLARED} - 1", "Late"),
            query(f"max by ({_JOB}) (sla_job_last_duration_seconds{{$scope}})", "Took"),
            query(f"sum by ({_JOB}) (increase(sla_job_failures_total{{$scope}}[$__range]))", "Failures"),
            description="How the last run of each job ended, how long ago one succeeded and by how much that is beyond "
            "what the job declares (below 0: it is not due yet), and how often it failed in the time that is shown.",
            columns=(
                column("job_name", "Job"),
                column("instance", "Where"),
                column("Last run", states=_ENDED),
                column("Succeeded", "Since a success", unit="dtdurations", decimals=0),
                column(
                    "Late",
                    "Beyond its interval",
                    unit="percentunit",
                    decimals=0,
                    limits=(alert_limit("JobOverdue", "grace"),),
                ),
                column("Took", unit="s", decimals=0),
                column("Failures", unit="none", decimals=0, limits=(limit(0.5, "above", "warning"),)),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            links=(runbook("JobFailed"), runbook("JobOverdue")),
            sort_by="Beyond its interval",
            width=24,
            height=6,
        ),
        timeseries(
            "Time a run takes",
            query(
                "topk(8, max by (job_name, $keep) (sla_job_last_duration_seconds{$scope}))",
                "{{job_name}}",
            ),
            unit="s",
            minimum=0,
            links=(runbook("JobUnfinished"),),
            description="How long the last run of each job took, of the eight longest. It grows with the data: before "
            "it reaches the next run, divide the work.",
        ),
        bars(
            "Records of the last run",
            query(
                "topk(8, max by (job_name, kind, $keep) (sla_job_records_processed{$scope}))",
                "{{job_name}} {{kind}}",
            ),
            unit="short",
            decimals=0,
            minimum=0,
            links=(runbook("JobFailed"),),
            description="What the last run of each job has processed, of the eight with most. A run that went well and "
            "found nothing is often one whose input failed to come.",
        ),
        height=8,
    )
