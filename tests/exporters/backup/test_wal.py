"""WAL archiving of a real PostgreSQL: into a folder, failing, coming back, and with nothing to archive."""

from __future__ import annotations

import gzip
import math
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from prometheus_client.metrics_core import Metric

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.backup.configuration import Wal
from sla_kit.exporters.backup.store import FolderStore
from sla_kit.exporters.backup.wal import WalCollector, gap_seconds, wal_collector
from sla_kit.exporters.backup.wal_segments import Segment
from sla_kit.exporters.backup.wal_watch import Watch
from sla_kit.exporters.sidecar.collector import CollectError, Schedule
from tests.servers.postgresql import GUEST, PASSWORD, Postgresql, postgresql

pytestmark = pytest.mark.xdist_group("postgresql-wal")
SCHEDULE = Schedule(30.0, 30.0)
WAIT_SECONDS = 60.0
SIZE = 16 << 20
#: With which a segment begins, in bytes.
PAGE_HEADER = 40
Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Archiving:
    """A server, the folder that it archives to, and a file that makes archiving fail while it is there."""

    server: Postgresql
    archive: Path
    broken: Path

    def write(self) -> None:
        """Commits a change."""
        self.server.run("INSERT INTO written SELECT generate_series(1, 100)")

    def switch(self) -> str:
        """Ends the segment that is being written; returns its name."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            found = connection.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone()
        assert found
        return str(found[0])

    def base_backup(self) -> None:
        """As pg_basebackup does, without its files: PostgreSQL archives the mark all the same."""
        with psycopg.connect(self.server.url, autocommit=True) as connection:
            connection.execute("SELECT pg_backup_start('weekly', true)")
            connection.execute("SELECT pg_backup_stop(true)")

    def archived(self, name: str) -> None:
        """Waits until the server has archived a segment."""
        wait_until(lambda: (self.archive / name).exists() and self._last() >= name, f"{name} to be archived")

    def quiet(self, look: Callable[[], Seen]) -> Seen:
        """What is seen while the log ends where the archive does. Now and then the server writes a record of its own,
        behind which nobody who did not watch can know that there is no change: then the next segment is waited for."""
        for _ in range(50):
            self.archived(self.switch())
            found = look()
            with psycopg.connect(self.server.url) as connection:
                at = connection.execute("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8").fetchone()
            if at is not None and at[0] % SIZE <= PAGE_HEADER:
                return found
        raise AssertionError("the server never was quiet")

    def _last(self) -> str:
        with psycopg.connect(self.server.url) as connection:
            found = connection.execute("SELECT coalesce(last_archived_wal, '') FROM pg_stat_archiver").fetchone()
        assert found
        return str(found[0])

    def failures(self) -> int:
        with psycopg.connect(self.server.url) as connection:
            found = connection.execute("SELECT failed_count FROM pg_stat_archiver").fetchone()
        assert found
        return int(found[0])


def wait_until(done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"waited for {what} for too long"
        time.sleep(0.05)  # between two looks, not instead of looking


@contextmanager
def archiving(settings: str = "") -> Iterator[Archiving]:
    with tempfile.TemporaryDirectory(prefix="sla-kit-wal-") as scratch:
        archive, broken = Path(scratch) / "archive", Path(scratch) / "broken"
        archive.mkdir()
        Path(scratch).chmod(0o755)
        archive.chmod(0o777)
        command = f"test ! -e {broken} && cp %p {archive}/%f.copy && mv {archive}/%f.copy {archive}/%f"
        with postgresql(f"archive_mode = on\narchive_command = '{command}'\nautovacuum = off\n{settings}") as server:
            server.run("CREATE TABLE written (number int)")
            yield Archiving(server, archive, broken)


@pytest.fixture(scope="module")
def place() -> Iterator[Archiving]:
    with archiving() as found:
        yield found


def collector(
    place: Archiving | None, archive: Path | None = None, *, url: str = "", password: str = ""
) -> WalCollector:
    secret = Secret(env=password) if password else None
    wal = Wal(target="orders", url=url or (place.server.url if place else ""), password=secret)
    return wal_collector(wal, SCHEDULE, None if archive is None else FolderStore(archive))


def read(collector: WalCollector) -> dict[str, float]:
    """The one series of each name, as the collector publishes it now."""
    metrics = list(collector.collect(time.monotonic() + 30.0))
    return values(metrics)


def failure(collector: WalCollector) -> str:
    """The kind of error that reading fails with; empty where it does not."""
    try:
        read(collector)
    except CollectError as error:
        return error.kind
    return ""


def values(metrics: list[Metric]) -> dict[str, float]:
    samples = [sample for metric in metrics for sample in metric.samples]
    assert all(sample.labels == {"target": "orders"} for sample in samples)
    assert len({sample.name for sample in samples}) == len(samples)
    return {sample.name: sample.value for sample in samples}


def test_segments_are_numbered_as_the_server_names_them(place: Archiving) -> None:
    with psycopg.connect(place.server.url) as connection:
        for number in (1, 3, 254, 255, 256, 257, 65_535, 65_536, 16_777_215):
            # The last byte of a segment: at a boundary, the function means the segment before.
            found = connection.execute(
                "SELECT pg_walfile_name('0/0'::pg_lsn + %s::numeric)", (number * SIZE + SIZE - 1,)
            ).fetchone()
            assert found == (Segment(1, number).name(SIZE),)


def test_a_server_that_archives_what_it_writes_has_a_small_gap(place: Archiving) -> None:
    watching = collector(place, place.archive)
    place.base_backup()
    place.write()
    before = time.time()
    found = place.quiet(lambda: read(watching))
    assert found["backup_pitr_gap_seconds"] == 0.0  # all that was written is in the archive
    assert found["backup_wal_waiting_segments"] == 0.0
    assert found["backup_wal_missing_segments"] == 0.0
    assert found["backup_wal_timeline"] == 1.0
    assert found["backup_wal_archived_total"] >= 2.0
    assert found["backup_wal_last_archived_timestamp_seconds"] == pytest.approx(before, abs=WAIT_SECONDS)
    assert 0.0 < found["backup_pitr_oldest_timestamp_seconds"] <= found["backup_pitr_newest_timestamp_seconds"]

    place.write()
    changed = read(watching)
    assert 0.0 < changed["backup_pitr_gap_seconds"] <= time.time() - before + 1.0
    watching.close()


def test_a_quiet_server_has_no_gap_however_long_ago_it_archived(place: Archiving) -> None:
    """Also to an exporter that has just begun: the log ends where the archive does."""
    place.write()
    watching = collector(place)
    server = watching._server
    assert server is not None
    new, state = place.quiet(lambda: (read(collector(place)), server.look(time.monotonic() + 30.0)))
    assert new["backup_pitr_gap_seconds"] == 0.0
    # Half a day on, with nothing written, by the same server's account.
    later = replace(state, moment=replace(state.moment, time=state.moment.time + 43_200.0))
    assert gap_seconds(later, None, Watch(), later.moment.time) == 0.0


def test_failing_archiving_is_seen_and_its_gap_grows_until_it_comes_back(place: Archiving) -> None:
    watching = collector(place, place.archive)
    place.base_backup()
    place.archived(place.switch())
    good = read(watching)
    try:
        place.broken.touch()
        failures = place.failures()
        names = []
        for _ in range(3):
            place.write()
            names.append(place.switch())
        wait_until(lambda: place.failures() > failures, "archiving to fail")
        bad = read(watching)
        assert bad["backup_wal_waiting_segments"] == 3.0
        assert bad["backup_wal_failed_total"] > failures
        assert bad["backup_wal_last_failed_timestamp_seconds"] > good["backup_wal_last_archived_timestamp_seconds"]
        assert bad["backup_pitr_gap_seconds"] > 0.0
        worse = read(watching)
        assert worse["backup_pitr_gap_seconds"] > bad["backup_pitr_gap_seconds"]
        # One that has just begun knows of it as well, from the server's own files.
        assert read(collector(place))["backup_pitr_gap_seconds"] > 0.0
    finally:
        place.broken.unlink()
    place.archived(names[-1])
    back = place.quiet(lambda: read(watching))
    assert back["backup_wal_waiting_segments"] == 0.0
    assert back["backup_pitr_gap_seconds"] == 0.0
    assert back["backup_wal_failed_total"] >= bad["backup_wal_failed_total"]


def test_what_the_archiver_claims_and_the_archive_lacks_is_a_gap(place: Archiving, tmp_path: Path) -> None:
    place.base_backup()
    names = []
    for _ in range(3):
        place.write()
        names.append(place.switch())
    place.archived(names[-1])
    copy = tmp_path / "archive"

    def copied() -> dict[str, float]:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(place.archive, copy)
        return read(collector(place, copy))

    whole = place.quiet(copied)
    assert (whole["backup_wal_missing_segments"], whole["backup_pitr_gap_seconds"]) == (0.0, 0.0)

    (copy / names[1]).unlink()
    hole = read(collector(place, copy))
    assert hole["backup_wal_missing_segments"] == 1.0
    assert hole["backup_pitr_gap_seconds"] > 0.0
    assert hole["backup_wal_waiting_segments"] == 0.0  # as the archiver sees it

    (copy / names[1]).write_bytes(b"cut off")
    assert read(collector(place, copy))["backup_wal_missing_segments"] == 1.0


def test_an_archive_without_a_base_backup_restores_nothing(place: Archiving, tmp_path: Path) -> None:
    copy = tmp_path / "archive"
    shutil.copytree(place.archive, copy)
    for mark in copy.glob("*.backup"):
        mark.unlink()
    for watching in (collector(place, copy), collector(None, copy)):
        found = read(watching)
        assert found["backup_pitr_gap_seconds"] == math.inf
        assert found["backup_pitr_oldest_timestamp_seconds"] == found["backup_pitr_newest_timestamp_seconds"] == 0.0


def test_an_archive_alone_is_judged_by_the_time_of_its_last_segment(place: Archiving, tmp_path: Path) -> None:
    place.base_backup()
    place.archived(place.switch())
    copy = tmp_path / "archive" / "by" / "timeline"
    copy.mkdir(parents=True)
    for each in place.archive.iterdir():  # compressed, and in folders, as other archivers leave it
        target = copy / (each.name + ".gz")
        with gzip.open(target, "wb", compresslevel=1) as packed:
            packed.write(each.read_bytes())
        os.utime(target, (time.time() - 7200.0,) * 2)
    found = read(collector(None, tmp_path / "archive"))
    assert found["backup_wal_missing_segments"] == 0.0
    assert 7200.0 <= found["backup_pitr_gap_seconds"] <= 7200.0 + WAIT_SECONDS
    assert "backup_wal_archived_total" not in found


def test_a_role_without_rights_sees_the_most_of_it(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAL_PASSWORD", PASSWORD)
    url = place.server.url.replace("sla@", f"{GUEST}@")
    place.write()
    watching = collector(place, url=url, password="WAL_PASSWORD")
    assert place.quiet(lambda: read(watching))["backup_pitr_gap_seconds"] == 0.0
    try:
        place.broken.touch()
        failures = place.failures()
        place.write()
        name = place.switch()
        place.write()
        wait_until(lambda: place.failures() > failures, "archiving to fail")
        found = read(watching)
        assert found["backup_wal_waiting_segments"] == 1.0
        assert found["backup_pitr_gap_seconds"] > 0.0
    finally:
        place.broken.unlink()
    place.archived(name)


def test_after_a_mark_was_archived_last_nothing_waits_for_a_role_without_rights(
    place: Archiving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WAL_PASSWORD", PASSWORD)
    url = place.server.url.replace("sla@", f"{GUEST}@")
    place.base_backup()
    wait_until(lambda: ".backup" in place._last(), "the mark to be archived")
    found = read(collector(place, url=url, password="WAL_PASSWORD"))
    assert found["backup_wal_waiting_segments"] == 0.0


def test_a_server_that_does_not_archive_can_not_go_back_to_any_time() -> None:
    with postgresql() as server:
        found = read(collector(None, url=server.url))
        assert found["backup_pitr_gap_seconds"] == math.inf
        assert found["backup_wal_archived_total"] == 0.0
        watching = collector(None, url=server.url)
        read(watching)
        server.stop()
        wait_until(lambda: failure(watching) == "connect", "the server to be gone")


def test_after_a_standby_took_over_a_restore_goes_on_along_its_timeline() -> None:
    with archiving() as first:
        first.base_backup()
        first.write()
        first.archived(first.switch())
        with postgresql(follows=first.server) as standby:
            second = replace(first, server=standby)
            standby.run("SELECT pg_promote()")
            second.write()
            name = second.switch()
            assert name.startswith("00000002")
            second.archived(name)
            assert (first.archive / "00000002.history").exists()
            found = read(collector(second, first.archive))
            assert found["backup_wal_timeline"] == 2.0
            assert found["backup_wal_missing_segments"] == 0.0
            # It may have written its checkpoint after the switch.
            assert math.isfinite(found["backup_pitr_gap_seconds"])
            assert found["backup_pitr_oldest_timestamp_seconds"] > 0.0
            # Without its history the new timeline came from nowhere, so the base backup is of no use.
            (first.archive / "00000002.history").unlink()
            assert read(collector(second, first.archive))["backup_pitr_gap_seconds"] == math.inf


def test_a_wrong_password_is_told_without_it(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAL_PASSWORD", "not the guest's")
    url = place.server.url.replace("sla@", f"{GUEST}@")
    with pytest.raises(CollectError) as raised:
        read(collector(place, url=url, password="WAL_PASSWORD"))
    assert raised.value.kind == "auth"
    assert "not the guest's" not in str(raised.value)


def test_the_server_is_told_who_asks() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        told: list[bytes] = []

        def greet() -> None:
            with listening.accept()[0] as connection:
                told.append(connection.recv(4096))

        thread = threading.Thread(target=greet)
        thread.start()
        port = listening.getsockname()[1]
        made = collector(None, url=f"postgresql://guest@127.0.0.1:{port}/shop?sslmode=disable&gssencmode=disable")
        with pytest.raises(CollectError):
            list(made.collect(time.monotonic() + WAIT_SECONDS))
        thread.join()
    assert b"application_name\0sla-kit backup wal orders\0" in told[0]


def test_an_archive_that_is_not_there_is_an_error(place: Archiving, tmp_path: Path) -> None:
    with pytest.raises(CollectError) as raised:
        read(collector(place, tmp_path / "nowhere"))
    assert raised.value.kind == "connect"


def test_collectors_of_the_same_entry_are_equal(place: Archiving) -> None:
    assert collector(place) == collector(place)
    assert collector(place).name == "wal_orders"
