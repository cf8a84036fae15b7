"""The exporter on what backups' folders look like when something, or someone, has gone wrong."""

from __future__ import annotations

import bz2
import os
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.backup.compression import Unpacked
from sla_kit.exporters.backup.contents import Contents
from sla_kit.exporters.backup.naming import Pattern
from sla_kit.exporters.backup.remembering import Memory, Read
from sla_kit.exporters.backup.store import FolderStore, StoredObject
from sla_kit.exporters.backup.surveying import parts_of, survey
from sla_kit.exporters.sidecar.collector import CollectError
from tests.exporters.backup.real_dumps import compressed

DAY = 86400
SQL = b"--\n-- PostgreSQL database dump\n--\nSELECT 1;\n--\n-- PostgreSQL database dump complete\n--\n"
MIDNIGHT = (int(time.time()) - 600) // DAY * DAY


def put(path: Path, made: float, data: bytes = SQL) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (made, made))
    return path


def day(days: int) -> str:
    return f"{datetime.fromtimestamp(MIDNIGHT - days * DAY, UTC):%Y-%m-%d}"


def look(folder: Path, text: str) -> dict[str, float]:
    """What is published of the target shop, by name, and by region or state where it has one."""
    path = folder / "backup.yml"
    path.write_text(text)
    (collector,) = EXPORTER.load(path).collectors
    found: list[Metric] = list(collector.collect(time.monotonic() + 60))
    samples = [each for metric in found for each in metric.samples]
    told = ("region", "state")
    return {" ".join([each.name, *(each.labels[x] for x in told if x in each.labels)]): each.value for each in samples}


def test_a_copy_of_the_next_day_makes_the_backup_no_older_where_names_tell_but_the_day(tmp_path: Path) -> None:
    for days in (2, 3, 4):
        made = MIDNIGHT - days * DAY + 23 * 3600
        put(tmp_path / "here" / f"shop-{day(days)}.sql", made)
        put(tmp_path / "there" / f"shop-{day(days)}.sql", made + 2 * 3600)
    seen = look(
        tmp_path,
        """dumps: [{targets: [shop], pattern: "{target}-{time:%Y-%m-%d}.sql", places: [
            {type: folder, path: here}, {type: folder, path: there, region: far}]}]""",
    )
    assert seen["backup_last_success_timestamp_seconds"] == MIDNIGHT - 2 * DAY + 23 * 3600
    assert seen["backup_oldest_timestamp_seconds"] == MIDNIGHT - 4 * DAY + 23 * 3600
    assert seen["backup_retained"] == 3
    assert (seen["backup_replica_lag_seconds local"], seen["backup_replica_lag_seconds far"]) == (0, 0)


def test_two_backups_a_day_whose_names_tell_but_the_day_are_two(tmp_path: Path) -> None:
    for days in range(1, 9):
        for hour, part in ((1, "night"), (13, "noon")):
            put(tmp_path / "here" / f"shop-{day(days)}-{part}.sql", MIDNIGHT - days * DAY + hour * 3600)
    text = """dumps: [{targets: [shop], every: 12h, pattern: "{target}-{time:%Y-%m-%d}-{part}.sql", places: [
        {type: folder, path: here}]}]"""

    def late() -> int:
        """Today's may be due already: at one o'clock, with half an interval's patience."""
        return int(time.time() - MIDNIGHT >= 7 * 3600)

    before = late()
    seen = look(tmp_path, text)
    assert seen["backup_retained"] == 16
    assert before <= seen["backup_missed_days"] <= late()
    (tmp_path / "here" / f"shop-{day(3)}-noon.sql").unlink()
    before = late()
    seen = look(tmp_path, text)
    assert seen["backup_retained"] == 15
    assert 1 + before <= seen["backup_missed_days"] <= 1 + late()


def test_what_lies_beside_a_backup_and_was_made_with_it_is_none_more(tmp_path: Path) -> None:
    for days in (1, 2):
        made = MIDNIGHT - days * DAY + 3600
        put(tmp_path / "here" / f"shop-{day(days)}-globals.sql", made)
        put(tmp_path / "here" / f"shop-{day(days)}-tables.sql", made + 600)
    seen = look(
        tmp_path,
        'dumps: [{targets: [shop], pattern: "{target}-{time:%F}-*.sql", places: [{type: folder, path: here}]}]',
    )
    assert seen["backup_retained"] == 2


@pytest.mark.parametrize("by", ["gzip", "bzip2", "xz"])
def test_an_error_page_is_no_backup_for_being_compressed(tmp_path: Path, by: str) -> None:
    put(tmp_path / "here" / "shop-1.dump", MIDNIGHT - DAY, compressed(SQL, by))
    put(tmp_path / "here" / "shop-2.dump", MIDNIGHT, compressed(b"pg_dump: error: connection refused\n", by))
    put(tmp_path / "here" / "shop-3.dump", MIDNIGHT, compressed(compressed(b"<html>502</html>", by), "gzip"))
    seen = look(
        tmp_path, 'dumps: [{targets: [shop], pattern: "{target}-*.dump", places: [{type: folder, path: here}]}]'
    )
    assert (seen["backup_files local usable"], seen["backup_files local unrecognized"]) == (1, 2)
    assert seen["backup_last_success_timestamp_seconds"] == MIDNIGHT - DAY


@pytest.mark.parametrize("by", ["gzip", "bzip2", "xz", "zstd", "lz4"])
def test_nothing_at_all_is_no_backup_for_being_compressed(tmp_path: Path, by: str) -> None:
    put(tmp_path / "here" / "shop-1.dump", MIDNIGHT, compressed(b"", by))
    put(tmp_path / "here" / "shop-2.dump", MIDNIGHT - DAY, compressed(SQL, by))
    seen = look(
        tmp_path, 'dumps: [{targets: [shop], pattern: "{target}-*.dump", places: [{type: folder, path: here}]}]'
    )
    assert (seen["backup_files local usable"], seen["backup_files local truncated"]) == (1, 1)


@dataclass(frozen=True)
class Invented:
    """A place with very many files in a few folders, none of which exists."""

    folders: int
    files: int
    place: str = "invented"

    def list(self, prefix: str, deadline: float, *, depth: int | None = None) -> Iterator[StoredObject]:
        for number in range(self.folders):
            for file in range(self.files):
                name = f"shop-{day(number)}/{file}.dat.gz"
                if name.startswith(prefix):
                    yield StoredObject(name, file, MIDNIGHT - number * DAY + 60.0, f"{number}-{file}")


@pytest.mark.timeout(900)
def test_folders_of_very_many_files_are_not_held_in_memory() -> None:
    pattern = Pattern("{target}-{time:%Y-%m-%d}/", "shop")
    place = Invented(10, 2000)
    tracemalloc.start()
    try:
        found = survey(place, pattern, 1000, time.monotonic() + 600)  # type: ignore[arg-type]
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.candidates) == 10
    assert most < 1_000_000
    assert len(parts_of(place, found.candidates[3], time.monotonic() + 600)) == 2000  # type: ignore[arg-type]


def test_a_folder_that_changes_between_two_looks_is_not_looked_into(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    put(tmp_path / "shop-1" / "1.sql", MIDNIGHT)
    (only,) = survey(store, Pattern("{target}-*/", "shop"), 10, time.monotonic() + 60).candidates
    assert [each.name for each in parts_of(store, only, time.monotonic() + 60)] == ["shop-1/1.sql"]
    put(tmp_path / "shop-1" / "2.sql", MIDNIGHT)
    with pytest.raises(CollectError, match="shop-1/ has changed while it was looked at"):
        parts_of(store, only, time.monotonic() + 60)


def test_folders_a_thousand_deep_are_walked_through(tmp_path: Path) -> None:
    # Beyond the longest path that a call may have, so one step after the other.
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for _ in range(1500):
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
        found = [each.name for each in FolderStore(tmp_path).list("", time.monotonic() + 60)]
        assert found == ["d/" * 1500 + "file"]
    finally:
        os.close(here)
        subprocess.run(["rm", "-rf", tmp_path / "d"], check=True)


def test_a_state_with_any_byte_damaged_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    known = {"shop.sql": Read(mark="1-2-3", contents=Contents("sql", "", "none", encryption="age"), missing=10)}
    Memory(path).keep("here", known)
    whole = path.read_bytes()
    assert Memory(path).of("here") == known
    for at in range(len(whole)):
        for damaged in (whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :], whole[:at]):
            path.write_bytes(damaged)
            assert Memory(path).of("here") in ({}, known)


def test_a_pipe_a_socket_and_a_folder_by_a_backup_s_name_are_no_backups(tmp_path: Path) -> None:
    put(tmp_path / "here" / "shop-1.dump", MIDNIGHT)
    os.mkfifo(tmp_path / "here" / "shop-2.dump")
    os.mknod(tmp_path / "here" / "shop-3.dump", 0o140600)  # a socket that nobody listens at
    (tmp_path / "here" / "shop-4.dump").mkdir()
    (tmp_path / "here" / "shop-5.dump").symlink_to("shop-5.dump")
    put(tmp_path / "here" / "shop- \n'{}$\\.dump", MIDNIGHT - 60)
    put(Path(os.fsdecode(bytes(tmp_path / "here") + b"/shop-\xff.dump")), MIDNIGHT)
    put(tmp_path / "here" / f"shop-{'x' * 245}.dump", MIDNIGHT - 60)
    seen = look(
        tmp_path, 'dumps: [{targets: [shop], pattern: "{target}-*.dump", places: [{type: folder, path: here}]}]'
    )
    assert seen["backup_files local usable"] == 3
    assert (seen["backup_files local link"], seen["backup_files local foreign"]) == (1, 1)


@pytest.mark.timeout(900)
def test_a_few_bytes_that_hold_very_much_are_not_unpacked_to_their_end() -> None:
    packer = bz2.BZ2Compressor()
    data = b"".join([*(packer.compress(bytes(50 << 20)) for _ in range(24)), packer.flush()])
    assert len(data) < 10_000
    walk = Unpacked("bzip2")
    walk.feed(data)
    assert walk.ending() == "unknown"
    assert walk.size_bytes < 1150 << 20
