"""Names in an archive of write-ahead log, against PostgreSQL's own examples and against plain counting."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup.wal_segments import (
    USUAL_SIZE,
    HistoryFile,
    MarkFile,
    Segment,
    SegmentFile,
    parse_file,
    parse_history,
    parse_lsn,
    parse_mark,
    parse_segment,
    valid_size,
)

MIB = 1 << 20
SIZES = [MIB << power for power in range(11)]
sizes = st.sampled_from(SIZES)


@settings(deadline=None)
@given(st.integers(1, 2**32 - 1), sizes, st.data())
def test_a_name_read_back_is_the_same_segment(timeline: int, size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, (1 << 64) // size - 1))
    segment = Segment(timeline, number)
    assert len(segment.name(size)) == 24
    assert parse_segment(segment.name(size), size) == segment


@settings(deadline=None)
@given(sizes, st.data())
def test_names_of_one_timeline_are_in_the_order_of_the_log(size: int, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, (1 << 64) // size - 2))
    assert Segment(1, number).name(size) < Segment(1, number + 1).name(size)


@pytest.mark.parametrize(
    ("name", "size", "following"),
    [
        ("0000000100000000000000FF", 16 * MIB, "000000010000000100000000"),
        ("00000001000000000000003F", 64 * MIB, "000000010000000100000000"),
        ("000000010000000000000003", 1024 * MIB, "000000010000000100000000"),
        ("000000010000000000000FFF", MIB, "000000010000000100000000"),
        ("00000003000000FE000000FF", 16 * MIB, "00000003000000FF00000000"),
    ],
)
def test_the_lower_part_wraps_where_the_upper_part_is_full(name: str, size: int, following: str) -> None:
    segment = parse_segment(name, size)
    assert segment is not None
    assert Segment(segment.timeline, segment.number + 1).name(size) == following


def test_what_can_not_be_a_segment_of_a_size_is_none() -> None:
    assert parse_segment("000000010000000000000100", 16 * MIB) is None
    assert parse_segment("000000010000000000000040", 64 * MIB) is None
    assert parse_segment("000000000000000000000001") is None  # there is no timeline 0
    assert parse_segment("00000001000000000000000g") is None
    assert parse_segment("0000000100000000000001") is None


def test_a_place_in_the_log_is_in_the_segment_that_postgresql_says() -> None:
    # SELECT pg_walfile_name('16/B374D848') gives 0000000100000016000000B3, says PostgreSQL's documentation of backups.
    place = parse_lsn("16/B374D848")
    assert place is not None
    assert Segment(1, place // USUAL_SIZE).name() == "0000000100000016000000B3"


def test_sizes_are_powers_of_two_from_one_mebibyte_to_one_gibibyte() -> None:
    assert [size for size in SIZES if not valid_size(size)] == []
    assert [size for size in (0, 1, MIB // 2, 3 * MIB, 2048 * MIB, -MIB) if valid_size(size)] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("000000010000000000000003", SegmentFile("000000010000000000000003", False, True)),
        ("000000010000000000000003.gz", SegmentFile("000000010000000000000003", False, False)),
        ("000000010000000000000003.lz4", SegmentFile("000000010000000000000003", False, False)),
        ("000000010000000000000003.zst.age", SegmentFile("000000010000000000000003", False, False)),
        ("000000010000000000000003.partial", SegmentFile("000000010000000000000003", True, True)),
        (
            "000000010000000000000003-0123456789abcdef0123456789abcdef01234567.zst",
            SegmentFile("000000010000000000000003", False, False),
        ),
        ("00000002.history", HistoryFile(2, "")),
        ("0000000A.history.gz", HistoryFile(10, ".gz")),
        ("000000010000000000000003.00000028.backup", MarkFile("000000010000000000000003", 0x28, "")),
        ("000000010000000000000003.00000028.backup.br", MarkFile("000000010000000000000003", 0x28, ".br")),
        ("archive.info", None),
        ("000000010000000000000003.tmp", None),
        (".000000010000000000000003.Xy12", None),
        ("README", None),
        ("", None),
    ],
)
def test_files_of_an_archive_are_known_by_their_names(name: str, expected: object) -> None:
    assert parse_file(name) == expected


def test_a_history_names_the_timelines_and_where_they_were_left() -> None:
    text = "1\t0/A0000D8\tno recovery target specified\n\n# a remark\n2\t0/1B000000\tbefore 2026-01-01 00:00:00+00\n"
    assert parse_history(text) == [(1, 0xA0000D8), (2, 0x1B000000)]


@pytest.mark.parametrize(
    "text", ["", "one\t0/A0\tx\n", "1\n", "1\tnowhere\tx\n", "2\t0/A0\n1\t0/B0\n", "1\t0/A0\n1\t0/A0\n"]
)
def test_what_is_no_history_is_none(text: str) -> None:
    assert parse_history(text) is None


def test_a_mark_says_where_its_base_backup_ended() -> None:
    text = """\
START WAL LOCATION: 0/3000028 (file 000000010000000000000003)
STOP WAL LOCATION: 0/4000120 (file 000000010000000000000004)
CHECKPOINT LOCATION: 0/3000060
BACKUP METHOD: streamed
"""
    assert parse_mark(text) == 0x4000120
    assert parse_mark("something else") is None


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    parse_file(text)
    parse_history(text)
    parse_mark(text)
    parse_lsn(text)
    parse_segment(text)
