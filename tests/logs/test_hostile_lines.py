"""Lines that nobody writes on purpose: none ends a load, each is a document or told as one that can't be read."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sla_kit.logs import Reading, json_events, survey, text_events
from sla_kit.logs.stack_traces import find_trace
from sla_kit.logs.times import from_number, from_text, written

_TIME = '"@timestamp":"2026-01-01T00:00:00Z"'
_WEB = '"request":"GET / HTTP/1.1","remote_addr":"192.0.2.1"'
_MANY = "1" * 5000


@pytest.mark.parametrize(
    "fields",
    [
        '"status":"\u00b200"',
        f'"status":"{_MANY}"',
        f'"responseTime":1{"0" * 400}',
        '"responseTime":1e308',
        f'"ts":1{"0" * 400}',
        f'{_WEB},"status":"\u00b200"',
        f'{_WEB},"status":"200","body_bytes_sent":"\u00b2"',
        f'{_WEB},"status":"200","body_bytes_sent":"{_MANY}"',
        f'"a":{{{"".join(chr(34) + "a" + chr(34) + ":{" for _ in range(400))}"b":1{"}" * 401}',
        '"":1,"a.":2,".b":3,"a..b":4,"a":5,"a.b":6,"@timestamp.x":7',
    ],
    ids=range(10),
)
def test_a_line_of_odd_values_is_a_document(tmp_path: Path, fields: str) -> None:
    file = tmp_path / "log"
    file.write_text(f"{{{_TIME},{fields}}}\n")
    found, documents, unreadable = survey([file], Reading(format="json"), 1)
    assert (found.documents, len(documents), unreadable) == (1, 1, [])


def test_an_answer_of_more_bytes_than_a_number_holds(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(f'192.0.2.1 - - [01/Jan/2026:00:00:00 +0000] "GET / HTTP/1.1" 200 {_MANY}\n')
    assert survey([file], Reading(format="common"))[0].statuses == {200: 1}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_NAMES = st.sampled_from([
    *json_events.TIME_NAMES, "level", "severity", "levelno", "message", "status", "statusCode", "duration_ms", "error",
    "exc_info", "exception", "stack", "url", "ip", "user", "labels", "ecs.version", "request", "remote_addr",
    "body_bytes_sent", "request_time", "upstream_response_time", "args", "event", "log", "http_traceparent",
])  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.dictionaries(_NAMES, _VALUES, max_size=8))
def test_any_object_is_accounted_for(tmp_path: Path, fields: dict[str, object]) -> None:
    file = tmp_path / "log"
    file.write_bytes(msgspec.json.encode(fields) + b"\n")
    found = survey([file], Reading(format="json", at_ms=0))[0]
    assert found.documents + found.unreadable == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
@given(st.text(max_size=80), st.sampled_from(["", "2026-01-01T00:00:00Z ERROR ", "time=1 level=error msg=", "E0101 "]))
def test_any_text_is_accounted_for(tmp_path: Path, text: str, before: str) -> None:
    file = tmp_path / "log"
    file.write_text(f"{before}{text}\n", errors="replace")
    found = survey([file], Reading(format="text", at_ms=0))[0]
    assert found.documents + found.unreadable + found.blank >= 1


@pytest.mark.parametrize(
    ("read", "before", "piece"),
    [
        (text_events.event, "2026-01-01 00:00:00 ERROR ", "A."),
        (find_trace, "Traceback (most recent call last):\n", "}\n"),
        (find_trace, "", "panic: \n"),
    ],
)
def test_long_lines_take_time_in_proportion(read: object, before: str, piece: str) -> None:
    def seconds(times: int) -> float:
        text = before + piece * times
        begun = time.thread_time()
        read(text)  # type: ignore[operator]
        return time.thread_time() - begun

    short = long = float("inf")
    for _ in range(10):  # the shortest of some: others on the machine make any of them longer
        short = min(short, *(seconds(2_000) for _ in range(3)))
        long = min(long, seconds(32_000))
        # Sixteen times as long; what goes back over the text again and again takes 256 times as long.
        if long < 80 * max(short, 0.001):
            return
    pytest.fail(f"{long:g} s for sixteen times what takes {short:g} s")


def test_times_beyond_what_is_a_time() -> None:
    assert from_number(10**400) is None
    assert from_text("1" * 1_000_000) is None
    assert written(10**18) == "9999-12-31T23:59:59.999Z"
    assert written(-5) == "1970-01-01T00:00:00.000Z"
