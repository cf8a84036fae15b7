"""The whole way: a webhook comes in, mails go out by real SMTP, and maintenance silences a real Alertmanager."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.routing.alertmanager.alertmanagers import client_of
from tests.routing.routers import Router, until
from tests.servers.mail import MailServer, mail_server
from tests.servers.monitoring import alertmanager

CATALOGUE = """
name: shop
services: [{{name: api, slos: [{{name: up, sli: {{kind: probe, matchers: {{job: api}}}}, objective: 99%}}]}}]
contacts: [{{name: sre, email: "sre@example.org, head@example.org"}}]
routes: [{{to: [sre]}}]
{more}
routing: {{email: {{host: "{mail}", sender: "SLA kit <sla@example.org>", security: none}}, {routing}}}
"""


def webhook(status: str) -> dict[str, Any]:
    started = datetime.fromtimestamp(int(time.time()) - 120, UTC).isoformat()
    over = "0001-01-01T00:00:00Z" if status == "firing" else datetime.now(UTC).isoformat()
    labels = {"alertname": "ApiErrors", "service": "api", "severity": "critical"}
    return {
        "version": "4",
        "groupKey": '{}:{alertname="ApiErrors"}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "sre",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example.org",
        "alerts": [
            {
                "status": status,
                "labels": labels,
                "annotations": {"summary": "The API answers with errors"},
                "startsAt": started,
                "endsAt": over,
                "generatorURL": "",
                "fingerprint": "c4ff3d2f4a8a3b1e",
            }
        ],
    }


def router_on(folder: Path, mail: MailServer, routing: str = "", more: str = "") -> Router:
    (folder / "sla.yml").write_text(CATALOGUE.format(mail=mail.host, routing=routing, more=more))
    return Router(folder / "sla.yml", str(folder / "outbox.db"))


def test_an_outage_is_one_thread_of_two_mails_whatever_happens_on_the_way(tmp_path: Path) -> None:
    with mail_server() as mail, router_on(tmp_path, mail, "fallback: {after: 1h}") as router:
        mail.fail("recipient", "451 4.3.0 try again")
        mail.fail("connect", "421 4.3.2 restarting")
        firing = webhook("firing")
        assert router.post("/v1/alertmanager", firing)[0] == 200
        until("the first mail", lambda: len({who for each in mail.accepted for who in each.recipients}) == 2)
        router.kill()
        router.start()
        assert router.post("/v1/alertmanager", firing)[0] == 200
        over = {
            **webhook("resolved"),
            "alerts": [{**webhook("resolved")["alerts"][0], "startsAt": firing["alerts"][0]["startsAt"]}],
        }
        assert router.post("/v1/alertmanager", over)[0] == 200
        until("the last mail", lambda: any("Resolved" in each.text for each in mail.accepted))
        assert router.stop() == 0
        threads = {str(each.message["Message-ID"]): each for each in mail.accepted}
        first, last = threads.values()
        for mail_id in threads:
            got = {who for each in mail.accepted if each.message["Message-ID"] == mail_id for who in each.recipients}
            assert got == {"sre@example.org", "head@example.org"}
        assert "Firing: critical" in first.text
        assert last.message["In-Reply-To"] == first.message["Message-ID"]
        assert "Time to recover" in last.text


def test_maintenance_of_the_calendar_becomes_silences(tmp_path: Path) -> None:
    start, end = (datetime.fromtimestamp(int(time.time()) + seconds, UTC).isoformat() for seconds in (-60, 7200))
    calendar = f"calendar: {{maintenance: [{{name: upgrade, start: '{start}', end: '{end}', services: [api]}}]}}"
    with mail_server() as mail, alertmanager() as running, client_of(running.url) as client:
        routing = f"alertmanager: {{url: '{running.url}', maintenance: true}}"
        with router_on(tmp_path, mail, routing, calendar) as router:
            until("a silence", lambda: [each.state for each in client.silences()] == ["active"])
            assert client.silences()[0].created_by == "sla-kit"
            assert router.stop() == 0
