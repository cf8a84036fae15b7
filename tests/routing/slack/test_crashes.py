"""At whichever call or commit an attempt fails, and however: in the end everything was told once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.events import File, Notice
from sla_kit.routing.slack import api, lookup
from sla_kit.routing.slack.adapter import open_adapter
from tests.routing.slack.channel import Channel, Crash, channel, course, incident
from tests.servers.slack import FaultKind

FAULTS: list[FaultKind] = ["rate-limit", "status", "drop", "status-after", "drop-after"]
REPORT = Notice(
    title="Weekly report",
    kind="report",
    files=[
        File(name="report.html", digest="html", size_bytes=19),
        File(name="report.csv", digest="csv", size_bytes=8),
    ],
)


def _tell_course(told: Channel) -> None:
    for state in course():
        told.tell(state)


def _told_once(told: Channel) -> None:
    [message] = told.slack.posts("incidents")
    assert "resolved: ErrorBudgetBurn api" in message.words
    replies = [reply.metadata["step"].partition("-")[0] for reply in told.slack.replies(message)]
    assert replies == ["severity", "escalations", "resolved"]


def _tell_report(told: Channel) -> None:
    told.tell(REPORT)


def _shared_once(told: Channel) -> None:
    [message] = told.slack.posts("incidents")
    [files] = told.slack.replies(message)
    assert [told.slack.files[file].name for file in files.files] == ["report.html", "report.csv"]


CASES = pytest.mark.parametrize(
    ("tell", "check"), [(_tell_course, _told_once), (_tell_report, _shared_once)], ids=["incident", "report"]
)


@pytest.mark.parametrize("address", ["#incidents", "C00000001"])
@pytest.mark.parametrize("kind", FAULTS)
@CASES
def test_whichever_call_fails_everything_is_told_once(
    tmp_path: Path, tell: Callable[[Channel], None], check: Callable[[Channel], None], kind: FaultKind, address: str
) -> None:
    for call in range(_calls(tmp_path, tell)):
        with channel(tmp_path, address) as told:
            told.slack.page = 1  # so that looking up needs more than one page
            told.slack.fail("", kind, skip=call)
            tell(told)
            assert told.slack.faults == []
            check(told)


@pytest.mark.parametrize("committed", [False, True], ids=["before", "after"])
@CASES
def test_whenever_the_process_dies_everything_is_told_once(
    tmp_path: Path, tell: Callable[[Channel], None], check: Callable[[Channel], None], committed: bool
) -> None:
    for commit in range(1, 30):
        with channel(tmp_path) as told:
            told.crash_at, told.committed = commit, committed
            tell(told)
            check(told)
            if told.crash_at > 0:
                return
    raise AssertionError("an attempt remembers without end")


@pytest.mark.parametrize("kind", ["drop-after", "status-after"])
@CASES
def test_answers_that_are_lost_again_and_again_make_nothing_twice(
    tmp_path: Path, tell: Callable[[Channel], None], check: Callable[[Channel], None], kind: FaultKind
) -> None:
    with channel(tmp_path) as told:
        for method in ("chat.postMessage", "chat.postMessage", "files.completeUploadExternal", "chat.update"):
            told.slack.fail(method, kind)
        for method in ("conversations.history", "conversations.replies", "users.conversations"):
            told.slack.fail(method, "drop")
            told.slack.fail(method, "rate-limit")
        tell(told)
        check(told)


@pytest.mark.parametrize("seed", range(24))
@CASES
def test_many_failures_at_once_make_nothing_twice(
    tmp_path: Path, tell: Callable[[Channel], None], check: Callable[[Channel], None], seed: int
) -> None:
    chance = random.Random(seed)
    with channel(tmp_path) as told:
        told.slack.page = chance.randint(1, 3)
        for _ in range(chance.randint(2, 8)):
            told.slack.fail("", chance.choice(FAULTS), skip=chance.randint(0, 12))
        told.crash_at, told.committed = chance.randint(1, 12), chance.random() < 0.5
        tell(told)
        check(told)


@pytest.mark.parametrize("kind", ["hang", "hang-after"])
def test_a_call_that_hangs_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: FaultKind) -> None:
    monkeypatch.setattr(api, "CALL_SECONDS", 1.0)
    with channel(tmp_path) as told:
        told.slack.fail("chat.postMessage", kind)
        with pytest.raises(DeliveryError, match="no answer in time") as caught:
            told.attempt(incident())
        assert caught.value.uncertain
        assert caught.value.unreachable
        monkeypatch.setattr(api, "CALL_SECONDS", 60.0)
        told.tell(incident())
        assert len(told.slack.posts("incidents")) == 1


def test_a_state_that_came_while_the_outcome_was_unknown_is_told_as_a_change(tmp_path: Path) -> None:
    with channel(tmp_path) as told:
        told.slack.fail("chat.postMessage", "drop-after")
        with pytest.raises(DeliveryError):
            told.attempt(course()[0])
        told.tell(course()[-1])
        [message] = told.slack.posts("incidents")
        assert message.color == "#2e9e4f"
        [reply] = told.slack.replies(message)
        assert "*Resolved*" in reply.text


def test_escalations_that_an_attempt_of_unknown_outcome_told_are_not_told_again_with_later_ones(tmp_path: Path) -> None:
    first, second = course()[3].escalations[0], course()[3].escalations[0]
    with channel(tmp_path) as told:
        told.tell(incident())
        told.slack.fail("chat.postMessage", "drop-after")
        with pytest.raises(DeliveryError):
            told.attempt(incident(escalations=[first]))
        told.tell(incident(escalations=[first, second]))
        [message] = told.slack.posts("incidents")
        assert [reply.text.count("Escalated") for reply in told.slack.replies(message)] == [1, 1]


def test_a_deleted_message_is_posted_once_though_the_process_dies(tmp_path: Path) -> None:
    for commit in range(1, 4):
        with channel(tmp_path) as told:
            told.tell(course()[0])
            told.slack.delete(told.slack.posts("incidents")[0])
            told.crash_at = commit
            told.tell(course()[-1])
            assert len(told.slack.posts("incidents")) == 1


@pytest.mark.parametrize("scope", ["channels:history", "channels:read"])
def test_where_nothing_can_be_looked_up_it_is_rather_told_twice_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, scope: str
) -> None:
    with channel(tmp_path) as told:
        told.slack.scopes.discard(scope)
        told.slack.fail("chat.postMessage", "drop-after")
        told.tell(incident())
        first, second = told.slack.posts("incidents")
        assert "could not be looked up" not in first.words
        assert "could not be looked up" in second.words
        assert scope in caplog.text


def test_a_crash_of_a_test_is_no_error_that_is_caught() -> None:
    assert not issubclass(Crash, Exception)


def _calls(folder: Path, tell: Callable[[Channel], None]) -> int:
    with channel(folder) as told:
        tell(told)
        return len(told.slack.calls)


def test_what_slack_shows_a_moment_after_it_accepted_it_is_found(tmp_path: Path) -> None:
    with channel(tmp_path) as told:
        told.slack.fail("chat.postMessage", "drop-after")
        with pytest.raises(DeliveryError):
            told.attempt(incident())
        [late] = told.slack.posts("incidents")
        told.slack.delete(late)
        told.adapter = open_adapter(
            told.settings, sleep=lambda seconds: told.slack.channels["incidents"].messages.append(late)
        )
        told.tell(incident())
        assert told.slack.posts("incidents") == [late]


@pytest.mark.parametrize("ahead", [-86_400.0, 86_400.0])
@pytest.mark.parametrize("set_since", [-86_400.0, 0.0, 86_400.0])
def test_what_was_posted_is_found_however_wrong_our_clock_is(ahead: float, set_since: float, tmp_path: Path) -> None:
    with channel(tmp_path) as told:
        received_at = time.time() + ahead
        told.adapter = open_adapter(
            told.settings, sleep=lambda seconds: None, now=lambda: time.time() + ahead + set_since
        )
        told.slack.fail("chat.postMessage", "drop-after")
        with pytest.raises(DeliveryError):
            told.attempt(incident(received_at=received_at))
        told.tell(incident(received_at=received_at))
        assert len(told.slack.posts("incidents")) == 1


def test_the_search_ends_where_nothing_can_have_been_posted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_PAGE", 2)
    with channel(tmp_path) as told:
        at = incident().received_at
        told.adapter = open_adapter(told.settings, sleep=lambda seconds: None, now=lambda: at + 60)
        told.slack.fail("chat.postMessage", "drop")
        with pytest.raises(DeliveryError):
            told.attempt(incident())
        old = [replace(told.parcel, key=f"key {number}", uncertain=False) for number in range(9)]
        for parcel in old:
            told.adapter.deliver(parcel, lambda references: None)
        for message in told.slack.channels["incidents"].messages[:7]:
            message.ts = f"{float(message.ts) - 7200:.6f}"
        told.slack.calls.clear()
        told.tell(incident())
        asked = [call for call in told.slack.calls if call.method == "conversations.history"]
        assert len(asked) == 4  # two pages of five, each time that it looks
