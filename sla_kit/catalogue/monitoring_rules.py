"""What the catalogue says of its monitoring: names of alerts, areas, thresholds and exporters that exist, values that
can be."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path as Folder
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.monitoring import OFF, ON, Jobs, RuleSettings
from sla_kit.configuration.places import Findings, Path, nearest

if TYPE_CHECKING:
    from sla_kit.alert_rules.alert import Alert

#: Where the function of a dashboard is: a module's, or a file's of the catalogue's folder.
PLACE = re.compile(r"(?:(?P<file>[^:]+\.py)|(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)):(?P<function>[A-Za-z_]\w*)")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
#: The alerts that follow from SLOs, which no module of alert rules declares, and their area.
SLO_ALERTS = (
    "SloErrorBudgetBurn",
    "SloErrorBudgetRunsOut",
    "SloErrorBudgetSpent",
    "SloNoData",
    "SloRecoveryTooSlow",
)
SLO_AREA = "slo"


def check_monitoring(catalogue: Catalogue, findings: Findings) -> None:
    """Notes every mistake in ``monitoring``, of the catalogue and of its services."""
    monitoring, here = catalogue.monitoring, ("monitoring",)
    if findings.places.broken(here):
        return
    contacts = [contact.name for contact in catalogue.contacts]
    for key in ("scrape_interval", "evaluation_interval"):
        if getattr(monitoring, key) < 1:
            findings.say((*here, key), f"{key} is shorter than a second", "15s is usual")
    if monitoring.slo.min_bad_events < 0:
        findings.say((*here, "slo", "min_bad_events"), "min_bad_events is negative", "0 lets a single bad event page")
    if not monitoring.slo.event_burn_factor > 0:
        findings.say((*here, "slo", "event_burn_factor"), "event_burn_factor must be above 0", "1 changes nothing")
    for index, label in enumerate(monitoring.keep_labels):
        _label(label, (*here, "keep_labels", index), findings)
    for key in ("labels", "external_labels"):
        for name, value in getattr(monitoring, key).items():
            _label(name, (*here, key, name), findings)
            if key == "labels":
                _label(value, (*here, key, name), findings)
    for key in ("grafana", "kibana", "alertmanager"):
        _url(getattr(monitoring, key), (*here, key), findings)
    if monitoring.delivery.through == "router":
        _url(monitoring.delivery.router, (*here, "delivery", "router"), findings)
    _url(monitoring.delivery.heartbeat, (*here, "delivery", "heartbeat"), findings)
    if monitoring.delivery.through == "native":
        _reachable(catalogue, findings)
    if monitoring.areas or monitoring.teams:
        from sla_kit.alert_rules import AREAS

        areas = [*AREAS, SLO_AREA]
        for key in ("areas", "teams"):
            for name in getattr(monitoring, key):
                findings.expect(name, areas, (*here, key, name), "area of alerts", ())
        for name, team in monitoring.teams.items():
            findings.expect(team, contacts, (*here, "teams", name), "contact", [("contacts",)])
    _dashboards(catalogue, (*here, "dashboards"), findings)
    _jobs(monitoring.jobs, (*here, "jobs"), findings)
    _settings(monitoring.rules, (*here, "rules"), catalogue, findings)
    for index, service in enumerate(catalogue.services):
        there = ("services", index, "monitoring")
        _jobs(service.monitoring.jobs, (*there, "jobs"), findings)
        _settings(service.monitoring.rules, (*there, "rules"), catalogue, findings)


def _reachable(catalogue: Catalogue, findings: Findings) -> None:
    """Notes whom Alertmanager could not tell anything, where nobody stands between it and them."""
    addressed = {each.name for each in catalogue.contacts if each.email or each.slack or each.pagerduty}
    if not addressed:
        hint = "give a contact an email, a slack channel or a pagerduty rotation"
        findings.say(("monitoring", "delivery", "through"), "native delivery has nobody to deliver to", hint)
        return
    known = {each.name for each in catalogue.contacts}
    for index, route in enumerate(catalogue.routes):
        for number, name in enumerate(route.to):
            if name in known and name not in addressed:
                hint = "give it an email, a slack channel or a pagerduty rotation"
                findings.say(("routes", index, "to", number), f"{name} has no address that alerts can go to", hint)
    uses_mail = any(each.email for each in catalogue.contacts)
    for key in ("smarthost", "sender") if uses_mail else ():
        if not getattr(catalogue.monitoring.delivery, key):
            hint = "such as smtp.example.com:587" if key == "smarthost" else "such as alerts@example.com"
            findings.say(("monitoring", "delivery"), f"e-mail needs a {key}", hint)


def _dashboards(catalogue: Catalogue, path: Path, findings: Findings) -> None:
    """Notes what can't lead to the function of a dashboard. The code itself is not looked at, nor run."""
    for name, written in catalogue.monitoring.dashboards.items():
        if written.lower() in OFF | ON:
            continue
        found = PLACE.fullmatch(written)
        if not found:
            hint = "off, or its function: my_package.boards:orders, boards/orders.py:dashboard"
            findings.say((*path, name), f"{written!r} leads to no dashboard", hint)
        elif found["file"] and catalogue.folder and not (Folder(catalogue.folder) / found["file"]).is_file():
            findings.say(
                (*path, name), f"there is no file {found['file']}", "it is looked for in the catalogue's folder"
            )


def _jobs(jobs: Mapping[str, Jobs], path: Path, findings: Findings) -> None:
    if not jobs:
        return
    from sla_kit.alert_rules.inventory import exporters

    known = list(exporters())
    for exporter, names in jobs.items():
        findings.expect(exporter, known, (*path, exporter), "exporter", ())
        if not names or not all(name.strip() for name in ([names] if isinstance(names, str) else names)):
            findings.say((*path, exporter), f"no job is named for {exporter}", "leave the key out to use the usual one")


def _settings(rules: Mapping[str, bool | RuleSettings], path: Path, catalogue: Catalogue, findings: Findings) -> None:
    if not rules:
        return
    from sla_kit.alert_rules import areas

    alerts = {alert.name: alert for area in areas() for alert in area.alerts}
    severities = ["critical", "warning", "info", *(level.name for level in catalogue.severities)]
    contacts = [contact.name for contact in catalogue.contacts]
    for name, settings in rules.items():
        here = (*path, name)
        known = findings.expect(name, [*alerts, *SLO_ALERTS], here, "alert", ())
        if not isinstance(settings, RuleSettings):
            continue
        if settings.severity:
            findings.expect(settings.severity, severities, (*here, "severity"), "severity", [("severities",)])
        if settings.team:
            findings.expect(settings.team, contacts, (*here, "team"), "contact", [("contacts",)])
        for label in settings.labels:
            _label(label, (*here, "labels", label), findings)
        if known:
            _thresholds(alerts.get(name), settings.thresholds, (*here, "thresholds"), findings)
            if settings.during_events is not None:
                during = (*here, "during_events", "thresholds")
                _thresholds(alerts.get(name), settings.during_events.thresholds, during, findings)


def _thresholds(alert: Alert | None, written: Mapping[str, str], path: Path, findings: Findings) -> None:
    if not written:
        return
    from sla_kit.alert_rules.settings import threshold_value

    known = {} if alert is None else alert.thresholds
    for name, text in written.items():
        here = (*path, name)
        if name not in known:
            whose = alert.name if alert else "an alert of SLOs"
            hint = nearest(name, known) or "it has none"
            findings.say(here, f"{whose} has no threshold {name!r}", hint)
            continue
        try:
            threshold_value(known[name], str(text))
        except ValueError as error:
            usual = {"ratio": "such as 85%", "seconds": "such as 15m", "window": "such as 15m"}
            findings.say(here, f"{name}: {text!r} {error}", usual.get(known[name].unit, "a number"))


def _label(name: str, path: Path, findings: Findings) -> None:
    if not _LABEL.fullmatch(name) or name.startswith("__"):
        findings.say(path, f"{name!r} can't be a label", "letters, digits and _, no digit first")


def _url(address: str, path: Path, findings: Findings) -> None:
    if address and (urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc):
        findings.say(path, f"{address!r} is no address", "begin with https:// or http://")
