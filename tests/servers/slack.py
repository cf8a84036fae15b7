"""A local Slack: the part of its Web API that notifications use, as it is documented, with faults at will.

    with slack_server() as slack:               # or the channels that there shall be: slack_server(["incidents"])
        settings = SlackSettings(url=slack.url, token=Secret(env="SLACK_BOT_TOKEN"))   # the token is slack.token
        slack.fail("chat.postMessage", "drop-after")    # the next such call is accepted, and its answer is lost
        ...
        [message] = slack.posts("incidents")    # what stands in the channel outside threads, the oldest first
        slack.replies(message)                  # what stands in its thread
        message.words                           # all that can be read in it, `text` left out
        slack.press(message, "sla_kit_acknowledge")     # headers and body of what Slack sends when a button is pressed

It holds everything that it accepted: ``calls`` are all calls with their arguments and answer, ``channels`` the
messages, ``files`` what was uploaded (`tests.servers.slack_workspace`). Faults (`fail`) are used up by the next call of
their method (of any where it is empty), one each, in their order: ``rate-limit`` (429 with Retry-After), ``status`` (a
5xx, not accepted), ``error`` (ok: false with a code), ``hang`` and ``drop`` (not accepted; no answer),
``status-after``, ``hang-after`` and ``drop-after`` (accepted; a 5xx, or no answer). The method of the upload of a
file's bytes is called ``upload``. A call that hangs is let go by `release`, or when the server stops.

What its caller no longer waits for when its turn comes is not accepted, nor counted as a call: on a busy machine that
may be after the caller has looked for what became of it, and then it would be there twice by no fault of the caller's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, urlencode

from tests.servers.slack_workspace import SCOPES, Channel, Message, RefusedError, Upload, Workspace

__all__ = [
    "SCOPES",
    "Call",
    "Channel",
    "Fault",
    "FaultKind",
    "Message",
    "SlackServer",
    "Upload",
    "signature",
    "slack_server",
]

FaultKind = Literal["rate-limit", "status", "error", "hang", "drop", "status-after", "hang-after", "drop-after"]


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


class SlackServer(Workspace):
    """See the module. ``post_every_seconds`` is the least time between two posts to one channel (0: no limit)."""

    def __init__(self, channels: Sequence[str]) -> None:
        server = self

        class Handler(_Handler):
            slack = server

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        super().__init__(f"http://127.0.0.1:{self._http.server_address[1]}", channels)
        self.url = f"{self.root}/api/"
        self.token = "xoxb-1234567890-abcdefghijkl"
        self.signing_secret = "8f742231b10e8888abcd99yyyzzz85a5"
        self.calls: list[Call] = []
        self.responses: list[dict[str, Any]] = []
        self.post_every_seconds = 0.0
        self.faults: list[Fault] = []
        self._posted: dict[str, float] = {}
        self._released = threading.Event()

    def fail(self, method: str, kind: FaultKind, **more: Any) -> None:
        """Lets the next call of ``method`` fail so; see `Fault` for what else can be said."""
        self.faults.append(Fault(method, kind, **more))

    def release(self) -> None:
        """Lets calls go that hang, now and later: their connections are closed."""
        self._released.set()

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
            "channel": {"id": message.channel, "name": self.by_id(message.channel).name},
            "message": self.shown(message, True),
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

    def too_soon(self, method: str, arguments: dict[str, Any]) -> float:
        """Seconds until a channel takes a post again; 0 where it takes one now."""
        if method != "chat.postMessage" or not self.post_every_seconds:
            return 0.0
        channel, now = self.channel(arguments, names=True).id, time.monotonic()
        wait = self._posted.get(channel, -math.inf) + self.post_every_seconds - now
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
        with self.lock:
            if handler.is_alone():
                handler.vanish()
                return
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
                raise RefusedError("invalid_auth" if given else "not_authed")
            if wait := self.too_soon(method, arguments):
                return 429, {"Retry-After": str(int(wait) + 1)}, _no("ratelimited")
            return 200, {}, self.answer(method, arguments)
        except RefusedError as refused:
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
            found: dict[str, Any] = json.loads(body or b"{}")
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

    def is_alone(self) -> bool:
        """Whether the caller has hung up."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

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
