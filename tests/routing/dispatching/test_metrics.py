"""What the router tells of itself is what the inventory says, and what Prometheus's linter likes."""

from __future__ import annotations

import subprocess

import pytest

from sla_kit.alert_rules.inventory import exporters
from sla_kit.routing.destinations import KINDS
from sla_kit.routing.dispatching.metrics import RouterMetrics
from tests.alert_rules.observed import told
from tests.alert_rules.test_inventory import mistakes
from tests.servers.monitoring import prometheus_versions, promtool


@pytest.fixture
def complete() -> RouterMetrics:
    """One that has seen all there is."""
    metrics = RouterMetrics()
    metrics.acknowledged("critical", "database", 40.0)
    metrics.recovered("critical", "database", 400.0)
    metrics.heartbeat("alertmanager", 1_800_000_000.0)
    metrics.called("slack", 0.2, delivered=True)
    metrics.first_told("slack", 0.4)
    return metrics


def test_it_publishes_what_the_inventory_names(complete: RouterMetrics) -> None:
    found = told([complete.render().decode()])
    wanted = exporters()["router"].metrics
    assert {name for name in found if not name.startswith("process_")} == wanted.keys()
    for name, metric in wanted.items():
        assert mistakes(name, metric, {"0.1.0": found}) == []
        assert found[name].any == set(metric.labels), name


@pytest.mark.parametrize("version", prometheus_versions())
def test_promtool_finds_nothing_to_object_to(complete: RouterMetrics, version: str) -> None:
    done = subprocess.run([promtool(version), "check", "metrics"], input=complete.render(), capture_output=True)
    assert (done.stdout + done.stderr).decode() == ""
    assert done.returncode == 0


def test_what_alerts_read_is_there_before_anything_happens() -> None:
    text = RouterMetrics().render().decode()
    for kind in KINDS:
        for outcome in ("delivered", "failed"):
            assert f'sla_router_deliveries_total{{destination="{kind}",outcome="{outcome}"}} 0.0\n' in text
        for name in ("dead_letters", "breaker_open", "rate_limited_total", "fallbacks_total", "calls_abandoned_total"):
            assert f'sla_router_{name}{{destination="{kind}"}} 0.0\n' in text
    for name in ("outbox_oldest_seconds", "outbox_pending", "dead_events", "events_waiting", "outbox_errors_total"):
        assert f"sla_router_{name} 0.0\n" in text
    assert 'sla_router_events_total{kind="alerts",outcome="refused"} 0.0\n' in text


def test_figures_of_the_outbox_replace_those_before() -> None:
    metrics = RouterMetrics()
    metrics.outbox(pending=3, oldest_seconds=4.5, dead={"slack": 2})
    metrics.outbox(pending=0, oldest_seconds=0.0, dead={"email": 1})
    text = metrics.render().decode()
    assert "sla_router_outbox_pending 0.0\n" in text
    assert 'sla_router_dead_letters{destination="slack"} 0.0\n' in text
    assert 'sla_router_dead_letters{destination="email"} 1.0\n' in text
