"""What `sla-kit route test` explains is what the router then does: the same people, at the same times."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Calendar, Catalogue, Contact, Occasion, Route
from sla_kit.catalogue.routing import Routing, Storm
from sla_kit.routing.events import Alert, Alerts
from sla_kit.routing.explaining.explaining import Explained, explain
from tests.routing.planning.playing import START, Router, Sent, catalogue

CONTACTS = [
    Contact(name="on-call", pagerduty="primary", slack="#incidents"),
    Contact(name="platform", slack="#platform", email="platform@example.org"),
    Contact(name="chief", email="chief@example.org"),
    Contact(name="leads", pagerduty="leads", slack="#incidents"),
    Contact(name="nobody"),
]
_NAMES = st.lists(st.sampled_from([each.name for each in CONTACTS]), min_size=1, max_size=2, unique=True)
_VALUES = {
    "severity": st.sampled_from(["critical", "warning", "info", "", "strange"]),
    "service": st.sampled_from(["api", "web", "other", ""]),
    "team": st.sampled_from(["", "platform", "unknown"]),
    "environment": st.sampled_from(["", "production", "staging"]),
    "alertname": st.sampled_from(["Down", "Slow"]),
}
_AT_START = datetime.fromtimestamp(START, UTC)


def _some(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=2, unique=True)


_ROUTES = st.builds(
    Route,
    to=_NAMES,
    escalate=st.one_of(st.just([]), _NAMES),
    severity=_some("critical", "warning", "info"),
    service=_some("api", "web"),
    team=_some("platform"),
    environment=_some("production"),
    hours=_some(f"00:00-{_AT_START:%H:%M}", f"{_AT_START:%H:%M}-24:00", "00:00-24:00"),
    event=st.sampled_from([None, None, "during", "outside"]),
)
_WINDOWS = st.lists(
    st.builds(
        lambda services: Occasion(name="w", start=f"{_AT_START:%Y-%m-%dT%H:%M}", duration=3600, services=services),
        _some("api", "web"),
    ),
    max_size=1,
)


@st.composite
def catalogues(draw: st.DrawFn) -> Catalogue:
    return catalogue(
        Routing(storm=Storm(incidents=0), escalate=draw(st.booleans()) or draw(st.booleans())),
        contacts=CONTACTS,
        routes=draw(st.lists(_ROUTES, max_size=4)),
        environment=draw(st.sampled_from(["", "production"])),
        calendar=Calendar(maintenance=draw(_WINDOWS), events=draw(_WINDOWS)),
    )


@st.composite
def alerts(draw: st.DrawFn) -> Alert:
    labels = {name: draw(value) for name, value in _VALUES.items()}
    labels = {name: value for name, value in labels.items() if value}
    return Alert(labels=labels, fingerprint=repr(sorted(labels.items())), firing=True, starts_at=START - 10)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(catalogues(), st.lists(alerts(), min_size=1, max_size=3, unique_by=lambda alert: alert.fingerprint))
def test_who_is_told_and_when_is_who_was_said_to_be(declared: Catalogue, firing: list[Alert]) -> None:
    event = Alerts(alerts=firing, receiver="platform")
    explained = explain(declared, event, START)
    with TemporaryDirectory() as folder:
        router = Router(Path(folder), declared)
        try:
            happened = _everything(router, event, _moments(declared, explained))
        finally:
            router.close()
    for each in explained:
        assert _told(happened, each) == _promised(each)
    digests = {sent.to for sent in happened if not hasattr(sent.content, "dedup_key")}
    assert digests == {
        str(where)
        for each in explained
        if each.told is not None and each.told.digest
        for _, where in each.told.destinations
    }


def _moments(declared: Catalogue, explained: list[Explained]) -> list[float]:
    found = {step.at for each in explained for step in each.steps} | {START}
    last = max(found)
    return sorted(found | {last + 1800, last + declared.routing.digest.every})


def _everything(router: Router, event: Alerts, moments: list[float]) -> list[Sent]:
    happened = router.step(event)
    for at in moments[1:]:
        happened += router.step(after=at - router.now)
    return happened


def _promised(explained: Explained) -> dict[str, float]:
    """Each destination, and when it is first told; what waits for a digest is none of it."""
    found: dict[str, float] = {}
    for step in explained.steps:
        for _, destination in () if step.decision.digest else step.decision.destinations:
            found.setdefault(str(destination), step.at)
    return found


def _told(happened: list[Sent], explained: Explained) -> dict[str, float]:
    found: dict[str, float] = {}
    for sent in happened:
        if getattr(sent.content, "dedup_key", "") == explained.dedup_key:
            found.setdefault(sent.to, sent.at)
    return found
