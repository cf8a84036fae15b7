"""The mail about an incident: what, since when, which promise, what is left of the budget, who was told, and links."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import tzinfo

from sla_kit.routing.events import Alert, Labels
from sla_kit.routing.incident import Incident
from sla_kit.routing.mail.cleaning import lines, one_line
from sla_kit.routing.mail.letters import Letter, Row, Table
from sla_kit.routing.mail.steps import Step
from sla_kit.routing.times import length, moment, time_of_day

#: So many alerts are listed; the rest is counted.
SHOWN = 20
_SERVICES = 10
_PREFIX = {"storm": "alert storm", "dead-man": "dead man's switch"}


def subject_of(incident: Incident) -> str:
    """The subject where this is the first mail. Those that follow keep it, so that clients show them as one thread."""
    word = "resolved" if incident.status == "resolved" else one_line(incident.severity, 20)
    return f"[{word}] {one_line(incident.title, 150)}" if word else one_line(incident.title, 150)


def letter_about(incident: Incident, step: Step, zone: tzinfo, refused: tuple[str, ...] = ()) -> Letter:
    """The mail of one step. ``refused`` says who could not be told before."""
    resolved = incident.status == "resolved"
    told = incident.unreached(but="E-mail") if step.kind == "unreached" else []
    return Letter(
        subject=subject_of(incident),
        headline=_headline(incident, step),
        title=one_line(incident.title, 300),
        mood="resolved" if resolved else incident.severity,
        urgent=incident.severity.casefold() == "critical" and not resolved,
        paragraphs=tuple(_paragraphs(incident, step, zone)),
        facts=tuple(_facts(incident, zone)),
        tables=tuple(_tables(incident, zone)),
        notes=(*(one_line(note, 500) for note in incident.notes if note not in told), *refused),
        links=tuple(incident.links),
        graph=incident.context.graph if incident.context is not None else "",
        marks={
            "Kind": incident.kind,
            "Status": incident.status,
            "Severity": incident.severity,
            "Service": incident.service,
            "Environment": incident.labels.get("environment", ""),
            "Incident": incident.dedup_key,
        },
    )


def _headline(incident: Incident, step: Step) -> str:
    severity = one_line(incident.severity, 40)
    if step.kind in ("resolved", "both"):
        return f"Resolved after {length(_duration(incident))}"
    told = {
        "opened": f"Firing: {severity}" if severity else "Firing",
        "raised": f"Now {severity}",
        "escalated": f"Escalated to you: {severity}" if severity else "Escalated to you",
        "unreached": f"Not everybody can be reached: {severity}" if severity else "Not everybody can be reached",
        "again": f"Firing again: {severity}" if severity else "Firing again",
    }[step.kind]
    return f"{told} ({_PREFIX[incident.kind]})" if incident.kind in _PREFIX else told


def _duration(incident: Incident) -> float:
    return (incident.resolved_at if incident.resolved_at is not None else incident.opened_at) - incident.opened_at


def _paragraphs(incident: Incident, step: Step, zone: tzinfo) -> Iterator[str]:
    if step.kind == "both":
        yield "It is over. This mail tells of its beginning and its end, since none before it was sent for certain."
    if incident.closed_by and incident.status == "resolved" and incident.firing_count:
        yield f"{one_line(incident.closed_by, 80)} declared it resolved; its alerts may go on firing."
    if step.kind == "unreached":
        yield from (one_line(note, 500) for note in incident.unreached(but="E-mail"))
    described = incident.kind != "storm" and _common(incident, "description", "message", "summary")
    if described and one_line(described, 300) != one_line(incident.title, 300):
        yield lines(described, 2000)
    if step.kind == "escalated" and incident.escalations:
        last = incident.escalations[-1]
        yield f"Escalated at {time_of_day(last.at, zone)}: {one_line(last.why, 300)}"


def _common(incident: Incident, *names: str) -> str:
    """The annotation that all alerts share, by the first of these names that there is."""
    for name in names:
        values = {alert.annotations.get(name, "") for alert in incident.alerts.values()}
        if len(values) == 1 and (value := values.pop()):
            return value
    return ""


def _facts(incident: Incident, zone: tzinfo) -> Iterator[tuple[str, str]]:
    yield "Since", moment(incident.opened_at, zone)
    if incident.status == "resolved" and incident.resolved_at is not None:
        yield "Resolved", moment(incident.resolved_at, zone)
        yield "Time to recover", length(_duration(incident))
    if incident.received_at - incident.opened_at >= 60:
        yield "Heard here", moment(incident.received_at, zone)
    for name in ("service", "environment", "team"):
        if value := incident.labels.get(name, ""):
            yield name.capitalize(), one_line(value)
    if incident.promise:
        yield "Promise", one_line(incident.promise, 300)
    if incident.context is not None and incident.context.budget_left is not None:
        yield "Budget left", _budget(incident.context.budget_left)
    if incident.root:
        yield "Likely root", one_line(incident.root, 300)
    if incident.by_service:
        most = sorted(incident.by_service.items(), key=lambda each: -each[1])[:_SERVICES]
        yield "By service", one_line(", ".join(f"{name or 'none named'} {count}" for name, count in most), 300)
    if incident.acknowledged_at is not None:
        via = f" in {one_line(incident.acknowledged_via, 40)}" if incident.acknowledged_via else ""
        by = one_line(incident.acknowledged_by, 80) or "somebody"
        yield "Acknowledged", f"by {by}{via}, {moment(incident.acknowledged_at, zone)}"
    if incident.closed_by and incident.status == "firing":
        yield "Declared resolved", f"by {one_line(incident.closed_by, 80)}, though it goes on firing"
    if incident.silence is not None:
        yield "Silenced", f"by {one_line(incident.silence.by, 80)} until {moment(incident.silence.until, zone)}"
    if incident.muted_by:
        yield "Maintenance", one_line(incident.muted_by)


def _budget(ratio: float) -> str:
    if ratio < 0:
        return f"none: overspent by {-ratio * 100:.3g} % of it"
    return f"{ratio * 100:.3g} %"


def _tables(incident: Incident, zone: tzinfo) -> Iterator[Table]:
    if incident.kind == "storm":
        yield _members(incident, zone)
    elif incident.alerts:
        yield _alerts(incident, zone)
    if incident.escalations:
        shown = incident.escalations[-SHOWN:]
        rows = tuple(
            Row(one_line(", ".join(each.to), 200), one_line(each.why, 300), time_of_day(each.at, zone))
            for each in shown
        )
        yield Table("Escalated to", rows, len(incident.escalations) - len(shown))


def _members(incident: Incident, zone: tzinfo) -> Table:
    shown = sorted(incident.members, key=lambda each: (not each.firing, each.opened_at))[:SHOWN]
    rows = tuple(
        Row(
            one_line(each.title),
            ", ".join(filter(None, [one_line(each.severity, 40), one_line(each.service, 80)])),
            f"since {time_of_day(each.opened_at, zone)}" + ("" if each.firing else ", over"),
        )
        for each in shown
    )
    total = max(incident.members_total, len(incident.members))
    return Table(f"Incidents: {total}, of which {incident.members_firing} go on", rows, total - len(shown))


def _alerts(incident: Incident, zone: tzinfo) -> Table:
    everyone = sorted(incident.alerts.values(), key=lambda each: (not each.firing, each.starts_at, each.fingerprint))
    rows = tuple(_row(alert, incident, zone) for alert in everyone[:SHOWN])
    total, firing = incident.alert_count + incident.truncated, incident.firing_count
    title = f"Alerts: {firing} of {total} firing" if firing else f"Alerts: {total}, none firing"
    return Table(title, rows, total - len(rows))


def _row(alert: Alert, incident: Incident, zone: tzinfo) -> Row:
    said = alert.annotations.get("summary") or alert.annotations.get("description") or alert.name or "alert"
    when = f"since {time_of_day(alert.starts_at, zone)}"
    if not alert.firing and alert.ends_at is not None:
        when = f"{time_of_day(alert.starts_at, zone)} to {time_of_day(alert.ends_at, zone)}"
    return Row(one_line(said, 300), _told_apart(alert.labels, incident.labels), when)


def _told_apart(labels: Labels, common: Labels) -> str:
    """The labels by which an alert differs from the others of its incident."""
    own = {name: value for name, value in sorted(labels.items()) if common.get(name) != value}
    return one_line(", ".join(f"{name}={value}" for name, value in own.items()), 300)
