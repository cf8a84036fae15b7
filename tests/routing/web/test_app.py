"""The router over HTTP, without a server between: what is taken is committed, and who may send what."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool
from starlette.types import Message

from sla_kit.errors import OutboxError, SecretError
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.events import Acknowledgement, Alerts, Event, Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox import attachments, incidents
from sla_kit.routing.outbox.accepting import new_events
from sla_kit.routing.outbox.store import Outbox
from sla_kit.routing.web import app
from sla_kit.routing.web import intake as intake_module
from sla_kit.routing.web.app import MAX_SIGNED_BYTES, MAX_WEBHOOK_BYTES, PAGERDUTY_PATH, SLACK_PATH, Web
from sla_kit.routing.web.intake import Intake
from sla_kit.routing.web.native import Arrival
from sla_kit.routing.web.reading import RefusedError
from sla_kit.serving.web_config import WebConfig
from tests.routing.web.asking import Answer, ask
from tests.routing.web.conftest import Healthy
from tests.routing.web.test_alertmanager import alert, webhook

NOTICE = json.dumps({"kind": "notice", "title": "t"}).encode()
#: The hash of "secret", at the lowest price.
USERS = (("ada", "$2b$04$AWh.Cp5pIbwsjjDEe4qT7erFiHOoiBdwfZrLCV3Xmz4I2NBLWn5Wu"),)


def asked(web: Web, method: str, path: str, body: bytes | Iterable[bytes] = b"", **options: Any) -> Answer:
    return asyncio.run(ask(web, method, path, body, **options))


def events(outbox: Outbox) -> list[Event]:
    with outbox.reading() as connection:
        return [accepted.event for accepted in new_events(connection, 100)]


def test_a_webhook_is_there_once_it_is_acknowledged(web: Web, outbox: Outbox) -> None:
    answer = asked(web, "POST", "/v1/alertmanager", webhook(alert()))
    assert (answer.status, answer.json) == (200, {"accepted": 1, "repeated": 0})
    (found,) = events(outbox)
    assert isinstance(found, Alerts)
    assert found.alerts[0].name == "High"


def test_the_same_key_counts_once(web: Web, outbox: Outbox, metrics: RouterMetrics) -> None:
    headers = {"Idempotency-Key": "k"}
    answers = [asked(web, "POST", "/v1/notify", NOTICE, headers=headers).json for _ in range(2)]
    assert answers == [{"accepted": 1, "repeated": 0}, {"accepted": 0, "repeated": 1}]
    assert len(events(outbox)) == 1
    text = metrics.render().decode()
    assert 'sla_router_events_total{kind="notice",outcome="repeated"} 1.0' in text
    assert "sla_router_accept_seconds_count 2.0" in text


def test_a_report_is_kept_with_its_files(web: Web, outbox: Outbox) -> None:
    file = {"name": "a.txt", "content": "aGVsbG8="}
    body = json.dumps([{"kind": "report", "title": "t", "files": [file]}] * 2).encode()
    assert asked(web, "POST", "/v1/notify", body).json == {"accepted": 2, "repeated": 0}
    found = events(outbox)[0]
    assert isinstance(found, Notice)
    with outbox.reading() as connection:
        assert attachments.read(connection, found.files[0].digest) == b"hello"


def test_contacts_that_there_are_not_are_refused(web: Web) -> None:
    web.configure(WebConfig(), contacts=["sre"])
    body = json.dumps({"kind": "notice", "title": "t", "to": ["sr"]}).encode()
    answer = asked(web, "POST", "/v1/notify", body)
    assert answer.status == 400
    assert answer.json == {"error": "there is no contact 'sr'", "path": "to[0]", "hint": "did you mean sre?"}


@pytest.mark.parametrize("path", ["/v1/alertmanager", "/v1/notify"])
@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"content-type": "text/plain"}, 415),
        ({"content-type": ""}, 415),
        ({"content-encoding": "gzip"}, 415),
        ({"content-type": "application/json; charset=utf-8"}, 400),
        ({"content-length": "99999999999"}, 413),
    ],
    ids=["text", "nothing", "gzip", "json", "long"],
)
def test_what_is_no_json_is_refused(web: Web, path: str, headers: dict[str, str], status: int) -> None:
    assert asked(web, "POST", path, b"x", headers=headers).status == status


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS"])
def test_other_methods_are_told_so(web: Web, method: str) -> None:
    answer = asked(web, method, "/v1/alertmanager")
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert answer.json["error"] == "method not allowed"


def test_a_body_that_is_too_large_is_refused_however_it_comes(web: Web) -> None:
    piece = b" " * (1024 * 1024)
    pieces = [piece] * (MAX_WEBHOOK_BYTES // len(piece)) + [b" "]
    assert asked(web, "POST", "/v1/alertmanager", pieces).status == 413
    assert asked(web, "POST", "/v1/alertmanager", webhook(alert())).status == 200  # nothing is held of the first


def test_too_much_at_once_is_to_come_again(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "MAX_HELD_BYTES", 10)
    answer = asked(web, "POST", "/v1/notify", NOTICE)
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    monkeypatch.setattr(intake_module, "MAX_WAITING", 0)
    assert asked(web, "POST", "/v1/notify", NOTICE).status == 503
    monkeypatch.undo()
    assert asked(web, "POST", "/v1/notify", NOTICE).status == 200


def test_an_outbox_that_can_not_be_written_is_to_come_again(web: Web, outbox: Outbox, metrics: RouterMetrics) -> None:
    outbox.close()
    answer = asked(web, "POST", "/v1/alertmanager", webhook(alert()))
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert answer.json["error"] == "the outbox can't be written"
    assert "sla_router_outbox_errors_total 1.0" in metrics.render().decode()


def test_a_commit_that_takes_too_long_is_to_come_again(
    web: Web, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "COMMIT_SECONDS", 0.05)
    go_on = threading.Event()
    outbox.submit(lambda connection: go_on.wait(60))
    answer = asked(web, "POST", "/v1/alertmanager", webhook(alert()))
    go_on.set()
    assert answer.status == 503


def test_a_full_disk_is_to_come_again_and_then_all_is_as_before(web: Web, outbox: Outbox) -> None:
    pages = outbox.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    full = True

    def limit(connection: Any, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages if full else 1_000_000}")

    event.listen(Pool, "checkout", limit)
    try:
        body = webhook(*[alert(annotations={"log": "x" * 9000})] * 20)  # more than the pages that there are can hold
        answer = asked(web, "POST", "/v1/alertmanager", body)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert outbox.trouble is not None
        assert "the disk is full" in str(outbox.trouble)
        full = False
        assert asked(web, "POST", "/v1/alertmanager", body).status == 200
        assert outbox.trouble is None
    finally:
        event.remove(Pool, "checkout", limit)
    assert len(events(outbox)) == 1  # what was answered 503 is not there


def test_a_body_that_takes_too_long_is_given_up(
    outbox: Outbox, metrics: RouterMetrics, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "_BODY_SECONDS", 0.05)
    intake = Intake(outbox, metrics)
    web = Web(intake, metrics, Healthy())
    sent: list[Message] = []
    first: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]

    async def receive() -> Message:
        if first:
            return first.pop()
        return await asyncio.Event().wait()  # type: ignore[return-value]  # it never comes

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/v1/notify", "headers": headers, "client": ("127.0.0.1", 1)}
    scope |= {"query_string": b"", "root_path": "", "scheme": "http", "server": ("127.0.0.1", 9099)}
    asyncio.run(web(scope, receive, send))
    assert sent[0]["status"] == 408
    assert (intake._waiting, intake._held) == (0, 0)


def test_nothing_is_taken_while_it_ends(outbox: Outbox, metrics: RouterMetrics) -> None:
    intake = Intake(outbox, metrics)
    intake.stopping = True
    assert asked(Web(intake, metrics, Healthy()), "POST", "/v1/notify", NOTICE).status == 503


# --- who may ask -----------------------------------------------------------------------------------------------------


def basic(user: str, password: str) -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


_TOKEN = {"authorization": "Bearer t0ken"}
_PATHS = [
    ("POST", "/v1/alertmanager"),
    ("POST", "/v1/notify"),
    ("POST", "/v1/incidents/k/acknowledge"),
    ("GET", "/v1/incidents"),
    ("GET", "/metrics"),
]


@pytest.mark.parametrize(("method", "path"), _PATHS)
@pytest.mark.parametrize(
    ("users", "tokens", "headers", "admitted"),
    [
        ((), (), {}, True),
        ((), ("t0ken",), {}, False),
        ((), ("old", "t0ken"), _TOKEN, True),
        ((), ("other",), _TOKEN, False),
        (USERS, (), {}, False),
        (USERS, (), basic("ada", "wrong"), False),
        (USERS, (), basic("ada", "secret"), True),
        (USERS, (), _TOKEN, False),
        (USERS, ("t0ken",), _TOKEN, True),
    ],
    ids=["open", "no-token", "token", "wrong-token", "no-user", "wrong-password", "password", "token-for-user", "both"],
)
def test_who_may_ask(
    web: Web,
    method: str,
    path: str,
    users: tuple[tuple[str, str], ...],
    tokens: tuple[str, ...],
    headers: dict[str, str],
    admitted: bool,
) -> None:
    web.configure(WebConfig(users=users), tokens)
    assert (asked(web, method, path, headers=headers).status != 401) is admitted


def test_tokens_that_can_not_be_read_let_nobody_in(web: Web) -> None:
    def tokens() -> tuple[str, ...]:
        raise SecretError("gone")

    web.configure(WebConfig(), tokens)
    assert asked(web, "POST", "/v1/notify", NOTICE, headers=_TOKEN).status == 503


def test_other_machines_may_send_nothing_without_showing_who_they_are(web: Web) -> None:
    assert asked(web, "POST", "/v1/notify", NOTICE, client="192.0.2.7").status == 403
    web.configure(WebConfig(client_certificates="required"))
    assert asked(web, "POST", "/v1/notify", NOTICE, client="192.0.2.7").status == 200


@pytest.mark.parametrize("path", ["/v1/notify", "/v1/alertmanager", "/v1/incidents/k/acknowledge", SLACK_PATH])
@pytest.mark.parametrize("header", [("origin", "https://elsewhere"), ("sec-fetch-site", "cross-site")])
def test_pages_of_others_may_send_nothing(web: Web, path: str, header: tuple[str, str]) -> None:
    web.configure(WebConfig(), ("t0ken",), signed={SLACK_PATH: lambda headers, body, now: []})
    assert asked(web, "POST", path, NOTICE, headers=dict([header], **_TOKEN)).status == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [
        *[
            (host, 200)
            for host in ("127.0.0.1:9099", "[::1]:9099", "LOCALHOST", "localhost.", "a.localhost:1", "sidecar")
        ],
        *[(host, 200) for host in ("", "router.example.com", "Router.Example.Com:9099")],
        *[(host, 421) for host in ("elsewhere.example:9099", "127.0.0.1.elsewhere.example", "[x.y]:1", "a.b.")],
        *[(host, 421) for host in ("router.example.com.elsewhere.example", "127.0.0.1@elsewhere.example")],
    ],
)
def test_a_page_whose_name_leads_here_reads_nothing(web: Web, host: str, status: int) -> None:
    """DNS rebinding: the browser takes it for a page of its own, and names no origin."""
    web.configure(WebConfig(), names=["router.example.com"])
    for path in ("/v1/incidents", "/metrics"):
        assert asked(web, "GET", path, headers={"host": host}).status == status
    assert asked(web, "POST", "/v1/notify", NOTICE, headers={"host": host}).status == status
    assert asked(web, "GET", "/healthz", headers={"host": host}).status == 200


def test_who_shows_who_they_are_may_call_it_as_they_like(web: Web) -> None:
    elsewhere = {"host": "elsewhere.example"}
    web.configure(WebConfig(), ("t0ken",), names=[])
    assert asked(web, "GET", "/v1/incidents", headers=elsewhere | _TOKEN).status == 200
    web.configure(WebConfig(client_certificates="required"), names=[])
    assert asked(web, "GET", "/v1/incidents", headers=elsewhere).status == 200


def test_probes_need_no_password(web: Web, health: Healthy) -> None:
    web.configure(WebConfig(users=USERS), ("t0ken",))
    assert asked(web, "GET", "/healthz", client="192.0.2.7").status == 200
    assert asked(web, "GET", "/readyz", client="192.0.2.7").status == 200
    health.told = "the planner has ended"
    answer = asked(web, "GET", "/readyz")
    assert (answer.status, answer.body) == (503, b"the planner has ended\n")


# --- incidents -------------------------------------------------------------------------------------------------------


def incident(key: str, **changes: Any) -> Incident:
    told = {"title": "High", "severity": "critical", "opened_at": 1e9, "received_at": 1e9, "labels": {"service": "api"}}
    return Incident(**{"group": key, "dedup_key": key, "status": "firing", **told, **changes})


def test_open_incidents_are_told(web: Web, outbox: Outbox) -> None:
    for each in (incident("a"), incident("b", labels={"service": "web"}), incident("c", status="resolved")):
        outbox.write(partial(incidents.insert, incident=each, now=1e9))
    found = asked(web, "GET", "/v1/incidents").json["incidents"]
    assert [each["dedup_key"] for each in found] == ["a", "b"]
    assert (found[0]["opened_at"], found[0]["service"]) == ("2001-09-09T01:46:40.000Z", "api")
    assert len(asked(web, "GET", "/v1/incidents?service=web").json["incidents"]) == 1
    assert len(asked(web, "GET", "/v1/incidents?limit=1").json["incidents"]) == 1
    for wrong in ("0", "1001", "-1", "x", "²"):
        assert asked(web, "GET", f"/v1/incidents?limit={wrong}").status == 400


def test_all_that_fires_is_counted_of_large_incidents_and_of_storms(web: Web, outbox: Outbox) -> None:
    large = incident("large", beyond={"f1": 1e9, "f2": 1e9})
    storm = incident("storm", kind="storm", members_total=300, members_firing=299)
    for each in (large, storm):
        outbox.write(partial(incidents.insert, incident=each, now=1e9))
    found = asked(web, "GET", "/v1/incidents").json["incidents"]
    assert {each["dedup_key"]: each["firing"] for each in found} == {"large": 2, "storm": 299}


def test_an_open_incident_can_be_acknowledged(web: Web, outbox: Outbox) -> None:
    outbox.write(lambda connection: incidents.insert(connection, incident("a"), 1e9))
    assert asked(web, "POST", "/v1/incidents/a/acknowledge", b'{"by": "ada"}').status == 200
    (found,) = events(outbox)
    assert isinstance(found, Acknowledgement)
    assert (found.incident, found.by, found.via) == ("a", "ada", "api")
    assert asked(web, "POST", "/v1/incidents/b/acknowledge", b'{"by": "ada"}').status == 404
    for wrong in (b"{}", b'{"by": ""}', b'{"by": "a", "to": 1}', b"["):
        assert asked(web, "POST", "/v1/incidents/a/acknowledge", wrong).status == 400


# --- what services send ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [SLACK_PATH, PAGERDUTY_PATH])
def test_without_a_secret_services_are_not_heard(web: Web, path: str) -> None:
    assert asked(web, "POST", path, b"x").status == 404


def test_what_a_service_signed_is_taken_from_anywhere(web: Web, outbox: Outbox) -> None:
    def read(headers: Mapping[str, str], body: bytes, now: float) -> Sequence[Arrival]:
        if headers.get("x-signature") != "good":
            raise RefusedError("the signature is not ours", status=401)
        return [Arrival(Acknowledgement(incident="a", by="ada", at=now, via="slack"), "slack:1")]

    web.configure(WebConfig(), ("t0ken",), signed={SLACK_PATH: read})
    headers = {"content-type": "application/x-www-form-urlencoded", "X-Signature": "good"}
    answer = asked(web, "POST", SLACK_PATH, b"payload=", headers=headers, client="192.0.2.7")
    assert (answer.status, answer.body) == (200, b"")
    assert asked(web, "POST", SLACK_PATH, b"payload=", headers=headers).status == 200  # sent again: counts once
    assert len(events(outbox)) == 1
    assert asked(web, "POST", SLACK_PATH, b"payload=").status == 401
    assert asked(web, "POST", SLACK_PATH, b" " * (MAX_SIGNED_BYTES + 1), headers=headers).status == 413


def test_what_is_not_there_is_told_as_json(web: Web) -> None:
    answer = asked(web, "GET", "/v2/elsewhere")
    assert (answer.status, answer.json["error"]) == (404, "not found")


def test_an_outbox_that_can_not_be_read_is_told_so(web: Web, outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> None:
        raise OutboxError("the disk failed")

    monkeypatch.setattr(outbox, "reading", broken)
    assert asked(web, "GET", "/v1/incidents").status == 503
