"""Who may ask an application what, and how large and slow a request may be: decided before the application sees it."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sla_kit.errors import SecretError
from sla_kit.serving.addresses import is_address, is_loopback
from sla_kit.serving.authenticating import BusyError, Users
from sla_kit.serving.web_config import WebConfig

_log = logging.getLogger(__name__)
MAX_HEADERS_BYTES = 16 * 1024
MAX_BODY_BYTES = 4 * 1024 * 1024
#: How long a client may take to send a body.
BODY_SECONDS = 20.0
#: What a kubelet asks without a password; it must tell nothing but good or bad.
PROBES = ("/healthz", "/readyz")
#: Bearer tokens, each as good as the others, or what tells them anew for every request. It may raise `SecretError`.
Tokens = tuple[str, ...] | Callable[[], tuple[str, ...]]


def _takes_none(scope: Scope) -> bool:
    return False


class Guard:
    """ASGI middleware in front of an application of Starlette's, which must answer the `HTTPException` of a body.

    Everybody must be a user or show a token, where there are users or tokens, except on ``open_paths``: those tell
    nothing, or check themselves who asks, such as by a signature. What ``takes_data`` is closed to pages in browsers;
    where nobody has to show who they are, and no client certificate is required, to other machines, too, unless its
    path is open. There the names may be told, too, by which it is asked: somebody else's page could have a name of its
    own lead to this machine, and read what is answered.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        open_paths: Collection[str] = PROBES,
        takes_data: Callable[[Scope], bool] = _takes_none,
        max_body_bytes: int = MAX_BODY_BYTES,
        body_seconds: float = BODY_SECONDS,
        realm: str = "sla-kit",
    ) -> None:
        self._app = app
        self._open_paths = frozenset(open_paths)
        self._takes_data = takes_data
        self._max_body_bytes = max_body_bytes
        self._body_seconds = body_seconds
        self._realm = realm
        self._too_large = f"too large: at most {max_body_bytes} bytes\n"
        self._users = Users(())
        self._hashes: tuple[tuple[str, str], ...] = ()
        self._tokens: Tokens = ()
        self._told_of_tokens = False
        self._config = WebConfig()
        self._names: frozenset[str] | None = None

    def configure(self, config: WebConfig, tokens: Tokens = (), *, names: Collection[str] | None = None) -> None:
        """From now on: these users, tokens and headers. Passwords that were checked stay so.

        Where nobody has to show who they are, only requests to these ``names`` are answered, to addresses and to names
        that no DNS outside knows; None is any.
        """
        if config.users != self._hashes:
            self._users.close()
            self._users, self._hashes = Users(config.users), config.users
        self._config, self._tokens = config, tokens
        self._names = None if names is None else frozenset(name.lower() for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or has the application do so."""
        if scope["type"] != "http":
            return
        refusal = await self._refusal(scope)
        body = _Body(receive, self._max_body_bytes, self._body_seconds, self._too_large)
        try:
            await (refusal or self._app)(scope, body, self._with_headers(send))
        except ClientDisconnect:
            _log.debug("a client went away within its request")

    async def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in headers.raw) > MAX_HEADERS_BYTES:
            return PlainTextResponse(f"too large: at most {MAX_HEADERS_BYTES} bytes of headers\n", 431)
        is_open, shown = scope["path"] in self._open_paths, False
        if not is_open:
            try:
                shown, refusal = await self._identified(headers.get("authorization", ""))
            except BusyError:
                return PlainTextResponse("too many passwords to check\n", 503, {"Retry-After": "5"})
            if refusal is not None:
                return refusal
        if not (is_open or shown or self._is_known(headers.get("host", ""))):
            return PlainTextResponse("misdirected: this name is not known here; ask localhost or an address\n", 421)
        if self._takes_data(scope) and not self._may_send(scope, headers, is_open or shown):
            return PlainTextResponse(
                "forbidden: this route takes data, from other machines only with basic auth or a client certificate "
                "(web_config)\n",
                403,
            )
        length = headers.get("content-length", "")
        if length.isdigit() and int(length) > self._max_body_bytes:
            return PlainTextResponse(self._too_large, 413, {"Connection": "close"})
        return None

    async def _identified(self, authorization: str) -> tuple[bool, Response | None]:
        """Whether who asks has shown who they are, and what they are answered where they had to and have not."""
        if self._users and await self._users.admits(authorization):
            return True, None
        try:
            tokens = self._tokens() if callable(self._tokens) else self._tokens
        except SecretError as error:  # nobody is let in for want of what they would be asked for
            if not self._told_of_tokens:
                _log.error("tokens can't be read: %s", error)
            self._told_of_tokens = True
            return False, PlainTextResponse("the tokens can't be read\n", 503)
        self._told_of_tokens = False
        if not self._users and not tokens:
            return False, None
        if _is_token(authorization, tokens):
            return True, None
        refusal = PlainTextResponse("unauthorized\n", 401)
        if self._users:
            refusal.headers.append("WWW-Authenticate", f'Basic realm="{self._realm}", charset="UTF-8"')
        if tokens:
            refusal.headers.append("WWW-Authenticate", f'Bearer realm="{self._realm}"')
        return False, refusal

    def _may_send(self, scope: Scope, headers: Headers, admitted: bool) -> bool:
        """Whether routes that take data are open to who asks.

        They are to those who were ``admitted``, and otherwise to this machine, which in Kubernetes is the pod. A page
        in a browser on this machine is somebody else; such requests name their origin.
        """
        if "origin" in headers or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return False
        if admitted or self._config.client_certificates == "required":
            return True
        client = scope.get("client")
        return client is not None and is_loopback(client[0])

    def _is_known(self, host: str) -> bool:
        """Whether a header Host names this machine, or nobody could have made it name this machine."""
        if self._names is None or self._config.client_certificates == "required":
            return True
        name = _name_in(host)
        return is_address(name) or name in self._names or "." not in name or name.endswith(".localhost")

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


def _name_in(host: str) -> str:
    """The name or address of a header Host, without a port and in lower case."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return name.strip().lower().removesuffix(".")


def _is_token(authorization: str, tokens: tuple[str, ...]) -> bool:
    """Whether a header Authorization (RFC 6750) holds one of the tokens, in a time that tells nothing of them."""
    scheme, _, shown = authorization.partition(" ")
    if scheme.lower() != "bearer":
        return False
    token = shown.strip().encode("latin-1")  # as the header came
    fits = [hmac.compare_digest(token, each.encode()) for each in tokens]
    return bool(token) and any(fits)


class _Body:
    """A request's body, which may be neither larger nor slower than what is allowed."""

    def __init__(
        self,
        receive: Receive,
        max_bytes: int,
        seconds: float,
        too_large: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._receive = receive
        self._max_bytes = max_bytes
        self._too_large = too_large
        self._clock = clock
        self._until = clock() + seconds
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
        if self._size > self._max_bytes:
            raise HTTPException(413, self._too_large, {"Connection": "close"})
        return message
