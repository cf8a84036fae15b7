"""A Markdown page an alert: what it means, what to look at first, and what this catalogue knows of it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from sla_kit import alert_rules
from sla_kit.alert_rules.expanding import people_text
from sla_kit.alert_rules.runbook import source
from sla_kit.catalogue.model import Catalogue, Contact, Route, Service
from sla_kit.configuration.quantities import format_duration
from sla_kit.generate.files import Output
from sla_kit.rules.model import AlertingRule, RuleFile


@dataclass(frozen=True, slots=True)
class _Page:
    """What is written of one alert: its rules, and for those of an area its thresholds as they are set."""

    name: str
    area: str
    rules: tuple[AlertingRule, ...]
    thresholds: tuple[str, ...] = ()
    promises: tuple[str, ...] = ()


def runbooks(catalogue: Catalogue, files: Iterable[RuleFile]) -> tuple[Output, ...]:
    """A page for every alert in some rule files, and an index of them."""
    pages = list(_pages(catalogue, files))
    outputs = [Output(f"runbooks/{page.name}.md", "\n".join(_text(catalogue, page))) for page in pages]
    return (Output("runbooks/README.md", "\n".join(_index(catalogue, pages))), *outputs) if pages else ()


def _pages(catalogue: Catalogue, files: Iterable[RuleFile]) -> Iterator[_Page]:
    thresholds: dict[str, dict[str, None]] = {}
    promises: dict[str, tuple[str, ...]] = {}
    for each in alert_rules.resolved(catalogue):
        promises[each.alert.name] = each.alert.promises
        whose = f" ({each.settings.scope.service.name})" if each.settings.scope.service else ""
        for name, value in each.settings.thresholds.items():
            declared = each.alert.thresholds[name]
            line = f"`{name}`: {people_text(value, declared.unit)}, {declared.meaning}{whose}"
            thresholds.setdefault(each.alert.name, {})[line] = None
    by_name: dict[str, list[AlertingRule]] = {}
    for file in files:
        for group in file.groups:
            for rule in group.rules:
                if isinstance(rule, AlertingRule):
                    by_name.setdefault(rule.alert, []).append(rule)
    for name, rules in sorted(by_name.items()):
        area = rules[0].labels.get("area", "slo")
        yield _Page(name, area, tuple(rules), tuple(thresholds.get(name, ())), promises.get(name, ()))


def _text(catalogue: Catalogue, page: _Page) -> Iterator[str]:
    first = page.rules[0]
    severities = ", ".join(dict.fromkeys(rule.labels.get("severity", "") for rule in page.rules))
    yield f"# {page.name}\n"
    yield f"> {_plain(first.annotations.get('summary', ''))}\n"
    yield "| | |\n| --- | --- |"
    yield f"| severity | {severities}{_response(catalogue, page)} |"
    yield f"| area | {page.area} |"
    services = list(dict.fromkeys(rule.labels["service"] for rule in page.rules if "service" in rule.labels))
    if services:
        yield f"| services | {', '.join(_service(catalogue, name) for name in services)} |"
    yield f"| fires after | {', '.join(dict.fromkeys(_length(rule.pending_seconds) for rule in page.rules))} |"
    dashboard = first.annotations.get("dashboard_url", "")
    if dashboard:
        yield f"| dashboard | <{dashboard}> |"
    yield ""
    body = source(page.area, page.name, catalogue.folder).strip()
    yield (body or "## Meaning\n\n" + _plain(first.annotations.get("description", ""))) + "\n"
    yield from _promises(catalogue, page, services)
    if page.thresholds:
        yield "## Thresholds\n"
        yield from (f"- {line}" for line in page.thresholds)
        yield f"\nThey are set in the catalogue, under `monitoring: {{rules: {{{page.name}: …}}}}`.\n"
    yield from _people(catalogue, page)
    yield "## Rule\n"
    for expression in list(dict.fromkeys(rule.expression for rule in page.rules))[:3]:
        yield f"```promql\n{expression}\n```\n"


def _promises(catalogue: Catalogue, page: _Page, services: list[str]) -> Iterator[str]:
    """Which of the catalogue's promises suffer: those of the alert's services, or of its kind."""
    mine = [
        f"`{service.name}/{slo.name}` ({slo.objective * 100:.6g} %)"
        for service, slo in catalogue.slos()
        if (not services or service.name in services)
        and (
            any(
                rule.labels.get("slo") == slo.name and rule.labels.get("service") == service.name for rule in page.rules
            )
            or (slo.promise in page.promises and slo.promise)
        )
    ]
    if mine:
        yield "## Promises at risk\n"
        yield from (f"- {line}" for line in dict.fromkeys(mine))
        yield ""


def _people(catalogue: Catalogue, page: _Page) -> Iterator[str]:
    """Whose alert it is, and who is told, as the catalogue's routes have it."""
    contacts = {contact.name: contact for contact in catalogue.contacts}
    teams = dict.fromkeys(rule.labels["team"] for rule in page.rules if "team" in rule.labels)
    told = dict.fromkeys(name for rule in page.rules for name in _route_of(catalogue, rule))
    if not teams and not told:
        return
    yield "## Contacts\n"
    if teams:
        yield f"- owner: {', '.join(_contact(contacts[name]) if name in contacts else name for name in teams)}"
    for name in told:
        if name in contacts:
            yield f"- told: {_contact(contacts[name])}"
    yield ""


def _route_of(catalogue: Catalogue, rule: AlertingRule) -> list[str]:
    def fits(route: Route) -> bool:
        return all(
            not wanted or rule.labels.get(label, "") in wanted
            for label, wanted in (
                ("severity", route.severity),
                ("service", route.service),
                ("team", route.team),
                ("environment", route.environment),
            )
        )

    return next((route.to for route in catalogue.routes if fits(route)), [])


def _response(catalogue: Catalogue, page: _Page) -> str:
    levels = {level.name: level for level in catalogue.severities}
    for rule in page.rules:
        level = levels.get(rule.labels.get("severity", ""))
        if level is not None and level.respond_within:
            return f"; respond within {format_duration(level.respond_within)}"
    return ""


def _service(catalogue: Catalogue, name: str) -> str:
    service: Service | None = next((each for each in catalogue.services if each.name == name), None)
    return f"[{name}]({service.runbook})" if service is not None and service.runbook else name


def _contact(contact: Contact) -> str:
    ways = [contact.email, contact.slack, f"PagerDuty {contact.pagerduty}" if contact.pagerduty else ""]
    return f"{contact.name} ({', '.join(_plain(way) for way in ways if way)})" if any(ways) else contact.name


def _index(catalogue: Catalogue, pages: list[_Page]) -> Iterator[str]:
    yield f"# Runbooks of {_plain(catalogue.name)}\n"
    for area in dict.fromkeys(page.area for page in pages):
        yield f"## {area}\n"
        for page in pages:
            if page.area == area:
                yield f"- [{page.name}]({page.name}.md): {_plain(page.rules[0].annotations.get('summary', ''))}"
        yield ""


def _length(seconds: float) -> str:
    return str(format_duration(seconds)) if seconds else "at once"


def _plain(text: str) -> str:
    """A text with no Markdown of its own; a template's value is told as its name."""
    text = re.sub(r"\{\{-?\s*\$labels\.(\w+)[^}]*\}\}", r"<\1>", text)
    text = re.sub(r"\{\{[^}]*\}\}", "<value>", text)
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(text.split()))
