"""What the ingest pipelines make of documents: their patterns are matched by Java and by Elasticsearch's grok, the
processors around them are played (`tests.elk.simulator`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.elk import ingest_pipeline
from sla_kit.elk.objects import objects
from sla_kit.logs.documents import Document as Loaded
from sla_kit.logs.fingerprint import LONGEST, NORMALISATIONS, REDACTIONS, fingerprint, normalised
from sla_kit.logs.reading import Reading, Tally, read
from tests.elk.catalogues import shop
from tests.elk.simulator import NOW, Simulator
from tests.servers.elasticsearch.matching import Matching, matching

STREAM = "logs-shop-staging"
MESSAGES = (
    "timeout after 3000 ms calling https://pay.example.com/v1/charge?id=17 for order 4711",
    'user "ann@example.com" not found (id=3f2b8c1e-9d4a-4f6b-8a77-0123456789ab)',
    "can't open /var/lib/shop/data.db: [Errno 13] Permission denied",
    "HTTP 503 from 10.1.2.3:8080 at 2026-03-02T10:00:00.123Z",
    "Authorization: Bearer abcdef0123456789abcdef.ghi",
    "GET /reset?mail=ann%40example.com&x=1",
    "card 4111 1111 1111 1111 declined, password=hunter2 token: 9f8e7d6c5b4a",
    "KeyError: 'player_9912'",
    "naïve “quoted” texts «are» quoted; ünïcödé 12 items",
    "0xdeadbeef at com.shop.Cart@1a2b3c4d, pod web-5d8c7b9f6d-x2x9q",
    '{"password": "a\\"b c", "amount": 12.50}',
    "  spaced \t out\n\nlines  ",
    "to ann@münchen.example, josé@correo.example, иван@почта.рф, 用户@例子.广告 and 𠮷野@例え.テスト",
    "联系ann@example.com失败 GET /a?mail=j%C3%B6rg%40m%C3%BCnchen.example ann@xn--mnchen-3ya.xn--p1ai",
    "x" * 5000,
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N",
    "",
)
ACCESS_LINES = (
    '203.0.113.7 - - [02/Mar/2026:10:11:12 +0100] "GET / HTTP/1.1" 200 157 "-" "Mozilla/5.0 (X11; Linux)"',
    '203.0.113.7 - - [02/Mar/2026:10:11:13 +0100] "POST /cart?a=1&b=2 HTTP/2.0" 503 0 "https://a.example/?q" "curl/8"',
    '2001:db8::1 - ann [02/Mar/2026:10:11:14 +0000] "GET /a%20b/123 HTTP/1.0" 404 12 "-" "-"',
    '203.0.113.8 - - [02/Mar/2026:10:11:15 +0100] "GET /order/4711 HTTP/1.1" 500 99 "-" "Mozilla/5.0"',
    '203.0.113.9 - - [28/Feb/2026:23:59:59 -0800] "HEAD /x HTTP/1.1" 304 0 "-" "bot (+http://b.example)"',
)


@pytest.fixture(scope="module")
def java() -> Iterator[Matching]:
    with matching() as started:
        yield started


@pytest.fixture(scope="module")
def simulator(java: Matching) -> Simulator:
    catalogue = shop(STREAM)
    return Simulator({each.name: each.body for each in objects(catalogue) if each.kind == "ingest pipeline"}, java)


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_java_normalises_as_python_does(java: Matching, number: int) -> None:
    assert _by_java(java, MESSAGES[number]) == normalised(MESSAGES[number])


@settings(max_examples=150, deadline=None)
@given(text=st.text(st.sampled_from("aAzZ09 -_./:@\"'`<>(){}[],;=?&%+#\\\n\téж界ไ\U00020bb7deadbeef"), max_size=300))
def test_java_normalises_any_text_as_python_does(text: str) -> None:
    with_java = _shared()
    assert _by_java(with_java, text) == normalised(text)


@pytest.mark.parametrize(
    ("type", "message"),
    [("KeyError", MESSAGES[6]), ("", MESSAGES[0]), ("com.shop.Proxy17$Error", MESSAGES[3]), ("E", MESSAGES[1] * 60)],
)
def test_an_error_gets_the_key_that_others_group_by(simulator: Simulator, type: str, message: str) -> None:
    error = {"message": message, **({"type": type} if type else {})}
    found = simulator.run(STREAM, {"log": {"level": "ERROR"}, "message": "failed", "error": error})
    expected = fingerprint(type, message)
    assert found["error"]["grouping_key"] == expected.key
    assert found["error"]["grouping_name"] == expected.name


def test_an_error_with_a_stack_is_left_to_who_reads_it(simulator: Simulator) -> None:
    stack = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\nValueError: x 12'
    found = simulator.run(STREAM, {"message": "failed", "error": {"stack_trace": stack}, "log": {"level": "error"}})
    assert "grouping_key" not in found["error"]
    assert found["error"]["type"] == "ValueError"
    assert found["error"]["grouping_name"] == "ValueError: x <number>"


def test_an_access_log_s_line_becomes_a_document(simulator: Simulator) -> None:
    line = (
        '203.0.113.7 - ann [02/Mar/2026:10:11:12 +0100] "GET /cart?user=ann@example.com HTTP/1.1" 502 157 '
        '"https://shop.example.com/" "Mozilla/5.0" 0.25'
    )
    found = simulator.run(STREAM, {"event": {"original": line}, "service": {"name": "web"}, "@timestamp": NOW})
    assert found["@timestamp"] == "2026-03-02T10:11:12.000+01:00"
    assert found["http"]["response"] == {"status_code": 502, "body": {"bytes": 157}}
    assert found["url"] == {"original": "/cart?user=<email>", "path": "/cart", "query": "user=<email>"}
    assert found["event"] == {"ingested": NOW, "duration": 250_000_000, "outcome": "failure"}
    assert found["message"] == "GET /cart?user=<email> HTTP/1.1"
    assert (found["error"]["type"], found["error"]["message"]) == ("HTTP 502", "GET /cart")
    assert found["source"] == {"address": "203.0.113.7", "ip": "203.0.113.7"}
    assert found["user"] == {"name": "ann"}
    assert "ann@example.com" not in json.dumps(found)
    assert len(found["error"]["grouping_key"]) == 16


def test_an_access_log_is_the_same_document_by_the_pipeline_as_by_the_loader(
    simulator: Simulator, tmp_path: Path
) -> None:
    log = tmp_path / "access.log"
    log.write_text("".join(f"{line}\n" for line in ACCESS_LINES))
    loaded = [each for each in read([str(log)], Reading(), Tally()) if isinstance(each, Loaded)]
    assert len(loaded) == len(ACCESS_LINES)
    for line, document in zip(ACCESS_LINES, loaded, strict=True):
        expected, found = json.loads(document.source), simulator.run(STREAM, {"event": {"original": line}})
        for name in ("error", "http", "url", "user", "source", "message", "log"):
            assert found.get(name) == expected.get(name), line
        assert found["event"].get("outcome") == expected["event"].get("outcome"), line
        assert datetime.fromisoformat(found["@timestamp"]) == datetime.fromisoformat(expected["@timestamp"]), line


def test_a_program_s_line_with_its_trace_becomes_a_document(simulator: Simulator) -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 1\nshop.Bad: x'
    line = f"2026-03-02 10:00:01,250 ERROR pay failed\n{trace}"
    found = simulator.run(STREAM, {"event": {"original": line}, "message": line})
    assert found["@timestamp"] == "2026-03-02T10:00:01.250Z"
    assert found["message"] == "pay failed"
    assert found["log"] == {"level": "ERROR"}
    assert (found["error"]["type"], found["error"]["message"]) == ("shop.Bad", "x")


def test_a_line_of_json_and_a_line_of_no_known_form_are_kept(simulator: Simulator) -> None:
    text = json.dumps({"message": "hi", "log": {"level": "info"}, "service": {"version": "2"}})
    found = simulator.run(STREAM, {"event": {"original": text}, "service": {"name": "web"}})
    assert found["service"] == {"name": "web", "version": "2"}
    assert found["message"] == "hi"
    assert simulator.run(STREAM, {"event": {"original": "what is this"}})["message"] == "what is this"


@pytest.mark.parametrize("number", range(len(MESSAGES)))
def test_no_secret_is_kept(simulator: Simulator, number: int) -> None:
    found = json.dumps(simulator.run(STREAM, {"message": MESSAGES[number], "error": {"stack_trace": MESSAGES[number]}}))
    for secret in (
        "ann@example.com",
        "ann%40example",
        "hunter2",
        "4111 1111",
        "abcdef0123456789abcdef.ghi",
        "eyJhbGci",
        "9f8e7d6c5b4a",
        *("ann@", "josé", "иван", "用户", "𠮷野", "nchen", "почта"),
    ):
        assert secret not in found


@pytest.mark.parametrize(
    "document",
    [
        {"message": {"an": "object"}},
        {"message": ["a", 1]},
        {"message": 17, "error": {"message": None}},
        {"error": "no object", "message": "ann@example.com"},
        {"event": {"original": '{"error": "text", "message": "ann@example.com"}'}},
        {"log": "text", "message": "x", "event": {"original": "2026-03-02T10:00:00Z ERROR ann@example.com"}},
    ],
    ids=["object", "list", "number", "error", "json", "level"],
)
def test_a_document_that_a_step_can_t_take_is_kept(simulator: Simulator, document: dict[str, Any]) -> None:
    found = simulator.run(STREAM, document)
    assert ingest_pipeline.TEMPORARY not in found
    assert "ann@example.com" not in json.dumps(found)


@pytest.mark.parametrize(
    "text", ['password": "a', "password=b", "a.b", "/a", "1,2", "cookie: a=b; ", "é", "界", "a@b.", "a%40é.", "%c3"]
)
def test_a_long_text_is_not_too_deep_for_java(java: Matching, text: str) -> None:
    for rule in (*REDACTIONS, NORMALISATIONS[0]):
        java.gsub(rule.pattern, rule.replacement, text + text[-3:] * 40_000)
    for rule in NORMALISATIONS[1:]:  # after the cut
        java.gsub(rule.pattern, rule.replacement, (text + text[-3:] * LONGEST)[:LONGEST])


def _by_java(java: Matching, text: str) -> str:
    def once(part: str) -> str:
        for rule in (*REDACTIONS, *NORMALISATIONS):
            part = java.gsub(rule.pattern, rule.replacement, part)
        return part

    found = once(text[:LONGEST])
    while len(found) > LONGEST:
        found = once(found[:LONGEST])
    return found


_PROCESSES: list[Any] = []


def _shared() -> Matching:
    if not _PROCESSES:
        held = matching()
        _PROCESSES.extend((held, held.__enter__()))
    found: Matching = _PROCESSES[1]
    return found
