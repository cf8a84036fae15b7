"""Whatever it is about, a message is within Slack's limits, and mentions nobody."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sla_kit.routing.events import Alert, Change, Link, Notice
from sla_kit.routing.incident import Incident, Member
from sla_kit.routing.slack import incidents
from sla_kit.routing.slack.blocks import Message, image, message, section
from sla_kit.routing.slack.incidents import graph_title, incident_message
from sla_kit.routing.slack.notices import change_message, notice_message
from sla_kit.routing.slack.texts import clipped, escaped, length, link, moment, spoken, utc, web_address
from tests.routing.slack.channel import OPENED, alert, incident
from tests.routing.slack.contents import CHANGES, INCIDENTS, NOTICES, TEXTS, URLS
from tests.servers.block_kit import attachment_faults, block_faults

_MARKUP = re.compile(r"<(?!!date\^\d+\^\{date_short_pretty\} \{time_secs\}\|[^<>|]*>|https?://[^<>|\s]+\|[^<>]+>)")
_ENTITY = re.compile(r"&(?!amp;|lt;|gt;)")
_MANY = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))


def _texts(part: Any) -> list[str]:
    if isinstance(part, dict):
        own = [part["text"]] if part.get("type") == "mrkdwn" else []
        return own + [text for value in part.values() for text in _texts(value)]
    return [text for item in part for text in _texts(item)] if isinstance(part, list) else []


def _holds(arguments: dict[str, Any]) -> None:
    """What Slack wants of every message."""
    assert list(block_faults(arguments["blocks"])) == []
    assert list(attachment_faults(arguments["attachments"])) == []
    texts = [arguments["text"], *_texts(arguments["blocks"]), *_texts(arguments["attachments"])]
    assert sum(map(len, texts)) <= 13_200
    assert 0 < len(arguments["text"]) <= 700
    for text in texts:
        assert not _MARKUP.search(text)
        assert not _ENTITY.search(text)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202a-\u202e\ud800-\udfff]", text)
    for block in [*arguments["blocks"], *arguments["attachments"][0]["blocks"]]:
        assert "text" not in block or block["text"]["verbatim"]


@_MANY
@given(INCIDENTS)
def test_any_incident_is_a_message_within_every_limit(found: Incident) -> None:
    told = incident_message(found)
    shown = image("F00000001", graph_title(found))
    for arguments in (told.arguments(), told.arguments(image=shown, doubt="perhaps twice")):
        if not arguments["attachments"]:
            arguments["attachments"] = [{"blocks": []}]
        _holds(arguments)
    buttons = [block for block in told.body if block["type"] == "actions"]
    assert len(buttons) == (found.status == "firing" and 0 < len(found.dedup_key) <= 2000)


@_MANY
@given(INCIDENTS)
def test_any_word_in_a_thread_is_within_its_limits(found: Incident) -> None:
    words = [incidents.resolved_words(found), incidents.raised_words(found), incidents.state_words(found)]
    words += [incidents.escalated_words(found, told) for told in range(len(found.escalations))]
    for text in words:
        assert 0 < len(text) <= 3000
        assert not _MARKUP.search(text)


@_MANY
@given(NOTICES)
def test_any_notice_is_a_message_within_every_limit(notice: Notice) -> None:
    _holds(_with_body(notice_message(notice)))


@_MANY
@given(CHANGES)
def test_any_change_is_a_message_within_every_limit(change: Change) -> None:
    _holds(_with_body(change_message(change)))


def _with_body(told: Message) -> dict[str, Any]:
    arguments = told.arguments()
    return arguments | {"attachments": arguments["attachments"] or [{"blocks": []}]}


@given(TEXTS, st.integers(1, 200))
@example("&&&&", 5)
def test_a_text_is_cut_between_characters_never_within_an_entity(text: str, most: int) -> None:
    for cut in (escaped(text, most), clipped(text, most)):
        assert length(cut) <= most
        assert not _ENTITY.search(escaped(text, most))


@given(URLS, TEXTS)
def test_a_link_is_one_or_its_words(url: str, text: str) -> None:
    made = link(url, text)
    assert made
    assert not _MARKUP.search(made)
    assert made.startswith("<") == bool(web_address(url)) or len(made) < 3000


def test_only_addresses_of_the_web_are_links() -> None:
    assert link("javascript:alert(1)", "click") == "click"
    assert link("https://example.org/a|b>c", "x") == "<https://example.org/a%7Cb%3Ec|x>"
    assert link("https://example.org/" + "a" * 4000, "x") == "x"
    assert link("https://ada:geheim@example.org/", "x") == "x"
    assert "geheim" not in link("https://ada:geheim@example.org/", "")
    assert link("https://ada@example.org/", "") == "<https://ada@example.org/|https://ada@example.org/>"


def test_times_are_shown_in_the_readers_own_zone() -> None:
    assert moment(OPENED) == f"<!date^{int(OPENED)}^{{date_short_pretty}} {{time_secs}}|2026-11-27 00:40:00 UTC>"
    assert moment(float("nan")) == "an unknown time"
    assert utc(-5.0) == "an unknown time"


def test_lengths_of_time_are_told_in_their_two_largest_units() -> None:
    told = [spoken(seconds) for seconds in (0, 1.4, 59, 60, 61, 725, 3600, 7384, 90_061, -5, float("inf"))]
    assert told == [
        "0 s", "1 s", "59 s", "1 min", "1 min 1 s", "12 min 5 s", "1 h", "2 h 3 min", "1 d 1 h", "0 s",
        "an unknown time",
    ]  # fmt: skip


def test_a_storm_tells_counts_of_all_its_members_and_the_likely_root() -> None:
    members = [
        Member(dedup_key=str(n), title=f"alert {n}", severity="critical", service=f"s{n % 3}", opened_at=OPENED + n,
               firing=n > 0)
        for n in range(100)
    ]  # fmt: skip
    told = incident_message(
        incident(kind="storm", title="1,000 alerts", members=members, members_total=1000, members_firing=998,
                 by_service={"s0": 334, "s1": 333, "": 333}, root="NodeDown", alerts={})
    )  # fmt: skip
    words = "\n".join(_texts(told.arguments()["attachments"]))
    assert "*1,000 incidents*, 998 of them still firing" in words
    assert "*Likely root*: NodeDown" in words
    assert "by service: s0 334, s1 333, none named 333" in words
    assert "and 985 more" in words
    actions = [
        element["action_id"] for block in told.body if block["type"] == "actions" for element in block["elements"]
    ]
    assert actions == [incidents.ACKNOWLEDGE, incidents.ESCALATE]


def test_nothing_is_said_twice() -> None:
    said = {"summary": "The API fails", "description": "3 % of requests fail."}
    alerts = {
        str(n): Alert(labels={"instance": f"i{n}"}, fingerprint=str(n), firing=True, starts_at=OPENED, annotations=said)
        for n in range(3)
    }
    told = incident_message(incident(title="The API fails", alerts=alerts, labels={}))
    assert told.body[0]["text"]["text"].splitlines() == [
        "3 % of requests fail.", "• instance=i0", "• instance=i1", "• instance=i2",
    ]  # fmt: skip


def test_many_alerts_are_told_with_how_many_more_there_are() -> None:
    alerts = {each.fingerprint: each for each in (alert(number) for number in range(300))}
    told = incident_message(incident(alerts=alerts, truncated=700))
    words = "\n".join(_texts(told.arguments()["attachments"]))
    assert "and 990 more" in words
    assert "300 of 1,000" in words


def test_a_message_whose_parts_are_too_many_says_so() -> None:
    told = message(text="t", sign=":x:", headline="h", color="#000000", body=[section("a" * 2900) for _ in range(60)])
    arguments = told.arguments()
    assert list(attachment_faults(arguments["attachments"])) == []
    assert "does not fit" in _texts(arguments["attachments"])[-1]


def test_links_that_are_no_addresses_are_left_out() -> None:
    told = incident_message(incident(links=[Link(url="javascript:alert(1)", text="click")]))
    assert "click" not in "\n".join(_texts(told.arguments()["attachments"]))
