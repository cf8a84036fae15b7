"""Where somebody can't be reached: the same is told through other addresses, with word of what can't be reached.

The other addresses of the same contact, and those of `Fallback.to`; where all of them are told anyway, or there are
none, those of whoever has an address of another kind. The delivery that failed is tried on all the same.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, text

from sla_kit.catalogue.routing import Routing
from sla_kit.routing.amending import amend
from sla_kit.routing.deciding import Deciding
from sla_kit.routing.delivering import Content
from sla_kit.routing.destinations import PEOPLE, Destination, parse_destination
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.incident import UNREACHED, Incident
from sla_kit.routing.outbox import deliveries, incidents
from sla_kit.routing.outbox.deliveries import Claimed

_SERVICES = {"pagerduty": "PagerDuty", "slack": "Slack", "email": "E-mail"}
_OPEN = ("pending", "delivered")
_LONGEST_REASON = 200
_MOST_NOTES = 20


def fall_back(
    connection: Connection, claimed: Claimed, deciding: Deciding, routing: Routing, reason: str, now: float
) -> bool:
    """Has it told elsewhere that ``claimed`` can't be delivered, within the transaction that records the failure.
    Whether anybody else is told by it. The dispatcher calls it once for a delivery, until that succeeds."""
    if claimed.destination.kind not in PEOPLE:
        return False
    word = _word(claimed, reason, now)
    if claimed.incident_id is None:
        return _content_elsewhere(connection, claimed, deciding, routing, word, now)
    stored = incidents.load(connection, claimed.incident_id)
    if stored is None:
        return False
    told = {each.destination: each for each in deliveries.told_of(connection, stored.id)}
    unreachable = {where for where, each in told.items() if each.fell_back or each.state == "dead"}
    unreachable.add(claimed.destination)
    reached = {
        where
        for where, each in told.items()
        if where.kind in PEOPLE and where not in unreachable and each.state in _OPEN
    }
    elsewhere = _elsewhere(claimed, deciding, routing, unreachable, reached)
    incident, notes = stored.incident, stored.incident.notes
    contacts = list(dict.fromkeys([*incident.contacts, *elsewhere.values()]))
    if word not in notes:
        earlier = _earlier(claimed)
        notes = [*(note for note in notes if not earlier.fullmatch(note)), word][-_MOST_NOTES:]
    news = incident.status == "firing"  # whoever was told that it is over needs no further message
    incident = msgspec.structs.replace(incident, notes=notes, contacts=contacts, fallbacks=incident.fallbacks + news)
    stored = incidents.save(connection, stored, incident, now)
    for where, contact in elsewhere.items():
        _want(connection, stored, where, contact, claimed.priority, now)
    if not news:
        return bool(elsewhere)
    for where in reached:
        _want(connection, stored, where, told[where].contact, told[where].priority, now)
    return bool(elsewhere)


def reached_again(connection: Connection, claimed: Claimed, now: float) -> None:
    """Has an incident say that who could not be reached was told now."""
    stored = incidents.load(connection, claimed.incident_id) if claimed.incident_id is not None else None
    if stored is None:
        return
    earlier, until = _earlier(claimed), _clock(now)
    service, who = _SERVICES[claimed.destination.kind], _who(claimed)

    def change(incident: Incident) -> Incident:
        said = ((note, earlier.fullmatch(note)) for note in incident.notes)
        notes = [
            note
            if found is None
            else f"{service} could not be reached from {found[1]} to {until}: {who} was told then."
            for note, found in said
        ]
        return msgspec.structs.replace(incident, notes=notes)

    amend(connection, stored.incident.dedup_key, change, now)


def _content_elsewhere(
    connection: Connection, claimed: Claimed, deciding: Deciding, routing: Routing, word: str, now: float
) -> bool:
    content: Content = claimed.content
    if isinstance(content, Notice):
        said = f"{content.text}\n\n{word}" if content.text else word
        content = msgspec.structs.replace(content, text=said)
    elif not isinstance(content, Change):
        return False
    new, have = False, _have_it(connection, claimed)
    for where, contact in _elsewhere(claimed, deciding, routing, {claimed.destination}, have).items():
        new |= deliveries.want_content(
            connection,
            content,
            where,
            contact=contact,
            priority=claimed.priority,
            now=now,
            key=f"fallback {claimed.id}",
        )
    return new


def _elsewhere(
    claimed: Claimed, deciding: Deciding, routing: Routing, unreachable: set[Destination], reached: set[Destination]
) -> dict[Destination, str]:
    """Who else is told, and for which contact. Those who are ``reached`` already are not among them."""
    meant = deciding.told_to([claimed.contact, *routing.fallback.to]).destinations
    found = {where: name for name, where in meant if where not in unreachable}
    if found or reached:
        return {where: name for where, name in found.items() if where not in reached}
    anybody = deciding.told_to(deciding.contacts).destinations
    other = [(name, where) for name, where in anybody if where not in unreachable]
    of_another_kind = [each for each in other if each[1].kind != claimed.destination.kind] or other
    return {where: name for name, where in of_another_kind[:1]}


def _have_it(connection: Connection, claimed: Claimed) -> set[Destination]:
    """Who is told the same content anyway: what was wanted together has the same time."""
    found = connection.execute(
        text(
            "SELECT destination FROM delivery WHERE created_at = :at AND id <> :id AND state = 'open'"
            " AND content = (SELECT content FROM delivery WHERE id = :id)"
        ),
        {"at": claimed.created_at, "id": claimed.id},
    )
    return {parse_destination(each) for each in found.scalars()}


def _want(
    connection: Connection, stored: incidents.Stored, where: Destination, contact: str, priority: int, now: float
) -> None:
    held = [
        each.id
        for each in deliveries.told_of(connection, stored.id)
        if each.destination == where and each.state in ("held", "folded")
    ]
    deliveries.want(connection, stored, where, contact=contact, priority=priority, now=now)
    deliveries.revive(connection, held, now)


def _word(claimed: Claimed, reason: str, now: float) -> str:
    """What can't be reached since when, and why; the reason is without secrets as it comes from an adapter."""
    since, service = _clock(claimed.failing_since or now), _SERVICES[claimed.destination.kind]
    short = " ".join(reason.split())[:_LONGEST_REASON]
    word = f"{service} {UNREACHED} {since}: {_who(claimed)} may not know."
    return f"{word} ({short})" if short else word


def _earlier(claimed: Claimed) -> re.Pattern[str]:
    """What `_word` said of the same one before, with since when."""
    service, who = _SERVICES[claimed.destination.kind], re.escape(_who(claimed))
    return re.compile(rf"{service} {UNREACHED} (\S+ UTC): {who} may not know\.(?: \(.*\))?", re.S)


def _who(claimed: Claimed) -> str:
    return claimed.contact or claimed.destination.address


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%H:%M UTC")
