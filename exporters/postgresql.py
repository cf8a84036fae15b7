"""Asking PostgreSQL so that it can neither be changed nor held up, whichever exporter asks.

Whoever asks has a connection of its own, kept from one question to the next where that is due soon. Each question is a
transaction that is read-only from its first statement on, and that the server itself ends shortly before the deadline
(``statement_timeout``); where the server no longer answers at all, the socket is shut at the deadline.
"""

from __future__ import annotations

import math
import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, check_address, check_secret
from sla_kit.errors import MissingExtraError
from sla_kit.exporters.sidecar.collector import CollectError, Kind, read_secret

if TYPE_CHECKING:
    import psycopg

#: A row's values by the names of its columns.
Row = dict[str, object]
_Connection = Any  # psycopg.Connection[tuple[Any, ...]], which is not imported before it is needed
#: Longer names of an application are cut off by the server.
_NAME_LENGTH = 63
#: What is left of the time when the server ends a query by itself, at most, in seconds.
_MARGIN_SECONDS = 0.5
#: By the class or the whole of an SQLSTATE (PostgreSQL's documentation, appendix A).
_KINDS: dict[str, Kind] = {
    "57014": "timeout",  # query_canceled, as by statement_timeout
    "55P03": "timeout",  # lock_not_available
    "25P03": "timeout",  # idle_in_transaction_session_timeout
    "42501": "auth",  # insufficient_privilege
    "28": "auth",
    "08": "connect",
    "53": "connect",  # insufficient_resources: too many connections
    "57": "connect",  # the server goes down, or is not up yet
    "3D": "connect",  # no such database
}
_REMEDIES: dict[str, str] = {
    "57014": "give it an index, ask for less, or raise timeout",
    "25006": "a query only reads",
    "42501": "GRANT SELECT on it to the exporter's role, or take pg_monitor",
    "53300": "raise max_connections or the role's limit, or let the exporter have fewer connections",
}


def check_server(url: str, password: Secret | None, findings: Findings, path: Part) -> None:
    """Says what is wrong with the address of a server (at ``path``'s ``url``) and with where its ``password`` is, and
    so where the client library is missing."""
    if find_spec("psycopg") is None:
        told = MissingExtraError("asking PostgreSQL", "psycopg", "exporters")
        findings.say(path, told.message, told.remedy)
    check_secret(password, findings, (*path, "password"))
    if not url.startswith(("postgresql://", "postgres://")):
        findings.say((*path, "url"), "is no address of a PostgreSQL", "such as postgresql://reader@host/shop")
        return
    check_address(url, findings, (*path, "url"))
    with suppress(ValueError):
        if "password" in parse_qs(urlsplit(url).query):
            findings.say((*path, "url"), "holds a password", "say password: {env: NAME} or {file: PATH} beside it")


class Postgresql:
    """The way to a database at ``url`` (libpq's, without its password), to which it calls itself
    ``application_name``. A connection is kept after a question only where that is said (``kept``). ``columns`` gives
    the names of an answer's columns to its rows, or refuses them by a `CollectError`."""

    def __init__(
        self,
        url: str,
        password: Secret | None,
        application_name: str,
        *,
        kept: bool = False,
        columns: Callable[[Iterable[str]], list[str]] = list,
    ) -> None:
        self._url = url
        self._password = password
        self._name = application_name[:_NAME_LENGTH]
        self._kept = kept
        self._columns = columns
        self._connection: _Connection | None = None

    def rows(self, sql: str, parameters: Mapping[str, object] | None, deadline: float) -> Iterator[Row]:
        """The rows as they come; ``parameters`` are bound, never pasted in. Raises `CollectError`."""
        reused = self._connection is not None
        try:
            try:
                answer = self._begin(sql, parameters, deadline)
            except _LostError as error:
                # A kept connection may have been closed since, as by a server that began anew: once more on a new one.
                if not reused:
                    raise error.told from None
                self.close()
                try:
                    answer = self._begin(sql, parameters, deadline)
                except _LostError as again:
                    raise again.told from None
            yield from answer
        except BaseException:
            self.close()
            raise
        if not self._kept:
            self.close()

    @property
    def connected(self) -> bool:
        """Whether it holds a connection."""
        return self._connection is not None

    def close(self) -> None:
        """Closes the connection, if there is one; a query that still runs on it is ended with it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _begin(self, sql: str, parameters: Mapping[str, object] | None, deadline: float) -> Iterator[Row]:
        """Runs the query up to its first row, where what is wrong with it and with the connection shows."""
        rows = self._run(sql, parameters, deadline)
        first = next(rows, None)
        if first is None:
            return iter(())
        return _followed(first, rows)

    def _run(self, sql: str, parameters: Mapping[str, object] | None, deadline: float) -> Iterator[Row]:
        connection = self._connect(deadline)
        with _Shut(connection, deadline) as shut, self._told(shut):
            left = deadline - time.monotonic()
            limit = max(1, math.floor((left - min(_MARGIN_SECONDS, left / 5)) * 1000))
            # The transaction begins with this statement, as READ ONLY; no query inside can make it anything else.
            connection.execute("SELECT set_config('statement_timeout', %s, true)", (str(limit),))
            with connection.cursor() as cursor:
                names: list[str] = []
                # Row by row, so that a large answer is never held whole, and by the extended protocol, which takes
                # one statement and no more.
                for values in cursor.stream(sql, parameters or None):
                    if not names:
                        names = self._columns(column.name for column in cursor.description or ())
                    yield dict(zip(names, values, strict=True))
            connection.rollback()

    def _connect(self, deadline: float) -> _Connection:
        if self._connection is not None and not self._connection.closed:
            return self._connection
        import psycopg

        password = read_secret(self._password) if self._password else None
        secret: dict[str, Any] = {} if password is None else {"password": password}
        left = deadline - time.monotonic()
        if left <= 0:
            raise CollectError("timeout", "there was no time left to connect", place=self._place)
        try:
            connection = psycopg.connect(
                self._url,
                # libpq knows whole seconds, two at least
                connect_timeout=max(2, math.ceil(left)),
                application_name=self._name,
                # Behind a pooler, prepared statements would meet other servers.
                prepare_threshold=None,
                **secret,
            )
        except psycopg.Error as error:
            raise self._refused(error, password, deadline) from None
        connection.read_only = True
        self._connection = connection
        return connection

    @property
    def _place(self) -> str:
        parts = urlsplit(self._url)
        return f"postgresql://{parts.netloc}{parts.path}"

    def _refused(self, error: psycopg.Error, password: str | None, deadline: float) -> CollectError:
        said = " ".join(str(error).split()).removeprefix("connection failed: ")
        if password:
            said = said.replace(password, "…")
        kind: Kind = "connect"
        remedy = "see that the server runs and that url and sslmode are right"
        signs = ("authentication failed", "no password", "pg_hba.conf", "not permitted to log in", "permission denied")
        if any(sign in said for sign in signs) or re.search('role ".*" does not exist', said):
            kind, remedy = "auth", "check the role, its password and pg_hba.conf"
        elif re.search('database ".*" does not exist', said):
            remedy = "check the database's name in url"
        elif "too many" in said:
            remedy = _REMEDIES["53300"]
        elif time.monotonic() >= deadline or "timeout" in said:
            kind = "timeout"
        return CollectError(kind, f"connecting failed: {said[:300]}", place=self._place, remedy=remedy)

    @contextmanager
    def _told(self, shut: _Shut) -> Iterator[None]:
        """What psycopg says, as `CollectError`; a lost connection as `_LostError`."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            state = error.sqlstate or ""
            said = (error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__)[:300]
            remedy = _REMEDIES.get(state, "")
            if shut.happened:
                told = CollectError("timeout", "the server did not answer in time", place=self._place)
                raise told from None
            kind = _KINDS.get(state) or _KINDS.get(state[:2])
            lost = not state and isinstance(error, psycopg.OperationalError)
            if kind == "connect" or lost:
                told = CollectError("connect", f"the connection was lost: {said}", place=self._place, remedy=remedy)
                raise _LostError(told) from None
            if kind is None:
                kind = "data" if not state and isinstance(error, psycopg.DataError) else "query"
            raise CollectError(kind, said, place=self._place, remedy=remedy) from None


class _LostError(Exception):
    """The connection is gone; ``told`` is what to say of it."""

    def __init__(self, told: CollectError) -> None:
        super().__init__()
        self.told = told


class _Shut:
    """Shuts a connection's socket at the deadline, for a server that has stopped to answer; ``happened`` says so.

    It works on a descriptor of its own, which can't have become another socket's meanwhile.
    """

    def __init__(self, connection: _Connection, deadline: float) -> None:
        self.happened = False
        self._socket = socket.socket(fileno=os.dup(connection.fileno()))
        self._lock = threading.Lock()
        self._timer = threading.Timer(max(0.0, deadline - time.monotonic()), self._shut)
        self._timer.daemon = True

    def __enter__(self) -> _Shut:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        with self._lock:
            self._socket.close()

    def _shut(self) -> None:
        with self._lock:
            if self._socket.fileno() >= 0:
                self.happened = True
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


def _followed(first: Row, rest: Iterator[Row]) -> Iterator[Row]:
    yield first
    try:
        yield from rest
    except _LostError as error:
        raise error.told from None
