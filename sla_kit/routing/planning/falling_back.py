"""Where somebody can't be reached: the same is told through other addresses, with word of what can't be reached.

The other addresses of the same contact, and those of `Fallback.to`; where all of them are told anyway, or there are
none, those of whoever has an address of another kind. The delivery that failed is tried on all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
from sqlalchemy import Connection, text

from sla_kit.catalogue.routing import Routing
from sla_kit.routing.deciding import Deciding
from sla_kit.routing.delivering import Content
from sla_kit.routing.destinations import PEOPLE, Destination, parse_destination
from sla_kit.routing.events import Change, Notice
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
        notes = [*notes, word][-_MOST_NOTES:]
    stored = incidents.save(connection, stored, msgspec.structs.replace(incident, notes=notes, contacts=contacts), now)
    for where, contact in elsewhere.items():
        _want(connection, stored, where, contact, claimed.priority, now)
    if incident.status == "resolved":
        return bool(elsewhere)  # whoever was told that it is over needs no further message
    for where in reached:
        _want(connection, stored, where, told[where].contact, told[where].priority, now)
    return bool(elsewhere)


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
    since = datetime.fromtimestamp(claimed.failing_since or now, UTC).strftime("%H:%M UTC")
    service = _SERVICES[claimed.destination.kind]
    short = " ".join(reason.split())[:_LONGEST_REASON]
    word = f"{service} can't be reached since {since}: {claimed.contact or claimed.destination.address} may not know."
    return f"{word} ({short})" if short else word
