"""Archives as other archivers leave them: packed, encrypted, in folders, over several timelines."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sla_kit.exporters.backup.configuration import Wal
from sla_kit.exporters.backup.store import FolderStore
from sla_kit.exporters.backup.wal import wal_collector
from sla_kit.exporters.backup.wal_archive import Archive
from sla_kit.exporters.backup.wal_segments import Segment
from sla_kit.exporters.backup.wal_window import Window
from sla_kit.exporters.sidecar.collector import CollectError, Schedule

SIZE = 16 << 20
MARK = """\
START WAL LOCATION: 0/1000028 (file 000000010000000000000001)
STOP WAL LOCATION: 0/2000120 (file 000000010000000000000002)
"""
HISTORY = "1\t0/4000500\tno recovery target specified\n"


def put(folder: Path, name: str, content: bytes = b"x", *, at: float = 1000.0) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (at, at))


def segments(folder: Path, timeline: int, *numbers: int, suffix: str = ".lz4", prefix: str = "") -> None:
    for number in numbers:
        put(folder, f"{prefix}{Segment(timeline, number).name(SIZE)}{suffix}", at=1000.0 + number)


def window(folder: Path, size: int = 0) -> Window:
    return Archive(FolderStore(folder)).window(time.monotonic() + 30.0, size)


@pytest.mark.parametrize(
    ("pack", "suffix"),
    [
        (bytes, ""),
        (gzip.compress, ".gz"),
        (bz2.compress, ".bz2"),
        (lzma.compress, ".xz"),
        (lambda data: b"?" * 99, ".age"),
    ],
)
def test_a_restore_follows_the_newest_timeline_however_its_history_is_packed(
    tmp_path: Path, pack: Callable[[bytes], bytes], suffix: str
) -> None:
    """Where the history can't be read, the first segments of the timelines tell."""
    segments(tmp_path, 1, 1, 2, 3, 4, 5)
    segments(tmp_path, 2, 4, 5, 6)
    put(tmp_path, f"{Segment(1, 4).name(SIZE)}.partial")
    put(tmp_path, f"00000002.history{suffix}", pack(HISTORY.encode()))
    put(tmp_path, f"{Segment(1, 1).name(SIZE)}.00000028.backup{suffix}", pack(MARK.encode()), at=1002.5)
    found = window(tmp_path)
    assert found == Window(2, Segment(2, 6), Segment(2, 6), 1006.0, 1002.5, 0, None)


def test_pgbackrest_s_folders_and_checksums_are_read(tmp_path: Path) -> None:
    segments(tmp_path, 1, 1, 2, 3, prefix="16-1/0000000100000000/", suffix="-" + "0a" * 20 + ".zst")
    put(tmp_path, "archive.info", b"[db]\n")
    put(tmp_path, f"16-1/0000000100000000/{Segment(1, 1).name(SIZE)}.00000028.backup", MARK.encode(), at=1002.5)
    assert window(tmp_path) == Window(1, Segment(1, 3), Segment(1, 3), 1003.0, 1002.5, 0, None)


def test_the_size_of_segments_is_that_of_plain_ones(tmp_path: Path) -> None:
    for name in ("00000001000000000000000E", "00000001000000000000000F", "000000010000000100000000"):
        put(tmp_path, name)
        os.truncate(tmp_path / name, 256 << 20)  # sparse
        os.utime(tmp_path / name, (1000.0, 1000.0))
    put(tmp_path, "00000001000000000000000E.00000028.backup", b"")
    found = window(tmp_path)
    assert found.missing == 0
    assert found.newest == Segment(1, 16)


def test_a_segment_that_is_cut_off_or_empty_is_missing(tmp_path: Path) -> None:
    segments(tmp_path, 1, 1, 3, 4)
    put(tmp_path, Segment(1, 2).name(SIZE), b"cut off")
    put(tmp_path, Segment(1, 5).name(SIZE), b"")
    put(tmp_path, f"{Segment(1, 1).name(SIZE)}.00000028.backup.lz4")
    found = window(tmp_path, SIZE)
    assert (found.missing, found.first_missing, found.last) == (1, Segment(1, 2), Segment(1, 4))


def test_small_files_are_read_once(tmp_path: Path) -> None:
    segments(tmp_path, 1, 1, 2)
    put(tmp_path, f"{Segment(1, 1).name(SIZE)}.00000028.backup", MARK.encode())
    reads: list[str] = []

    class Counting(FolderStore):
        def read(self, found, start, length, deadline):  # type: ignore[no-untyped-def]
            reads.append(found.name)
            return super().read(found, start, length, deadline)

    archive = Archive(Counting(tmp_path))
    for _ in range(3):
        assert archive.window(time.monotonic() + 30.0).newest == Segment(1, 2)
    assert len(reads) == 1


def test_a_huge_file_with_the_name_of_a_history_is_not_read(tmp_path: Path) -> None:
    segments(tmp_path, 1, 1, 2)
    put(tmp_path, "00000002.history", b"1\t0/0\n" * 100_000)
    assert window(tmp_path).timeline == 2


@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        ("", b""),
        ("", b"garbage"),
        (".gz", b""),
        (".gz", gzip.compress(HISTORY.encode(), mtime=0)[:20]),
        (".xz", b"?" * 99),
    ],
)
def test_a_damaged_history_stops_a_restore(tmp_path: Path, suffix: str, content: bytes) -> None:
    segments(tmp_path, 1, 1, 2, 3, 4)
    segments(tmp_path, 2, 4, 5)
    put(tmp_path, f"00000002.history{suffix}", content)
    put(tmp_path, f"{Segment(1, 1).name(SIZE)}.00000028.backup", MARK.encode(), at=1002.5)
    assert window(tmp_path).newest is None


def test_an_archive_from_the_future_is_an_error_and_no_gap_of_nothing(tmp_path: Path) -> None:
    segments(tmp_path, 1, 1, 2)
    put(tmp_path, f"{Segment(1, 1).name(SIZE)}.00000028.backup", MARK.encode(), at=1002.5)
    put(tmp_path, f"{Segment(1, 3).name(SIZE)}.lz4", at=time.time() + 7200.0)
    watching = wal_collector(Wal(target="shop"), Schedule(), FolderStore(tmp_path))
    with pytest.raises(CollectError, match="from the future"):
        list(watching.collect(time.monotonic() + 30.0))
