"""What Slack's refusals and silences mean for a delivery."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from sla_kit.configuration.secrets import Secret
from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.slack.adapter import open_adapter
from tests.routing.slack.channel import Channel, channel, course, incident
from tests.servers.process import refusing_port
from tests.servers.slack import FaultKind


@pytest.fixture
def incidents(tmp_path: Path) -> Iterator[Channel]:
    with channel(tmp_path) as found:
        yield found


def _fails(told: Channel) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        told.attempt(incident())
    return caught.value


def test_too_many_requests_say_when_to_come_back(incidents: Channel) -> None:
    incidents.slack.fail("chat.postMessage", "rate-limit", retry_after="7")
    error = _fails(incidents)
    assert (error.retry_after_seconds, error.permanent, error.uncertain, error.unreachable) == (
        7.0,
        False,
        False,
        False,
    )


def test_the_limit_of_a_channel_is_slacks_own(incidents: Channel) -> None:
    incidents.slack.post_every_seconds = 600.0
    incidents.attempt(incident())
    with pytest.raises(DeliveryError) as caught:
        incidents.attempt(replace(course()[-1]))
    assert (caught.value.retry_after_seconds or 0) > 1


@pytest.mark.parametrize(
    ("kind", "uncertain"), [("status", True), ("status-after", True), ("drop", True), ("drop-after", True)]
)
def test_a_slack_that_is_unwell_may_have_posted(incidents: Channel, kind: FaultKind, uncertain: bool) -> None:
    incidents.slack.fail("chat.postMessage", kind)
    error = _fails(incidents)
    assert (error.unreachable, error.uncertain, error.permanent) == (True, uncertain, False)


def test_a_refused_connection_certainly_posted_nothing(incidents: Channel) -> None:
    with refusing_port() as port:
        incidents.adapter = open_adapter(replace(incidents.settings, url=f"http://127.0.0.1:{port}/api/"))
        error = _fails(incidents)
    assert (error.unreachable, error.uncertain, error.permanent) == (True, False, False)


def test_a_name_that_cannot_be_resolved_certainly_posted_nothing(
    incidents: Channel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)  # whatever this machine's network answers
    incidents.adapter = open_adapter(replace(incidents.settings, url="http://slack.invalid/api/"))
    error = _fails(incidents)
    assert (error.unreachable, error.uncertain) == (True, False)


def test_what_is_uncertain_stays_so_until_it_was_looked_up(incidents: Channel) -> None:
    incidents.slack.fail("chat.postMessage", "drop-after")
    incidents.slack.fail("users.conversations", "status")
    assert _fails(incidents).uncertain
    assert _fails(incidents).uncertain
    incidents.attempt(incident())
    assert len(incidents.slack.posts("incidents")) == 1


@pytest.mark.parametrize("code", ["internal_error", "fatal_error", "service_unavailable"])
def test_slacks_own_failures_pass(incidents: Channel, code: str) -> None:
    incidents.slack.fail("chat.postMessage", "error", code=code)
    error = _fails(incidents)
    assert (error.permanent, error.uncertain) == (False, True)


def test_a_word_that_is_not_known_may_pass(incidents: Channel) -> None:
    incidents.slack.fail("chat.postMessage", "error", code="moon_phase_wrong")
    error = _fails(incidents)
    assert "moon_phase_wrong" in error.message
    assert not error.permanent


def test_a_wrong_token_is_permanent_and_never_told(incidents: Channel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "xoxb-99999-" + "stolen" * 3
    assert incidents.settings.token is not None
    Path(incidents.settings.token.file).write_text(wrong)
    error = _fails(incidents)
    assert "invalid_auth" in error.message
    assert error.permanent
    assert "bot token" in error.remedy
    assert wrong not in f"{error}{error!r}{error.__cause__!r}{caplog.text}"


def test_nothing_of_a_message_or_token_is_logged(incidents: Channel, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    incidents.slack.fail("chat.postMessage", "drop")
    incidents.tell(incident())
    assert incidents.slack.token not in caplog.text
    assert "ErrorBudgetBurn" not in caplog.text


def test_without_a_token_the_error_says_where_it_is_missing(incidents: Channel) -> None:
    incidents.adapter = open_adapter(replace(incidents.settings, token=Secret(env="SLA_KIT_NO_SUCH_TOKEN")))
    error = _fails(incidents)
    assert "SLA_KIT_NO_SUCH_TOKEN" in str(error)
    assert not error.permanent


def test_a_channel_that_is_not_there_is_permanent(tmp_path: Path) -> None:
    with channel(tmp_path, "#nowhere") as told:
        error = _fails(told)
    assert "channel_not_found" in error.message
    assert error.permanent


def test_a_channel_without_the_bot_is_permanent_and_says_to_invite_it(tmp_path: Path) -> None:
    with channel(tmp_path, "#secret") as told:
        told.slack.add_channel("secret", member=False)
        error = _fails(told)
    assert error.permanent
    assert "/invite" in error.remedy


def test_a_missing_scope_is_named(incidents: Channel) -> None:
    incidents.slack.scopes.discard("chat:write")
    error = _fails(incidents)
    assert error.permanent
    assert "chat:write" in error.message
    assert "chat:write" in error.remedy


def test_a_server_that_is_not_slack_is_unreachable(incidents: Channel) -> None:
    incidents.adapter = open_adapter(replace(incidents.settings, url=incidents.slack.root + "/response/"))
    error = _fails(incidents)
    assert (error.permanent, error.unreachable) == (False, True)
