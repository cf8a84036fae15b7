"""The command: what it prints, how it ends, and with which exit code."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest

from tests.exporters.sidecar.sidecars import COMMAND, ROOT, connected, eventually, run, sidecar

GOOD = "collectors: [{name: one, series: 3}]\n"


def test_check_says_what_would_run(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text("listen: ':9999'\npush: true\ncollectors: [{name: one, interval: 1m}]\n")
    done = run("--config", str(tmp_path / "told.yml"), "--check")
    assert (done.returncode, done.stderr) == (0, "")
    assert "http://:9999" in done.stdout
    assert "one  every 60 s, for at most 60 s" in done.stdout
    assert "/push (POST)" in done.stdout


@pytest.mark.parametrize("task", [["--check"], ["--dry-run"], []])
def test_all_mistakes_are_told_at_once_with_file_and_line(tmp_path: Path, task: list[str]) -> None:
    config, web = tmp_path / "told.yml", tmp_path / "web.yml"
    config.write_text("listen: nowhere\ncollectors:\n  - {name: a, does: sleep}\n  - {nme: b}\n")
    web.write_text("basic_auth_users: {a: plain-secret}\n")
    done = run("--config", str(config), "--web-config", str(web), *task)
    assert done.returncode == 1
    for place in ("told.yml:1:", "told.yml:3:", "told.yml:4:", "web.yml:1:"):
        assert f"{tmp_path}/{place}" in done.stderr
    assert "plain-secret" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_web_configuration_is_relative_to_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text("web_config: web.yml\ncollectors: []\n")
    done = run("--config", str(tmp_path / "told.yml"), "--check")
    assert done.returncode == 1
    assert f"{tmp_path}/web.yml" in done.stderr


def test_a_dry_run_prints_what_would_be_published(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text("collectors: [{name: one, series: 3}, {name: two, value: 2}]\n")
    done = run("--config", str(tmp_path / "told.yml"), "--dry-run")
    assert done.returncode == 0
    assert done.stdout.count("told_value{") == 4
    assert done.stderr == ""


def test_a_dry_run_tells_what_failed_and_prints_the_rest(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text(
        "collectors:\n"
        "  - {name: one, series: 3}\n"
        "  - {name: down, does: fail, text: 'redis://:hunter2-secret@cache refused'}\n"
        "  - {name: hung, does: hang, timeout: 1s}\n"
    )
    done = run("--config", str(tmp_path / "told.yml"), "--dry-run")
    assert done.returncode == 1
    assert done.stdout.count("told_value{") == 3
    assert "the collector down failed" in done.stderr
    assert "the collector hung failed" in done.stderr
    assert "hunter2-secret" not in done.stderr + done.stdout


def test_the_example_is_one_that_runs(tmp_path: Path) -> None:
    example = run("--example")
    assert example.returncode == 0
    (tmp_path / "told.yml").write_text(example.stdout)
    assert run("--config", str(tmp_path / "told.yml"), "--check").returncode == 0


def test_the_configuration_may_be_named_by_the_environment(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text(GOOD)
    assert run("--check", SLA_KIT_EXPORTER_CONFIG=str(tmp_path / "told.yml")).returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ([], 2, "--config"),
        (["--config", "/none.yml"], 1, "no such file"),
        (["--config", "GOOD", "--listen", "here"], 2, "has no port"),
        (["--config", "GOOD", "--listen", "192.0.2.1:9999"], 2, "can't listen on 192.0.2.1:9999"),
        (["--config", "GOOD", "--listen", "no-such-host.invalid:9999"], 2, "can't listen on"),
        (["--config", "GOOD", "--log-format", "xml"], 2, "logfmt"),
    ],
)
def test_a_wrong_call_gets_a_message_and_its_exit_code(
    tmp_path: Path, arguments: list[str], code: int, words: str
) -> None:
    (tmp_path / "good.yml").write_text(GOOD)
    quick = {"RES_OPTIONS": "timeout:1 attempts:1"}  # where nobody answers who knows names
    done = run(*(str(tmp_path / "good.yml") if each == "GOOD" else each for each in arguments), **quick)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_in_use_is_told(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text(GOOD)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        done = run("--config", str(tmp_path / "told.yml"), "--listen", f"127.0.0.1:{port}")
    assert done.returncode == 2
    assert f"can't listen on 127.0.0.1:{port}: the port is in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("task", [["--check"], ["--dry-run"], []])
def test_what_nobody_expects_is_told_without_its_secret(tmp_path: Path, task: list[str]) -> None:
    (tmp_path / "told.yml").write_text(GOOD)
    done = run("--config", str(tmp_path / "told.yml"), "--log-format", "json", *task, TOLD_LOAD="breaks")
    assert done.returncode == 2
    [line] = [json.loads(each) for each in done.stderr.splitlines()]
    assert line["level"] == "critical"
    assert line["error"] == "RuntimeError: loading broke with password=***"
    assert "in load" in line["traceback"]
    assert "hunter2" not in done.stderr


def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text(GOOD)
    done = run("--config", str(tmp_path / "told.yml"), "--check", TOLD_LOAD="lacks")
    assert done.returncode == 2
    assert "needs the Python package 'redis'" in done.stderr
    assert "pip install 'sla-kit[exporters]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_service_that_can_not_start_ends_it(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text("services: [well, broken]\ndiary: diary\n")
    done = run("--config", str(tmp_path / "told.yml"), "--listen", "127.0.0.1:0")
    assert done.returncode == 2
    assert "the service is broken" in done.stderr
    assert (tmp_path / "diary").read_text() == "start well\nstop well\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_well_when_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with sidecar(tmp_path, GOOD + "services: [a, b]\ndiary: diary\n", arguments=["--log-format", "json"]) as running:
        running.signal(number)
        assert running.ended() == 0
        assert sorted((tmp_path / "diary").read_text().splitlines()) == ["start a", "start b", "stop a", "stop b"]
        assert running.lines()[-1]["msg"] == "ended"


def test_signals_before_it_is_there_are_heeded(tmp_path: Path) -> None:
    """It may be told to end, or to read its files again, at any moment: here while it reads them first."""
    fifo, config = tmp_path / "one.fifo", tmp_path / "told.yml"
    os.mkfifo(fifo)
    config.write_text(GOOD + f"waits_for: {fifo}\n")
    command = [*COMMAND, "--config", str(config), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT) as process, fifo.open("w"):  # once that is open, it reads
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_thread_that_hangs_does_not_keep_it(tmp_path: Path) -> None:
    with sidecar(tmp_path, "collectors: [{name: hung, does: hang, timeout: 1s}]\n", ready=False) as running:
        running.until(lambda seen: seen.get(("sla_exporter_collector_up", "hung")) == 0)
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


def test_a_scrape_that_is_being_answered_is_finished(tmp_path: Path) -> None:
    # More than the kernel takes in: the process must still be there to send the rest, however busy who reads it is.
    config = "max_series: 200000\ncollectors: [{name: many, series: 120000, interval: 1h, timeout: 300s}]\n"
    patient = {"TOLD_PATIENCE_SECONDS": "300"}
    with sidecar(tmp_path, config, environment=patient) as running, connected(running.port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32768)
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.recv(1000)
        running.signal(signal.SIGTERM)
        running.logged("told to end")
        eventually(lambda: _refused(running.port), bool)
        answer += b"".join(iter(lambda: client.recv(65536), b""))
        head, _, body = answer.partition(b"\r\n\r\n")
        [length] = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
        assert len(body) == int(length.partition(b":")[2])
        assert body.count(b"\ntold_value{") == 120_000
        assert running.ended() == 0


def test_a_client_that_reads_nothing_does_not_keep_it(tmp_path: Path) -> None:
    with sidecar(tmp_path, "collectors: [{name: many, series: 9000}]\n") as running, connected(running.port) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" * 20)
        client.recv(10)
        running.signal(signal.SIGTERM)
        assert running.ended() == 0


def test_systemd_is_told_of_beginning_reload_and_end(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(60)
        with sidecar(tmp_path, GOOD, environment={"NOTIFY_SOCKET": str(tmp_path / "notify")}) as running:
            assert systemd.recv(1000) == b"READY=1"
            running.signal(signal.SIGHUP)
            assert systemd.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
            assert systemd.recv(1000) == b"READY=1"
            running.signal(signal.SIGTERM)
            assert systemd.recv(1000) == b"STOPPING=1"


def test_addresses_of_every_kind_are_listened_on(tmp_path: Path) -> None:
    for number, (host, asked) in enumerate(
        [("[::1]", ["::1"]), ("", ["127.0.0.1", "::1"]), ("0.0.0.0", ["127.0.0.1"]), ("localhost", ["127.0.0.1"])]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        with sidecar(folder, GOOD, host=host, ready=False) as running:
            for each in asked:
                with socket.create_connection((each, running.port), timeout=60) as client:
                    client.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
                    assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_without_being_told_only_this_machine_is_answered(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text(GOOD)
    assert "http://127.0.0.1:9999" in run("--config", str(tmp_path / "told.yml"), "--check").stdout


def test_a_sidecar_loads_little() -> None:
    code = """
import sys
import urllib.request
import sla_kit.exporters.sidecar.serving
import sla_kit.exporters.sidecar.running
print(*sorted(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = set(done.stdout.split())
    assert not loaded & {"numpy", "pandas", "grafanalib", "requests", "rich", "bcrypt", "psycopg", "boto3", "httpx"}


def test_it_runs_where_standard_error_is_closed(tmp_path: Path) -> None:
    (tmp_path / "told.yml").write_text(GOOD)
    with subprocess.Popen(
        [*COMMAND, "--config", str(tmp_path / "told.yml"), "--listen", "127.0.0.1:0"],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        env=dict(os.environ),
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        process.stderr.close()
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_a_log_that_nobody_reads_holds_up_nothing(tmp_path: Path) -> None:
    """A pipe whose reader hangs: neither scrapes nor the end wait for it."""
    (tmp_path / "told.yml").write_text(GOOD)
    read, write = os.pipe()
    fcntl.fcntl(write, fcntl.F_SETPIPE_SZ, 4096)
    arguments = ["--config", str(tmp_path / "told.yml"), "--listen", "127.0.0.1:0", "--log-level", "debug"]
    with subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stderr=write) as process:
        os.close(write)
        port = _listens_on(process)
        for _ in range(100):
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
                assert answer.status == 200
        os.read(read, 4096)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    os.close(read)


def test_it_runs_where_the_standard_streams_were_closed(tmp_path: Path) -> None:
    """None of its files and sockets gets the number of one, and it ends as it should."""
    (tmp_path / "told.yml").write_text(GOOD)
    closing = ["sh", "-c", 'exec "$@" 0<&- 1>&- 2>&-', "sh"]
    command = [*closing, *COMMAND, "--config", str(tmp_path / "told.yml"), "--listen", "127.0.0.1:0"]
    with subprocess.Popen(command, cwd=ROOT) as process:
        with urllib.request.urlopen(f"http://127.0.0.1:{_listens_on(process)}/healthz", timeout=60) as answer:
            assert answer.status == 200
        for number in range(3):
            assert Path(f"/proc/{process.pid}/fd/{number}").readlink() == Path(os.devnull)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0


def test_more_clients_than_descriptors_keep_nobody_out(tmp_path: Path) -> None:
    limited = ["sh", "-c", 'ulimit -n 64; exec "$@"', "sh", *COMMAND]
    with sidecar(tmp_path, GOOD, command=limited) as running:
        crowd = [connected(running.port) for _ in range(200)]
        for _ in range(5):
            assert running.ask().status == 200
        for each in crowd:
            each.close()
        running.until(lambda seen: seen["process_open_fds",] < 40)
        assert "Too many open files" not in running.log.read_text()


def _listens_on(process: subprocess.Popen[bytes]) -> int:
    """The port that a process listens on, once it does: where its log is of no use, the kernel tells."""

    def ports() -> list[int]:
        assert process.poll() is None, f"it ended with {process.returncode}"
        folder = Path(f"/proc/{process.pid}")
        links = set()
        for each in (folder / "fd").iterdir():
            with suppress(OSError):  # closed meanwhile
                links.add(str(each.readlink()))
        lines = [line.split() for line in (folder / "net" / "tcp").read_text().splitlines()[1:]]
        listening = [line for line in lines if line[3] == "0A" and f"socket:[{line[9]}]" in links]
        return [int(line[1].rpartition(":")[2], 16) for line in listening]

    [port] = eventually(ports, bool)
    return port


def _refused(port: int) -> bool:
    try:
        connected(port).close()
    except OSError:
        return True
    return False
