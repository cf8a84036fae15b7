"""The wrapper of commands: they run, end and are signalled as without it, and their end is recorded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exporters.jobs.reading import told_in

WRAPPED = [sys.executable, "-m", "sla_kit.exporters.jobs"]


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*WRAPPED, "--textfile", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, input="typed\n")


def test_a_command_keeps_its_streams_its_arguments_and_its_end(tmp_path: Path) -> None:
    done = run(tmp_path, "--expected-every", "1d", "nightly", "--", "sh", "-c", 'cat; echo "$1" >&2', "sh", "-x --y")
    assert (done.returncode, done.stdout, done.stderr) == (0, "typed\n", "-x --y\n")
    found = told_in(tmp_path, "nightly")
    assert (found["sla_job_last_success"], found["sla_job_last_exit_code"]) == (1, 0)
    assert found["sla_job_expected_interval_seconds"] == 86400


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (["sh", "-c", "exit 3"], 3, "exit code 3"),
        (["sh", "-c", "kill -KILL $$"], 137, "SIGKILL"),
        (["sh", "-c", "kill -SEGV $$"], 139, "SIGSEGV"),
        (["/no/such/program"], 127, "command not found"),
        (["/etc/passwd"], 126, "command not executable"),
    ],
)
def test_a_command_that_fails_passes_its_code_on(command: list[str], code: int, reason: str, tmp_path: Path) -> None:
    assert run(tmp_path, "nightly", *command).returncode == code
    found = told_in(tmp_path, "nightly")
    assert (found["sla_job_last_success"], found["sla_job_last_exit_code"]) == (0, code)
    assert ("sla_job_last_failure_timestamp_seconds", reason) in found


@pytest.mark.parametrize("name", ["TERM", "HUP", "USR1", "INT"])
def test_signals_reach_the_command_which_ends_as_it_likes(name: str, tmp_path: Path) -> None:
    script = f"trap 'echo caught; exit 5' {name}; echo ready; while :; do sleep 0.01; done"
    command = [*WRAPPED, "--textfile", str(tmp_path), "nightly", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.stdout.read() == "caught\n"
        assert process.wait() == 5
    assert told_in(tmp_path, "nightly")["sla_job_last_exit_code"] == 5


def test_sigterm_that_the_command_does_not_catch_is_recorded_as_its_end(tmp_path: Path) -> None:
    command = [*WRAPPED, "--textfile", str(tmp_path), "nightly", "--", "sh", "-c", "echo ready; exec sleep 1000"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait() == 143
    assert ("sla_job_last_failure_timestamp_seconds", "SIGTERM") in told_in(tmp_path, "nightly")


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    script = "kill -HUP $$; kill -HUP $PPID; echo alive"
    done = subprocess.run(
        ["nohup", *WRAPPED, "--textfile", str(tmp_path), "nightly", "--", "sh", "-c", script],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (done.returncode, done.stdout) == (0, "alive\n")


def test_mistakes_and_nowhere_to_tell(tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SLA_KIT_")}
    touched = tmp_path / "touched"

    def bare(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*WRAPPED, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)

    done = bare("--strict", "nightly", "--", "touch", str(touched))
    assert done.returncode == 2
    assert "nothing says where" in done.stderr
    assert "Traceback" not in done.stderr
    assert not touched.exists()
    done = bare("--expected-every", "soon", "nightly", "--", "touch", str(touched))
    assert done.returncode == 2
    assert not touched.exists()
    assert bare("nightly").returncode == 2
    done = bare("nightly", "--", "touch", str(touched))
    assert done.returncode == 0
    assert done.stderr.count("nothing says where") == 1
    assert touched.exists()
    done = bare("--pushgateway", "http://127.0.0.1:9", "nightly", "--", "sh", "-c", "exit 4")
    assert done.returncode == 4
    assert "can't be pushed" in done.stderr
