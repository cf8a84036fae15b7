"""Documents: their identity, their secrets, and the names of their fields."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.logs import LogFields
from sla_kit.logs.documents import Labels, finished, identity, nested
from sla_kit.logs.fingerprint import fingerprint
from sla_kit.logs.mapping import FIELDS, mappings


def document(found: dict[str, object], **labels: Any) -> dict[str, Any]:
    made = finished(dict(found), id="1", time_ms=1_714_564_801_123, labels=Labels(**labels), file="f", line=1)
    decoded: dict[str, Any] = msgspec.json.decode(made.source)
    return decoded


def test_what_is_said_of_all_documents_stands_where_the_line_says_nothing() -> None:
    labels = {"service": "shop", "environment": "production", "version": "1.2", "host": "web-1", "dataset": "x"}
    made = document({"service.name": "other"}, **labels)
    assert made["@timestamp"] == "2024-05-01T12:00:01.123Z"
    assert made["service"] == {"name": "other", "environment": "production", "version": "1.2"}
    assert made["host"] == {"name": "web-1"}
    assert made["event"] == {"dataset": "x"}


def test_documents_of_a_stream_name_it() -> None:
    made = document({}, stream="logs-shop.web-production")
    assert made["data_stream"] == {"type": "logs", "dataset": "shop.web", "namespace": "production"}
    assert made["event"]["dataset"] == "shop.web"


def test_errors_have_the_key_by_which_they_are_grouped() -> None:
    made = document({"error.type": "KeyError", "error.message": "'x17'", "error.stack_trace": ""})
    group = fingerprint("KeyError", "'x17'", "")
    assert made["error"]["grouping_key"] == group.key
    assert made["error"]["grouping_name"] == group.name
    assert "grouping_key" not in document({"message": "fine", "log.level": "info"}).get("error", {})
    assert document({"message": "oh", "log.level": "fatal"})["error"]["grouping_key"] == fingerprint("", "oh", "").key


def test_secrets_are_taken_out_unless_they_are_wanted() -> None:
    found: dict[str, object] = {
        "message": "mail to jo@example.com",
        "url.original": "/a?mail=jo%40example.com&token=abcdef123",
        "http.request.referrer": "https://a:b@example.com/",
        "labels.password": "hunter2",
        "labels.note": "card 4111 1111 1111 1111",
        "labels.author": "Jo",
        "error.stack_trace": "X: jo@example.com\n  at y",
    }
    text = msgspec.json.encode(document(found)).decode()
    for secret in ("jo@", "jo%40", "abcdef123", "a:b@", "hunter2", "4111"):
        assert secret not in text, secret
    assert "Jo" in text
    assert document(found, redact=False)["message"] == "mail to jo@example.com"


@pytest.mark.parametrize(("address", "kept"), [("203.0.113.77", "203.0.113.0"), ("2001:db8:1:2:3::4", "2001:db8:1::")])
def test_addresses_without_what_tells_people_apart(address: str, kept: str) -> None:
    made = document({"source.ip": address, "source.address": address}, anonymise=True)
    assert made["source"] == {"ip": kept, "address": kept}


def test_an_index_may_have_other_names_and_units() -> None:
    fields = LogFields(time="time", status="code", duration="took", duration_unit_seconds=0.001)
    made = document({"http.response.status_code": 200, "event.duration": 1_500_000}, fields=fields)
    assert made["code"] == 200
    assert made["took"] == 1.5
    assert made["time"].startswith("2024")
    assert "@timestamp" not in made


def test_times_may_be_moved() -> None:
    assert document({}, shift_ms=86_400_000)["@timestamp"] == "2024-05-02T12:00:01.123Z"


def test_equal_lines_are_told_apart_by_their_place() -> None:
    of = identity(b"head", 1, "line", Labels())
    assert of == identity(b"head", 1, "line", Labels(environment="x", version="y"))
    others = [
        identity(b"head", 2, "line", Labels()),
        identity(b"other", 1, "line", Labels()),
        identity(b"head", 1, "line ", Labels()),
        identity(b"head", 1, "line", Labels(host="web-2")),
        identity(b"head", 1, "line", Labels(shift_ms=1)),
    ]
    assert len({of, *others}) == 6


@given(st.dictionaries(st.sampled_from(sorted(FIELDS)), st.text() | st.integers(), max_size=8))
def test_every_document_can_be_written(found: dict[str, object]) -> None:
    document(found, stream="logs-a-b", anonymise=True)


def test_no_field_of_the_mapping_is_within_another() -> None:
    names = set(FIELDS)
    for name in names:
        parts = name.split(".")
        assert not any(".".join(parts[:length]) in names for length in range(1, len(parts)))
    assert mappings()["properties"]["http"]["properties"]["response"]["properties"]["status_code"]["type"] == "integer"


def test_a_value_and_what_is_below_its_name_are_both_kept() -> None:
    assert nested({"a": 1, "a.b": 2}) == {"a": {"b": 2}, "labels": {"a": "1"}}
    assert nested({"a.b.c": 1, "a.b": "x", "labels": "y"}) == {
        "a": {"b": {"c": 1}},
        "labels": {"a_b": "x", "labels": "y"},
    }
    assert nested({"labels.a": "kept", "a": 1, "a.b": 2}) == {"labels": {"a": "kept"}, "a": {"b": 2}}


def test_no_field_keeps_a_secret_whatever_it_is_called() -> None:
    found: dict[str, object] = {
        "error.type": "NoUser: jo@example.com",
        "http.request.body.content": "password=hunter2",
        "process.args": ["--password=hunter2", {"of": "jo@example.com", "password": "hunter2"}],
        "url.full": "https://a:b@example.com/",
        "labels.jo@example_com": 1,
        "exotic.name": "4111 1111 1111 1111",
    }
    text = msgspec.json.encode(document(found)).decode()
    for secret in ("jo@", "hunter2", "a:b@", "4111"):
        assert secret not in text, secret


def test_people_known_by_an_address_stay_as_many_as_they_are() -> None:
    first, second = (document({"user.id": f"{name}@example.com"})["user"]["id"] for name in ("jo", "mo"))
    assert first != second
    assert "@" not in first
    assert document({"user.id": "JO@example.com"})["user"]["id"] == first
    assert document({"user.id": "4711"})["user"]["id"] == "4711"


def test_identifiers_stay_whole() -> None:
    assert document({"trace.id": "4111111111111111"})["trace"]["id"] == "4111111111111111"
