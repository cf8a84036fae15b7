"""What is told of files is held against those that pg_dump and the usual tools make, whole and cut."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sla_kit.exporters.backup.contents import HEAD_BYTES, TAIL_BYTES, Contents, WholeReading, examine
from sla_kit.exporters.backup.pg_archive import read_archive
from tests.exporters.backup.real_dumps import COMPRESSORS, FILL, PASSPHRASE, Keys, compressed, pg_dump, run, tool
from tests.servers.postgresql import postgresql

pytestmark = pytest.mark.xdist_group("backup_dumps")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with postgresql() as server:
        for statement in FILL:
            server.run(statement)
        yield server.url


@pytest.fixture(scope="module")
def plain(url: str) -> bytes:
    return pg_dump(url)


@pytest.fixture(scope="module")
def custom(url: str, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("custom") / "shop.dump"
    pg_dump(url, "-Fc", "-f", path)
    return path.read_bytes()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("keys"))
    yield made
    made.close()


def told(data: bytes) -> Contents:
    return examine(data[:HEAD_BYTES], data[-TAIL_BYTES:], len(data))


def told_whole(data: bytes, part: int = 50_000) -> Contents:
    reading = WholeReading(told(data))
    for at in range(0, len(data), part):
        reading.feed(data[at : at + part])
    return reading.result()


def cuts(data: bytes, count: int = 25) -> Iterator[bytes]:
    """The data cut at some places: anywhere, and by a few bytes."""
    chance = random.Random(20260801)
    for end in [*(chance.randrange(300, len(data) - 1) for _ in range(count)), *(len(data) - n for n in (1, 2, 5, 9))]:
        yield data[:end]


def test_plain_dump_is_whole_only_with_its_last_line(plain: bytes) -> None:
    assert len(plain) > HEAD_BYTES
    found = told(plain)
    assert (found.format, found.compression, found.encryption, found.ending) == ("sql", "none", "none", "complete")
    for cut in cuts(plain[: plain.rindex(b"dump complete")]):
        assert told(cut).ending == "truncated"


@pytest.mark.parametrize("version", [["-Z0"], ["-Z6"], []])
def test_custom_dump_tells_its_compression_and_its_end(url: str, version: list[str], tmp_path: Path) -> None:
    path = tmp_path / "shop.dump"
    pg_dump(url, "-Fc", *version, "-f", path)
    data = path.read_bytes()
    found = told(data)
    assert (found.format, found.ending, found.finding) == ("pg_custom", "complete", "")
    assert found.compressed is (version != ["-Z0"])
    archive = read_archive(data)
    assert archive is not None
    assert archive.whole
    assert archive.database == "postgres"
    assert archive.data == 3  # two tables and the large object
    assert archive.toc_end < archive.last_offset < len(data)
    for cut in cuts(data):
        assert told(cut).ending == "truncated", len(cut)


def test_custom_dump_out_of_a_pipe_can_not_be_told_to_be_whole(url: str) -> None:
    data = pg_dump(url, "-Fc")
    found = told(data)
    assert (found.format, found.ending) == ("pg_custom", "unknown")
    # Without offsets nobody knows that large objects are last, which end with the end of an object and their own.
    assert {told(cut).ending for cut in cuts(data) if len(cut) < len(data) - 5} == {"truncated"}
    assert told(data[:-5]).ending == "unknown"


def test_custom_dump_without_data(url: str, tmp_path: Path) -> None:
    path = tmp_path / "schema.dump"
    pg_dump(url, "-Fc", "--schema-only", "-f", path)
    data = path.read_bytes()
    assert told(data).ending == "complete"
    assert all(told(cut).ending == "truncated" for cut in cuts(data))


def test_folder_dump_names_the_files_that_must_be_there(url: str, tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    pg_dump(url, "-Fd", "-f", folder)
    data = (folder / "toc.dat").read_bytes()
    archive = read_archive(data)
    assert archive is not None
    assert archive.whole
    there = {path.name.removesuffix(".gz") for path in folder.iterdir()} - {"toc.dat"}
    assert set(archive.files) <= there
    assert archive.data == len(archive.files) == 3
    assert told(data) == Contents("pg_directory", archive.version, archive.compression, ending="complete")
    assert all(told(cut).ending == "truncated" for cut in cuts(data) if len(cut) < len(data))


def test_tar_dump(url: str) -> None:
    data = pg_dump(url, "-Ft")
    found = told(data)
    assert (found.format, found.ending) == ("pg_tar", "complete")
    assert found.version
    assert all(told(cut).ending == "truncated" for cut in cuts(data[:-1024]))


@pytest.mark.parametrize("by", sorted(COMPRESSORS))
def test_compressed_plain_dump(plain: bytes, by: str) -> None:
    data = compressed(plain, by)
    assert len(data) > HEAD_BYTES
    found = told(data)
    assert (found.compression, found.encryption, found.compressed) == (by, "none", True)
    assert found.ending in ("complete", "unknown")
    # A block of bzip2 is longer than what is read of the front, and Python can't unpack zstd and lz4.
    assert found.format == ("sql" if by in ("gzip", "xz") else "unknown")
    whole = told_whole(data)
    assert (whole.compression, whole.ending) == (by, "complete")
    assert whole.format == ("unknown" if by in ("zstd", "lz4") else "sql")
    for cut in cuts(data, 12):
        assert told(cut).ending in ("truncated", "unknown")
        assert told_whole(cut).ending == "truncated", len(cut)


@pytest.mark.parametrize("by", ["xz", "bzip2", "lz4"])
def test_ends_that_can_be_told_by_the_last_bytes(plain: bytes, by: str) -> None:
    data = compressed(plain, by)
    assert told(data).ending == "complete"
    assert {told(cut).ending for cut in cuts(data)} == {"truncated"}


@pytest.mark.parametrize("by", ["gzip", "bzip2", "xz"])
def test_dump_that_was_cut_before_it_was_compressed(plain: bytes, by: str) -> None:
    found = told_whole(compressed(plain[: len(plain) // 2], by))
    assert found.ending == "truncated"
    assert found.finding.startswith(f"inside the {by} stream, it does not end with")


@pytest.mark.parametrize("options", [["--no-check"], ["--content-size"], ["-1", "--long"], ["-19"]])
def test_zstd_with_other_settings(plain: bytes, options: list[str], tmp_path: Path) -> None:
    path = tmp_path / "shop.sql"
    path.write_bytes(plain)
    data = run([tool("zstd"), "-c", *options, path])
    assert told_whole(data).ending == "complete"
    assert told_whole(data + data, 777).ending == "complete"
    assert {told_whole(cut).ending for cut in cuts(data)} == {"truncated"}


@pytest.mark.parametrize("options", [["-BD"], ["--content-size"], ["--no-frame-crc"], ["-BX"], ["-B4"]])
def test_lz4_with_other_settings(plain: bytes, options: list[str], tmp_path: Path) -> None:
    path = tmp_path / "shop.sql"
    path.write_bytes(plain)
    data = run([tool("lz4"), "-c", *options, path])
    assert told(data).ending == "complete"
    assert told_whole(data, 777).ending == "complete"
    assert {told_whole(cut).ending for cut in cuts(data)} == {"truncated"}


def test_gzip_of_several_members_padded_and_with_what_does_not_belong(plain: bytes) -> None:
    half = len(plain) // 2
    data = compressed(plain[:half], "gzip") + compressed(plain[half:], "gzip")
    assert told_whole(data).ending == "complete"
    assert told_whole(data + bytes(512)).ending == "complete"
    assert told_whole(data + b"no gzip").ending == "unknown"


def test_broken_in_the_middle_is_found_by_reading_all(plain: bytes) -> None:
    data = bytearray(compressed(plain, "gzip"))
    data[len(data) // 2 : len(data) // 2 + 50] = bytes(50)
    assert told(bytes(data)).ending == "unknown"
    assert told_whole(bytes(data)).ending == "truncated"


@pytest.mark.parametrize("armor", [False, True])
def test_age_for_a_recipient(custom: bytes, keys: Keys, armor: bool) -> None:
    data = keys.age(custom, *(["--armor"] if armor else []))
    found = told(data)
    assert (found.encryption, found.lock, found.keys) == ("age", "public_key", ())
    assert (found.format, found.compressed) == ("unknown", None)
    assert found.ending == ("complete" if armor else "unknown")
    assert all(told(cut).ending != "complete" for cut in cuts(data[:-2]))


def test_age_cut_where_its_chunks_can_tell(custom: bytes, keys: Keys) -> None:
    data = keys.age(custom)
    payload = data.index(b"\n", data.index(b"\n---") + 1) + 1
    for chunks in (0, 1):
        for over in (0, 1, 8, 16):
            cut = data[: payload + 16 + chunks * (65536 + 16) + over]
            whole = (over == 16 and chunks == 0) or (over == 0 and chunks == 1)  # as an empty, or a full last chunk is
            assert told(cut).ending == ("unknown" if whole else "truncated"), (chunks, over)


def test_gpg_for_a_key_tells_whose(custom: bytes, keys: Keys) -> None:
    for options in ([], ["--compress-algo", "none"]):
        data = keys.gpg(["-r", "backup@example.com", "--encrypt", *options], custom)
        found = told(data)
        assert (found.encryption, found.lock, found.keys) == ("openpgp", "public_key", (keys.key_id,))
        whole = told_whole(data)
        assert whole.ending == "complete"
        assert {told_whole(cut).ending for cut in cuts(data)} == {"truncated"}


def test_gpg_with_a_length_tells_its_end_at_once(custom: bytes, keys: Keys, tmp_path: Path) -> None:
    path = tmp_path / "shop.dump"
    path.write_bytes(custom)
    keys.gpg(["-r", "backup@example.com", "--compress-algo", "none", "-o", tmp_path / "out.gpg", "--encrypt", path])
    data = (tmp_path / "out.gpg").read_bytes()
    assert told_whole(data).ending == "complete"
    assert {told_whole(cut, 333).ending for cut in cuts(data)} == {"truncated"}


def test_gpg_with_a_passphrase_in_armor_and_for_a_hidden_key(custom: bytes, keys: Keys) -> None:
    usual: list[str | Path] = ["--pinentry-mode", "loopback", "--passphrase", PASSPHRASE]
    found = told(keys.gpg([*usual, "--symmetric"], custom))
    assert (found.encryption, found.lock, found.keys) == ("openpgp", "passphrase", ())
    both = keys.gpg([*usual, "--symmetric", "--encrypt", "-r", "backup@example.com"], custom)
    assert told(both).lock == "both"
    armored = keys.gpg(["-r", "backup@example.com", "--armor", "--encrypt"], custom)
    found = told(armored)
    assert (found.encryption, found.lock, found.keys, found.ending) == (
        "openpgp", "public_key", (keys.key_id,), "complete",
    )  # fmt: skip
    assert {told(cut).ending for cut in cuts(armored[:-3])} == {"truncated"}
    hidden = told(keys.gpg(["--hidden-recipient", "backup@example.com", "--encrypt"], custom))
    assert (hidden.lock, hidden.keys) == ("public_key", ())


def test_gpg_that_only_signs_is_not_taken_for_encrypted(custom: bytes, keys: Keys) -> None:
    for options in (["--sign"], ["--sign", "--armor"], ["--store"]):
        assert told(keys.gpg([*options], custom)).encryption == "none", options


def test_openssl(custom: bytes) -> None:
    given: list[str | Path] = [tool("openssl"), "enc", "-aes-256-cbc", "-pbkdf2", "-pass", f"pass:{PASSPHRASE}"]
    for options in ([], ["-a"]):
        found = told(run([*given, *options], given=custom))
        assert (found.encryption, found.lock, found.ending) == ("openssl", "passphrase", "unknown")


def test_custom_dump_inside_of_gzip(custom: bytes) -> None:
    found = told_whole(compressed(custom, "gzip"))
    assert (found.format, found.compression, found.ending) == ("pg_custom", "gzip", "complete")


def test_other_databases_and_archives(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE t AS SELECT 1 AS a")
    database.close()
    data = path.read_bytes()
    assert (told(data).format, told(data).ending) == ("sqlite", "complete")
    assert told(data[:-1]).ending == "truncated"
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(path, "shop.db")
    assert (told(packed.getvalue()).format, told(packed.getvalue()).ending) == ("tar", "complete")


def test_server_that_writes_all_databases(url: str) -> None:
    data = run([tool("pg_dumpall", "postgresql-client"), "-d", url])
    assert (told(data).format, told(data).ending) == ("sql", "complete")
    cut = data[: data.rindex(b"-- PostgreSQL database dump complete") + 40]
    assert told(cut).ending == "truncated"
