"""What can go wrong around a ledger: a clear error that names the place and what to do, and nothing lost."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextlib import closing as closed
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from sla_kit.errors import LedgerError
from sla_kit.history import HistorySource
from sla_kit.ledger import closing, open_ledger, store
from sla_kit.ledger.verifying import verify_ledger
from tests.forking import ended_well, in_another_process
from tests.ledger.keeping import START, Content, content, differences, shop, update
from tests.servers import Postgresql, postgresql
from tests.servers.postgresql import GUEST, OWNER, PASSWORD

#: Bytes that hold the tables and some of the four weeks.
ROOM, PAGES = 1_040_000, 20


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], object]]:
    """A file system of some kilobytes where one can be mounted, else `few_pages`. Yields what gives it room."""
    folder.mkdir()
    sudo = [] if os.geteuid() == 0 else ["sudo", "-n"]

    def mount(*options: str) -> bool:
        try:
            return subprocess.run([*sudo, "mount", *options, folder], capture_output=True).returncode == 0
        except FileNotFoundError:
            return False

    if not mount("-t", "tmpfs", "-o", f"size={ROOM},mode=0777", "tmpfs"):
        folder.rmdir()
        with few_pages(folder) as give_room:
            yield give_room
        return
    try:
        yield lambda: mount("-o", "remount,size=64m")
    finally:
        subprocess.run([*sudo, "umount", folder], check=True)


@contextmanager
def few_pages(folder: Path) -> Iterator[Callable[[], object]]:
    """A database of few pages, which SQLite refuses to let grow as it does on a full disk."""
    folder.mkdir()

    def limit(connection: Any, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {PAGES}")

    event.listen(Engine, "connect", limit)
    try:
        yield lambda: event.remove(Engine, "connect", limit)
    finally:
        if event.contains(Engine, "connect", limit):
            event.remove(Engine, "connect", limit)


@pytest.mark.parametrize("disk", [small_disk, few_pages])
def test_a_full_disk_keeps_what_was_committed_and_a_rerun_with_room_does_the_rest(
    disk: Callable[[Path], AbstractContextManager[Callable[[], object]]],
    recording: HistorySource,
    expected: Content,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)
    with disk(tmp_path / "disk") as give_room:
        address = str(tmp_path / "disk" / "ledger.db")
        with pytest.raises(LedgerError) as caught:
            update(address, recording)
        assert "the disk is full" in caught.value.message
        assert caught.value.place == address
        assert "make room and run the same command again" in (caught.value.remedy or "")
        give_room()
        with open_ledger(address, create=False) as ledger:
            kept = content(ledger)
            assert verify_ledger(ledger) == []
        assert 0 < len(kept["day"]) < len(expected["day"])
        assert set(kept["day"]) <= set(expected["day"])
        update(address, recording)
        assert not differences(content(address), expected)


def test_a_file_that_may_not_grow_is_told_as_a_disk_that_failed(
    recording: HistorySource, expected: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_COMMIT_INDICATORS", 1)
    address = str(tmp_path / "ledger.db")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises(LedgerError, match=r"the disk (failed|is full)") as caught:
            update(address, recording)
        assert caught.value.remedy

    assert ended_well(in_another_process(limited))
    update(address, recording)
    assert not differences(content(address), expected)


def test_a_held_ledger_is_waited_for_and_then_named(
    recording: HistorySource, expected: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = str(tmp_path / "ledger.db")
    open_ledger(address).close()
    monkeypatch.setattr(store, "_PATIENCE_SECONDS", 0.2)
    holder = sqlite3.connect(address, isolation_level=None)
    with closed(holder):
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(LedgerError, match="another program holds the ledger") as caught:
            update(address, recording)
        assert caught.value.place == address
        assert "nothing is lost" in (caught.value.remedy or "")
        holder.execute("ROLLBACK")
    update(address, recording)
    assert not differences(content(address), expected)


def as_nobody(work: Callable[[], None]) -> None:
    """Runs it as somebody whom permissions concern: root may do everything."""

    def lowered() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        work()

    assert ended_well(in_another_process(lowered))


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that anybody can reach; none of pytest's, which any run that begins closes to others."""
    with tempfile.TemporaryDirectory(prefix="sla-kit-open-") as name:
        made = Path(name).resolve()
        for folder in (made, *made.parents):
            if folder.owner() == Path.home().owner() and folder != Path("/"):
                folder.chmod(folder.stat().st_mode | 0o055)
        yield made
        made.chmod(0o755)


def test_a_ledger_that_may_not_be_written_is_an_error_that_says_so(undisturbed: Path, open_folder: Path) -> None:
    path = Path(shutil.copy(undisturbed, open_folder / "ledger.db"))
    path.chmod(0o444)
    open_folder.chmod(0o555)

    def refused() -> None:
        with pytest.raises(LedgerError, match=r"can.t be written|permission") as caught:
            open_ledger(str(path)).exclude(shop(), START, START + 60, author="ann", reason="a drill")
        assert caught.value.place == str(path)
        with pytest.raises(LedgerError, match="the folder can't be written"):
            open_ledger(str(open_folder / "new.db"))

    as_nobody(refused)
    open_folder.chmod(0o755)


def test_a_ledger_that_may_not_be_read_is_an_error_that_says_so(undisturbed: Path, open_folder: Path) -> None:
    path = Path(shutil.copy(undisturbed, open_folder / "ledger.db"))
    path.chmod(0o000)

    def refused() -> None:
        with pytest.raises(LedgerError, match="it can't be read: Permission denied"):
            open_ledger(str(path))

    as_nobody(refused)


def test_what_is_no_ledger_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("a shopping list, which is no database at all")
    with pytest.raises(LedgerError, match="no ledger but some other file"):
        open_ledger(str(text))
    assert text.read_text().startswith("a shopping list")
    other = tmp_path / "other.db"
    with closed(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE friends (name text)")
    with pytest.raises(LedgerError, match="holds something else") as caught:
        open_ledger(str(other))
    assert "file of its own" in (caught.value.remedy or "")
    with closed(sqlite3.connect(other)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("friends",)]
    with pytest.raises(LedgerError, match="this is a folder"):
        open_ledger(str(tmp_path))
    with pytest.raises(LedgerError, match="the folder is not there") as caught:
        open_ledger(str(tmp_path / "nowhere" / "ledger.db"))
    assert "mkdir -p" in (caught.value.remedy or "")
    with pytest.raises(LedgerError, match="there is no ledger"):
        open_ledger(str(tmp_path / "new.db"), create=False)
    assert not (tmp_path / "new.db").exists()


def test_an_empty_file_becomes_a_ledger(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    path.touch()
    with open_ledger(str(path)) as ledger:
        assert verify_ledger(ledger) == []


def test_a_ledger_of_a_newer_version_is_left_alone(filled: Path) -> None:
    with closed(sqlite3.connect(filled)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    before = filled.read_bytes()
    with pytest.raises(LedgerError, match=r"newer sla-kit.*9999") as caught:
        open_ledger(str(filled))
    assert caught.value.remedy == "upgrade sla-kit"
    assert filled.read_bytes() == before


SECRET = "hunter2"


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/ledger",
        f"postgresql://ann:{SECRET}@nowhere.invalid/ledger",
        f"mysql://ann:{SECRET}@127.0.0.1/ledger",
        f"postgresql://ann:{SECRET}@127.0.0.1:port/ledger",
        f"postgresql://ann:{SECRET}@[127.0.0.1/ledger",
    ],
)
def test_a_wrong_address_is_an_error_that_shows_no_password(address: str) -> None:
    with pytest.raises(LedgerError) as caught:
        open_ledger(address)
    assert caught.value.remedy
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.message} {caught.value.place}"


def test_a_wrong_password_or_database_is_named_and_no_password_shown(server: Postgresql, database: str) -> None:
    guest = database.replace(OWNER, f"{GUEST}:{SECRET}")
    with pytest.raises(LedgerError, match="no connection to the ledger's database") as caught:
        open_ledger(guest)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.message}"
    with pytest.raises(LedgerError, match="no connection to the ledger's database"):
        open_ledger(f"{database}-of-nobody")
    # Who may enter but not make tables is told that, too.
    with pytest.raises(LedgerError, match="can't be written"):
        open_ledger(database.replace(OWNER, f"{GUEST}:{PASSWORD.replace(' ', '%20')}"))
    with open_ledger(database) as ledger:
        assert PASSWORD not in repr(ledger)
        assert database.rpartition("@")[2] in ledger.name


def test_a_server_that_goes_away_is_a_clear_error(recording: HistorySource) -> None:
    with postgresql() as going:
        address = going.database("ledger")
        source = StoppingAfter(recording, 2, going.stop)
        with pytest.raises(LedgerError) as caught:
            update(address, source)
        assert "no connection to the ledger's database" in caught.value.message
        assert caught.value.remedy


class StoppingAfter:
    """A source after whose answer of some number something happens."""

    def __init__(self, source: HistorySource, number: int, stop: Callable[[], None]) -> None:
        self._source = source
        self._left = number
        self._stop = stop

    name = "recording"

    def span(self) -> tuple[int, int] | None:
        return self._source.span()

    def fetch(self, indicators: Any, grid: Any, progress: Any = None) -> Any:
        self._left -= 1
        if not self._left:
            self._stop()
        return self._source.fetch(indicators, grid)

    def close(self) -> None:
        """There is nothing to let go of."""
