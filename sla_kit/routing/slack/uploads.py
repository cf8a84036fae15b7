"""Files in Slack: an address to send the bytes to, the bytes, and the word that makes a file of them.

https://docs.slack.dev/messaging/working-with-files#uploading_files; it needs the scope files:write. What is never
completed Slack throws away, so that all steps but the last can be made again without anybody seeing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sla_kit.routing.slack.api import SlackApi, SlackError


def stage(api: SlackApi, name: str, body: bytes) -> str:
    """Sends the bytes of a file; its id. Nobody sees it before `complete`."""
    body = body or b"\n"  # Slack takes no empty files
    place = api.read("files.getUploadURLExternal", filename=name, length=len(body))
    api.upload(str(place["upload_url"]), body)
    return str(place["file_id"])


def complete(api: SlackApi, files: Sequence[tuple[str, str]], *, channel: str = "", thread: str = "") -> None:
    """Makes files of what was staged, by their ids and titles, and shares them in a thread; of the bot alone where no
    channel is named. It can be done once."""
    where: dict[str, Any] = {"channel_id": channel, "thread_ts": thread} if channel else {}
    api.call("files.completeUploadExternal", files=[{"id": id, "title": title} for id, title in files], **where)


def completed(api: SlackApi, file: str) -> bool:
    """Whether a staged file was completed before; False also where that can't be known (the scope files:read)."""
    try:
        api.read("files.info", file=file)
    except SlackError as error:
        if error.permanent:
            return False
        raise
    return True
