"""One face for two libraries, `pagerduty` and the frozen `pdpyras` before it: one request, one answer, no retries.

Retries, rate limits and breakers are the dispatcher's; the libraries' own would hold a delivery for minutes, out of
its sight.
"""

from __future__ import annotations

import importlib.util
import threading
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol
from urllib.parse import urlsplit

from msgspec import Struct

from sla_kit.errors import MissingExtraError, SlaKitError
from sla_kit.routing.pagerduty.payload import Event

Library = Literal["pagerduty", "pdpyras"]
#: The preferred one first.
LIBRARIES: tuple[Library, ...] = ("pagerduty", "pdpyras")
#: For each step of a request (connecting, sending, waiting for more of the answer): two requests of three steps end
#: within what a delivery may take.
TIMEOUT_SECONDS = 7.0
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Answer(Struct, frozen=True):
    """What was answered: ``headers`` by their names in lower case."""

    status: int
    headers: dict[str, str]
    text: str


class NotAnsweredError(Exception):
    """No answer came. ``sent``: the event may have arrived all the same."""

    def __init__(self, reason: str, *, sent: bool) -> None:
        super().__init__(reason)
        self.sent = sent


class Client(Protocol):
    """A connection to the Events API, for one thread at a time."""

    def send(self, path: str, event: Event, routing_key: str) -> Answer:
        """Sends one event. Raises `NotAnsweredError`."""
        ...

    def close(self) -> None:
        """Lets go of connections."""
        ...


class Clients:
    """As many clients as there are threads that send at once: connections are kept, and no two share one."""

    def __init__(self, make: Callable[[], Client]) -> None:
        self._make = make
        self._idle: list[Client] = []
        self._lock = threading.Lock()
        self._closed = False

    def send(self, path: str, event: Event, routing_key: str) -> Answer:
        """Sends one event. Raises `NotAnsweredError`."""
        with self._lock:
            client = self._idle.pop() if self._idle else None
        client = client or self._make()
        try:
            return client.send(path, event, routing_key)
        finally:
            with self._lock:
                closed = self._closed
                if not closed:
                    self._idle.append(client)
            if closed:
                client.close()

    def close(self) -> None:
        """Closes all of them, those that are sending once they have."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for client in idle:
            client.close()


def installed() -> Library:
    """The library to use. Raises `MissingExtraError` where there is none."""
    for name in LIBRARIES:
        if importlib.util.find_spec(name) is not None:
            return name
    raise MissingExtraError("sending to PagerDuty", "pagerduty", "pagerduty")


def clients(url: str, *, library: Library | None = None, timeout_seconds: float = TIMEOUT_SECONDS) -> Clients:
    """Clients of the Events API at ``url``, each step of a request limited to ``timeout_seconds``.

    Raises `SlaKitError` for an address that would send routing keys over the network in the clear.
    """
    parts = urlsplit(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        remedy = "write https://events.pagerduty.com, or https://events.eu.pagerduty.com"
        raise SlaKitError("PagerDuty's address must begin with https://", place="routing.pagerduty.url", remedy=remedy)
    base = url.rstrip("/")
    make = {"pagerduty": _pagerduty_client, "pdpyras": _pdpyras_client}[library or installed()]
    return Clients(lambda: make(base, timeout_seconds))


def _pagerduty_client(base: str, timeout_seconds: float) -> Client:
    import httpx2
    import pagerduty

    class Events(pagerduty.EventsApiV2Client):
        """Asks once: what the library would ask again for is raised to us first."""

        max_network_attempts = 0
        timeout = timeout_seconds  # type: ignore[assignment]  # the library declares whole seconds

        def normalize_url(self, url: str) -> str:
            return base + url  # the library takes https:// only, and tests play PagerDuty on this machine

        def postprocess(self, response: Any) -> None:
            raise _AnsweredError(Answer(response.status_code, _lower(response.headers), response.text))

    def certain(error: BaseException | None) -> bool:
        unsent = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError)
        return isinstance(error, (*unsent, httpx2.UnsupportedProtocol))

    def with_key(session: Any, routing_key: str) -> None:
        session.auth_method = pagerduty.RoutingKeyAuthMethod(routing_key)  # type: ignore[no-untyped-call]

    return _Session(Events(""), with_key, pagerduty.Error, certain)


def _pdpyras_client(base: str, timeout_seconds: float) -> Client:
    import requests
    from urllib3.exceptions import MaxRetryError, NewConnectionError

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it is frozen is said in our documentation
        import pdpyras

    class Events(pdpyras.EventsAPISession):  # type: ignore[misc]  # the library has no types
        """Asks once, and follows no redirect, which would take the routing key elsewhere."""

        max_network_attempts = 0
        timeout = timeout_seconds
        url = base

        def request(self, method: str, url: str, **arguments: Any) -> Any:
            return super().request(method, url, **arguments, allow_redirects=False)

        def postprocess(self, response: Any) -> None:
            raise _AnsweredError(Answer(response.status_code, _lower(response.headers), response.text))

    def certain(error: BaseException | None) -> bool:
        unsent = (requests.ConnectTimeout, requests.exceptions.SSLError, requests.exceptions.ProxyError)
        if isinstance(error, unsent):
            return True
        cause = error.args[0] if isinstance(error, requests.ConnectionError) and error.args else None
        return isinstance(cause, MaxRetryError) and isinstance(cause.reason, NewConnectionError)

    def with_key(session: Any, routing_key: str) -> None:
        session.api_key = routing_key

    return _Session(Events("none yet"), with_key, pdpyras.PDClientError, certain)


class _AnsweredError(Exception):
    """An answer on its way past the library's own treatment of it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class _Session:
    """A session of either library."""

    def __init__(
        self,
        session: Any,
        with_key: Callable[[Any, str], None],
        failed: type[Exception],
        certain: Callable[[BaseException | None], bool],
    ) -> None:
        self._session, self._with_key, self._failed, self._certain = session, with_key, failed, certain

    def send(self, path: str, event: Event, routing_key: str) -> Answer:
        """Sends one event. Raises `NotAnsweredError`."""
        self._with_key(self._session, routing_key)
        try:
            self._session.post(path, json=dict(event))
        except _AnsweredError as answered:
            return answered.answer
        except self._failed as error:
            cause = error.__cause__
            reason = type(cause or error).__name__
            raise NotAnsweredError(reason, sent=not self._certain(cause)) from None
        raise AssertionError("a request of the library's ended without an answer")

    def close(self) -> None:
        """Lets go of connections."""
        self._session.close()


def _lower(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}
