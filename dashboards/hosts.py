"""Hosts: what each machine has left of what it needs, and whether its clock is right."""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.marks import DEPLOYMENTS, LIVE_EVENTS, firing
from sla_kit.dashboards.model import Dashboard, Row
from sla_kit.dashboards.vocabulary import (
    State,
    Variable,
    alert_limit,
    column,
    leads_to,
    limit,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)
from sla_kit.dashboards.watched import Watched
from sla_kit.rules.sides import promql_duration

#: Idle as the alert counts it: waiting for disks is not being busy.
_BUSY = """
    1 - avg by (instance, $keep) (
      sum by (instance, cpu, $keep) (rate(node_cpu_seconds_total{$node, mode=~"idle|iowait"}[$__rate_interval]))
    )
"""
_MEMORY = """
    min by (instance, $keep) (
      node_memory_MemAvailable_bytes{$node} / (node_memory_MemTotal_bytes{$node} > 0)
    )
"""
#: What is written to: read-only images are always full.
_WRITTEN = '$node, fstype!~"tmpfs|overlay|squashfs|iso9660"'
_WRITABLE = f"and node_filesystem_readonly{{{_WRITTEN}}} == 0"
_FREE = f"""
    node_filesystem_avail_bytes{{{_WRITTEN}}} / (node_filesystem_size_bytes{{{_WRITTEN}}} > 0) {_WRITABLE}
"""
_OFFSET = "abs(node_timex_offset_seconds{$node})"
_DISK = "{{mountpoint}} of {{instance}}"
_WIRED = '$node, device!~"lo|veth.*|cali.*|eni.*|docker.*|cni.*"'
_KILLED = "node_vmstat_oom_kill{$node}"


def dashboard(catalogue: Catalogue) -> Dashboard:
    """The dashboard."""
    watched = Watched.of(catalogue)
    return Dashboard(
        name="hosts",
        title="Hosts",
        description="What each machine has left of processors, memory, disks and network, and whether its clock is "
        "right.",
        folder="Platform",
        instances=("node",),
        variables=(Variable(name="instance", title="Host", metric="node_uname_info{$node}", label="instance"),),
        annotations=(LIVE_EVENTS, DEPLOYMENTS, firing("hosts")),
        rows=(
            _now(watched),
            _each(),
            _processors_and_memory(),
            _disks(watched),
            _network_and_clock(),
        ),
    )


def _now(watched: Watched) -> Row:
    kills = watched.value("HostOutOfMemory", "kills")
    return row(
        "Now",
        stat(
            "Hosts",
            query("count(node_uname_info{$node})", "told of"),
            unit="short",
            no_value="nothing known",
            description="How many hosts an exporter tells of. Fewer than there should be: one is down or not scraped.",
        ),
        stat(
            "Processors busy",
            query(f"max({_BUSY})", "busiest host"),
            unit="percentunit",
            decimals=0,
            minimum=0,
            limits=(alert_limit("HostCpuHigh", "ratio"),),
            description="How busy all processors of the busiest host are together; short peaks are normal.",
        ),
        stat(
            "Memory available",
            query(f"min({_MEMORY})", "shortest host"),
            unit="percentunit",
            decimals=0,
            minimum=0,
            limits=(alert_limit("HostMemoryLow", "ratio", "below"),),
            description="What processes can still get of the memory on the host that has least left; caches that can "
            "be dropped count as available.",
        ),
        stat(
            "Disk free",
            query(f"min({_FREE})", "fullest disk"),
            unit="percentunit",
            decimals=0,
            minimum=0,
            limits=(alert_limit("HostDiskNearlyFull", "ratio", "below"),),
            description="What is free of the fullest disk that is written to.",
        ),
        stat(
            "Killed for memory",
            query(f"sum(increase({_KILLED}[1h]))", "in the last hour", instant=True),
            unit="short",
            decimals=0,
            minimum=0,
            limits=(limit(kills + 1, "above", "warning"),),
            links=(runbook("HostOutOfMemory"),),
            description="Processes that kernels have killed within an hour for want of memory, on all chosen hosts. "
            "Normally none.",
        ),
        stat(
            "Clock off by",
            query(f"max({_OFFSET})", "worst clock"),
            unit="s",
            minimum=0,
            limits=(alert_limit("HostClockWrong", "seconds"),),
            description="How far the worst clock is from its time server. Milliseconds are normal; more disturbs "
            "tokens, certificates and the order of log entries.",
        ),
        height=5,
    )


def _each() -> Row:
    return row(
        "Each host",
        table(
            "Hosts",
            query(_BUSY, "Processors busy"),
            query(
                """
                max by (instance, $keep) (node_load5{$node})
                / on (instance, $keep) count by (instance, $keep) (node_cpu_seconds_total{$node, mode="idle"})
                """,
                "Load per processor",
            ),
            query(_MEMORY, "Memory available"),
            query(f"min by (instance, $keep) ({_FREE})", "Disk free"),
            query("time() - max by (instance, $keep) (node_boot_time_seconds{$node})", "Up for"),
            description="The busiest host first; a click on a host chooses it. A load of more than one per processor "
            "means that processes queue. A host that is up for minutes has just been started.",
            columns=(
                column(
                    "instance",
                    "Host",
                    link=leads_to("hosts", "This host", instance="${__data.fields.Host}"),
                ),
                column(
                    "Processors busy", unit="percentunit", decimals=0, limits=(alert_limit("HostCpuHigh", "ratio"),)
                ),
                column("Load per processor", unit="short", decimals=2),
                column(
                    "Memory available",
                    unit="percentunit",
                    decimals=0,
                    limits=(alert_limit("HostMemoryLow", "ratio", "below"),),
                ),
                column(
                    "Disk free",
                    unit="percentunit",
                    decimals=0,
                    limits=(alert_limit("HostDiskNearlyFull", "ratio", "below"),),
                ),
                column("Up for", unit="dtdurations"),
                column("environment", hidden=True),
                column("cluster", hidden=True),
            ),
            sort_by="Processors busy",
        ),
    )


def _processors_and_memory() -> Row:
    return row(
        "Processors and memory",
        timeseries(
            "Busy by host",
            query(f"topk(10, {_BUSY})", "{{instance}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("HostCpuHigh", "ratio"),),
            description="How busy all processors of each host are together. It follows the traffic; one host that "
            "stands out has more than its share, or a process that runs wild.",
        ),
        timeseries(
            "What processors do",
            query(
                """
                avg by (mode, $keep) (
                  sum by (instance, cpu, mode, $keep) (
                    rate(node_cpu_seconds_total{$node, mode!="idle"}[$__rate_interval])
                  )
                )
                """,
                "{{mode}}",
            ),
            unit="percentunit",
            minimum=0,
            stack="normal",
            description="On what the processors of the chosen hosts spend their time. Much iowait points to disks, "
            "steal to a neighbour on the same machine or to credits that are used up.",
        ),
        timeseries(
            "Memory available by host",
            query(f"bottomk(10, {_MEMORY})", "{{instance}}"),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("HostMemoryLow", "ratio", "below"),),
            description="What processes can still get of each host's memory. A steady slope is a leak; look for the "
            "pod that grows.",
        ),
        timeseries(
            "Waiting for memory",
            query(
                "topk(10, rate(node_pressure_memory_waiting_seconds_total{$node}[$__rate_interval]))", "{{instance}}"
            ),
            unit="percentunit",
            minimum=0,
            description="How much of the time some process waits for memory to be freed. Normally next to nothing; it "
            "rises before the first process is killed.",
        ),
        timeseries(
            "Processes killed",
            query(f"sum by (instance, $keep) (increase({_KILLED}[$__rate_interval]))", "{{instance}}"),
            unit="short",
            minimum=0,
            bars=True,
            links=(runbook("HostOutOfMemory"),),
            description="Processes that the kernel killed for want of memory, of the host or of a container's limit. "
            "The kernel's log has which one.",
        ),
    )


def _disks(watched: Watched) -> Row:
    window = watched.window("HostDiskFillsSoon")
    horizon = watched.value("HostDiskFillsSoon", "horizon")
    return row(
        "Disks",
        timeseries(
            "Free",
            query(f"bottomk(10, {_FREE})", _DISK),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("HostDiskNearlyFull", "ratio", "below"),),
            description="What is free of the ten fullest disks that are written to.",
        ),
        timeseries(
            f"Free in {promql_duration(horizon)} at this pace",
            query(
                f"""
                bottomk(10,
                  (
                    node_filesystem_avail_bytes{{{_WRITTEN}}}
                    + deriv(node_filesystem_avail_bytes{{{_WRITTEN}}}[{window}]) * {horizon:.0f}
                  )
                  / (node_filesystem_size_bytes{{{_WRITTEN}}} > 0) {_WRITABLE}
                )
                """,
                _DISK,
            ),
            unit="percentunit",
            maximum=1,
            limits=(limit(0, "below", "warning"),),
            links=(runbook("HostDiskFillsSoon"),),
            description=f"What will be free if disks go on filling as over the last {window}. Below zero one is full "
            "by then; a dip during a backup or a deployment passes.",
        ),
        timeseries(
            "Inodes free",
            query(
                f"""
                bottomk(10,
                  node_filesystem_files_free{{{_WRITTEN}}} / (node_filesystem_files{{{_WRITTEN}}} > 0)
                )
                """,
                _DISK,
            ),
            unit="percentunit",
            minimum=0,
            maximum=1,
            limits=(alert_limit("HostInodesLow", "ratio", "below"),),
            description="How many more files the disks can hold. It falls where many small files are left behind: "
            "sessions, caches, layers of images.",
        ),
        timeseries(
            "Read and written",
            query("sum(rate(node_disk_read_bytes_total{$node}[$__rate_interval]))", "read", color="blue"),
            query("sum(rate(node_disk_written_bytes_total{$node}[$__rate_interval]))", "written", color="orange"),
            unit="Bps",
            minimum=0,
            description="What all disks of the chosen hosts read and write.",
        ),
        timeseries(
            "Waiting for disks",
            query("topk(10, rate(node_pressure_io_waiting_seconds_total{$node}[$__rate_interval]))", "{{instance}}"),
            unit="percentunit",
            minimum=0,
            limits=(alert_limit("HostDiskSlow", "ratio"),),
            description="How much of the time some process waits for a disk. A few per cent are normal; much more with "
            "little that is read or written is a disk that is slow or throttled.",
        ),
        states(
            "Can be written to",
            query(f"max by (instance, mountpoint, $keep) (node_filesystem_readonly{{{_WRITTEN}}})", _DISK),
            states={"0": State(text="yes", meaning="good"), "1": State(text="read-only", meaning="critical")},
            links=(runbook("HostDiskReadOnly"),),
            description="Whether each disk takes writes. One that turns read-only has had errors: the kernel's log "
            "tells which; a disk that always was is mounted so.",
        ),
    )


def _network_and_clock() -> Row:
    return row(
        "Network and clock",
        timeseries(
            "Traffic",
            query(
                f"sum(rate(node_network_receive_bytes_total{{{_WIRED}}}[$__rate_interval]))", "received", color="blue"
            ),
            query(
                f"sum(rate(node_network_transmit_bytes_total{{{_WIRED}}}[$__rate_interval]))", "sent", color="orange"
            ),
            unit="Bps",
            width=12,
            minimum=0,
            description="What the chosen hosts receive and send; the interfaces of pods are left out.",
        ),
        timeseries(
            "Packets lost",
            query(
                f"""
                topk(10,
                  sum by (instance, $keep) (rate(node_network_receive_errs_total{{{_WIRED}}}[$__rate_interval]))
                  + sum by (instance, $keep) (rate(node_network_transmit_errs_total{{{_WIRED}}}[$__rate_interval]))
                  + sum by (instance, $keep) (rate(node_network_receive_drop_total{{{_WIRED}}}[$__rate_interval]))
                  + sum by (instance, $keep) (rate(node_network_transmit_drop_total{{{_WIRED}}}[$__rate_interval]))
                )
                """,
                "{{instance}}",
            ),
            unit="pps",
            width=12,
            minimum=0,
            description="Packets with errors and packets that were dropped, both ways. Normally next to none; drops "
            "under load mean that a host can't keep up or has reached its instance's limit.",
        ),
        timeseries(
            "Clock off by host",
            query(f"topk(10, {_OFFSET})", "{{instance}}"),
            unit="s",
            width=12,
            minimum=0,
            limits=(alert_limit("HostClockWrong", "seconds"),),
            description="How far each clock is from its time server, in either direction.",
        ),
        states(
            "Clock follows a time server",
            query("min by (instance, $keep) (node_timex_sync_status{$node})", "{{instance}}"),
            states={"1": State(text="yes", meaning="good"), "0": State(text="no", meaning="warning")},
            width=12,
            links=(runbook("HostClockWrong"),),
            description="Whether the kernel knows its clock to be kept in step. Where it is not, the offset means "
            "nothing.",
        ),
    )
