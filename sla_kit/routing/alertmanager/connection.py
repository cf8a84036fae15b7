"""Requests to Alertmanager's API v2: to the first of a cluster that answers, again where that is safe, and exact about
what may have been done."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

import msgspec
import requests
import stamina
import urllib3

from sla_kit.bearer import Bearer
from sla_kit.catalogue.routing import AlertmanagerSettings
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SlaKitError
from sla_kit.redacting import redacted
from sla_kit.retrying import Passing, retry_after, worth_repeating

CA_FILE = "SLA_KIT_ALERTMANAGER_CA_FILE"
_REMEDY = "check the address (routing.alertmanager.url or monitoring.alertmanager), and that Alertmanager runs there"
_INSIDE = (".svc", ".local", ".internal", ".localhost")
Method = Literal["GET", "POST", "DELETE"]


class AlertmanagerError(SlaKitError):
    """Alertmanager can't be asked, or refuses. ``status`` is its answer's, 0 where there was none; ``passing`` says
    that it may be over soon, ``uncertain`` that what was asked for may have been done all the same."""

    def __init__(
        self,
        message: str,
        *,
        place: str,
        remedy: str,
        status: int = 0,
        passing: bool = False,
        uncertain: bool = False,
        wait_seconds: float | None = None,
    ) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.status = status
        self.passing = passing
        self.uncertain = uncertain
        self.wait_seconds = wait_seconds


class _AgainError(AlertmanagerError, Passing):
    """A failure after which the same may be asked again."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the Alertmanagers of one cluster are, of which any will do, and as whom they are asked.

    ``patience_seconds`` is for how long a request is repeated; 0 is once.
    """

    urls: tuple[str, ...]
    token: Secret | None = None
    user: str = ""
    password: Secret | None = None
    ca_file: str = ""
    timeout_seconds: float = 10.0
    patience_seconds: float = 60.0


def access(
    settings: AlertmanagerSettings,
    url: str = "",
    *,
    environment: Mapping[str, str] = os.environ,
    timeout_seconds: float = 10.0,
    patience_seconds: float = 60.0,
) -> Access:
    """How to reach it: by the settings' address, else by ``url`` (`monitoring.alertmanager`); several are separated by
    commas. Raises `AlertmanagerError` where there is no address, or one that holds a secret, and where a secret would
    travel unencrypted through other networks."""
    urls = tuple(_address(each) for each in (settings.url or url).split(",") if each.strip())
    if not urls:
        raise AlertmanagerError(
            "no Alertmanager is named",
            place="routing.alertmanager",
            remedy="say routing.alertmanager.url, such as http://localhost:9093, or give --alertmanager",
        )
    if settings.token is not None or settings.password is not None:
        for each in urls:
            parts = urlsplit(each)
            if parts.scheme == "http" and not _inside(parts.hostname or ""):
                raise AlertmanagerError(
                    "the secret would be sent unencrypted through other networks", place=each, remedy="use https"
                )
    ca_file = environment.get(CA_FILE, "")
    if ca_file and not Path(ca_file).exists():
        raise AlertmanagerError("there is no such file", place=CA_FILE, remedy="name the authority's certificate (PEM)")
    return Access(urls, settings.token, settings.user, settings.password, ca_file, timeout_seconds, patience_seconds)


def _address(text: str) -> str:
    """The address, which no message repeats before it is known to hold no secret."""
    try:
        parts = urlsplit(text.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in ("http", "https") or not host or "@" in parts.netloc or parts.query:
        raise AlertmanagerError(
            "the address is none, or holds more than an address",
            place="routing.alertmanager.url",
            remedy="such as http://localhost:9093; token or user and password stand beside it",
        )
    path = parts.path.rstrip("/").removesuffix("/api/v2")
    return urlunsplit((parts.scheme, parts.netloc, path, "", ""))


def _inside(host: str) -> bool:
    """Whether a name or address is of this machine or of a private network, as inside a cluster."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(_INSIDE)


class Connection:
    """Asks the Alertmanager that answered last, or another one of its cluster; may be used by several threads."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._current = 0

    @property
    def name(self) -> str:
        """The address that is asked first."""
        return self._access.urls[self._current]

    def close(self) -> None:
        """Lets go of connections."""
        self._session.close()

    def ask(
        self,
        method: Method,
        path: str,
        *,
        about: str,
        query: Sequence[tuple[str, str]] = (),
        body: object = None,
    ) -> bytes:
        """The answer's body. ``about`` says what is being done, for messages. Raises `AlertmanagerError`."""
        patience = self._access.patience_seconds
        for attempt in stamina.retry_context(
            on=worth_repeating,
            attempts=6 if patience else 1,
            timeout=patience or 1.0,
            wait_initial=0.25,
            wait_max=10.0,
            wait_jitter=0.5,
        ):
            with attempt:
                return self._ask_any(method, path, about, query, body)
        raise AssertionError("stamina ends by a result or an exception")

    def _ask_any(self, method: Method, path: str, about: str, query: Sequence[tuple[str, str]], body: object) -> bytes:
        urls, first = self._access.urls, self._current
        for turn in range(len(urls)):
            index = (first + turn) % len(urls)
            try:
                answer = self._ask(urls[index], method, path, about, query, body)
            except _AgainError:
                if turn == len(urls) - 1:
                    raise
                continue
            self._current = index
            return answer
        raise AssertionError("there is at least one address")

    def _ask(
        self, url: str, method: Method, path: str, about: str, query: Sequence[tuple[str, str]], body: object
    ) -> bytes:
        seconds = self._access.timeout_seconds
        try:
            answer = self._session.request(
                method,
                f"{url}/api/v2{path}",
                params=list(query),
                data=None if body is None else msgspec.json.encode(body),
                headers={} if body is None else {"Content-Type": "application/json"},
                auth=self._auth(),
                verify=self._access.ca_file or True,
                timeout=(min(5.0, seconds), seconds),
                allow_redirects=False,
            )
        except requests.exceptions.SSLError as error:
            raise AlertmanagerError(
                f"{about}: no trusted connection: {redacted(str(error))[:300]}",
                place=url,
                remedy=f"name the authority of its certificate in {CA_FILE}",
            ) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise _lost(error, url, method, about) from None
        if not 200 <= answer.status_code < 300:
            raise _refused(answer, url, method, about)
        return answer.content

    def _auth(self) -> requests.auth.AuthBase | None:
        """Read anew each time, since the files of secrets may be replaced."""
        if self._access.token is not None:
            token = self._access.token.read()
            if not token.isascii() or not token.isprintable() or " " in token:
                raise AlertmanagerError(
                    "this is no token", place="routing.alertmanager.token", remedy="it is one word, in ASCII"
                )
            return Bearer(token)
        if self._access.password is not None:
            # In UTF-8, as RFC 7617 has it; requests would write it in Latin-1.
            password = self._access.password.read().encode()
            return requests.auth.HTTPBasicAuth(self._access.user.encode(), password)
        return None


def _lost(error: Exception, url: str, method: Method, about: str) -> AlertmanagerError:
    """No answer. What adds something is asked again only where it is certain that it did not arrive."""
    arrived = not _never_sent(error)
    late = isinstance(error, requests.exceptions.Timeout)
    kind = AlertmanagerError if arrived and method == "POST" else _AgainError
    return kind(
        f"{about}: {'no answer in time' if late else 'the connection was lost or refused'}",
        place=url,
        remedy=_REMEDY,
        passing=True,
        uncertain=arrived and method != "GET",
    )


def _never_sent(error: Exception) -> bool:
    if isinstance(error, requests.exceptions.ConnectTimeout):
        return True
    cause = error.args[0] if error.args else None
    reason = getattr(cause, "reason", None)
    return isinstance(reason, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError)


def _refused(answer: requests.Response, url: str, method: Method, about: str) -> AlertmanagerError:
    status = answer.status_code
    try:
        said = msgspec.json.decode(answer.content)
    except msgspec.DecodeError:
        said = ""
    if isinstance(said, dict):
        said = said.get("message", "")
    words = redacted(" ".join(str(said).split()))[:300]
    what = f"{about}: status {status}{f' ({words})' if words else ''}"
    if status in (408, 425, 429) or status >= 500:
        # A proxy says 502 and 504 where it does not know either what became of a request.
        unclear = method == "POST" and status in (502, 504)
        return (AlertmanagerError if unclear else _AgainError)(
            what,
            place=url,
            remedy="it is overloaded or failing: see its log, and try again later",
            status=status,
            passing=True,
            uncertain=unclear,
            wait_seconds=retry_after(answer.headers.get("Retry-After", "")),
        )
    remedies = {
        401: "it, or a proxy before it, wants another token, or another user and password (routing.alertmanager)",
        403: "this user may not do that: see the proxy before Alertmanager",
        404: "there is no such silence any more"
        if _is_of_one_silence(answer)
        else "give the address of Alertmanager's own page, without /api/v2",
    }
    return AlertmanagerError(
        what, place=url, remedy=remedies.get(status, "see what it says, and its log"), status=status
    )


def _is_of_one_silence(answer: requests.Response) -> bool:
    """Whether one silence was asked for, by its id."""
    return "/api/v2/silence/" in answer.url
