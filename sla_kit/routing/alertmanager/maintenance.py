"""The calendar's maintenance as silences: made ahead, extended, and ended when a window is withdrawn.

Only what was made here for the same catalogue and environment is ever touched. It is known by who made it and by a
mark in its comment: ``[sla-kit:CATALOGUE:WINDOW:END]``, the first two hashed, the last in epoch seconds.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from msgspec.structs import replace

from sla_kit.catalogue.calendar import intervals
from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue
from sla_kit.routing.alertmanager.connection import AlertmanagerError
from sla_kit.routing.alertmanager.silences import CLOSE_SECONDS, Client, Silence, extended
from sla_kit.selectors import Matcher

CREATED_BY = "sla-kit"
#: The dead man's switch goes on during maintenance.
_HEARTBEAT = "Watchdog"
_MARK = re.compile(r"\[sla-kit:([0-9a-f]{8}):([0-9a-f]{16}):(\d{1,12})\]$")
#: What is left of a window when it is no longer worth a silence, in seconds.
_TOO_SHORT = 30
_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Synced:
    """What was done, or would be: silences made, changed (their end or their words) and ended, those that were right
    already, and those that somebody ended by hand, which are not made again."""

    created: list[Silence] = field(default_factory=list)
    changed: list[Silence] = field(default_factory=list)
    expired: list[Silence] = field(default_factory=list)
    kept: list[Silence] = field(default_factory=list)
    by_hand: list[Silence] = field(default_factory=list)


def sync(client: Client, catalogue: Catalogue, now: float, *, days: float = 7.0, dry_run: bool = False) -> Synced:
    """Brings Alertmanager's silences to what the calendar says of the next ``days``, and reads them back.

    ``now`` is in epoch seconds. Where the calendar can't be read nothing is changed. Raises `AlertmanagerError`, and
    `SlaKitError` for the calendar.
    """
    horizon = now + days * _DAY
    planned = plan(wanted(catalogue, now, horizon), client.silences(), scope_of(catalogue), horizon)
    if dry_run:
        return planned
    for silence in planned.expired:
        client.expire(silence.id)
    made = [replace(silence, id=client.make(silence)) for silence in (*planned.created, *planned.changed)]
    if made or planned.expired:
        wrong = client.settled(
            ((silence.id, silence.ends_at) for silence in made), (silence.id for silence in planned.expired)
        )
        if wrong:
            raise AlertmanagerError(
                f"not all silences are as they were made: {'; '.join(wrong)}",
                place=client.name,
                remedy="see its log, and whether the members of its cluster know of each other",
            )
    count = len(planned.created)
    return Synced(made[:count], made[count:], planned.expired, planned.kept, planned.by_hand)


def wanted(catalogue: Catalogue, now: float, until: float) -> list[Silence]:
    """The silences that the calendar asks for between two moments (epoch seconds), in order of time."""
    found: dict[str, Silence] = {}
    for window in intervals(catalogue.calendar.maintenance, int(now), int(until), catalogue.timezone, catalogue.folder):
        if window.end - now <= _TOO_SHORT:
            continue
        silence = _silence(window, catalogue, now)
        mark = _window_of(silence)
        earlier = found.get(mark)
        if earlier is None or earlier.ends_at < silence.ends_at:
            found[mark] = silence
    return list(found.values())


def plan(wanted: Sequence[Silence], existing: Iterable[Silence], scope: str, horizon: float) -> Synced:
    """What is to be done so that those that exist become those that are wanted. What begins after ``horizon`` was made
    by somebody who looked further, and is left."""
    mine: dict[str, list[Silence]] = {}
    for each in sorted(existing, key=lambda silence: (silence.starts_at, silence.id)):
        mark = _MARK.search(each.comment)
        if each.created_by == CREATED_BY and mark is not None and mark[1] == scope:
            mine.setdefault(mark[2], []).append(each)
    done = Synced()
    for silence in wanted:
        known = mine.pop(_window_of(silence), [])
        live = [each for each in known if each.state != "expired"]
        if live:
            first, *twice = live
            done.expired.extend(twice)
            if abs(first.ends_at - silence.ends_at) < CLOSE_SECONDS and first.comment == silence.comment:
                done.kept.append(first)
            else:
                done.changed.append(extended(first, silence.ends_at, silence.comment))
        elif ended := [each for each in known if _ended_by_hand(each)]:
            done.by_hand.append(ended[-1])
        else:
            done.created.append(silence)
    for left in mine.values():
        done.expired.extend(each for each in left if each.state != "expired" and each.starts_at < horizon)
    return done


def scope_of(catalogue: Catalogue) -> str:
    """What tells the silences of one catalogue and environment from those of others in the same Alertmanager."""
    return _hashed([catalogue.name, catalogue.environment], 8)


def matchers_of(services: Sequence[str], catalogue: Catalogue) -> tuple[Matcher, ...]:
    """Which alerts maintenance of services concerns, of all where there are none: then also those that name no service
    where the environment tells whose they are, but never the dead man's switch."""
    environment = catalogue.environment
    names = list(services) or [service.name for service in catalogue.services]
    whole = not services and bool(environment)
    found = [_any_of("service", [*names, ""] if whole else names)]
    if whole:
        found += [Matcher("environment", "=", environment), Matcher("alertname", "!=", _HEARTBEAT)]
    elif environment:
        # An alert that does not say where it comes from comes from here.
        found.append(_any_of("environment", [environment, ""]))
    return tuple(found)


def _any_of(label: str, values: Sequence[str]) -> Matcher:
    if len(values) == 1:
        return Matcher(label, "=", values[0])
    return Matcher(label, "=~", "|".join(_literal(value) for value in dict.fromkeys(values)))


def _literal(value: str) -> str:
    """A value in a regular expression of Go, which knows fewer escapes than Python writes."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", value)


def _silence(window: Interval, catalogue: Catalogue, now: float) -> Silence:
    matchers = matchers_of(window.services, catalogue)
    told = [[each.label, each.operator, each.value] for each in matchers]
    ident = _hashed([window.start, window.name, told], 16)
    reason = f": {window.reason}" if window.reason else ""
    approved = f", approved by {window.approved_by}" if window.approved_by else ""
    mark = f"[sla-kit:{scope_of(catalogue)}:{ident}:{window.end}]"
    return Silence(
        matchers=matchers,
        starts_at=max(float(window.start), now),
        ends_at=float(window.end),
        created_by=CREATED_BY,
        comment=" ".join(f"Maintenance {window.name}{reason}{approved} {mark}".split()),
    )


def _window_of(silence: Silence) -> str:
    mark = _MARK.search(silence.comment)
    assert mark is not None
    return mark[2]


def _ended_by_hand(silence: Silence) -> bool:
    """Whether it had begun and was over before the end that it was made with."""
    mark = _MARK.search(silence.comment)
    assert mark is not None
    begun = silence.ends_at - silence.starts_at >= CLOSE_SECONDS
    return begun and float(mark[3]) - silence.ends_at >= CLOSE_SECONDS


def _hashed(value: object, length: int) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:length]
