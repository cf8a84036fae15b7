"""Incidents for tests: one by hand, and any at all."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from sla_kit.routing.events import Alert, Labels, Link
from sla_kit.routing.incident import Context, Escalation, Incident, Member, Silence

T = 1_790_000_000.0


def alert(number: int = 1, firing: bool = True, **fields: Any) -> Alert:
    """An alert of the service ``api``."""
    given: dict[str, Any] = {
        "labels": {"alertname": "ErrorBudgetBurn", "service": "api", "instance": f"api-{number}"},
        "fingerprint": f"{number:016x}",
        "firing": firing,
        "starts_at": T + number,
        "ends_at": None if firing else T + 600,
        "annotations": {"summary": f"api-{number} burns 14 times too fast"},
        "generator_url": "http://prometheus.example.org/graph?g0.expr=up",
    }
    return Alert(**(given | fields))


def incident(*alerts: Alert, **fields: Any) -> Incident:
    """An incident of the service ``api``, critical and firing unless it is said otherwise."""
    held = alerts or (alert(),)
    given: dict[str, Any] = {
        "group": '{alertname="ErrorBudgetBurn",service="api"}',
        "dedup_key": "8a6d4c0de1b2f3a4",
        "title": "api: error budget burns 14 times too fast",
        "severity": "critical",
        "status": "firing",
        "opened_at": T,
        "received_at": T + 5,
        "group_labels": {"alertname": "ErrorBudgetBurn", "service": "api"},
        "labels": {"alertname": "ErrorBudgetBurn", "service": "api", "team": "platform"},
        "alerts": {one.fingerprint: one for one in held},
        "external_url": "https://alertmanager.example.org",
        "promise": "99.99 % of requests succeed over 30 days",
        "links": [Link(url="https://runbooks.example.org/api", text="Runbook")],
        "context": Context(budget_left=0.42),
    }
    return Incident(**(given | fields))


_texts = st.text(max_size=3000) | st.sampled_from(
    ["", " ", "https://example.org/a.png", "critical", "\x00", "😀" * 2000]
)
_labels: st.SearchStrategy[Labels] = st.dictionaries(
    st.sampled_from(["alertname", "service", "instance", "image_url", "summary"]) | st.text(max_size=300),
    _texts,
    max_size=8,
)
_times = st.floats() | st.floats(min_value=0, max_value=4e9)
_alerts = st.builds(
    Alert,
    labels=_labels,
    fingerprint=st.text(max_size=20),
    firing=st.booleans(),
    starts_at=_times,
    ends_at=st.none() | _times,
    annotations=_labels,
    generator_url=_texts,
)

incidents: st.SearchStrategy[Incident] = st.builds(
    Incident,
    group=_texts,
    dedup_key=_texts,
    title=_texts,
    severity=st.sampled_from(["critical", "warning", "info", "page", ""]) | st.text(max_size=50),
    status=st.sampled_from(["firing", "resolved"]),
    opened_at=_times,
    received_at=_times,
    kind=st.sampled_from(["alerts", "storm", "dead-man"]),
    group_labels=_labels,
    labels=_labels,
    alerts=st.dictionaries(st.text(max_size=20), _alerts, max_size=6),
    truncated=st.integers(0, 10**9),
    external_url=_texts,
    promise=_texts,
    links=st.lists(st.builds(Link, url=_texts, text=_texts), max_size=4),
    escalations=st.lists(st.builds(Escalation, at=_times, to=st.lists(_texts, max_size=2), why=_texts), max_size=3),
    silence=st.none() | st.builds(Silence, until=_times, by=_texts),
    muted_by=_texts,
    notes=st.lists(_texts, max_size=4),
    context=st.none() | st.builds(Context, budget_left=st.none() | st.floats()),
    members=st.lists(
        st.builds(
            Member,
            dedup_key=_texts,
            title=_texts,
            severity=_texts,
            service=_texts,
            opened_at=_times,
            firing=st.booleans(),
        ),
        max_size=4,
    ),
    root=_texts,
)
