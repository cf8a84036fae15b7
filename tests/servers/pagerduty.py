"""A local PagerDuty: Events API v2 as it is documented, with what it makes of events, faults at will, and webhooks.

    with pagerduty_server() as pagerduty:
        settings = PagerDutySettings(url=pagerduty.url, keys={"primary": Secret(env="KEY")})   # 32 characters: KEY
        pagerduty.fail("drop-after")             # the next request is accepted, and its answer is lost
        ...
        [incident] = pagerduty.incidents         # in the order in which they were opened, resolved ones too
        incident.status, incident.payload, [entry.action for entry in incident.log]
        pagerduty.pages                          # each is one time that people were called: one an incident
        pagerduty.subscribe(router_url + "/v1/pagerduty/webhook", SECRET)
        pagerduty.acknowledge(incident, "R. Byrd")   # a person does; its webhook is sent, signed, before this returns

Documented: https://developer.pagerduty.com/docs/events-api-v2-overview and /docs/webhooks-overview. A trigger opens an
incident, or is appended to the open one of the same routing key and dedup key; after a resolve it opens another one;
acknowledge and resolve without an open one are accepted and dropped. ``accepted`` and ``refused`` hold every request
that was answered so, ``changes`` the change events.

Faults are used up by the next request, one each, in their order: ``none`` (that one goes well), ``rate-limit`` (429
with Retry-After), ``status`` (a 5xx, not accepted), ``hang`` and ``drop`` (not accepted; no answer), ``refuse`` (closed
before anything is read), ``status-after``, ``hang-after`` and ``drop-after`` (accepted; a 5xx, or no answer). A request
that hangs is let go by `release`, or when the server stops. `limit` makes it answer 429 by itself, as the real one does
(120 a minute and key).
"""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
import time
import urllib.error
import urllib.request
import uuid
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import urlsplit

FaultKind = Literal[
    "none", "rate-limit", "status", "hang", "drop", "refuse", "status-after", "hang-after", "drop-after"
]
#: Two routing keys as PagerDuty makes them.
KEY = "e93facc04764012d7bfb002500d5d1a6"
OTHER_KEY = "737ea619db564d41bd9824063e1f6b08"
LIMIT_BYTES = 512_000
_SEVERITIES = ("critical", "error", "warning", "info")
_THROTTLED = {"status": "throttle exceeded", "message": "Requests for this service are arriving too fast"}
_ACTIONS = ("trigger", "acknowledge", "resolve")


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with the next request."""

    kind: FaultKind
    status: int = 503
    retry_after: str = "1"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of an incident's log: what was done to it, by whom (``api`` or a person's name)."""

    action: str
    by: str
    event: dict[str, Any]


@dataclass(slots=True)
class PagerDutyIncident:
    """One incident as it stands now. ``payload`` is that of its newest trigger."""

    id: str
    number: int
    routing_key: str
    dedup_key: str
    status: Literal["triggered", "acknowledged", "resolved"]
    created_at: float
    payload: dict[str, Any]
    log: list[Entry] = field(default_factory=list)

    @property
    def triggers(self) -> list[dict[str, Any]]:
        """The trigger events in their order, without their routing keys."""
        return [entry.event for entry in self.log if entry.action == "trigger"]

    @property
    def actions(self) -> list[str]:
        """What was done to it, in order: such as trigger, trigger, acknowledge, resolve."""
        return [entry.action for entry in self.log]


@dataclass(frozen=True, slots=True)
class Request:
    """One request as it came: its path, headers (names in lower case) and body, and the status of the answer."""

    path: str
    headers: dict[str, str]
    body: bytes
    status: int

    @property
    def event(self) -> dict[str, Any]:
        """The body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass(frozen=True, slots=True)
class Sent:
    """One webhook that was sent: its headers and body, and the status that came back (0 where none did)."""

    headers: dict[str, str]
    body: bytes
    status: int


class PagerDutyServer:
    """What the server holds; see the module. Everything may be read and called while requests come in."""

    def __init__(self, url: str, keys: tuple[str, ...]) -> None:
        self.url = url
        self.keys = keys
        self.incidents: list[PagerDutyIncident] = []
        self.pages: list[PagerDutyIncident] = []
        self.changes: list[dict[str, Any]] = []
        self.accepted: list[Request] = []
        self.refused: list[Request] = []
        self.webhooks: list[Sent] = []
        self.faults: deque[Fault] = deque()
        self.outage: Fault | None = None
        self.per_minute: int | None = None
        self.requests = 0
        self.connections = 0
        self.lock = threading.RLock()
        self._released = threading.Event()
        self._subscribed: list[tuple[str, tuple[str, ...]]] = []
        self._times: dict[str, deque[float]] = {}

    # --- what a test says --------------------------------------------------------------------------------------------

    def fail(self, kind: FaultKind, times: int = 1, *, status: int = 503, retry_after: str = "1") -> None:
        """The next ``times`` requests go wrong so."""
        with self.lock:
            self.faults.extend([Fault(kind, status, retry_after)] * times)

    def limit(self, per_minute: int | None) -> None:
        """From now on 429 for more than so many events in a minute with one routing key; None for no limit."""
        with self.lock:
            self.per_minute = per_minute

    def go_out(self, kind: FaultKind = "status", *, status: int = 503, retry_after: str = "1") -> None:
        """Every request goes wrong so, until `come_back`."""
        with self.lock:
            self.outage = Fault(kind, status, retry_after)

    def come_back(self) -> None:
        """Ends what `go_out` began, and lets go of requests that hang."""
        with self.lock:
            self.outage = None
        self.release()

    def release(self) -> None:
        """Lets go of every request that hangs now: their connections are closed."""
        with self.lock:
            self._released.set()
            self._released = threading.Event()

    def open(self, dedup_key: str, routing_key: str = "") -> PagerDutyIncident | None:
        """The open incident with this key (of any routing key where that is empty)."""
        with self.lock:
            for incident in reversed(self.incidents):
                same = incident.dedup_key == dedup_key and (not routing_key or incident.routing_key == routing_key)
                if same and incident.status != "resolved":
                    return incident
        return None

    # --- webhooks ----------------------------------------------------------------------------------------------------

    def subscribe(self, url: str, *secrets: str) -> None:
        """From now on sends Webhooks V3 there, signed with each of the secrets."""
        with self.lock:
            self._subscribed.append((url, secrets))

    def acknowledge(self, incident: PagerDutyIncident, by: str = "Tenex Engineer", times: int = 1) -> None:
        """A person takes an incident; the webhook is sent ``times`` times, as at-least-once delivery allows."""
        with self.lock:
            incident.status = "acknowledged"
            incident.log.append(Entry("acknowledge", by, {}))
        self._send(incident, "incident.acknowledged", by, times)

    def resolve(self, incident: PagerDutyIncident, by: str = "Tenex Engineer", times: int = 1) -> None:
        """A person resolves an incident."""
        with self.lock:
            incident.status = "resolved"
            incident.log.append(Entry("resolve", by, {}))
        self._send(incident, "incident.resolved", by, times)

    def webhook(self, incident: PagerDutyIncident, event_type: str, by: str) -> bytes:
        """The body of a webhook; ``by`` is a person's name, or empty where an event of the API did it."""
        return json.dumps({"event": _outbound(incident, event_type, by)}, ensure_ascii=False).encode()

    def _send(self, incident: PagerDutyIncident, event_type: str, by: str, times: int = 1) -> None:
        with self.lock:
            subscribed = list(self._subscribed)
        for url, secrets in subscribed:
            body = self.webhook(incident, event_type, by)
            headers = signed(body, *secrets)
            for _ in range(times):
                request = urllib.request.Request(url, data=body, headers=headers, method="POST")
                try:
                    with urllib.request.urlopen(request, timeout=120) as answer:
                        status = int(answer.status)
                except urllib.error.HTTPError as error:
                    status = error.code
                except OSError:
                    status = 0
                with self.lock:
                    self.webhooks.append(Sent(headers, body, status))

    # --- what requests do --------------------------------------------------------------------------------------------

    def take_fault(self) -> Fault | None:
        """The fault that the request that is here now shall have."""
        with self.lock:
            self.requests += 1
            return self.faults.popleft() if self.faults else self.outage

    def hang(self) -> None:
        """Waits until it is let go."""
        with self.lock:
            released = self._released
        released.wait(600)

    def too_many(self, key: str) -> bool:
        """Whether the limit is reached, looking back over a minute."""
        with self.lock:
            if self.per_minute is None:
                return False
            times, now = self._times.setdefault(key, deque()), time.monotonic()
            while times and times[0] < now - 60:
                times.popleft()
            if len(times) >= self.per_minute:
                return True
            times.append(now)
            return False

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, dict[str, Any]]:
        """Answers one request as it is documented; accepts what it is where it is valid."""
        status, answer, event = self._judged(path, body)
        kept = Request(path, {name.lower(): value for name, value in headers.items()}, body, status)
        with self.lock:
            (self.accepted if status == 202 else self.refused).append(kept)
        if status == 202 and path == "/v2/change/enqueue":
            with self.lock:
                self.changes.append(event)
        elif status == 202:
            self._apply(event)
        return status, answer

    def _judged(self, path: str, body: bytes) -> tuple[int, dict[str, Any], dict[str, Any]]:
        if len(body) > LIMIT_BYTES:
            return 413, _invalid("Event object is too large (at most 512 KB)"), {}
        try:
            event = json.loads(body)
        except ValueError:
            return 400, _invalid("JSON parse error", "Event object format is unrecognized"), {}
        problems = change_faults(event) if path == "/v2/change/enqueue" else event_faults(event)
        if not problems and event["routing_key"] not in self.keys:
            problems = ["Invalid routing key"]
        if problems:
            return 400, _invalid(*problems), {}
        if self.too_many(event["routing_key"]):
            return (
                429,
                {"status": "throttle exceeded", "message": "Requests for this service are arriving too fast"},
                {},
            )
        answer = {"status": "success", "message": "Event processed"}
        if path == "/v2/enqueue":
            event.setdefault("dedup_key", uuid.uuid4().hex)
            answer["dedup_key"] = event["dedup_key"]
        return 202, answer, event

    def _apply(self, event: dict[str, Any]) -> None:
        routing_key, action = event.pop("routing_key"), event["event_action"]
        with self.lock:
            found = self.open(event["dedup_key"], routing_key)
            told = ""
            if action == "trigger":
                if found is None:
                    number = len(self.incidents) + 1
                    found = PagerDutyIncident(
                        id=f"P{number:06X}",
                        number=number,
                        routing_key=routing_key,
                        dedup_key=event["dedup_key"],
                        status="triggered",
                        created_at=time.time(),
                        payload=event["payload"],
                    )
                    self.incidents.append(found)
                    self.pages.append(found)
                    told = "incident.triggered"
                found.payload = event["payload"]
            elif found is not None and action == "acknowledge":
                told = "incident.acknowledged" if found.status == "triggered" else ""
                found.status = "acknowledged"
            elif found is not None:
                told, found.status = "incident.resolved", "resolved"
            if found is not None:
                found.log.append(Entry(action, "api", event))
        if found is not None and told:
            threading.Thread(target=self._send, args=(found, told, ""), daemon=True).start()


@contextmanager
def pagerduty_server(*keys: str, port: int = 0) -> Iterator[PagerDutyServer]:
    """A PagerDuty on a loopback port that knows these routing keys (`KEY` and `OTHER_KEY` where none is given)."""

    class Handler(_Handler):
        state: PagerDutyServer

    server = _Listener(("127.0.0.1", port), Handler)
    state = PagerDutyServer(f"http://127.0.0.1:{server.server_address[1]}", keys or (KEY, OTHER_KEY))
    Handler.state = state
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.release()
        server.shutdown()
        server.server_close()
        thread.join()


def signed(body: bytes, *secrets: str) -> dict[str, str]:
    """The headers of a webhook with this body."""
    marks = [f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}" for secret in secrets]
    return {
        "Content-Type": "application/json",
        "User-Agent": "PagerDuty-Webhook/V3.0",
        "X-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_OID, body.hex())),
        "X-PagerDuty-Signature": ",".join(marks),
    }


# --- what is valid --------------------------------------------------------------------------------------------------


def event_faults(event: Any) -> list[str]:
    """What is wrong with an alert event, in the way that PagerDuty says it; empty where nothing is."""
    if not isinstance(event, dict):
        return ["Event object format is unrecognized"]
    found = _key_faults(event)
    action = event.get("event_action")
    if action not in _ACTIONS:
        found.append(f"'event_action' is invalid (must be one of the following: {', '.join(_ACTIONS)})")
    dedup_key = event.get("dedup_key")
    if dedup_key is not None and (not isinstance(dedup_key, str) or not 0 < len(dedup_key) <= 255):
        found.append("'dedup_key' is invalid (must be a string of at most 255 characters)")
    if action in ("acknowledge", "resolve") and dedup_key is None:
        found.append("'dedup_key' is missing or blank")
    if action == "trigger":
        payload = event.get("payload")
        if not isinstance(payload, dict):
            return [*found, "'payload' is missing or blank"]
        found += _payload_faults(payload, ("summary", "source", "severity"))
        if "severity" in payload and payload["severity"] not in _SEVERITIES:
            found.append(f"'payload.severity' is invalid (must be one of the following: {', '.join(_SEVERITIES)})")
        found += _image_faults(event.get("images", []))
        for name in ("client", "client_url"):
            if not isinstance(event.get(name, ""), str):
                found.append(f"'{name}' is invalid (must be a string)")
    return found + _link_faults(event.get("links", []))


def change_faults(event: Any) -> list[str]:
    """What is wrong with a change event; empty where nothing is."""
    if not isinstance(event, dict):
        return ["Event object format is unrecognized"]
    found, payload = _key_faults(event), event.get("payload")
    if not isinstance(payload, dict):
        return [*found, "'payload' is missing or blank"]
    return found + _payload_faults(payload, ("summary",)) + _link_faults(event.get("links", []))


def _key_faults(event: dict[str, Any]) -> list[str]:
    key = event.get("routing_key")
    if not isinstance(key, str) or not key:
        return ["'routing_key' is missing or blank"]
    return [] if len(key) == 32 else ["Length of 'routing_key' is incorrect (should be 32 characters)"]


def _payload_faults(payload: dict[str, Any], required: tuple[str, ...]) -> list[str]:
    found = [f"'payload.{name}' is missing or blank" for name in required if not payload.get(name)]
    for name in ("summary", "source", "component", "group", "class", "timestamp"):
        if name in payload and not isinstance(payload[name], str):
            found.append(f"'payload.{name}' is invalid (must be a string)")
    if isinstance(payload.get("summary"), str) and len(payload["summary"]) > 1024:
        found.append("'payload.summary' is too long (must be at most 1024 characters)")
    if isinstance(payload.get("timestamp"), str):
        try:
            datetime.fromisoformat(payload["timestamp"])
        except ValueError:
            found.append("'payload.timestamp' is invalid (must be ISO 8601)")
    if not isinstance(payload.get("custom_details", {}), dict):
        found.append("'payload.custom_details' is invalid (must be an object)")
    return found


def _link_faults(links: Any) -> list[str]:
    if not isinstance(links, list) or not all(isinstance(link, dict) for link in links):
        return ["'links' is invalid (must be an array of objects)"]
    good = all(_is_url(link.get("href")) and isinstance(link.get("text", ""), str) for link in links)
    return [] if good else ["'links' is invalid (each must have an 'href' that is a URL)"]


def _image_faults(images: Any) -> list[str]:
    if not isinstance(images, list) or not all(isinstance(image, dict) for image in images):
        return ["'images' is invalid (must be an array of objects)"]
    for image in images:
        if not _is_url(image.get("src")) or not image["src"].startswith("https://"):
            return ["'images' is invalid (each must have a 'src' that is served via HTTPS)"]
        if not _is_url(image.get("href", "https://x")) or not isinstance(image.get("alt", ""), str):
            return ["'images' is invalid ('href' must be a URL, 'alt' a string)"]
    return []


def _is_url(text: Any) -> bool:
    try:
        parts = urlsplit(text) if isinstance(text, str) else None
    except ValueError:
        return False
    return parts is not None and parts.scheme in ("http", "https", "mailto") and not any(c.isspace() for c in text)


def _invalid(*errors: str) -> dict[str, Any]:
    return {"status": "invalid event", "message": "Event object is invalid", "errors": list(errors)}


def _outbound(incident: PagerDutyIncident, event_type: str, by: str) -> dict[str, Any]:
    """An outbound event, as /docs/webhooks-overview shows it."""
    agent = {
        "html_url": "https://acme.pagerduty.com/users/PLH1HKV",
        "id": "PLH1HKV",
        "self": "https://api.pagerduty.com/users/PLH1HKV",
        "summary": by,
        "type": "user_reference",
    }
    if not by:
        agent |= {"id": "PXMQRWJ", "summary": "Events API V2", "type": "inbound_integration_reference"}
    return {
        "id": str(uuid.uuid4()),
        "event_type": event_type,
        "resource_type": "incident",
        "occurred_at": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "agent": agent,
        "client": {"name": "PagerDuty"},
        "data": {
            "id": incident.id,
            "type": "incident",
            "self": f"https://api.pagerduty.com/incidents/{incident.id}",
            "html_url": f"https://acme.pagerduty.com/incidents/{incident.id}",
            "number": incident.number,
            "status": incident.status,
            "incident_key": incident.dedup_key,
            "created_at": datetime.fromtimestamp(incident.created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "title": incident.payload["summary"],
            "service": {
                "html_url": "https://acme.pagerduty.com/services/PF9KMXH",
                "id": "PF9KMXH",
                "self": "https://api.pagerduty.com/services/PF9KMXH",
                "summary": "API Service",
                "type": "service_reference",
            },
            "assignees": [],
            "teams": [],
            "priority": None,
            "urgency": "high",
            "conference_bridge": None,
            "resolve_reason": None,
        },
    }


# --- HTTP -----------------------------------------------------------------------------------------------------------


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: PagerDutyServer

    def setup(self) -> None:
        with self.state.lock:
            self.state.connections += 1
        super().setup()

    def do_POST(self) -> None:
        fault = self.state.take_fault()
        kind = "" if fault is None else fault.kind
        if kind == "refuse":
            return self._close()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if kind == "hang":
            self.state.hang()
        if kind in ("hang", "drop"):
            return self._close()
        if fault is not None and kind == "rate-limit":
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return self._answer(429, _THROTTLED, headers)
        if fault is not None and kind == "status":
            return self._answer(fault.status, {"status": "error", "message": "Internal Server Error"})
        if self.path not in ("/v2/enqueue", "/v2/change/enqueue"):
            return self._answer(404, {"status": "error", "message": "Not Found"})
        status, answer = self.state.receive(self.path, dict(self.headers), body)
        if kind == "hang-after":
            self.state.hang()
        if kind in ("hang-after", "drop-after"):
            return self._close()
        if fault is not None and kind == "status-after":
            return self._answer(fault.status, {"status": "error", "message": "Internal Server Error"})
        return self._answer(status, answer, {"Retry-After": "1"} if status == 429 else {})

    def do_GET(self) -> None:
        self._answer(405, {"status": "error", "message": "Method Not Allowed"})

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing: the requests are kept."""

    def _answer(self, status: int, answer: dict[str, Any], headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _close(self) -> None:
        self.close_connection = True
        with suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)
