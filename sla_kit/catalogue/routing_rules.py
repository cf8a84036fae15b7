"""What the router's settings and the routes must hold beyond their types: addresses that are some, secrets that stay
where they are, lengths of time that can be, names that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator
from email.utils import parseaddr
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec

from sla_kit.catalogue.hours import parse_hours
from sla_kit.catalogue.model import Catalogue, Route
from sla_kit.catalogue.routing import Routing
from sla_kit.configuration.places import Findings, Path
from sla_kit.configuration.secrets import Secret, check_secret
from sla_kit.serving.addresses import Address, is_loopback, parse_address

#: What must not stand in a file that is shared: tokens and webhooks of Slack, passwords in addresses, and integration
#: keys of PagerDuty.
SECRET = re.compile(
    r"hooks\.slack\.com|\bxox[a-z]-|\bxapp-|://[^/\s@]*:[^/\s@]*@|^([0-9a-f]{32}|R0[A-Z0-9]{30})$", re.I
)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
_ALL_LABELS = "..."
_HERE: Path = ("routing",)
_NATIVE = {
    "hours": "Alertmanager can't go on to the next route where hours don't hold",
    "event": "Alertmanager knows no live events",
    "escalate": "Alertmanager can't escalate",
}


def check_routing(catalogue: Catalogue, findings: Findings) -> None:
    """Notes every mistake of ``routing``, and of the conditions of ``routes`` that are about more than names."""
    for index, route in enumerate(catalogue.routes):
        _route(catalogue, route, ("routes", index), findings)
    if findings.places.broken(_HERE):
        return
    routing = catalogue.routing
    _secrets(routing, _HERE, findings)
    _lengths(routing, findings)
    _listening(routing, findings)
    _addresses(catalogue, findings)
    _email(routing, findings)
    _names(catalogue, findings)


# --- routes ---------------------------------------------------------------------------------------------------------


def _route(catalogue: Catalogue, route: Route, path: Path, findings: Findings) -> None:
    for number, text in enumerate(route.hours):
        try:
            parse_hours(text)
        except ValueError as error:
            findings.say((*path, "hours", number), *_parted(str(error)))
    if route.timezone:
        if not _zone_exists(route.timezone):
            findings.say((*path, "timezone"), f"there is no time zone {route.timezone!r}", "such as Europe/Berlin")
        elif not route.hours and findings.places.complete((*path, "hours")):
            findings.say((*path, "timezone"), "timezone means nothing without hours", 'hours: ["mon-fri 09:00-17:00"]')
    _contacts(catalogue, route.escalate, (*path, "escalate"), findings)
    services = [service for service in catalogue.services if not route.service or service.name in route.service]
    known = [slo.name for service in services for slo in service.slos]
    known += [f"{service.name}/{slo.name}" for service in services for slo in service.slos]
    pools: list[Path] = [("services",), (*path, "service")]
    pools += [("services", index, "slos") for index in range(len(catalogue.services))]
    for number, name in enumerate(route.slo):
        what = f"SLO of {' or '.join(route.service)}" if route.service else "SLO"
        findings.expect(name, known, (*path, "slo", number), what, pools)
    if catalogue.monitoring.delivery.through == "native":
        for key, message in _NATIVE.items():
            if getattr(route, key):
                findings.say((*path, key), message, "deliver through: router, or leave it out")


def _parted(message: str) -> tuple[str, str]:
    """A message and its hint."""
    said, _, hint = message.partition("; ")
    return said, hint


def _zone_exists(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (LookupError, ValueError, OSError):
        return False
    return True


def _contacts(catalogue: Catalogue, names: list[str], path: Path, findings: Findings) -> None:
    known = [contact.name for contact in catalogue.contacts]
    for number, name in enumerate(names):
        findings.expect(name, known, (*path, number), "contact", [("contacts",)])


# --- secrets --------------------------------------------------------------------------------------------------------


def _secrets(part: object, path: Path, findings: Findings) -> None:
    """Walks through all settings: each secret says where it is, and no other text looks like one."""
    if isinstance(part, Secret):
        check_secret(part, findings, path)
        if part.env and not _VARIABLE.fullmatch(part.env):  # it may be the secret itself, and is not repeated
            findings.say((*path, "env"), "is no name of a variable", "say its name, such as SLACK_BOT_TOKEN")
        elif SECRET.search(part.env):
            findings.say((*path, "env"), "looks like a secret", "say the name of the variable that holds it")
    elif isinstance(part, str) and SECRET.search(part):
        findings.say(path, "a secret stands here", _mend(path))
    else:
        for key, value in _parts(part):
            _secrets(value, (*path, key), findings)


def _mend(path: Path) -> str:
    if path[-1] == "outbox":
        return "take the password out and say outbox_password: {env: NAME} or {file: PATH} beside it"
    return "take it out of the address; secrets come from variables or files, such as {env: NAME}"


def _parts(part: object) -> Iterator[tuple[str | int, object]]:
    if isinstance(part, msgspec.Struct):
        for each in msgspec.structs.fields(part):
            yield each.encode_name, getattr(part, each.name)
    elif isinstance(part, dict):
        yield from part.items()
    elif isinstance(part, list):
        yield from enumerate(part)


# --- lengths of time and rates --------------------------------------------------------------------------------------


def _lengths(routing: Routing, findings: Findings) -> None:
    above_zero = {
        ("keep",): routing.keep,
        ("digest", "every"): routing.digest.every,
        ("storm", "within"): routing.storm.within,
        ("storm", "quiet"): routing.storm.quiet,
        ("graphs", "window"): routing.graphs.window,
        ("slack", "per_second"): routing.slack.per_second,
        ("pagerduty", "per_second"): routing.pagerduty.per_second,
        ("email", "per_second"): routing.email.per_second,
    }
    for path, value in above_zero.items():
        if not value > 0:
            hint = "messages in a second, such as 1" if path[-1] == "per_second" else "such as 1m"
            findings.say((*_HERE, *path), f"{path[-1]} must be above 0", hint)
    never_negative = {
        ("update_every",): routing.update_every,
        ("fallback", "after"): routing.fallback.after,
        ("storm", "incidents"): float(routing.storm.incidents),
    }
    for path, value in never_negative.items():
        if value < 0:
            findings.say((*_HERE, *path), f"{path[-1]} is negative")
    after = routing.dead_man.after
    if after is not None and not after > 0 and not routing.dead_man.off:
        findings.say((*_HERE, "dead_man", "after"), "after must be above 0", "off: true switches it off")


# --- addresses ------------------------------------------------------------------------------------------------------


def _listening(routing: Routing, findings: Findings) -> None:
    if not routing.listen:
        return
    path = (*_HERE, "listen")
    try:
        address = parse_address(routing.listen)
    except ValueError as error:
        findings.say(path, f"{routing.listen[:80]!r} {error}", "such as 127.0.0.1:9099, or :9099 for all addresses")
        return
    said = routing.tokens or routing.web_config or findings.places.broken((*_HERE, "web_config"))
    if not address.loopback and not said and findings.places.complete((*_HERE, "tokens")):
        hint = "say tokens: [{env: NAME}], or a web_config with basic_auth_users"
        findings.say(path, "others could send whatever they like", hint)


def _addresses(catalogue: Catalogue, findings: Findings) -> None:
    routing = catalogue.routing
    for path, url in (
        (("url",), routing.url),
        (("alertmanager", "url"), routing.alertmanager.url),
        (("graphs", "prometheus"), routing.graphs.prometheus),
        (("slack", "url"), routing.slack.url),
        (("pagerduty", "url"), routing.pagerduty.url),
    ):
        needed = path[0] in ("slack", "pagerduty")
        if (not url and not needed) or SECRET.search(url):
            continue
        parts = _web_address(url)
        if parts is None:
            findings.say((*_HERE, *path), f"{url[:80]!r} is no address", "begin with https:// or http://")
        elif needed and parts[0] == "http" and not _is_here(parts[1]):
            findings.say((*_HERE, *path), "secrets would go there without TLS", "begin with https://")
    for key in ("outbox", "ledger"):
        address: str = getattr(routing, key)
        scheme = address.partition("://")[0] if "://" in address else ""
        if scheme and scheme not in ("postgresql", "sqlite") and not SECRET.search(address):
            findings.say((*_HERE, key), f"{scheme[:40]} is no database that it can be in", "a file, or postgresql://…")
        if not address.isprintable():
            findings.say((*_HERE, key), "holds a character that no address has", "a file, or postgresql://…")
    if not routing.outbox.strip():
        findings.say((*_HERE, "outbox"), "an outbox must be somewhere", "a file, or postgresql://user@host/name")
    _alertmanager(catalogue, findings)


def _alertmanager(catalogue: Catalogue, findings: Findings) -> None:
    settings, path = catalogue.routing.alertmanager, (*_HERE, "alertmanager")
    unsaid = not any(map(findings.places.broken, [(*path, "url"), ("monitoring", "alertmanager")]))
    if settings.maintenance and not settings.url and not catalogue.monitoring.alertmanager and unsaid:
        findings.say((*path, "maintenance"), "silences need Alertmanager's address", "say url beside it")
    _pair(settings.user, settings.password, path, findings)
    if settings.token is not None and (settings.user or settings.password is not None):
        findings.say((*path, "token"), "a token can't stand beside a user and password", "Alertmanager asks for one")


def _pair(user: str, password: Secret | None, path: Path, findings: Findings) -> None:
    """A user and a password come together."""
    if user and password is None and not findings.places.broken((*path, "password")):
        findings.say((*path, "user"), "a user without a password", "say password: {env: NAME} or {file: PATH}")
    elif password is not None and not user and not findings.places.broken((*path, "user")):
        findings.say((*path, "password"), "a password without a user", "say user beside it")


def _email(routing: Routing, findings: Findings) -> None:
    settings, path = routing.email, (*_HERE, "email")
    _pair(settings.user, settings.password, path, findings)
    sender = parseaddr(settings.sender)[1]
    if settings.sender and not re.fullmatch(r"[^@\s,;<>]+@[^@\s,;<>]+", sender):
        findings.say((*path, "sender"), f"{settings.sender[:80]!r} is no e-mail address", "such as alerts@example.com")
    if not settings.host:
        return
    if not settings.sender and not findings.places.broken((*path, "sender")):
        findings.say((*path, "host"), "e-mail needs a sender", "sender: alerts@example.com")
    try:
        address = _mail_host(settings.host)
    except ValueError as error:
        findings.say((*path, "host"), f"{settings.host[:80]!r} {error}", "such as mail.example.com:587")
        return
    if settings.security == "none" and settings.password is not None and not address.loopback:
        findings.say((*path, "security"), "the password would go there without TLS", "starttls or tls")


def _mail_host(text: str) -> Address:
    """The host and the port, 0 where none is said. Raises ``ValueError``."""
    bare = re.fullmatch(r"\[[^\[\]]+\]|[^:]+", text) is not None
    return parse_address(f"{text}:0" if bare else text)


def _web_address(url: str) -> tuple[str, str] | None:
    """The scheme and the host of an http(s) address."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return None
    fine = parts.scheme in ("http", "https") and host and not re.search(r"\s", url)
    return (parts.scheme, host) if fine else None


def _is_here(host: str) -> bool:
    return host == "localhost" or is_loopback(host)


# --- names ----------------------------------------------------------------------------------------------------------


def _names(catalogue: Catalogue, findings: Findings) -> None:
    routing = catalogue.routing
    _contacts(catalogue, routing.dead_man.to, (*_HERE, "dead_man", "to"), findings)
    _contacts(catalogue, routing.fallback.to, (*_HERE, "fallback", "to"), findings)
    rotations = [contact.pagerduty for contact in catalogue.contacts if contact.pagerduty]
    for name in routing.pagerduty.keys:
        if SECRET.search(name):  # which is not repeated in the message
            path = (*_HERE, "pagerduty", "keys", name)
            findings.say(path, "a secret stands here", "say the rotation's name, and {env: NAME} beside it")
            continue
        findings.expect(name, rotations, (*_HERE, "pagerduty", "keys", name), "rotation", [("contacts",)])
    levels = [level.name for level in catalogue.severities]
    if levels and routing.digest.severities != Routing().digest.severities:
        for number, name in enumerate(routing.digest.severities):
            path = (*_HERE, "digest", "severities", number)
            findings.expect(name, levels, path, "severity", [("severities",)])
    if not routing.group_by and findings.places.complete((*_HERE, "group_by")):
        findings.say((*_HERE, "group_by"), "all alerts would be one incident", "such as [alertname, service]")
    for number, name in enumerate(routing.group_by):
        if name != _ALL_LABELS and not _LABEL.fullmatch(name):
            hint = "letters, digits and _, no digit first; ... means all of them"
            findings.say((*_HERE, "group_by", number), f"{name[:60]!r} can't be a label", hint)
