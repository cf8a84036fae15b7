"""Archives by the real tar and by Python's, whole, cut, and cut in such a way that their end looks as it should."""

from __future__ import annotations

import io
import os
import random
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup import EXPORTER
from sla_kit.exporters.backup.contents import HEAD_BYTES, TAIL_BYTES, Contents, WholeReading, examine
from sla_kit.exporters.backup.tar import TarWalk
from tests.exporters.backup.real_dumps import compressed

END = bytes(1024)
NOISE = random.Random(1).randbytes(102_400)


def walked(data: bytes, step: int) -> str:
    walk = TarWalk()
    for at in range(0, len(data), step):
        walk.feed(data[at : at + step])
    return walk.ending()


def told_whole(data: bytes) -> Contents:
    whole = WholeReading(examine(data[:HEAD_BYTES], data[-TAIL_BYTES:], len(data)))
    assert whole.tells
    for at in range(0, len(data), 100_000):
        whole.feed(data[at : at + 100_000])
    return whole.result()


def packed(members: list[tuple[str, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as archive:
        for name, data in members:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def ends_where(data: bytes) -> tuple[int, int]:
    """Where the first byte of the second member's content lies, and where its last one does."""
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        member = archive.getmembers()[1]
    return member.offset_data, member.offset_data + member.size


members = st.lists(
    st.tuples(
        st.one_of(st.text("abc/é", min_size=1, max_size=12), st.just("long/" * 40 + "name")),
        st.binary(min_size=0, max_size=3000),
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=150)
@given(
    members,
    st.sampled_from([tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    st.integers(1, 4000),
    st.floats(0, 1, exclude_max=True),
)
def test_archives_are_whole_only_with_all_of_their_members(
    some: list[tuple[str, bytes]], form: int, step: int, where: float
) -> None:
    try:
        data = packed(some, form)
    except (ValueError, UnicodeError):
        return  # the oldest form knows no such name
    assert walked(data, step) == "complete"
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.getmembers()
        end = archive.offset
    cut = data[: int(where * (end - 512))]
    assert walked(cut, step) == "truncated"


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=4000), st.integers(1, 700))
def test_any_bytes_are_no_whole_archive_and_no_error(data: bytes, step: int) -> None:
    expected = "complete" if data.startswith(END) else "truncated"
    assert walked(data, step) in (expected, "unknown")


def test_member_that_is_cut_before_a_right_end_is_found_by_reading_all() -> None:
    data = packed([("one", NOISE), ("two", NOISE * 3), ("three", NOISE)])
    begin, end = ends_where(data)
    assert told_whole(data).ending == "complete"
    for at in (begin, begin + 1000, end - 2048):
        found = told_whole(data[:at] + END)
        assert (found.format, found.ending) == ("tar", "truncated")
        assert "cut" in found.finding
    inside = told_whole(compressed(data[: begin + 1000] + END, "gzip"))
    assert (inside.format, inside.compression, inside.ending) == ("tar", "gzip", "truncated")
    assert inside.finding == "inside the gzip stream, a member of the tar archive is broken or cut"
    assert told_whole(compressed(data, "gzip")).ending == "complete"


def test_short_archive_is_walked_at_once() -> None:
    data = packed([("one", b"1" * 3000), ("two", b"2" * 20_000)])
    begin, _ = ends_where(data)
    cut = data[: begin + 5000] + END
    assert examine(data, data[-TAIL_BYTES:], len(data)).ending == "complete"
    assert examine(cut, cut[-TAIL_BYTES:], len(cut)).ending == "truncated"


@pytest.mark.parametrize("form", ["gnu", "oldgnu", "pax", "posix", "ustar"])
def test_what_the_real_tar_writes(form: str, tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "file").write_bytes(NOISE)
    (tmp_path / "a" / ("long" * 24)).write_bytes(b"x")
    os.link(tmp_path / "a" / "file", tmp_path / "a" / "second")
    (tmp_path / "a" / "link").symlink_to("file")
    os.mkfifo(tmp_path / "a" / "pipe")
    data = subprocess.run(["tar", "-cf", "-", f"--format={form}", "a"], cwd=tmp_path, capture_output=True, check=True)
    assert walked(data.stdout, 10_000) == "complete"
    assert walked(data.stdout[:70_000] + END, 10_000) == "truncated"


def test_size_beyond_octal_digits_is_read_and_holes_are_left_open(tmp_path: Path) -> None:
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        member = tarfile.TarInfo("large")
        member.size = 9 << 30
        header = member.tobuf(form)
        assert walked(header + bytes(1 << 20), 4096) == "truncated"  # zeros are its content, and no end
    with (tmp_path / "holes").open("wb") as holes:
        holes.truncate(10 << 20)
        holes.write(b"x")
        holes.seek(5 << 20)
        holes.write(b"y")
    command = ["tar", "-cSf", "-", "--format=gnu", "holes"]
    data = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True).stdout
    assert len(data) < 1 << 20
    assert walked(data, 512) == "unknown"


def test_archive_in_a_folder_is_read_whole_and_one_with_a_cut_member_does_not_count(tmp_path: Path) -> None:
    now = int(time.time())
    data = packed([("one", NOISE), ("two", NOISE * 3)])
    begin, _ = ends_where(data)
    (tmp_path / "backups").mkdir()
    for days, content in ((2, data), (1, data[: begin + 1000] + END)):
        at = now - days * 86400
        path = tmp_path / "backups" / f"shop-{datetime.fromtimestamp(at, UTC):%Y%m%d%H%M%S}.tar"
        path.write_bytes(content)
        os.utime(path, (at, at))
    (tmp_path / "backup.yml").write_text(
        'dumps: [{targets: [shop], pattern: "{target}-{time:%Y%m%d%H%M%S}.tar", '
        "places: [{type: folder, path: backups}]}]"
    )
    (collector,) = EXPORTER.load(tmp_path / "backup.yml").collectors
    samples = [each for metric in collector.collect(time.monotonic() + 60) for each in metric.samples]
    counts = {each.labels["state"]: each.value for each in samples if each.name == "backup_files" and each.value}
    assert counts == {"usable": 1, "truncated": 1}
    (last,) = [each.value for each in samples if each.name == "backup_last_success_timestamp_seconds"]
    assert last == now - 2 * 86400
