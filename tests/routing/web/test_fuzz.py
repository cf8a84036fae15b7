"""Whatever comes in: it is refused with a 4xx, or it is stored and can be planned, and holds nothing else up.

Texts are of every kind: NUL, lone surrogates, emoji, very long ones; numbers are huge, and NaN; structures are nearly
right, or not at all; bytes are cut and spliced.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from sla_kit.catalogue import Catalogue, Contact, Route, Service
from sla_kit.routing import events
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.events import Event
from sla_kit.routing.outbox.accepting import accept, dead_events, waiting_events
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.planning.planner import Planner
from sla_kit.routing.web.alertmanager import read_webhook
from sla_kit.routing.web.app import PAGERDUTY_PATH, SLACK_PATH, Web
from sla_kit.routing.web.intake import Intake
from sla_kit.routing.web.native import read_notifications
from sla_kit.routing.web.reading import RefusedError
from sla_kit.routing.web.signed import signed_paths
from sla_kit.serving.web_config import WebConfig
from tests.routing.web.asking import ask
from tests.routing.web.conftest import Healthy
from tests.routing.web.test_alertmanager import alert, webhook

NOW = 1_800_000_000.0
#: So many accepted ones are planned together.
_TOGETHER = 100

_CATALOGUE = Catalogue(
    name="fuzz",
    services=[Service(name="api", owner="sre")],
    contacts=[
        Contact(name="sre", pagerduty="primary", slack="#incidents", email="sre@example.com"),
        Contact(name="web", slack="#web"),
    ],
    routes=[Route(to=["sre"], severity=["critical"]), Route(to=["web"])],
)


class Machine:
    """A planner behind an outbox: what is accepted is planned, sooner or later."""

    def __init__(self, outbox: Outbox) -> None:
        self.outbox = outbox
        self._planner = Planner(_CATALOGUE, outbox.clock)
        self._futures: list[Future[bool]] = []
        self.taken = 0

    def take(self, event: Event, idempotency: str = "") -> None:
        """Accepts an event."""
        assert events.decode(events.encode(event)) == event
        self.taken += 1
        self._futures.append(accept(self.outbox, event, idempotency=idempotency))
        if len(self._futures) >= _TOGETHER:
            self.settle()

    def settle(self) -> None:
        """Plans all there is; nothing of it is put aside."""
        for future in self._futures:
            future.result(120)
        self._futures.clear()
        while self.outbox.write(lambda connection: self._planner.plan(connection, self.outbox.clock.now())):
            pass
        with self.outbox.reading() as connection:
            assert [(dead.reason, dead.body[:2000]) for dead in dead_events(connection)] == []
            assert waiting_events(connection) == 0


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder: Path = tmp_path_factory.mktemp("fuzz")
    with open_outbox(str(folder / "outbox.db")) as outbox, pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLACK_SIGNING_SECRET", "s")
        patch.setenv("PAGERDUTY_WEBHOOK_SECRET", "p")
        machine = Machine(outbox)
        yield machine
        machine.settle()


def examples(count: int) -> Callable[[Any], Any]:
    """So many examples, however slow the machine is."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    return settings(max_examples=count, deadline=None, suppress_health_check=checks, database=None)


# --- what is sent ----------------------------------------------------------------------------------------------------

_NAMES = ["alertname", "service", "severity", "team", "environment", "slo", "cluster", "instance", "kind", "to", "at"]
_WORDS = ["Watchdog", "High", "api", "critical", "warning", "info", "firing", "resolved", "sre", "web", "", "…"]
_MOMENTS = [
    "2026-03-01T12:00:00Z",
    "2026-03-01T12:00:00.123456789+02:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59.999999999-14:00",
    "1970-01-01T00:00:00Z",
    "2261-12-31T23:59:59Z",
    "99999-01-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "now",
]
_TEXTS = ["x" * 499, "🔥" * 300, "<!channel> *b* `c` |d>", "'; DROP TABLE event; --", "%s%n", "\u202e", "\x1b[31m",
          "a\nb", "\x7f", "\uffff", "ẞ" * 201]  # fmt: skip
#: What is refused, in labels or everywhere.
_REFUSED = ["\0", "\ud800", "a\udfffb", "x" * 501, "ü" * 10_001, "z" * 50_001]
_NUMBERS = [0, 1, -1, 5, 2**31, 2**63, 2**64, 10**400, 1e308, 0.1, 1_800_000_000, math.nan, math.inf, -0.0]

Made = Callable[[], Any]


class Maker:
    """Makes documents that are right, or nearly. Drawing each part of them by hypothesis takes fifty times as long."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def among(self, *choices: Any) -> Any:
        """One of them; what can be called is."""
        found = self.random.choice(choices)
        return found() if callable(found) else found

    def text(self) -> str:
        """A word, a nasty text, or characters of any kind."""
        how = self.random.random()
        if how < 0.6:
            return self.random.choice(_WORDS)
        if how < 0.75:
            return self.random.choice(_TEXTS)
        if how > 0.99:
            return self.random.choice(_REFUSED)
        planes = ((0x20, 0x80), (0x80, 0x800), (0x800, 0xD800), (0xE000, 0x10000), (0x10000, 0x110000))
        length = self.random.randrange(12)
        return "".join(chr(self.random.randrange(*self.random.choice(planes))) for _ in range(length))

    def number(self) -> float:
        """Of any size."""
        return self.among(self.random.choice(_NUMBERS), self.random.randrange(-9, 9), self.random.random())  # type: ignore[no-any-return]

    def moment(self) -> Any:
        """A time, or what looks like one."""
        return self.among(*_MOMENTS[:3], *_MOMENTS[:3], *_MOMENTS, self.text, self.number)

    def anything(self, depth: int = 3) -> Any:
        """Any JSON, and what Python writes beyond it."""
        if depth and self.random.random() < 0.4:
            inner = [self.anything(depth - 1) for _ in range(self.random.randrange(4))]
            return inner if self.random.random() < 0.5 else {self.text(): each for each in inner}
        return self.among(None, True, False, self.text, self.number)

    def several(self, make: Made, most: int) -> list[Any]:
        """A few."""
        return [make() for _ in range(self.random.randrange(most + 1))]

    def labels(self) -> dict[str, str]:
        """Names that mean something here, and others."""
        return {self.among(*_NAMES, self.text): self.text() for _ in range(self.random.randrange(6))}

    def nearly(self, **fields: Any) -> dict[str, Any]:
        """A struct of these fields, of which one may be missing, or of another type, or there may be one too many."""
        told = {name: made() if callable(made) else made for name, made in fields.items()}
        how, name = self.random.randrange(40), self.random.choice(sorted(told))
        if how == 1:
            del told[name]
        elif how == 2:
            told[name] = self.anything()
        elif how == 3:
            told[f"x{name}"] = self.anything()
        return told

    def alert(self) -> dict[str, Any]:
        """One of Alertmanager's."""
        return self.nearly(
            status=lambda: self.among("firing", "resolved"),
            labels=self.labels,
            annotations=self.labels,
            startsAt=lambda: self.among(*_MOMENTS[:3]),
            endsAt=lambda: self.among(*_MOMENTS[:3], self.moment),
            generatorURL=lambda: self.among("", "http://p/graph", "javascript:x", self.text),
            fingerprint=lambda: self.among("", "a", "b", self.text),
        )

    def webhook(self) -> dict[str, Any]:
        """One of Alertmanager's."""
        return self.nearly(
            version=lambda: self.among("4", "4", "4", "4", "4", "3"),
            alerts=lambda: self.several(self.alert, 3),
            receiver=lambda: self.among("sre", "sre+web", "", self.text),
            externalURL=lambda: self.among("http://am:9093", self.text),
            truncatedAlerts=lambda: self.among(0, 0, 0, 7, self.number),
            status=self.text,
            groupLabels=self.labels,
        )

    def notification(self) -> dict[str, Any]:
        """One of the router's own."""
        labelled = {"labels": self.labels, "id": lambda: self.among("", "", "", self.text)}
        labelled |= {name: self.text for name in ("service", "severity") if self.random.random() < 0.3}
        words = {"title": self.text, "text": self.text, "to": lambda: self.several(lambda: self.among("sre", "web"), 2)}
        link = {"url": lambda: self.among("https://x/y", "https://x/y", self.text), "text": self.text}
        file = {"name": lambda: self.among("a.pdf", self.text), "content": lambda: self.among("aGk=", self.text)}
        deed = {"incident": self.text, "by": self.text, "at": self.moment}
        kind = self.random.randrange(5)
        if kind == 0:
            times = {"status": lambda: self.among("firing", "resolved"), "starts_at": self.moment}
            return self.nearly(
                kind="alert", key=self.text, title=self.text, annotations=self.labels, **times, **labelled
            )
        if kind == 1:
            words["links"] = lambda: self.several(lambda: self.nearly(**link), 2)
            words["files"] = lambda: self.several(lambda: self.nearly(**file), 2)
            return self.nearly(kind=lambda: self.among("notice", "report"), fields=self.labels, **words, **labelled)
        if kind == 2:
            return self.nearly(kind="change", summary=self.text, details=self.labels, at=self.moment, **labelled)
        if kind == 3:
            return self.nearly(kind=lambda: self.among("acknowledge", "close", "escalate"), **deed)
        return self.nearly(kind="silence", seconds=self.number, **deed)

    def batch(self) -> Any:
        """One, or several of them."""
        return self.among(self.notification, self.notification, lambda: self.several(self.notification, 3))

    def body(self) -> bytes:
        """A right body of which a piece was replaced, any bytes, any JSON."""
        how = self.random.random()
        if how < 0.2:
            return self.random.randbytes(self.random.randrange(200))
        if how < 0.4:
            return written(self.anything())
        body: bytes = self.random.choice(_VALID)
        start = self.random.randrange(len(body) + 1)
        end = start + self.random.randrange(30)
        return body[:start] + self.random.choice([*_PIECES, self.random.randbytes(5)]) + body[end:]

    def headers(self) -> dict[str, str]:
        """Some that mean something here."""
        count = self.random.randrange(4)
        return {self.random.choice(_HEADERS): self.random.choice(_VALUES) for _ in range(count)}


_makers = st.integers(0, 2**64 - 1).map(Maker)


def written(told: Any) -> bytes:
    """As JSON that may have lone surrogates and NaN."""
    return json.dumps(told).encode()


_VALID = [
    webhook(alert(), alert(status="resolved")),
    written({"kind": "report", "title": "t", "to": ["sre"], "files": [{"name": "a", "content": "aGk="}]}),
    written([{"kind": "alert", "key": "k", "starts_at": 5, "labels": {"a": "b"}}, {"kind": "change", "summary": "s"}]),
]
_PIECES = [b"", b"\0", b"\xff", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"NaN", b"1e999", b"9" * 400, b"[" * 3000,
           b'{"a":' * 2000, b"null", b'""', b"\xef\xbb\xbf", b",", b"}"]  # fmt: skip


# --- what becomes of it ----------------------------------------------------------------------------------------------


def refused(error: RefusedError) -> None:
    """It is answered so that it can be mended, in JSON."""
    assert 400 <= error.status < 500
    assert error.error
    json.dumps(error.body).encode("ascii")


@examples(5000)
@given(_makers)
def test_any_webhook_is_planned_or_refused(machine: Machine, maker: Maker) -> None:
    told = maker.webhook()
    note(repr(told))
    try:
        found = read_webhook(written(told), NOW)
    except RefusedError as error:
        refused(error)
    else:
        machine.take(found)


@examples(4000)
@given(_makers)
def test_any_notification_is_planned_or_refused(machine: Machine, maker: Maker) -> None:
    told, key = maker.batch(), maker.among("", "k", maker.text)
    note(repr(told))
    try:
        found = read_notifications(written(told), NOW, key=key)
    except RefusedError as error:
        refused(error)
    else:
        for arrival in found:
            machine.take(arrival.event, arrival.idempotency)


@examples(3000)
@given(_makers)
def test_any_bytes_are_planned_or_refused(machine: Machine, maker: Maker) -> None:
    body = maker.body()
    note(repr(body))
    for read in (lambda: [read_webhook(body, NOW)], lambda: [each.event for each in read_notifications(body, NOW)]):
        try:
            found: list[Event] = [*read()]
        except RefusedError as error:
            refused(error)
        else:
            for event in found:
                machine.take(event)


_PATHS = ["/v1/alertmanager", "/v1/notify", "/v1/incidents", "/v1/incidents/k/acknowledge", SLACK_PATH, PAGERDUTY_PATH,
          "/healthz", "/readyz", "/metrics", "/", "//", "/v1/incidents/\0/acknowledge", "/v1/notify/"]  # fmt: skip
_QUERIES = ["", "?limit=1", "?limit=99999999999999999999", "?limit=%00", "?service=%00", "?service=%ff", "?limit=²"]
_HEADERS = ["content-type", "content-length", "content-encoding", "authorization", "idempotency-key", "origin",
            "x-slack-signature", "x-slack-request-timestamp", "x-pagerduty-signature"]  # fmt: skip
_VALUES = ["application/json", "4", "-1", "9" * 30, "Basic YTpi", "Bearer x", "v0=00", "v1=00", "1800000000", "",
           "\xff", "gzip", "k" * 200]  # fmt: skip


def test_no_request_breaks_the_router(machine: Machine) -> None:
    metrics = RouterMetrics()
    web = Web(Intake(machine.outbox, metrics), metrics, Healthy())
    web.configure(WebConfig(), signed=signed_paths(_CATALOGUE.routing), contacts=["sre", "web"])

    @examples(1500)
    @given(_makers)
    def no_request(maker: Maker) -> None:
        method, path = maker.among("POST", "POST", "POST", "GET", "PUT", "x"), maker.among(*_PATHS)
        headers, body = (
            maker.headers(),
            maker.among(maker.body, lambda: written(maker.among(maker.webhook, maker.batch))),
        )
        note(f"{method} {path} {headers} {body!r}")
        answer = runner.run(ask(web, method, path + maker.among(*_QUERIES), body, headers))
        assert answer.status < 500
        if answer.status >= 400 and answer.headers.get("content-type") == "application/json":
            assert answer.json["error"]

    with asyncio.Runner() as runner:
        no_request()


def test_what_came_in_holds_nothing_else_up(machine: Machine) -> None:
    """After all of it, an alert is planned as ever."""
    machine.take(read_webhook(webhook(alert(labels={"alertname": "After all", "severity": "critical"})), NOW))
    machine.settle()
    with machine.outbox.reading() as connection:
        found = [bytes(body) for body in connection.exec_driver_sql("SELECT body FROM incident WHERE open").scalars()]
    assert sum(b"After all" in body for body in found) == 1
