"""A run that is killed loses nothing: run again, the ledger is that of a run in peace, bit for bit."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from sla_kit.history import HistorySource
from sla_kit.ledger import closing, open_ledger
from sla_kit.ledger.exporting import export
from sla_kit.ledger.verifying import verify_ledger
from sla_kit.simulate import simulate
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Grid, Timeline
from tests.forking import in_another_process
from tests.ledger.keeping import CATALOGUE, Content, content, differences, scenario, update

pytestmark = pytest.mark.timeout(900)
#: A killed run must not hang either.
PATIENCE = 200.0


class Remembered:
    """A source that has every answer at hand once it was given, so that a run is mostly writing."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._known: dict[tuple[tuple[str, str], Grid], Timeline] = {}

    name = "recording"

    def span(self) -> tuple[int, int] | None:
        return self._source.span()

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        missing = [one for one in indicators if (one.key, grid) not in self._known]
        self._known.update({(one.key, grid): timeline for one, timeline in self._source.fetch(missing, grid)})
        return iter([(one, self._known[one.key, grid]) for one in indicators])

    def close(self) -> None:
        """There is nothing to let go of."""


def killed_after(child: int, seconds: float) -> bool:
    """Kills a process after some time; whether it was still running then."""
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def killed_in_commit(address: str, source: Source, number: int, seconds: float) -> bool:
    """Starts a run and kills it ``seconds`` after its commit of some number has begun; whether it came to that."""
    reading, writing = os.pipe()

    def work() -> None:
        event.listen(Engine, "commit", lambda connection: os.write(writing, b"."))
        update(address, source)

    child = in_another_process(work)
    os.close(writing)
    try:
        for _ in range(number):
            assert select.select([reading], [], [], PATIENCE)[0], "the run hangs"
            if not os.read(reading, 1):
                return os.WIFSIGNALED(os.waitpid(child, 0)[1])
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            pass  # shorter than any sleep
        os.kill(child, signal.SIGKILL)
        return os.WIFSIGNALED(os.waitpid(child, 0)[1])
    finally:
        os.close(reading)


def part_of(found: Content, whole: Content) -> bool:
    """Whether each row of the one is a row of the other."""
    return all(set(rows) <= set(whole[table]) for table, rows in found.items())


def assert_undisturbed(address: str, source: Source, expected: Content) -> None:
    """A clean run makes of it what a run in peace would have made, and finds it all sound."""
    update(address, source)
    with open_ledger(address, create=False) as ledger:
        assert not differences(content(ledger), expected)
        assert verify_ledger(ledger) == []


def exported(address: str, path: Path) -> bytes:
    with open_ledger(address, create=False) as ledger:
        export(ledger, path)
    return path.read_bytes()


@pytest.mark.parametrize("seed", range(4))
def test_fifty_kills_at_random_instants(
    seed: int, recording: HistorySource, undisturbed: Path, expected: Content, tmp_path: Path
) -> None:
    chance = random.Random(seed)
    source: Source = recording if seed == 0 else Remembered(recording)
    began = time.perf_counter()
    update(str(tmp_path / "first.db"), source)
    if seed:
        began = time.perf_counter()
        update(str(tmp_path / "second.db"), source)
    whole = min(time.perf_counter() - began, 0.5)  # on a busy machine it may seem long
    kills = ledgers = 0
    while kills < 50:
        address = str(tmp_path / f"{ledgers}.db")
        for _ in range(20):  # where a run takes long all kills would hit the first ledger's
            # Half of the kills of a new file fall into its making.
            soon = not Path(address).exists() and chance.random() < 0.5
            seconds = chance.uniform(0, 0.03 if soon else whole)
            if not killed_after(in_another_process(partial(update, address, source)), seconds):
                break
            kills += 1
            if chance.random() < 0.2 and Path(address).exists():
                with open_ledger(address) as ledger:
                    assert verify_ledger(ledger) == []
                    assert part_of(content(ledger), expected)
            if kills >= 50:
                break
        assert_undisturbed(address, source, expected)
        ledgers += 1
    assert ledgers > 1
    last = exported(str(tmp_path / f"{ledgers - 1}.db"), tmp_path / "left.parquet")
    assert last == exported(str(undisturbed), tmp_path / "right.parquet")


def test_forty_kills_while_a_commit_is_on_its_way(
    recording: HistorySource, expected: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chance = random.Random(40)
    source = Remembered(recording)
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)
    update(str(tmp_path / "first.db"), source)
    kills = ledgers = 0
    while kills < 40:
        address = str(tmp_path / f"{ledgers}.db")
        while killed_in_commit(address, source, chance.randint(1, 6), chance.choice([0, chance.uniform(0, 0.004)])):
            kills += 1
        assert_undisturbed(address, source, expected)
        ledgers += 1


def test_thirty_kills_with_postgresql(
    recording: HistorySource, database: str, expected: Content, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    chance = random.Random(30)
    source = Remembered(recording)
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)
    kills = 0
    while kills < 30:
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP SCHEMA public CASCADE")
            connection.execute("CREATE SCHEMA public")
        while True:
            if chance.random() < 0.5:
                killed = killed_in_commit(database, source, chance.randint(1, 6), chance.uniform(0, 0.004))
            else:
                killed = killed_after(in_another_process(lambda: update(database, source)), chance.uniform(0, 0.3))
            if not killed:
                break
            kills += 1
        assert_undisturbed(database, source, expected)


def test_the_command_itself_may_be_killed(expected: Content, undisturbed: Path, tmp_path: Path) -> None:
    simulate(scenario()).write(tmp_path / "history")
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    command = [sys.executable, "-c", "from sla_kit.cli import main; main()", "ledger", "update", "--source", "history"]
    chance = random.Random(5)
    kills, longest = 0, 0.6
    while kills < 4:
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as running:
            until = time.monotonic() + PATIENCE
            while not (tmp_path / "ledger.db").exists() and running.poll() is None and time.monotonic() < until:
                time.sleep(0.001)  # between two looks: it must have begun
            time.sleep(chance.uniform(0, longest))
            running.kill()
            running.wait()
        if running.returncode == -signal.SIGKILL:
            kills += 1
        else:  # it was done before: once more from the beginning, and sooner
            assert running.returncode == 0
            for file in tmp_path.glob("ledger.db*"):
                file.unlink()
            longest /= 2
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert not differences(content(str(tmp_path / "ledger.db")), expected)
