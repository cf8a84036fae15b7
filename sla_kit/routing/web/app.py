"""What the router answers over HTTP.

POST /v1/alertmanager                           Alertmanager's webhook
POST /v1/notify                                 the router's own JSON (`native`)
GET  /v1/incidents                              open ones (``?service=``, ``?limit=``)
POST /v1/incidents/{dedup_key}/acknowledge      ``{"by": "ada"}``
POST /v1/slack/actions, /v1/pagerduty/webhook   what the services send, signed
GET  /healthz, /readyz, /metrics

What is taken is answered 200 ``{"accepted": 1, "repeated": 0}``, once it is committed. What is wrong is answered 4xx,
what can't be taken now 503 with Retry-After, both with ``{"error", "path", "hint"}``.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct, json
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sla_kit.errors import OutboxError
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.events import Acknowledgement
from sla_kit.routing.web import native
from sla_kit.routing.web.alertmanager import read_webhook
from sla_kit.routing.web.incidents import MAX_LISTED, is_open, open_incidents
from sla_kit.routing.web.intake import RETRY_AFTER_SECONDS, Intake, UnavailableError, kind
from sla_kit.routing.web.native import Arrival, read_notifications
from sla_kit.routing.web.reading import MAX_NAME, RefusedError, read_json
from sla_kit.serving.guard import PROBES, Guard, Tokens
from sla_kit.serving.web_config import WebConfig

_log = logging.getLogger(__name__)
MAX_WEBHOOK_BYTES = 16 * 1024 * 1024
#: From services that show who they are only in the body, and from people.
MAX_SIGNED_BYTES = 1024 * 1024
#: So many who have not shown yet who they are may send at once.
_MAX_UNKNOWN = 32
_STRANGER_SECONDS = 60.0
_BODY_SECONDS = 60.0
#: A body from this size on is read in a thread, so that others are answered meanwhile.
_LARGE_BYTES = 64 * 1024
SLACK_PATH, PAGERDUTY_PATH = "/v1/slack/actions", "/v1/pagerduty/webhook"
_METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"

#: Reads what a service signed: the headers by lower-case names, the body, the time. Raises `RefusedError`.
Signed = Callable[[Mapping[str, str], bytes, float], Sequence[Arrival]]
Answer = Callable[[Request], Awaitable[Response]]
Found = TypeVar("Found")


class Health(Protocol):
    """How a router is."""

    async def trouble(self) -> str:
        """Why it is not ready, in words; empty where it is."""
        ...


class Web:
    """The ASGI application; who may ask, and what is known, can be exchanged while it runs."""

    def __init__(self, intake: Intake, metrics: RouterMetrics, health: Health) -> None:
        self._intake = intake
        self._metrics = metrics
        self._health = health
        self._contacts: Collection[str] | None = None
        self._signed: Mapping[str, Signed] = {}
        self._unknown = 0
        self._told_of_stranger = -_STRANGER_SECONDS
        self._guard = Guard(
            self._routed(),
            open_paths=(*PROBES, SLACK_PATH, PAGERDUTY_PATH),
            takes_data=lambda scope: scope["method"] not in ("GET", "HEAD"),
            max_body_bytes=native.MAX_BODY_BYTES,
            body_seconds=_BODY_SECONDS,
        )

    def configure(
        self,
        config: WebConfig,
        tokens: Tokens = (),
        *,
        contacts: Collection[str] | None = None,
        signed: Mapping[str, Signed] | None = None,
        names: Collection[str] | None = None,
    ) -> None:
        """From now on: these users, headers and tokens; these contacts may be named; at these paths (`SLACK_PATH`,
        `PAGERDUTY_PATH`) services are heard; by these names it is reached (`Guard.configure`)."""
        self._guard.configure(config, tokens, names=names)
        self._contacts = contacts
        self._signed = dict(signed or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await self._guard(scope, receive, send)

    def _routed(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/alertmanager", self._taking(self._from_alertmanager, MAX_WEBHOOK_BYTES), methods=["POST"]),
                Route("/v1/notify", self._taking(self._from_anybody, native.MAX_BODY_BYTES), methods=["POST"]),
                Route("/v1/incidents", self._incidents, methods=["GET"]),
                Route(
                    "/v1/incidents/{dedup_key}/acknowledge",
                    self._taking(self._acknowledge, MAX_SIGNED_BYTES),
                    methods=["POST"],
                ),
                Route(SLACK_PATH, self._hear, methods=["POST"]),
                Route(PAGERDUTY_PATH, self._hear, methods=["POST"]),
                Route("/healthz", self._healthz, methods=["GET"]),
                Route("/readyz", self._readyz, methods=["GET"]),
                Route("/metrics", self._render, methods=["GET"]),
            ],
            exception_handlers={HTTPException: _told, RefusedError: _refused},
        )

    def _taking(self, read: Callable[[Request, bytes], Awaitable[Sequence[Arrival]]], most_bytes: int) -> Answer:
        """The answer to JSON that is read so, and committed."""

        async def answer(request: Request) -> Response:
            try:
                _check_type(request)
                return await self._take(request, read, most_bytes)
            except RefusedError as error:
                self._metrics.event(_KIND_AT.get(request.url.path, "unknown"), "refused")
                if error.status < 500:
                    _log.warning("refused: %s", error, extra={"path": request.url.path})
                raise

        return answer

    async def _take(
        self, request: Request, read: Callable[[Request, bytes], Awaitable[Sequence[Arrival]]], most_bytes: int
    ) -> Response:
        self._intake.enter()
        held = 0
        try:
            chunks: list[bytes] = []
            async for chunk in request.stream():
                if held + len(chunk) > most_bytes:
                    raise RefusedError("the body is too large", hint=f"at most {most_bytes} bytes", status=413)
                self._intake.hold(len(chunk))
                held += len(chunk)
                chunks.append(chunk)
            body = b"".join(chunks)
            del chunks
            arrivals = await read(request, body)
            del body
            taken = await self._intake.take(arrivals)
        finally:
            self._intake.leave(held)
        names = ",".join(sorted({kind(arrival.event) for arrival in arrivals}))
        _log.debug("taken", extra={"kinds": names, "accepted": taken.accepted, "repeated": taken.repeated})
        return _json({"accepted": taken.accepted, "repeated": taken.repeated})

    async def _from_alertmanager(self, request: Request, body: bytes) -> Sequence[Arrival]:
        now = self._intake.now()
        if len(body) < _LARGE_BYTES:
            return [Arrival(read_webhook(body, now))]
        return [Arrival(await asyncio.to_thread(read_webhook, body, now))]

    async def _from_anybody(self, request: Request, body: bytes) -> Sequence[Arrival]:
        key = request.headers.get("idempotency-key", "")
        now, contacts = self._intake.now(), self._contacts
        if len(body) < _LARGE_BYTES:
            return read_notifications(body, now, key=key, contacts=contacts)
        return await asyncio.to_thread(read_notifications, body, now, key=key, contacts=contacts)

    async def _acknowledge(self, request: Request, body: bytes) -> Sequence[Arrival]:
        by = read_json(body, _By).by
        if not by.strip() or len(by) > MAX_NAME or "\0" in by:
            raise RefusedError("can't be a name", "by", f"who acknowledges: 1 to {MAX_NAME} characters")
        key = request.path_params["dedup_key"]

        def find() -> bool:
            with self._intake.outbox.reading() as connection:
                return is_open(connection, key)

        if "\0" in key or not await self._reading(find):
            raise RefusedError("there is no open incident of this key", hint="GET /v1/incidents tells them", status=404)
        return [Arrival(Acknowledgement(incident=key, by=by, at=self._intake.now(), via="api"))]

    async def _incidents(self, request: Request) -> Response:
        asked = request.query_params
        text = asked.get("limit", "100")
        limit = int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 0
        if not 1 <= limit <= MAX_LISTED:
            raise RefusedError("can't be that many", "limit", f"1 to {MAX_LISTED}")
        service = asked.get("service", "")

        def find() -> list[dict[str, object]]:
            with self._intake.outbox.reading() as connection:
                return open_incidents(connection, limit, service)

        return _json({"incidents": [] if "\0" in service else await self._reading(find)})

    async def _reading(self, work: Callable[[], Found]) -> Found:
        try:
            return await asyncio.to_thread(work)
        except OutboxError as error:
            _log.error("the outbox could not be read: %s", error)
            raise UnavailableError("the outbox can't be read") from None

    async def _hear(self, request: Request) -> Response:
        """What a hosted service sends: it shows who it is by a signature of the body, and there is nothing here for
        others."""
        signed = self._signed.get(request.url.path)
        if signed is None:
            raise HTTPException(404)

        async def read(request: Request, body: bytes) -> Sequence[Arrival]:
            headers = {name.lower(): value for name, value in request.headers.items()}
            return await asyncio.to_thread(signed, headers, body, self._intake.now())

        if self._unknown >= _MAX_UNKNOWN:
            raise UnavailableError("too many requests that show by their bodies who they are from")
        self._unknown += 1
        try:
            answer = await self._take(request, read, MAX_SIGNED_BYTES)
        except RefusedError as error:
            self._tell_of_stranger(request.url.path, error)
            raise
        finally:
            self._unknown -= 1
        # Slack shows whoever pressed a button what is answered.
        return Response(status_code=200) if request.url.path == SLACK_PATH else answer

    def _tell_of_stranger(self, path: str, error: RefusedError) -> None:
        """A secret that is not the service's shows here; anybody may try, and must not fill the log."""
        now = time.monotonic()
        if now - self._told_of_stranger >= _STRANGER_SECONDS:
            self._told_of_stranger = now
            _log.warning("refused: %s", error, extra={"path": path})

    async def _render(self, request: Request) -> Response:
        return Response(self._metrics.render(), headers={"Content-Type": _METRICS_TYPE, "Cache-Control": "no-store"})

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, request: Request) -> Response:
        trouble = await self._health.trouble()
        return PlainTextResponse(f"{trouble}\n", 503) if trouble else PlainTextResponse("ready\n")


class _By(Struct, forbid_unknown_fields=True):
    by: str


_KIND_AT = {"/v1/alertmanager": "alerts"}


def _check_type(request: Request) -> None:
    sent = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent != "application/json":
        raise RefusedError("the body must be JSON", "Content-Type", "Content-Type: application/json", status=415)
    if request.headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise RefusedError("the body must not be compressed", "Content-Encoding", "send it as it is", status=415)


def _json(told: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(json.encode(told), status, headers, "application/json")


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if error.status == 503 else {}
    if error.status == 413:
        headers["Connection"] = "close"
    return _json(error.body, error.status, headers)


def _told(request: Request, error: Exception) -> Response:
    """What Starlette and the guard refuse, in the same form."""
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail.strip().lower(), "path": "", "hint": ""}, error.status_code, error.headers)
