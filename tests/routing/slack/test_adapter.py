"""What a channel sees of an incident, a notice and a change, from a local Slack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from sla_kit.routing.delivering import DeliveryError, Response
from sla_kit.routing.events import Change, File, Notice
from sla_kit.routing.incident import Context, Silence
from sla_kit.routing.slack.actions import read_action
from tests.routing.slack.channel import GRAPH, OPENED, Channel, channel, course, incident


@pytest.fixture
def incidents(tmp_path: Path) -> Iterator[Channel]:
    with channel(tmp_path) as found:
        yield found


def test_an_incident_is_one_message_that_says_what_matters(incidents: Channel) -> None:
    told = incident(
        context=Context(budget_left=0.42),
        notes=["PagerDuty can't be reached for 2 min"],
        silence=Silence(until=OPENED + 3600, by="erin", id="s1"),
    )
    incidents.tell(told)
    [message] = incidents.slack.posts("incidents")
    for words in (
        "warning: ErrorBudgetBurn api",
        "The API fails too often (pod=api-1)",
        "pod api-2 answers 5xx",
        f"<!date^{int(OPENED)}^",
        "99.99 % of requests succeed over 30 days",
        "42.0 %",
        "<https://runbooks.example.org/api|runbook>",
        "<https://grafana.example.org/d/api?a=1&amp;b=2|dashboard>",
        "PagerDuty can't be reached for 2 min",
        "Silenced until",
        "environment=production",
        "2 of 2",
    ):
        assert words in message.words
    assert message.text == "warning: ErrorBudgetBurn api – The API fails too often"
    assert message.color == "#e8a317"
    assert set(message.buttons) == {"sla_kit_acknowledge", "sla_kit_silence", "sla_kit_escalate"}


def test_a_message_is_changed_in_place_and_its_thread_told_of_what_people_must_hear(incidents: Channel) -> None:
    for state in course():
        incidents.tell(state)
    [message] = incidents.slack.posts("incidents")
    assert len(message.versions) == len(course()) + 1  # the graph is shown by a change of its own
    assert message.color == "#2e9e4f"
    assert message.buttons == {}
    assert "Acknowledged by erin via slack" in message.words
    raised, escalated, resolved = incidents.slack.replies(message)
    assert "Severity is now *critical*" in raised.text
    assert "Escalated to second line: not acknowledged" in escalated.text
    assert "*Resolved* after 12 min 5 s. Acknowledged after 6 min 40 s by erin." in resolved.text
    assert not resolved.broadcast


def test_that_a_pager_is_silent_is_told_aloud_once(incidents: Channel) -> None:
    note = "PagerDuty can't be reached since 03:40 UTC: on-call may not know."
    for fallbacks, notes in ((0, []), (1, [note]), (1, [note]), (1, ["PagerDuty could not be reached"])):
        incidents.tell(incident(notes=notes, fallbacks=fallbacks))
    [message] = incidents.slack.posts("incidents")
    [told] = incidents.slack.replies(message)
    assert (told.text, told.broadcast) == (f":warning: {note}", True)
    assert note not in message.words


def test_telling_the_same_again_changes_nothing_but_the_message(incidents: Channel) -> None:
    for state in [*course(), course()[-1], course()[-1]]:
        incidents.tell(state)
    [message] = incidents.slack.posts("incidents")
    assert len(incidents.slack.replies(message)) == 3


def test_an_incident_that_is_over_before_it_was_told_is_one_message_without_a_thread(incidents: Channel) -> None:
    incidents.tell(course()[-1])
    [message] = incidents.slack.posts("incidents")
    assert "resolved: ErrorBudgetBurn api" in message.words
    assert "12 min 5 s" in message.words
    assert incidents.slack.replies(message) == []


def test_the_graph_is_uploaded_once_and_shown(incidents: Channel) -> None:
    incidents.slack.processing = 2  # Slack refuses a picture for a moment after its upload
    for state in course():
        incidents.tell(state)
    [file] = incidents.slack.files.values()
    assert (file.body, file.shared) == (GRAPH, [])
    [message] = incidents.slack.posts("incidents")
    [image] = [block for block in message.blocks if block["type"] == "image"]
    assert image["slack_file"] == {"id": file.id}
    assert "ErrorBudgetBurn api" in image["alt_text"]


def test_a_newer_graph_takes_the_place_of_the_older(incidents: Channel) -> None:
    incidents.tell(incident(context=Context(graph="graph")))
    incidents.tell(incident(context=Context(graph="csv")))
    [message] = incidents.slack.posts("incidents")
    [image] = [block for block in message.blocks if block["type"] == "image"]
    assert image["slack_file"] == {"id": list(incidents.slack.files)[-1]}


@pytest.mark.parametrize("method", ["files.getUploadURLExternal", "upload", "files.completeUploadExternal"])
@pytest.mark.parametrize("fault", ["status", "drop", "error"])
def test_a_graph_that_cannot_be_uploaded_holds_nothing_up(incidents: Channel, method: str, fault: str) -> None:
    incidents.slack.fail(method, fault, code="storage_limit_reached")  # type: ignore[arg-type]
    incidents.attempt(incident(context=Context(graph="graph")))
    [message] = incidents.slack.posts("incidents")
    assert not any(block["type"] == "image" for block in message.blocks)


def test_a_graph_that_is_no_longer_kept_holds_nothing_up(incidents: Channel) -> None:
    incidents.attempt(incident(context=Context(graph="gone")))
    assert len(incidents.slack.posts("incidents")) == 1


def test_a_message_that_somebody_deleted_is_posted_anew(incidents: Channel) -> None:
    incidents.tell(course()[1])
    incidents.slack.delete(incidents.slack.posts("incidents")[0])
    incidents.tell(course()[3])
    [message] = incidents.slack.posts("incidents")
    assert "critical: ErrorBudgetBurn api" in message.words
    incidents.tell(course()[-1])
    [resolved] = incidents.slack.replies(message)
    assert "*Resolved*" in resolved.text


def test_a_message_that_is_too_old_to_change_is_followed_up_in_its_thread(incidents: Channel) -> None:
    incidents.tell(course()[0])
    incidents.slack.edit_window_closed = True
    taken = replace(course()[0], acknowledged_at=OPENED + 60, acknowledged_by="erin", acknowledged_via="pagerduty")
    for state in [taken, taken, course()[-1]]:
        incidents.tell(state)
    [message] = incidents.slack.posts("incidents")
    followed, resolved = incidents.slack.replies(message)
    assert followed.text == "Now warning, 2 firing, acknowledged by erin."
    assert "*Resolved*" in resolved.text


def test_buttons_come_back_as_what_people_asked_for(incidents: Channel) -> None:
    incidents.tell(course()[0])
    [message] = incidents.slack.posts("incidents")
    headers, body = incidents.slack.press(message, "sla_kit_acknowledge")
    now = float(headers["X-Slack-Request-Timestamp"])
    action = read_action(headers, body, incidents.slack.signing_secret, now)
    assert action is not None
    assert (action.incident, action.by) == ("sla-kit:9f86d081884c7d65", "erin (UERIN)")


def test_without_a_signing_secret_there_are_no_buttons(incidents: Channel) -> None:
    assert incidents.settings.signing_secret is not None
    Path(incidents.settings.signing_secret.file).unlink()
    incidents.tell(incident())
    assert incidents.slack.posts("incidents")[0].buttons == {}


def test_a_report_is_a_message_with_its_files_in_the_thread(incidents: Channel) -> None:
    incidents.tell(_report())
    [message] = incidents.slack.posts("incidents")
    assert "Weekly report" in message.words
    assert "*Availability*\n99.995 %" in message.words
    [files] = incidents.slack.replies(message)
    shared = [incidents.slack.files[file] for file in files.files]
    assert [(file.name, file.body) for file in shared] == [
        ("report.html", b"<html>report</html>"),
        ("report.csv", b"a,b\n1,2\n"),
        ("nothing.txt", b"\n"),
    ]


def test_a_report_whose_files_slack_threw_away_is_uploaded_again(incidents: Channel) -> None:
    incidents.slack.fail("files.completeUploadExternal", "rate-limit")
    with pytest.raises(DeliveryError):
        incidents.attempt(_report())
    incidents.slack.files.clear()
    incidents.tell(_report())
    [message] = incidents.slack.posts("incidents")
    [files] = incidents.slack.replies(message)
    assert len(files.files) == 3


@pytest.mark.parametrize("code", ["file_not_found", "already_completed"])
def test_files_that_were_shared_though_the_answer_was_lost_are_not_shared_again(incidents: Channel, code: str) -> None:
    incidents.slack.fail("files.completeUploadExternal", "drop-after")
    with pytest.raises(DeliveryError):
        incidents.attempt(_report())
    [message] = incidents.slack.posts("incidents")
    incidents.slack.scopes.discard("channels:history")  # the thread can't be read: the files themselves tell
    incidents.slack.fail("files.completeUploadExternal", "error", code=code)
    incidents.tell(_report())
    assert len(incidents.slack.replies(message)) == 1


def test_a_report_without_its_files_is_an_error_that_names_the_scope(incidents: Channel) -> None:
    incidents.slack.scopes.discard("files:write")
    with pytest.raises(DeliveryError, match="files:write") as caught:
        incidents.attempt(_report())
    assert caught.value.permanent
    incidents.slack.scopes.add("files:write")
    incidents.tell(_report())
    assert len(incidents.slack.posts("incidents")) == 1


def test_a_change_is_told(incidents: Channel) -> None:
    incidents.tell(Change(summary="api 1.4.2 to production", at=OPENED, source="CI", details={"commit": "a<b"}))
    [message] = incidents.slack.posts("incidents")
    assert "api 1.4.2 to production" in message.words
    assert "*commit*\na&lt;b" in message.words


def test_what_is_not_slacks_is_refused(incidents: Channel) -> None:
    response = Response(
        dedup_key="k", title="t", labels={}, severity="critical", opened_at=OPENED, told_at=None, acknowledged_at=None,
        acknowledged_by="", resolved_at=OPENED,
    )  # fmt: skip
    with pytest.raises(DeliveryError) as caught:
        incidents.attempt(response)
    assert caught.value.permanent


@pytest.mark.parametrize("code", ["invalid_attachments", "msg_blocks_too_long"])
def test_a_message_that_slack_refuses_for_what_it_holds_is_sent_as_plain_text(incidents: Channel, code: str) -> None:
    incidents.slack.fail("chat.postMessage", "error", code=code)
    incidents.attempt(incident())
    [message] = incidents.slack.posts("incidents")
    assert "warning: ErrorBudgetBurn api" in message.text


def _report() -> Notice:
    return Notice(
        title="Weekly report",
        text="All promises were kept.\n\nNext week is quiet.",
        fields={"Availability": "99.995 %"},
        kind="report",
        files=[
            File(name="report.html", digest="html", size_bytes=19, media_type="text/html"),
            File(name="report.csv", digest="csv", size_bytes=8, media_type="text/csv"),
            File(name="nothing.txt", digest="empty", size_bytes=0),
        ],
    )
