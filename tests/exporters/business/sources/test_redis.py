"""Figures from a real Redis."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis as library

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.business.sources.redis import RedisQuestion as Asks
from sla_kit.exporters.business.sources.redis import RedisSource
from tests.exporters.business.sources.asking import answering, changed, mistakes, refusal, rows
from tests.servers import redis
from tests.servers.process import free_port, refusing_port
from tests.servers.redis import Redis

pytestmark = pytest.mark.xdist_group("business_redis")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Redis, Path, int]]:
    folder = tmp_path_factory.mktemp("tls")
    arguments = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 365 -subj /CN=localhost"
    files = [
        "-addext",
        "subjectAltName=IP:127.0.0.1",
        "-keyout",
        str(folder / "key.pem"),
        "-out",
        str(folder / "cert.pem"),
    ]
    subprocess.run(["openssl", *arguments.split(), *files], check=True, capture_output=True)
    tls = ("--tls-auth-clients", "no", "--unixsocket", str(folder / "redis.sock"))
    cert = ("--tls-cert-file", str(folder / "cert.pem"), "--tls-key-file", str(folder / "key.pem"))
    with redis(*tls, *cert) as server:
        # Somebody may take the port before it does: then another one is as good.
        asked = ((port, server.run("CONFIG", "SET", "tls-port", str(port))) for port in iter(free_port, None))
        port = next(port for port, answer in itertools.islice(asked, 5) if answer == "+OK")
        yield server, folder, port


@pytest.fixture
def server(running: tuple[Redis, Path, int]) -> Redis:
    running[0].run("FLUSHALL")
    return running[0]


@pytest.fixture
def source(server: Redis) -> RedisSource:
    return RedisSource(url=server.url)


def minute(now: float, back: int) -> str:
    return time.strftime("%Y%m%d%H%M", time.gmtime(now - 60 * back))


def test_a_union_of_minutes_counts_each_user_once(server: Redis, source: RedisSource) -> None:
    now = time.time()
    server.run("PFADD", f"active:{minute(now, 0)}", "ada", "bob")
    server.run("PFADD", f"active:{minute(now, 1)}", "bob", "cyd")
    server.run("PFADD", f"active:{minute(now, 30)}", "dan")
    asks = Asks(command="pfcount", key="active:{%Y%m%d%H%M}")
    assert rows(source, changed(asks, window=300.0)) == [{"value": 3}]
    assert rows(source, asks, window="1h", window_seconds=3600.0) == [{"value": 4}]


def test_labels_come_from_keys(server: Redis, source: RedisSource) -> None:
    now = time.time()
    server.run("PFADD", f"active:search:{minute(now, 0)}", "ada", "bob")
    server.run("PFADD", f"active:search:{minute(now, 1)}", "ada", "cyd")
    server.run("PFADD", f"active:video:{minute(now, 0)}", "ada")
    server.run("PFADD", f"active:old:{minute(now, 90)}", "ada")
    server.run("SET", "active:a:b:c", "no such key")
    asks = Asks(command="pfcount", key="active:{feature}:{%Y%m%d%H%M}", window=300.0)
    assert rows(source, asks) == [{"feature": "search", "value": 3}, {"feature": "video", "value": 1}]


def test_known_values_are_asked_for_without_looking_at_all_keys(server: Redis, source: RedisSource) -> None:
    server.run("SADD", "users:pro", "ada", "bob")
    server.run("CONFIG", "RESETSTAT")
    asks = Asks(command="scard", key="users:{plan}", among={"plan": ["free", "pro"]})
    assert rows(source, asks) == [{"plan": "free", "value": 0}, {"plan": "pro", "value": 2}]
    told = server.run("INFO", "commandstats")
    assert "cmdstat_scard" in told
    assert "cmdstat_scan" not in told


def test_scores_within_the_window_are_counted(server: Redis, source: RedisSource) -> None:
    now = time.time()
    server.run("ZADD", "viewers", str(now - 5), "ada", str(now - 30), "bob", str(now - 4000), "cyd")
    server.run("ZADD", "viewers:ms", str((now - 5) * 1000), "ada", str((now - 4000) * 1000), "cyd")
    assert rows(source, Asks(command="zcount", key="viewers", window=600.0)) == [{"value": 2}]
    assert rows(source, Asks(command="zcount", key="viewers")) == [{"value": 3}]
    assert rows(source, Asks(command="zcount", key="viewers:ms", window=600.0, score_unit="ms")) == [{"value": 1}]


def test_sizes_and_numbers(server: Redis, source: RedisSource) -> None:
    server.run("ZADD", "z", "1", "a", "2", "b")
    server.run("RPUSH", "l", "a", "b", "c")
    server.run("HSET", "h", "signups", "12.5", "other", "x")
    server.run("SET", "n", "42")
    found = [
        rows(source, Asks(command=command, key=key, field=field))  # type: ignore[arg-type]
        for command, key, field in [
            ("zcard", "z", ""),
            ("llen", "l", ""),
            ("hlen", "h", ""),
            ("get", "n", ""),
            ("hget", "h", "signups"),
            ("get", "absent", ""),
            ("hget", "h", "absent"),
            ("llen", "absent", ""),
            ("dbsize", "", ""),
        ]
    ]
    numbers = [[row["value"] for row in each] for each in found]
    assert numbers == [[2], [3], [2], [42.0], [12.5], [], [], [0], [4]]


def test_numbers_of_minutes_are_added_up(server: Redis, source: RedisSource) -> None:
    now = time.time()
    for back, amount in [(0, 5), (1, 7), (2, 11)]:
        server.run("SET", f"requests:/pay:{minute(now, back)}", str(amount))
    asks = Asks(command="get", key="requests:{route}:{%Y%m%d%H%M}", window=600.0)
    assert rows(source, asks) == [{"route": "/pay", "value": 23.0}]


def test_more_groups_than_are_asked_at_once(server: Redis, source: RedisSource) -> None:
    for number in range(1_203):
        server.run("SET", f"n:{number}", str(number))
    found = rows(source, Asks(command="get", key="n:{number}"))
    assert {row["number"]: row["value"] for row in found} == {str(number): float(number) for number in range(1_203)}
    told = refusal(source, Asks(command="get", key="n:{number}", max_keys=1_000))
    assert told.kind == "data"
    assert "more than 1000 keys" in told.message


def test_other_types_and_no_numbers_have_their_kinds(server: Redis, source: RedisSource) -> None:
    server.run("SET", "text", "no number")
    server.run("SADD", "set", "a")
    assert refusal(source, Asks(command="zcard", key="set")).kind == "query"
    assert refusal(source, Asks(command="pfcount", key="text")).kind == "query"
    server.run("SET", "nan", "nan")
    assert refusal(source, Asks(command="get", key="nan")).kind == "data"
    told = refusal(source, Asks(command="get", key="text"))
    assert told.kind == "data"
    assert "'no number'" not in str(told)


def test_passwords_and_access_lists(server: Redis, tmp_path: Path) -> None:
    (tmp_path / "good").write_text("pass-of-reader")
    (tmp_path / "bad").write_text("pass-of-nobody")
    server.run("ACL", "SETUSER", "reader", "on", ">pass-of-reader", "~users:*", "+scard", "+select")
    server.run("ACL", "SETUSER", "default", "on", ">pass-of-default")
    good = RedisSource(url=server.url, username="reader", password=Secret(file=str(tmp_path / "good")))
    try:
        assert rows(good, Asks(command="scard", key="users:pro")) == [{"value": 0}]
        told = [
            refusal(good, Asks(command="scard", key="others")),
            refusal(good, Asks(command="dbsize")),
            refusal(changed(good, password=Secret(file=str(tmp_path / "bad"))), Asks(command="dbsize")),
            refusal(RedisSource(url=server.url), Asks(command="dbsize")),
            refusal(changed(good, password=Secret(file=str(tmp_path / "none"))), Asks(command="dbsize")),
        ]
    finally:
        raw = RedisSource(url=server.url, password=Secret(file=str(tmp_path / "good")))
        (tmp_path / "good").write_text("pass-of-default")
        assert rows(raw, Asks(command="dbsize")) == [{"value": 0}]
        with library.Redis(port=server.port, password="pass-of-default") as client:
            client.acl_setuser("default", enabled=True, nopass=True)
    assert [each.kind for each in told] == ["auth"] * 5
    assert "pass-of" not in " ".join(map(str, told))


def test_tls_and_the_unix_socket(running: tuple[Redis, Path, int]) -> None:
    server, folder, port = running
    server.run("FLUSHALL")
    secure = RedisSource(url=f"rediss://127.0.0.1:{port}/0", ca_file=str(folder / "cert.pem"))
    assert rows(secure, Asks(command="dbsize")) == [{"value": 0}]
    assert refusal(changed(secure, ca_file=""), Asks(command="dbsize")).kind == "connect"
    assert rows(RedisSource(url=f"unix://{folder}/redis.sock?db=2"), Asks(command="dbsize")) == [{"value": 0}]


def test_nobody_there_a_silent_server_and_a_hanging_one(server: Redis, source: RedisSource) -> None:
    with refusing_port() as port:
        assert refusal(RedisSource(url=f"redis://127.0.0.1:{port}"), Asks(command="dbsize")).kind == "connect"
    with answering(b"") as port:
        silent = RedisSource(url=f"redis://127.0.0.1:{port}")
        assert refusal(silent, Asks(command="dbsize"), seconds=0.3).kind == "timeout"
    with answering(b"*1000\r\n$5\r\n") as port:
        assert refusal(RedisSource(url=f"redis://127.0.0.1:{port}"), Asks(command="dbsize"), seconds=0.3).kind in (
            "timeout",
            "connect",
        )
    os.kill(server.pid, signal.SIGSTOP)
    try:
        assert refusal(source, Asks(command="dbsize"), seconds=0.2).kind == "timeout"
    finally:
        os.kill(server.pid, signal.SIGCONT)
    assert rows(source, Asks(command="dbsize")) == [{"value": 0}]


def test_mistakes_of_the_configuration() -> None:
    good = RedisSource(url="redis://cache:6379/0")
    assert mistakes(good, Asks(command="pfcount", key="a:{%Y%m%d%H%M}"), "window", "window_seconds") == []
    assert mistakes(changed(good, url="http://cache")) == [
        "source.url: is no address of a Redis: it begins with none of redis, rediss, unix"
    ]
    assert mistakes(changed(good, url="redis://u:secret@cache")) == ["source.url: holds a password"]
    assert len(mistakes(good, Asks(command="pfcount", key="a:{%Y%m%d%H%M}"))) == 1
    assert len(mistakes(good, Asks(command="scard", key="a:{%Y%m%d%H%M}", window=60.0))) == 1
    assert len(mistakes(good, Asks(command="pfcount", key="a:{%Y%m%d%H%M}", window=30 * 86400.0))) == 1
    assert len(mistakes(good, Asks(command="scard", key="a", window=60.0))) == 1
    assert len(mistakes(good, Asks(command="hget", key="a"))) == 1
    assert len(mistakes(good, Asks(command="get", key="a{"))) == 1
    assert len(mistakes(good, Asks(command="get"))) == 1
    assert len(mistakes(good, Asks(command="get", key="a"), "plan")) == 1
    assert good.columns(Asks(command="get", key="a:{plan}")) == frozenset({"plan", "value"})
