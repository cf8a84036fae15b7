"""The router's own JSON: what each kind becomes, and that what is wrong is refused with its place."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest

from sla_kit.routing import events
from sla_kit.routing.events import Acknowledgement, Alerts, Change, Closing, Escalating, Notice, Silencing
from sla_kit.routing.web.native import MAX_FILES_BYTES, Arrival, read_notifications
from sla_kit.routing.web.reading import RefusedError

NOW = 1_800_000_000.0


def read(*told: Any, **options: Any) -> list[Arrival]:
    return read_notifications(json.dumps(told[0] if len(told) == 1 else told).encode(), NOW, **options)


def test_an_alert_is_one_of_alertmanagers_with_its_key_for_a_name() -> None:
    told = {"kind": "alert", "key": "import", "title": "The import failed", "text": "…", "service": "api"}
    (arrival,) = read({**told, "severity": "critical", "labels": {"job": "import"}, "url": "https://jobs/7"})
    assert isinstance(arrival.event, Alerts)
    assert arrival.event.sender == "api"
    (alert,) = arrival.event.alerts
    wanted = {"alertname": "import", "service": "api", "severity": "critical", "job": "import"}
    assert (alert.labels, alert.starts_at, alert.firing, alert.ends_at) == (wanted, NOW, True, None)
    assert (alert.annotations, alert.generator_url) == (
        {"summary": "The import failed", "description": "…"},
        "https://jobs/7",
    )
    assert not alert.dated
    over = {**told, "labels": {"job": "import"}, "status": "resolved", "starts_at": 5}
    (again,) = read({**over, "ends_at": "2026-03-01T12:00:00Z"})
    assert isinstance(again.event, Alerts)
    assert again.event.alerts[0].fingerprint == alert.fingerprint
    assert (again.event.alerts[0].firing, again.event.alerts[0].starts_at) == (False, 5.0)
    assert again.event.alerts[0].ends_at == 1772366400.0


def test_an_alert_is_told_from_others_of_its_key_by_its_labels_and_from_none_by_its_severity() -> None:
    def fingerprint(**more: str) -> str:
        (arrival,) = read({"kind": "alert", "key": "disk", **more})
        assert isinstance(arrival.event, Alerts)
        return arrival.event.alerts[0].fingerprint

    assert fingerprint(severity="warning", slo="a") == fingerprint(severity="critical", slo="a")
    assert len({fingerprint(), fingerprint(slo="a"), fingerprint(slo="b"), fingerprint(service="a")}) == 4


def test_a_report_names_its_files_by_what_is_in_them() -> None:
    file = {"name": "week.pdf", "media_type": "application/pdf", "content": base64.b64encode(b"%PDF").decode()}
    told = {"title": "Week 38", "to": ["sre"], "fields": {"met": "5 of 5"}, "links": [{"url": "https://x/y"}]}
    (arrival,) = read({"kind": "report", **told, "files": [file]}, contacts=["sre"])
    assert arrival.files == (b"%PDF",)
    notice = arrival.event
    assert isinstance(notice, Notice)
    assert (notice.kind, notice.severity, notice.to) == ("report", "info", ["sre"])
    assert notice.files[0].digest == hashlib.sha256(b"%PDF").hexdigest()
    assert (notice.files[0].name, notice.files[0].size_bytes) == ("week.pdf", 4)
    assert events.decode(events.encode(notice)) == notice


def test_changes_and_deeds_become_their_events() -> None:
    deed = {"incident": "k", "by": "ada"}
    found = read(
        {"kind": "change", "summary": "api 1.4.2", "service": "api", "details": {"commit": "f00"}},
        {"kind": "acknowledge", **deed},
        {"kind": "close", **deed, "at": 7},
        {"kind": "escalate", **deed},
        {"kind": "silence", **deed, "seconds": 60},
    )
    assert [arrival.event for arrival in found] == [
        Change(summary="api 1.4.2", at=NOW, labels={"service": "api"}, details={"commit": "f00"}),
        Acknowledgement(incident="k", by="ada", at=NOW, via="api"),
        Closing(incident="k", by="ada", at=7.0, via="api"),
        Escalating(incident="k", by="ada", at=NOW, via="api"),
        Silencing(incident="k", by="ada", at=NOW, seconds=60.0, via="api"),
    ]


def test_a_key_counts_for_each_of_a_batch_and_an_id_for_its_own() -> None:
    one, other = {"kind": "notice", "title": "a"}, {"kind": "notice", "title": "b", "id": "mine"}
    assert [arrival.idempotency for arrival in read(one, other, key="k")] == ["api:k#0", "api:mine"]
    assert [arrival.idempotency for arrival in read(one, key="k")] == ["api:k"]
    assert [arrival.idempotency for arrival in read(one)] == [""]
    (long,) = read({**one, "id": "ü" * 150})
    assert len(long.idempotency.encode()) <= 200


@pytest.mark.parametrize(
    ("told", "path", "hint"),
    [
        ({"kind": "alrt"}, "kind", "alert"),
        ({}, "", ""),
        ({"kind": "alert", "key": "k", "servce": "x"}, "", "service"),
        ({"kind": "alert", "key": " "}, "key", ""),
        ({"kind": "alert", "key": "k", "status": "gone"}, "status", "firing"),
        ({"kind": "alert", "key": "k", "service": "a", "labels": {"service": "b"}}, "labels.service", "leave out"),
        ({"kind": "alert", "key": "k", "labels": {"a": "\0"}}, "labels.a", "leave"),
        ({"kind": "alert", "key": "k", "url": "javascript:x"}, "url", "http"),
        ({"kind": "alert", "key": "k", "starts_at": 1e300}, "starts_at", "1970"),
        ({"kind": "alert", "key": "k", "starts_at": 10**400}, "starts_at", "1970"),
        ({"kind": "alert", "key": "k", "starts_at": "soon"}, "starts_at", "RFC 3339"),
        ({"kind": "notice", "title": "t", "to": ["sre", "Web"]}, "to[1]", "web"),
        ({"kind": "notice", "title": "t", "links": [{"url": "x"}]}, "links[0].url", "http"),
        ({"kind": "notice", "title": "t", "links": [{"url": "http://x", "txt": ""}]}, "links[0]", "text"),
        ({"kind": "notice", "title": "t", "text": "x" * 50_001}, "text", "50000"),
        ({"kind": "notice", "title": "t", "files": [{"name": "a", "content": "?"}]}, "files[0].content", "RFC 4648"),
        ({"kind": "notice", "title": "t", "files": [{"name": "../a", "content": ""}]}, "files[0].name", "folders"),
        ({"kind": "notice", "title": "t", "id": "a\nb"}, "id", "printable"),
        ({"kind": "silence", "incident": "k", "by": "a", "seconds": 0}, "seconds", "more than 0"),
        ({"kind": "acknowledge", "incident": "k", "by": ""}, "by", ""),
        ([{"kind": "notice", "title": "t"}, {"kind": "notice"}], "[1]", ""),
        ([{"kind": "notice", "title": "t"}, {"kind": "notice", "title": 1}], "[1].title", ""),
        ([3], "[0]", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place_and_how_to_mend_it(told: Any, path: str, hint: str) -> None:
    with pytest.raises(RefusedError) as caught:
        read(told, contacts=["sre", "web"])
    assert (caught.value.path, caught.value.status) == (path, 400)
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    "body",
    [
        b'{"kind": "notice", "title": "a", "title": "b"}',
        b'{"kind": "notice", "title": "a", "labels": {"a": "", "a": ""}}',
        b'{"kind": "notice", "kind": "alert", "title": "a"}',
    ],
    ids=["title", "label", "kind"],
)
def test_what_stands_there_twice_is_refused(body: bytes) -> None:
    with pytest.raises(RefusedError):
        read_notifications(body, NOW)


def test_files_are_limited_in_all() -> None:
    content = base64.b64encode(bytes(MAX_FILES_BYTES // 2 + 1)).decode()
    one = {"kind": "notice", "title": "t", "files": [{"name": "a", "content": content}]}
    assert len(read(one)[0].files[0]) == MAX_FILES_BYTES // 2 + 1
    with pytest.raises(RefusedError, match="too large") as caught:
        read(one, one)
    assert caught.value.status == 413


@pytest.mark.parametrize("key", ["k" * 151, "a\nb"], ids=["long", "line"])
def test_a_key_that_can_not_be_kept_is_refused(key: str) -> None:
    with pytest.raises(RefusedError):
        read({"kind": "notice", "title": "t"}, key=key)
