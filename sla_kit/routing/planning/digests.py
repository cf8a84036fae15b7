"""A digest: what can wait, told together in one message, with what was over again by then."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo

from sla_kit.routing.events import Notice
from sla_kit.routing.incident import Incident

#: Timers by destination: what is held back for it is told.
DIGEST = "digest"
#: How many groups are listed; all are counted.
LISTED = 50


def digest(incidents: Sequence[Incident], total: int, firing: int, since: float, zone: tzinfo = UTC) -> Notice:
    """One notice of what was held back ``since`` then (epoch seconds): ``incidents`` in any order, of ``total``, of
    which ``firing`` fire. Its times are those of a time ``zone``."""
    groups: dict[str, list[Incident]] = {}
    for incident in sorted(incidents, key=lambda each: (each.opened_at, each.dedup_key)):
        groups.setdefault(incident.group, []).append(incident)
    ordered = sorted(groups.values(), key=lambda each: (each[-1].status != "firing", -len(each), each[0].opened_at))
    lines = [_line(each, zone) for each in ordered[:LISTED]]
    if len(ordered) > LISTED:
        lines.append(f"and {len(ordered) - LISTED:,} more groups")
    if total > len(incidents):
        lines.append(f"and {total - len(incidents):,} more incidents")
    noun = "incident" if total == 1 else "incidents"
    services = sorted({each.service for each in incidents if each.service})
    severities = {each.severity for each in incidents}
    fields = {"Since": _moment(since, zone), "Firing": f"{firing:,}", "Resolved": f"{total - firing:,}"}
    if services:
        shown = ", ".join(services[:10])
        fields["Services"] = shown if len(services) <= 10 else f"{shown} and {len(services) - 10} more"
    return Notice(
        title=f"{total:,} {noun} since {_moment(since, zone)}, {firing:,} of them firing",
        text="\n".join(lines),
        severity=severities.pop() if len(severities) == 1 else "info",
        fields=fields,
        kind="digest",
    )


def _line(incidents: list[Incident], zone: tzinfo) -> str:
    """A group: what, where, how often, and whether it is over."""
    last = incidents[-1]
    times = f", {len(incidents):,} times" if len(incidents) > 1 else ""
    alerts = sum(each.alert_count for each in incidents)
    counted = f" ({alerts:,} alerts{times})" if alerts > 1 else ""
    where = f" [{last.service}]" if last.service and last.service not in last.title else ""
    if last.status == "firing":
        return f"{last.title}{where}{counted}: firing since {_moment(last.opened_at, zone)}"
    over = last.resolved_at if last.resolved_at is not None else last.opened_at
    return f"{last.title}{where}{counted}: resolved at {_moment(over, zone)}"


def _moment(seconds: float, zone: tzinfo) -> str:
    try:
        return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M %Z")
    except (ValueError, OverflowError, OSError):
        return f"{seconds:.0f}"
