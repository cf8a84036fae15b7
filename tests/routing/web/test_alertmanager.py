"""Alertmanager's webhook: what is understood, what is refused and how it is told, and that nothing else happens."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.routing import events
from sla_kit.routing.web.alertmanager import MAX_ALERTS, fingerprint, read_webhook
from sla_kit.routing.web.moments import moment
from sla_kit.routing.web.reading import MAX_TEXT, RefusedError

NOW = 1_800_000_000.0


def alert(**changes: Any) -> dict[str, Any]:
    return {
        "status": "firing",
        "labels": {"alertname": "High", "service": "api", "severity": "critical"},
        "annotations": {"summary": "It is high"},
        "startsAt": "2026-03-01T12:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph?g0.expr=up",
        "fingerprint": "c4ff3d2f4a8a3b1e",
        **changes,
    }


def webhook(*alerts: dict[str, Any], **changes: Any) -> bytes:
    told = {
        "version": "4",
        "groupKey": '{}:{alertname="High"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "sre+web",
        "groupLabels": {"alertname": "High"},
        "commonLabels": {"alertname": "High"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
        **changes,
    }
    return json.dumps(told).encode()


def refused(body: bytes) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        read_webhook(body, NOW)
    return caught.value


def test_what_alertmanager_sends_is_taken_whole() -> None:
    found = read_webhook(webhook(alert(), alert(status="resolved", endsAt="2026-03-01T12:05:00Z")), NOW)
    assert (found.receiver, found.external_url, found.sender) == ("sre+web", "http://alertmanager:9093", "alertmanager")
    first, second = found.alerts
    assert (first.name, first.firing, first.ends_at) == ("High", True, None)
    assert first.starts_at == pytest.approx(datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp() + 0.123457)
    assert (second.firing, second.ends_at) == (False, datetime(2026, 3, 1, 12, 5, tzinfo=UTC).timestamp())
    assert events.decode(events.encode(found)) == found


def test_keys_that_a_newer_alertmanager_adds_change_nothing() -> None:
    plain = read_webhook(webhook(alert()), NOW)
    assert read_webhook(webhook(alert(novelty=[1, {"a": None}]), routeID="x", notificationReason="new"), NOW) == plain


def test_a_webhook_without_alerts_is_a_sign_of_life() -> None:
    assert read_webhook(webhook(), NOW).alerts == []
    assert read_webhook(webhook(alerts=None), NOW).alerts == []


def test_how_many_were_left_out_is_kept() -> None:
    assert read_webhook(webhook(alert(), truncatedAlerts=40), NOW).truncated == 40


def test_a_fingerprint_that_is_missing_is_the_one_that_prometheus_gives() -> None:
    # From the tests of prometheus/common (model/signature_test.go).
    assert int(fingerprint({}), 16) == 14695981039346656037
    labels = {"name": "garland, briggs", "fear": "love is not enough"}
    assert int(fingerprint(labels), 16) == 5799056148416392346
    assert fingerprint(labels) == fingerprint(dict(sorted(labels.items())))
    (found,) = read_webhook(webhook(alert(fingerprint="", labels=labels)), NOW).alerts
    assert found.fingerprint == fingerprint(labels)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"startsAt": "yesterday"}, "alerts[1].startsAt"),
        ({"startsAt": "20260-03-01T12:00:00Z"}, "alerts[1].startsAt"),
        ({"startsAt": "9999-12-31T23:59:59-14:00"}, "alerts[1].startsAt"),
        ({"startsAt": "2026-02-30T12:00:00Z"}, "alerts[1].startsAt"),
        ({"startsAt": "2026-03-01T12:00:00"}, "alerts[1].startsAt"),
        ({"startsAt": 1_800_000_000}, "alerts[1].startsAt"),
        ({"endsAt": "2026-03-01T25:00:00Z"}, "alerts[1].endsAt"),
        ({"status": "suppressed"}, "alerts[1].status"),
        ({"labels": {"a": 1}}, "alerts[1].labels[...]"),
        ({"labels": None}, "alerts[1].labels"),
        ({"labels": {"a": "x" * 10_001}}, "alerts[1].labels.a"),
        ({"labels": {"": "x"}}, "alerts[1].labels"),
        ({"labels": {str(each): "" for each in range(501)}}, "alerts[1].labels"),
        ({"annotations": []}, "alerts[1].annotations"),
        ({"fingerprint": "f" * 101}, "alerts[1].fingerprint"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_mistake_names_its_place(change: dict[str, Any], path: str) -> None:
    error = refused(webhook(alert(), alert(**change)))
    assert (error.path, error.status) == (path, 400)
    assert error.error


@pytest.mark.parametrize(
    ("body", "path", "told"),
    [
        (webhook(version="3"), "version", "'3'"),
        (webhook(truncatedAlerts=-1), "truncatedAlerts", "no number"),
        (webhook(truncatedAlerts=10**30), "truncatedAlerts", ""),
        (webhook(receiver="r" * 501), "receiver", "too long"),
        (b'{"version": "4"}', "", "no 'alerts'"),
        (b"[]", "", "expected object"),
        (b"", "", "no JSON"),
        (b'{"version": "4", "alerts": [], "x": NaN}', "", "no JSON"),
        (b'{"version": "4", "alerts": [], "x": ' + b"[" * 100_000, "", "nested"),
        (b'{"version": "\xff", "alerts": []}', "", "UTF-8"),
        (b'{"version": "4", "receiver": "\\ud800", "alerts": []}', "", "no JSON"),
        (b'\xef\xbb\xbf{"version": "4", "alerts": []}', "", "no JSON"),
        (b'{"version": "4", "alerts": []} {}', "", "no JSON"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else value,
)
def test_what_is_no_webhook_is_told_so(body: bytes, path: str, told: str) -> None:
    error = refused(body)
    assert (error.path, error.status) == (path, 400)
    assert told in error.error


def test_too_many_alerts_are_told_how_to_be_fewer() -> None:
    one = json.dumps(alert())
    body = b'{"version": "4", "alerts": [' + ",".join([one] * (MAX_ALERTS + 1)).encode() + b"]}"
    assert "max_alerts" in refused(body).hint


def test_a_nul_costs_no_alert_and_is_not_kept() -> None:
    (found,) = read_webhook(webhook(alert(labels={"a\0": "b\0"}, annotations={"c": "\0"})), NOW).alerts
    assert (found.labels, found.annotations) == ({"a\ufffd": "b\ufffd"}, {"c": "\ufffd"})


def test_an_annotation_that_is_too_long_is_cut() -> None:
    (found,) = read_webhook(webhook(alert(annotations={"log": "x" * (MAX_TEXT + 1)})), NOW).alerts
    assert found.annotations["log"] == "x" * (MAX_TEXT - 1) + "…"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x", "/graph", "http://a b", "http://a\nb", "http://"])
def test_an_address_that_is_none_is_left_out(url: str) -> None:
    found = read_webhook(webhook(alert(generatorURL=url), externalURL=url), NOW)
    assert (found.external_url, found.alerts[0].generator_url) == ("", "")


def test_a_beginning_that_nobody_tells_is_now() -> None:
    assert read_webhook(webhook(alert(startsAt="0001-01-01T00:00:00Z")), NOW).alerts[0].starts_at == NOW


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2260, 1, 1)),
    st.integers(-14 * 60, 14 * 60),
    st.text("0123456789", max_size=12),
)
def test_moments_are_read_as_they_were_written(at: datetime, minutes: int, decimals: str) -> None:
    at = at.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    sign, rest = "-" if minutes < 0 else "+", abs(minutes)
    fraction = f".{decimals}" if decimals else ""
    text = f"{at:%Y-%m-%dT%H:%M:%S}{fraction}{sign}{rest // 60:02}:{rest % 60:02}"
    assert moment(text, "x") == pytest.approx(at.timestamp() + float(f"0.{decimals or 0}"), abs=1e-5)


def test_a_leap_second_belongs_to_its_minute() -> None:
    assert moment("2016-12-31T23:59:60Z", "x") == datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()
