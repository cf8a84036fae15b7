"""A local Slack: the part of its Web API that notifications use, as it is documented, with faults at will.

    with slack_server() as slack:               # or the channels that there shall be: slack_server(["incidents"])
        settings = SlackSettings(url=slack.url, token=Secret(env="SLACK_BOT_TOKEN"))   # the token is slack.token
        slack.fail("chat.postMessage", "drop-after")    # the next such call is accepted, and its answer is lost
        ...
        [message] = slack.posts("incidents")    # what stands in the channel outside threads, the oldest first
        slack.replies(message)                  # what stands in its thread
        message.words                           # all that can be read in it, `text` left out
        slack.press(message, "acknowledge")     # headers and body of what Slack sends when a button is pressed

It holds everything that it accepted: ``calls`` are all calls with their arguments and answer, ``channels`` the
messages, ``files`` what was uploaded. Faults (`fail`) are used up by the next call of their method (of any where it is
empty), one each, in their order: ``rate-limit`` (429 with Retry-After), ``status`` (a 5xx, not accepted), ``error``
(ok: false with a code), ``hang`` and ``drop`` (not accepted; no answer), ``status-after``, ``hang-after`` and
``drop-after`` (accepted; a 5xx, or no answer). The method of the upload of a file's bytes is called ``upload``. A call
that hangs is let go by `release`, or when the server stops.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

from tests.servers.block_kit import attachment_faults, block_faults

FaultKind = Literal["rate-limit", "status", "error", "hang", "drop", "status-after", "hang-after", "drop-after"]
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
class Fault:
    """What goes wrong with the next call of ``method`` (any where empty), once ``skip`` of them went well."""

    method: str
    kind: FaultKind
    status: int = 503
    retry_after: str = "1"
    code: str = "internal_error"
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its arguments, and what was answered (``error`` is Slack's code, or the fault's kind)."""

    method: str
    arguments: dict[str, Any]
    error: str


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


class _RefusedError(Exception):
    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer = {"ok": False, "error": code, **more}


class SlackServer:
    """See the module. ``page`` is the most messages that one page of a history holds, ``post_every_seconds`` the least
    time between two posts to one channel (0: no limit), ``processing`` how many messages that show a file are refused
    before it counts as processed."""

    def __init__(self, channels: Sequence[str]) -> None:
        self.token = "xoxb-1234567890-abcdefghijkl"
        self.signing_secret = "8f742231b10e8888abcd99yyyzzz85a5"
        self.scopes: set[str] = set(SCOPES)
        self.channels = {name: Channel(f"C{number:08d}", name) for number, name in enumerate(channels, 1)}
        self.files: dict[str, Upload] = {}
        self.calls: list[Call] = []
        self.responses: list[dict[str, Any]] = []
        self.page = 999
        self.post_every_seconds = 0.0
        self.processing = 0
        self.edit_window_closed = False
        self.faults: list[Fault] = []
        self._posted: dict[str, float] = {}
        self._ts = 0.0
        self._lock = threading.RLock()
        self._released = threading.Event()
        server = self

        class Handler(_Handler):
            slack = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.root = f"http://127.0.0.1:{self._http.server_address[1]}"
        self.url = f"{self.root}/api/"

    def fail(self, method: str, kind: FaultKind, **more: Any) -> None:
        """Lets the next call of ``method`` fail so; see `Fault` for what else can be said."""
        self.faults.append(Fault(method, kind, **more))

    def release(self) -> None:
        """Lets calls go that hang, now and later: their connections are closed."""
        self._released.set()

    def add_channel(self, name: str, *, member: bool = True, private: bool = False) -> Channel:
        """One more channel."""
        channel = Channel(f"{'G' if private else 'C'}{len(self.channels) + 1:08d}", name, member, private)
        self.channels[name] = channel
        return channel

    def posts(self, channel: str) -> list[Message]:
        """The messages of a channel outside threads, the oldest first."""
        with self._lock:
            return [message for message in self.channels[channel].messages if not message.thread_ts]

    def replies(self, to: Message) -> list[Message]:
        """The thread of a message without itself, the oldest first."""
        with self._lock:
            return [message for message in self._by_id(to.channel).messages if message.thread_ts == to.ts]

    def delete(self, message: Message) -> None:
        """Somebody deletes a message."""
        with self._lock:
            self._by_id(message.channel).messages.remove(message)

    def sign(self, body: bytes, at: float | None = None) -> dict[str, str]:
        """The headers that Slack sends with a body."""
        return signature(self.signing_secret, body, time.time() if at is None else at)

    def press(self, message: Message, action_id: str, *, user: str = "erin") -> tuple[dict[str, str], bytes]:
        """Headers and body of the request that Slack makes where somebody presses a button of a message."""
        button = message.buttons[action_id]
        payload = {
            "type": "block_actions",
            "api_app_id": "A0000001",
            "token": "deprecated",
            "user": {"id": f"U{user.upper()}", "username": user, "name": user, "team_id": "T0000001"},
            "team": {"id": "T0000001", "domain": "astral-field"},
            "container": {
                "type": "message",
                "message_ts": message.ts,
                "channel_id": message.channel,
                "is_ephemeral": False,
            },
            "channel": {"id": message.channel, "name": self._by_id(message.channel).name},
            "message": self._shown(message, True),
            "response_url": f"{self.root}/response/1",
            "trigger_id": "12466734323.1395872398",
            "actions": [
                {
                    "type": "button",
                    "action_id": action_id,
                    "block_id": "b1",
                    "text": button["text"],
                    "value": button.get("value", ""),
                    "action_ts": f"{time.time():.6f}",
                }
            ],
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return self.sign(body), body

    # What each method does; all under the lock.

    def answer(self, method: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """What a method answers, once its token is known to be right."""
        needed = _NEEDS.get(method, "")
        if needed and needed not in self.scopes:
            raise _RefusedError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        name = "_" + method.replace(".", "_")
        if not hasattr(self, name):
            raise _RefusedError("unknown_method", req_method=method)
        found: dict[str, Any] = getattr(self, name)(arguments)
        return {"ok": True, **found}

    def _auth_test(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {
            "url": "https://astral-field.slack.com/", "team": "Astral Field", "user": "sla-kit", "team_id": "T0000001",
            "user_id": "U0000BOT", "bot_id": "B0000001",
        }  # fmt: skip

    def _chat_postMessage(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        channel = self._channel(arguments, names=True)
        if not channel.member and (channel.private or "chat:write.public" not in self.scopes):
            raise _RefusedError("not_in_channel")
        if channel.archived:
            raise _RefusedError("is_archived")
        content = self._content(arguments, 40_000)
        thread = str(arguments.get("thread_ts") or "")
        if thread and not any(message.ts == thread for message in channel.messages):
            raise _RefusedError("thread_not_found")
        return self._put(channel, content, thread, bool(arguments.get("reply_broadcast")))

    def _put(
        self, channel: Channel, content: dict[str, Any], thread: str, broadcast: bool = False, files: Sequence[str] = ()
    ) -> dict[str, Any]:
        self._ts = max(time.time(), self._ts + 1e-5)
        message = Message(channel.id, f"{self._ts:.6f}", thread, content, list(files), [content], broadcast)
        channel.messages.append(message)
        return {"channel": channel.id, "ts": message.ts, "message": self._shown(message, True)}

    def _chat_update(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._message(arguments)
        if self.edit_window_closed:
            raise _RefusedError("edit_window_closed")
        if message.files and not message.content:
            raise _RefusedError("cant_update_message")
        kept = {key: value for key, value in message.content.items() if key not in arguments}
        message.content = kept | self._content(kept | arguments, 4_000)
        message.versions.append(message.content)
        return {
            "channel": message.channel,
            "ts": message.ts,
            "text": message.text,
            "message": self._shown(message, True),
        }

    def _chat_delete(self, arguments: dict[str, Any]) -> dict[str, Any]:
        message = self._message(arguments)
        self.delete(message)
        return {"channel": message.channel, "ts": message.ts}

    def _conversations_list(self, arguments: dict[str, Any]) -> dict[str, Any]:
        if "channels:read" not in self.scopes:
            raise _RefusedError("missing_scope", needed="channels:read", provided=",".join(sorted(self.scopes)))
        found = [
            {"id": channel.id, "name": channel.name, "is_member": channel.member, "is_private": channel.private}
            for channel in self.channels.values()
        ]
        return {"channels": found, "response_metadata": {"next_cursor": ""}}

    def _users_conversations(self, arguments: dict[str, Any]) -> dict[str, Any]:
        found = [channel for channel in self._conversations_list(arguments)["channels"] if channel["is_member"]]
        return {"channels": found, "response_metadata": {"next_cursor": ""}}

    def _conversations_join(self, arguments: dict[str, Any]) -> dict[str, Any]:
        channel = self._channel(arguments)
        if "channels:join" not in self.scopes:
            raise _RefusedError("missing_scope", needed="channels:join", provided=",".join(sorted(self.scopes)))
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
            raise _RefusedError("thread_not_found")
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
            "messages": [self._shown(message, metadata) for message in inside[start : start + size]],
            "has_more": more,
        }
        if more:
            answer["response_metadata"] = {"next_cursor": str(start + size)}
        return answer

    def _files_getUploadURLExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        name, length = str(arguments.get("filename") or ""), int(arguments.get("length") or 0)
        if not name or length <= 0:
            raise _RefusedError("invalid_arguments", response_metadata={"messages": ["[ERROR] missing required field"]})
        upload = Upload(f"F{len(self.files) + 1:08d}", name, length)
        self.files[upload.id] = upload
        return {"upload_url": f"{self.root}/upload/v1/{upload.id}", "file_id": upload.id}

    def upload(self, file: str, body: bytes) -> None:
        """The bytes of a file come."""
        upload = self.files.get(file)
        if upload is None or len(body) != upload.length:
            raise _RefusedError("bad upload")
        upload.body = body

    def _files_completeUploadExternal(self, arguments: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 - Slack's name
        wanted = _json(arguments.get("files"))
        if not isinstance(wanted, list) or not wanted:
            raise _RefusedError("invalid_arguments")
        uploads = [self.files.get(str(item.get("id"))) for item in wanted]
        if any(upload is None or upload.body is None or upload.complete for upload in uploads):
            raise _RefusedError("file_not_found")
        channel = self._channel({"channel": arguments["channel_id"]}) if arguments.get("channel_id") else None
        if channel and not channel.member:
            raise _RefusedError("not_in_channel")
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
            raise _RefusedError("file_not_found")
        return {"file": {"id": upload.id, "name": upload.name, "title": upload.title, "channels": upload.shared}}

    # What the methods share.

    def _content(self, arguments: dict[str, Any], longest: int) -> dict[str, Any]:
        content: dict[str, Any] = {
            key: _json(arguments[key]) for key in ("text", "blocks", "attachments", "metadata") if key in arguments
        }
        if not any(content.get(key) for key in ("text", "blocks", "attachments")):
            raise _RefusedError("no_text")
        if len(str(content.get("text", ""))) > longest:
            raise _RefusedError("msg_too_long")
        faults = [*block_faults(content.get("blocks") or []), *attachment_faults(content.get("attachments") or [])]
        for block in Message("", "", "", content).blocks:
            file = block.get("slack_file", {}).get("id") if isinstance(block, dict) else None
            upload = self.files.get(file) if file else None
            if file and (upload is None or not upload.complete or self.processing > 0):
                self.processing -= 1
                faults.append("invalid slack file")
        if sum(len(words) for words in _words(Message("", "", "", content).blocks)) > 13_200:
            raise _RefusedError("msg_blocks_too_long")
        if faults:
            code = "invalid_blocks" if content.get("blocks") else "invalid_attachments"
            raise _RefusedError(
                code, errors=faults, response_metadata={"messages": [f"[ERROR] {each}" for each in faults]}
            )
        metadata = content.get("metadata")
        if metadata is not None:
            if not isinstance(metadata, dict) or not (
                not metadata
                or (isinstance(metadata.get("event_type"), str) and isinstance(metadata.get("event_payload"), dict))
            ):
                raise _RefusedError("invalid_metadata_format")
            if len(json.dumps(metadata)) > 8_000:
                raise _RefusedError("metadata_too_large")
        return content

    def _channel(self, arguments: dict[str, Any], *, names: bool = False) -> Channel:
        wanted = str(arguments.get("channel") or "")
        for channel in self.channels.values():
            if wanted == channel.id or (names and wanted.removeprefix("#") == channel.name and not channel.private):
                return channel
        raise _RefusedError("channel_not_found")

    def _by_id(self, channel: str) -> Channel:
        return self._channel({"channel": channel})

    def _readable(self, arguments: dict[str, Any]) -> Channel:
        channel = self._channel(arguments)
        needed = "groups:history" if channel.private else "channels:history"
        if needed not in self.scopes:
            raise _RefusedError("missing_scope", needed=needed, provided=",".join(sorted(self.scopes)))
        if not channel.member:
            raise _RefusedError("not_in_channel")
        return channel

    def _message(self, arguments: dict[str, Any]) -> Message:
        channel = self._channel(arguments)
        for message in channel.messages:
            if message.ts == arguments.get("ts"):
                return message
        raise _RefusedError("message_not_found")

    def _shown(self, message: Message, metadata: bool) -> dict[str, Any]:
        shown = {key: value for key, value in message.content.items() if key != "metadata" or metadata}
        shown |= {"type": "message", "ts": message.ts, "user": "U0000BOT", "bot_id": "B0000001"}
        if message.thread_ts:
            shown["thread_ts"] = message.thread_ts
        if message.files:
            shown["files"] = [{"id": file, "name": self.files[file].name} for file in message.files]
        return shown

    def too_soon(self, method: str, arguments: dict[str, Any]) -> float:
        """Seconds until a channel takes a post again; 0 where it takes one now."""
        if method != "chat.postMessage" or not self.post_every_seconds:
            return 0.0
        channel, now = self._channel(arguments, names=True).id, time.monotonic()
        wait = self._posted.get(channel, 0.0) + self.post_every_seconds - now
        if wait <= 0:
            self._posted[channel] = now
        return max(0.0, wait)

    def next_fault(self, method: str) -> Fault | None:
        """The fault that this call meets, which is used up."""
        for fault in self.faults:
            if fault.method in ("", method):
                fault.skip -= 1
                if fault.skip < 0:
                    self.faults.remove(fault)
                    return fault
        return None

    def serve(self, handler: _Handler, method: str, arguments: dict[str, Any], body: bytes) -> None:
        """Answers one call."""
        with self._lock:
            fault = self.next_fault(method)
            accepted = fault is None or fault.kind.endswith("-after")
            status = 200
            headers: dict[str, str] = {}
            answer: dict[str, Any] = {}
            if accepted:
                status, headers, answer = self._done(handler, method, arguments, body)
            error = fault.kind if fault else str(answer.get("error", ""))
            self.calls.append(Call(method, arguments, error))
        if fault is not None:
            if fault.kind.startswith("hang"):
                self._released.wait(120.0)
            if fault.kind.startswith(("hang", "drop")):
                handler.vanish()
                return
            if fault.kind == "rate-limit":
                status, headers, answer = 429, {"Retry-After": fault.retry_after}, _no("ratelimited")
            elif fault.kind == "error":
                answer = _no(fault.code)
            else:
                status, answer = fault.status, _no("fatal_error")
        handler.send(status, answer, headers)

    def _done(
        self, handler: _Handler, method: str, arguments: dict[str, Any], body: bytes
    ) -> tuple[int, dict[str, str], dict[str, Any]]:
        try:
            if method == "upload":
                self.upload(handler.path.rsplit("/", 1)[-1], body)
                return 200, {}, {}
            given = handler.headers.get("Authorization", "")
            if given != f"Bearer {self.token}" and arguments.get("token") != self.token:
                raise _RefusedError("invalid_auth" if given else "not_authed")
            if wait := self.too_soon(method, arguments):
                return 429, {"Retry-After": str(int(wait) + 1)}, _no("ratelimited")
            return 200, {}, self.answer(method, arguments)
        except _RefusedError as refused:
            return (400 if method == "upload" else 200), {}, refused.answer

    def run(self) -> None:
        """Serves until `stop`."""
        threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        """Ends it: connections are refused from now on."""
        self._released.set()
        self._http.shutdown()
        self._http.server_close()


def signature(secret: str, body: bytes, at: float) -> dict[str, str]:
    """The headers by which Slack signs a body: https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    moment = str(int(at))
    digest = hmac.new(secret.encode(), b"v0:" + moment.encode() + b":" + body, hashlib.sha256).hexdigest()
    return {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": moment,
        "X-Slack-Signature": f"v0={digest}",
    }


def _no(code: str) -> dict[str, Any]:
    return {"ok": False, "error": code}


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


class _Handler(BaseHTTPRequestHandler):
    slack: SlackServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path.startswith("/response/"):
            self.slack.responses.append(json.loads(body))
            self.send(200, {"ok": True}, {})
            return
        if self.path.startswith("/upload/v1/"):
            self.slack.serve(self, "upload", {}, body)
            return
        method = self.path.removeprefix("/api/").partition("?")[0]
        self.slack.serve(self, method, self._arguments(body), body)

    do_GET = do_POST  # noqa: N815

    def _arguments(self, body: bytes) -> dict[str, Any]:
        if self.headers.get("Content-Type", "").startswith("application/json"):
            found: dict[str, Any] = json.loads(body)
            return found
        form = parse_qs(body.decode() or self.path.partition("?")[2], keep_blank_values=True)
        return {key: values[-1] for key, values in form.items()}

    def send(self, status: int, answer: dict[str, Any], headers: dict[str, str]) -> None:
        """Answers."""
        body = json.dumps(answer).encode()
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.close_connection = True

    def vanish(self) -> None:
        """Closes the connection without a word."""
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@contextmanager
def slack_server(channels: Sequence[str] = ("incidents", "reports")) -> Iterator[SlackServer]:
    """A workspace with these channels, of which the bot is a member."""
    server = SlackServer(channels)
    server.run()
    try:
        yield server
    finally:
        server.stop()
