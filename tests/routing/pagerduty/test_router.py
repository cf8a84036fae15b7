"""PagerDuty, the router and the ledger together: a page, its acknowledgement by webhook, and the times of both."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sla_kit.errors import SlaKitError
from sla_kit.ledger import open_ledger
from sla_kit.ledger.verifying import verify_ledger
from tests.routing.routers import Router, until
from tests.servers.pagerduty import KEY, pagerduty_server

SECRET = "QBEyX8tK3b7Yk0bVY1mM5Q"
CATALOGUE = """
name: shop
contacts: [{{name: on-call, pagerduty: primary}}]
routes: [{{to: [on-call]}}]
services:
  - name: api
    slos:
      - name: availability
        objective: 99.9%
        window: 30d
        sli: {{kind: requests, metric: http_requests_total, bad: {{status_code: =~5..}}}}
routing:
  ledger: ledger.db
  pagerduty: {{url: "{url}", keys: {{primary: {{env: KEY}}}}, webhook_secrets: [{{env: SECRET}}], per_second: 1000}}
"""


def webhook(status: str, began: datetime) -> dict[str, Any]:
    """What Alertmanager sends of one alert."""
    ended = datetime.now(UTC).isoformat() if status == "resolved" else "0001-01-01T00:00:00Z"
    labels = {"alertname": "ErrorBudgetBurn", "service": "api", "severity": "critical", "team": "platform"}
    alert = {
        "status": status,
        "labels": labels,
        "annotations": {"summary": "api burns"},
        "startsAt": began.isoformat(),
        "endsAt": ended,
        "generatorURL": "",
        "fingerprint": "00000000000000a1",
    }
    return {
        "version": "4",
        "groupKey": "{}:{}",
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "on-call",
        "groupLabels": labels,
        "commonLabels": labels,
        "commonAnnotations": {},
        "externalURL": "https://alertmanager.example.org",
        "alerts": [alert],
    }


def post(router: Router, document: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json"}
    body = json.dumps(document).encode()
    request = urllib.request.Request(router.url + "/v1/alertmanager", data=body, headers=headers)
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert 200 <= answer.status < 300


def test_who_takes_a_page_in_pagerduty_is_in_the_ledger(tmp_path: Path) -> None:
    with pagerduty_server(KEY) as pagerduty:
        (tmp_path / "sla.yml").write_text(CATALOGUE.format(url=pagerduty.url))
        began = datetime.now(UTC) - timedelta(seconds=30)
        environment = {"KEY": KEY, "SECRET": SECRET}
        with Router(tmp_path / "sla.yml", str(tmp_path / "outbox.db"), environment=environment) as router:
            pagerduty.subscribe(router.url + "/v1/pagerduty/webhook", SECRET)
            pagerduty.fail("drop-after")  # the answer to the page is lost
            post(router, webhook("firing", began))
            until("the page", lambda: bool(pagerduty.pages))
            [incident] = pagerduty.incidents
            pagerduty.acknowledge(incident, "R. Byrd", times=2)
            assert [one.status // 100 for one in pagerduty.webhooks if b"acknowledged" in one.body][-2:] == [2, 2]
            told = ("acknowledge", "api")
            until("the acknowledgement", lambda: told in [(entry.action, entry.by) for entry in incident.log])
            post(router, webhook("resolved", began))
            until("the resolution", lambda: incident.status == "resolved")
            until("the ledger", lambda: (tmp_path / "ledger.db").exists())

            def kept() -> list[Any]:
                try:
                    with open_ledger(str(tmp_path / "ledger.db"), create=False) as ledger:
                        return list(ledger.responses())
                except SlaKitError:  # its file is there before its tables are
                    return []

            until("the response", lambda: bool(kept()))
            forged = urllib.request.Request(router.url + "/v1/pagerduty/webhook", data=b"{}", method="POST")
            assert _status(forged) == 401
        assert len(pagerduty.pages) == 1
        assert not pagerduty.refused
        with open_ledger(str(tmp_path / "ledger.db"), create=False) as ledger:
            [response] = ledger.responses()
            assert verify_ledger(ledger) == []
        assert response.acknowledged_by == "R. Byrd"
        assert (response.severity, response.labels["team"]) == ("critical", "platform")
        assert response.told_at is not None
        assert response.acknowledged_at is not None
        assert response.opened_at < response.told_at
        assert response.acknowledged_at < response.resolved_at
        assert KEY not in router.log.read_text()
        assert SECRET not in router.log.read_text()


def _status(request: urllib.request.Request) -> int:
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
