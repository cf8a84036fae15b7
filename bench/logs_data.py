"""Logs for the benchmarks: a month of requests to ten services in one index a day, on a real Elasticsearch."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from elastic_transport import Urllib3HttpNode
from elasticsearch import Elasticsearch as Client

from sla_kit.elastic.cluster import StrictJson
from sla_kit.logs.fingerprint import Fingerprint, fingerprint
from tests.servers import elasticsearch

DAYS = 30
END = 1_790_000_000 // 86400 * 86400
SERVICES = 10
ROUTES = ("/login", "/games", "/teams", "/bets", "/scores")
STATUSES = {200: 0.93, 304: 0.04, 404: 0.02, 500: 0.006, 503: 0.004}
HEAP = "1g"
_CHUNK = 5_000
_ERRORS = (
    ("TimeoutError", "upstream {} did not answer within {} ms"),
    ("KeyError", "no player {} in table {}"),
    ("ConnectionResetError", "peer 10.0.{}.{} closed the connection"),
    ("ValueError", "amount '{}' of order {} is no number"),
)
_FIELDS = {
    "@timestamp": "date",
    "event.duration": "long",
    "http.response.status_code": "long",
    "service.name": "keyword",
    "service.version": "keyword",
    "url.path": "keyword",
    "log.level": "keyword",
    "message": "text",
    "host.name": "keyword",
    "user.id": "keyword",
    "trace.id": "keyword",
    "error.type": "keyword",
    "error.message": "text",
    "error.grouping_key": "keyword",
    "error.grouping_name": "keyword",
}


class CountingNode(Urllib3HttpNode):
    """The client's connection, which counts what goes over it: requests, bytes of their bodies and of the answers'.
    ``node`` is the process that answers."""

    requests: ClassVar[int] = 0
    sent: ClassVar[int] = 0
    received: ClassVar[int] = 0
    node: ClassVar[int] = 0

    def perform_request(self, method: str, target: str, body: bytes | None = None, *rest: Any, **more: Any) -> Any:
        answer = super().perform_request(method, target, body, *rest, **more)
        CountingNode.requests += 1
        CountingNode.sent += len(body or b"")
        CountingNode.received += len(answer.body or b"")
        return answer


@dataclass(slots=True)
class Traffic:
    """What a block took: its time, that of the processor here and in the node, what went over the connections."""

    seconds: float = 0.0
    processor: float = 0.0
    node_processor: float = 0.0
    requests: int = 0
    sent: int = 0
    received: int = 0


@contextmanager
def measured() -> Iterator[Traffic]:
    """Fills in what the block took once it has ended."""
    before = CountingNode.requests, CountingNode.sent, CountingNode.received
    begun, processor, node = time.perf_counter(), time.process_time(), _processor_of(CountingNode.node)
    found = Traffic()
    yield found
    found.seconds = time.perf_counter() - begun
    found.processor = time.process_time() - processor
    found.node_processor = _processor_of(CountingNode.node) - node
    found.requests = CountingNode.requests - before[0]
    found.sent = CountingNode.sent - before[1]
    found.received = CountingNode.received - before[2]


def _processor_of(process: int) -> float:
    """The seconds of the processor that a process has had."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def cluster(data: Path | None = None) -> Iterator[Client]:
    """A node, by a client that counts; what is in the folder ``data`` is there from the start, else nothing."""
    with (
        elasticsearch(heap=HEAP, data=data) as server,
        Client(
            server.url,
            node_class=CountingNode,
            request_timeout=300,
            max_retries=0,
            serializers={"application/json": StrictJson()},  # as the clients that we make
        ) as client,
    ):
        CountingNode.node = server.pid
        yield client


def forget(client: Client, index: str) -> None:
    """Empties the node's caches, so that nobody lives on what another asked."""
    client.indices.clear_cache(index=index, request=True, query=True, fielddata=False)


def fill(client: Client, name: str, documents: int, *, error_ratio: float = 0.1, unlike: int = 40) -> None:
    """Writes that many documents, spread evenly over the days, into the indices ``name-DATE``, unless they are there:
    ``error_ratio`` of them with an error, of ``unlike`` groups of which a few have the most."""
    if client.indices.exists(index=_index(name, DAYS - 1)):
        client.cluster.health(index=f"{name}-*", wait_for_status="yellow", timeout="120s")
        if client.count(index=f"{name}-*")["count"] == documents:
            return
        client.indices.delete(index=f"{name}-*")
    properties: dict[str, Any] = {}
    for field, kind in _FIELDS.items():
        *parents, leaf = field.split(".")
        inner = properties
        for parent in parents:
            inner = inner.setdefault(parent, {"properties": {}})["properties"]
        inner[leaf] = {"type": kind}
    for day in range(DAYS):
        client.indices.create(
            index=_index(name, day),
            settings={"number_of_shards": 1, "number_of_replicas": 0, "refresh_interval": "-1"},
            mappings={"dynamic": False, "properties": properties},
        )
        size = documents * (day + 1) // DAYS - documents * day // DAYS
        lines = _documents(day, size, error_ratio, unlike)
        while chunk := [line for _, line in zip(range(_CHUNK), lines, strict=False)]:
            operations: list[Any] = [part for line in chunk for part in ('{"create":{}}', line)]
            answer = client.bulk(index=_index(name, day), operations=operations)
            assert not answer["errors"], str(answer)[:500]
    client.indices.refresh(index=f"{name}-*")


def _index(name: str, day: int) -> str:
    return f"{name}-{np.datetime64(END - (DAYS - day) * 86400, 's').astype('datetime64[D]')}"


def _documents(day: int, size: int, error_ratio: float, unlike: int) -> Iterator[str]:
    random = np.random.default_rng((11, day))
    begin = END - (DAYS - day) * 86400
    times = np.sort(random.integers(begin * 1000, (begin + 86400) * 1000, size))
    services = random.integers(0, SERVICES, size)
    routes = random.integers(0, len(ROUTES), size)
    statuses = random.choice(list(STATUSES), size, p=list(STATUSES.values()))
    durations = (random.lognormal(-2.5, 1.0, size) * 1e9).astype(np.int64)
    failed = random.random(size) < error_ratio
    groups = np.minimum(random.geometric(4 / unlike, size) - 1, unlike - 1)
    numbers = random.integers(0, 100_000, (size, 3))
    keys: dict[int, Fingerprint] = {}
    version = f"1.{day // 7}.0"
    rows = zip(
        times.tolist(),
        services.tolist(),
        routes.tolist(),
        statuses.tolist(),
        durations.tolist(),
        failed.tolist(),
        groups.tolist(),
        numbers.tolist(),
        strict=True,
    )
    for at, service, route, status, duration, wrong, group, (one, two, three) in rows:
        document: dict[str, Any] = {
            "@timestamp": at,
            "service": {"name": f"svc{service}", "version": version},
            "url": {"path": ROUTES[route]},
            "http": {"response": {"status_code": status}},
            "event": {"duration": duration},
            "host": {"name": f"host{one % 8}"},
            "user": {"id": f"u{two}"},
            "trace": {"id": f"{three:08x}{one:08x}"},
            "log": {"level": "error" if wrong else "info"},
            "message": f"{ROUTES[route]} answered {status}",
        }
        if wrong:
            kind, text = _ERRORS[group % len(_ERRORS)]
            said = f"in step {'abcdefghijklmnopqrstuvwxyz'[group % 26]}{group // 26 * 'x'}: {text.format(one, two)}"
            if group not in keys:
                keys[group] = fingerprint(kind, said)
            key, readable, _ = keys[group]
            stack = (
                f'Traceback (most recent call last):\n  File "app.py", line {three}, in step_{group}\n{kind}: {said}'
            )
            document["error"] = {"type": kind, "message": said, "stack_trace": stack}
            document["error"] |= {"grouping_key": key, "grouping_name": readable}
        yield json.dumps(document, separators=(",", ":"))
