"""What can go wrong around an outbox: a clear error that names the place and what to do, and writing goes on after."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, Engine, event, text

from sla_kit.errors import OutboxError
from sla_kit.routing.outbox import accepting, connecting, heartbeats, store, writing
from sla_kit.routing.outbox.migrations import known_revisions
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.forking import ended_well, in_another_process
from tests.routing.outbox.making import notice
from tests.servers import Postgresql, postgresql
from tests.servers.postgresql import GUEST, OWNER, PASSWORD, started_again
from tests.waiting import until

ROOM = 1_000_000
SECRET = "hunter2"


@contextmanager
def small_disk(folder: Path) -> Iterator[Callable[[], object]]:
    """A file system of some kilobytes. Yields what gives it room."""
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

    def limit(connection: sqlite3.Connection, _: object) -> None:
        connection.execute(f"PRAGMA max_page_count = {ROOM // 4096}")

    event.listen(Engine, "connect", limit)
    try:
        yield lambda: event.remove(Engine, "connect", limit)
    finally:
        if event.contains(Engine, "connect", limit):
            event.remove(Engine, "connect", limit)


def fill_up(outbox: Outbox) -> tuple[list[str], OutboxError]:
    """Accepts until it can't; what was acknowledged, and the error."""
    acknowledged: list[str] = []
    for number in range(10_000):
        try:
            accepting.accept(outbox, notice(str(number), text="x" * 5000)).result()
        except OutboxError as error:
            return acknowledged, error
        acknowledged.append(str(number))
    raise AssertionError("the disk never was full")


def kept(outbox: Outbox) -> list[str]:
    with outbox.reading() as connection:
        found = connection.execute(text("SELECT id FROM event")).all()
    assert found is not None
    events = outbox.write(lambda connection: accepting.new_events(connection, 100_000))
    return [one.event.title for one in events]  # type: ignore[union-attr]


@pytest.mark.parametrize("disk", [small_disk, few_pages])
def test_a_full_disk_fails_all_that_waited_keeps_what_was_acknowledged_and_with_room_goes_on(
    disk: Callable[[Path], AbstractContextManager[Callable[[], object]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The outbox would try by itself whether a little can be written, which may well be.
    monkeypatch.setattr(writing, "_TROUBLED_SECONDS", 3600.0)
    monkeypatch.setattr(store, "_TICK_SECONDS", 3600.0)
    with disk(tmp_path / "disk") as give_room:
        address = str(tmp_path / "disk" / "outbox.db")
        with open_outbox(address, exclusive=True) as outbox:
            acknowledged, error = fill_up(outbox)
            assert acknowledged
            assert "the disk is full" in error.message
            assert error.place == address
            assert "make room" in error.remedy
            assert outbox.trouble is not None
            together = [accepting.accept(outbox, notice(text="x" * 50_000)) for _ in range(20)]
            assert all(isinstance(future.exception(), OutboxError) for future in together)
            assert kept(outbox) == acknowledged
            give_room()
            # A connection that is open may know only by failing once more.
            until(lambda: accepting.accept(outbox, notice("after", text="x" * 5000)).exception() is None)
            assert outbox.trouble is None
            assert kept(outbox) == [*acknowledged, "after"]
        with open_outbox(address, exclusive=True) as again:
            assert kept(again) == [*acknowledged, "after"]


def test_a_file_that_may_not_grow_is_told_as_a_disk_that_failed_and_goes_on_when_it_may(tmp_path: Path) -> None:
    address = str(tmp_path / "outbox.db")

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        with open_outbox(address, exclusive=True) as outbox:
            resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
            acknowledged, error = fill_up(outbox)
            assert "the disk" in error.message
            assert error.remedy
            assert kept(outbox) == acknowledged
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            assert accepting.accept(outbox, notice("after")).result()
            assert kept(outbox) == [*acknowledged, "after"]

    assert ended_well(in_another_process(limited))
    with open_outbox(address, exclusive=True) as again:
        assert kept(again)[-1] == "after"


def test_a_router_knows_by_itself_that_there_is_room_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_TROUBLED_SECONDS", 0.05)
    address = str(tmp_path / "outbox.db")
    with open_outbox(address, exclusive=True) as outbox:
        hidden = tmp_path / "hidden.db"
        outbox.write(lambda connection: connection.execute(text("ALTER TABLE event RENAME TO away")).close())
        outbox.write(lambda connection: connection.execute(text("ALTER TABLE heartbeat RENAME TO gone")).close())
        assert accepting.accept(outbox, notice()).exception() is not None
        assert outbox.trouble is not None
        with closing(sqlite3.connect(address, 60)) as other:
            other.execute("ALTER TABLE gone RENAME TO heartbeat")
        until(lambda: outbox.trouble is None)
        assert not hidden.exists()


def test_a_held_file_is_waited_for_and_then_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "PATIENCE_SECONDS", 0.2)
    address = str(tmp_path / "outbox.db")
    with (
        open_outbox(address, exclusive=True) as outbox,
        closing(sqlite3.connect(address, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OutboxError, match="another program holds the outbox") as caught:
            accepting.accept(outbox, notice()).result()
        assert caught.value.place == address
        assert caught.value.remedy
        with outbox.reading() as connection:  # who reads does not wait
            assert accepting.waiting_events(connection) == 0
        other.execute("ROLLBACK")
        assert accepting.accept(outbox, notice()).result()


def test_a_short_hold_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "PATIENCE_SECONDS", 200.0)  # however long a busy machine makes it
    address = str(tmp_path / "outbox.db")
    with (
        open_outbox(address, exclusive=True) as outbox,
        closing(sqlite3.connect(address, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        future = accepting.accept(outbox, notice())
        assert not future.done()
        other.execute("ROLLBACK")
        assert future.result()


def test_a_second_router_is_refused_and_commands_are_not(tmp_path: Path) -> None:
    address = str(tmp_path / "outbox.db")
    with open_outbox(address, exclusive=True) as outbox:
        with pytest.raises(OutboxError, match=f"another router has this outbox .process {os.getpid()}") as caught:
            open_outbox(address, exclusive=True)
        assert "PostgreSQL" in caught.value.remedy
        with open_outbox(address, create=False) as command:
            assert accepting.accept(command, notice("by a command")).result()
        assert kept(outbox) == ["by a command"]
    with open_outbox(address, exclusive=True) as next_one:
        assert kept(next_one) == ["by a command"]


def test_the_lock_ends_with_its_process(tmp_path: Path) -> None:
    address = str(tmp_path / "outbox.db")

    def work() -> None:
        open_outbox(address, exclusive=True)
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(in_another_process(work), 0)
    open_outbox(address, exclusive=True).close()


def test_a_damaged_file_is_told_so(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    with open_outbox(str(path), exclusive=True) as outbox:
        acknowledged = [accepting.accept(outbox, notice(str(n), text="x" * 3000)) for n in range(100)]
        assert all(future.result() for future in acknowledged)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(random.Random(1).randbytes(path.stat().st_size - 4096))
    with pytest.raises(OutboxError, match="damaged") as caught, open_outbox(str(path), exclusive=True) as outbox:
        kept(outbox)
    assert caught.value.place == str(path)
    assert "set the file aside" in caught.value.remedy


def test_what_is_no_outbox_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text("a shopping list, which is no database at all, and longer than the header of one would be" * 20)
    before = notes.read_bytes()
    with pytest.raises(OutboxError, match="no outbox but some other file"):
        open_outbox(str(notes))
    assert notes.read_bytes() == before
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE friends (name text)")
    with pytest.raises(OutboxError, match="holds something else"):
        open_outbox(str(other))
    with closing(sqlite3.connect(other)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("friends",)]
    with pytest.raises(OutboxError, match="this is a folder"):
        open_outbox(str(tmp_path))
    with pytest.raises(OutboxError, match="the folder is not there") as caught:
        open_outbox(str(tmp_path / "nowhere" / "outbox.db"))
    assert "mkdir -p" in caught.value.remedy
    with pytest.raises(OutboxError, match="there is no outbox"):
        open_outbox(str(tmp_path / "new.db"), create=False)
    assert not (tmp_path / "new.db").exists()
    with pytest.raises(OutboxError, match="in memory keeps nothing"):
        open_outbox("sqlite://")


def test_an_empty_file_becomes_an_outbox(tmp_path: Path) -> None:
    (tmp_path / "outbox.db").touch()
    with open_outbox(str(tmp_path / "outbox.db"), exclusive=True) as outbox:
        assert accepting.accept(outbox, notice()).result()


def test_the_revision_is_the_newest_one(address: str) -> None:
    assert max(known_revisions()) == store.REVISION
    with open_outbox(address) as outbox, outbox.reading() as connection:
        found = connection.execute(text("SELECT version_num FROM outbox_revision")).scalar_one()
    assert found == store.REVISION


def test_the_migrations_make_what_the_tables_say(address: str) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    from sla_kit.routing.outbox.tables import REVISION_TABLE, metadata

    with open_outbox(address) as outbox, outbox.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE})
        assert compare_metadata(context, metadata) == []


def test_an_outbox_of_a_newer_version_is_left_alone(address: str) -> None:
    def raise_it(connection: Connection) -> None:
        connection.execute(text("UPDATE outbox_revision SET version_num = '9999'"))

    with open_outbox(address) as outbox:
        outbox.write(raise_it)
    with pytest.raises(OutboxError, match=r"newer sla-kit.*9999") as caught:
        open_outbox(address, exclusive=True)
    assert caught.value.remedy == "upgrade sla-kit"


def as_nobody(work: Callable[[], None]) -> None:
    """Runs it as somebody whom permissions concern: root may do everything."""

    def lowered() -> None:
        if os.geteuid() == 0:
            os.setgid(65534)
            os.setuid(65534)
        work()

    assert ended_well(in_another_process(lowered))


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """A folder that anybody can reach."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.owner() == Path.home().owner() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    return tmp_path


def test_a_file_that_may_not_be_written_or_read_is_an_error_that_says_so(open_folder: Path) -> None:
    path = open_folder / "outbox.db"
    open_outbox(str(path)).close()
    path.chmod(0o444)
    open_folder.chmod(0o555)

    def refused() -> None:
        with pytest.raises(OutboxError, match=r"can.t be (written|opened|made)"):
            open_outbox(str(path), exclusive=True)
        with pytest.raises(OutboxError, match=r"can.t be (written|opened)"):
            accepting.accept(open_outbox(str(path)), notice()).result()
        with pytest.raises(OutboxError, match="the folder can't be written"):
            open_outbox(str(open_folder / "new.db"))

    as_nobody(refused)
    open_folder.chmod(0o755)
    path.chmod(0o000)

    def unreadable() -> None:
        with pytest.raises(OutboxError, match="it can't be read"):
            open_outbox(str(path))

    as_nobody(unreadable)


@pytest.mark.parametrize(
    "address",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/outbox",
        f"postgresql://ann:{SECRET}@nowhere.invalid/outbox",
        f"mysql://ann:{SECRET}@127.0.0.1/outbox",
        f"postgresql://ann:{SECRET}@127.0.0.1:port/outbox",
        f"postgresql://ann:{SECRET}@[127.0.0.1/outbox",
    ],
)
def test_a_wrong_address_is_an_error_that_shows_no_password(address: str) -> None:
    with pytest.raises(OutboxError) as caught:
        open_outbox(address)
    assert caught.value.remedy
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.message} {caught.value.place}"


def test_a_wrong_password_or_database_is_named_and_no_password_shown(server: Postgresql, database: str) -> None:
    guest = database.replace(OWNER, GUEST)
    with pytest.raises(OutboxError, match="no connection to the outbox's database") as caught:
        open_outbox(guest, password=SECRET)
    assert SECRET not in f"{caught.value} {caught.value!r} {caught.value.message}"
    with pytest.raises(OutboxError, match="no connection to the outbox's database"):
        open_outbox(f"{database}-of-nobody")
    with pytest.raises(OutboxError, match="can't be written"):  # who may enter but not make tables
        open_outbox(guest, password=PASSWORD)
    with open_outbox(database, exclusive=True) as outbox:
        assert outbox.name == database
        outbox.write(
            lambda connection: connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {GUEST}")).close()
        )
        outbox.write(
            lambda connection: connection.execute(
                text(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {GUEST}")
            ).close()
        )
    with open_outbox(guest, password=PASSWORD, exclusive=True) as other:
        assert PASSWORD not in f"{other!r} {other.name}"
        assert accepting.accept(other, notice()).result()


def test_a_server_that_goes_away_fails_what_waits_and_is_found_again_when_it_is_back() -> None:
    with postgresql() as going, open_outbox(going.database("outbox"), exclusive=True) as outbox:
        assert accepting.accept(outbox, notice("before")).result()
        going.stop()
        deadline = time.monotonic() + 120
        with pytest.raises(OutboxError) as caught:  # noqa: PT012
            while time.monotonic() < deadline:
                accepting.accept(outbox, notice("meanwhile"), idempotency="meanwhile").result()
                heartbeats_read(outbox)
        assert "no connection" in caught.value.message
        assert caught.value.remedy
        with started_again(going):
            until(lambda: accepting.accept(outbox, notice("after")).exception() is None)
            titles = kept(outbox)
        assert titles[0] == "before"
        assert titles[-1] == "after"


def heartbeats_read(outbox: Outbox) -> None:
    with outbox.reading() as connection:
        heartbeats.last(connection, "nobody")


def test_connections_that_were_cut_are_made_anew_without_an_error(server: Postgresql, database: str) -> None:
    with open_outbox(database, exclusive=True) as outbox:
        assert accepting.accept(outbox, notice()).result()
        server.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            f" WHERE datname = '{database.rpartition('/')[2]}' AND pid <> pg_backend_pid()"
        )
        until(lambda: not connected(server, database))
        assert accepting.accept(outbox, notice()).result()


def connected(server: Postgresql, database: str) -> int:
    """How many connections there are to a database of the server."""
    with psycopg.connect(server.url) as connection:
        found = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [database.rpartition("/")[2]]
        ).fetchone()
    assert found is not None
    return int(found[0])


def test_two_routers_in_each_others_way_both_get_through(database: str) -> None:
    """Each holds what the other wants next: PostgreSQL ends one of both, whose work is run again."""
    with open_outbox(database, exclusive=True) as one, open_outbox(database, exclusive=True) as other:
        one.write(lambda connection: heartbeats.beat(connection, "a", 1.0))
        one.write(lambda connection: heartbeats.beat(connection, "b", 1.0))
        meeting = threading.Barrier(2)
        met = threading.Event()

        def beats(names: str, at: float) -> Callable[[Connection], None]:
            def work(connection: Connection) -> None:
                heartbeats.beat(connection, names[0], at)
                if not met.is_set():
                    meeting.wait(60)
                    met.set()
                heartbeats.beat(connection, names[1], at)

            return work

        first, second = one.submit(beats("ab", 2.0)), other.submit(beats("ba", 3.0))
        first.result(120)
        second.result(120)
        with one.reading() as connection:
            assert heartbeats.last(connection, "a") == heartbeats.last(connection, "b")


def test_a_copy_of_a_closed_outbox_is_whole(tmp_path: Path) -> None:
    with open_outbox(str(tmp_path / "outbox.db"), exclusive=True) as outbox:
        assert accepting.accept(outbox, notice("kept")).result()
    copied = shutil.copy(tmp_path / "outbox.db", tmp_path / "copy.db")
    assert not (tmp_path / "outbox.db-wal").exists()
    with open_outbox(str(copied), create=False) as again:
        assert kept(again) == ["kept"]


def test_an_outbox_is_its_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    before = os.umask(0o022)
    try:
        with open_outbox(str(path), exclusive=True) as outbox:
            assert accepting.accept(outbox, notice("secret")).result()
            rights = {each.name: each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
        path.chmod(0o640)
        with open_outbox(str(path)):
            assert path.stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)
    assert set(rights) >= {"outbox.db", "outbox.db-wal", "outbox.db.lock"}
    assert set(rights.values()) == {0o600}


def test_an_outbox_that_is_named_by_a_link_is_the_same_outbox(tmp_path: Path) -> None:
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(tmp_path / "outbox.db")
    with (
        open_outbox(str(tmp_path / "outbox.db"), exclusive=True),
        pytest.raises(OutboxError, match="another router has this outbox"),
    ):
        open_outbox(str(link), exclusive=True)


def test_a_lock_that_is_a_link_overwrites_nothing(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep me")
    (tmp_path / "outbox.db.lock").symlink_to(precious)
    with pytest.raises(OutboxError, match="lock can't be made"):
        open_outbox(str(tmp_path / "outbox.db"), exclusive=True)
    assert precious.read_text() == "keep me"
