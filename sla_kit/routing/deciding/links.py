"""Where to read on about an incident: only addresses that are known, and only those that a browser may open."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from sla_kit.catalogue.model import Catalogue
from sla_kit.routing.deciding.subjects import value_of
from sla_kit.routing.events import Alert, Link
from sla_kit.routing.incident import Incident

#: The longest address that Slack takes for a button.
_LONGEST = 3000
#: How long before the first alert logs are worth reading, in seconds.
_BEFORE = 900.0


def links_of(catalogue: Catalogue, incident: Incident) -> list[Link]:
    """Runbook, dashboard, logs in Kibana from a while before it began, Alertmanager's form for a silence, and the
    expression's graph: whichever are known."""
    candidates = [
        Link(url=_runbook(catalogue, incident), text="Runbook"),
        Link(url=_annotated(incident, "dashboard_url"), text="Dashboard"),
        Link(url=_logs(catalogue, incident), text="Logs"),
        Link(url=_silence(catalogue, incident), text="Silence"),
        Link(url=next((each.generator_url for each in _alerts(incident) if fit(each.generator_url)), ""), text="Query"),
    ]
    return [link for link in candidates if fit(link.url)]


def fit(url: str) -> bool:
    """Whether somebody may be sent there: http or https, a host, no password, nothing that breaks out of a message."""
    if not url or len(url) > _LONGEST or not url.isprintable() or any(each in ' <>"|' for each in url):
        return False
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.password is None
    except ValueError:
        return False


def _alerts(incident: Incident) -> list[Alert]:
    """Those that fire first, then those that are over, the earliest first."""
    return sorted(incident.alerts.values(), key=lambda alert: (not alert.firing, alert.starts_at, alert.fingerprint))


def _annotated(incident: Incident, name: str) -> str:
    return next((url for each in _alerts(incident) if fit(url := each.annotations.get(name, ""))), "")


def _runbook(catalogue: Catalogue, incident: Incident) -> str:
    """The alert's, else the service's."""
    name = value_of(incident.labels, "service", catalogue.monitoring.labels)
    of_service = next((each.runbook for each in catalogue.services if each.name == name), "")
    return _annotated(incident, "runbook_url") or of_service


def _logs(catalogue: Catalogue, incident: Incident) -> str:
    """Kibana's Discover, with the fields of the Elastic Common Schema, for the service and the pod that are known."""
    base, renamed = catalogue.monitoring.kibana.rstrip("/"), catalogue.monitoring.labels
    fields = {"service.name": "service", "kubernetes.pod.name": "pod"}
    values = {name: quotable(value_of(incident.labels, label, renamed)) for name, label in fields.items()}
    sought = " AND ".join(f'{name}:"{value}"' for name, value in values.items() if value)
    if not base or not sought:
        return ""
    end = None if incident.resolved_at is None else incident.resolved_at + _BEFORE
    return discover(base, sought, incident.opened_at - _BEFORE, end)


def discover(kibana: str, sought: str, start: float, end: float | None) -> str:
    """Kibana's Discover, searching documents by a query string from ``start`` to ``end``, epoch seconds; to now where
    that is None. Values in the query must be `quotable`."""
    until = "now" if end is None else f"'{_moment(end)}'"
    times = f"(time:(from:'{_moment(start)}',to:{until}))"
    query = f"(query:(language:lucene,query:'{quote(sought, safe='*:._-')}'))"
    return f"{kibana.rstrip('/')}/app/discover#/?_g={times}&_a={query}".replace("'", "%27")


def quotable(text: str) -> str:
    """A value inside quotes of a search, inside quotes of a Rison text: neither may end there."""
    return "".join(each for each in text if each.isprintable() and each not in "\"'!\\")


def _moment(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    except (ValueError, OverflowError, OSError):
        return "now-1h"


def _silence(catalogue: Catalogue, incident: Incident) -> str:
    """The form for a new silence in Alertmanager's own pages, filled with what the incident is grouped by."""
    if incident.kind != "alerts":
        return ""  # what is common to a storm is common to much else
    monitoring, routing = catalogue.monitoring, catalogue.routing
    base = (monitoring.alertmanager or incident.external_url or routing.alertmanager.url).rstrip("/")
    matchers = list(_matchers(incident))
    if not base or not matchers:
        return ""
    return f"{base}/#/silences/new?filter={quote('{' + ','.join(matchers) + '}', safe='')}"


def _matchers(incident: Incident) -> Iterator[str]:
    for name, value in incident.group_labels.items():
        if value:
            escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
            yield f'{name}="{escaped}"'
