"""An application that pushes to the running exporter, over HTTP, UDP and a Unix socket; and what it survives."""

from __future__ import annotations

import http.client
import json
import random
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.exporters.sidecar.sidecars import Answer, Sidecar, eventually, run, sidecar
from tests.servers.process import free_port

COMMAND = [sys.executable, "-m", "sla_kit.exporters.business"]
#: Why a sample of StatsD is dropped.
REASONS = ("unknown", "type", "labels", "malformed", "unsupported")
METRICS = """
    - {name: signups_total, type: counter, help: Sign-ups.}
    - {name: requests_total, type: counter, help: Requests., labels: [client, plan], max_series: 3}
    - {name: viewers, type: gauge, help: Viewers., labels: [event], expires: 1h}
    - {name: blink, type: gauge, help: Gone at once., expires: 1ms}
    - {name: checkout_seconds, type: histogram, help: Checkouts., buckets: [0.1, 1]}
    - {name: active_users, type: users, help: Users., windows: [5m, 30d]}
    - {name: feature_users, type: users, help: Users., labels: [feature], windows: [1d], window_label: ""}
"""


def configuration(statsd: str = "", more: str = "", metrics: str = METRICS) -> str:
    listening = f"  statsd: {statsd}\n" if statsd else ""
    first = "state: state.db\ninterval: 1s\ntimeout: 60s\njitter: 0%\nlog: {level: debug}\n"
    return f"{first}pushed:\n{more}{listening}  metrics:{metrics}"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Sidecar, int]]:
    port = free_port()
    mapping = "{match: 'api.*.*.requests', name: requests_total, labels: {client: $1, plan: $2}}"
    statsd = f"{{udp: '127.0.0.1:{port}', unix: statsd.sock, mappings: [{mapping}], ignored_tags: [env]}}"
    with sidecar(tmp_path_factory.mktemp("pushed"), configuration(statsd), command=COMMAND) as one:
        yield one, port


@pytest.fixture
def exporter(running: tuple[Sidecar, int]) -> Sidecar:
    return running[0]


def push(exporter: Sidecar, *entries: dict[str, Any], **headers: str) -> Answer:
    body = json.dumps({"metrics": list(entries)}).encode()
    return exporter.ask("/push", "POST", body, **{"Content_Type": "application/json", **headers})


def total(exporter: Sidecar, *series: str) -> float:
    return exporter.values().get(series, 0.0)


def test_what_is_pushed_over_http_is_published(exporter: Sidecar) -> None:
    before = exporter.until(lambda found: ("signups_total",) in found)
    assert before["active_users", "30d"] == 0
    assert before["checkout_seconds_count",] == 0
    answer = push(
        exporter,
        {"name": "signups_total", "add": 2},
        {"name": "viewers", "labels": {"event": "final"}, "set": 12},
        {"name": "viewers", "labels": {"event": "final"}, "add": -2},
        {"name": "checkout_seconds", "observe": [0.05, 0.5, 5]},
        {"name": "checkout_seconds", "observe": 0.5},
        {"name": "active_users", "users": ["u-ada", "u-bob", 17]},
        {"name": "feature_users", "labels": {"feature": "search"}, "users": "u-ada"},
    )
    assert (answer.status, json.loads(answer.text)) == (200, {"accepted": 7})
    found = exporter.until(lambda found: found["signups_total",] == before["signups_total",] + 2)
    assert found["viewers", "final"] == 10
    assert {key[1]: value for key, value in found.items() if key[0] == "checkout_seconds_bucket"} == {
        "0.1": 1, "1.0": 3, "+Inf": 4,
    }  # fmt: skip
    assert found["checkout_seconds_sum",] == pytest.approx(6.05)
    assert found["active_users", "5m"] == found["active_users", "30d"] == 3
    assert found["feature_users", "search"] == 1
    assert found["sla_push_series", "viewers"] == 1


@pytest.mark.parametrize(
    ("entry", "status", "reason"),
    [
        ({"name": "nothing", "add": 1}, 400, "unknown"),
        ({"name": "signups_total", "set": 1}, 400, "type"),
        ({"name": "signups_total", "add": -1}, 400, "value"),
        ({"name": "signups_total", "add": 10**400}, 400, "value"),
        ({"name": "signups_total", "labels": {"a": "b"}, "add": 1}, 400, "labels"),
        ({"name": "signups_total"}, 400, "malformed"),
        ({"name": "signups_total", "add": 1, "set": 1}, 400, "malformed"),
        ({"name": "signups_total", "add": "1"}, 400, "malformed"),
        ({"name": "signups_total", "ad": 1}, 400, "malformed"),
        ({"name": "active_users", "users": [""]}, 400, "value"),
        ({"name": "active_users", "users": [{"id": "u-secret"}]}, 400, "malformed"),
    ],
)
def test_what_is_not_declared_is_refused_as_a_whole_and_counted(
    exporter: Sidecar, entry: dict[str, Any], status: int, reason: str
) -> None:
    series = ("sla_push_dropped_total", reason, "http")
    before = exporter.until(lambda found: series in found)  # also before the first one, which is an increase then
    signups, dropped = before["signups_total",], before[series]
    answer = push(exporter, {"name": "signups_total", "add": 1}, entry)
    assert answer.status == status
    assert json.loads(answer.text)["mistakes"]
    assert "u-secret" not in answer.text
    found = exporter.until(lambda found: found.get(series, 0) > dropped)
    assert found["signups_total",] == signups


def test_more_series_than_declared_are_refused(exporter: Sidecar) -> None:
    entries = [{"name": "requests_total", "labels": {"client": str(n), "plan": "x"}, "add": 1} for n in range(4)]
    answer = push(exporter, *entries)
    assert answer.status == 429
    assert "more than 3 series" in answer.text
    assert "retry-after" in answer.headers


def test_the_same_push_sent_again_counts_once(exporter: Sidecar) -> None:
    before = total(exporter, "signups_total")
    first = push(exporter, {"name": "signups_total", "add": 1}, Idempotency_Key="same")
    again = push(exporter, {"name": "signups_total", "add": 1}, Idempotency_Key="same")
    other = push(exporter, {"name": "signups_total", "add": 2}, Idempotency_Key="same")
    assert [first.status, again.status, other.status] == [200, 200, 422]
    assert json.loads(again.text)["repeated"]
    push(exporter, {"name": "signups_total", "add": 10})
    found = exporter.until(lambda found: found["signups_total",] >= before + 10)
    assert found["signups_total",] == before + 11


def test_what_is_no_push_is_refused(exporter: Sidecar) -> None:
    body = b'{"metrics": [{"name": "signups_total", "add": 1}]}'
    json_type = {"Content_Type": "application/json"}
    assert exporter.ask("/push", "POST", body).status == 415
    assert exporter.ask("/push", "POST", body, Content_Type="text/plain").status == 415
    assert exporter.ask("/push", "POST", body, **json_type, Origin="https://evil.example").status == 403
    assert exporter.ask("/push", "GET").status == 405
    assert exporter.ask("/push", "POST", b"{", **json_type).status == 400
    assert exporter.ask("/push", "POST", b"\xff", **json_type).status == 400
    assert exporter.ask("/push", "POST", b"[" * 100_000, **json_type).status == 400
    assert exporter.ask("/push", "POST", b"[]", **json_type).status == 400
    assert exporter.ask("/push", "POST", body, **json_type, Idempotency_Key="k" * 300).status == 400


def test_datagrams_are_taken_and_others_counted_by_reason(running: tuple[Sidecar, int]) -> None:
    exporter, port = running
    before = exporter.until(lambda found: ("signups_total",) in found)
    lines = [
        b"signups.total:1|c|@0.1|#env:prod",
        b"api.ios.pro.requests:3|c",
        b"viewers:7|g|#event:statsd",
        b"viewers:-2|g|#event:statsd",
        b"active_users:u-dgram|s",
    ]
    bad = [b"nothing:1|c", b"viewers:1|ms|#event:x", b"viewers:1|g", b"\xff\xfe", b"_sc|name|0", b"signups_total:x|c"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.sendto(b"\n".join(lines), ("127.0.0.1", port))
        udp.sendto(b"\n".join(bad), ("127.0.0.1", port))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as unix:
        unix.sendto(b"signups_total:1|c", str(exporter.config.parent / "statsd.sock"))
    want = before["signups_total",] + 11

    def dropped(found: dict[tuple[str, ...], float]) -> dict[str, float]:
        series = {reason: ("sla_push_dropped_total", reason, "statsd") for reason in REASONS}
        return {reason: found.get(each, 0) - before.get(each, 0) for reason, each in series.items()}

    # Each socket is read in its turn, so that a collection may come between.
    found = exporter.until(lambda found: found["signups_total",] == want and sum(dropped(found).values()) >= len(bad))
    assert found["requests_total", "ios", "pro"] == 3
    assert found["viewers", "statsd"] == 5
    assert found["active_users", "30d"] == before["active_users", "30d"] + 1
    assert dropped(found) == {"unknown": 1, "type": 1, "labels": 1, "malformed": 2, "unsupported": 1}


def test_gauges_go_when_they_expire(exporter: Sidecar) -> None:
    before = exporter.until(lambda found: ("signups_total",) in found)
    assert push(exporter, {"name": "blink", "set": 1}, {"name": "signups_total", "add": 1}).status == 200
    exporter.until(lambda found: found["signups_total",] > before["signups_total",] and ("blink",) not in found)


def test_ids_of_users_are_in_no_log(exporter: Sidecar) -> None:
    push(exporter, {"name": "active_users", "users": ["u-secret"]}, {"name": "nothing", "users": ["u-secret"]})
    push(exporter, {"name": "active_users", "users": ["u-secret"]})
    assert "u-secret" not in exporter.log.read_text()
    assert "u-secret" not in exporter.ask().text


def test_a_token_is_wanted_where_one_is_declared(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("very-secret")
    one = {"name": "signups_total", "add": 1}
    with sidecar(
        tmp_path, configuration(more=f"  token: {{file: {tmp_path / 'token'}}}\n"), command=COMMAND
    ) as exporter:
        assert push(exporter, one).status == 401
        assert push(exporter, one, Authorization="Bearer wrong").status == 401
        assert push(exporter, one, X_Push_Token="w\xf6rong").status == 401
        assert push(exporter, one, Authorization="Bearer very-secret").status == 200
        assert push(exporter, one, X_Push_Token="very-secret").status == 200
        (tmp_path / "token").unlink()
        assert push(exporter, one, X_Push_Token="very-secret").status == 503
        assert "very-secret" not in exporter.log.read_text()


def test_a_flood_takes_neither_scrapes_nor_pushes_away(tmp_path: Path) -> None:
    port = free_port()
    statsd = f"{{udp: '127.0.0.1:{port}', max_rate: 200}}"
    with sidecar(tmp_path, configuration(statsd), command=COMMAND) as exporter:
        ending = threading.Event()

        def flood(seed: int) -> None:
            chance = random.Random(seed)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
                while not ending.is_set():
                    udp.sendto(chance.choice([chance.randbytes(1_000), b"x%d:1|c" % seed]), ("127.0.0.1", port))

        with ThreadPoolExecutor(2) as threads:
            floods = [threads.submit(flood, seed) for seed in range(2)]
            try:
                dropped = ("sla_push_dropped_total", "rate", "statsd")
                exporter.until(lambda found: found.get(dropped, 0) > 5_000)
                assert push(exporter, {"name": "signups_total", "add": 1}).status == 200
                exporter.until(lambda found: found["signups_total",] == 1)
                assert exporter.values()["process_resident_memory_bytes",] < 150e6
            finally:
                ending.set()
            for each in floods:
                each.result()


def test_what_was_acknowledged_is_counted_once_whenever_it_is_killed(tmp_path: Path) -> None:
    chance = random.Random(7)
    acknowledged = [0] * 4
    current: list[Sidecar | None] = [None]
    ending = threading.Event()

    def client(number: int) -> None:
        sent = 0
        while not ending.is_set():
            key = f"client-{number}-{sent}"
            while True:  # the same push, until it was taken
                exporter = current[0]
                try:
                    if exporter is not None and push(
                        exporter, {"name": "signups_total", "add": 1}, {"name": "active_users", "users": [key]},
                        Idempotency_Key=key,
                    ).status == 200:  # fmt: skip
                        break
                except (OSError, http.client.HTTPException):
                    pass  # it is gone, maybe in the midst of an answer
                ending.wait(0.01)
            acknowledged[number] += 1
            sent += 1

    with ThreadPoolExecutor(4) as threads:
        clients = [threads.submit(client, number) for number in range(4)]
        try:
            for _ in range(5):
                with sidecar(tmp_path, configuration(), command=COMMAND) as exporter:
                    current[0] = exporter
                    enough = sum(acknowledged) + chance.randint(1, 80)
                    eventually(lambda: sum(acknowledged), enough.__le__)
                    exporter.signal(signal.SIGKILL)
                    exporter.ended()
        finally:
            with sidecar(tmp_path, configuration(), command=COMMAND) as exporter:
                current[0] = exporter
                ending.set()
                for each in clients:
                    each.result()
                count = float(sum(acknowledged))
                found = exporter.until(lambda found: found["signups_total",] >= count)
    assert found["signups_total",] == count
    assert found["active_users", "30d"] == count
    assert count > 5


def test_an_orderly_end_keeps_datagrams_that_were_sent(tmp_path: Path) -> None:
    port = free_port()
    text = configuration(f"{{udp: '127.0.0.1:{port}'}}")
    with sidecar(tmp_path, text, command=COMMAND) as exporter:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            for _ in range(200):
                udp.sendto(b"signups_total:1|c", ("127.0.0.1", port))
        exporter.signal(signal.SIGTERM)
        assert exporter.ended() == 0
    with sidecar(tmp_path, text, command=COMMAND) as exporter:
        exporter.until(lambda found: found["signups_total",] == 200)


def test_a_changed_configuration_keeps_what_was_pushed(tmp_path: Path) -> None:
    with sidecar(tmp_path, configuration(), command=COMMAND) as exporter:
        push(exporter, {"name": "signups_total", "add": 3}, {"name": "active_users", "users": ["ada"]})
        exporter.until(lambda found: found["signups_total",] == 3)
        exporter.write(configuration(metrics=METRICS + "    - {name: more_total, type: counter, help: More.}\n"))
        exporter.until(lambda found: ("more_total",) in found)
        assert push(exporter, {"name": "signups_total", "add": 1}, {"name": "more_total", "add": 1}).status == 200
        found = exporter.until(lambda found: found["more_total",] == 1)
        assert (found["signups_total",], found["active_users", "5m"]) == (4, 1)
        exporter.write(configuration(metrics=METRICS + "    - {name: bad total, type: counter, help: ''}\n"))
        exporter.logged("not good")
        assert push(exporter, {"name": "signups_total", "add": 1}).status == 200


def test_two_exporters_do_not_share_a_state(tmp_path: Path) -> None:
    with sidecar(tmp_path, configuration(), command=COMMAND) as exporter:
        arguments = ("--config", str(exporter.config), "--listen", "127.0.0.1:0")
        other = run(*arguments, command=COMMAND)
        assert other.returncode == 2
        assert "another exporter" in other.stderr
        dry = run("--config", str(exporter.config), "--dry-run", command=COMMAND)
        assert (dry.returncode, "signups_total 0.0" in dry.stdout) == (0, True)


def test_without_a_state_it_is_kept_in_memory(tmp_path: Path) -> None:
    with sidecar(tmp_path, configuration().replace("state: state.db\n", ""), command=COMMAND) as exporter:
        assert push(exporter, {"name": "signups_total", "add": 1}).status == 200
        exporter.until(lambda found: found["signups_total",] == 1)
    assert not list(tmp_path.glob("*pushed*"))
