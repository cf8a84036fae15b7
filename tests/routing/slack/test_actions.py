"""Requests of Slack's: their signature, and what they ask for."""

from __future__ import annotations

import json
import unicodedata
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.routing.events import Acknowledgement, Escalating, Silencing
from sla_kit.routing.slack.actions import SignatureError, action_key, check_signature, read_action
from tests.servers.slack import signature

NOW = 1_795_740_000.0
SECRET = "8f742231b10e8888abcd99yyyzzz85a5"


def _body(action: str = "sla_kit_acknowledge", value: str = "key", **more: object) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "erin", "name": "erin"},
        "actions": [{"type": "button", "action_id": action, "value": value, "action_ts": "1.2"}],
    } | more
    return urlencode({"payload": json.dumps(payload)}).encode()


def _signed(body: bytes, at: float = NOW) -> dict[str, str]:
    return signature(SECRET, body, at)


def test_slacks_own_example_of_a_signature_is_accepted() -> None:
    # https://docs.slack.dev/authentication/verifying-requests-from-slack
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V"
        b"&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text="
        b"&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        "X-Slack-Request-Timestamp": "1531420618",
        "X-Slack-Signature": "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    check_signature(headers, body, "8f742231b10e8888abcd99yyyzzz85a5", 1531420618.0)
    assert read_action(headers, body, "8f742231b10e8888abcd99yyyzzz85a5", 1531420618.0) is None


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        ("sla_kit_acknowledge", Acknowledgement(incident="key", by="erin (U1)", at=NOW, via="slack")),
        ("sla_kit_silence", Silencing(incident="key", by="erin (U1)", at=NOW, seconds=3600.0, via="slack")),
        ("sla_kit_escalate", Escalating(incident="key", by="erin (U1)", at=NOW, via="slack")),
        ("of_another_app", None),
    ],
)
def test_a_button_is_the_event_that_it_stands_for(action: str, expected: object) -> None:
    body = _body(action)
    assert read_action(_signed(body), body, SECRET, NOW) == expected


@pytest.mark.parametrize("seconds", [-301, 301, 86400])
def test_a_signature_of_another_time_is_refused(seconds: float) -> None:
    body = _body()
    with pytest.raises(SignatureError, match="too old"):
        read_action(_signed(body, NOW - seconds), body, SECRET, NOW)


@pytest.mark.parametrize("seconds", [-299, 0, 299])
def test_a_signature_of_now_is_accepted(seconds: float) -> None:
    body = _body()
    assert read_action(_signed(body, NOW - seconds), body, SECRET, NOW) is not None


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": str(int(NOW))},
        {"X-Slack-Request-Timestamp": str(int(NOW)), "X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Request-Timestamp": "9" * 400, "X-Slack-Signature": "v0=00"},
        {"X-Slack-Request-Timestamp": "²", "X-Slack-Signature": "ä"},
    ],
    ids=["none", "no-time", "no-signature", "wrong", "long", "odd"],
)
def test_what_slack_did_not_sign_is_refused(headers: dict[str, str]) -> None:
    with pytest.raises(SignatureError):
        read_action(headers, _body(), SECRET, NOW)


def test_a_body_that_was_changed_is_refused() -> None:
    headers = _signed(_body())
    with pytest.raises(SignatureError):
        read_action(headers, _body(value="another"), SECRET, NOW)


def test_without_a_secret_nothing_is_accepted() -> None:
    body = _body()
    with pytest.raises(SignatureError, match="signing secret"):
        read_action(_signed(body), body, "", NOW)


def test_names_of_headers_have_no_case() -> None:
    body = _body()
    headers = {name.lower(): value for name, value in _signed(body).items()}
    assert read_action(headers, body, SECRET, NOW) is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload={",
        b"payload=[]",
        b"\xff\xfe",
        b"payload=" + b"[" * 3000,
        _body(type="view_submission"),
        _body(actions=[]),
        _body(value=""),
        _body(value="x" * 256),
        _body(user=3),
    ],
    ids=["empty", "blank", "cut", "list", "binary", "deep", "view", "none", "no-key", "long-key", "no-user"],
)
def test_what_is_no_button_of_ours_is_nothing(body: bytes) -> None:
    assert read_action(_signed(body), body, SECRET, NOW) is None


@given(st.binary(max_size=300))
def test_no_body_breaks_it(body: bytes) -> None:
    assert read_action(_signed(body), body, SECRET, NOW) is None


@given(st.text(max_size=200))
def test_no_name_of_a_person_is_longer_or_other_than_text(name: str) -> None:
    body = _body(user={"id": "U1", "username": name, "name": ""})
    action = read_action(_signed(body), body, SECRET, NOW)
    assert action is not None
    assert 0 < len(action.by) <= 120
    assert action.by.splitlines() == [action.by]
    assert not any(unicodedata.category(character) in ("Cc", "Cs") for character in action.by)


def test_the_same_request_has_the_same_key() -> None:
    assert action_key(_body()) == action_key(_body())
    assert action_key(_body()) != action_key(_body(value="another"))
    assert len(action_key(_body())) <= 200


def test_a_key_that_no_database_can_look_up_is_none_of_ours() -> None:
    body = _body(value="a\0b")
    assert read_action(_signed(body), body, SECRET, NOW) is None
