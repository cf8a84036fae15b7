"""alertmanager.yml: who is told of what, how it is grouped, what makes what superfluous, and when all are quiet.

The keys are Alertmanager's own (prometheus.io/docs/alerting/latest/configuration), those of 0.25 and later.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from sla_kit import alert_rules
from sla_kit.catalogue.model import Catalogue, Contact, Route
from sla_kit.catalogue.monitoring_rules import SLO_ALERTS
from sla_kit.generate.time_intervals import (
    EVERYTHING,
    everything_is_maintained,
    interval_name,
    maintained_services,
    time_intervals,
)

Config = dict[str, Any]
WATCHDOG = "Watchdog"
#: Receivers of our own, by names that no contact can have.
_HEARTBEAT = "_heartbeat"
_DEFAULT = "_default"
#: What is one group, and so one message.
_GROUP = ["alertname", "service", "cluster", "environment"]
#: How long a group waits for more, how often it is told anew as it changes, and again while it does not: by severity.
_TIMES = {
    "": ("30s", "5m", "4h"),
    "critical": ("10s", "1m", "1h"),
    "info": ("5m", "30m", "1d"),
}
#: The same alert, milder, of the same thing.
_SAME = ["alertname", "cluster", "environment", "namespace", "service", "slo", "sli", "instance", "pod"]
_TITLE = "[{{ .Status | toUpper }}] {{ .CommonLabels.alertname }}{{ with .CommonLabels.service }} {{ . }}{{ end }}"
_SEVERITY = "{{ with .CommonLabels.severity }}{{ . }}{{ else }}error{{ end }}"


def alertmanager_config(catalogue: Catalogue, at: float) -> Config:
    """The configuration for a catalogue; ``at`` is from when on maintenance is written down."""
    routed = [*_expressible(catalogue), *_by_team(catalogue)]
    names = dict.fromkeys(_name(route.to) for route in routed)
    contacts = {contact.name: contact for contact in catalogue.contacts}
    receivers = [
        _receiver(catalogue, name, [contacts[each] for each in name.split("+") if each in contacts]) for name in names
    ]
    receivers.insert(0, _receiver(catalogue, _DEFAULT, _addressed(catalogue.contacts)[:1]))
    watched = any(each.alert.always for each in alert_rules.resolved(catalogue))
    intervals = time_intervals(catalogue, at)
    routes = [_watchdog()] if watched else []
    routes += [
        each
        for route in routed
        for services, conditions in _alternatives(route)
        for each in _routes(catalogue, services, conditions, _name(route.to))
    ]
    if intervals and not any(_takes_all(route) for route in routed):
        routes += _routes(catalogue, (), [], _DEFAULT)
    wait, interval, repeat = _TIMES[""]
    return {
        **_global(catalogue),
        "route": {
            "receiver": _DEFAULT,
            "group_by": _group_by(catalogue),
            "group_wait": wait,
            "group_interval": interval,
            "repeat_interval": repeat,
            **({"routes": routes} if routes else {}),
        },
        "inhibit_rules": inhibitions(catalogue),
        **({"time_intervals": intervals} if intervals else {}),
        "receivers": [*receivers, *([_heartbeat(catalogue)] if watched else [])],
    }


def inhibitions(catalogue: Catalogue) -> list[Config]:
    """What makes what superfluous: an alert its milder self, and those that name others which do."""
    found = [
        {
            "source_matchers": ['severity="critical"'],
            "target_matchers": ['severity=~"warning|info"'],
            "equal": list(_SAME),
        },
        {
            "source_matchers": [f'alertname=~"{SLO_ALERTS[0]}|{SLO_ALERTS[2]}"'],
            "target_matchers": [f'alertname="{SLO_ALERTS[1]}"'],
            "equal": ["environment", "cluster", "service", "slo"],
        },
    ]
    present = {each.alert.name: each.alert for each in alert_rules.resolved(catalogue)}
    renamed = catalogue.monitoring.labels
    groups: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for alert in present.values():
        kinds = ((alert.inhibited_by, alert.inhibition_labels), (alert.cluster_inhibited_by, ("cluster",)))
        for named, by in kinds:
            if sources := tuple(name for name in named if name in present):
                labels = ("environment", *(renamed.get(label, label) for label in by))
                groups.setdefault((sources, labels), []).append(alert.name)
    for (sources, labels), targets in groups.items():
        found.append(
            {
                "source_matchers": [f'alertname=~"{"|".join(sources)}"'],
                "target_matchers": [f'alertname=~"{"|".join(targets)}"'],
                "equal": list(labels),
            }
        )
    return found


def _global(catalogue: Catalogue) -> Config:
    delivery = catalogue.monitoring.delivery
    if delivery.through == "router":
        return {}
    settings: Config = {"resolve_timeout": "5m"}
    if any(contact.email for contact in catalogue.contacts):
        settings["smtp_smarthost"] = delivery.smarthost
        settings["smtp_from"] = delivery.sender
        if delivery.smtp_user:
            settings["smtp_auth_username"] = delivery.smtp_user
            settings["smtp_auth_password_file"] = f"{delivery.secrets.rstrip('/')}/smtp-password"
    if any(contact.slack for contact in catalogue.contacts):
        settings["slack_api_url_file"] = f"{delivery.secrets.rstrip('/')}/slack-url"
    return {"global": settings}


def _group_by(catalogue: Catalogue) -> list[str]:
    """As the router groups, so that one message tells of one incident."""
    if catalogue.monitoring.delivery.through == "native":
        return list(_GROUP)
    by = catalogue.routing.group_by
    return ["..."] if "..." in by else list(by)


def _expressible(catalogue: Catalogue) -> list[Route]:
    """The routes that Alertmanager can decide by. Those with hours or live events the router decides, for which the
    name of a receiver is no more than a hint; native delivery can't have them (`sla-kit check` tells)."""
    return [route for route in catalogue.routes if not route.hours and route.event is None]


def _by_team(catalogue: Catalogue) -> list[Route]:
    """What goes to the team that an alert names, where no route of the catalogue takes all that is left."""
    if any(_takes_all(route) for route in _expressible(catalogue)):
        return []
    return [Route(to=[contact.name], team=[contact.name]) for contact in _addressed(catalogue.contacts)]


def _addressed(contacts: Sequence[Contact]) -> list[Contact]:
    """The contacts that can be reached."""
    return [contact for contact in contacts if contact.email or contact.slack or contact.pagerduty]


def _routes(catalogue: Catalogue, services: Sequence[str], conditions: Sequence[str], receiver: str) -> list[Config]:
    """A route, and before it one for each service it may be about whose maintenance mutes it."""
    always = [EVERYTHING] if everything_is_maintained(catalogue) else []
    mine = [name for name in maintained_services(catalogue) if not services or name in services]
    before = [
        _route([*conditions, f'service="{_quoted(name)}"'], receiver, [*always, interval_name(name)]) for name in mine
    ]
    return [*before, _route(conditions, receiver, always)]


def _route(conditions: Sequence[str], receiver: str, muted: Sequence[str]) -> Config:
    """A route whose groups are told as their severity asks for. Muting is no child's inheritance: each says it."""
    quiet = {"mute_time_intervals": list(muted)} if muted else {}
    children = []
    for severity in ("critical", "info"):
        wait, interval, repeat = _TIMES[severity]
        times = {"group_wait": wait, "group_interval": interval, "repeat_interval": repeat}
        children.append({"matchers": [f'severity="{severity}"'], **times, **quiet})
    matchers = {"matchers": list(conditions)} if conditions else {}
    return {**matchers, "receiver": receiver, **quiet, "routes": children}


def _watchdog() -> Config:
    """The dead man's switch: told again and again, so that its silence says something. A repeat interval below the
    group's is what makes Alertmanager send at every turn."""
    return {
        "matchers": [f'alertname="{WATCHDOG}"'],
        "receiver": _HEARTBEAT,
        "group_wait": "0s",
        "group_interval": "1m",
        "repeat_interval": "50s",
    }


def _takes_all(route: Route) -> bool:
    """Whether nothing is left for the routes behind it."""
    return not any(conditions for _, conditions in _alternatives(route))


def _alternatives(route: Route) -> list[tuple[list[str], list[str]]]:
    """The services that a route may be about (none: all), and its conditions. SLOs of one service are an alternative of
    their own, since no matcher holds two labels."""
    found: dict[str, list[str]] = {}
    for name in route.slo:
        service, _, slo = name.rpartition("/")
        found.setdefault(service, []).append(slo)
    if not found:
        return [(route.service, _conditions(route))]
    alternatives = []
    for service, slos in found.items():
        of_service = [f'service="{_quoted(service)}"'] if service and route.service != [service] else []
        services = [service] if service else route.service
        alternatives.append((services, [*_conditions(route), *of_service, _matcher("slo", slos)]))
    return alternatives


def _conditions(route: Route) -> list[str]:
    return [
        _matcher(label, values)
        for label in ("severity", "service", "team", "environment")
        if (values := getattr(route, label))
    ]


def _matcher(label: str, values: Sequence[str]) -> str:
    if len(values) == 1:
        return f'{label}="{_quoted(values[0])}"'
    return f'{label}=~"{_quoted("|".join(re.escape(value) for value in values))}"'


def _receiver(catalogue: Catalogue, name: str, contacts: Sequence[Contact]) -> Config:
    delivery = catalogue.monitoring.delivery
    if delivery.through == "router":
        return {"name": name, "webhook_configs": [_webhook(catalogue)]}
    slack, pager, mail = [], [], []
    secrets = delivery.secrets.rstrip("/")
    for contact in contacts:
        if contact.slack:
            slack.append(
                {"channel": contact.slack, "send_resolved": True, "title": _TITLE, "text": _slack_text(catalogue)}
            )
        if contact.pagerduty:
            key = f"{secrets}/pagerduty-{contact.pagerduty}"
            pager.append({"routing_key_file": key, "send_resolved": True, **_page(catalogue)})
        if contact.email:
            mail.append({"to": contact.email, "send_resolved": True, "headers": {"Subject": _TITLE}})
    kinds = {"slack_configs": slack, "pagerduty_configs": pager, "email_configs": mail}
    return {"name": name, **{kind: configs for kind, configs in kinds.items() if configs}}


def _slack_text(catalogue: Catalogue) -> str:
    """Every alert of a group; a runbook is a link where the catalogue says where they are to be read."""
    runbook = "<{{ .Annotations.runbook_url }}|runbook>" if catalogue.runbooks else "{{ .Annotations.runbook_url }}"
    return (
        "{{ range .Alerts }}*{{ .Annotations.summary }}*\n{{ .Annotations.description }}\n"
        f"{runbook}{{{{ with .Annotations.dashboard_url }}}} · <{{{{ . }}}}|dashboard>{{{{ end }}}}\n{{{{ end }}}}"
    )


def _page(catalogue: Catalogue) -> Config:
    """What PagerDuty shows: our severities are three of its own four."""
    found: Config = {"description": _TITLE, "severity": _SEVERITY}
    links = []
    if catalogue.runbooks:
        links.append({"href": "{{ (index .Alerts 0).Annotations.runbook_url }}", "text": "runbook"})
    if catalogue.monitoring.grafana:
        links.append({"href": "{{ (index .Alerts 0).Annotations.dashboard_url }}", "text": "dashboard"})
    return {**found, **({"links": links} if links else {})}


def _webhook(catalogue: Catalogue) -> Config:
    delivery = catalogue.monitoring.delivery
    config: Config = {"url": delivery.router, "send_resolved": True}
    if delivery.token:
        path = f"{delivery.secrets.rstrip('/')}/{delivery.token}"
        config["http_config"] = {"authorization": {"credentials_file": path}}
    return config


def _heartbeat(catalogue: Catalogue) -> Config:
    """Who hears the dead man's switch: nobody where there is no such address, and never the people it would tire."""
    delivery = catalogue.monitoring.delivery
    if delivery.heartbeat:
        return {"name": _HEARTBEAT, "webhook_configs": [{"url": delivery.heartbeat, "send_resolved": False}]}
    if delivery.through == "native":
        return {"name": _HEARTBEAT}
    return {"name": _HEARTBEAT, "webhook_configs": [{**_webhook(catalogue), "send_resolved": False}]}


def _name(target: Sequence[str]) -> str:
    """A receiver's name: who is told."""
    return "+".join(target)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
