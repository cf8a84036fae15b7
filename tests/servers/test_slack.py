"""The local Slack is as strict as the real one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

from tests.servers.slack import SlackServer, slack_server

TEXT = {"type": "mrkdwn", "text": "text"}
PLAIN = {"type": "plain_text", "text": "text"}


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackServer]:
    with slack_server(["incidents"]) as server:
        yield server


@pytest.fixture
def client(slack: SlackServer) -> WebClient:
    return WebClient(slack.token, base_url=slack.url, retry_handlers=[])


@pytest.mark.parametrize(
    "blocks",
    [
        [{"type": "section", "text": TEXT}] * 51,
        [{"type": "section", "text": TEXT | {"text": "x" * 3001}}],
        [{"type": "section", "text": TEXT | {"text": ""}}],
        [{"type": "section"}],
        [{"type": "section", "fields": [TEXT] * 11}],
        [{"type": "section", "fields": [TEXT | {"text": "x" * 2001}]}],
        [{"type": "header", "text": TEXT}],
        [{"type": "header", "text": PLAIN | {"text": "x" * 151}}],
        [{"type": "context", "elements": [TEXT] * 11}],
        [{"type": "context", "elements": []}],
        [{"type": "image", "alt_text": "x"}],
        [{"type": "image", "alt_text": "x", "image_url": "https://example.org/" + "x" * 3000}],
        [{"type": "image", "alt_text": "x", "slack_file": {"id": "F99999999"}}],
        [{"type": "actions", "elements": [{"type": "button", "text": PLAIN | {"text": "x" * 76}, "action_id": "a"}]}],
        [{"type": "actions", "elements": [{"type": "button", "text": PLAIN, "value": "x" * 2001, "action_id": "a"}]}],
        [{"type": "actions", "elements": [{"type": "button", "text": PLAIN, "action_id": "a"}] * 2}],
        [{"type": "actions", "elements": [{"type": "button", "text": PLAIN, "action_id": "a", "style": "loud"}]}],
        [{"type": "divider", "block_id": "x"}] * 2,
        [{"type": "divider", "colour": "red"}],
        [{"type": "table"}],
        {"type": "section", "text": TEXT},
    ],
)
@pytest.mark.parametrize("attached", [False, True], ids=["blocks", "attachment"])
def test_blocks_beyond_a_limit_are_refused(client: WebClient, blocks: Any, attached: bool) -> None:
    content: dict[str, Any] = {"attachments": [{"blocks": blocks}]} if attached else {"blocks": blocks}
    with pytest.raises(SlackApiError, match="invalid_"):
        client.chat_postMessage(channel="incidents", text="x", **content)


def test_a_message_that_is_too_long_as_a_whole_is_refused(client: WebClient) -> None:
    blocks = [{"type": "section", "text": TEXT | {"text": "x" * 2900}}] * 5
    with pytest.raises(SlackApiError, match="msg_blocks_too_long"):
        client.chat_postMessage(channel="incidents", text="x", blocks=blocks)


@pytest.mark.parametrize(
    ("method", "arguments", "code"),
    [
        ("chat.postMessage", {"channel": "nowhere", "text": "x"}, "channel_not_found"),
        ("chat.postMessage", {"channel": "incidents"}, "no_text"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "thread_ts": "1.2"}, "thread_not_found"),
        ("chat.postMessage", {"channel": "incidents", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
        ("chat.update", {"channel": "incidents", "ts": "1.2", "text": "x"}, "channel_not_found"),
        ("chat.update", {"channel": "C00000001", "ts": "1.2", "text": "x"}, "message_not_found"),
        ("conversations.replies", {"channel": "C00000001", "ts": "1.2"}, "thread_not_found"),
        ("files.completeUploadExternal", {"files": [{"id": "F9"}]}, "file_not_found"),
        ("chat.shout", {}, "unknown_method"),
    ],
)
def test_what_is_not_there_is_refused(client: WebClient, method: str, arguments: dict[str, Any], code: str) -> None:
    with pytest.raises(SlackApiError, match=code):
        client.api_call(method, json=arguments)


def test_a_wrong_token_is_refused(slack: SlackServer) -> None:
    with pytest.raises(SlackApiError, match="invalid_auth"):
        WebClient("xoxb-wrong", base_url=slack.url, retry_handlers=[]).auth_test()


def test_metadata_is_shown_to_who_asks_for_it_page_by_page() -> None:
    with slack_server() as slack:
        client = WebClient(slack.token, base_url=slack.url, retry_handlers=[])
        for number in range(5):
            metadata = {"event_type": "test", "event_payload": {"number": number}}
            client.chat_postMessage(channel="incidents", text="x", metadata=metadata)
        channel = slack.channels["incidents"].id
        assert not any("metadata" in message for message in client.conversations_history(channel=channel)["messages"])
        pages = client.conversations_history(channel=channel, include_all_metadata=True, limit=2)
        found = [message["metadata"]["event_payload"]["number"] for page in pages for message in page["messages"]]
        assert found == [4, 3, 2, 1, 0]


def test_posts_to_one_channel_are_limited_where_a_test_says_so() -> None:
    with slack_server() as slack:
        slack.post_every_seconds = 600.0
        client = WebClient(slack.token, base_url=slack.url, retry_handlers=[])
        client.chat_postMessage(channel="incidents", text="x")
        client.chat_postMessage(channel="reports", text="x")
        with pytest.raises(SlackApiError, match="ratelimited") as caught:
            client.chat_postMessage(channel=slack.channels["incidents"].id, text="x")
        assert 1 <= int(caught.value.response.headers["Retry-After"]) <= 600


def test_slack_sdks_own_upload_works() -> None:
    with slack_server() as slack:
        client = WebClient(slack.token, base_url=slack.url, retry_handlers=[])
        channel = slack.channels["reports"].id
        client.files_upload_v2(channel=channel, content="a,b\n", filename="report.csv", title="Report")
        [message] = slack.posts("reports")
        [file] = [slack.files[file] for file in message.files]
        assert (file.name, file.title, file.body) == ("report.csv", "Report", b"a,b\n")
