"""`sla_kit.routing.notify`: by HTTP to a router, straight into an outbox, and what it says where neither takes it."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sla_kit.errors import OutboxError
from sla_kit.routing import NotifyError, notify, notify_all
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.events import Change, Event, Notice
from sla_kit.routing.notifications import ChangeToTell, ReportToTell
from sla_kit.routing.outbox import attachments
from sla_kit.routing.outbox.accepting import new_events
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.web.app import Web
from sla_kit.routing.web.intake import Intake
from sla_kit.serving.web_config import WebConfig
from tests.exporters.sidecar.sidecars import authority
from tests.routing.web.conftest import Healthy
from tests.serving.guarded import serving

CHANGE = {"kind": "change", "summary": "api 1.4.2", "service": "api"}


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "outbox.db")


def events(outbox: Outbox) -> list[Event]:
    with outbox.reading() as connection:
        return [accepted.event for accepted in new_events(connection, 100)]


@contextmanager
def running(path: str, *tokens: str) -> Iterator[tuple[str, Outbox]]:
    """A router's web server, and its outbox."""
    with open_outbox(path) as outbox:
        metrics = RouterMetrics()
        web = Web(Intake(outbox, metrics), metrics, Healthy())
        web.configure(WebConfig(), tokens, contacts=["sre"])
        with serving(web) as server:
            yield f"http://127.0.0.1:{server.port}", outbox


@contextmanager
def answering(
    *answers: tuple[int, bytes, Mapping[str, str]], tls: ssl.SSLContext | None = None
) -> Iterator[tuple[str, list[bytes]]]:
    """A server that gives these answers one after the other, and the bodies that it was sent; status 0 hangs up."""
    left, bodies = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
            status, body, headers = left.pop(0)
            if not status:
                self.connection.close()
                return
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        if tls is not None:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_port}", bodies
        finally:
            server.shutdown()
            thread.join()


TAKEN = (200, b'{"accepted": 1, "repeated": 0}', {"Content-Type": "application/json"})


def test_a_router_is_told_by_http(path: str) -> None:
    with running(path) as (url, outbox):
        assert notify(CHANGE, router=url, id="deploy-7") is True
        assert notify(ChangeToTell(summary="api 1.4.2", service="api"), router=url + "/", id="deploy-7") is False
        (event,) = events(outbox)
        assert isinstance(event, Change)
        assert (event.summary, event.labels) == ("api 1.4.2", {"service": "api"})


def test_an_outbox_is_told_without_a_router(path: str, tmp_path: Path) -> None:
    file = tmp_path / "week.pdf"
    file.write_bytes(b"%PDF")
    report = ReportToTell(title="Week 38", to=["sre"])
    assert notify(report, outbox=path, files=[file], id="week-38") is True
    assert notify(report, outbox=path, files=[file], id="week-38") is False
    with open_outbox(path, create=False) as outbox:
        (event,) = events(outbox)
        assert isinstance(event, Notice)
        assert (event.kind, event.files[0].name, event.files[0].media_type) == ("report", "week.pdf", "application/pdf")
        with outbox.reading() as connection:
            assert attachments.read(connection, event.files[0].digest) == b"%PDF"


def test_files_arrive_by_http_too(path: str, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 1000)
    with running(path) as (url, outbox):
        notify({"kind": "notice", "title": "t"}, router=url, files=[str(tmp_path / "a.bin")])
        (event,) = events(outbox)
        assert isinstance(event, Notice)
        with outbox.reading() as connection:
            assert attachments.read(connection, event.files[0].digest) == bytes(range(256)) * 1000


def test_many_are_told_in_one_request_or_one_commit(path: str) -> None:
    many = [{"kind": "alert", "key": "step", "slo": str(number), "id": str(number % 1500)} for number in range(2500)]
    with running(path) as (url, _):
        assert notify_all(many, router=url) == 1500
        assert notify_all(many[:3], router=url) == notify_all([], router=url) == 0
        assert notify_all([CHANGE, CHANGE], router=url) == 2
    assert notify_all([*many, CHANGE], outbox=path) == 1
    with answering(TAKEN, TAKEN) as (url, bodies):
        assert notify_all([CHANGE] * 1001, router=url) == 2
        assert len(json.loads(bodies[0])) == 1000
    with pytest.raises(NotifyError) as caught:
        notify_all([CHANGE, {"kind": "notice", "title": ""}], outbox=path)
    assert caught.value.place == "[1].title"


def test_a_token_is_shown_and_its_lack_is_told(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(path, "t0ken") as (url, outbox):
        with pytest.raises(NotifyError, match="SLA_KIT_ROUTER_TOKEN"):
            notify(CHANGE, router=url)
        assert notify(CHANGE, router=url, token="t0ken")
        monkeypatch.setenv("SLA_KIT_ROUTER", url)
        monkeypatch.setenv("SLA_KIT_ROUTER_TOKEN", "t0ken")
        assert notify(CHANGE)
        assert len(events(outbox)) == 2


def test_a_router_is_trusted_by_the_authority_that_is_named_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, others = authority(tmp_path / "ours"), authority(tmp_path / "others")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ours.sign("router"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(others.authority))  # as in many a company, for everything else
    with answering(TAKEN, tls=context) as (url, bodies):
        with pytest.raises(NotifyError, match="SLA_KIT_ROUTER_CA_FILE"):
            notify(CHANGE, router=url)
        monkeypatch.setenv("SLA_KIT_ROUTER_CA_FILE", str(ours.authority))
        assert notify(CHANGE, router=url)
        assert len(bodies) == 1


def test_what_a_router_refuses_is_told_with_its_place(path: str) -> None:
    with running(path) as (url, _), pytest.raises(NotifyError) as caught:
        notify({"kind": "notice", "title": "t", "to": ["sr"]}, router=url)
    assert (caught.value.place, caught.value.remedy) == ("to[0]", "did you mean sre?")


def test_the_same_is_told_again_until_it_is_taken() -> None:
    busy = (503, b'{"error": "the outbox can\'t be written"}', {"Retry-After": "0"})
    with answering(busy, (0, b"", {}), (502, b"<html>", {}), TAKEN) as (url, bodies):
        assert notify(CHANGE, router=url) is True
    assert len(bodies) == 4
    assert len(set(bodies)) == 1
    assert json.loads(bodies[0])["id"]  # by which it counts once, should an answer have been lost


def test_a_router_that_never_answers_is_told_so() -> None:
    with pytest.raises(NotifyError, match="does not answer"):
        notify(CHANGE, router="http://127.0.0.1:9", patience_seconds=0.5)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ((404, b"<html>", {}), "404"),
        ((200, b"<html>", {}), "no router"),
        ((302, b"", {"Location": "http://127.0.0.1:9/"}), "302"),
        ((413, b'{"error": "too large", "path": "files", "hint": "at most 1"}', {}), "too large"),
    ],
    ids=["elsewhere", "page", "redirect", "large"],
)
def test_what_would_be_refused_again_is_not_told_again(answer: tuple[int, bytes, Mapping[str, str]], told: str) -> None:
    with answering(answer) as (url, bodies), pytest.raises(NotifyError, match=told):
        notify(CHANGE, router=url)
    assert len(bodies) == 1


@pytest.mark.parametrize(
    ("told", "options", "words"),
    [
        ({"kind": "chnge", "summary": "s"}, {}, "did you mean change"),
        ({"kind": "change"}, {}, "summary"),
        ({"kind": "change", "summary": "\0"}, {}, "NUL"),
        ({"kind": "change", "summary": "\ud800"}, {}, "."),
        ({"kind": "change", "summary": object()}, {}, "can't be told"),
        (CHANGE, {"files": ["x"]}, "only notices and reports"),
        ({"kind": "notice", "title": "t"}, {"files": ["/nowhere/x"]}, "can't be read"),
        (CHANGE, {"router": "http://x", "outbox": "y"}, "both"),
        (CHANGE, {"router": "nonsense"}, "no address"),
        (ChangeToTell(summary="\ud800"), {}, "half a character"),
    ],
    ids=["kind", "field", "nul", "surrogate", "object", "files", "no-file", "both", "address", "struct"],
)
def test_what_is_wrong_is_told_at_once(told: Any, options: dict[str, Any], words: str) -> None:
    with pytest.raises(NotifyError, match=words):
        notify(told, **{"router": "http://127.0.0.1:9", "patience_seconds": 0.1, **options})


def test_an_outbox_that_can_not_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutboxError):
        notify(CHANGE, outbox=str(tmp_path / "nowhere" / "outbox.db"))


def test_addresses_are_told_without_their_passwords() -> None:
    with pytest.raises(NotifyError) as caught:
        notify(CHANGE, router="http://ada:hidden@127.0.0.1:9", patience_seconds=0.1)
    assert "hidden" not in str(caught.value)


def test_importing_it_is_light() -> None:
    code = "import sys, sla_kit.routing, sla_kit.routing.notifying\nprint([m for m in ('sqlalchemy', 'requests', 'starlette', 'yaml') if m in sys.modules])"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
