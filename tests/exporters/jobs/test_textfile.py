"""The text file is whole whatever happens, read by a real node_exporter, and safe whatever a job is called."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.errors import SlaKitError
from sla_kit.exporters import Textfile, job
from sla_kit.exporters.jobs.state import State
from sla_kit.exporters.jobs.textfile import file_name
from tests.exporters.jobs.reading import told, told_in

names = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=1000)


@given(first=names, second=names)
@settings(deadline=None)
def test_a_files_name_stays_in_its_folder_and_is_one_jobs_alone(first: str, second: str) -> None:
    name = file_name(first)
    assert Path(name).name == name
    assert len(name.encode()) < 240
    assert name.isascii()
    assert name.endswith(".prom")
    assert name.startswith("sla_job_")
    assert (name == file_name(second)) == (first == second)


def test_names_that_are_alike_at_first_and_one_that_looks_cut_are_told_apart() -> None:
    long = "a" * 500
    cut = file_name(long).removeprefix("sla_job_").removesuffix(".prom")
    every = [long, long + "b", cut, "..", "../../etc/passwd", "a~b", "a%7Eb", ".", "a b", "a+b", "a%20b"]
    assert len({file_name(each) for each in every}) == len(every)


def test_any_user_may_read_the_file_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with job("nightly", to=Textfile(tmp_path)):
            pass
    finally:
        os.umask(before)
    [file] = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o644


def test_a_success_survives_failures_and_a_damaged_file_is_replaced(tmp_path: Path) -> None:
    nightly = job("nightly", to=Textfile(tmp_path), expected_every="1d", expected_within=600)
    with nightly as run:
        run.processed(3, "rows")
        run.processed(2, "rows")
        run.processed()
    good = told_in(tmp_path, "nightly")
    assert good["sla_job_last_success"] == 1
    assert good["sla_job_last_success_timestamp_seconds"] == good["sla_job_last_end_timestamp_seconds"]
    assert good["sla_job_failures_total"] == 0
    assert (good["sla_job_records_processed", "rows"], good["sla_job_records_processed", ""]) == (5, 1)
    assert (good["sla_job_expected_interval_seconds"], good["sla_job_expected_duration_seconds"]) == (86400, 600)
    for count in (1, 2):
        with pytest.raises(ZeroDivisionError), nightly:
            _ = 1 / 0
        bad = told_in(tmp_path, "nightly")
        assert (bad["sla_job_last_success"], bad["sla_job_failures_total"]) == (0, count)
        assert bad["sla_job_last_success_timestamp_seconds"] == good["sla_job_last_success_timestamp_seconds"]
        assert ("sla_job_last_failure_timestamp_seconds", "ZeroDivisionError") in bad
    [file] = tmp_path.glob("*.prom")
    for damaged in ("sla_job_last_success{ 1\n", "\xff\xfe", 'sla_job_failures_total{job_name="nightly"} x\n', ""):
        file.write_text(damaged, encoding="latin-1")
        with nightly as run:
            pass
        assert run.delivered
        assert told_in(tmp_path, "nightly")["sla_job_last_success"] == 1


def test_a_folder_that_is_not_there_or_full_of_something_else_breaks_no_job(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "missing", tmp_path / "file"):
        done = []
        lost = job("nightly", to=Textfile(folder))
        with lost as run:
            done.append(1)
        assert done == [1]
        assert run.delivered is False
        assert lost.undelivered == 2
        assert str(folder) in caplog.text
    with pytest.raises(SlaKitError, match="can't be written"):
        Textfile(tmp_path / "missing").update("nightly", lambda before: State(), 1.0)


WRITER = """
import sys
from sla_kit.exporters.jobs.state import State
from sla_kit.exporters.jobs.textfile import Textfile
place, number = Textfile(sys.argv[1]), 0
while True:
    number += 1
    records = {f"kind {each}": float(number) for each in range(2000)}
    place.update("big", lambda before: State(last_start=float(number), records=records), 60.0)
    print(number, flush=True)
"""


def test_a_writer_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    """Killed at random moments of many writes; a reader looks all the while, and the next writer goes on."""
    torn: list[str] = []
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            for file in tmp_path.glob("*.prom"):
                found = told(file.read_text(), "big")
                values = {value for key, value in found.items() if key[0] == "sla_job_records_processed"}
                if values != {found.get("sla_job_last_start_timestamp_seconds")} or len(found) != 2001:
                    torn.append(f"{len(found)} samples with {values}")

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for number in range(12):
            with subprocess.Popen(
                [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
            ) as writer:
                assert writer.stdout is not None
                assert writer.stdout.readline()
                for _ in range(number % 4):
                    writer.stdout.readline()
                time.sleep(number * 0.003)  # another moment of a write each time
                os.kill(writer.pid, signal.SIGKILL)
    finally:
        over.set()
        reader.join()
    assert torn == []
    with job("big", to=Textfile(tmp_path)) as run:
        pass
    assert run.delivered
    assert [file.name for file in tmp_path.iterdir()] == ["sla_job_big.prom"]


def test_the_same_job_many_times_at_once_loses_no_failure(tmp_path: Path) -> None:
    program = (
        "import sys; from sla_kit.exporters import Textfile, job\n"
        "for _ in range(5):\n"
        "    try:\n"
        "        with job('same', to=Textfile(sys.argv[1])): raise KeyError\n"
        "    except KeyError: pass\n"
    )
    many = [subprocess.Popen([sys.executable, "-c", program, str(tmp_path)]) for _ in range(4)]
    assert [each.wait() for each in many] == [0] * 4
    assert told_in(tmp_path, "same")["sla_job_failures_total"] == 20


def test_a_folder_that_another_holds_is_waited_for_only_so_long(tmp_path: Path) -> None:
    import fcntl

    descriptor = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        with pytest.raises(SlaKitError, match="has held the folder"):
            Textfile(tmp_path).update("nightly", lambda before: State(), 0.1)
    finally:
        os.close(descriptor)
    Textfile(tmp_path).update("nightly", lambda before: State(last_start=1.0), 60.0)
