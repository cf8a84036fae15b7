"""What runs the applications: Node.js's processes, their processor, event loop, heap and files."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Breach, Quiet, Threshold, counter, counting, gauge, steady

_ONE = '{$application, instance="api-1:3000"}'
_STARTED = f"process_start_time_seconds{_ONE}"
_CPU = f"process_cpu_seconds_total{_ONE}"
_LAG = f"nodejs_eventloop_lag_p99_seconds{_ONE}"
_HEAP = f"nodejs_heap_size_used_bytes{_ONE}"
_OPEN = f"process_open_fds{_ONE}"
_MOST = f"process_max_fds{_ONE}"
_MIB = 1024.0**2
_LABELS = {"job": "$application", "instance": "api-1:3000"}

HEALTHY = {
    _STARTED: steady(100),
    _CPU: counting(12),
    _LAG: steady(0.012),
    _HEAP: steady(120 * _MIB),
    _OPEN: steady(60),
    _MOST: steady(65536),
}

ALERTS = (
    Alert(
        name="AppCrashLooping",
        exporter="application",
        expression="changes(process_start_time_seconds{$application}[$window]) > $restarts",
        thresholds={
            "restarts": Threshold(3, "count", "how often an instance may start anew in the window"),
            "window": Threshold(900, "window", "in which starts are counted"),
        },
        keep_firing_for=600,
        severity="warning",
        summary="{{ $labels.instance }} of {{ $labels.job }} starts again and again",
        description="{{ $labels.instance }} of {{ $labels.job }} has started {{ $value }} times in [[window]], over "
        "[[restarts]].",
        promises=("availability", "error-rate"),
        inhibited_by=("AppDown",),
        inhibition_labels=("cluster", "job"),
        cases=(
            Breach(
                series={_STARTED: counter(0, 60, start=100)},
                labels=_LABELS,
                value=22,
                step=40,  # no divisor of the window: whether its edge belongs to it differs between versions
                lag=120,  # the fourth start
                settles=900,
                clears=900,
                says="api-1:3000 of application has started 22 times in 15m, over 3.",
            ),
            Quiet(name="started once, by a deployment", series={_STARTED: gauge(100, 5000)}, healthy=1800, lasts=900),
        ),
    ),
    Alert(
        name="AppBusy",
        exporter="application",
        expression="avg by ($keep, job) (rate(process_cpu_seconds_total{$application}[$window])) > $ratio",
        thresholds={
            "ratio": Threshold(0.85, "ratio", "how much of one processor a process may use on average"),
            "window": Threshold(300, "window", "over which the use is averaged"),
        },
        pending=600,
        keep_firing_for=300,
        severity="warning",
        summary="{{ $labels.job }} has no processor time left",
        description="The processes of {{ $labels.job }} use {{ $value | humanizePercentage }} of a processor on "
        "average, over [[ratio]]; Node.js runs JavaScript on one.",
        promises=("response-time",),
        cases=(
            Breach(
                series={_CPU: counter(6, lambda t: 360 * t.ratio, near=lambda t: 59 * t.ratio)},
                labels={"job": "$application"},
                value=lambda t: 6 * t.ratio,
                settles=300,
                says="The processes of application use 510% of a processor on average, over 85 %; Node.js runs "
                "JavaScript on one.",
            ),
        ),
    ),
    Alert(
        name="AppEventLoopLagging",
        exporter="application",
        expression="avg_over_time(nodejs_eventloop_lag_p99_seconds{$application}[$window]) > $seconds",
        thresholds={
            "seconds": Threshold(0.2, "seconds", "how long a callback may wait for its turn"),
            "window": Threshold(300, "window", "over which the lag is averaged"),
        },
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="{{ $labels.instance }} of {{ $labels.job }} is held up by its own code",
        description="Callbacks in {{ $labels.instance }} of {{ $labels.job }} wait {{ $value | humanizeDuration }} for "
        "their turn (99th percentile), over [[seconds]].",
        promises=("response-time",),
        inhibited_by=("AppDown",),
        inhibition_labels=("cluster", "job"),
        cases=(
            Breach(
                series={_LAG: gauge(0.01, lambda t: t.seconds * 10, near=lambda t: t.seconds * 0.99)},
                labels=_LABELS,
                value=lambda t: t.seconds * 10,
                settles=300,
                says="Callbacks in api-1:3000 of application wait 2s for their turn (99th percentile), over 200ms.",
            ),
        ),
    ),
    Alert(
        name="AppMemoryLeaking",
        exporter="application",
        # The lowest point of an hour is what collections of garbage leave; a new process has no past to compare with.
        expression="""
            min_over_time(nodejs_heap_size_used_bytes{$application}[$window])
            / (min_over_time(nodejs_heap_size_used_bytes{$application}[$window] offset $ago) > $bytes)
            > $factor""",
        thresholds={
            "factor": Threshold(1.6, "count", "how many times what it used earlier the heap may use"),
            "bytes": Threshold(64 * _MIB, "bytes", "how small an earlier heap proves nothing"),
            "window": Threshold(3600, "window", "of which the lowest point counts"),
            "ago": Threshold(6 * 3600, "window", "how much earlier it is compared with"),
        },
        pending=1800,
        severity="warning",
        summary="The heap of {{ $labels.instance }} of {{ $labels.job }} only grows",
        description="What {{ $labels.instance }} of {{ $labels.job }} keeps on its heap is {{ $value | humanize }} "
        "times what it was [[ago]] earlier, over [[factor]].",
        promises=("availability", "response-time"),
        cases=(
            Breach(
                series={
                    _HEAP: gauge(
                        lambda t: 2 * t.bytes,
                        lambda t: 4 * t.bytes * t.factor,
                        near=lambda t: 2 * t.bytes * t.factor * 0.99,
                    )
                },
                labels=_LABELS,
                value=lambda t: 2 * t.factor,
                healthy=8 * 3600,
                step=330,  # no divisor of the window: whether its edge belongs to it differs between versions
                lag=3300,
                clears=0,
                says="What api-1:3000 of application keeps on its heap is 3.2 times what it was 6h earlier, over 1.6.",
            ),
            Quiet(
                name="a small heap that fills",
                series={_HEAP: gauge(lambda t: 0.9 * t.bytes, lambda t: 2 * t.bytes * t.factor)},
                healthy=8 * 3600,
                lasts=5 * 3600,
                step=300,
            ),
            Quiet(name="large, but steady", series={_HEAP: steady(1500 * _MIB)}, lasts=10 * 3600, step=300),
        ),
    ),
    Alert(
        name="AppFilesHigh",
        exporter="application",
        expression="process_open_fds{$application} / (process_max_fds{$application} > 0) > $ratio",
        thresholds={"ratio": Threshold(0.8, "ratio", "how many of its files and sockets a process may have open")},
        pending=300,
        keep_firing_for=300,
        severity="warning",
        summary="{{ $labels.instance }} of {{ $labels.job }} can soon open no more connections",
        description="{{ $labels.instance }} of {{ $labels.job }} has {{ $value | humanizePercentage }} of its file "
        "descriptors open, over [[ratio]].",
        promises=("availability", "error-rate"),
        cases=(
            Breach(
                series={
                    _OPEN: gauge(60, lambda t: 1000 * t.ratio * 1.2, near=lambda t: 1000 * t.ratio * 0.99),
                    _MOST: steady(1000),
                },
                labels=_LABELS,
                value=lambda t: t.ratio * 1.2,
                says="api-1:3000 of application has 96% of its file descriptors open, over 80 %.",
            ),
            Quiet(name="no limit told", series={_OPEN: steady(60), _MOST: steady(0)}),
        ),
    ),
)
