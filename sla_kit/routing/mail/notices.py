"""Mails that are sent once: notices, reports, digests, and changes that were made."""

from __future__ import annotations

from datetime import tzinfo

from sla_kit.routing.events import Change, Labels, Notice
from sla_kit.routing.mail.cleaning import lines, one_line
from sla_kit.routing.mail.letters import Letter
from sla_kit.routing.times import moment

_HEADLINES = {"notice": "Notice", "report": "Report", "digest": "Digest", "word": "Word of the alert router"}
_LOUD = ("critical", "warning", "error")


def letter_of_notice(notice: Notice) -> Letter:
    """The mail of a notice, with its files."""
    severity = one_line(notice.severity, 20)
    loud = severity.casefold() in _LOUD
    return Letter(
        subject=f"[{severity}] {one_line(notice.title, 150)}" if loud else one_line(notice.title, 150),
        headline=f"{_HEADLINES[notice.kind]}: {severity}" if loud else _HEADLINES[notice.kind],
        title=one_line(notice.title, 300),
        mood=notice.severity,
        urgent=severity.casefold() == "critical",
        paragraphs=_paragraphs(notice.text),
        facts=tuple((one_line(name, 80), one_line(value, 500)) for name, value in notice.fields.items()),
        links=tuple(notice.links),
        files=tuple(notice.files),
        marks={"Kind": notice.kind, "Severity": notice.severity, **_of_labels(notice.labels)},
    )


def letter_of_change(change: Change, zone: tzinfo) -> Letter:
    """The mail of a change, such as a deployment."""
    known = {"At": moment(change.at, zone), "Source": change.source, "Service": change.labels.get("service", "")}
    told = {name: value for name, value in (known | change.details).items() if value}
    return Letter(
        subject=f"Change: {one_line(change.summary, 150)}",
        headline="Change",
        title=one_line(change.summary, 300),
        facts=tuple((one_line(name, 80), one_line(value, 500)) for name, value in told.items()),
        links=tuple(change.links),
        marks={"Kind": "change", **_of_labels(change.labels)},
    )


def _paragraphs(text: str) -> tuple[str, ...]:
    return tuple(part for each in lines(text, 100_000).split("\n\n") if (part := each.strip("\n")))


def _of_labels(labels: Labels) -> dict[str, str]:
    return {"Service": labels.get("service", ""), "Environment": labels.get("environment", "")}
