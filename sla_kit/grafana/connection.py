"""One request to a Grafana: made again where that helps, refusals explained, the token kept.

Not by grafana-client: what it needs (niquests) puts a urllib3 of its own in the place of urllib3 for every program of
the environment, and its errors hold no headers, so that nobody knows after how long a server may be asked again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
import stamina

from sla_kit.bearer import Bearer
from sla_kit.errors import SlaKitError
from sla_kit.retrying import Passing, retry_after, worth_repeating

TOKEN = "SLA_KIT_GRAFANA_TOKEN"  # noqa: S105  # a variable's name
CA_FILE = "SLA_KIT_GRAFANA_CA_FILE"
_ATTEMPTS = 6
_PATIENCE_SECONDS = 180.0


class GrafanaError(SlaKitError):
    """A Grafana can't be asked, or refuses."""


class RefusedError(GrafanaError):
    """A Grafana refuses one request: its ``status``, the ``code`` that it gives for the reason (412 has some) and what
    it ``said``."""

    def __init__(self, message: str, *, place: str, remedy: str, status: int, code: str = "", said: str = "") -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.status = status
        self.code = code
        self.said = said

    @property
    def nothing_there(self) -> bool:
        """Whether a Grafana says that it has no such thing. What has no API at that address says "Not found", or
        something that is not told in JSON."""
        return self.status == 404 and self.said.lower() not in ("", "not found")


class _AgainError(GrafanaError, Passing):
    """An answer worth asking for again, after ``wait_seconds`` where the server says so."""

    def __init__(self, message: str, *, place: str, remedy: str, wait_seconds: float | None = None) -> None:
        super().__init__(message, place=place, remedy=remedy)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Access:
    """Where a Grafana is and as whom to ask it: the address without secrets, the service account's token."""

    url: str
    token: str = field(repr=False)
    ca_file: str = ""
    timeout_seconds: float = 30.0


def access(
    url: str,
    environment: Mapping[str, str] = os.environ,
    *,
    token_file: Path | None = None,
    insecure_http: bool = False,
    timeout_seconds: float = 30.0,
) -> Access:
    """How to reach a Grafana. Raises `GrafanaError` where the address is none or holds a secret, where the token would
    travel unencrypted to another machine, and where there is no token."""
    ca_file = environment.get(CA_FILE, "")
    if ca_file and not Path(ca_file).exists():
        raise GrafanaError("there is no such file", place=CA_FILE, remedy="name the authority's certificate (PEM)")
    return Access(_address(url, insecure_http), _token(environment, token_file), ca_file, timeout_seconds)


def _address(url: str, insecure_http: bool) -> str:
    """The address, whose text no message repeats before it is known to hold no secret."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise GrafanaError("this is no address", place="--url", remedy="write https://grafana.example.com") from None
    if parts.scheme not in ("http", "https") or not host:
        raise GrafanaError("this is no address", place="--url", remedy="write https://grafana.example.com")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise GrafanaError(
            "the address holds more than an address",
            place="--url",
            remedy=f"leave out what stands before @ and after ?; the token comes from --token-file or {TOKEN}",
        )
    if parts.scheme == "http" and not _is_loopback(host) and not insecure_http:
        raise GrafanaError(
            "the token would be sent unencrypted",
            place=f"http://{parts.netloc}",
            remedy="use https, or --insecure-http where the network is trusted",
        )
    return urlunsplit((parts.scheme, parts.netloc, parts.path.rstrip("/").removesuffix("/api"), "", ""))


def _is_loopback(host: str) -> bool:
    """Whether a host is this machine. A name may begin like an address and be anybody's."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _token(environment: Mapping[str, str], path: Path | None) -> str:
    if path is None:
        token, place = environment.get(TOKEN, "").strip(), TOKEN
    else:
        place = str(path)
        try:
            token = path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it is no text"
            raise GrafanaError(f"the token can't be read: {reason}", place=place, remedy="look at the file") from None
    if not token:
        raise GrafanaError(
            "there is no token",
            place=place,
            remedy="make a service account with the role Editor in Grafana, and put its token into a file "
            f"(--token-file) or the variable {TOKEN}",
        )
    if not token.isascii() or not token.isprintable() or " " in token:
        raise GrafanaError("this is no token", place=place, remedy="it is one word: glsa_…")
    return token


class Connection:
    """Asks one Grafana; close it after use."""

    def __init__(self, access: Access) -> None:
        self.name = access.url
        self._token = access.token
        self._timeout = access.timeout_seconds
        self._session = requests.Session()
        self._session.auth = Bearer(access.token)
        # Said with each request, too: requests lets a variable of the environment go before the session's setting.
        self._verify: bool | str = access.ca_file or True
        self._session.headers["Accept"] = "application/json"

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        about: str,
        query: Mapping[str, str | int] | None = None,
        body: Mapping[str, Any] | None = None,
    ) -> Any:
        """The decoded answer. ``about`` says what is being done, for messages. Raises `RefusedError` for what Grafana
        does not do or does not have, `GrafanaError` where it can't be asked at all."""
        for attempt in stamina.retry_context(
            on=worth_repeating,
            attempts=_ATTEMPTS,
            timeout=_PATIENCE_SECONDS,
            wait_initial=0.25,
            wait_max=10.0,
            wait_jitter=0.5,
        ):
            with attempt:
                return self._ask(method, path, about, query, body)
        raise AssertionError("stamina ends by a result or an exception")

    def _ask(
        self,
        method: str,
        path: str,
        about: str,
        query: Mapping[str, str | int] | None,
        body: Mapping[str, Any] | None,
    ) -> Any:
        try:
            answer = self._session.request(
                method,
                self.name + path,
                params=query,
                json=body,
                verify=self._verify,
                timeout=(min(10.0, self._timeout), self._timeout),
                allow_redirects=False,
            )
            content = answer.content
        except requests.exceptions.SSLError as error:
            raise GrafanaError(
                f"no trusted connection: {self._clean(error)}",
                place=self.name,
                remedy=f"name the authority of its certificate in {CA_FILE}",
            ) from None
        except requests.exceptions.Timeout:
            raise _AgainError(
                f"{about}: no answer within {self._timeout:g} s",
                place=self.name,
                remedy="look at the server's load, or give more seconds with --timeout",
            ) from None
        except (requests.exceptions.RequestException, OSError) as error:
            raise _AgainError(
                f"{about}: the connection was lost or refused: {type(error).__name__}",
                place=self.name,
                remedy="check the address, and that the server runs and can be reached from here",
            ) from None
        if not 200 <= answer.status_code < 300:
            raise self._refused(answer.status_code, answer.headers, content, about)
        try:
            return json.loads(content)
        except ValueError:
            raise self._no_api(f"{about}: the answer is no JSON", answer.status_code) from None

    def _refused(self, status: int, headers: Mapping[str, str], body: bytes, about: str) -> GrafanaError:
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        answered = told if isinstance(told, dict) else {}
        said = self._clean(answered.get("message") or "")[:500]
        what = f"{about}: status {status}{f' ({said})' if said else ''}"
        if status in (408, 425, 429) or status >= 500:
            return _AgainError(
                what,
                place=self.name,
                remedy="the server is overloaded or failing; look at its log, and try again later",
                wait_seconds=retry_after(headers.get("Retry-After", "")),
            )
        if status == 401:
            return GrafanaError(
                f"{what}: the token is not known",
                place=self.name,
                remedy="it may be of another Grafana, expired or revoked: make a new one for the service account",
            )
        if 300 <= status < 400:
            return self._no_api(f"{what}: it sends elsewhere (a login page, or https instead of http)", status)
        remedies = {
            403: "give the service account the role Editor, or rights to write in these folders",
            406: "somebody has saved it in a newer form, in Grafana: export what is worth keeping, and delete it there",
            404: "give the address under which Grafana's start page opens, with its path, and without /api",
        }
        return RefusedError(
            what,
            place=self.name,
            remedy=remedies.get(status, "see what Grafana says, and its log"),
            status=status,
            code=str(answered.get("status") or ""),
            said=said,
        )

    def _no_api(self, what: str, status: int) -> GrafanaError:
        return RefusedError(
            what,
            place=self.name,
            remedy="give the address under which Grafana's start page opens, with its path, and without /api",
            status=status,
        )

    def _clean(self, text: object) -> str:
        """A text without the token."""
        return str(text).replace(self._token, "***")
