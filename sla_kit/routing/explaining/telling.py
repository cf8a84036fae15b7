"""An explanation as text for people, and as JSON for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sla_kit.catalogue.model import Catalogue
from sla_kit.configuration.quantities import format_duration
from sla_kit.routing.deciding import Decision
from sla_kit.routing.destinations import Destination
from sla_kit.routing.explaining.explaining import Explained, Step

_SERVICE = {"pagerduty": "PagerDuty", "slack": "Slack", "email": "E-mail"}


def tell(catalogue: Catalogue, explained: Sequence[Explained], at: float) -> str:
    """The explanation in lines of text."""
    if not explained:
        return "There are no alerts in it: nobody is told anything."
    return "\n\n".join("\n".join(_lines(catalogue, each, at)) for each in explained)


def document(catalogue: Catalogue, explained: Sequence[Explained], at: float) -> str:
    """The explanation as JSON; routes are counted from 1, as people do."""
    groups = [_as_json(catalogue, each, at) for each in explained]
    whole = {"version": 1, "catalogue": catalogue.name, "environment": catalogue.environment, "groups": groups}
    return json.dumps({**whole, "at": _rfc3339(at)}, indent=2, ensure_ascii=False)


def _lines(catalogue: Catalogue, found: Explained, at: float) -> Iterator[str]:
    yield _headline(found)
    if found.kind == "sign-of-life":
        yield "  Alertmanager's sign of life: nobody is told, and its silence is what pages."
        return
    if found.kind == "deed":
        yield f"  It concerns the incident {_shown(found.dedup_key)}; whoever was told of that is told."
        return
    if found.group_labels:
        named = ", ".join(f'{name}="{_shown(value)}"' for name, value in found.group_labels.items())
        yield f"  Grouped by {named}; dedup key {found.dedup_key}"
    elif found.kind == "alerts":
        yield f"  Grouped with all that have none of the labels it is grouped by; dedup key {found.dedup_key}"
    if found.promise:
        yield f"  Promise at stake: {_shown(found.promise)}"
    if found.mute is not None:
        reason = f" ({_shown(found.mute.reason)})" if found.mute.reason else ""
        until = _moment(catalogue, found.mute.until)
        yield f"  Muted by maintenance {_shown(found.mute.name)!r}{reason} until {until}."
        yield "  What still fires then is told:"
    if found.event:
        yield f"  Live event: {_shown(found.event)}"
    for each in found.against:
        yield f"  Route {each.route + 1} does not fit: {_shown('; '.join(each.against))}"
    decision = found.told
    if decision is None:
        return
    yield from _because(catalogue, decision)
    if not decision.destinations:
        yield "  NOBODY can be told: no contact of the catalogue has an address"
        return
    for contact, destination in decision.destinations:
        yield f"    {_what(catalogue, found, destination, decision.digest)} ({contact})"
    if found.kind == "alerts" and not found.firing:
        yield "  Only where it was told of before; what fired and ended before it was sent pages nobody."
        return
    for step in found.steps[1:]:
        yield from _step(catalogue, step, found.steps[0].at)
    if found.kind == "alerts":
        yield from _hints(catalogue, found, decision)
    for link in found.links:
        yield f"  {_shown(link.text)}: {_shown(link.url)}"


def _headline(found: Explained) -> str:
    counts = [f"{number} {word}" for number, word in ((found.firing, "firing"), (found.resolved, "resolved")) if number]
    more = ", ".join(filter(None, [_shown(found.severity), *counts]))
    kind = {"notice": "Notice: ", "change": "Change: "}.get(found.kind, "")
    return f"{kind}{_shown(found.title) or 'An alert without a name'}" + (f" ({more})" if more else "")


def _because(catalogue: Catalogue, decision: Decision) -> Iterator[str]:
    """Its reasons, a line each; the conditions of the route stand beside its number."""
    for why in decision.why[:-1]:
        yield f"  {_capital(_with_conditions(catalogue, decision, why))};"
    for why in decision.why[-1:]:
        yield f"  {_capital(_with_conditions(catalogue, decision, why))}:"


def _with_conditions(catalogue: Catalogue, decision: Decision, why: str) -> str:
    if decision.route is None:
        return _shown(why)
    route = catalogue.routes[decision.route]
    conditions = [
        f"{name} {' or '.join(values)}"
        for name in ("severity", "service", "team", "environment", "slo", "hours")
        if (values := getattr(route, name))
    ]
    conditions += [f"{route.event} a live event"] if route.event else []
    own = f"route {decision.route + 1} "
    return _shown(why.replace(own, f"{own}[{', '.join(conditions) or 'everything'}] ", 1))


def _what(catalogue: Catalogue, found: Explained, destination: Destination, digest: bool) -> str:
    service, address = _SERVICE.get(destination.kind, destination.kind), _shown(destination.address)
    when = "at once" if found.mute is None else "then"
    resolved = found.kind == "alerts" and not found.firing
    if digest:
        every = format_duration(catalogue.routing.digest.every)
        return f"{service} {address}: in a digest, at most {every} {'later' if found.mute else 'from now'}"
    if destination.kind == "pagerduty":
        what = "resolve" if resolved else "change event" if found.kind == "change" else "trigger"
        return f"{service} rotation {address}: {what}, {when}"
    if destination.kind == "slack":
        return f"{service} {address}: {'message updated, answer in its thread' if resolved else 'message'}, {when}"
    return f"{service} {address}: {'answer to the mail before' if resolved else 'mail'}, {when}"


def _step(catalogue: Catalogue, step: Step, start: float) -> Iterator[str]:
    after, moment = format_duration(round(step.at - start, 3)), _moment(catalogue, step.at)
    yield f"  If nobody has acknowledged it after {after} ({moment}), {'; '.join(step.decision.why)}:"
    for contact, destination in step.decision.destinations:
        yield f"    {_SERVICE.get(destination.kind, destination.kind)} {_shown(destination.address)} ({contact})"


def _hints(catalogue: Catalogue, found: Explained, decision: Decision) -> Iterator[str]:
    routing = catalogue.routing
    if len(found.steps) == 1 and not decision.digest:
        if not routing.escalate:
            yield "  Escalation is switched off."
        elif found.responds_within is not None:
            yield "  Nobody else is told if they do not acknowledge it: no further route fits."
    if found.fallback and not decision.digest:
        first = decision.destinations[0][1]
        others = ", ".join(_shown(str(each)) for each in found.fallback)
        after = format_duration(routing.fallback.after)
        yield f"  If {_shown(str(first))} can't be reached for {after}, word of that goes to {others}."
    if routing.storm.incidents and not decision.digest:
        within, most = format_duration(routing.storm.within), routing.storm.incidents
        yield f"  Of more than {most} new ones of its severity within {within}, the rest become one message."


def _as_json(catalogue: Catalogue, found: Explained, at: float) -> dict[str, Any]:
    return {
        "kind": found.kind,
        "title": found.title,
        "severity": found.severity,
        "service": found.service,
        "group_labels": found.group_labels,
        "dedup_key": found.dedup_key,
        "firing": found.firing,
        "resolved": found.resolved,
        "lost": found.lost,
        "responds_within_seconds": found.responds_within,
        "event": found.event,
        "promise": found.promise,
        "links": [{"text": link.text, "url": link.url} for link in found.links],
        "muted": None
        if found.mute is None
        else {"name": found.mute.name, "until": _rfc3339(found.mute.until), "reason": found.mute.reason},
        "against": [{"route": each.route + 1, "reasons": list(each.against)} for each in found.against],
        "steps": [
            {
                "at": _rfc3339(step.at),
                "after_seconds": round(step.at - at, 3),
                "route": None if step.decision.route is None else step.decision.route + 1,
                "contacts": step.decision.contacts,
                "destinations": [
                    {"contact": contact, "kind": destination.kind, "address": destination.address}
                    for contact, destination in step.decision.destinations
                ],
                "digest": step.decision.digest,
                "why": step.decision.why,
            }
            for step in found.steps
        ],
        "fallback": [str(each) for each in found.fallback],
    }


def _shown(text: str) -> str:
    """A text of others in one line, without what a terminal would obey."""
    return "".join(each if each.isprintable() else "\ufffd" for each in text)


def _moment(catalogue: Catalogue, seconds: float) -> str:
    try:
        zone: ZoneInfo | Any = ZoneInfo(catalogue.timezone)
    except (LookupError, ValueError, OSError):
        zone = UTC
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M:%S %Z")


def _rfc3339(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
