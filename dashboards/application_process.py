"""The processes of applications: what runs short in them, and which of them answer."""

from __future__ import annotations

from sla_kit.dashboards.model import Row
from sla_kit.dashboards.vocabulary import (
    UP,
    alert_limit,
    kibana,
    leads_to,
    query,
    row,
    runbook,
    states,
    timeseries,
)
from sla_kit.dashboards.watched import Watched

_CHOSEN = '{$application, job=~"$service"}'
_LINKS = (
    leads_to("kubernetes", "Pods"),
    kibana("Its logs", 'service.name:"${__field.labels.job}"'),
)


def saturation(watched: Watched) -> Row:
    """What the processes run short of."""
    lowest, ago = watched.window("AppMemoryLeaking"), watched.window("AppMemoryLeaking", "ago")
    heap = f"nodejs_heap_size_used_bytes{_CHOSEN}"
    return row(
        "What runs short",
        timeseries(
            "Processor by service",
            query(
                f"avg by (job, $keep) (rate(process_cpu_seconds_total{_CHOSEN}[$__rate_interval]))",
                "{{job}}",
            ),
            unit="percentunit",
            decimals=0,
            limits=(alert_limit("AppBusy", "ratio"),),
            links=_LINKS,
            description="What a process uses of one processor on average. Near 100 % more pods help, or less work for "
            "each request; one busy instance among idle ones does not show here, but in its event loop.",
        ),
        timeseries(
            "Lag of the event loop",
            query(f"topk(8, nodejs_eventloop_lag_p99_seconds{_CHOSEN})", "{{job}} {{instance}}"),
            unit="s",
            limits=(alert_limit("AppEventLoopLagging", "seconds"),),
            links=_LINKS,
            description="How long callbacks wait for their turn (99th percentile), in the eight worst instances: long "
            "where the code computes, or parses something large, without a pause.",
        ),
        timeseries(
            "Heap",
            query(f"topk(8, {heap})", "{{job}} {{instance}}"),
            unit="bytes",
            links=_LINKS,
            description="What the eight largest instances keep on their heap. A saw is usual: it falls with each "
            "collection of garbage, to about the same level.",
        ),
        timeseries(
            f"Heap beside {ago} earlier",
            query(
                f"topk(8, min_over_time({heap}[{lowest}]) / (min_over_time({heap}[{lowest}] offset {ago}) > 0))",
                "{{job}} {{instance}}",
            ),
            unit="short",
            decimals=2,
            limits=(alert_limit("AppMemoryLeaking", "factor"),),
            links=_LINKS,
            description=f"How many times what it was {ago} earlier the lowest point of the heap within {lowest} is, in "
            "the eight instances that grow most: 1 where nothing leaks.",
        ),
        timeseries(
            "Open files and sockets",
            query(
                f"topk(8, process_open_fds{_CHOSEN} / (process_max_fds{_CHOSEN} > 0))",
                "{{job}} {{instance}}",
            ),
            unit="percentunit",
            limits=(alert_limit("AppFilesHigh", "ratio"),),
            links=_LINKS,
            description="The share of the file descriptors that a process may have which are open, in the eight "
            "fullest instances. It follows the connections; where it only rises, some are never closed.",
        ),
        height=8,
    )


def instances(watched: Watched) -> Row:
    """Which instances answer, and which start anew."""
    window = watched.window("AppCrashLooping")
    return row(
        "Instances",
        states(
            "Which instances answer",
            query(f"bottomk(30, min by (job, instance, $keep) (up{_CHOSEN}))", "{{job}} {{instance}}"),
            states=UP,
            links=(runbook("AppDown"), runbook("AppMissing"), *_LINKS),
            description="Whether each instance answers Prometheus, those that do not first, thirty at most. Pods come "
            "and go with the traffic; a gap means that the instance was not there.",
            width=14,
        ),
        timeseries(
            f"Starts within {window}",
            query(
                f"topk(8, changes(process_start_time_seconds{_CHOSEN}[{window}]))",
                "{{job}} {{instance}}",
            ),
            unit="short",
            decimals=0,
            limits=(alert_limit("AppCrashLooping", "restarts"),),
            links=_LINKS,
            description=f"How often an instance started anew within {window}, those with the most first. One start is "
            "a deployment; several mean that it crashes, or is killed for its memory: see the pod's last state.",
        ),
        height=8,
    )
