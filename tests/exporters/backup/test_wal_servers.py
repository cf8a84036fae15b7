"""Archiving of servers that are set up in other ways: replicas, libraries, no archiving at all, forgotten counts."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sla_kit.configuration.secrets import Secret
from sla_kit.exporters.backup.configuration import Wal
from sla_kit.exporters.backup.wal import WalCollector, wal_collector
from sla_kit.exporters.sidecar.collector import CollectError
from tests.exporters.backup.test_wal import SCHEDULE, Archiving, archiving, collector, read, wait_until
from tests.servers.postgresql import GUEST, PASSWORD, postgresql

pytestmark = pytest.mark.xdist_group("postgresql-wal")


@pytest.fixture(scope="module")
def first() -> Iterator[Archiving]:
    with archiving() as found:
        found.base_backup()
        found.archived(found.switch())
        yield found


def as_guest(place: Archiving, monkeypatch: pytest.MonkeyPatch) -> WalCollector:
    monkeypatch.setenv("WAL_PASSWORD", PASSWORD)
    return collector(place, url=place.server.url.replace("sla@", f"{GUEST}@"), password="WAL_PASSWORD")


def test_a_reset_of_the_archiver_s_counts_makes_no_gap(first: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    first.write()

    def reset() -> list[dict[str, float]]:
        watching, guest = collector(first), as_guest(first, monkeypatch)
        assert read(watching)["backup_wal_archived_total"] > 0.0
        read(guest)
        first.server.run("SELECT pg_stat_reset_shared('archiver')")
        return [read(each) for each in (watching, guest, collector(first), as_guest(first, monkeypatch))]

    for found in first.quiet(reset):
        assert found["backup_wal_archived_total"] == 0.0
        assert found["backup_wal_last_archived_timestamp_seconds"] == 0.0
        assert found["backup_wal_waiting_segments"] == 0.0
        assert found["backup_pitr_gap_seconds"] == 0.0


def test_a_reset_hides_no_failure(first: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    guest = as_guest(first, monkeypatch)
    first.write()
    first.archived(first.switch())
    read(guest)
    try:
        first.broken.touch()
        failures = first.failures()
        first.write()
        name = first.switch()
        first.write()
        wait_until(lambda: first.failures() > failures, "archiving to fail")
        first.server.run("SELECT pg_stat_reset_shared('archiver')")
        for each in (collector(first), guest):
            found = read(each)
            assert found["backup_wal_waiting_segments"] == 1.0
            assert found["backup_pitr_gap_seconds"] > 0.0
    finally:
        first.broken.unlink()
    first.archived(name)


def test_the_window_is_whole_again_once_failed_archiving_comes_back(first: Archiving) -> None:
    watching = collector(first, first.archive)
    first.write()
    first.archived(first.switch())
    good = read(watching)
    try:
        first.broken.touch()
        failures = first.failures()
        first.write()
        name = first.switch()
        wait_until(lambda: first.failures() > failures, "archiving to fail")
        bad = read(watching)
        assert bad["backup_pitr_oldest_timestamp_seconds"] == good["backup_pitr_oldest_timestamp_seconds"]
        assert bad["backup_pitr_gap_seconds"] > 0.0
    finally:
        first.broken.unlink()
    first.archived(name)
    back = first.quiet(lambda: read(watching))
    assert back["backup_pitr_gap_seconds"] == 0.0
    assert back["backup_wal_missing_segments"] == 0.0
    assert back["backup_pitr_oldest_timestamp_seconds"] == good["backup_pitr_oldest_timestamp_seconds"]
    assert back["backup_pitr_newest_timestamp_seconds"] > bad["backup_pitr_newest_timestamp_seconds"]


def test_a_replica_that_archives_nothing_says_so_and_does_not_claim_that_nothing_is_archived(
    first: Archiving,
) -> None:
    """Its primary may well archive: an infinite gap would call somebody for nothing."""
    with postgresql(follows=first.server) as replica:
        with pytest.raises(CollectError) as told:
            read(collector(None, url=replica.url))
        assert told.value.kind == "query"
        assert "replica" in told.value.message
        assert "primary" in told.value.remedy
        # With the archive, it can tell how far that goes.
        wait_until(
            lambda: read(collector(None, first.archive, url=replica.url))["backup_pitr_gap_seconds"] < math.inf,
            "the replica to replay",
        )


def test_a_replica_that_archives_always_is_a_source_as_another(first: Archiving) -> None:
    with tempfile.TemporaryDirectory(prefix="sla-kit-wal-") as scratch:
        archive = Path(scratch)
        archive.chmod(0o777)
        settings = f"archive_mode = always\narchive_command = 'cp %p {archive}/%f'\n"
        with postgresql(settings, follows=first.server) as replica:
            second = Archiving(replica, archive, archive / "broken")
            first.write()
            second.archived(first.switch())
            found = read(collector(None, url=replica.url))
    assert found["backup_wal_archived_total"] > 0.0
    assert math.isfinite(found["backup_pitr_gap_seconds"])


@pytest.mark.parametrize("settings", ["wal_level = minimal\nmax_wal_senders = 0\n", "archive_mode = off\n"])
def test_no_archiving_is_no_point_in_time(settings: str, tmp_path: Path) -> None:
    with postgresql(settings) as server:
        assert read(collector(None, url=server.url))["backup_pitr_gap_seconds"] == math.inf
        # An archive of before is as old as it is.
        assert read(collector(None, tmp_path, url=server.url))["backup_pitr_gap_seconds"] == math.inf


def test_archiving_without_a_command_waits_and_is_a_gap() -> None:
    with postgresql("archive_mode = on\narchive_command = ''\n") as server:
        place = Archiving(server, Path("/nowhere"), Path("/nowhere"))
        server.run("CREATE TABLE written (number int)")
        place.write()
        place.switch()
        place.write()
        found = read(collector(place))
    assert found["backup_wal_waiting_segments"] == 1.0
    assert found["backup_pitr_gap_seconds"] > 0.0


def test_a_library_archives_as_a_command_does() -> None:
    with tempfile.TemporaryDirectory(prefix="sla-kit-wal-") as scratch:
        archive = Path(scratch)
        archive.chmod(0o777)
        library = f"archive_library = 'basic_archive'\nbasic_archive.archive_directory = '{archive}'\n"
        with postgresql(f"archive_mode = on\n{library}") as server:
            server.run("CREATE TABLE written (number int)")
            place = Archiving(server, archive, archive / "broken")
            place.base_backup()
            place.write()
            found = place.quiet(lambda: read(collector(place, archive)))
    assert found["backup_pitr_gap_seconds"] == 0.0
    assert found["backup_wal_missing_segments"] == 0.0
    assert found["backup_wal_archived_total"] > 0.0


def test_a_role_that_may_not_connect_is_told_what_it_lacks(first: Archiving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAL_PASSWORD", PASSWORD)
    first.server.run(f"ALTER ROLE {GUEST} NOLOGIN")
    url = first.server.url.replace("sla@", f"{GUEST}@")
    wal = Wal(target="orders", url=url, password=Secret(env="WAL_PASSWORD"))
    try:
        with pytest.raises(CollectError) as told:
            read(wal_collector(wal, SCHEDULE, None))
    finally:
        first.server.run(f"ALTER ROLE {GUEST} LOGIN")
    assert told.value.kind == "auth"
    assert PASSWORD not in str(told.value)
