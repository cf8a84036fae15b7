"""One question over HTTP that ends at a deadline, answered in JSON.

The standard library's client keeps a sidecar small.
The official client of Elasticsearch takes 67 MB of memory when imported, urllib3 alone 12 MB, `http.client` 7 MB.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, check_address, check_secret
from sla_kit.configuration.values import Value
from sla_kit.exporters.sidecar.collector import CollectError, Kind, read_secret

#: An answer larger than this is none to a question for figures.
MAX_ANSWER_BYTES = 16 * 1024 * 1024
_AT_ONCE = 64 * 1024
_KINDS: dict[int, Kind] = {401: "auth", 403: "auth", 407: "auth", 408: "timeout", 504: "timeout"}


class Endpoint(Value, frozen=True, kw_only=True):
    """A server that answers over HTTP. ``username`` and ``password`` are for basic authentication; ``ca_file`` holds
    the certificates by which it is known, where the system's do not."""

    url: str
    username: str = ""
    password: Secret | None = None
    ca_file: str = ""

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with how the server is named, and with the secrets for it."""
        check_address(self.url, findings, (*path, "url"))
        check_secret(self.password, findings, (*path, "password"))
        try:
            parts = urlsplit(self.url)
            good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        except ValueError:
            good = False
        if not good:
            findings.say((*path, "url"), "is no address of an HTTP server", "such as https://search.example.com:9200")
        if bool(self.username) != bool(self.password):
            missing = "password" if self.username else "username"
            findings.say(path, f"has no {missing}", "username and password go together")
        if self.ca_file and not self.url.startswith("https:"):
            findings.say((*path, "ca_file"), "is of no use without TLS", "say url: https://…")

    def authority(self, folder: Path) -> str:
        """Where ``ca_file`` is, if any; a relative one is in the configuration's folder."""
        return str(folder / self.ca_file) if self.ca_file else ""

    def basic(self) -> dict[str, str]:
        """The header of basic authentication, if any. Raises `CollectError` where the password is not there."""
        if self.password is None:
            return {}
        pair = f"{self.username}:{read_secret(self.password)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def bearer(kind: str, secret: Secret) -> dict[str, str]:
    """The header ``Authorization: <kind> <secret>``. Raises `CollectError` where the secret can't stand in one."""
    found = read_secret(secret)
    if not found.isascii() or not found.isprintable():
        raise CollectError(
            "auth", "a secret has characters that no header can hold", remedy="check where it comes from"
        )
    return {"Authorization": f"{kind} {found}"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said: its ``status``, and the JSON it sent (None where it sent something else)."""

    status: int
    body: Any


@dataclass(frozen=True)
class Client:
    """Asks one server; ``place`` is how messages call it. A connection is made for each question: they are rare."""

    url: str
    ca_file: str = ""
    #: Made once, since reading the system's certificates takes longer than most answers.
    _tls: list[ssl.SSLContext] = field(default_factory=list, compare=False, repr=False)

    @property
    def place(self) -> str:
        """The server's address without any user."""
        parts = urlsplit(self.url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")

    def ask(
        self,
        method: str,
        path: str,
        deadline: float,
        *,
        headers: Mapping[str, str],
        content: bytes = b"",
        content_type: str = "application/json",
    ) -> Answer:
        """Sends one request and reads the answer, whatever its status but a redirection.

        ``deadline`` is of `time.monotonic`. Raises `CollectError`: ``connect``, ``timeout``, ``auth`` (its status says
        so) or ``data`` (an answer that can't be read).
        """
        connection = self._connection(self._left(deadline))
        sent = {"Accept": "application/json", "Accept-Encoding": "gzip", **headers}
        if content:
            sent["Content-Type"] = content_type
        # Each wait has an end of its own, but a server that sends a byte at a time makes many of them.
        ending = threading.Timer(self._left(deadline), _cut, (connection,))
        ending.daemon = True
        try:
            connection.connect()
            self._patience(connection, deadline)
            ending.start()
            connection.request(method, urlsplit(self.url).path.rstrip("/") + path, body=content or None, headers=sent)
            answer = connection.getresponse()
            body = self._body(connection, answer, deadline)
        except TimeoutError:
            raise self._late() from None
        except ssl.SSLError as error:
            reason = getattr(error, "verify_message", "") or error.reason or "the handshake failed"
            raise CollectError(
                "connect",
                f"no TLS with it: {reason}",
                place=self.place,
                remedy="ca_file names who signs its certificate",
            ) from None
        except (http.client.HTTPException, OSError) as error:
            if time.monotonic() >= deadline:
                raise self._late() from None
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise CollectError(
                "connect", f"does not answer: {reason}", place=self.place, remedy="check url, and whether it runs"
            ) from None
        finally:
            ending.cancel()
            connection.close()
        if answer.status in _KINDS:
            kind = _KINDS[answer.status]
            remedy = "check the user or key, and what it may read" if kind == "auth" else "ask for less, or wait longer"
            raise CollectError(kind, f"refuses with status {answer.status}", place=self.place, remedy=remedy)
        if 300 <= answer.status < 400:
            raise CollectError(
                "connect", f"sends us elsewhere (status {answer.status})", place=self.place, remedy="name its final url"
            )
        return Answer(answer.status, _json(body))

    def _connection(self, timeout: float) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "http":
            return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
        if not self._tls:
            try:
                self._tls.append(ssl.create_default_context(cafile=self.ca_file or None))
            except (OSError, ssl.SSLError) as error:
                raise CollectError(
                    "connect",
                    f"certificates can't be read: {error.strerror or 'they are none'}",
                    place=self.ca_file,
                    remedy="ca_file is a file in PEM form",
                ) from None
        return http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=timeout, context=self._tls[0])

    def _body(self, connection: http.client.HTTPConnection, answer: http.client.HTTPResponse, deadline: float) -> bytes:
        packed = answer.getheader("Content-Encoding", "") == "gzip"
        unpacking = zlib.decompressobj(31)
        parts: list[bytes] = []
        size = 0
        while True:
            self._patience(connection, deadline)
            part = answer.read1(_AT_ONCE)
            if not part:
                break
            if packed:
                try:
                    part = unpacking.decompress(part, MAX_ANSWER_BYTES)
                except zlib.error:
                    raise CollectError("data", "sends what can't be unpacked", place=self.place) from None
            size += len(part)
            if size > MAX_ANSWER_BYTES or unpacking.unconsumed_tail:
                raise CollectError(
                    "data",
                    f"answers with more than {MAX_ANSWER_BYTES // 1024 // 1024} MiB",
                    place=self.place,
                    remedy="ask for fewer rows",
                )
            parts.append(part)
        if answer.length:  # what is left of the length that was promised
            raise http.client.IncompleteRead(b"")
        return b"".join(parts)

    def _patience(self, connection: http.client.HTTPConnection, deadline: float) -> None:
        """Lets the next wait end at the deadline. The socket is gone once an answer that closes it was read."""
        left = self._left(deadline)
        held: socket.socket | None = connection.sock
        if held is not None:
            held.settimeout(left)

    def _left(self, deadline: float) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> CollectError:
        return CollectError(
            "timeout", "took too long to answer", place=self.place, remedy="ask for less, or raise timeout"
        )


def _cut(connection: http.client.HTTPConnection) -> None:
    """Ends whatever waits for the other side."""
    held: socket.socket | None = connection.sock
    if held is not None:
        with contextlib.suppress(OSError):
            held.shutdown(socket.SHUT_RDWR)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
