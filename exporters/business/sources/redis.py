"""Figures from Redis or Valkey: sizes of sets and lists, HyperLogLogs, numbers. One server, no cluster or Sentinel."""

from __future__ import annotations

import math
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, check_address, check_secret
from sla_kit.configuration.values import Duration, Value
from sla_kit.errors import MissingExtraError
from sla_kit.exporters.business.sources import Opening, Question, Source
from sla_kit.exporters.business.sources.keys import Template, TemplateError, combinations, slots, template
from sla_kit.exporters.business.sources.window import check_window, window_of
from sla_kit.exporters.sidecar.collector import CollectError, read_secret

#: The column that holds the number.
VALUE = "value"
#: HyperLogLogs of one union, or numbers of one sum; Redis answers nobody else while it counts.
_MAX_SLOTS = 1_500
_AT_ONCE = 500
_SCHEMES = ("redis", "rediss", "unix")
#: What can be read of several keys as one: the union of HyperLogLogs, the sum of numbers.
_OF_MANY = ("pfcount", "get", "hget")


class RedisQuestion(Value, frozen=True, kw_only=True):
    """A ``command`` and the ``key`` it is for.

    In a key ``{plan}`` is a label: keys are looked for by SCAN, at most ``max_keys``, unless ``among`` says which
    values there are. ``{%Y%m%d%H%M}`` is a time in UTC: all keys of the last ``window`` are taken as one, by union
    (pfcount) or sum (get, hget). Such keys are ``every`` so long apart; the finest part of the time tells, if nothing
    else does. ``zcount`` counts members whose score, a time in ``score_unit``, is within the last ``window``. ``field``
    is hget's.
    """

    command: Literal["pfcount", "zcount", "zcard", "scard", "llen", "hlen", "get", "hget", "dbsize"]
    key: str = ""
    among: dict[str, list[str]] = msgspec.field(default_factory=dict)
    window: Duration | None = None
    every: Duration | None = None
    field: str = ""
    score_unit: Literal["s", "ms"] = "s"
    max_keys: int = 10_000


class RedisSource(Source, frozen=True, kw_only=True, tag="redis"):
    """A server: ``redis://host:6379/0``, ``rediss://`` with TLS, ``unix:///run/redis.sock?db=0``.

    ``username`` is of its access lists; ``ca_file`` has the certificates by which it is known, if the system's don't.
    """

    asked_by: ClassVar[str] = "redis"

    url: str
    username: str = ""
    password: Secret | None = None
    ca_file: str = ""

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with the source itself."""
        check_address(self.url, findings, (*path, "url"))
        check_secret(self.password, findings, (*path, "password"))
        try:
            _address(self.url)
        except ValueError as error:
            findings.say((*path, "url"), str(error), "such as redis://cache.example.com:6379/0")
        if self.username and self.password is None:
            findings.say(path, "has no password", "username and password go together")
        if self.ca_file and not self.url.startswith("rediss:"):
            findings.say((*path, "ca_file"), "is of no use without TLS", "say url: rediss://…")

    def check_question(self, asks: Any, parameters: frozenset[str], findings: Findings, path: Part) -> None:
        """Says what is wrong with a question."""
        question: RedisQuestion = asks
        windowed = check_window(question.window, parameters, findings, path)
        if question.max_keys < 1:
            findings.say((*path, "max_keys"), "must be at least 1")
        if bool(question.field) != (question.command == "hget"):
            message = "has no field" if question.command == "hget" else f"{question.command} has no field"
            findings.say((*path, "field") if question.field else path, message, "field is hget's")
        if question.command == "dbsize":
            if question.key:
                findings.say((*path, "key"), "dbsize counts all keys", "leave key out")
            return
        if not question.key:
            findings.say(path, "has no key", "such as active:{%Y%m%d%H%M}")
            return
        try:
            keys = template(question.key)
        except TemplateError as error:
            findings.say((*path, "key"), f"{question.key!r} {error}", "write {{ and }} for braces")
            return
        _check_key(question, keys, windowed, findings, path)

    def columns(self, asks: Any) -> frozenset[str] | None:
        """The labels in the key, and ``value``."""
        try:
            return frozenset((*template(asks.key).labels, VALUE))
        except TemplateError:
            return None

    def open(self, opening: Opening) -> RedisReader:
        """Makes what answers, without connecting."""
        return RedisReader(self, opening.folder)


def _check_key(question: RedisQuestion, keys: Template, windowed: bool, findings: Findings, path: Part) -> None:
    where = (*path, "key")
    if VALUE in keys.labels:
        findings.say(where, f"{VALUE} is the column of the number", "call the label otherwise")
    if question.among and set(question.among) != set(keys.labels):
        findings.say((*path, "among"), "must say values of all labels in key, and of no others")
    if keys.timed:
        if question.command not in _OF_MANY:
            findings.say(
                where, f"{question.command} can't be taken of several keys as one", f"{', '.join(_OF_MANY)} can"
            )
        if not windowed:
            findings.say(path, "has no window, though key has a time", "such as window: 5m")
        every = question.every or keys.slot_seconds
        if every < 1:
            findings.say(path, "does not say how long the slots of time are", "such as every: 1m")
        elif question.window and question.window / every > _MAX_SLOTS - 1:
            findings.say(
                (*path, "window"), f"has more than {_MAX_SLOTS} slots of {every:g} s", "keep longer slots, too"
            )
    else:
        if question.every is not None:
            findings.say((*path, "every"), "is of no use, for key has no time", "such as {%Y%m%d%H%M}")
        if question.window is not None and question.command != "zcount":
            findings.say((*path, "window"), "is of no use: zcount has one, and a key with a time", "leave it out")


@dataclass
class RedisReader:
    """Asks one server. A connection is made for each question: they are rare."""

    source: RedisSource
    folder: Path

    def rows(self, question: Question, deadline: float) -> Iterator[dict[str, object]]:
        """A row for each set of labels; none for a number that is not there. Raises `CollectError`."""
        asks: RedisQuestion = question.asks
        window = window_of(asks.window, question.parameters)
        with _Connection(self.source, self.folder, deadline) as connection:
            if asks.command == "dbsize":
                yield {VALUE: connection.ask([("DBSIZE",)])[0]}
                return
            groups = _groups(asks, window, connection)
            for at in range(0, len(groups), _AT_ONCE):
                some = groups[at : at + _AT_ONCE]
                for (labels, _), found in zip(some, _read(asks, window, some, connection), strict=True):
                    if found is not None:
                        yield {**labels, VALUE: found}

    def close(self) -> None:
        """Nothing is held between questions."""


#: Labels, and the keys that are taken as one for them.
_Group = tuple[dict[str, str], list[str | bytes]]


def _groups(asks: RedisQuestion, window: float | None, connection: _Connection) -> list[_Group]:
    keys = template(asks.key)
    begins = [0.0]
    if keys.timed:
        begins = slots(time.time(), window or 0.0, asks.every or keys.slot_seconds)
        if len(begins) > _MAX_SLOTS + 1:
            raise CollectError("query", f"the window has more than {_MAX_SLOTS} slots", remedy="keep longer slots, too")
    if not keys.labels or asks.among:
        chosen = combinations(asks.among) if keys.labels else [{}]
        return [(labels, list(dict.fromkeys(keys.keys(labels, at) for at in begins))) for labels in chosen]
    times = [part.text for part in keys.parts if part.kind == "time"]
    wanted = {tuple(time.strftime(form, time.gmtime(at)) for form in times) for at in begins}
    expression = keys.expression()
    found: dict[tuple[str, ...], set[bytes]] = defaultdict(set)
    count = 0
    for key in connection.scan(keys.glob()):
        match = expression.fullmatch(key.decode("utf-8", "backslashreplace"))
        if match is None or tuple(match[f"t{index}"] for index in range(len(times))) not in wanted:
            continue
        values = tuple(match[f"l{index}"] for index in range(len(keys.labels)))
        count += key not in found[values]
        found[values].add(key)
        if count > asks.max_keys:
            raise CollectError(
                "data", f"has more than {asks.max_keys} keys as {asks.key}", remedy="say among, or raise max_keys"
            )
    return [(dict(zip(keys.labels, values, strict=True)), sorted(some)) for values, some in sorted(found.items())]


def _read(
    asks: RedisQuestion, window: float | None, groups: Sequence[_Group], connection: _Connection
) -> Iterator[float | None]:
    """The number of each group."""
    name = asks.command.upper()
    if asks.command == "pfcount":
        yield from connection.ask([(name, *keys) for _, keys in groups])
        return
    if asks.command == "zcount":
        scale = 1000 if asks.score_unit == "ms" else 1
        least = "-inf" if window is None else f"({(time.time() - window) * scale:.3f}"
        yield from connection.ask([(name, keys[0], least, "+inf") for _, keys in groups])
        return
    if asks.command not in ("get", "hget"):
        yield from connection.ask([(name, keys[0]) for _, keys in groups])
        return
    summed = template(asks.key).timed
    more = (asks.field,) if asks.field else ()
    for _, keys in groups:
        numbers = [_number(each, asks) for each in connection.ask([(name, key, *more) for key in keys])]
        there = [number for number in numbers if number is not None]
        yield math.fsum(there) if there or summed else None


def _number(found: Any, asks: RedisQuestion) -> float | None:
    if found is None:
        return None
    try:
        number = float(found)
        if not math.isfinite(number):
            raise ValueError
        return number
    except ValueError:
        raise CollectError(
            "data", f"a value of {asks.key} is no number", remedy="check command, key and field"
        ) from None


class _Connection:
    """A connection whose every wait ends at a deadline."""

    def __init__(self, source: RedisSource, folder: Path, deadline: float) -> None:
        self._deadline = deadline
        self._source = source
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.retry import Retry
        except ImportError:
            raise MissingExtraError("reading Redis", "redis", "exporters") from None
        self._errors = redis.exceptions
        scheme, where, database, user = _address(source.url)
        self.place = (
            f"{scheme}://{where['path']}" if scheme == "unix" else f"{scheme}://{where['host']}:{where['port']}"
        )
        left = self._left()
        settings: dict[str, Any] = {
            **where,
            "db": database,
            "socket_timeout": left,
            "socket_connect_timeout": left,
            "retry": Retry(NoBackoff(), 0),
            "protocol": 2,
        }
        if source.password is not None:
            settings["password"] = read_secret(source.password)
            settings["username"] = source.username or user or None
        if scheme == "rediss":
            settings["ssl_ca_certs"] = str(folder / source.ca_file) if source.ca_file else None
        kinds = {
            "redis": redis.Connection,
            "rediss": redis.SSLConnection,
            "unix": redis.UnixDomainSocketConnection,
        }
        self._connection: Any = kinds[scheme](**settings)

    def __enter__(self) -> _Connection:
        with self._worded():
            self._connection.connect()
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.disconnect()

    def ask(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """The answers to several commands, sent at once."""
        with self._worded():
            self._connection.send_packed_command(self._connection.pack_commands(commands))
            return [self._answer() for _ in commands]

    def scan(self, pattern: str) -> Iterator[bytes]:
        """All keys of a pattern, some maybe twice. It looks at every key of the database."""
        cursor: Any = b"0"
        while True:
            cursor, keys = self.ask([("SCAN", cursor, "MATCH", pattern, "COUNT", 1000)])[0]
            yield from keys
            if int(cursor) == 0:
                return

    def _answer(self) -> Any:
        if not self._connection.can_read(timeout=self._left()):
            raise self._late()
        return self._connection.read_response()

    def _left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise self._late()
        return left

    def _late(self) -> CollectError:
        place = getattr(self, "place", "")
        return CollectError("timeout", "took too long to answer", place=place, remedy="ask for less, or raise timeout")

    def _worded(self) -> _Worded:
        return _Worded(self._errors, self.place)


class _Worded:
    """Rewords the library's exceptions, whose texts may quote the address or what was sent."""

    def __init__(self, errors: Any, place: str) -> None:
        self._errors = errors
        self._place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        found = self._errors
        if isinstance(error, found.TimeoutError | TimeoutError):
            raise CollectError(
                "timeout", "took too long to answer", place=self._place, remedy="raise timeout"
            ) from None
        if isinstance(error, found.AuthenticationError | found.NoPermissionError | found.AuthorizationError):
            raise CollectError(
                "auth",
                "refuses who asks, or what",
                place=self._place,
                remedy="check username, password and access lists",
            ) from None
        if isinstance(error, found.BusyLoadingError):
            raise CollectError("connect", "is still loading its data", place=self._place) from None
        if isinstance(error, found.ResponseError):
            code = str(error).split(" ", 1)[0][:30]
            if code == "NOAUTH" or "WRONGPASS" in str(error):
                raise CollectError("auth", "wants a password", place=self._place, remedy="say password") from None
            said = (
                "a key is of another type"
                if code == "WRONGTYPE" or "Operation against" in str(error)
                else str(error)[:200]
            )
            raise CollectError(
                "query", f"can't do that: {said}", place=self._place, remedy="check command and key"
            ) from None
        if isinstance(error, found.RedisError | OSError):
            raise CollectError(
                "connect", "does not answer", place=self._place, remedy="check url, TLS, and whether it runs"
            ) from None


def _address(url: str) -> tuple[str, dict[str, Any], int, str]:
    """The scheme, the library's arguments for where, the database's number and the user. `ValueError` if it is none."""
    parts = urlsplit(url)
    if parts.scheme not in _SCHEMES:
        raise ValueError(f"is no address of a Redis: it begins with none of {', '.join(_SCHEMES)}")
    user = unquote(parts.username or "")
    if parts.scheme == "unix":
        if not parts.path.startswith("/"):
            raise ValueError("names no socket")
        database = parse_qs(parts.query).get("db", ["0"])[0]
        where: dict[str, Any] = {"path": unquote(parts.path)}
    else:
        if not parts.hostname:
            raise ValueError("names no host")
        database = parts.path.strip("/") or "0"
        where = {"host": parts.hostname, "port": parts.port or 6379}
    if not database.isdecimal():
        raise ValueError("ends with what is no number of a database")
    return parts.scheme, where, int(database), user
