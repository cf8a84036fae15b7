"""What Slack is told of an incident: its message, and the words in its thread. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator

from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Escalation, Incident
from sla_kit.routing.slack.blocks import (
    RESOLVED,
    RESOLVED_SIGN,
    TEXT,
    Block,
    Message,
    button,
    color_of,
    context,
    fields,
    links,
    listed,
    message,
    section,
    sign_of,
)
from sla_kit.routing.slack.texts import clipped, escaped, moment, spoken

ACKNOWLEDGE = "sla_kit_acknowledge"
SILENCE = "sla_kit_silence"
ESCALATE = "sla_kit_escalate"
#: How long the button asks for quiet.
SILENCE_SECONDS = 3600.0
_LONGEST_VALUE = 2000
_TOLD_ELSEWHERE = ("alertname", "service", "severity")


def incident_message(incident: Incident, *, buttons: bool = True) -> Message:
    """The message of an incident as it is now. ``buttons``: Slack can reach the router."""
    resolved = incident.status == "resolved"
    state = "resolved" if resolved else incident.severity or "alert"
    first = next(iter(incident.firing or incident.alerts.values()), None)
    summary = _summary(first) if first and incident.kind == "alerts" else ""
    return message(
        text=f"{state}: {incident.title}" + (f" – {summary}" if summary and summary != incident.title else ""),
        sign=RESOLVED_SIGN if resolved else sign_of(incident.severity),
        headline=f"{state}: {incident.title}",
        color=RESOLVED if resolved else color_of(incident.severity),
        body=_body(incident, buttons and not resolved),
    )


def _body(incident: Incident, buttons: bool) -> Iterator[Block | None]:
    yield from _storm(incident) if incident.kind == "storm" else _what(incident)
    yield fields(_facts(incident))
    notes = [f":warning: {escaped(note, 600)}" for note in incident.notes]
    yield section(listed(notes, TEXT)) if notes else None
    if told := list(_history(incident)):
        yield context(listed(told, 1500))
    yield links(incident.links)
    yield _labels(incident)
    yield _buttons(incident) if buttons else None


def _what(incident: Incident) -> Iterator[Block | None]:
    """What is measured, and of which alerts: nothing twice, neither what the headline says nor what all have."""
    alerts = incident.firing or sorted(incident.alerts.values(), key=lambda alert: (alert.starts_at, alert.fingerprint))
    shown = alerts[:10]
    common = set(incident.labels.items()) | set(incident.group_labels.items())
    said = {incident.title, ""}
    described = {_description(alert) for alert in shown}
    lines = []
    if len(described) == 1 and not described <= said:
        lines = [escaped(text, 700, one_line=True) for text in described]
        said |= described
    lines += [line for alert in shown if (line := _line(alert, common, said))]
    everyone = incident.firing_count or incident.alert_count
    yield section(listed(lines, TEXT, everyone - len(shown) + incident.truncated)) if lines else None


def _line(alert: Alert, common: set[tuple[str, str]], said: Container[str]) -> str:
    summary, description = _summary(alert), _description(alert)
    own = [f"{name}={value}" for name, value in sorted(alert.labels.items()) if (name, value) not in common]
    about = escaped(
        ", ".join(pair for pair in own if not pair.startswith(("alertname=", "severity="))), 300, one_line=True
    )
    told = "" if summary in said else escaped(summary, 300, one_line=True)
    more = "" if description in said or description == summary else escaped(description, 700, one_line=True)
    words = [part for part in (f"{told} ({about})" if told and about else told or about, more) if part]
    return "• " + "\n   ".join(words) if words else ""


def _description(alert: Alert) -> str:
    return alert.annotations.get("description") or alert.annotations.get("message") or ""


def _summary(alert: Alert) -> str:
    return alert.annotations.get("summary") or alert.name or "an alert without a name"


def _storm(incident: Incident) -> Iterator[Block | None]:
    members = incident.members
    total = max(incident.members_total, len(members))
    firing = max(incident.members_firing, sum(member.firing for member in members))
    severities = Counter(member.severity or "without severity" for member in members)
    services = Counter(incident.by_service) or Counter(member.service for member in members)
    told = [f"*{total:,} incidents*, {firing:,} of them still firing"]
    if incident.root:
        told.append(f"*Likely root*: {escaped(incident.root, 500, one_line=True)}")
    if len(severities) > 1:
        told.append(f"by severity: {_counts(severities)}")
    if members:
        told.append(f"by service: {_counts(services)}")
    yield section("\n".join(told))
    shown = sorted(members, key=lambda member: (not member.firing, member.severity != "critical", member.opened_at))
    lines = [
        f"• {escaped(member.title, 160, one_line=True)}" + ("" if member.firing else " (resolved)")
        for member in shown[:15]
    ]
    yield section(listed(lines, TEXT, total - len(lines))) if lines else None


def _counts(counts: Counter[str]) -> str:
    """The largest ones; a service without a name is told as such."""
    shown = [f"{escaped(name, 80, one_line=True) or 'none named'} {count:,}" for name, count in counts.most_common(8)]
    more = len(counts) - len(shown)
    return ", ".join(shown) + (f", and {more:,} more" if more else "")


def _facts(incident: Incident) -> dict[str, str]:
    facts = {
        "Since": moment(incident.opened_at),
        "Severity": escaped(incident.severity, 100, one_line=True),
        "Service": escaped(incident.service, 200, one_line=True),
        "Promise": escaped(incident.promise, 500, one_line=True),
    }
    if incident.context and incident.context.budget_left is not None:
        facts["Error budget left"] = f"{incident.context.budget_left:.1%}".replace("%", " %")
    if incident.kind == "alerts" and incident.alert_count + incident.truncated > 1:
        everyone = incident.alert_count + incident.truncated
        over = incident.status == "resolved"
        facts["Alerts" if over else "Alerts firing"] = (
            f"{everyone:,}" if over else f"{incident.firing_count:,} of {everyone:,}"
        )
    if incident.acknowledged_at is not None:
        facts["Time to acknowledge"] = spoken(incident.acknowledged_at - incident.opened_at)
    if incident.resolved_at is not None and incident.status == "resolved":
        facts["Time to recover"] = spoken(incident.resolved_at - incident.opened_at)
    return facts


def _history(incident: Incident) -> Iterator[str]:
    if incident.acknowledged_at is not None:
        via = f" via {escaped(incident.acknowledged_via, 40, one_line=True)}" if incident.acknowledged_via else ""
        by = escaped(incident.acknowledged_by, 200, one_line=True) or "somebody"
        yield f"Acknowledged by {by}{via}, {moment(incident.acknowledged_at)}"
    if incident.silence:
        by = escaped(incident.silence.by, 200, one_line=True) or "somebody"
        asked = "" if incident.silence.id else " (asked for)"
        yield f"Silenced until {moment(incident.silence.until)} by {by}{asked}"
    if incident.muted_by:
        yield f"In maintenance: {escaped(incident.muted_by, 300, one_line=True)}"
    if incident.closed_by:
        yield f"Closed by {escaped(incident.closed_by, 200, one_line=True)}"
    for escalation in incident.escalations[-5:]:
        yield f"{_escalated(escalation)}, {moment(escalation.at)}"
    if incident.status == "resolved" and incident.resolved_at is not None:
        yield f"Resolved {moment(incident.resolved_at)}"


def _escalated(escalation: Escalation) -> str:
    to = escaped(", ".join(escalation.to), 300, one_line=True) or "nobody else"
    why = escaped(escalation.why, 300, one_line=True)
    return f"Escalated to {to}" + (f": {why}" if why else "")


def _labels(incident: Incident) -> Block | None:
    labels = {
        name: value
        for name, value in sorted((incident.labels | incident.group_labels).items())
        if name not in _TOLD_ELSEWHERE and value
    }
    text = escaped(" · ".join(f"{name}={value}" for name, value in labels.items()), 800, one_line=True)
    return context(text) if text else None


def _buttons(incident: Incident) -> Block | None:
    key = incident.dedup_key
    if not key or len(key) > _LONGEST_VALUE:
        return None
    elements = [] if incident.acknowledged else [button("Acknowledge", ACKNOWLEDGE, key, "primary")]
    # A storm and a silent Alertmanager have no group of labels that could be silenced.
    if incident.kind == "alerts":
        elements.append(button("Silence 1 h" if incident.silence is None else "Silence for 1 h from now", SILENCE, key))
    elements.append(button("Escalate", ESCALATE, key, "danger"))
    return {"type": "actions", "elements": elements}


def graph_title(incident: Incident) -> str:
    """What the picture shows, for those who can't see it."""
    return clipped(f"Graph of what the alert measures: {incident.title}", 500)


def resolved_words(incident: Incident) -> str:
    """What the thread is told of the end."""
    words = f"{RESOLVED_SIGN} *Resolved*"
    if incident.resolved_at is not None:
        words += f" after {spoken(incident.resolved_at - incident.opened_at)}"
    if incident.closed_by:
        words += f", closed by {escaped(incident.closed_by, 200, one_line=True)}"
    if incident.acknowledged_at is not None:
        by = escaped(incident.acknowledged_by, 200, one_line=True) or "somebody"
        return f"{words}. Acknowledged after {spoken(incident.acknowledged_at - incident.opened_at)} by {by}."
    return f"{words}. Nobody had acknowledged it."


def raised_words(incident: Incident) -> str:
    """What the thread is told of a higher severity."""
    return f"{sign_of(incident.severity)} Severity is now *{escaped(incident.severity, 100, one_line=True)}*."


def escalated_words(incident: Incident, told: int) -> str:
    """What the thread is told of escalations after the first ``told``."""
    lines = [f":arrow_up: {_escalated(escalation)}." for escalation in incident.escalations[told:]]
    return listed(lines, TEXT)


def unreached_words(incident: Incident) -> str:
    """What the thread, and the channel with it, is told of those who can't be reached; empty where all can."""
    return listed([f":warning: {escaped(note, 600)}" for note in incident.unreached(but="Slack")], TEXT)


def state_words(incident: Incident) -> str:
    """What the thread is told where the message itself can't be changed any more."""
    firing = incident.members_firing if incident.kind == "storm" else incident.firing_count
    words = f"Now {escaped(incident.severity, 100, one_line=True)}, {firing:,} firing"
    if incident.acknowledged:
        words += f", acknowledged by {escaped(incident.acknowledged_by, 200, one_line=True) or 'somebody'}"
    return words + "."
