"""Errors whose groups are known, as documents in an index, and the independent counts that they must be found with."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import urllib3

from sla_kit.catalogue.logs import ErrorTracking, LogFields, Logs
from sla_kit.catalogue.model import Catalogue, Service
from sla_kit.logs.fingerprint import fingerprint
from sla_kit.logs.mapping import properties

#: 2026-11-02T00:00:00Z.
START = 1_793_577_600.0
DAY = 86400.0


@dataclass(frozen=True)
class Cause:
    """An error as code makes it: its text has places for what differs from one time to the next."""

    service: str
    type: str
    text: str
    place: str = "orders.py"

    def message(self, draw: random.Random) -> str:
        """The text as one event has it."""
        return self.text.format(
            id=draw.randrange(1, 10**7),
            user=f"user{draw.randrange(10**4)}@example.com",
            ip=f"10.0.{draw.randrange(256)}.7",
        )

    def stack(self, draw: random.Random) -> str:
        """A stack whose line numbers differ."""
        line = draw.randrange(1, 900)
        return f'Traceback (most recent call last):\n  File "/app/{self.place}", line {line}, in handle\n{self.type}: x'

    @property
    def key(self) -> str:
        """The key of all of its events."""
        draw = random.Random(1)
        return fingerprint(self.type, self.message(draw), self.stack(draw)).key


def causes(count: int, services: Sequence[str] = ("api", "web")) -> list[Cause]:
    """Different errors of some services."""
    words = ("connection", "timeout", "payment", "session", "cache", "upload", "ticket", "league", "score", "roster")
    return [
        Cause(
            services[at % len(services)],
            f"{words[at % 7].title()}Error",
            f"{words[at % 10]} {'abcdefghijklmnopqrstuvwxyz'[at // 10 % 26]} refused for {{user}} id {{id}} at {{ip}}",
            f"{words[at % 10]}.py",
        )
        for at in range(count)
    ]


@dataclass
class History:
    """Documents, and what is true of them."""

    documents: list[dict[str, Any]] = field(default_factory=list)
    #: (time, service, key, user, version) of each error.
    truth: list[tuple[float, str, str, str, str]] = field(default_factory=list)

    def error(
        self,
        draw: random.Random,
        cause: Cause,
        time: float,
        *,
        keyed: bool = True,
        user: str = "",
        version: str = "1.0",
    ) -> None:
        """One error at a time (milliseconds are kept)."""
        at = round(time * 1000)
        message, stack = cause.message(draw), cause.stack(draw)
        error = {"type": cause.type, "message": message, "stack_trace": stack}
        if keyed:
            error["grouping_key"] = cause.key
        document = {
            "@timestamp": at,
            "service": {"name": cause.service, "version": version},
            "log": {"level": "error"},
            "message": message,
            "error": error,
            "host": {"name": "node-1"},
            **({"user": {"id": user}} if user else {}),
        }
        self.documents.append(document)
        self.truth.append((at / 1000, cause.service, cause.key, user, version))

    def other(self, service: str, time: float, version: str = "1.0") -> None:
        """A document that is no error."""
        self.documents.append(
            {
                "@timestamp": round(time * 1000),
                "service": {"name": service, "version": version},
                "log": {"level": "info"},
                "http": {"response": {"status_code": 200}},
                "message": "GET /",
            }
        )

    def counts(self, start: float, end: float) -> Counter[tuple[str, str]]:
        """Errors by (service, key) in (start, end]."""
        return Counter((service, key) for time, service, key, _, _ in self.truth if start < time <= end)

    def users(self, start: float, end: float) -> dict[tuple[str, str], int]:
        """Users by (service, key) in (start, end]."""
        found: dict[tuple[str, str], set[str]] = defaultdict(set)
        for time, service, key, user, _ in self.truth:
            if start < time <= end and user:
                found[service, key].add(user)
        return {name: len(users) for name, users in found.items()}

    def seen(self, start: float, end: float) -> dict[tuple[str, str], tuple[float, float]]:
        """First and last time by (service, key) in (start, end]."""
        found: dict[tuple[str, str], tuple[float, float]] = {}
        for time, service, key, _, _ in self.truth:
            if start < time <= end:
                first, last = found.get((service, key), (time, time))
                found[service, key] = min(first, time), max(last, time)
        return found


def request(url: str, method: str, path: str, body: object = None, lines: bool = False) -> Any:
    """What Elasticsearch answers."""
    data = body if isinstance(body, str) else None if body is None else json.dumps(body)
    kind = "application/x-ndjson" if lines else "application/json"
    answer = urllib3.request(method, f"{url}{path}", body=data, headers={"content-type": kind}, timeout=120)
    found = answer.json()
    assert answer.status < 300, found
    return found


def create(url: str, index: str, mapping: Mapping[str, Any] | None = None, shards: int = 1) -> None:
    """An index with sla-kit's own types of fields, or others."""
    settings = {"number_of_shards": shards, "number_of_replicas": 0}
    types = {"properties": properties() if mapping is None else dict(mapping)}
    request(url, "PUT", f"/{index}", {"settings": settings, "mappings": types})


def load(url: str, index: str, documents: Iterable[Mapping[str, Any]]) -> None:
    """Writes documents and makes them visible. They are called by their numbers, so that each time the same ones are in
    the same shard."""
    lines: list[str] = []
    for number, document in enumerate(documents):
        lines += [f'{{"index":{{"_id":"{number}"}}}}', json.dumps(document)]
        if len(lines) >= 20_000:
            _bulk(url, index, lines)
            lines = []
    if lines:
        _bulk(url, index, lines)
    request(url, "POST", f"/{index}/_refresh")


def _bulk(url: str, index: str, lines: list[str]) -> None:
    answer = request(url, "POST", f"/{index}/_bulk", "\n".join(lines) + "\n", lines=True)
    assert not answer["errors"], next(each for each in answer["items"] if "error" in each["index"])


def catalogue(index: str, **errors: Any) -> Catalogue:
    """A catalogue of two services whose logs are in an index."""
    fields = errors.pop("fields", LogFields())
    return Catalogue(
        name="test",
        services=[Service(name="api"), Service(name="web")],
        logs=Logs(index=index, fields=fields, errors=ErrorTracking(**errors)),
    )
