"""Makes happen what exporters tell of only once it has happened, and waits for it."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg
import pytest

from tests.servers import Elasticsearch, Postgresql, Redis, Server

_HAPPENS_SECONDS = 180.0


def read(url: str) -> str:
    """What the server answers, as text."""
    with urllib.request.urlopen(url, timeout=60) as answer:
        return str(answer.read().decode())


def ask(url: str) -> Any:
    """The data of an answer of Prometheus's API."""
    return json.loads(read(url))["data"]


def until(happened: Callable[[], Any], what: str) -> Any:
    """Waits for something to become true, and returns it."""
    deadline = time.monotonic() + _HAPPENS_SECONDS
    while not (found := happened()):
        if time.monotonic() > deadline:
            pytest.fail(f"in {_HAPPENS_SECONDS:g} s it did not happen that {what}", pytrace=False)
        time.sleep(0.1)  # between two looks, not instead of looking
    return found


def use_postgresql(server: Postgresql) -> None:
    """Makes a table, a slot, a segment that is archived, statements that are counted."""
    for statement in (
        "CREATE EXTENSION pg_stat_statements",
        "SELECT pg_create_physical_replication_slot('replica')",
        "CREATE TABLE kept (id serial PRIMARY KEY, text text)",
        "INSERT INTO kept (text) SELECT md5(n::text) FROM generate_series(1, 1000) n",
        "UPDATE kept SET text = 'changed' WHERE id % 3 = 0",
        "DELETE FROM kept WHERE id % 5 = 0",
        "VACUUM ANALYZE kept",
        "SELECT count(*) FROM kept WHERE id = 7",
        "SELECT pg_switch_wal()",
    ):
        server.run(statement)
    until(lambda: first(server, "SELECT archived_count FROM pg_stat_archiver"), "a segment is archived")


def first(server: Postgresql, query: str) -> Any:
    """The first value that a query finds."""
    with psycopg.connect(server.url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return row and row[0]


def use_redis(server: Redis) -> None:
    """Makes keys, a hit, a miss, a dump, and waits for the replica."""
    server.run("SET", "kept", "1")
    server.run("SET", "short", "1", "EX", "3600")
    server.run("GET", "kept")
    server.run("GET", "missing")
    server.run("BGSAVE")
    until(lambda: _section(server).get("rdb_last_bgsave_status") == "ok", "Redis saved")
    until(lambda: _section(server, "replication").get("connected_slaves") == "1", "the replica is there")


def _section(server: Redis, name: str = "persistence") -> dict[str, str]:
    lines = (line.partition(":") for line in server.run("INFO", name).splitlines())
    return {key: value for key, _, value in lines}


@contextmanager
def kept_busy(postgresql: Postgresql, redis: Redis, elasticsearch: Elasticsearch) -> Iterator[None]:
    """Has something to do for each of them while the block lasts: idle servers look like servers cut off."""
    done = threading.Event()

    def work() -> None:
        number = 0
        while not done.wait(0.2):
            number += 1
            with suppress(OSError, psycopg.Error):  # one that was too busy for an answer is asked again all the same
                postgresql.run(f"INSERT INTO kept (text) VALUES ('row {number}')")
                redis.run("GET", "kept")
                put(elasticsearch, f"/logs-app/_doc/busy-{number}", {"message": f"line {number}"})

    worker = threading.Thread(target=work)
    worker.start()
    try:
        yield
    finally:
        done.set()
        worker.join()


def use_elasticsearch(server: Elasticsearch) -> None:
    """Makes an index with documents, a search, a snapshot."""

    put(server, "/logs-app", {"settings": {"number_of_replicas": 0}})
    for number in range(3):
        put(server, f"/logs-app/_doc/{number}?refresh=true", {"message": f"line {number}"})
    put(server, "/logs-app/_search", {"query": {"match": {"message": "line"}}}, "POST")
    put(server, "/_snapshot/nightly", {"type": "fs", "settings": {"location": "nightly"}})
    put(server, "/_snapshot/nightly/first?wait_for_completion=true", {})


def push(server: Server) -> None:
    """Pushes a metric to a Pushgateway."""
    body = b"batch_last_success_timestamp_seconds 1\n"
    put = urllib.request.Request(f"{server.url}/metrics/job/batch/instance/one", body, method="PUT")
    urllib.request.urlopen(put, timeout=60).close()


def notify(server: Server) -> None:
    """Has an Alertmanager tell somebody."""
    body = json.dumps([{"labels": {"alertname": "Provoked", "severity": "info"}}]).encode()
    post = urllib.request.Request(f"{server.url}/api/v2/alerts", body, {"Content-Type": "application/json"})
    urllib.request.urlopen(post, timeout=60).close()
    said = 'alertmanager_notifications_total{integration="webhook"} '
    until(lambda: said in read(f"{server.url}/metrics") and f"{said}0" not in read(f"{server.url}/metrics"), "it told")


def put(server: Elasticsearch, path: str, body: object, method: str = "PUT") -> None:
    """Sends Elasticsearch a document."""
    kind = {"Content-Type": "application/json"}
    request = urllib.request.Request(server.url + path, json.dumps(body).encode(), kind, method=method)
    urllib.request.urlopen(request, timeout=60).close()
