"""Whatever the bytes and the names, reading them raises nothing and claims nothing that it can't know."""

from __future__ import annotations

import gzip
import hashlib
import lzma
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.backup.checksums import Digest, beside, described, is_list, read_sums, strongest
from sla_kit.exporters.backup.compression import Frames
from sla_kit.exporters.backup.contents import WholeReading, examine
from sla_kit.exporters.backup.encryption import PacketWalk
from sla_kit.exporters.backup.naming import Pattern, PatternError, made, zone_of

BEGINNINGS = [
    b"", b"\x1f\x8b\x08", b"\xfd7zXZ\x00", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd", b"\x04\x22\x4d\x18", b"\x50\x2a\x4d\x18",
    b"PGDMP\x01\x0f\x00\x04\x08\x01", b"PGDMP\x01\x0e\x00\x04\x08\x05", b"age-encryption.org/v1\n-> X25519 a\n",
    b"-----BEGIN PGP MESSAGE-----\n", b"-----BEGIN AGE ENCRYPTED FILE-----\n", b"Salted__", b"\x84\x5e\x03", b"\xc1",
    b"\x8c\x0d\x04", b"REDIS0011", b"SQLite format 3\0", b"--\n-- PostgreSQL database dump\n", b"\xd2\xff",
]  # fmt: skip
anything = st.builds(lambda start, rest: start + rest, st.sampled_from(BEGINNINGS), st.binary(max_size=600))


@settings(deadline=None, max_examples=400)
@given(anything, st.integers(0, 3000), st.binary(max_size=40))
def test_examining_never_raises(head: bytes, more: int, end: bytes) -> None:
    tail = (head + bytes(more) + end)[-100:]
    found = examine(head, tail, len(head) + more + len(end))
    assert found.ending in ("complete", "truncated", "unknown")
    assert (found.finding == "") == (found.ending != "truncated")
    reading = WholeReading(found)
    reading.feed(head)
    reading.feed(end)
    assert reading.result().ending in ("complete", "truncated", "unknown")


@settings(deadline=None, max_examples=200)
@given(anything, st.lists(st.integers(1, 50), max_size=20), st.sampled_from(["zstd", "lz4", "openpgp"]))
def test_walks_do_not_depend_on_how_they_are_fed(data: bytes, sizes: list[int], form: str) -> None:
    def walk(parts: list[bytes]) -> str:
        made = PacketWalk() if form == "openpgp" else Frames(form)
        for part in parts:
            made.feed(part)
        return made.ending()

    parts, at = [], 0
    for size in sizes:
        parts.append(data[at : at + size])
        at += size
    assert walk([data]) == walk([*parts, data[at:]])


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=5000), st.integers(1, 4000), st.sampled_from([gzip.compress, lzma.compress]))
def test_cut_streams_are_found_however_they_are_fed(data: bytes, size: int, by: object) -> None:
    data = data and b"\0" + data  # or it might be the beginning of something that must have an end
    packed = by(data)  # type: ignore[operator]
    for whole in (packed, packed[:-1], packed[: len(packed) // 2]):
        reading = WholeReading(examine(packed[:64], b"", 1 << 30))
        for at in range(0, len(whole), size):
            reading.feed(whole[at : at + size])
        ending = reading.result().ending
        assert (ending == "truncated") == (whole != packed or not data)


@settings(deadline=None)
@given(st.binary(max_size=2000), st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30))
def test_files_of_checksums_as_the_tools_write_them(data: bytes, name: str) -> None:
    name = name.replace("\\", "_").replace("/", "_")
    for algorithm in ("md5", "sha1", "sha224", "sha256", "sha384", "sha512"):
        value = hashlib.new(algorithm, data).hexdigest()
        wanted = Digest(algorithm, value)
        assert read_sums(f"{value}  {name}\n")[name] == wanted
        assert read_sums(f"{value.upper()} *./{name}\r\n")[name] == wanted
        assert read_sums(f"{algorithm.upper()} ({name}) = {value}\n")[name] == wanted
        assert beside(f"{value}\n", name) == wanted
        assert beside(f"{value}  /var/backups/{name}\n", f"folder/{name}") == wanted


@settings(deadline=None)
@given(st.text(max_size=300))
def test_any_text_as_a_file_of_checksums(text: str) -> None:
    assert all(len(digest.value) in (32, 40, 56, 64, 96, 128) for digest in read_sums(text).values())
    beside(text, "x")


def test_names_of_files_of_checksums() -> None:
    assert described("a/shop.dump.sha256") == "a/shop.dump"
    assert described("shop.dump.SHA256SUM") == "shop.dump"
    assert described("shop.dump") is None
    assert described(".sha256") is None
    assert is_list("a/SHA256SUMS")
    assert not is_list("SHA256SUMS/a")
    both = f"{'a' * 32}  x\n{'b' * 64}  x\n{'c' * 40}  x\n"
    assert read_sums(both)["x"] == Digest("sha256", "b" * 64)
    assert strongest({"md5": "a", "sha256": "B"}) == Digest("sha256", "b")
    assert strongest({"crc32": "a"}) is None


moments = st.datetimes(datetime(1990, 1, 1), datetime(2068, 1, 1))  # two digits of a year mean 1969 to 2068
FORMS = [
    ("%Y-%m-%dT%H%M", 60), ("%Y%m%d_%H%M%S", 1), ("%F", 86400), ("%y%j%H", 3600), ("%Y/%m/%d/%H%M", 60), ("%s", 1),
    ("%d-%b-%Y-%I%M%p", 60), ("%Y%m%dT%H%M%S.%f", 1),
]  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(moments, st.sampled_from(FORMS), st.sampled_from(["shop", "a.b", "x-1"]))
def test_names_are_read_as_they_are_written(moment: datetime, form: tuple[str, int], target: str) -> None:
    moment = moment.replace(tzinfo=UTC)
    # What the C library makes of %s goes by the zone of the machine.
    name = f"{target}-{moment.strftime(form[0].replace('%s', str(int(moment.timestamp()))))}.dump"
    found = Pattern(f"{{target}}-{{time:{form[0]}}}.dump", target).match(name)
    assert found is not None
    assert found.time is not None
    assert found.until == found.time + form[1]
    assert found.time <= moment.timestamp() < found.until
    assert Pattern(f"{{target}}-{{time:{form[0]}}}.dump", target).match(f"{name}.x") is None
    assert Pattern(f"{{target}}-{{time:{form[0]}}}.dump", "other").match(name) is None


@settings(deadline=None, max_examples=300)
@given(st.text("{}:%YmdHMSzsb-/*.targeime ", max_size=30), st.text(max_size=30))
def test_any_pattern_is_used_or_refused_with_a_reason(text: str, name: str) -> None:
    try:
        pattern = Pattern(text, "shop")
    except PatternError:
        return
    pattern.match(name)


@pytest.mark.parametrize(
    "text",
    ["{time}", "{time:%H%M}", "{time:%Y-%m}", "{time:%F %I}", "{time:%y%m%M}", "{time:%Q}", "{a", "a}", "{}", "{a:b}"],
)
def test_patterns_that_can_not_be_meant(text: str) -> None:
    with pytest.raises(PatternError):
        Pattern(text, "shop")


def test_parts_of_a_pattern() -> None:
    pattern = Pattern("{host}/{target}/{time:%Y%m%d}-*.sql", "shop")
    assert (pattern.prefix, pattern.depth, pattern.folders) == ("", 2, False)
    found = pattern.match("db1/shop/20260801-full.sql")
    assert found is not None
    assert found.backup == "db1/shop/20260801-full.sql"
    assert pattern.match("db1/db2/shop/20260801-full.sql") is None
    assert pattern.match("db1/shop/20260230-full.sql") is None
    folder = Pattern("{target}/{time:%Y%m%d}/", "shop")
    assert (folder.prefix, folder.depth, folder.folders) == ("shop/", None, True)
    member = folder.match("shop/20260801/a/b.gz")
    assert member is not None
    assert (member.backup, member.member) == ("shop/20260801/", "a/b.gz")
    assert folder.match("shop/20260801/") is None
    assert Pattern("", "shop").match("anything.dump") is not None
    assert Pattern("", "shop").match("below/anything.dump") is None
    twice = Pattern("{time:%Y}/{target}-{time:%Y%m%d}", "shop")
    assert twice.match("2026/shop-20260801") is not None
    assert twice.match("2025/shop-20260801") is None


def test_day_in_a_name_leaves_the_hour_to_the_last_change() -> None:
    zone = zone_of("Europe/Berlin")
    named = Pattern("{time:%Y-%m-%d}.dump", "shop", zone).match("2026-03-29.dump")
    assert named is not None
    begins = datetime(2026, 3, 29, tzinfo=zone).timestamp()
    assert (named.time, named.until) == (begins, begins + 23 * 3600)  # summer time begins
    assert made(named, begins + 9000.5) == begins + 9000.5
    assert made(named, begins + 86400) == begins
    assert made(named, begins - 1) == begins
    zoned = Pattern("{time:%Y-%m-%dT%H:%M:%S%z}", "shop", zone).match("2026-03-29T00:00:00Z")
    assert zoned is not None
    assert zoned.time == datetime(2026, 3, 29, tzinfo=UTC).timestamp()
    with pytest.raises(PatternError, match="no time zone"):
        zone_of("Europe/Nowhere")
    with pytest.raises(PatternError):
        zone_of("../etc/passwd")
