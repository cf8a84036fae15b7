"""`sla-kit drill --schedule` as a command that stays: what was missed is caught up with once, and SIGTERM ends it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import yaml

from sla_kit.exporters.drill.results import Results, read_results
from tests.exporters.drill.drilling import Shop, evidence_lines
from tests.servers import Postgresql

pytestmark = pytest.mark.xdist_group("drill")
_PATIENCE_SECONDS = 120.0
_LONG_AGO = 1_600_000_000.0


def _configure(folder: Path, url: str) -> Path:
    """Two targets, of which each has a backup of its own."""
    document = {
        "dumps": [{
            "targets": ["shop", "blog"], "places": [{"type": "folder", "path": "backups"}],
            "pattern": "{target}.sql", "settle": "0s",
        }],
        "drill": {
            "targets": {"shop": {}, "blog": {}}, "scratch": {"url": url},
            # Not due again while the test runs, whatever day it is.
            "schedule": {"every": "weekly", "day": f"{datetime.now(UTC) + timedelta(days=3):%A}".lower()},
        },
    }  # fmt: skip
    path = folder / "backup.yml"
    path.write_text(yaml.safe_dump(document))
    return path


@contextmanager
def _staying(path: Path, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "sla_kit.exporters.drill", "-c", str(path), "--schedule", "declared", *more]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _until(what: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not what():
        assert time.monotonic() < deadline
        assert process.poll() is None, "it ended too early"
        time.sleep(0.02)  # between two looks, not instead of looking


def test_all_that_was_missed_is_drilled_once_and_sigterm_ends_it(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    path, results = _configure(tmp_path, scratch_server.url), tmp_path / "drill-results.json"
    for name in ("shop.sql", "blog.sql"):
        shop.backup(tmp_path / "backups", name, shop.dumps / "plain.sql")
    results.write_bytes(msgspec.json.encode(Results(since={"shop": _LONG_AGO, "blog": _LONG_AGO})))

    def kept() -> int:
        """How many drills are over, with all that is kept of them."""
        newest = read_results(results).newest
        return max((one.number for one in newest.values()), default=0)

    with _staying(path) as process:
        _until(lambda: kept() >= 2, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE_SECONDS) == 0
    totals = {name: one.totals for name, one in read_results(results).targets.items()}
    assert totals == {"shop": {"succeeded": 1}, "blog": {"succeeded": 1}}
    first, second = (one["evidence"] for one in evidence_lines(tmp_path))
    assert second["begun_at"] >= first["begun_at"] + first["duration_seconds"] - 0.01, "one after the other"

    # Down for weeks after the last drill of one of them: only that one is caught up with, and once.
    known = read_results(results)
    late = msgspec.structs.replace(known.targets["blog"], attempted_at=_LONG_AGO + 1)
    results.write_bytes(msgspec.json.encode(msgspec.structs.replace(known, targets={**known.targets, "blog": late})))
    with _staying(path) as process:
        _until(lambda: kept() >= 3, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE_SECONDS) == 0
    totals = {name: one.totals for name, one in read_results(results).targets.items()}
    assert totals == {"shop": {"succeeded": 1}, "blog": {"succeeded": 2}}


def test_sigterm_ends_the_drill_that_runs_as_a_failed_one_with_evidence(
    scratch_server: Postgresql, tmp_path: Path
) -> None:
    path = _configure(tmp_path, scratch_server.url)
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "shop.sql").write_text("CREATE TABLE t (a int);\nSELECT pg_sleep(3601);\n")
    now = time.time()
    (tmp_path / "drill-results.json").write_bytes(msgspec.json.encode(Results(since={"shop": _LONG_AGO, "blog": now})))

    def asleep() -> bool:
        import psycopg

        with psycopg.connect(scratch_server.url) as connection:
            statement = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3601)%' AND pid <> pg_backend_pid()"
            return connection.execute(statement).fetchone() is not None

    with _staying(path) as process:
        _until(asleep, process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(_PATIENCE_SECONDS) == 0
    assert not asleep()
    [record] = evidence_lines(tmp_path)
    assert record["evidence"]["outcome"] == "failed"
    assert "SIGTERM" in record["evidence"]["reason"]
