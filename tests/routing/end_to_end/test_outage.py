"""An outage from the first failed request to the last word about it, with everything that takes part: a scripted
endpoint, a real Prometheus and a real Alertmanager with what is generated, the router in a process of its own, a mail
server, and local ones in the places of Slack and PagerDuty."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from sla_kit.catalogue import load
from sla_kit.generate.files import write
from sla_kit.generate.plan import outputs
from sla_kit.ledger import open_ledger
from sla_kit.routing.slack.incidents import ACKNOWLEDGE
from tests.generate.chain import OFF, endpoint
from tests.routing.routers import Router, until
from tests.servers import alertmanager, prometheus
from tests.servers.mail import mail_server
from tests.servers.pagerduty import KEY, pagerduty_server
from tests.servers.process import free_port
from tests.servers.slack import slack_server

#: Seconds for each step of an outage.
PATIENCE = 400
#: A graph may take a busy machine longer than a router waits for one.
PREAMBLE = "from sla_kit.routing.context import drawing; drawing._SECONDS = 55.0"
SECRET = "a secret that signs what comes back"
CATALOGUE = """\
name: chain
environment: test
contacts:
  - {{name: on-call, pagerduty: primary, slack: "#incidents", email: on-call@example.com}}
  - {{name: web, slack: "#web"}}
routes: [{{severity: [critical], to: [on-call]}}, {{to: [web]}}]
promises: [{{name: there, title: It answers when you call}}]
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
    slos: [{{name: answers, sli: requests, objective: 99%, window: 1d, promise: there}}]
monitoring:
  scrape_interval: 1s
  evaluation_interval: 1s
  areas: {{{off}}}
  targets: {{api: ["{endpoint}"], alertmanager: ["{manager}"]}}
  alertmanager: "http://{manager}"
  delivery: {{router: "{router}/v1/alertmanager"}}
  slo: {{min_bad_events: 1, cold_start: direct}}
routing:
  ledger: ledger.db
  update_every: 1s
  slack: {{url: "{slack}", token: {{file: slack-token}}, signing_secret: {{file: slack-secret}}}}
  pagerduty: {{url: "{pagerduty}", keys: {{primary: {{file: key}}}}, webhook_secrets: [{{file: webhook-secret}}]}}
  email: {{host: "{mail}", sender: sla-kit@example.com, security: none}}
  graphs: {{prometheus: "{prometheus}", window: 10m}}
"""


@pytest.mark.timeout(1500)
def test_an_outage_pages_once_is_updated_and_resolves(tmp_path: Path) -> None:
    with ExitStack() as stack:
        here = stack.enter_context(endpoint())
        slack = stack.enter_context(slack_server(["incidents", "web"]))
        pagerduty = stack.enter_context(pagerduty_server(KEY))
        mail = stack.enter_context(mail_server())
        for name, text in {
            "slack-token": slack.token,
            "slack-secret": slack.signing_secret,
            "key": KEY,
            "webhook-secret": SECRET,
        }.items():
            (tmp_path / name).write_text(text)
        ports = {"manager": free_port(), "prometheus": free_port()}
        router = Router(tmp_path / "sla.yml", "outbox.db", preamble=PREAMBLE)

        def written(manager: str, server: str) -> Path:
            off = ", ".join(f"{area}: off" for area in OFF)
            (tmp_path / "sla.yml").write_text(
                CATALOGUE.format(
                    off=off, endpoint=here.address, manager=manager, router=router.url, slack=slack.url,
                    pagerduty=pagerduty.url, mail=mail.host, prometheus=server,
                )
            )  # fmt: skip
            write(outputs(load(tmp_path / "sla.yml"), time.time()), tmp_path / "build")
            return tmp_path / "build"

        build = written(f"127.0.0.1:{ports['manager']}", "http://127.0.0.1:1")
        manager = stack.enter_context(
            alertmanager(config=(build / "alertmanager.yml").read_text(), data=tmp_path / "manager")
        )
        build = written(manager.url.removeprefix("http://"), "http://127.0.0.1:1")
        server = stack.enter_context(prometheus("3", config=(build / "prometheus.yml").read_text(), data=build))
        written(manager.url.removeprefix("http://"), server.url)
        stack.enter_context(router)
        until("the heartbeat", lambda: router.metric("sla_router_last_heartbeat_timestamp_seconds") > 0, PATIENCE)
        assert not pagerduty.accepted
        assert not slack.posts("incidents")

        # It begins: one page, one message, one mail.
        here.set(failing=0.6)
        until("the page", lambda: bool(pagerduty.pages), PATIENCE)
        until("the message", lambda: bool(slack.posts("incidents")), PATIENCE)
        until("the mail", lambda: bool(mail.accepted), PATIENCE)
        [incident], [message] = pagerduty.incidents, slack.posts("incidents")
        assert incident.payload["severity"] == "critical"
        assert "It answers when you call" in message.words
        until("the budget and the graph", lambda: "budget" in message.words.lower() and bool(slack.files), PATIENCE)

        # The router dies at the worst moment, and comes back: nobody is called again.
        router.kill()
        router.start()

        # Somebody takes it in PagerDuty; Slack says so.
        pagerduty.subscribe(f"{router.url}/v1/pagerduty/webhook", SECRET)
        pagerduty.acknowledge(incident, "R. Byrd")
        until("who took it", lambda: "R. Byrd" in slack.posts("incidents")[0].words, PATIENCE)
        assert ACKNOWLEDGE not in slack.posts("incidents")[0].buttons

        # It is over: told in the thread, in PagerDuty, by a mail in the same thread, and kept.
        here.set()
        until("the end in PagerDuty", lambda: incident.status == "resolved", PATIENCE)
        until("the end in Slack", lambda: bool(slack.replies(message)), PATIENCE)
        until("the second mail", lambda: len(mail.accepted) == 2, PATIENCE)
        [message] = slack.posts("incidents")
        assert ACKNOWLEDGE not in message.buttons
        [last] = slack.replies(message)
        assert "Resolved" in last.text
        assert "R. Byrd" in last.text
        [first, second] = mail.accepted
        assert second.message["In-Reply-To"] == first.message["Message-ID"]
        assert len(pagerduty.pages) == 1
        until("the ledger", lambda: router.metric("sla_router_deliveries_total", destination="ledger") > 0, PATIENCE)
        for name in ("sla_router_acknowledge_seconds_count", "sla_router_recover_seconds_count"):
            assert router.metric(name, severity="critical", team="web") == 1
        assert router.stop() == 0
        with open_ledger(str(tmp_path / "ledger.db")) as ledger:
            [response] = ledger.responses()
        assert response.acknowledged_by == "R. Byrd"
        for secret in (slack.token, slack.signing_secret, KEY, SECRET):
            assert secret not in router.said()
