"""The adapter against a local PagerDuty, with both libraries: what is told, once, and what each failure means."""

from __future__ import annotations

import importlib.util
import logging
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sla_kit.catalogue.routing import PagerDutySettings
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import MissingExtraError, SlaKitError
from sla_kit.routing.delivering import TIMEOUT_SECONDS as DELIVERY_SECONDS
from sla_kit.routing.delivering import DeliveryError, Parcel, Response
from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Change, Notice
from sla_kit.routing.incident import Incident, told
from sla_kit.routing.pagerduty import payload
from sla_kit.routing.pagerduty.clients import LIBRARIES, TIMEOUT_SECONDS, Library, clients, installed
from sla_kit.routing.pagerduty.sending import PagerDutyAdapter, open_adapter
from tests.routing.pagerduty.incidents import T, alert, incident
from tests.servers.pagerduty import KEY, OTHER_KEY, PagerDutyServer, pagerduty_server

KEYS = {"PAGERDUTY_KEY_PRIMARY": KEY, "PAGERDUTY_KEY_WEB_LEADS": OTHER_KEY}
FIRING = incident()
TAKEN = incident(acknowledged_at=T + 60, acknowledged_by="R. Byrd", acknowledged_via="slack")
OVER = incident(alert(firing=False), status="resolved", resolved_at=T + 600)


@pytest.fixture(params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> Library:
    chosen: Library = request.param
    return chosen


@pytest.fixture
def server() -> Iterator[PagerDutyServer]:
    with pagerduty_server() as started:
        yield started


@pytest.fixture
def adapter(server: PagerDutyServer, library: Library) -> Iterator[PagerDutyAdapter]:
    made = open_adapter(PagerDutySettings(url=server.url), library=library, environment=KEYS)
    yield made
    made.close()


class Delivery:
    """One delivery as the outbox keeps it, told by the same rules as a dispatcher's."""

    def __init__(self, adapter: PagerDutyAdapter, rotation: str = "primary") -> None:
        self.adapter, self.destination = adapter, Destination("pagerduty", rotation)
        self.told: Any = None
        self.uncertain = False
        self.references: dict[str, str] = {}

    def remember(self, references: Mapping[str, str]) -> None:
        self.references.update(references)

    def tell(self, content: Any, crash: bool = False) -> None:
        parcel = Parcel(
            id=1,
            key="k1",
            destination=self.destination,
            content=content,
            told=self.told,
            references=dict(self.references),
            uncertain=self.uncertain,
        )
        try:
            self.adapter.deliver(parcel, self.remember)
        except DeliveryError as error:
            self.uncertain = self.uncertain or error.uncertain
            raise
        if crash:
            self.uncertain = True
            return
        self.uncertain = False
        if isinstance(content, Incident):
            self.told = told(content, T)


def failed(delivery: Delivery, content: Any = FIRING) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        delivery.tell(content)
    assert KEY not in str(caught.value) + repr(caught.value) + repr(caught.value.__cause__)
    return caught.value


def actions(server: PagerDutyServer) -> list[list[str]]:
    return [one.actions for one in server.incidents]


# --- what is told ---------------------------------------------------------------------------------------------------


def test_an_incident_is_triggered_brought_up_to_date_acknowledged_and_resolved(
    server: PagerDutyServer, adapter: PagerDutyAdapter
) -> None:
    delivery = Delivery(adapter)
    more = incident(alert(1), alert(2))
    for state in (FIRING, more, msgspec.structs.replace(more, acknowledged_at=T + 60, acknowledged_by="R. Byrd"), OVER):
        delivery.tell(state)
    assert actions(server) == [["trigger", "trigger", "acknowledge", "resolve"]]
    assert [len(one["payload"]["custom_details"]["alerts"]) for one in server.incidents[0].triggers] == [1, 2]
    assert len(server.pages) == 1
    assert server.incidents[0].routing_key == KEY
    assert not server.refused


def test_what_is_told_already_is_not_told_again(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    delivery = Delivery(adapter)
    for state in (TAKEN, TAKEN, OVER, OVER):
        delivery.tell(state)
    assert actions(server) == [["trigger", "acknowledge", "resolve"]]


def test_an_incident_that_was_over_before_it_was_told_pages_nobody(
    server: PagerDutyServer, adapter: PagerDutyAdapter
) -> None:
    Delivery(adapter).tell(OVER)
    assert server.requests == 0


def test_what_may_have_arrived_is_resolved(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    delivery = Delivery(adapter)
    server.fail("drop-after")
    assert failed(delivery).uncertain
    delivery.tell(OVER)
    assert actions(server) == [["trigger", "resolve"]]


def test_one_that_a_person_closed_is_resolved_and_pages_no_more(
    server: PagerDutyServer, adapter: PagerDutyAdapter
) -> None:
    delivery = Delivery(adapter)
    delivery.tell(FIRING)
    server.resolve(server.incidents[0])
    for number in range(3):
        delivery.tell(incident(alert(1), alert(2 + number), closed_by="R. Byrd"))
    delivery.tell(OVER)
    assert len(server.pages) == 1


def test_one_that_fires_again_pages_again(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    delivery = Delivery(adapter)
    for state in (TAKEN, OVER, TAKEN, OVER):
        delivery.tell(state)
    assert actions(server) == [["trigger", "acknowledge", "resolve"]] * 2


def test_each_rotation_has_its_own_incident(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    first, second = Delivery(adapter), Delivery(adapter, "web-leads")
    for delivery in (first, second):
        delivery.tell(FIRING)
        delivery.tell(TAKEN)
    assert [(one.routing_key, one.status) for one in server.incidents] == [
        (KEY, "acknowledged"),
        (OTHER_KEY, "acknowledged"),
    ]


def test_changes_page_nobody_and_neither_do_quiet_notices(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    Delivery(adapter).tell(Change(summary="web 2026.9.1 is deployed", at=T))
    Delivery(adapter).tell(Notice(title="The week's report", kind="report"))
    assert [one["payload"]["summary"] for one in server.changes] == ["web 2026.9.1 is deployed", "The week's report"]
    assert not server.pages


def test_a_notice_that_is_not_quiet_pages_once(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    delivery = Delivery(adapter)
    for _ in range(2):
        delivery.tell(Notice(title="Alertmanager is silent", severity="critical", kind="word"))
    assert len(server.pages) == 1
    assert server.incidents[0].dedup_key == "k1"


def test_what_is_not_for_pagerduty_is_refused(adapter: PagerDutyAdapter) -> None:
    response = Response(
        dedup_key="k",
        title="",
        labels={},
        severity="",
        opened_at=T,
        told_at=None,
        acknowledged_at=None,
        acknowledged_by="",
        resolved_at=T,
    )
    assert failed(Delivery(adapter), response).permanent


def test_a_hundred_deliveries_at_once_from_many_threads(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    def tell(number: int) -> None:
        delivery = Delivery(adapter, "primary" if number % 2 else "web-leads")
        for state in (FIRING, OVER):
            delivery.tell(msgspec.structs.replace(state, dedup_key=f"group-{number}"))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(tell, range(100)))
    assert len(server.pages) == 100
    keys = {one.dedup_key: one.routing_key for one in server.incidents}
    assert keys == {f"group-{number}": KEY if number % 2 else OTHER_KEY for number in range(100)}


def test_connections_are_kept_and_closed(server: PagerDutyServer, library: Library) -> None:
    pool = clients(server.url, library=library)
    for _ in range(5):
        assert pool.send("/v2/enqueue", payload.trigger(FIRING), KEY).status == 202
    assert server.connections == 1
    pool.close()
    assert pool.send("/v2/enqueue", payload.trigger(FIRING), KEY).status == 202  # one that was under way still ends


# --- crashes and lost answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["drop-after", "status-after"])
def test_an_answer_that_was_lost_pages_once(server: PagerDutyServer, adapter: PagerDutyAdapter, fault: Any) -> None:
    delivery = Delivery(adapter)
    server.fail(fault)
    error = failed(delivery)
    assert (error.permanent, error.uncertain, error.unreachable) == (False, True, True)
    delivery.tell(TAKEN)
    delivery.tell(OVER)
    assert len(server.pages) == 1
    assert server.incidents[0].status == "resolved"


def test_a_crash_after_everything_was_sent_pages_once(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    delivery = Delivery(adapter)
    delivery.tell(TAKEN, crash=True)
    delivery.tell(TAKEN)
    assert actions(server) == [["trigger", "acknowledge"] * 2]  # nobody is called again by the second ones
    assert len(server.pages) == 1


def test_no_attempt_is_made_by_itself_after_a_failure(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    for number, kind in enumerate(("rate-limit", "status", "drop", "refuse", "drop-after"), 1):
        server.fail(kind)  # type: ignore[arg-type]
        failed(Delivery(adapter))
        assert server.requests == number


# --- failures -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "seconds"), [("7", 7.0), ("6.5", 6.5), ("", None), ("soon", None), ("99999999999", 3600.0)]
)
def test_too_many_are_tried_again_when_pagerduty_says(
    server: PagerDutyServer, adapter: PagerDutyAdapter, header: str, seconds: float | None
) -> None:
    server.fail("rate-limit", retry_after=header)
    error = failed(Delivery(adapter))
    assert (error.permanent, error.uncertain, error.unreachable) == (False, False, False)
    assert error.retry_after_seconds == seconds


def test_a_date_says_when_to_try_again(server: PagerDutyServer, adapter: PagerDutyAdapter) -> None:
    server.fail("rate-limit", retry_after=format_datetime(datetime.now(UTC) + timedelta(minutes=30), usegmt=True))
    seconds = failed(Delivery(adapter)).retry_after_seconds
    assert seconds is not None
    assert 900 < seconds <= 1800


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_errors_of_the_server_pass(server: PagerDutyServer, adapter: PagerDutyAdapter, status: int) -> None:
    server.fail("status", status=status)
    error = failed(Delivery(adapter))
    assert (error.permanent, error.uncertain, error.unreachable) == (False, True, True)
    assert str(status) in error.message


@pytest.mark.parametrize("status", [200, 301, 307, 401, 403, 404, 407])
def test_what_somebody_in_between_answers_is_no_delivery(
    server: PagerDutyServer, adapter: PagerDutyAdapter, status: int
) -> None:
    server.fail("status", status=status)
    error = failed(Delivery(adapter))
    assert (error.permanent, error.uncertain, error.unreachable) == (False, False, True)


def test_what_pagerduty_refuses_is_permanent_and_says_why(server: PagerDutyServer, library: Library) -> None:
    adapter = open_adapter(PagerDutySettings(url=server.url), library=library, environment={"PAGERDUTY_KEY": "0" * 32})
    with pytest.raises(DeliveryError) as caught:
        Delivery(adapter).tell(FIRING)
    adapter.close()
    assert caught.value.permanent
    assert caught.value.message == "PagerDuty answered 400: Event object is invalid; Invalid routing key"
    assert "integration key" in caught.value.remedy


def test_a_time_out_is_uncertain(server: PagerDutyServer, library: Library) -> None:
    settings = PagerDutySettings(url=server.url)
    adapter = open_adapter(settings, library=library, timeout_seconds=0.3, environment=KEYS)
    delivery = Delivery(adapter)
    server.fail("hang-after")
    error = failed(delivery)
    assert (error.permanent, error.uncertain, error.unreachable) == (False, True, True)
    adapter.close()


def test_a_refused_connection_is_certain(library: Library) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        adapter = open_adapter(PagerDutySettings(url=url), library=library, environment=KEYS)
        error = failed(Delivery(adapter))
        adapter.close()
    assert (error.permanent, error.uncertain, error.unreachable) == (False, False, True)


def test_a_redirect_is_not_followed(library: Library) -> None:
    with _redirecting() as (url, followed):
        adapter = open_adapter(PagerDutySettings(url=url), library=library, environment=KEYS)
        assert failed(Delivery(adapter)).unreachable
        adapter.close()
        assert not followed.is_set()


# --- keys -----------------------------------------------------------------------------------------------------------


def test_a_key_is_read_from_where_the_catalogue_says(server: PagerDutyServer, library: Library, tmp_path: Path) -> None:
    file = tmp_path / "key"
    settings = PagerDutySettings(url=server.url, keys={"primary": Secret(file=str(file))})
    adapter = open_adapter(settings, library=library, environment={})
    error = failed(Delivery(adapter))
    assert not error.permanent  # it is about to be mounted, perhaps
    file.write_text(KEY + "\n")
    Delivery(adapter).tell(FIRING)
    file.write_text(OTHER_KEY)
    Delivery(adapter).tell(FIRING)
    adapter.close()
    assert [one.routing_key for one in server.incidents] == [KEY, OTHER_KEY]


def test_a_missing_key_is_named(server: PagerDutyServer, library: Library) -> None:
    adapter = open_adapter(PagerDutySettings(url=server.url), library=library, environment={})
    error = failed(Delivery(adapter, "web-leads.eu"))
    adapter.close()
    assert error.permanent
    assert "PAGERDUTY_KEY_WEB_LEADS_EU" in error.remedy
    assert "routing.pagerduty.keys.web-leads.eu" in error.remedy
    assert server.requests == 0


@pytest.mark.parametrize("wrong", ["short", "x" * 31 + "é", "x" * 31 + "\n\r"])
def test_what_is_no_key_is_not_sent_nor_shown(server: PagerDutyServer, library: Library, wrong: str) -> None:
    adapter = open_adapter(PagerDutySettings(url=server.url), library=library, environment={"PAGERDUTY_KEY": wrong})
    error = failed(Delivery(adapter))
    adapter.close()
    assert error.permanent
    assert wrong.strip() not in str(error)
    assert server.requests == 0


def test_keys_are_in_no_log(
    server: PagerDutyServer, adapter: PagerDutyAdapter, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    delivery = Delivery(adapter)
    server.fail("status")
    failed(delivery)
    delivery.tell(FIRING)
    assert KEY not in caplog.text
    assert KEY not in repr(adapter)


@pytest.mark.parametrize("url", ["http://events.example.org", "events.pagerduty.com", "ftp://127.0.0.1", ""])
def test_keys_are_not_sent_in_the_clear(url: str, library: Library) -> None:
    with pytest.raises(SlaKitError, match="https://"):
        clients(url, library=library)


def test_the_newer_library_is_preferred_and_either_serves_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert installed() == "pagerduty"
    for there, found in ((["pdpyras"], "pdpyras"), (["pagerduty"], "pagerduty")):
        monkeypatch.setattr(importlib.util, "find_spec", lambda name, there=there: name if name in there else None)
        assert installed() == found
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="pagerduty"):
        installed()


def test_the_time_of_a_delivery_is_within_what_it_may_take() -> None:
    assert 2 * 3 * TIMEOUT_SECONDS < DELIVERY_SECONDS


def test_the_frozen_library_says_nothing_of_it_where_it_is_used(server: PagerDutyServer) -> None:
    code = (
        "from sla_kit.routing.pagerduty.clients import clients\n"
        f"print(clients({server.url!r}, library='pdpyras').send('/v2/enqueue', {{}}, 'k').status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("400\n", "")


@contextmanager
def _redirecting() -> Iterator[tuple[str, threading.Event]]:
    followed = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            if self.path == "/elsewhere":
                followed.set()
            self.send_response(307)
            self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Says nothing."""

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_address[1]}", followed
    listener.shutdown()
    listener.server_close()
    thread.join()
