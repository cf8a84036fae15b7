"""What is looked up for a message, from a real Prometheus, and kept with the incident."""

from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import quote

import pytest

from sla_kit.catalogue.routing import Graphs
from sla_kit.routing.context import asking, drawing
from sla_kit.routing.context.adapter import ContextAdapter, open_adapter
from sla_kit.routing.delivering import Parcel
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox.attachments import read
from sla_kit.routing.outbox.deliveries import claim, succeed, want
from sla_kit.routing.outbox.incidents import find_open, insert
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.servers import Prometheus, prometheus

SLACK, CONTEXT = Destination("slack", "#a"), Destination("context")


def _history(now: float) -> str:
    """From ten minutes ago until an hour from now, however long the tests take."""
    lines = []
    for name, labels, value in (
        ("sla:objective:ratio", 'service="api",slo="fast",sli="api/fast",window="30d"', 0.99),
        ("sla:objective:ratio", 'service="api",slo="up",sli="api/up",window="30d"', 0.999),
        ("sla:error_ratio:30d", 'sli="api/fast"', 0.004),
        ("sla:error_ratio:30d", 'sli="api/up"', 0.002),
        ("failing", 'pod="a"', 0.2),
        ("sla_slo_error_budget_left_ratio", 'service="web",slo="up",window="30d"', 0.25),
    ):
        lines.append(f"# TYPE {name} gauge")
        lines += [f"{name}{{{labels}}} {value} {now - 600 + 15 * step:.3f}" for step in range(280)]
    return "\n".join([*lines, "# EOF", ""])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Prometheus:  # type: ignore[misc]
    folder = tmp_path_factory.mktemp("history")
    (folder / "history.om").write_text(_history(time.time()))
    with prometheus("3", openmetrics=folder / "history.om") as found:
        yield found


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawing, "_SECONDS", 200.0)
    monkeypatch.setattr(asking, "_TIMEOUT", (60.0, 100.0))


@pytest.fixture
def outbox(tmp_path: Path) -> Outbox:  # type: ignore[misc]
    with open_outbox(str(tmp_path / "outbox.db"), exclusive=True) as found:
        yield found


def _incident(now: float, **labels: str) -> Incident:
    url = f"http://prometheus/graph?g0.expr={quote('failing > 0.1')}"
    alert = Alert(
        labels={"alertname": "Failing", "pod": "a", **labels},
        fingerprint="f",
        firing=True,
        starts_at=now - 60,
        generator_url=url,
    )
    return Incident(
        group="g", dedup_key="key", title="Failing", severity="critical", status="firing", opened_at=now - 60,
        received_at=now, labels=alert.labels, alerts={"f": alert},
    )  # fmt: skip


def _told(outbox: Outbox, incident: Incident) -> None:
    """The incident is open, and Slack was told of it."""
    now = outbox.clock.now()
    stored = outbox.write(lambda connection: insert(connection, incident, now))
    outbox.write(lambda connection: want(connection, stored, SLACK, contact="a", priority=0, now=now))
    [claimed] = outbox.write(lambda connection: claim(connection, "me", limit=5, now=now, lease_seconds=60))
    outbox.write(lambda connection: succeed(connection, claimed, None, now))


def _looked_up(outbox: Outbox, incident: Incident, settings: Graphs) -> Incident:
    adapter = open_adapter(settings, outbox)
    assert isinstance(adapter, ContextAdapter)
    adapter.deliver(Parcel(id=1, key="k", destination=CONTEXT, content=incident), lambda _: None)
    adapter.close()
    with outbox.reading() as connection:
        found = find_open(connection, incident.dedup_key)
    assert found is not None
    return found.incident


def test_the_budget_and_a_graph_are_kept_and_slack_is_to_say_so(server: Prometheus, outbox: Outbox) -> None:
    incident = _incident(time.time(), service="api", slo="fast")
    _told(outbox, incident)
    context = _looked_up(outbox, incident, Graphs(prometheus=server.url, window=600)).context
    assert context is not None
    assert context.budget_left == pytest.approx(0.6)  # 1 - 0.004 / 0.01
    with outbox.reading() as connection:
        assert read(connection, context.graph).startswith(b"\x89PNG")
    now = outbox.clock.now()
    [due] = outbox.write(lambda connection: claim(connection, "me", limit=5, now=now, lease_seconds=60))
    assert due.destination == SLACK


def test_without_an_slo_the_lowest_budget_of_the_service_counts(server: Prometheus, outbox: Outbox) -> None:
    incident = _incident(time.time(), service="api")
    _told(outbox, incident)
    context = _looked_up(outbox, incident, Graphs(prometheus=server.url, off=True)).context
    assert context is not None
    assert context.budget_left == pytest.approx(-1.0)  # 1 - 0.002 / 0.001
    assert context.graph == ""


def test_where_nothing_is_recorded_the_exporter_is_asked(server: Prometheus, outbox: Outbox) -> None:
    incident = _incident(time.time(), service="web", slo="up")
    _told(outbox, incident)
    context = _looked_up(outbox, incident, Graphs(prometheus=server.url, off=True)).context
    assert context is not None
    assert context.budget_left == pytest.approx(0.25)


def test_a_prometheus_that_is_away_holds_nothing_up(outbox: Outbox, caplog: pytest.LogCaptureFixture) -> None:
    incident = _incident(time.time(), service="api")
    _told(outbox, incident)
    assert _looked_up(outbox, incident, Graphs(prometheus="http://127.0.0.1:1")).context is None
    assert "could not be looked up" in caplog.text
    assert open_adapter(Graphs(), outbox) is None
