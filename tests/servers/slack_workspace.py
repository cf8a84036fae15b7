"""What a local Slack knows and does: channels, messages and files, and the methods of the Web API that change them,
as https://docs.slack.dev/reference/methods documents them."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.block_kit import attachment_faults, block_faults

#: What the bot may do unless a test says otherwise.
SCOPES = frozenset(
    ("chat:write", "files:write", "files:read", "channels:history", "groups:history", "channels:read", "groups:read")
)
_NEEDS = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.info": "files:read",
}


@dataclass(slots=True)
class Message:
    """One message as it stands now. ``versions`` are its contents from the first to the present one."""

    channel: str
    ts: str
    thread_ts: str
    content: dict[str, Any]
    files: list[str] = field(default_factory=list)
    versions: list[dict[str, Any]] = field(default_factory=list)
    broadcast: bool = False

    @property
    def text(self) -> str:
        """Its fallback text."""
        return str(self.content.get("text", ""))

    @property
    def metadata(self) -> dict[str, Any]:
        """Its metadata's payload."""
        found: dict[str, Any] = (self.content.get("metadata") or {}).get("event_payload", {})
        return found

    @property
    def color(self) -> str:
        """The colour of its attachment."""
        attachments = self.content.get("attachments") or [{}]
        return str(attachments[0].get("color", ""))

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """All its blocks, those of attachments too."""
        blocks = list(self.content.get("blocks") or [])
        for attachment in self.content.get("attachments") or []:
            blocks += attachment.get("blocks", [])
        return blocks

    @property
    def words(self) -> str:
        """All texts of its blocks, one a line."""
        return "\n".join(_words(self.blocks))

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """Its buttons by their action_id."""
        return {
            element["action_id"]: element
            for block in self.blocks
            if block["type"] == "actions"
            for element in block["elements"]
        }


def _words(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("text"), str):
            yield part["text"]
        for value in part.values():
            yield from _words(value)
    elif isinstance(part, list):
        for item in part:
            yield from _words(item)


@dataclass(slots=True)
class Channel:
    """A channel of the workspace."""

    id: str
    name: str
    member: bool = True
    private: bool = False
    archived: bool = False
    messages: list[Message] = field(default_factory=list)


@dataclass(slots=True)
class Upload:
    """A file: ``body`` is None until its bytes came, ``complete`` says that it became a file of the workspace."""

    id: str
    name: str
    length: int
    body: bytes | None = None
    complete: bool = False
    title: str = ""
    shared: list[str] = field(default_factory=list)


class RefusedError(Exception):
    """A method refuses; ``answer`` is what it says."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


class Workspace:
    """``page`` is the most messages that one page of a history holds, ``processing`` how many messages that show a file
    are refused before it counts as processed."""

    def __init__(self, root: str, channels: Sequence[str]) -> None:
        self.root = root
        self.scopes: set[str] = set(SCOPES)
        self.channels = {name: Channel(f"C{number:08d}", name) for number, name in enumerate(channels, 1)}
        self.files: dict[str, Upload] = {}
        self.page = 999
        self.processing = 0
        self.edit_window_closed = False
        self._ts = 0.0
        self.lock = threading.RLock()

    def add_channel(self, name: str, *, member: bool = True, private: bool = False) -> Channel:
        """One more channel."""
        channel = Channel(f"{'G' if private else 'C'}{len(self.channels) + 1:08d}", name, member, private)
        self.channels[name] = channel
        return channel

    def posts(self, channel: str) -> list[Message]:
        """The messages of a channel outside threads, the oldest first."""
        with self.lock:
            return [message for message in self.channels[channel].messages if not message.thread_ts]

    def replies(self, to: Message) -> list[Message]:
        """The thread of a message without itself, the oldest first."""
        with self.lock:
            return [message for message in self.by_id(to.channel).messages if message.thread_ts == to.ts]

    def delete(self, message: Message) -> None:
        """Somebody deletes a message."""
        with self.lock:
            self.by_id(message.channel).messages.remove(message)

    # What each method does; all under the lock.

    def answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a method answers, once its token is known to be right."""
        needed = _NEEDS.get(method, "")
        if needed and needed not in self.scopes:
            raise RefusedError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        name = "_" + method.replace(".", "_")
        if not hasattr(self, name):
            raise RefusedError("unknown_method", req_method=method)
        found: dict[str, Any] = getattr(self, name)(arguments)
        return {"ok": True, **found}

    def _auth_test(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": "https://astral-field.slack.com/", "team": "Astral Field", "user": "sla-kit", "team_id": "T0000001",
            "user_id": "U0000BOT", "bot_id": "B0000001",
        }  # fmt: skip

    def _chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        channel = self.channel(arguments, names=True)
        if not channel.member and (channel.private or "chat:write.public" not in self.scopes):
            raise RefusedError("not_in_channel")
        if channel.archived:
            raise RefusedError("is_archived")
        content = self._content(arguments, 40_000)
        thread = str(arguments.get("thread_ts") or "")
        if thread and not any(message.ts == thread for message in channel.messages):
            raise RefusedError("thread_not_found")
        return self._put(channel, content, thread, bool(arguments.get("reply_broadcast")))

    def _put(
        self, channel: Channel, content: dict[str, Any], thread: str, broadcast: bool = False, files: Sequence[str] = ()
    ) -> dict[str, Any]:
        self._ts = max(time.time(), self._ts + 1e-5)
        message = Message(channel.id, f"{self._ts:.6f}", thread, content, list(files), [content], broadcast)
        channel.messages.append(message)
        return {"channel": channel.id, "ts": message.ts, "message": self.shown(message, True)}

    def _chat_update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._message(arguments)
        if self.edit_window_closed:
            raise RefusedError("edit_window_closed")
        if message.files and not message.content:
            raise RefusedError("cant_update_message")
        kept = {key: value for key, value in message.content.items() if key not in arguments}
        message.content = kept | self._content(kept | arguments, 4_000)
        message.versions.append(message.content)
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": self.shown(message, True),
        }

    def _chat_delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._message(arguments)
        self.delete(message)
        return {"channel": message.channel, "ts": message.ts}

    def _conversations_list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if "channels:read" not in self.scopes:
            raise RefusedError("missing_scope", needed="channels:read", provided=",".join(sorted(self.scopes)))
        found = [
            {"id": channel.id, "name": channel.name, "is_member": channel.member, "is_private": channel.private}
            for channel in self.channels.values()
        ]
        return {"channels": found, "response_metadata": {"next_cursor": ""}}

    def _users_conversations(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = [channel for channel in self._conversations_list(arguments)["channels"] if channel["is_member"]]
        return {"channels": found, "response_metadata": {"next_cursor": ""}}

    def _conversations_join(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self.channel(arguments)
        if "channels:join" not in self.scopes:
            raise RefusedError("missing_scope", needed="channels:join", provided=",".join(sorted(self.scopes)))
        channel.member = True
        return {"channel": {"id": channel.id, "name": channel.name}}

    def _conversations_history(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._readable(arguments)
        shown = [message for message in reversed(channel.messages) if not message.thread_ts or message.broadcast]
        return self._page(shown, arguments)

    def _conversations_replies(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._readable(arguments)
        thread = str(arguments.get("ts", ""))
        parents = [message for message in channel.messages if message.ts == thread]
        if not parents:
            raise RefusedError("thread_not_found")
        return self._page(parents + [each for each in channel.messages if each.thread_ts == thread], arguments)

    def _page(self, messages: list[Message], arguments: dict[str, Any]) -> dict[str, Any]:
        oldest, latest = float(arguments.get("oldest") or 0), float(arguments.get("latest") or "inf")
        inclusive = _true(arguments.get("inclusive"))
        inside = [
            message
            for message in messages
            if oldest < float(message.ts) < latest or (inclusive and float(message.ts) in (oldest, latest))
        ]
        start = int(arguments.get("cursor") or 0)
        size = min(int(arguments.get("limit") or 100), self.page)
        more = len(inside) > start + size
        metadata = _true(arguments.get("include_all_metadata"))
        answer: dict[str, Any] = {
            "messages": [self.shown(message, metadata) for message in inside[start : start + size]],
            "has_more": more,
        }
        if more:
            answer["response_metadata"] = {"next_cursor": str(start + size)}
        return answer

    def _files_getUploadURLExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        name, length = str(arguments.get("filename") or ""), int(arguments.get("length") or 0)
        if not name or length <= 0:
            raise RefusedError("invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field"]})
        upload = Upload(f"F{len(self.files) + 1:08d}", name, length)
        self.files[upload.id] = upload
        return {"upload_url": f"{self.root}/upload/v1/{upload.id}", "file_id": upload.id}

    def upload(self, file: str, body: bytes) -> None:
        """The bytes of a file come."""
        upload = self.files.get(file)
        if upload is None or len(body) != upload.length:
            raise RefusedError("bad upload")
        upload.body = body

    def _files_completeUploadExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        wanted = _json(arguments.get("files"))
        if not isinstance(wanted, list) or not wanted:
            raise RefusedError("invalid_arguments")
        uploads = [self.files.get(str(item.get("id"))) for item in wanted]
        if any(upload is None or upload.body is None or upload.complete for upload in uploads):
            raise RefusedError("file_not_found")
        channel = self.channel({"channel": arguments["channel_id"]}) if arguments.get("channel_id") else None
        if channel and not channel.member:
            raise RefusedError("not_in_channel")
        for upload, item in zip(uploads, wanted, strict=True):
            assert upload is not None
            upload.complete, upload.title = True, str(item.get("title") or upload.name)
            if channel:
                upload.shared.append(channel.id)
        if channel:
            content = {"text": arguments.get("initial_comment", "")}
            self._put(
                channel, content, str(arguments.get("thread_ts") or ""), files=[str(item["id"]) for item in wanted]
            )
        return {"files": [{"id": item["id"], "title": item.get("title", "")} for item in wanted]}

    def _files_info(self, arguments: dict[str, Any]) -> dict[str, Any]:
        upload = self.files.get(str(arguments.get("file")))
        if upload is None or not upload.complete:
            raise RefusedError("file_not_found")
        return {"file": {"id": upload.id, "name": upload.name, "title": upload.title, "channels": upload.shared}}

    # What the methods share.

    def _content(self, arguments: dict[str, Any], longest: int) -> dict[str, Any]:
        content: dict[str, Any] = {
            key: _json(arguments[key]) for key in ("text", "blocks", "attachments", "metadata") if key in arguments
        }
        if not any(content.get(key) for key in ("text", "blocks", "attachments")):
            raise RefusedError("no_text")
        if len(str(content.get("text", ""))) > longest:
            raise RefusedError("msg_too_long")
        faults = [*block_faults(content.get("blocks") or []), *attachment_faults(content.get("attachments") or [])]
        for block in Message("", "", "", content).blocks:
            file = block.get("slack_file", {}).get("id") if isinstance(block, dict) else None
            upload = self.files.get(file) if file else None
            if file and (upload is None or not upload.complete or self.processing > 0):
                self.processing -= 1
                faults.append("invalid slack file")
        if sum(len(words) for words in _words(Message("", "", "", content).blocks)) > 13_200:
            raise RefusedError("msg_blocks_too_long")
        if faults:
            code = "invalid_blocks" if content.get("blocks") else "invalid_attachments"
            raise RefusedError(
                code, errors=faults, response_metadata={"messages": [f"[ERROR] {each}" for each in faults]}
            )
        metadata = content.get("metadata")
        if metadata is not None:
            if not isinstance(metadata, dict) or not (
                not metadata
                or (isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict))
            ):
                raise RefusedError("invalid_metadata_format")
            if len(json.dumps(metadata)) > 8_000:
                raise RefusedError("metadata_too_large")
        return content

    def channel(self, arguments: dict[str, Any], *, names: bool = False) -> Channel:
        wanted = str(arguments.get("channel") or "")
        for channel in self.channels.values():
            if wanted == channel.id or (names and wanted.removeprefix("#") == channel.name and not channel.private):
                return channel
        raise RefusedError("channel_not_found")

    def by_id(self, channel: str) -> Channel:
        return self.channel({"channel": channel})

    def _readable(self, arguments: dict[str, Any]) -> Channel:
        channel = self.channel(arguments)
        needed = "groups:history" if channel.private else "channels:history"
        if needed not in self.scopes:
            raise RefusedError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        if not channel.member:
            raise RefusedError("not_in_channel")
        return channel

    def _message(self, arguments: dict[str, Any]) -> Message:
        channel = self.channel(arguments)
        for message in channel.messages:
            if message.ts == arguments.get("ts"):
                return message
        raise RefusedError("message_not_found")

    def shown(self, message: Message, metadata: bool) -> dict[str, Any]:
        shown = {key: value for key, value in message.content.items() if key != "metadata" or metadata}
        shown |= {"type": "message", "ts": message.ts, "user": "U0000BOT", "bot_id": "B0000001"}
        if message.thread_ts:
            shown["thread_ts"] = message.thread_ts
        if message.files:
            shown["files"] = [{"id": file, "name": self.files[file].name} for file in message.files]
        return shown


def _true(value: Any) -> bool:
    return value in (True, "1", "true", 1)


def _json(value: Any) -> Any:
    """An argument that a form holds as JSON."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
