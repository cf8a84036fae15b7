"""What an exporter answers over HTTP: its metrics, how it is, and the routes that it adds."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from html import escape

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from sla_kit.exporters.sidecar.negotiating import OPENMETRICS, TEXT, wants_gzip, wants_openmetrics
from sla_kit.exporters.sidecar.self_metrics import SelfMetrics
from sla_kit.exporters.sidecar.store import Store
from sla_kit.serving.guard import Guard
from sla_kit.serving.web_config import WebConfig

_log = logging.getLogger(__name__)


class Web:
    """The ASGI application; what it is made of can be exchanged while it runs."""

    def __init__(self, name: str, summary: str, store: Store, self_metrics: SelfMetrics) -> None:
        self._name, self._summary = name, summary
        self._store = store
        self._self_metrics = self_metrics
        self._routes: Sequence[BaseRoute] = ()
        self._app: ASGIApp = self._routed()
        self._guard = Guard(self._answer, takes_data=self._takes_data)
        #: Set once it is told to end: then it is not ready any more.
        self.stopping = False

    def configure(self, config: WebConfig, routes: Sequence[BaseRoute]) -> None:
        """From now on: these users, headers and further routes. Passwords that were checked stay so."""
        self._guard.configure(config)
        self._routes = tuple(routes)
        self._app = self._routed()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        await self._guard(scope, receive, send)

    def _takes_data(self, scope: Scope) -> bool:
        return any(route.matches(scope)[0] is not Match.NONE for route in self._routes)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

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


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>sla-kit exporter {name}</title></head>
<body><h1>sla-kit exporter {name}</h1><p>{summary}</p>
<ul><li><a href="/metrics">metrics</a></li><li><a href="/healthz">healthz</a></li><li><a href="/readyz">readyz</a></li>
</ul></body></html>
"""
