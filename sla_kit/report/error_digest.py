"""What the router is told of tracked errors: a digest of the groups that are new, came back or surge."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sla_kit.logs.fingerprint import redacted_message as redacted
from sla_kit.report import formats
from sla_kit.report.errors import KINDS, estimate, headline, kinds_of, named, people, told_of
from sla_kit.routing.deciding.links import discover, fit, quotable
from sla_kit.routing.notifications import LinkToShow, NoticeToTell

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue
    from sla_kit.error_tracking.results import ErrorGroup, ErrorReport

#: So many groups are told of in a digest, and so many of them have a link.
MOST_GROUPS, MOST_LINKS = 12, 5
#: The longest name of a group in a digest.
_LONGEST = 140
_MOST_NOTES = 5
_DAY = 86400


def error_digest(report: ErrorReport, catalogue: Catalogue, window: str, to: Sequence[str] = ()) -> NoticeToTell | None:
    """The digest, for the contacts ``to`` or whom the routes say; None where there is nothing to tell. ``window`` is
    the name of the report's window. The same groups for the same reasons are the same digest, whenever it is made: it
    is told once. A group that goes on surging is told of once a day."""
    told = told_of(report)
    if not told:
        return None
    owners = {service.name: service.owner for service in catalogue.services}
    shown = told[:MOST_GROUPS]
    lines = [_line(number, group, owners.get(group.service, "")) for number, group in enumerate(shown, 1)]
    if len(told) > len(shown):
        lines.append(f"… and {len(told) - len(shown)} more")
    lines += [f"Note: {_plain(finding.message, 300)}" for finding in report.findings[:_MOST_NOTES]]
    known = {*owners.values(), *(contact.name for contact in catalogue.contacts)}
    whose = {group.state.owner or owners.get(group.service, "") for group in told}
    days = formats.span(report.start, report.end, catalogue.timezone)
    counts = {kind: sum(kind in group.kinds for group in told) for kind in KINDS}
    names = {"new": "New groups", "regressed": "Came back", "surging": "Surging"}
    return NoticeToTell(
        id=f"errors/{_digest(report, told, [catalogue.name, catalogue.environment, window])}",
        title=f"Errors of {_about(catalogue)}: {_counted(counts)}",
        text=f"{headline(report)} {days} ({catalogue.timezone}).\n\n" + "\n\n".join(lines),
        severity="warning",
        environment=catalogue.environment,
        team=next(iter(whose)) if len(whose) == 1 and whose <= known else "",
        to=list(to),
        fields={
            **{names[kind]: str(count) for kind, count in counts.items() if count},
            "Errors": f"{estimate(report.total)} (before: {estimate(report.before)})",
        },
        links=[
            LinkToShow(url=url, text=f"Logs {number}")
            for number, group in enumerate(shown, 1)
            if (url := logs_of(group, catalogue, report.start, report.end))
        ][:MOST_LINKS],
    )


def logs_of(group: ErrorGroup, catalogue: Catalogue, start: float, end: float) -> str:
    """Where Kibana shows a group's documents of a window; empty where the catalogue names no Kibana."""
    kibana, fields = catalogue.monitoring.kibana, catalogue.logs.fields
    if not kibana:
        return ""
    same = f'{fields.group}:"{quotable(group.key)}"'
    if group.type:  # where no document holds the key, those of the same type come nearest
        same = f'({same} OR (NOT _exists_:{fields.group} AND {fields.error_type}:"{quotable(group.type)}"))'
    of_service = f'{fields.service}:"{quotable(group.service)}" AND ' if group.service else ""
    url = discover(kibana, of_service + same, start, end)
    return url if fit(url) else ""


def _line(number: int, group: ErrorGroup, of_service: str) -> str:
    """A group in two lines: what it is, and how many, since when and whose."""
    owner, released = _plain(group.state.owner or of_service), group.deployment
    facts = [f"{estimate(group.count)} errors, {estimate(group.before)} before"]
    if group.users is not None:
        facts.append(f"{people(group.users)} users")
    if released is not None:
        facts.append(f"after {_plain(released.version)} of {_plain(released.service)}")
    elif group.releases and group.releases[0][0]:
        facts.append(f"release {_plain(group.releases[0][0])}")
    if group.state.status == "resolved":
        release = f" in {_plain(group.state.release)}" if group.state.release else ""
        facts.append(f"resolved{release} by {_plain(group.state.by) or '?'}")
    if group.incidents:
        facts.append(f"during {_plain(group.incidents[0].title)}")
    if owner:
        facts.append(f"owner: {owner}")
    name, service = _plain(named(group), _LONGEST), _plain(group.service) or "no service"
    return f"{number}. {service}, {kinds_of(group)}: {name} [{_plain(group.key, 16)}]\n   {'; '.join(facts)}"


def _plain(text: str, most: int = 80) -> str:
    """What logs and people wrote as one line that any channel takes: without control characters, halves of characters
    and secrets, and not longer than ``most``."""
    kept = "".join(character if character.isprintable() else " " for character in text[: 50 * most])
    line = redacted(" ".join(kept.split()))
    return line if len(line) <= most else line[: most - 1] + "…"


def _digest(report: ErrorReport, told: Sequence[ErrorGroup], names: list[str]) -> str:
    """What makes a digest another one: whose it is, its window's name, and each group with why it is told of."""
    reasons = {
        "new": lambda group: int(group.first_seen),
        "regressed": lambda group: int(group.state.at),
        "surging": lambda group: int(report.end) // _DAY,
    }
    content = sorted([group.service, group.key, kind, reasons[kind](group)] for group in told for kind in group.kinds)
    return hashlib.sha256(json.dumps([*names, content]).encode()).hexdigest()[:32]


def _counted(counts: dict[str, int]) -> str:
    words = {"new": "new", "regressed": "came back", "surging": "surging"}
    return ", ".join(f"{count} {words[kind]}" for kind, count in counts.items() if count)


def _about(catalogue: Catalogue) -> str:
    return f"{catalogue.name}, {catalogue.environment}" if catalogue.environment else catalogue.name
