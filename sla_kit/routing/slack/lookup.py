"""Finds what an earlier attempt may have posted, by the metadata that each message of ours carries.

It needs the scopes channels:history (groups:history for private channels) and, where a contact names its channel by
name, channels:read (groups:read).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sla_kit.routing.slack.api import SlackApi, SlackError

#: https://docs.slack.dev/messaging/message-metadata
EVENT_TYPE = "sla_kit_notification"
_PAGE = 200
_PAGES = 50
#: Once so little time is left, the search ends: the rest is for posting.
_ENOUGH_SECONDS = 15.0


def metadata(key: str, step: str, **more: str) -> dict[str, Any]:
    """What a message carries to be found by: whose it is, and which step it was."""
    return {"event_type": EVENT_TYPE, "event_payload": {"key": key, "step": step, **more}}


def channel_id(api: SlackApi, address: str) -> str:
    """The id of a channel that the bot is in; empty where it is in none of this name."""
    name = address.removeprefix("#")
    for answer in _pages(api, "users.conversations", types="public_channel,private_channel", limit=_PAGE):
        for channel in answer.get("channels", []):
            if name in (channel.get("id"), channel.get("name")):
                return str(channel["id"])
    return ""


def posted(api: SlackApi, channel: str, key: str, step: str, within_seconds: float) -> dict[str, Any] | None:
    """The message of this key and step that stands in a channel outside threads, and was posted within that time by
    Slack's clock, whatever ours says. Raises `SlackError`, a permanent one where it can't be known."""
    found = _pages(api, "conversations.history", channel=channel, include_all_metadata="true", limit=_PAGE)
    for answer in found:
        messages = answer.get("messages", [])  # the newest first
        for message in messages:
            if payload_of(message, key).get("step") == step:
                return dict(message)
        if messages and api.server_time - float(messages[-1].get("ts") or "inf") > within_seconds:
            return None
    return None


def thread(api: SlackApi, channel: str, ts: str) -> list[dict[str, Any]]:
    """All messages of a thread, the first included."""
    answers = _pages(api, "conversations.replies", channel=channel, ts=ts, include_all_metadata="true", limit=_PAGE)
    return [message for answer in answers for message in answer.get("messages", [])]


def payload_of(message: dict[str, Any], key: str) -> dict[str, Any]:
    """What a message of this key carries; nothing where it is another's."""
    found = message.get("metadata") or {}
    payload = found.get("event_payload") or {}
    return dict(payload) if found.get("event_type") == EVENT_TYPE and payload.get("key") == key else {}


def _pages(api: SlackApi, method: str, **arguments: str | int) -> Iterator[dict[str, Any]]:
    cursor = ""
    for _ in range(_PAGES):
        answer = api.read(method, **arguments, **({"cursor": cursor} if cursor else {}))
        yield answer
        cursor = str((answer.get("response_metadata") or {}).get("next_cursor") or "")
        if not cursor:
            return
        if api.seconds_left < _ENOUGH_SECONDS:
            break
    raise SlackError(f"{method} has more to look through than there is time for", permanent=True)
