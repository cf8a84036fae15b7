"""The file of sums: exact after kills at any instant, shared by threads and processes, clear where it is no use."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from sla_kit.exporters.sidecar.collector import CollectError
from sla_kit.exporters.sidecar.counters import Counters, Watermark
from tests.exporters.sidecar.sidecars import eventually

#: Counts what a log says, from where it was, and from its beginning once it has come to its end: it never stops. It
#: says nothing of what it does but in the file.
WRITER = """
import sys
from pathlib import Path
from sla_kit.exporters.sidecar.counters import Counters
counters = Counters(Path(sys.argv[1]))
rows = [int(line) for line in Path(sys.argv[2]).read_text().split()]
print("ready", flush=True)
while True:
    with counters.transaction():
        at = counters.watermark("log") or 0
        for index in range(at, at + 3):
            amount = rows[index % len(rows)]
            counters.add("sum_total", {"odd": str(amount % 2)}, amount)
            counters.add("rows_total", {}, 1)
        counters.set_watermark("log", at + 3)
"""


def test_totals_are_the_truth_after_kills_at_random_instants(tmp_path: Path) -> None:
    chance = random.Random(20260112)
    rows = [chance.randrange(1000) for _ in range(2_000)]
    (tmp_path / "log").write_text(" ".join(map(str, rows)))
    file, before = tmp_path / "state.db", 0

    def counted() -> int:
        counters = Counters(file)
        at = counters.watermark("log") or 0
        counters.close()
        assert isinstance(at, int)
        return at

    for _ in range(12):
        command = [sys.executable, "-c", WRITER, str(file), str(tmp_path / "log")]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            eventually(counted, before.__lt__)  # it is at work, and goes on for as long as it lives
            time.sleep(chance.uniform(0, 0.05))  # the instant, not a wait
            process.kill()
            assert process.wait(120) == -signal.SIGKILL
        counters = Counters(file)
        at = counters.watermark("log")
        assert isinstance(at, int)
        rounds, rest = divmod(at, len(rows))
        sums = {labels["odd"]: amount for labels, amount in counters.totals("sum_total")}
        for odd in ("0", "1"):
            whole, part = (sum(amount for amount in some if amount % 2 == int(odd)) for some in (rows, rows[:rest]))
            assert sums.get(odd, 0) == rounds * whole + part
        assert sum(amount for _, amount in counters.totals("rows_total")) == at
        counters.close()
        before = at


def test_what_raises_inside_a_transaction_leaves_nothing(tmp_path: Path) -> None:
    counters = Counters(tmp_path / "state.db")
    counters.add("n_total", {}, 1)

    def half() -> None:
        with counters.transaction():
            counters.add("n_total", {}, 10)
            counters.set_watermark("q", 5)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert counters.totals("n_total") == [({}, 1.0)]
    assert counters.watermark("q") is None


@pytest.mark.parametrize(
    "value",
    [
        7,
        2**62,
        0.1,
        "2026-01-01",
        "größer ✓",
        Decimal("1.10"),
        datetime(2026, 1, 1, 1, 2, 3, 456789, tzinfo=UTC),
        datetime(2026, 1, 1),
    ],
)
def test_watermarks_come_back_as_they_were(tmp_path: Path, value: Watermark) -> None:
    counters = Counters(tmp_path / "state.db")
    counters.set_watermark("q", 1)
    counters.set_watermark("q", value)
    counters.close()
    found = counters.watermark("q")
    assert (found, type(found)) == (value, type(value))


def test_threads_and_processes_add_to_one_file(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    every = [Counters(file) for _ in range(3)]

    def add(counters: Counters) -> None:
        for _ in range(100):
            counters.add("n_total", {"a": "ü\n"}, 1)

    threads = [threading.Thread(target=add, args=(counters,)) for counters in every for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert every[0].totals("n_total") == [({"a": "ü\n"}, 600.0)]


@pytest.mark.parametrize("amount", [-1, float("nan"), float("inf")])
def test_a_counter_does_not_grow_by_what_it_can_not(tmp_path: Path, amount: float) -> None:
    with pytest.raises(ValueError, match="can't grow"):
        Counters(tmp_path / "state.db").add("n_total", {}, amount)


def failure(counters: Counters) -> CollectError:
    with pytest.raises(CollectError) as caught:
        counters.add("n_total", {}, 1)
    assert caught.value.kind == "internal"
    assert str(counters.path) in str(caught.value)
    return caught.value


def filled(file: Path, series: int = 500) -> None:
    counters = Counters(file)
    with counters.transaction():
        for number in range(series):
            counters.add("n_total", {"number": f"{number:050}"}, 1)
    counters.close()


def test_a_damaged_file_is_told_and_not_begun_anew(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    filled(file)
    whole = file.read_bytes()
    for content in (
        whole[: len(whole) // 2],
        b"no database at all, but a text" * 200,
        whole[:4096] + random.Random(5).randbytes(len(whole) - 4096),
    ):
        file.write_bytes(content)
        for wal in tmp_path.glob("state.db-*"):
            wal.unlink()
        assert "damaged" in failure(Counters(file)).message
        assert file.read_bytes() == content


def test_a_database_of_something_else_is_not_touched(tmp_path: Path) -> None:
    file = tmp_path / "shop.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE users (id)")
    connection.close()
    before = file.read_bytes()
    assert "something else" in failure(Counters(file)).message
    assert file.read_bytes() == before


def test_a_file_of_a_newer_form_is_told(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    filled(file, 1)
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA user_version = 9")
    connection.close()
    assert "has form 9" in failure(Counters(file)).message


def test_a_folder_that_is_missing_or_not_to_be_written_is_told(tmp_path: Path) -> None:
    assert "can't be opened" in failure(Counters(tmp_path / "missing" / "state.db")).message
    assert "can't be opened" in failure(Counters(tmp_path)).message  # a folder


def test_a_locked_file_is_told_and_good_again_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sla_kit.exporters.sidecar.counters._WAIT_SECONDS", 0.05)
    file = tmp_path / "state.db"
    filled(file, 1)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    counters = Counters(file)
    assert "another process holds it" in failure(counters).message
    holder.execute("ROLLBACK")
    counters.add("m_total", {}, 2)
    assert counters.totals("m_total") == [({}, 2.0)]


def test_a_file_made_read_only_while_it_is_open_is_told(tmp_path: Path) -> None:
    file = tmp_path / "state.db"
    counters = Counters(file)
    counters.add("n_total", {}, 1)
    with counters.transaction():
        pass
    connection = counters._connection
    assert connection is not None
    connection.execute("PRAGMA query_only = ON")  # as root, no right of a file holds
    error = failure(counters)
    assert "can't be" in error.message
    connection.execute("PRAGMA query_only = OFF")
    assert counters.totals("n_total") == [({}, 1.0)]


def test_a_rehearsal_counts_and_keeps_nothing(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    rehearsing = Counters(path, rehearsing=True)
    with rehearsing.transaction():
        rehearsing.add("a_total", {"x": "1"}, 5)
        assert rehearsing.totals("a_total") == [({"x": "1"}, 5)]
    rehearsing.close()
    assert list(tmp_path.iterdir()) == []
    counters = Counters(path)
    counters.add("a_total", {"x": "1"}, 2)
    rehearsing = Counters(path, rehearsing=True)
    with rehearsing.transaction():
        rehearsing.add("a_total", {"x": "1"}, 5)
        rehearsing.set_watermark("q", 7)
        assert rehearsing.totals("a_total") == [({"x": "1"}, 7)]
    assert rehearsing.watermark("q") is None
    rehearsing.close()
    assert counters.totals("a_total") == [({"x": "1"}, 2)]
    assert counters.watermark("q") is None
    counters.close()


def taken_away(file: Path) -> None:
    for each in file.parent.glob(file.name + "*"):
        each.unlink()


def test_what_is_counted_after_the_file_was_taken_away_is_kept_where_it_can_be_found(tmp_path: Path) -> None:
    """It would go on in a file without a name, and all of it be lost at the end of the process."""
    file = tmp_path / "state.db"
    counters = Counters(file)
    counters.add("n_total", {}, 5)
    taken_away(file)
    assert counters.totals("n_total") == []
    counters.add("n_total", {}, 2)
    counters.close()
    assert Counters(file).totals("n_total") == [({}, 2.0)]


def test_a_copy_that_is_put_back_counts_at_once(tmp_path: Path) -> None:
    file, copy = tmp_path / "state.db", tmp_path / "copy.db"
    counters = Counters(file)
    counters.add("n_total", {}, 5)
    counters.close()
    copy.write_bytes(file.read_bytes())
    counters.add("n_total", {}, 70)
    taken_away(file)
    copy.rename(file)
    assert counters.totals("n_total") == [({}, 5.0)]
    counters.add("n_total", {}, 1)
    counters.close()
    assert Counters(file).totals("n_total") == [({}, 6.0)]
