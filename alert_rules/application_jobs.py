"""Batch jobs that tell of themselves (sla_kit.exporters.job): failed, overdue by their own word, begun and never ended.

No selector names a job of Prometheus's: what was pushed has another than what node_exporter read from a file.
"""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, Values, counting, gauge, steady

_DAY = 86400.0
_LABELS = {"instance": "batch-0:9100", "job_name": "nightly-report"}
_OF = '{instance="batch-0:9100", job_name="nightly-report"}'
_SUCCEEDED = f"sla_job_last_success{_OF}"
_SUCCESS_AT = f"sla_job_last_success_timestamp_seconds{_OF}"
_FIRST = f"sla_job_first_start_timestamp_seconds{_OF}"
_START = f"sla_job_last_start_timestamp_seconds{_OF}"
_END = f"sla_job_last_end_timestamp_seconds{_OF}"
_INTERVAL = f"sla_job_expected_interval_seconds{_OF}"
_DURATION = f"sla_job_expected_duration_seconds{_OF}"
_BY = "max by ($keep, instance, job_name)"
#: When a case's trouble is looked at, and when it is over: see `backups_age`.
_LOOKED_AT = 1800.0 + 2 * 60
_OVER = _LOOKED_AT + 10 * 60
_SAYS_UNFINISHED = "The job nightly-report at batch-0:9100 began 1h 30m 0s ago and has not told its end: it hangs, or "
_SAYS_UNFINISHED += "was killed with its memory or its node."


def _most(t: Values) -> float:
    """How old the last success of a daily job may be."""
    return (1 + t.grace) * _DAY


HEALTHY = {
    _SUCCEEDED: steady(1),
    _FIRST: steady(-30 * _DAY),
    _START: counting(60, start=-8200.0),
    _END: counting(60, start=-7200.0),
    _SUCCESS_AT: counting(60, start=-7190.0),  # never 0, which says that there was none
    _INTERVAL: steady(_DAY),
    _DURATION: steady(3600),
}

ALERTS = (
    Alert(
        name="JobFailed",
        exporter="jobs",
        expression=f"{_BY} (sla_job_last_success) == 0",
        pending=60,
        severity="warning",
        summary="The job {{ $labels.job_name }} failed",
        description="The last run of the job {{ $labels.job_name }} at {{ $labels.instance }} failed (success is "
        "{{ $value }}). The alert ends with its next success.",
        cases=(
            Breach(
                series={_SUCCEEDED: gauge(1, 0)},
                labels=_LABELS,
                value=0,
                says="The last run of the job nightly-report at batch-0:9100 failed (success is 0). The alert ends "
                "with its next success.",
            ),
        ),
    ),
    Alert(
        name="JobOverdue",
        exporter="jobs",
        # One that has never succeeded is measured from when it was first seen.
        expression=f"""
            time() - (
              {_BY} (last_over_time(sla_job_last_success_timestamp_seconds[$window]) != 0)
              or {_BY} (last_over_time(sla_job_first_start_timestamp_seconds[$window]))
            )
              > on ($keep, instance, job_name)
            (1 + $grace) * {_BY} (last_over_time(sla_job_expected_interval_seconds[$window]))
        """,
        thresholds={
            "grace": Threshold(0.1, "ratio", "how much longer than it declares a job may go without a success"),
            "window": Threshold(600, "window", "how long nothing may be scraped without anybody minding"),
        },
        severity="warning",
        summary="The job {{ $labels.job_name }} is overdue",
        description="The job {{ $labels.job_name }} at {{ $labels.instance }} has not succeeded for "
        "{{ $value | humanizeDuration }}: longer than it declares, with [[grace]] of grace.",
        cases=(
            Breach(
                series={
                    _SUCCESS_AT: gauge(_OVER, lambda t: _LOOKED_AT - 1.5 * _most(t), near=lambda t: _OVER - _most(t)),
                    _FIRST: steady(-30 * _DAY),
                    _INTERVAL: steady(_DAY),
                },
                labels=_LABELS,
                value=lambda t: 1.5 * _most(t),
                says="The job nightly-report at batch-0:9100 has not succeeded for 1d 15h 36m 0s: longer than it "
                "declares, with 10 % of grace.",
            ),
            Breach(
                name="it has never succeeded",
                series={
                    _SUCCESS_AT: steady(0),
                    _FIRST: gauge(_OVER, lambda t: _LOOKED_AT - 1.5 * _most(t), near=lambda t: _OVER - _most(t)),
                    _INTERVAL: steady(_DAY),
                },
                labels=_LABELS,
                value=lambda t: 1.5 * _most(t),
                says="The job nightly-report at batch-0:9100 has not succeeded for 1d 15h 36m 0s: longer than it "
                "declares, with 10 % of grace.",
            ),
            Quiet(name="it declares nothing", series={_SUCCESS_AT: steady(-90 * _DAY), _FIRST: steady(-99 * _DAY)}),
            Quiet(
                name="its first run goes on",
                series={_SUCCESS_AT: steady(0), _FIRST: steady(0), _INTERVAL: steady(_DAY)},
            ),
        ),
    ),
    Alert(
        name="JobUnfinished",
        exporter="jobs",
        expression=f"""
            (
              time() - {_BY} (last_over_time(sla_job_last_start_timestamp_seconds[$window]))
                > on ($keep, instance, job_name)
              (
                {_BY} (last_over_time(sla_job_expected_duration_seconds[$window]))
                or {_BY} (last_over_time(sla_job_expected_interval_seconds[$window]))
              )
            )
            unless on ($keep, instance, job_name) (
              {_BY} (last_over_time(sla_job_last_end_timestamp_seconds[$window]))
                >= on ($keep, instance, job_name)
              {_BY} (last_over_time(sla_job_last_start_timestamp_seconds[$window]))
            )
        """,
        thresholds={
            "window": Threshold(600, "window", "how long nothing may be scraped without anybody minding"),
        },
        severity="warning",
        summary="The job {{ $labels.job_name }} began and did not end",
        description="The job {{ $labels.job_name }} at {{ $labels.instance }} began "
        "{{ $value | humanizeDuration }} ago and has not told its end: it hangs, or was killed with its memory or "
        "its node.",
        cases=(
            Breach(
                series={
                    _START: gauge(-9000, _LOOKED_AT - 5400, near=_OVER - 3600),
                    _END: steady(-8000),
                    _DURATION: steady(3600),
                    _INTERVAL: steady(600),
                },
                labels=_LABELS,
                value=5400,
                says=_SAYS_UNFINISHED,
            ),
            Breach(
                name="it has never ended, and declares how often it runs alone",
                series={_START: gauge(_OVER, _LOOKED_AT - 5400, near=_OVER - 3600), _INTERVAL: steady(3600)},
                labels=_LABELS,
                value=5400,
                says=_SAYS_UNFINISHED,
            ),
            Quiet(
                name="it ended long ago",
                series={_START: steady(-9000), _END: steady(-9000), _DURATION: steady(3600), _INTERVAL: steady(3600)},
            ),
        ),
    ),
)
