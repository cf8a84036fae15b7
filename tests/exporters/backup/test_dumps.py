"""The exporter on folders with backups as they come about: written, cut, copied, taken away."""

from __future__ import annotations

import hashlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.metrics_core import Metric

from sla_kit.errors import ConfigurationError
from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.backup.store import FolderStore
from sla_kit.exporters.sidecar.collector import CollectError, Collector
from tests.exporters.backup.real_dumps import FILL, compressed, pg_dump
from tests.servers.postgresql import postgresql

pytestmark = pytest.mark.xdist_group("backup_dumps")
DAY = 86400
NOBODY = 65534


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as server:
        for statement in FILL:
            server.run(statement)
        yield server.url


@pytest.fixture(scope="module")
def dump(url: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("dump") / "shop.dump"
    pg_dump(url, "-Fc", "-f", path)
    return path.read_bytes()


def configured(folder: Path, text: str) -> list[Collector]:
    path = folder / "backup.yml"
    path.write_text(text)
    return list(EXPORTER.load(path).collectors)


SHOP = """
dumps:
  - targets: [shop]
    pattern: "{target}-{time:%Y-%m-%dT%H%M%S}.dump"
    places: [{type: folder, path: backups}]
"""


class Seen:
    """What a collection published, by name and labels."""

    def __init__(self, metrics: list[Metric]) -> None:
        self.samples = {(s.name, tuple(sorted(s.labels.items()))): s.value for m in metrics for s in m.samples}

    def __call__(self, name: str, **labels: str) -> float | None:
        found = [
            value
            for (each, held), value in self.samples.items()
            if each == name and labels.items() <= dict(held).items()
        ]
        assert len(found) < 2, (name, labels, found)
        return found[0] if found else None

    def files(self, region: str = "local") -> dict[str, float]:
        return {
            dict(held)["state"]: value
            for (each, held), value in self.samples.items()
            if each == "backup_files" and dict(held)["region"] == region and value
        }


def look(collector: Collector, seconds: float = 60) -> Seen:
    return Seen(list(collector.collect(time.monotonic() + seconds)))


class Shop:
    """A folder that nightly backups are put into."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = int(time.time())
        folder.mkdir(exist_ok=True)

    def name(self, days: float) -> str:
        made = datetime.fromtimestamp(self.now - days * DAY, UTC)
        return f"shop-{made:%Y-%m-%dT%H%M%S}.dump"

    def put(self, days: float, data: bytes, name: str = "") -> Path:
        """One that was made some days ago, and finished a minute later."""
        path = self.folder / (name or self.name(days))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        made = self.now - days * DAY + 60
        os.utime(path, (made, made))
        return path

    def time(self, days: float) -> float:
        return float(int(self.now - days * DAY))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "backups")


def test_good_backups(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    for days in (1, 2, 3, 5):
        shop.put(days, dump)
    (collector,) = configured(tmp_path, SHOP)
    seen = look(collector)
    assert seen("backup_last_success_timestamp_seconds", kind="database", target="shop") == shop.time(1)
    assert seen("backup_last_size_bytes") == len(dump)
    assert seen("backup_size_median_bytes") == len(dump)
    assert seen("backup_size_change_ratio") == 0
    assert seen("backup_retained") == 4
    assert seen("backup_missed_days") == 1
    assert seen("backup_oldest_timestamp_seconds") == shop.time(5)
    assert (seen("backup_encrypted"), seen("backup_compressed"), seen("backup_verified")) == (0, 1, 0)
    assert seen("backup_info", format="pg_custom", encryption="none") == 1
    assert seen("backup_last_verified_timestamp_seconds") == 0
    assert seen("backup_replica_lag_seconds") is None
    assert seen.files() == {"usable": 4}


def test_what_is_no_good_backup_is_not_the_newest(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    shop.put(3, dump)
    shop.put(2.5, dump[: len(dump) // 2])
    shop.put(2, b"")
    shop.put(1.5, b"<html>502 Bad Gateway</html>")
    shop.put(-1, dump)  # tomorrow
    wrong = shop.put(1, dump)
    (wrong.parent / f"{wrong.name}.sha256").write_text(f"{'0' * 64}  {wrong.name}\n")
    (collector,) = configured(tmp_path, SHOP)
    seen = look(collector)
    assert seen("backup_last_success_timestamp_seconds") == shop.time(3)
    assert seen.files() == {
        "usable": 1, "truncated": 1, "empty": 1, "unrecognized": 1, "future": 1, "mismatch": 1, "checksum": 1,
    }  # fmt: skip
    assert seen("backup_retained") == 1


def test_nothing_good_is_told_as_nothing_ever(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    (collector,) = configured(tmp_path, SHOP)
    seen = look(collector)
    assert (seen("backup_last_success_timestamp_seconds"), seen("backup_retained")) == (0, 0)
    assert seen("backup_last_size_bytes") is None
    shop.put(1, dump[:-100])
    seen = look(collector)
    assert (seen("backup_last_success_timestamp_seconds"), seen("backup_retained")) == (0, 0)
    assert seen.files() == {"truncated": 1}


def test_place_that_is_gone_is_an_error_and_no_figure(shop: Shop, tmp_path: Path) -> None:
    (collector,) = configured(tmp_path, SHOP)
    shop.folder.rmdir()
    with pytest.raises(CollectError) as told:
        look(collector)
    assert told.value.kind == "connect"
    assert str(shop.folder) in str(told.value)
    shop.folder.mkdir()
    assert look(collector)("backup_retained") == 0


def test_links_second_names_hidden_and_unfinished_files_are_no_backups(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    made = shop.put(1, dump)
    (shop.folder / shop.name(0.5)).symlink_to(made)
    (shop.folder / shop.name(0.6)).hardlink_to(made)
    shop.put(0.7, dump, f"{shop.name(0.7)}.tmp")
    shop.put(0.7, dump, f"{shop.name(0.7)}.part")
    shop.put(0.7, dump, "shop-by-hand.dump")
    (shop.folder / "latest").symlink_to("/nowhere")
    (shop.folder / shop.name(0.8)).mkdir()
    os.mkfifo(shop.folder / shop.name(0.4))
    (collector,) = configured(tmp_path, SHOP.replace("{target}-", "*-"))
    seen = look(collector)
    files = seen.files()
    assert files["temporary"] == 2
    assert files["link"] == 3
    assert files["usable"] + files.get("foreign", 0) == 2
    assert seen("backup_retained") == 1


def test_second_name_that_is_no_backups_takes_nothing_from_the_backup(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    made = shop.put(1, dump)
    (shop.folder / "shop-latest.dump").hardlink_to(made)
    (shop.folder / "shop-0.dump").hardlink_to(made)
    (collector,) = configured(tmp_path, SHOP)
    assert look(collector).files() == {"usable": 1, "foreign": 2}


def test_folders_may_share_their_files(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    first = shop.put(2, dump, f"{shop.name(2)}/shop.dump")
    (shop.folder / shop.name(1)).mkdir()
    (shop.folder / shop.name(1) / "shop.dump").hardlink_to(first)
    (collector,) = configured(tmp_path, FOLDERS)
    assert look(collector).files() == {"usable": 2}


def test_file_that_is_being_written_is_no_backup_yet(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    shop.put(1, dump)
    young = shop.folder / shop.name(0)
    young.write_bytes(dump[:5000])
    (collector,) = configured(tmp_path, SHOP)
    assert look(collector).files() == {"usable": 1, "writing": 1}
    with young.open("ab") as file:
        file.write(dump[5000:])
    assert look(collector).files() == {"usable": 1, "writing": 1}
    done = time.time() - 600
    os.utime(young, (done, done))
    look(collector)  # its time was turned back since the last look: nobody can be sure yet
    seen = look(collector)
    assert seen.files() == {"usable": 2}
    assert seen("backup_last_success_timestamp_seconds") == shop.time(0)


def test_file_that_grows_while_its_time_stands_still(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    path = shop.put(1, dump[:5000])
    (collector,) = configured(tmp_path, SHOP)
    assert look(collector).files() == {"truncated": 1}
    shop.put(1, dump)
    assert look(collector).files() == {"writing": 1}
    assert look(collector).files() == {"usable": 1}
    path.unlink()
    assert look(collector).files() == {}


def test_checksums_beside_in_lists_and_wrong_ones(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    good = hashlib.sha256(dump).hexdigest()
    newest = shop.put(1, dump)
    shop.put(2, dump)
    shop.put(3, dump)
    newest.with_name(f"{newest.name}.sha256").write_text(f"{good}  /somewhere/else/{newest.name}\n")
    listed = f"SHA512 ({shop.name(2)}) = {hashlib.sha512(dump).hexdigest()}\n"
    (shop.folder / "SHA512SUMS").write_text(listed)
    (shop.folder / "MD5SUMS").write_text(f"{'1' * 32}  {shop.name(3)}\n")
    (collector,) = configured(tmp_path, "state: state.json\n" + SHOP)
    seen = look(collector)
    assert seen("backup_verified") == 1
    assert seen("backup_last_verified_timestamp_seconds") == shop.time(1)
    assert seen.files() == {"usable": 2, "mismatch": 1, "checksum": 3}
    newest.unlink()
    assert look(collector)("backup_last_verified_timestamp_seconds") == shop.time(2)


def test_whole_files_are_read_once_over_restarts_and_a_bounded_part_in_a_run(
    shop: Shop, dump: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = dump[:-10] + bytes(3 << 20) + dump[-10:]
    digest = hashlib.sha256(large).hexdigest()
    for days in (1, 2):
        path = shop.put(days, large)
        path.with_name(f"{path.name}.sha256").write_text(digest)
    taken: list[tuple[str, int, int]] = []
    read = FolderStore.read

    def noted(self: FolderStore, found: object, start: int, length: int, deadline: float) -> bytes:
        got = read(self, found, start, length, deadline)  # type: ignore[arg-type]
        taken.append((found.name, start, len(got)))  # type: ignore[attr-defined]
        return got

    monkeypatch.setattr(FolderStore, "read", noted)
    text = "state: state.json\n" + SHOP + "    read: {bytes_per_run: 1048576}\n"
    (collector,) = configured(tmp_path, text)
    verified: list[float] = []
    for _ in range(20):
        taken.clear()
        seen = look(collector)
        whole = sum(size for name, _, size in taken if not name.endswith(".sha256"))
        assert whole <= 2 * (1 << 20) + 200_000
        verified.append(seen("backup_verified") or 0)
        if not whole:
            break
    assert verified[0] == 0
    assert verified[-1] == 1
    assert verified == sorted(verified)
    assert look(collector)("backup_last_verified_timestamp_seconds") == shop.time(1)
    taken.clear()
    (again,) = configured(tmp_path, text)
    assert look(again)("backup_verified") == 1
    assert taken == []
    shop.put(1, large[:-1] + b"!")  # rot, with the size and the time of the original
    os.utime(shop.folder / shop.name(1), (shop.now - DAY + 61, shop.now - DAY + 61))
    for _ in range(20):
        seen = look(again)
    assert seen.files()["usable"] == 1
    assert seen("backup_last_success_timestamp_seconds") == shop.time(2)


def test_state_that_can_not_be_read_or_written_is_done_without(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    shop.put(1, dump)
    newer = '{"version": 9, "read": {}}'
    for state, text in (("state.json", "{no"), ("state.json", newer), ("missing/state.json", "")):
        path = tmp_path / state
        if text:
            path.write_text(text)
        (collector,) = configured(tmp_path, f"state: {state}\n" + SHOP)
        assert look(collector)("backup_retained") == 1
    assert [each.name for each in tmp_path.iterdir() if each.name.endswith(".tmp")] == []


FOLDERS = """
dumps:
  - targets: [shop]
    pattern: "{target}-{time:%Y-%m-%dT%H%M%S}.dump/"
    places: [{type: folder, path: backups}]
    every: 1d
"""


def test_folder_a_backup(shop: Shop, url: str, tmp_path: Path) -> None:
    for days in (1, 2, 3):
        pg_dump(url, "-Fd", "-f", shop.folder / shop.name(days))
    for path in shop.folder.rglob("*"):
        os.utime(path, (shop.now - DAY // 2,) * 2)
    (collector,) = configured(tmp_path, FOLDERS)
    seen = look(collector)
    assert seen.files() == {"usable": 3}
    total = sum(path.stat().st_size for path in (shop.folder / shop.name(1)).iterdir())
    assert seen("backup_last_size_bytes") == total
    assert seen("backup_info", format="pg_directory") == 1
    data = sorted((shop.folder / shop.name(1)).glob("*.dat.gz"))
    data[0].unlink()
    cut = sorted((shop.folder / shop.name(2)).glob("*.dat.gz"), key=lambda path: path.stat().st_size)[-1]
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    os.utime(cut, (shop.now - DAY // 2 + 1,) * 2)
    (collector,) = configured(tmp_path, FOLDERS)
    assert look(collector).files() == {"usable": 1, "incomplete": 1, "truncated": 1}


def test_folder_of_a_dump_that_was_killed_has_no_table_of_contents(shop: Shop, url: str, tmp_path: Path) -> None:
    for days in (1, 2):
        (shop.folder / shop.name(days)).mkdir()
        for database in ("orders", "users"):
            pg_dump(url, "-Fd", "-f", shop.folder / shop.name(days) / database)
    (shop.folder / shop.name(1) / "users" / "toc.dat").unlink()
    for path in shop.folder.rglob("*"):
        os.utime(path, (shop.now - DAY // 2,) * 2)
    (collector,) = configured(tmp_path, FOLDERS)
    assert look(collector).files() == {"usable": 1, "incomplete": 1}


def test_folder_of_plain_dumps_of_which_one_is_cut(shop: Shop, url: str, tmp_path: Path) -> None:
    data = pg_dump(url)
    for days in (1, 2):
        shop.put(days, data, f"{shop.name(days)}/orders.sql")
        shop.put(days, data[: -200 if days == 1 else None], f"{shop.name(days)}/users.sql")
        shop.put(days, b"", f"{shop.name(days)}/_SUCCESS")
    (collector,) = configured(tmp_path, FOLDERS)
    seen = look(collector)
    assert seen.files() == {"usable": 1, "truncated": 1}
    assert seen("backup_last_success_timestamp_seconds") == shop.time(2)


def test_folder_with_its_own_checksums_and_a_file_that_says_that_it_is_done(
    shop: Shop, url: str, tmp_path: Path
) -> None:
    folder = shop.folder / shop.name(1)
    pg_dump(url, "-Fd", "-f", folder)
    sums = "".join(f"{hashlib.sha256(p.read_bytes()).hexdigest()} *{p.name}\n" for p in sorted(folder.iterdir()))
    (folder / "SHA256SUMS").write_text(sums)
    old = (shop.now - DAY // 2,) * 2
    for path in folder.iterdir():
        os.utime(path, old)
    text = FOLDERS + "    complete: DONE\n"
    (collector,) = configured(tmp_path, text)
    assert look(collector).files() == {"incomplete": 1, "checksum": 1}
    (folder / "DONE").touch()
    os.utime(folder / "DONE", old)
    (collector,) = configured(tmp_path, text)
    seen = look(collector)
    assert seen.files() == {"usable": 1, "checksum": 1}
    assert seen("backup_verified") == 1
    (folder / "SHA256SUMS").write_text(sums.replace(sums[:8], "00000000"))
    os.utime(folder / "SHA256SUMS", (old[0] + 1,) * 2)
    (collector,) = configured(tmp_path, text)
    assert look(collector).files() == {"mismatch": 1, "checksum": 1}


PLACES = """
dumps:
  - targets: [shop]
    pattern: "{target}-{time:%Y-%m-%dT%H%M%S}.dump"
    places:
      - {type: folder, path: backups, region: here}
      - {type: folder, path: copies, region: there}
      - {type: folder, path: gone, region: nowhere}
"""


def test_copies_elsewhere_and_a_place_that_can_not_be_read(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    copies = Shop(tmp_path / "copies")
    copies.now = shop.now
    for days in (1, 2, 3):
        shop.put(days, dump)
    for days in (3, 4):
        copies.put(days, dump)
    (collector,) = configured(tmp_path, PLACES)
    seen = look(collector)
    assert [seen("backup_place_up", region=region) for region in ("here", "there", "nowhere")] == [1, 1, 0]
    assert seen("backup_replica_lag_seconds", region="here") == 0
    assert seen("backup_replica_lag_seconds", region="there") == 2 * DAY
    assert seen("backup_replica_lag_seconds", region="nowhere") is None
    assert seen("backup_retained") == 4
    (tmp_path / "gone").mkdir()
    assert look(collector)("backup_replica_lag_seconds", region="nowhere") == float("inf")


def test_place_that_hangs_takes_nothing_from_the_others(
    shop: Shop, dump: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    shop.put(1, dump)
    (tmp_path / "copies").mkdir()
    freed, listing = threading.Event(), FolderStore.list
    before = threading.active_count()

    def hanging(self: FolderStore, *given: object, **named: object) -> object:
        if self.path.name == "copies":
            freed.wait()
        return listing(self, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderStore, "list", hanging)
    (collector,) = configured(tmp_path, PLACES)
    try:
        for seconds in (1.5, 15.0, 60.0):  # a busy machine may take longer for the place that does not hang
            seen = look(collector, seconds)
            if seen("backup_place_up", region="here"):
                break
        assert (seen("backup_place_up", region="here"), seen("backup_place_up", region="there")) == (1, 0)
        assert seen("backup_retained") == 1
        assert threading.active_count() <= before + 1  # that one, and no second one for the same place
    finally:
        freed.set()
    deadline = time.monotonic() + 60
    while not look(collector)("backup_place_up", region="there"):
        assert time.monotonic() < deadline, "the place that answers again is not seen"


def test_place_with_too_many_files_for_the_timeout_says_what_to_change(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that nobody answers: on call, one would look for a dead volume."""

    with os.scandir(__file__.rpartition("/")[0]) as entries:
        entry = next(each for each in entries if each.is_file())

    class Endless:
        """A folder that goes on."""

        def __enter__(self) -> Iterator[os.DirEntry[str]]:
            return itertools.repeat(entry)

        def __exit__(self, *_: object) -> None: ...

    (collector,) = configured(tmp_path, SHOP)
    with monkeypatch.context() as patched:
        scanned = Endless()
        real = os.scandir
        patched.setattr(os, "scandir", lambda path: scanned if Path(path) == shop.folder else real(path))
        for _ in range(2):
            for seconds in (2, 20, 200):  # it has a tenth of that to say so itself, which is little on a busy machine
                with pytest.raises(CollectError) as told:
                    look(collector, seconds)
                assert told.value.kind == "timeout"
                if told.value.message == "reading the folder took too long":
                    break
            assert told.value.message == "reading the folder took too long"
            assert "longer timeout" in told.value.remedy
    assert look(collector)("backup_place_up") == 1


def test_files_that_may_not_be_read_are_an_error_where_there_are_no_others(
    shop: Shop, dump: bytes, tmp_path: Path
) -> None:
    shop.put(1, dump).chmod(0)
    configured(tmp_path, SHOP)
    for parent in [tmp_path, *list(tmp_path.parents)[:2]]:
        parent.chmod(0o755)
    # A process of its own, as somebody who is not root, who could read it.
    code = f"""
import os, sys, time
from pathlib import Path
from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.sidecar.collector import CollectError
[first], [collector] = (EXPORTER.load(Path(sys.argv[1])).collectors for _ in range(2))
if os.geteuid() == 0:  # who may read what is imported meanwhile, too
    list(first.collect(time.monotonic() + 60))
if os.geteuid() == 0:
    os.setgid({NOBODY})
    os.setuid({NOBODY})
try:
    list(collector.collect(time.monotonic() + 60))
except CollectError as error:
    print(error.kind, error.remedy, flush=True)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "backup.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "auth let the exporter's user read it\n", done.stderr


def test_plain_dumps_of_the_day_without_a_pattern(shop: Shop, url: str, tmp_path: Path) -> None:
    shop.put(1, compressed(pg_dump(url), "gzip"), "monday.sql.gz")
    shop.put(2, compressed(pg_dump(url), "gzip"), "sunday.sql.gz")
    shop.put(0.5, b"how these are made\n", "README.txt")
    shop.put(0.5, b"x", ".hidden")
    (shop.folder / "lost+found").mkdir(mode=0)
    text = "dumps: [{targets: [shop], places: [{type: folder, path: backups}]}]"
    (collector,) = configured(tmp_path, text)
    seen = look(collector)
    assert seen.files() == {"usable": 2, "unrecognized": 1, "hidden": 1}
    assert seen("backup_last_success_timestamp_seconds") == shop.now - DAY + 60
    assert seen("backup_info", format="sql", compression="gzip") == 1


@pytest.mark.parametrize("by", ["gzip", "xz", "bzip2", "zstd"])
def test_large_file_is_read_until_its_end_is_known(shop: Shop, url: str, tmp_path: Path, by: str) -> None:
    plain = pg_dump(url)
    data = compressed(plain, by)
    assert len(data) > 70_000
    shop.put(3, data)
    shop.put(2, data[: len(data) * 3 // 4])
    half = compressed(plain[: len(plain) // 2], by)  # pg_dump broke off, and the compressor did not mind
    shop.put(1, half)
    (collector,) = configured(tmp_path, SHOP)
    seen = look(collector)
    if by == "zstd":  # which Python can't look into
        assert seen.files() == {"usable": 2, "truncated": 1}
        return
    assert seen.files() == {"usable": 1, "truncated": 2}
    assert seen("backup_last_success_timestamp_seconds") == shop.time(3)
    (collector,) = configured(tmp_path, SHOP + "    read: {which: declared}\n")
    assert look(collector).files()["usable"] >= 2


def test_only_the_newest_are_looked_into(shop: Shop, dump: bytes, tmp_path: Path) -> None:
    for days in range(1, 9):
        shop.put(days, dump)
    (collector,) = configured(tmp_path, SHOP + "    examined: 3\n")
    seen = look(collector)
    assert seen.files() == {"usable": 3, "unexamined": 5}
    assert seen("backup_last_success_timestamp_seconds") == shop.time(1)


def test_same_collectors_over_a_reload(shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "backup.yml"
    path.write_text("state: s.json\n" + SHOP)
    first = EXPORTER.load(path)
    again = EXPORTER.load(path, before=first)
    assert list(first.collectors) == list(again.collectors)
    path.write_text("state: s.json\n" + SHOP.replace("targets: [shop]", "targets: [shop, users]"))
    more = EXPORTER.load(path, before=first)
    assert [each.name for each in more.collectors] == ["database_shop", "database_users"]
    assert more.collectors[0] == first.collectors[0]
    path.write_text("state: s.json\n" + SHOP + "    every: 12h\n")
    assert EXPORTER.load(path, before=first).collectors[0] != first.collectors[0]


def test_all_mistakes_at_once_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "backup.yml"
    path.write_text(
        """dumps:
  - targets: [shop, shop]
    pattern: "x-{time:%H}.dump"
    timezone: Europe/Nowhere
    every: 1s
    history: 0
    examined: 0
    complete: DONE
    places:
      - {type: folder, path: ""}
      - {type: folder, path: b}
      - {type: s3, bucket: a/b, endpoint: "http://u:p@x", credentials: {access_key: {env: A}, secret_key: {}}}
  - targets: []
    places: []
rds:
  - {target: shop, region: eu-west-1, copies: [eu-west-1]}
wal:
  - {target: shop}
  - {target: shop, url: "postgresql://a:b@c/d", segment_size: 3}
"""
    )
    with pytest.raises(ConfigurationError) as told:
        EXPORTER.load(path)
    text = str(told.value)
    for line, said in (
        (2, "the database shop is there already"), (3, "a time that tells no day"), (4, "there is no time zone"),
        (5, "must be at least 1m"), (6, "must be at least 1"), (7, "must be from 1 to 10000"), (10, "is empty"),
        (11, "is the second place in local"), (12, "is no bucket"), (12, "holds a password"),
        (12, "must say one of env and file"), (13, "names no target"), (14, "names no place"),
        (16, "the database shop is there already"), (16, "must say one of instance and cluster"),
        (16, "where the database is"), (18, "must say url or archive"), (19, "there already"),
        (19, "holds a password"), (19, "must be a power of 2"),
    ):  # fmt: skip
        assert any(f"backup.yml:{line}:" in each and said in each for each in text.splitlines()), (line, said, text)
    path.write_text("listen: 127.0.0.1:1\n")
    with pytest.raises(ConfigurationError, match="names no backups"):
        EXPORTER.load(path)


def test_example_is_right_and_speaks_of_what_is_there() -> None:
    from importlib.resources import files

    loaded = EXPORTER.load(Path(str(files("sla_kit.exporters.backup") / "example.yml")))
    assert [each.name for each in loaded.collectors] == ["database_shop", "database_orders", "database_users"]
