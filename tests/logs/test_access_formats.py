"""Formats of access logs are compiled into parsers that read back what a web server writes."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs import access_events
from sla_kit.logs.access_formats import NAMED, LogFormatError, compile_format, unescaped

COMBINED = (
    '203.0.113.7 - alice [17/May/2015:10:05:03 +0200] "GET /a/b?c=d HTTP/1.1" 200 2326 '
    '"http://example.com/start" "Mozilla/5.0 (X11)"'
)


def matched(form: str, line: str) -> dict[str, str]:
    found = compile_format(form).match(line)
    assert found is not None, line
    return dict(found)


def test_the_combined_format() -> None:
    fields = matched("combined", COMBINED)
    assert access_events.time_of(fields, UTC) == 1431849903000
    document = access_events.event(fields)
    assert document["source.ip"] == "203.0.113.7"
    assert document["user.name"] == "alice"
    assert document["http.request.method"] == "GET"
    assert document["url.path"] == "/a/b"
    assert document["url.query"] == "c=d"
    assert document["http.version"] == "1.1"
    assert document["http.response.status_code"] == 200
    assert document["http.response.body.bytes"] == 2326
    assert document["http.request.referrer"] == "http://example.com/start"
    assert document["user_agent.original"] == "Mozilla/5.0 (X11)"
    assert document["event.outcome"] == "success"


@pytest.mark.parametrize(
    ("form", "line", "name", "value"),
    [
        ("common", '::1 - - [17/May/2015:10:05:03 +0000] "HEAD / HTTP/1.0" 304 -', "source.ip", "::1"),
        ("common", 'web7 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.0" 200 1', "source.address", "web7"),
        (
            "vhost-combined",
            'shop.example:443 10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/2" 200 1 "-" "curl"',
            "server.port",
            443,
        ),
        (
            "nginx-timed",
            COMBINED + " 0.125 0.100, 0.020 : 0.003",
            "event.duration",
            125_000_000,
        ),
        ("nginx-timed", COMBINED + " 0.125 0.100, 0.020 : 0.003", "upstream.duration", 123_000_000),
        ("nginx-timed", COMBINED + " 0.125 -", "event.duration", 125_000_000),
        ("nginx-main", COMBINED + ' "198.51.100.1, 10.0.0.1"', "client.ip", "198.51.100.1"),
        (
            "ingress-nginx",
            COMBINED + " 512 0.007 [default-web-80] [] 10.1.2.3:8080 77 0.006 200 9d1f",
            "http.request.id",
            "9d1f",
        ),
        ("%h %l %u %t \\\"%r\\\" %>s %b %D", COMBINED.split(' "http')[0] + " 1500", "event.duration", 1_500_000),
        (
            '%{X-Forwarded-For}i %h %l %u %t "%r" %>s %b %{ms}T',
            "198.51.100.2 " + COMBINED.split(' "http')[0] + " 12",
            "event.duration",
            12_000_000,
        ),
        (
            "$msec $status $request_method $scheme://$host$request_uri ${request_length}B $request_id",
            "1431849903.250 503 PURGE https://shop.example/x?y 99B abc",
            "url.domain",
            "shop.example",
        ),
        ("$time_iso8601 $request $status $zone", "2015-05-17T10:05:03+00:00 GET / HTTP/1.1 200 7", "labels.zone", "7"),
    ],
)  # fmt: skip
def test_other_formats(form: str, line: str, name: str, value: object) -> None:
    fields = matched(form, line)
    assert access_events.time_of(fields, UTC) is not None
    assert access_events.event(fields)[name] == value


def test_requests_that_are_none_of_http_are_kept_as_messages() -> None:
    line = r'203.0.113.7 - - [17/May/2015:10:05:03 +0000] "\x16\x03\x01\x02\x00" 400 226 "-" "-"'
    document = access_events.event(matched("combined", line))
    assert document["http.response.status_code"] == 400
    assert "http.request.method" not in document
    assert document["message"] == "\x16\x03\x01\x02\ufffd"


@pytest.mark.parametrize("method", ["PROPFIND", "M-SEARCH", "BREW", "get"])
def test_unusual_methods(method: str) -> None:
    document = access_events.event(matched("combined", COMBINED.replace("GET", method)))
    assert document["http.request.method"] == method


@pytest.mark.parametrize(
    ("target", "path", "domain"),
    [
        ("http://user:pw@shop.example:80/a?b", "/a", "shop.example:80"),
        ("*", "*", None),
        ("shop.example:443", "shop.example:443", None),
        ("//double//slash", "//double//slash", None),
    ],
)
def test_targets_of_requests(target: str, path: str, domain: str | None) -> None:
    document = access_events.event(matched("combined", COMBINED.replace("/a/b?c=d", target)))
    assert document["url.path"] == path
    assert document.get("url.domain") == domain


def test_quotation_marks_within_fields() -> None:
    escaped = COMBINED.replace("Mozilla/5.0 (X11)", r"a \"b\" \\ c")
    assert matched("combined", escaped)["http_user_agent"] == 'a "b" \\ c'
    bare = COMBINED.replace("Mozilla/5.0 (X11)", 'a "b" c')
    assert matched("combined", bare)["http_user_agent"] == 'a "b" c'


def test_a_line_that_ends_within_its_last_field() -> None:
    form = compile_format("combined")
    assert form.match(COMBINED[:-4]) is None
    found = form.match(COMBINED[:-4], short=True)
    assert found is not None
    assert found["status"] == "200"
    assert found["http_user_agent"] == "Mozilla/5.0 (X"
    assert form.match(COMBINED[:60], short=True) is None


def test_server_errors_have_a_type() -> None:
    document = access_events.event(matched("combined", COMBINED.replace(" 200 ", " 503 ")))
    assert document["error.type"] == "HTTP 503"
    assert document["error.message"] == "GET /a/b"
    assert document["log.level"] == "error"
    assert document["event.outcome"] == "failure"


@pytest.mark.parametrize("form", ["", "nothing", "$status", '%h "%r"', "%t", "100%"])
def test_formats_that_can_not_be_used_are_refused(form: str) -> None:
    with pytest.raises(LogFormatError):
        compile_format(form)


FIELD = (
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
    .map(str.strip)
    .filter(lambda text: text not in ("", "-"))
)


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


@given(
    address=st.ip_addresses().map(str),
    user=st.from_regex(r"[a-z]{1,8}", fullmatch=True),
    target=st.from_regex(r"/[a-z0-9/._-]{0,20}", fullmatch=True),
    status=st.integers(100, 599),
    size=st.integers(0, 10**12),
    referrer=FIELD,
    agent=FIELD,
    second=st.integers(0, 59),
)
def test_what_is_written_is_read_back(
    address: str, user: str, target: str, status: int, size: int, referrer: str, agent: str, second: int
) -> None:
    line = (
        f'{address} - {user} [29/Feb/2024:23:59:{second:02d} -0330] "GET {target} HTTP/1.1" {status} {size} '
        f'"{escaped(referrer)}" "{escaped(agent)}"'
    )
    fields = matched("combined", line)
    assert access_events.time_of(fields, UTC) == (1709263740 + second) * 1000
    document = access_events.event(fields)
    assert document["source.address"] == address
    assert document["user.name"] == user
    assert document["url.original"] == target
    assert document["http.response.status_code"] == status
    assert document["http.response.body.bytes"] == size
    assert document["http.request.referrer"] == referrer
    assert document["user_agent.original"] == agent


@given(st.binary(max_size=200))
def test_bytes_that_nginx_escapes_are_read_back(content: bytes) -> None:
    line = "".join(f"\\x{byte:02X}" for byte in content)
    assert unescaped(line) == content.decode("utf-8", "replace").replace("\0", "\ufffd")


@given(st.text(max_size=300), st.sampled_from(sorted(NAMED)))
def test_no_line_is_too_odd(line: str, form: str) -> None:
    for short in (False, True):
        found = compile_format(form).match(line, short=short)
        if found is not None:
            access_events.event(found)
