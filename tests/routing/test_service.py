"""A router that runs: what it acknowledged outlives it, its files may change under it, and it ends in order."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sla_kit.routing.events import Alerts
from sla_kit.routing.outbox.store import open_outbox
from tests.exporters.sidecar.sidecars import Certificates, authority
from tests.routing.routers import Router, lasting_port, until, webhook
from tests.routing.web.test_alertmanager import alert

_COMMAND = "from sla_kit.cli import main; main()"
CATALOGUE = """
name: Test
services:
  - name: api
    owner: sre
    slis: {availability: {kind: requests, metric: http_requests_total, bad: {code: "5.."}}}
    slos: [{name: availability, sli: availability, objective: 99.9%}]
contacts: [{name: sre, email: sre@example.com}]
routes: [{to: [sre]}]
"""


def catalogue(folder: Path, routing: str = "", more: str = "") -> Path:
    path = folder / "sla.yml"
    path.write_text(CATALOGUE + more + (f"routing: {{{routing}}}\n" if routing else ""))
    return path


@pytest.fixture
def router(tmp_path: Path) -> Router:
    return Router(catalogue(tmp_path), str(tmp_path / "outbox.db"))


def notice(to: str = "", **fields: Any) -> dict[str, Any]:
    return {"kind": "notice", "title": "t", **({"to": [to]} if to else {}), **fields}


def incidents(router: Router) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(router.get("/v1/incidents")[1])["incidents"]
    return found


def test_it_takes_plans_and_ends_in_order(router: Router) -> None:
    with router:
        assert router.get("/healthz") == (200, b"ok\n")
        status, body = router.post("/v1/alertmanager", webhook(alert()))
        assert (status, json.loads(body)) == (200, {"accepted": 1, "repeated": 0})
        until("planning", lambda: len(incidents(router)) == 1)
        (incident,) = incidents(router)
        assert router.post(f"/v1/incidents/{incident['dedup_key']}/acknowledge", {"by": "ada"})[0] == 200
        until("its acknowledgement", lambda: incidents(router)[0]["acknowledged_by"] == "ada")
        assert router.metric("sla_router_events_total", kind="alerts", outcome="accepted") == 1
        assert router.metric("sla_router_outbox_up") == 1
        assert router.stop() == 0
    assert "msg=ended" in router.said()
    assert "a contact can't be reached there: there is no mail server" in router.said()


def test_what_was_acknowledged_outlives_a_kill(router: Router) -> None:
    """The event of a 2xx is there, however soon after it the process ends."""
    taken: list[str] = []

    def send(key: str) -> None:
        try:
            if router.post("/v1/notify", {"kind": "alert", "key": key, "id": key})[0] == 200:
                taken.append(key)
        except (OSError, http.client.HTTPException):  # it was killed meanwhile
            return

    for life in range(3):
        router.start()
        senders = [threading.Thread(target=send, args=(f"{life}-{number}",)) for number in range(20)]
        for sender in senders:
            sender.start()
        before = len(taken)
        until("the first of them", partial(_more, taken, before))
        router.kill()
        for sender in senders:
            sender.join()
    with open_outbox(router.outbox, create=False) as outbox, outbox.reading() as connection:
        known = set(connection.exec_driver_sql("SELECT idempotency FROM event").scalars())
    assert {f"api:{key}" for key in taken} <= known
    assert taken


def _more(taken: list[str], before: int) -> bool:
    return len(taken) > before


#: A router whose end waits for long, so that this machine may stand still meanwhile.
_PATIENT_END = """
from sla_kit.routing import service
from sla_kit.serving import listening
listening._DRAIN_SECONDS, service._END_SECONDS = 100, 110.0
"""


def test_requests_under_way_are_answered_before_it_ends(router: Router) -> None:
    router.preamble = _PATIENT_END
    with router:
        connection = socket.create_connection(("127.0.0.1", router.port), timeout=60)
        body = json.dumps(notice()).encode()
        head = f"POST /v1/notify HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection.sendall(head.encode() + b"\r\n\r\n" + body[:5])
        until("its arrival", lambda: router.get("/readyz")[0] == 200)
        assert router.process is not None
        router.process.terminate()
        until("the end's beginning", lambda: "told to end" in router.said())
        connection.sendall(body[5:])
        answer = connection.recv(65_536)
        connection.close()
        assert answer.startswith((b"HTTP/1.1 200", b"HTTP/1.1 503"))
        assert router.process.wait(120) == 0
    with open_outbox(router.outbox, create=False) as outbox, outbox.reading() as reading:
        count = reading.exec_driver_sql("SELECT count(*) FROM event").scalar()
    assert count == (1 if b" 200 " in answer else 0)


def test_a_catalogue_that_changes_is_taken_over_and_a_broken_one_is_not(router: Router, tmp_path: Path) -> None:
    with router:
        assert router.post("/v1/notify", notice("new"))[0] == 400
        catalogue(tmp_path, more="# changed\n").write_text(CATALOGUE.replace("name: sre, e", "name: new, e"))
        until("word of what is wrong", lambda: "is not good" in router.said())
        assert router.post("/v1/notify", notice("sre"))[0] == 200
        good = CATALOGUE.replace("contacts: [", "contacts: [{name: new, email: new@example.com}, ")
        (tmp_path / "sla.yml").write_text(good)
        until("the new catalogue", lambda: router.post("/v1/notify", notice("new"))[0] == 200)
        assert router.process is not None
        (tmp_path / "sla.yml").write_text(CATALOGUE)
        router.process.send_signal(signal.SIGHUP)
        until("the old one", lambda: router.post("/v1/notify", notice("new"))[0] == 400)
        assert router.get("/readyz")[0] == 200


def test_a_file_that_is_added_to_a_folder_is_read(tmp_path: Path) -> None:
    folder = tmp_path / "catalogue"
    folder.mkdir()
    catalogue(folder)
    with Router(folder, str(tmp_path / "outbox.db")) as router:
        assert router.post("/v1/notify", notice("new"))[0] == 400
        (folder / "more.yml").write_text("contacts: [{name: new, email: new@example.com}]\n")
        until("the new file", lambda: router.post("/v1/notify", notice("new"))[0] == 200)


def test_a_token_may_be_replaced_while_it_runs(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first\n")
    path = catalogue(tmp_path, "tokens: [{file: token}]")

    with Router(path, str(tmp_path / "outbox.db")) as running:

        def status(token: str) -> int:
            return running.post("/v1/notify", notice(), {"Authorization": f"Bearer {token}"})[0]

        assert (status("first"), status("second"), running.post("/v1/notify", notice())[0]) == (200, 401, 401)
        (tmp_path / "token").write_text("second\n")
        until("the new token", lambda: status("second") == 200)
        assert status("first") == 401
        assert "first" not in running.said()


def test_a_router_that_others_reach_is_never_opened_to_them(tmp_path: Path) -> None:
    """Whatever a catalogue says by now, it listens where it did when it began."""
    (tmp_path / "token").write_text("first\n")
    port = lasting_port()
    path = catalogue(tmp_path, f"tokens: [{{file: token}}], listen: '0.0.0.0:{port}'")
    with Router(path, str(tmp_path / "outbox.db"), port, arguments=("--listen", "")) as running:
        catalogue(tmp_path, f"listen: '127.0.0.1:{port}'")
        until("word of what is wrong", lambda: "could page people" in running.said())
        assert running.get("/v1/incidents")[0] == 401


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _COMMAND, "route", "serve", "-c", str(folder / "sla.yml"), *arguments]
    environment = {**os.environ, **environment}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, cwd=folder)


@pytest.mark.parametrize("listen", [":0", "0.0.0.0:0", "[::]:0"])
def test_it_is_not_open_to_other_machines_by_mistake(tmp_path: Path, listen: str) -> None:
    catalogue(tmp_path)
    done = run(tmp_path, "--listen", listen)
    assert done.returncode == 2
    assert "nobody has to show who they are" in done.stderr
    assert "routing.tokens" in done.stderr


def test_two_routers_can_not_have_one_file(router: Router, tmp_path: Path) -> None:
    with router:
        done = run(tmp_path, "--listen", "127.0.0.1:0", "--outbox", router.outbox)
        assert done.returncode == 2
        assert "outbox" in done.stderr
        assert router.get("/readyz")[0] == 200


def test_a_port_that_is_in_use_and_an_outbox_that_can_not_be_are_told(router: Router, tmp_path: Path) -> None:
    with router:
        done = run(tmp_path, "--listen", f"127.0.0.1:{router.port}", "--outbox", str(tmp_path / "other.db"))
        assert (done.returncode, "the port is in use" in done.stderr) == (2, True)
    done = run(tmp_path, "--listen", "127.0.0.1:0", "--outbox", str(tmp_path / "nowhere" / "outbox.db"))
    assert (done.returncode, "the folder is not there" in done.stderr) == (2, True)


def test_mistakes_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    catalogue(tmp_path, "keep: -1d", "routes: []\n")
    (tmp_path / "web.yml").write_text("basic_auth_users: {ada: plain}\n")
    done = run(tmp_path, "--web-config", str(tmp_path / "web.yml"))
    assert done.returncode == 1
    assert "sla.yml:" in done.stderr
    assert "web.yml:1" in done.stderr


def test_check_tells_who_can_not_be_reached_and_starts_nothing(tmp_path: Path) -> None:
    catalogue(tmp_path)
    done = run(tmp_path, "--check")
    assert done.returncode == 1
    assert "would listen on http://127.0.0.1:9099" in done.stdout
    assert "sre can't be reached by email:sre@example.com: there is no mail server" in done.stderr
    catalogue(tmp_path, "email: {host: localhost, sender: a@example.com, security: none}")
    done = run(tmp_path, "--check", "--outbox", "postgresql://user:hidden@host/name")
    assert (done.returncode, done.stderr) == (0, "")
    assert "hidden" not in done.stdout
    assert not (tmp_path / "outbox.db").exists()


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return authority(tmp_path_factory.mktemp("ca"))


def test_by_tls_with_client_certificates_others_may_send(ca: Certificates, tmp_path: Path) -> None:
    certificate, key = ca.sign("server", tmp_path)
    (tmp_path / "web.yml").write_text(
        f"tls_server_config: {{cert_file: {certificate}, key_file: {key}, client_ca_file: {ca.authority}, "
        "client_auth_type: RequireAndVerifyClientCert}\n"
    )
    router = Router(catalogue(tmp_path, "web_config: web.yml, listen: '0.0.0.0:0'"), str(tmp_path / "outbox.db"))
    router.start(ready=False)
    try:
        until("its start", lambda: "msg=listening" in router.said())

        def status(context: ssl.SSLContext) -> int:
            connection = http.client.HTTPSConnection("127.0.0.1", router.port, timeout=60, context=context)
            try:
                connection.request("POST", "/v1/notify", json.dumps(notice()), {"Content-Type": "application/json"})
                return connection.getresponse().status
            finally:
                connection.close()

        assert status(ca.client("somebody")) == 200
        with pytest.raises(OSError):
            status(ca.client())
    finally:
        assert router.stop() == 0


def test_an_alert_of_the_past_life_is_planned_in_the_next(router: Router) -> None:
    from sla_kit.routing.outbox.accepting import accept
    from sla_kit.routing.web.alertmanager import read_webhook

    with open_outbox(router.outbox) as outbox:
        event: Alerts = read_webhook(json.dumps(webhook(alert())).encode(), outbox.clock.now())
        assert accept(outbox, event).result()
    with router:
        until("planning", lambda: len(incidents(router)) == 1)
        # A command that writes to the same file while the router runs is noticed, too.
        with open_outbox(router.outbox) as outbox:
            other = read_webhook(json.dumps(webhook(alert(labels={"alertname": "Other"}))).encode(), outbox.clock.now())
            assert accept(outbox, other).result()
        until("planning again", lambda: len(incidents(router)) == 2)
