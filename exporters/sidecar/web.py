"""What an exporter answers over HTTP: its metrics, how it is, and the routes that it adds."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from html import escape

from starlette.applications import Starlette
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sla_kit.exporters.sidecar.addresses import is_loopback
from sla_kit.exporters.sidecar.authenticating import BusyError, Users
from sla_kit.exporters.sidecar.negotiating import OPENMETRICS, TEXT, wants_gzip, wants_openmetrics
from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
from sla_kit.exporters.sidecar.store import Store
from sla_kit.exporters.sidecar.web_config import WebConfig

_log = logging.getLogger(__name__)
MAX_HEADERS_BYTES = 16 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024
#: How long a client may take to send a body.
BODY_SECONDS = 20.0
#: What a kubelet asks without a password; it tells nothing but good or bad.
_OPEN = ("/healthz", "/readyz")


class Web:
    """The ASGI application; what it is made of can be exchanged while it runs."""

    def __init__(self, name: str, summary: str, store: Store, self_metrics: SelfMetrics) -> None:
        self._name, self._summary = name, summary
        self._store = store
        self._self_metrics = self_metrics
        self._users = Users(())
        self._hashes: tuple[tuple[str, str], ...] = ()
        self._config = WebConfig()
        self._routes: Sequence[BaseRoute] = ()
        self._app: ASGIApp = self._routed()
        #: Set once it is told to end: then it is not ready any more.
        self.stopping = False

    def configure(self, config: WebConfig, routes: Sequence[BaseRoute]) -> None:
        """From now on: these users, headers and further routes. Passwords that were checked stay so."""
        if config.users != self._hashes:
            self._users.close()
            self._users, self._hashes = Users(config.users), config.users
        self._config, self._routes = config, tuple(routes)
        self._app = self._routed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        refusal = await self._refusal(scope)
        try:
            await (refusal or self._app)(scope, _Body(receive), self._with_headers(send))
        except ClientDisconnect:
            _log.debug("a client went away within its request")

    async def _refusal(self, scope: Scope) -> Response | None:
        headers, path = Headers(scope=scope), scope["path"]
        if sum(len(name) + len(value) for name, value in headers.raw) > MAX_HEADERS_BYTES:
            return PlainTextResponse(f"too large: at most {MAX_HEADERS_BYTES} bytes of headers\n", 431)
        if self._users and path not in _OPEN:
            try:
                admitted = await self._users.admits(headers.get("authorization", ""))
            except BusyError:
                return PlainTextResponse("too many passwords to check\n", 503, {"Retry-After": "5"})
            if not admitted:
                challenge = {"WWW-Authenticate": 'Basic realm="sla-kit", charset="UTF-8"'}
                return PlainTextResponse("unauthorized\n", 401, challenge)
        takes_data = any(route.matches(scope)[0] is not Match.NONE for route in self._routes)
        if takes_data and not self._may_send(scope, headers):
            return PlainTextResponse(
                "forbidden: this route takes data, from other machines only with basic auth or a client certificate "
                "(web_config)\n",
                403,
            )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            return PlainTextResponse(_TOO_LARGE, 413, {"Connection": "close"})
        return None

    def _may_send(self, scope: Scope, headers: Headers) -> bool:
        """Whether routes that an exporter adds, which take data, are open to who asks.

        They are to those who have shown who they are, and otherwise to this machine, which in Kubernetes is the pod. A
        page in a browser on this machine is somebody else; such requests name their origin.
        """
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        if self._users or self._config.client_certificates == "required":
            return True
        client = scope.get("client")
        return client is not None and is_loopback(client[0])

    def _with_headers(self, send: Send) -> Send:
        if not self._config.headers:
            return send

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._config.headers:
                    headers[name] = value
            await send(message)

        return sent

    def _routed(self) -> Starlette:
        own = [
            Route("/", self._front_page, methods=["GET", "HEAD"]),
            Route("/metrics", self._metrics, methods=["GET", "HEAD"]),
            Route("/healthz", self._healthz, methods=["GET", "HEAD"]),
            Route("/readyz", self._readyz, methods=["GET", "HEAD"]),
        ]
        return Starlette(routes=[*own, *self._routes])

    async def _metrics(self, request: Request) -> Response:
        began = time.perf_counter()
        headers = request.headers
        openmetrics = wants_openmetrics(",".join(headers.getlist("accept")))
        compressed = wants_gzip(",".join(headers.getlist("accept-encoding")))
        status = 500
        try:
            body = self._store.page(openmetrics, compressed)
            status = 200
        finally:
            seconds = time.perf_counter() - began
            self._self_metrics.scraped(seconds, status)
        _log.debug("scraped", extra={"seconds": round(seconds, 6), "bytes": len(body), "gzip": compressed})
        answer = Response(body, headers={"Content-Type": OPENMETRICS if openmetrics else TEXT})
        answer.headers["Vary"] = "Accept, Accept-Encoding"
        answer.headers["Cache-Control"] = "no-store"
        if compressed:
            answer.headers["Content-Encoding"] = "gzip"
        return answer

    async def _healthz(self, request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def _readyz(self, request: Request) -> Response:
        if self.stopping:
            return PlainTextResponse("stopping\n", 503)
        if not self._store.ready():
            return PlainTextResponse("starting: not every collector has come to an end once\n", 503)
        return PlainTextResponse("ready\n")

    async def _front_page(self, request: Request) -> Response:
        page = _PAGE.format(name=escape(self._name), summary=escape(self._summary))
        return HTMLResponse(page, headers={"Content-Security-Policy": "default-src 'none'"})


_TOO_LARGE = f"too large: at most {MAX_BODY_BYTES} bytes\n"
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sla-kit exporter {name}</title></head>
<body><h1>sla-kit exporter {name}</h1><p>{summary}</p>
<ul><li><a href="/metrics">metrics</a></li><li><a href="/healthz">healthz</a></li><li><a href="/readyz">readyz</a></li>
</ul></body></html>
"""


class _Body:
    """A request's body, which may be neither larger nor slower than what is allowed."""

    def __init__(self, receive: Receive, clock: Callable[[], float] = time.monotonic) -> None:
        self._receive = receive
        self._clock = clock
        self._until = clock() + BODY_SECONDS
        self._size = 0
        self._whole = False

    async def __call__(self) -> Message:
        if self._whole:  # what comes now is that the client goes away, for which a handler may wait as long as it likes
            return await self._receive()
        try:
            message = await asyncio.wait_for(self._receive(), max(0.0, self._until - self._clock()))
        except TimeoutError:
            raise HTTPException(408, "the body took too long\n", {"Connection": "close"}) from None
        self._size += len(message.get("body", b""))
        self._whole = not message.get("more_body", False)
        if self._size > MAX_BODY_BYTES:
            raise HTTPException(413, _TOO_LARGE, {"Connection": "close"})
        return message
