"""One question to a Prometheus API: asked again where that helps, refused answers explained, secrets kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

import msgspec
import requests
import stamina
import urllib3
from prometheus_api_client import PrometheusConnect

from sla_kit.bearer import Bearer
from sla_kit.errors import SourceError
from sla_kit.retrying import Passing, retry_after, worth_repeating
from sla_kit.sources.settings import Address, Settings

_ATTEMPTS = 6
_PATIENCE_SECONDS = 180.0
#: Words by which servers say that one question asks for too much: Prometheus, Thanos and Mimir; VictoriaMetrics.
_TOO_LARGE = ("too many samples", "query timed out", "maxsamplesper", "maxqueryduration", "max-samples", "maxmemory")


class QueryTooLargeError(SourceError):
    """The server refuses so many samples at once; a shorter range may do."""

    kind = "query"


class QueryRefusedError(SourceError):
    """The server can't answer a query: it is no PromQL (``status`` 400), or fails on this data (422). ``said`` is what
    the server says of it."""

    kind = "query"

    def __init__(self, message: str, *, place: str, remedy: str, status: int, said: str) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.status = status
        self.said = said


class _NotAllowedError(SourceError):
    """The server won't have us, or not for this; or nobody can tell whether it is the right one."""

    kind = "auth"


class _OverError(SourceError):
    """Who asks has no time left."""

    kind = "timeout"


class _AgainError(SourceError, Passing):
    """An answer worth asking for again, after ``wait_seconds`` where the server says so."""

    kind = "connect"

    def __init__(self, message: str, *, place: str, remedy: str, wait_seconds: float | None = None) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.wait_seconds = wait_seconds


class _LateError(_AgainError):
    """No answer in time."""

    kind = "timeout"


class _Refusal(msgspec.Struct):
    error: str = ""
    errorType: str = ""  # noqa: N815 (the server's name)


def connect(address: Address, settings: Settings) -> PrometheusConnect:
    """prometheus-api-client's connection for an address; user and password in the address go before the settings'."""
    session = requests.Session()
    session.verify = settings.ca_file or True
    if settings.client_cert:
        session.cert = (settings.client_cert, settings.client_key) if settings.client_key else settings.client_cert
    auth: object = None
    if address.username:
        auth = (address.username, address.password)
    elif settings.username:
        auth = (settings.username, settings.password)
    elif settings.token:
        auth = Bearer(settings.token)
    return PrometheusConnect(
        url=address.url,
        headers=dict(settings.headers),
        retry=urllib3.Retry(0, read=False),  # asking again is done here
        auth=auth,
        session=session,
    )


class Connection:
    """Asks a `PrometheusConnect`; may be used by several threads at once."""

    def __init__(
        self,
        client: PrometheusConnect,
        address: Address,
        timeout_seconds: float,
        secrets: tuple[str, ...] = (),
    ) -> None:
        self.name = address.name
        self.requests = 0
        self.until: float | None = None  # of `time.monotonic`: nothing is waited for any longer
        self._client = client
        self._session: requests.Session = client._session
        self._url = address.url
        self._auth = client.auth
        if self._auth is None and address.username:
            self._auth = (address.username, address.password)
        self._parameters = dict(address.parameters)
        self._timeout = (min(10.0, timeout_seconds), timeout_seconds)
        self._secrets = sorted((text for text in secrets if len(text) > 2), key=len, reverse=True)
        self._encoding = "identity" if address.loopback else "gzip"
        self._counting = threading.Lock()

    def post(self, path: str, form: Mapping[str, str], about: str) -> bytes:
        """The body of a good answer. ``about`` says what is asked, for messages.

        Raises `QueryTooLargeError` where a shorter range may do, `SourceError` for any other refusal.
        """
        left = _PATIENCE_SECONDS if self.until is None else self.until - time.monotonic()
        for attempt in stamina.retry_context(
            on=self._worth_repeating,
            attempts=_ATTEMPTS,
            timeout=max(0.001, min(_PATIENCE_SECONDS, left)),
            wait_initial=0.25,
            wait_max=max(0.0, min(10.0, left / 4)),
            wait_jitter=0.5,
        ):
            with attempt:
                return self._post(path, form, about)
        raise AssertionError("stamina ends by a result or an exception")

    def close(self) -> None:
        """Closes the connections."""
        self._session.close()

    def _worth_repeating(self, error: Exception) -> bool | float:
        """Whether to ask again, where the wait that the server asks for ends in time."""
        wait = worth_repeating(error)
        in_time = self.until is None or time.monotonic() + wait < self.until
        return wait if in_time else False

    def _patience(self) -> tuple[float, float]:
        """How long to wait for a connection and for an answer, seconds. Raises `SourceError` when that is over."""
        if self.until is None:
            return self._timeout
        left = self.until - time.monotonic()
        if left <= 0:
            raise _OverError("the time for reading is over", place=self.name, remedy="give it longer")
        return min(self._timeout[0], left), min(self._timeout[1], left)

    def _post(self, path: str, form: Mapping[str, str], about: str) -> bytes:
        with self._counting:
            self.requests += 1
        patience = self._patience()
        headers = {**(self._client.headers or {}), "Accept-Encoding": self._encoding, "Accept": "application/json"}
        try:
            with self._session.post(
                self._url + path,
                data={**self._parameters, **form},
                headers=headers,
                auth=self._auth,
                verify=self._session.verify,
                cert=self._session.cert,
                timeout=patience,
                allow_redirects=False,
                stream=True,
            ) as response:
                # Not response.content: that reads in 10 kB steps.
                body: bytes = response.raw.read(decode_content=True)
                status, answered = response.status_code, response.headers
        except requests.exceptions.SSLError as error:
            raise _NotAllowedError(
                f"no trusted connection: {self._clean(error)}",
                place=self.name,
                remedy="name the server's authority in SLA_KIT_PROMETHEUS_CA_FILE, and the client's certificate and "
                "key in SLA_KIT_PROMETHEUS_CLIENT_CERT and _CLIENT_KEY where it wants one",
            ) from None
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            raise SourceError(
                f"the request can't be made: {type(error).__name__}",
                place=self.name,
                remedy="check the address, and the headers in SLA_KIT_PROMETHEUS_HEADERS",
            ) from None
        except (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError):
            raise _LateError(
                f"no answer within {round(patience[1], 1):g} s ({about})",
                place=self.name,
                remedy="set SLA_KIT_PROMETHEUS_TIMEOUT to more seconds, or ask for a shorter window",
            ) from None
        except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise _AgainError(
                f"the connection was lost or refused: {self._clean(_root(error))}",
                place=self.name,
                remedy="check that the server runs and can be reached from here",
            ) from None
        if status != 200:
            raise self._refused(status, answered, body, about)
        if body.lstrip()[:1] == b"<":
            raise self._no_api("answered a web page instead of JSON")
        return body

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, about: str) -> SourceError:
        try:
            refusal = msgspec.json.decode(body, type=_Refusal)
        except msgspec.MsgspecError:
            refusal = _Refusal()
        said = self._clean(refusal.error)[:500]
        words = said.lower()
        if (status in (400, 422, 500, 503) and any(mark in words for mark in _TOO_LARGE)) or status == 413:
            return QueryTooLargeError(
                f"too much for one query: {said or 'status 413'} ({about})",
                place=self.name,
                remedy="raise the server's limits on a query's samples and time, or use a longer bucket",
            )
        if status in (408, 425, 429) or status >= 500:
            return _AgainError(
                f"status {status}{': ' + said if said else ''} ({about})",
                place=self.name,
                remedy="the server is overloaded or failing; look at its log, and try again later",
                wait_seconds=retry_after(headers.get("Retry-After", "")),
            )
        if status in (401, 407):
            return _NotAllowedError(
                "the server wants to know who asks (status 401)",
                place=self.name,
                remedy="set SLA_KIT_PROMETHEUS_TOKEN, or SLA_KIT_PROMETHEUS_USERNAME and _PASSWORD (or the same with "
                "_FILE)",
            )
        if status == 403:
            return _NotAllowedError(
                f"the server does not allow this (status 403){': ' + said if said else ''}",
                place=self.name,
                remedy="ask for permission to query, or name the tenant: SLA_KIT_PROMETHEUS_HEADERS=X-Scope-OrgID=…",
            )
        if status in (400, 422):
            return QueryRefusedError(
                f"the server can't answer {about}: {said or f'status {status}'}",
                place=self.name,
                remedy="check the metric's name and matchers in the catalogue",
                status=status,
                said=said,
            )
        if 300 <= status < 400:
            return self._no_api(f"sends elsewhere (status {status}): a login page, or https instead of http")
        return self._no_api(f"has no query API here (status {status})")

    def _no_api(self, what: str) -> SourceError:
        return SourceError(
            f"the server {what}",
            place=self.name,
            remedy="give the address under which /api/v1/query_range answers, with its path prefix",
        )

    def _clean(self, text: object) -> str:
        """A text without secrets."""
        cleaned = str(text)
        for secret in self._secrets:
            cleaned = cleaned.replace(secret, "***")
        return cleaned


def _root(error: BaseException) -> BaseException:
    """What really happened, under the layers that pass it on."""
    inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    while isinstance(inner, BaseException):
        error = inner
        inner = getattr(error, "reason", None) or (error.args[0] if error.args else None)
    cause = error.__cause__ or error.__context__
    return _root(cause) if isinstance(cause, OSError) else error


def secrets_of(client: Any, address: Address, settings: Settings) -> tuple[str, ...]:
    """All that no message may repeat: the settings', the address's and those of a client that a user has made."""
    found = [*settings.secrets(), address.password]
    if isinstance(client.auth, tuple):
        found.extend(str(part) for part in client.auth[1:])
    for value in (client.headers or {}).values():
        found.extend((str(value), str(value).split(" ")[-1]))
    return tuple(text for text in found if text)
