"""A drill that is stopped or killed leaves nothing behind that the next one does not take away; two wait for each
other."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from sla_kit.exporters.drill.folders import clean_remains
from tests.exporters.drill.drilling import Shop, configure, drill, evidence_lines
from tests.servers import Postgresql

pytestmark = pytest.mark.xdist_group("drill")
_PATIENCE_SECONDS = 120.0


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for scratch folders, with a path as short as a Unix socket wants it."""
    path = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def _until(what: Callable[[], bool], process: subprocess.Popen[bytes] | None = None) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        assert process is None or process.poll() is None, "it ended too early"
        time.sleep(0.02)  # between two looks, not instead of looking


def _started(path: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "sla_kit.exporters.drill", "-c", str(path)])


def _working_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if folder in (entry / "cwd").readlink().parents:
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _slow(tmp_path: Path, scratch: Path) -> Path:
    """A drill that is busy for as long as it may be."""
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "slow.sql").write_text("CREATE TABLE t (a int);\nSELECT pg_sleep(3600);\n")
    return configure(tmp_path, "slow.sql", scratch={"folder": str(scratch)}, checks=[{"kind": "readable"}])


def _restoring(scratch: Path) -> bool:
    for folder in scratch.glob("sla-kit-drill-*/s"):
        try:
            with psycopg.connect(host=str(folder), user="sla_kit_scratch", dbname="postgres") as connection:
                found = connection.execute("SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep%3600%'"
                                           " AND pid <> pg_backend_pid()").fetchone()  # fmt: skip
                return found is not None
        except psycopg.Error:
            return False
    return False


def test_a_killed_drill_leaves_nothing_running_and_the_next_one_cleans_up(
    shop: Shop, tmp_path: Path, scratch: Path
) -> None:
    process = _started(_slow(tmp_path, scratch))
    _until(lambda: _restoring(scratch), process)
    process.kill()
    process.wait()
    _until(lambda: not _working_in(scratch))
    [remains] = scratch.iterdir()
    assert (remains.stat().st_mode & 0o777) == 0o700
    shop.backup(tmp_path / "backups", "slow.sql", shop.dumps / "plain.sql")
    evidence, failure = drill(configure(tmp_path, "slow.sql", scratch={"folder": str(scratch)}))
    assert failure is None, failure
    assert evidence.outcome == "succeeded"
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_drill_cleans_up_and_is_recorded_as_failed(
    number: signal.Signals, tmp_path: Path, scratch: Path
) -> None:
    process = _started(_slow(tmp_path, scratch))
    _until(lambda: _restoring(scratch), process)
    process.send_signal(number)
    assert process.wait(_PATIENCE_SECONDS) == 1
    assert list(scratch.iterdir()) == []
    _until(lambda: not _working_in(scratch))
    [record] = evidence_lines(tmp_path)
    assert record["evidence"]["outcome"] == "failed"
    assert record["evidence"]["failed_step"] == "restore"
    assert number.name in record["evidence"]["reason"]


def test_a_drill_that_takes_too_long_is_given_up(tmp_path: Path, scratch: Path) -> None:
    _slow(tmp_path, scratch)
    path = configure(
        tmp_path, "slow.sql", scratch={"folder": str(scratch)}, checks=[{"kind": "readable"}], timeout="15s"
    )
    evidence, failure = drill(path)
    assert failure is not None
    assert evidence.outcome == "failed"
    assert "given up after 15 s" in evidence.reason
    assert list(scratch.iterdir()) == []


def test_the_folder_of_a_running_drill_is_no_remains(tmp_path: Path, scratch: Path) -> None:
    process = _started(_slow(tmp_path, scratch))
    try:
        _until(lambda: _restoring(scratch), process)
        assert clean_remains(str(scratch)) == []
        assert _restoring(scratch)
    finally:
        process.terminate()
        process.wait()


def test_a_second_drill_of_the_target_waits_for_the_first(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    # The first one's restore is not over before a role is there.
    waits = (
        b"DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'go_on') LOOP PERFORM pg_sleep(0.02);"
        b" END LOOP; END $$;\n"
    )
    end = b"-- PostgreSQL database dump complete"
    shop.backup(tmp_path / "backups", "shop", (shop.dumps / "plain.sql").read_bytes().replace(end, waits + end))
    path = configure(tmp_path, "shop", scratch={"url": scratch_server.url})
    command = [sys.executable, "-m", "sla_kit.exporters.drill", "-c", str(path)]
    said = [tmp_path / "first", tmp_path / "second"]
    both: list[subprocess.Popen[bytes]] = []
    try:
        for each in said:
            with each.open("wb") as output:
                both.append(subprocess.Popen(command, stdout=output, stderr=output))
            if len(both) == 1:
                _until(lambda: _runs(scratch_server, "%go_on%"), both[0])
        _until(lambda: "another drill of shop is running" in said[1].read_text(), both[1])
        assert both[0].poll() is None
        scratch_server.run("CREATE ROLE go_on")
        codes = [process.wait(_PATIENCE_SECONDS) for process in both]
    finally:
        for process in both:
            process.kill()
            process.wait()
        scratch_server.run("DROP ROLE IF EXISTS go_on")
    assert codes == [0, 0], [each.read_text() for each in said]
    first, second = (line["evidence"] for line in evidence_lines(tmp_path))
    assert second["begun_at"] >= first["begun_at"] + first["duration_seconds"] - 0.01


def _runs(server: Postgresql, like: str) -> bool:
    """Whether a server runs such a statement."""
    with psycopg.connect(server.url) as connection:
        statement = "SELECT 1 FROM pg_stat_activity WHERE query LIKE %s AND pid <> pg_backend_pid()"
        return connection.execute(statement, (like,)).fetchone() is not None


def test_scratch_can_be_kept_to_look_at(shop: Shop, tmp_path: Path, scratch: Path) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"folder": str(scratch)}), keep_scratch=True)
    assert failure is None, failure
    assert evidence.outcome == "succeeded"
    [kept] = scratch.iterdir()
    assert (kept / "data" / "PG_VERSION").exists()
    assert clean_remains(str(scratch)) == []
    _until(lambda: not _working_in(scratch))


def test_a_server_that_is_killed_itself_is_a_failed_drill_and_leaves_no_shared_memory(
    tmp_path: Path, scratch: Path
) -> None:
    process = _started(_slow(tmp_path, scratch))
    try:
        _until(lambda: _restoring(scratch), process)
        [lock] = scratch.glob("sla-kit-drill-*/data/postmaster.pid")
        lines = lock.read_text().splitlines()
        segment = lines[6].split()[1]
        assert segment in _segments()
        os.kill(int(lines[0]), signal.SIGKILL)
        assert process.wait(_PATIENCE_SECONDS) == 1
    finally:
        process.kill()
        process.wait()
    assert evidence_lines(tmp_path)[-1]["evidence"]["failed_step"] == "restore"
    assert list(scratch.iterdir()) == []
    _until(lambda: segment not in _segments())  # the last of its processes lets go of it


def _segments() -> set[str]:
    return {line.split()[1] for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]}


def test_a_full_disk_below_the_server_is_told_as_such(tmp_path: Path, scratch: Path) -> None:
    from sla_kit.exporters.drill.scratch import _fatal

    log = tmp_path / "log"
    log.write_text(
        "2026-11-27 01:00:00.000 UTC [1] LOG:  started\n2026-11-27 01:00:01.000 UTC [2] PANIC:  could not write to file"
        ' "pg_wal/xlogtemp.2": No space left on device\n2026-11-27 01:00:02.000 UTC [1] LOG:  terminating\n'
    )
    assert _fatal(log) == 'PANIC:  could not write to file "pg_wal/xlogtemp.2": No space left on device'
    log.write_text("2026-11-27 01:00:00.000 UTC [1] ERROR:  relation t does not exist\n")
    assert _fatal(log) == ""


@pytest.mark.parametrize("more", [["--at", "2026-01-01T00:00:00Z"], ["--keep-scratch"], ["--json"]])
def test_a_schedule_takes_no_options_that_it_would_not_follow(more: list[str], tmp_path: Path, scratch: Path) -> None:
    path = _slow(tmp_path, scratch)
    done = CliRunner().invoke(main, ["drill", "-c", str(path), "--schedule", "weekly", *more])
    assert done.exit_code == 2
    assert "--schedule goes with none" in done.output
