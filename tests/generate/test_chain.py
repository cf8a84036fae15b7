"""The whole chain, with what is generated and nothing else: an outage pages, recovery resolves.

A scripted endpoint, a real Prometheus of each major version with the generated configuration and rules, a real
Alertmanager with the generated routes, and a catcher in the place of the router."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sla_kit.catalogue import load
from sla_kit.generate.files import write
from sla_kit.generate.plan import outputs
from tests.generate.chain import OFF, Endpoint, endpoint, firing, states, until
from tests.servers import Alertmanager, Prometheus, alertmanager, prometheus, prometheus_versions

CATALOGUE = """\
name: chain
environment: test
contacts: [{{name: on-call, pagerduty: primary}}, {{name: web, slack: "#web"}}]
routes: [{{severity: [critical], to: [on-call]}}]
services:
  - name: api
    owner: web
    monitoring: {{jobs: {{application: api}}}}
    slis:
      requests:
        kind: requests
        metric: http_request_duration_seconds_count
        matchers: {{job: api}}
        bad: {{status_code: "=~5.."}}
    slos: [{{name: answers, sli: requests, objective: 99%, window: 1d}}]
  - name: batch
    owner: web
    monitoring: {{jobs: {{application: batch}}}}
    slos: [{{name: up, sli: {{kind: probe, metric: up, matchers: {{job: batch}}}}, objective: 90%}}]
calendar:
  maintenance:
    - {{name: move, start: {begin}, duration: 4h, services: [batch], reason: moves, approved_by: web}}
monitoring:
  scrape_interval: 1s
  evaluation_interval: 1s
  areas: {{{off}}}
  targets: {{api: ["{endpoint}"], batch: ["{endpoint}"], alertmanager: ["{manager}"]}}
  delivery: {{router: "http://{endpoint}/{version}"}}
  slo: {{min_bad_events: 1, cold_start: direct}}
  rules:
    AppDown: {{for: 2s, keep_firing_for: 4s}}
    AppInstancesDown: {{for: 1s, keep_firing_for: 4s}}
"""


def generated(folder: Path, version: str, address: str, manager: str) -> Path:
    """What the catalogue makes, with the addresses of those who take part."""
    folder.mkdir(exist_ok=True)
    begin = f"{datetime.now(UTC) - timedelta(hours=2):%Y-%m-%dT%H:%M}"
    off = ", ".join(f"{area}: off" for area in OFF)
    text = CATALOGUE.format(begin=begin, off=off, endpoint=address, manager=manager, version=version)
    (folder / "sla.yml").write_text(text)
    write(outputs(load(folder / "sla.yml"), time.time()), folder / "build")
    return folder / "build"


def excused(here: Endpoint) -> set[str]:
    """What may be told besides where this machine stood still, so that scrapes failed for longer than alerts wait."""
    return {"AppDown", "AppInstancesDown"} if here.stood_still_seconds > 2 else set()


@pytest.mark.timeout(1800)  # only of a machine that stands still
def test_an_outage_pages_and_recovery_resolves(tmp_path: Path) -> None:
    with ExitStack() as stack:
        here = stack.enter_context(endpoint())
        chains: dict[str, tuple[Prometheus, Alertmanager]] = {}
        for version in prometheus_versions():
            folder = tmp_path / version
            build = generated(folder, version, here.address, "127.0.0.1:1")
            manager = stack.enter_context(
                alertmanager(config=(build / "alertmanager.yml").read_text(), data=folder / "manager")
            )
            build = generated(folder, version, here.address, manager.url.removeprefix("http://"))
            config = (build / "prometheus.yml").read_text()
            chains[version] = (stack.enter_context(prometheus(version, config=config, data=build)), manager)

        def everywhere(what: str, holds: Callable[[str, Prometheus, Alertmanager], bool]) -> None:
            until(what, lambda: all(holds(version, *chains[version]) for version in chains))

        # Healthy: only the dead man's switch is heard.
        everywhere("the heartbeat", lambda version, *_: bool(here.told(version, "firing", "Watchdog", "_heartbeat")))
        heard = {alert["labels"]["alertname"] for _, message in here.caught for alert in message["alerts"]}
        assert heard - excused(here) == {"Watchdog"}

        def told_everywhere(status: str, name: str, receiver: str) -> None:
            everywhere(f"{name} {status}", lambda version, *_: bool(here.told(version, status, name, receiver)))

        here.set(failing=0.6)
        told_everywhere("firing", "SloErrorBudgetBurn", "on-call")
        here.set(down=True)
        told_everywhere("firing", "AppDown", "on-call")
        # That instances are down is said by the page; that batch is down is what its maintenance is for.
        milder = "AppInstancesDown"
        everywhere("its milder alert", lambda _, server, __: firing(server, milder, job="api"))
        everywhere("inhibition", lambda _, __, manager: states(manager, milder, job="api") == {"suppressed"})
        everywhere("what is muted", lambda _, __, manager: bool(states(manager, "AppDown", job="batch")))

        here.set()
        told_everywhere("resolved", "SloErrorBudgetBurn", "on-call")
        told_everywhere("resolved", "AppDown", "on-call")
        everywhere("that nothing is down", lambda _, server, __: not firing(server, "AppDown"))
        for version in chains:
            [page, *_] = here.told(version, "firing", "SloErrorBudgetBurn", "on-call")
            assert (
                page["labels"].items()
                >= {
                    "severity": "critical",
                    "team": "web",
                    "service": "api",
                    "slo": "answers",
                    "environment": "test",
                }.items()
            )
            assert page["annotations"]["runbook_url"] == "runbooks/SloErrorBudgetBurn.md"
            assert "{{" not in page["annotations"]["description"]
            [page, *_] = here.told(version, "firing", "AppDown", "on-call")
            assert page["annotations"]["summary"] == "api is down"
        told = {
            (alert["labels"]["alertname"], alert["labels"].get("job", ""))
            for _, message in here.caught
            for alert in message["alerts"]
            if alert["labels"]["alertname"] == "AppDown" or alert["labels"]["alertname"] not in excused(here)
        }
        assert told == {("Watchdog", ""), ("SloErrorBudgetBurn", ""), ("AppDown", "api")}
