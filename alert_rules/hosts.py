"""Hosts: what a machine has left of what it needs, and whether its clock is right."""

from __future__ import annotations

from sla_kit.alert_rules.alert import Alert, Area, Breach, Quiet, Threshold, counter, counting, gauge, steady

_HOST = '$node, instance="host-1:9100"'
_LABELS = {"job": "$node", "instance": "host-1:9100"}
_DISK = f'{_HOST}, device="/dev/vda1", fstype="ext4", mountpoint="/"'
_DISK_LABELS = _LABELS | {"device": "/dev/vda1", "fstype": "ext4", "mountpoint": "/"}
_CPU = f'node_cpu_seconds_total{{{_HOST}, cpu="0", mode="%s"}}'
_AVAILABLE = f"node_memory_MemAvailable_bytes{{{_HOST}}}"
_TOTAL = f"node_memory_MemTotal_bytes{{{_HOST}}}"
_KILLS = f"node_vmstat_oom_kill{{{_HOST}}}"
_FREE = f"node_filesystem_avail_bytes{{{_DISK}}}"
_SIZE = f"node_filesystem_size_bytes{{{_DISK}}}"
_INODES_FREE = f"node_filesystem_files_free{{{_DISK}}}"
_INODES = f"node_filesystem_files{{{_DISK}}}"
_READ_ONLY = f"node_filesystem_readonly{{{_DISK}}}"
_WAITING = f"node_pressure_io_waiting_seconds_total{{{_HOST}}}"
_OFFSET = f"node_timex_offset_seconds{{{_HOST}}}"
_SYNCED = f"node_timex_sync_status{{{_HOST}}}"
_GIB = 1024.0**3

AREA = Area(
    name="hosts",
    title="Hosts (node_exporter)",
    dashboard="hosts",
    healthy={
        **{_CPU % mode: counting(1) for mode in ("user", "system", "iowait", "irq", "softirq", "nice", "steal")},
        _CPU % "idle": counting(53),
        _AVAILABLE: steady(10 * _GIB),
        _TOTAL: steady(16 * _GIB),
        _KILLS: counting(0),
        _FREE: steady(60 * _GIB),
        _SIZE: steady(100 * _GIB),
        _INODES_FREE: steady(6e6),
        _INODES: steady(6.5e6),
        _READ_ONLY: steady(0),
        'node_filesystem_readonly{$node, instance="host-1:9100", device="/dev/loop0", fstype="squashfs", '
        'mountpoint="/snap/core"}': steady(1),
        _WAITING: counting(1),
        _OFFSET: steady(-0.0004),
        _SYNCED: steady(1),
    },
    alerts=(
        Alert(
            name="HostCpuHigh",
            exporter="node",
            expression="""
                1 - avg by ($keep, job, instance) (
                  sum by ($keep, job, instance, cpu) (
                    rate(node_cpu_seconds_total{$node, mode=~"idle|iowait"}[$window])
                  )
                ) > $ratio""",
            thresholds={
                "ratio": Threshold(0.9, "ratio", "how busy all processors may be"),
                "window": Threshold(300, "window", "over which the average is taken"),
            },
            pending=1800,
            keep_firing_for=600,
            severity="warning",
            summary="The processors of {{ $labels.instance }} are busy",
            description="The processors of {{ $labels.instance }} have been {{ $value | humanizePercentage }} busy for "
            "at least 30 minutes, over [[ratio]].",
            promises=("response-time",),
            cases=(
                Breach(
                    series={
                        _CPU % "idle": counter(lambda t: 62 * (1 - t.ratio), 0, near=lambda t: 61 * (1 - t.ratio)),
                        _CPU % "iowait": counting(0),
                    },
                    labels=_LABELS,
                    value=1,
                    settles=300,
                    says="The processors of host-1:9100 have been 100% busy for at least 30 minutes, over 90 %.",
                ),
                Quiet(
                    name="waiting for disks, which is not busy",
                    series={_CPU % "idle": counting(4), _CPU % "iowait": counting(54)},
                ),
            ),
        ),
        Alert(
            name="HostMemoryLow",
            exporter="node",
            expression="node_memory_MemAvailable_bytes{$node} / (node_memory_MemTotal_bytes{$node} > 0) < $ratio",
            thresholds={"ratio": Threshold(0.08, "ratio", "how much memory must be available")},
            pending=600,
            keep_firing_for=600,
            severity="warning",
            summary="{{ $labels.instance }} is short of memory",
            description="Of the memory of {{ $labels.instance }} {{ $value | humanizePercentage }} are available, "
            "under [[ratio]].",
            promises=("availability", "response-time"),
            cases=(
                Breach(
                    series={
                        _AVAILABLE: gauge(
                            10 * _GIB, lambda t: 16 * _GIB * t.ratio / 2, near=lambda t: 16 * _GIB * t.ratio * 1.01
                        ),
                        _TOTAL: steady(16 * _GIB),
                    },
                    labels=_LABELS,
                    value=lambda t: t.ratio / 2,
                    says="Of the memory of host-1:9100 4% are available, under 8 %.",
                ),
            ),
        ),
        Alert(
            name="HostOutOfMemory",
            exporter="node",
            expression="increase(node_vmstat_oom_kill{$node}[$window]) > $kills",
            thresholds={
                "kills": Threshold(0, "count", "how many processes may be killed in the window"),
                "window": Threshold(900, "window", "in which kills are counted"),
            },
            keep_firing_for=900,
            severity="warning",
            summary="{{ $labels.instance }} kills processes for want of memory",
            description="The kernel of {{ $labels.instance }} has killed {{ $value | humanize }} processes in "
            "[[window]] for want of memory, over [[kills]].",
            promises=("availability", "error-rate"),
            cases=(
                Breach(
                    series={_KILLS: counter(0, lambda t: t.kills + 1, near=0)},
                    labels=_LABELS,
                    value=lambda t: (t.kills + 1) * t.window / 60,
                    settles=900,
                    clears=900,
                    says="The kernel of host-1:9100 has killed 15 processes in 15m for want of memory, over 0.",
                ),
            ),
        ),
        Alert(
            name="HostDiskNearlyFull",
            exporter="node",
            expression="""
                node_filesystem_avail_bytes{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"}
                / (node_filesystem_size_bytes{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"} > 0) < $ratio
                and node_filesystem_readonly{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"} == 0""",
            thresholds={"ratio": Threshold(0.05, "ratio", "how much of a disk must be free")},
            pending=300,
            keep_firing_for=300,
            severity="critical",
            summary="{{ $labels.mountpoint }} of {{ $labels.instance }} is nearly full",
            description="Of {{ $labels.mountpoint }} ({{ $labels.device }}) on {{ $labels.instance }} "
            "{{ $value | humanizePercentage }} are free, under [[ratio]].",
            promises=("availability", "error-rate"),
            cases=(
                Breach(
                    series={
                        _FREE: gauge(
                            60 * _GIB, lambda t: 100 * _GIB * t.ratio / 2, near=lambda t: 100 * _GIB * t.ratio * 1.01
                        ),
                        _SIZE: steady(100 * _GIB),
                        _READ_ONLY: steady(0),
                    },
                    labels=_DISK_LABELS,
                    value=lambda t: t.ratio / 2,
                    says="Of / (/dev/vda1) on host-1:9100 2.5% are free, under 5 %.",
                ),
                Quiet(
                    name="full because it is only read",
                    series={_FREE: steady(0), _SIZE: steady(_GIB), _READ_ONLY: steady(1)},
                ),
            ),
        ),
        Alert(
            name="HostDiskFillsSoon",
            exporter="node",
            expression="""
                -deriv(node_filesystem_avail_bytes{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"}[$window])
                * $horizon > node_filesystem_avail_bytes{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"}
                and node_filesystem_avail_bytes{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"}
                / (node_filesystem_size_bytes{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"} > 0) < $ratio""",
            thresholds={
                "window": Threshold(3 * 3600, "window", "over which its growth is looked at"),
                "horizon": Threshold(86400, "seconds", "how far ahead is looked"),
                "ratio": Threshold(0.4, "ratio", "how much free space makes growth no matter"),
            },
            pending=3600,
            severity="warning",
            summary="{{ $labels.mountpoint }} of {{ $labels.instance }} will be full soon",
            description="At its present growth {{ $labels.mountpoint }} ({{ $labels.device }}) on "
            "{{ $labels.instance }} takes {{ $value | humanize1024 }}B more within [[horizon]], which is more than it "
            "has left.",
            promises=("availability",),
            inhibited_by=("HostDiskNearlyFull",),
            inhibition_labels=("cluster", "instance", "mountpoint"),
            cases=(
                Breach(
                    series={_FREE: counter(0, -0.05 * _GIB, near=0, start=28 * _GIB), _SIZE: steady(100 * _GIB)},
                    labels=_DISK_LABELS,
                    value=72 * _GIB,  # 0.05 GiB a minute, a day long
                    healthy=3 * 3600,
                    lag=4200,  # of three hours so many have to be steep
                    settles=3 * 3600,
                    says="At its present growth / (/dev/vda1) on host-1:9100 takes 72GiB more within 1d, which is more "
                    "than it has left.",
                ),
                Quiet(
                    name="growth with much room",
                    series={_FREE: counter(0, -0.05 * _GIB, start=60 * _GIB), _SIZE: steady(100 * _GIB)},
                ),
            ),
        ),
        Alert(
            name="HostInodesLow",
            exporter="node",
            expression="""
                node_filesystem_files_free{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"}
                / (node_filesystem_files{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"} > 0) < $ratio""",
            thresholds={"ratio": Threshold(0.05, "ratio", "how many of a disk's inodes must be free")},
            pending=900,
            keep_firing_for=900,
            severity="warning",
            summary="{{ $labels.mountpoint }} of {{ $labels.instance }} can hold few more files",
            description="Of the inodes of {{ $labels.mountpoint }} on {{ $labels.instance }} "
            "{{ $value | humanizePercentage }} are free, under [[ratio]].",
            promises=("error-rate",),
            cases=(
                Breach(
                    series={
                        _INODES_FREE: gauge(6e6, lambda t: 1e6 * t.ratio / 2, near=lambda t: 1e6 * t.ratio * 1.01),
                        _INODES: steady(1e6),
                    },
                    labels=_DISK_LABELS,
                    value=lambda t: t.ratio / 2,
                    says="Of the inodes of / on host-1:9100 2.5% are free, under 5 %.",
                ),
                Quiet(name="a file system that has no inodes", series={_INODES_FREE: steady(0), _INODES: steady(0)}),
            ),
        ),
        Alert(
            name="HostDiskReadOnly",
            exporter="node",
            expression="""
                node_filesystem_readonly{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"} == 1
                and max_over_time(
                  (node_filesystem_readonly{$node, fstype!~"tmpfs|overlay|squashfs|iso9660"} == bool 0)[$window:5m]
                ) == 1""",
            thresholds={"window": Threshold(86400, "window", "within which it must have been written to")},
            pending=60,
            severity="warning",
            summary="{{ $labels.mountpoint }} of {{ $labels.instance }} can no longer be written to",
            description="{{ $labels.mountpoint }} ({{ $labels.device }}) on {{ $labels.instance }} has become "
            "read-only within the last [[window]] (read-only is {{ $value }}).",
            promises=("availability", "error-rate"),
            cases=(
                Breach(
                    series={_READ_ONLY: gauge(0, 1)},
                    labels=_DISK_LABELS,
                    value=1,
                    settles=0,
                    says="/ (/dev/vda1) on host-1:9100 has become read-only within the last 1d (read-only is 1).",
                ),
                Quiet(name="mounted so from the beginning", series={_READ_ONLY: steady(1)}),
            ),
        ),
        Alert(
            name="HostDiskSlow",
            exporter="node",
            expression="rate(node_pressure_io_waiting_seconds_total{$node}[$window]) > $ratio",
            thresholds={
                "ratio": Threshold(0.6, "ratio", "how much of the time some process may wait for disks"),
                "window": Threshold(600, "window", "over which the average is taken"),
            },
            pending=1200,
            keep_firing_for=600,
            severity="warning",
            summary="Processes of {{ $labels.instance }} wait for their disks",
            description="On {{ $labels.instance }} processes wait for disks {{ $value | humanizePercentage }} of the "
            "time, over [[ratio]].",
            promises=("response-time",),
            cases=(
                Breach(
                    series={_WAITING: counter(lambda t: t.ratio * 57, 57, near=lambda t: t.ratio * 60 * 0.99)},
                    labels=_LABELS,
                    value=0.95,
                    settles=600,
                    says="On host-1:9100 processes wait for disks 95% of the time, over 60 %.",
                ),
            ),
        ),
        Alert(
            name="HostClockWrong",
            exporter="node",
            expression="""
                abs(node_timex_offset_seconds{$node}) > $seconds
                or node_timex_sync_status{$node} == 0""",
            thresholds={"seconds": Threshold(0.05, "seconds", "how far a clock may be off")},
            pending=900,
            keep_firing_for=300,
            severity="warning",
            summary="The clock of {{ $labels.instance }} is wrong or follows nothing",
            description="The clock of {{ $labels.instance }} is off by more than [[seconds]], or is not kept in step "
            "by any time server (value {{ $value }}).",
            promises=("error-rate",),
            cases=(
                Breach(
                    series={
                        _OFFSET: gauge(0.001, lambda t: -t.seconds * 2, near=lambda t: -t.seconds * 0.99),
                        _SYNCED: steady(1),
                    },
                    labels=_LABELS,
                    value=lambda t: t.seconds * 2,
                    says="The clock of host-1:9100 is off by more than 50ms, or is not kept in step by any time server "
                    "(value 0.1).",
                ),
                Breach(
                    name="no time server",
                    series={_OFFSET: steady(0), _SYNCED: gauge(1, 0)},
                    labels=_LABELS,
                    value=0,
                    says="The clock of host-1:9100 is off by more than 50ms, or is not kept in step by any time server "
                    "(value 0).",
                ),
            ),
        ),
    ),
)
