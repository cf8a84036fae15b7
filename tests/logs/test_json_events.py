"""JSON lines of the usual loggers become documents of the Elastic Common Schema."""

from __future__ import annotations

import json
from datetime import UTC
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs import json_events
from sla_kit.logs.documents import nested

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
NAMES = st.sampled_from([
    "time", "level", "levelno", "severity", "msg", "error", "err", "status", "url", "user", "request", "remote_addr",
    "labels", "service", "error.type", "log", "name", "pid", "path", "duration_ms", "exc_info", "@timestamp",
    "ecs.version", "tags",
])  # fmt: skip


def event(line: dict[str, Any]) -> tuple[int | None, dict[str, Any]]:
    flat = json_events.flattened(line)
    return json_events.time_of(flat, UTC), json_events.event(flat)


AT = 1714564801250
PINO = {
    "level": 50, "time": AT, "pid": 7, "hostname": "web-1", "name": "api", "msg": "request errored", "v": 1,
    "req": {"id": "r1", "method": "GET", "url": "/a?b=1", "remoteAddress": "203.0.113.7"}, "res": {"statusCode": 500},
    "responseTime": 12,
    "err": {"type": "TypeError", "message": "x is undefined", "stack": "TypeError: x is\n    at f (a.js:1:2)"},
}  # fmt: skip


def test_pino() -> None:
    time, document = event(PINO)
    assert time == AT
    assert document["log.level"] == "error"
    assert document["message"] == "request errored"
    assert document["http.request.method"] == "GET"
    assert document["url.path"] == "/a"
    assert document["url.query"] == "b=1"
    assert document["http.response.status_code"] == 500
    assert document["event.duration"] == 12_000_000
    assert document["error.type"] == "TypeError"
    assert document["error.message"] == "x is undefined"
    assert "at f" in document["error.stack_trace"]
    assert document["source.ip"] == "203.0.113.7"
    assert document["process.pid"] == 7
    assert document["host.name"] == "web-1"


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ({"ts": AT / 1000, "level": "warn", "caller": "a/b.go:3", "msg": "zap"}, "log.logger", "a/b.go:3"),
        ({"ts": AT / 1000, "level": "error", "msg": "m", "error": "refused"}, "error.message", "refused"),
        ({"time": "2024-05-01T12:00:01.25Z", "level": "fatal", "msg": "logrus"}, "log.level", "fatal"),
        ({"timestamp": "2024-05-01T12:00:01.25Z", "event": "structlog", "level": "info"}, "message", "structlog"),
        ({"asctime": "2024-05-01 12:00:01,250", "levelname": "WARNING", "message": "m"}, "log.level", "warn"),
        ({"created": AT / 1000, "levelno": 40, "message": "m"}, "log.level", "error"),
        ({"timestamp": AT, "level": "error", "message": "winston", "stack": "RangeError: a\n    at b (c.js:1:1)"},
         "error.type", "RangeError"),
        ({"@t": "2024-05-01T12:00:01.25Z", "@l": "Warning", "@m": "serilog"}, "log.level", "warn"),
        ({"time": "2024-05-01T12:00:01.250000000Z", "stream": "stderr", "log": "of a pod"}, "message", "of a pod"),
        ({"time": AT * 1_000_000, "severity": 3, "msg": "m"}, "log.level", "error"),
        ({"time": AT, "msg": "m", "user_id": 12}, "user.id", "12"),
        ({"time": AT, "msg": "m", "user": {"id": "u1", "name": "Jo"}}, "user.name", "Jo"),
        ({"time": AT, "msg": "m", "something": {"else": [1, 2]}}, "labels.something_else", "[1,2]"),
        ({"time": AT, "msg": "m", "service": "shop", "version": "1.2"}, "service.version", "1.2"),
    ],
)  # fmt: skip
def test_names_that_loggers_use(line: dict[str, Any], name: str, value: object) -> None:
    time, document = event(line)
    assert time == AT
    assert document[name] == value


def test_documents_of_ecs_stay_as_they_are() -> None:
    line = {
        "@timestamp": "2024-05-01T12:00:01.250Z",
        "log.level": "ERROR",
        "message": "m",
        "ecs": {"version": "1.6.0"},
        "service": {"name": "shop", "node": {"name": "n1"}},
        "error": {"type": "E", "message": "e", "stack_trace": "s"},
        "organization": {"id": "o"},
        "custom": {"number": 1.5},
    }
    time, document = event(line)
    assert time == AT
    assert document["log.level"] == "error"
    found = nested(document)
    assert found["service"] == line["service"]
    assert found["error"] == line["error"]
    assert found["custom"] == line["custom"]
    assert found["organization"] == line["organization"]


def test_web_servers_that_log_json() -> None:
    line = {
        "time_iso8601": "2024-05-01T12:00:01.250+00:00", "remote_addr": "203.0.113.7", "request": "GET /a HTTP/2.0",
        "status": "502", "request_time": "0.250", "body_bytes_sent": "17",
    }  # fmt: skip
    time, document = event(line)
    assert time == AT
    assert document["http.response.status_code"] == 502
    assert document["event.duration"] == 250_000_000
    assert document["url.path"] == "/a"


@pytest.mark.parametrize("line", ["", "nothing", "[1]", "1", '{"a":', '{"a": NaN}', "{" * 5000])
def test_what_is_no_object(line: str) -> None:
    assert json_events.decoded(line) is None


@given(st.dictionaries(NAMES | st.text(max_size=12), JSON, max_size=10))
def test_no_object_is_too_odd(line: dict[str, Any]) -> None:
    decoded = json_events.decoded(json.dumps(line))
    if decoded is not None:
        _, document = event(decoded)
        nested(document)


@given(st.dictionaries(st.from_regex(r"[a-c](\.[a-c]){0,3}", fullmatch=True), st.integers(), max_size=12))
def test_nesting_loses_no_value(flat: dict[str, object]) -> None:
    tree = nested(flat)
    labels = tree.pop("labels", {})
    found = [*json_events.flattened(tree).values(), *(int(value) for value in labels.values())]  # type: ignore[attr-defined]
    assert sorted(found) == sorted(flat.values())  # type: ignore[type-var]
