"""What is cut off, altered or too big ends as a failed drill; a good one means that the content is the source's."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import lzma
import random
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.drill.pipeline import decompressed, to_file
from tests.exporters.drill.drilling import ROWS, Shop, configure, drill
from tests.exporters.drill.test_restoring import names_left
from tests.servers import Postgresql

pytestmark = pytest.mark.xdist_group("drill")
_FORMS = ["plain.sql", "inserts.sql", "custom.dump", "stored.dump", "shop.tar", "plain.sql.gz", "plain.sql.zst"]
_AFTER_CONTENT = b"PostgreSQL database dump complete"


def _content(shop: Shop, form: str) -> bytes:
    if form.endswith(".gz"):
        return gzip.compress((shop.dumps / form.removesuffix(".gz")).read_bytes(), mtime=0)
    if form.endswith(".zst"):
        return subprocess.run(
            ["zstd", "-c", "-q", "--check", shop.dumps / form.removesuffix(".zst")], capture_output=True, check=True
        ).stdout
    return (shop.dumps / form).read_bytes()


@pytest.mark.parametrize("form", _FORMS)
def test_cut_off_anywhere_is_never_taken_for_whole(
    form: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    content = _content(shop, form)
    chance = random.Random(form)
    # Anywhere, near the end, at the end of a line, and with nothing left.
    places = {chance.randrange(len(content)) for _ in range(3)} | {len(content) - chance.randrange(1, 2500), 0}
    lines = [at + 1 for at in range(len(content)) if content[at : at + 1] == b"\n"]
    places |= {chance.choice(lines)} if lines else set()
    for at in sorted(places):
        folder = tmp_path / str(at)
        shop.backup(folder / "backups", "shop", content[:at])
        evidence, _ = drill(configure(folder, "shop", scratch={"url": scratch_server.url}))
        if evidence.outcome == "succeeded":  # what is missing is no content: padding, or the last comment's end
            assert evidence.rows_verified == ROWS
            assert not content[at:].strip(b"\0\n-") or form == "shop.tar", (at, len(content))
        else:
            assert evidence.outcome == "failed"
            assert evidence.reason
    assert names_left(scratch_server) == []


@pytest.mark.parametrize("form", _FORMS)
def test_altered_bytes_are_found_or_change_nothing_of_the_content(
    form: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    content = _content(shop, form)
    chance = random.Random(form)
    for number in range(4):
        at = chance.randrange(len(content))
        altered = bytearray(content)
        altered[at] ^= 1 << chance.randrange(8)
        folder = tmp_path / str(number)
        shop.backup(folder / "backups", "shop", bytes(altered))
        evidence, _ = drill(configure(folder, "shop", scratch={"url": scratch_server.url}))
        if evidence.outcome == "succeeded":  # the checksums of all tables held
            assert evidence.rows_verified == ROWS
        # With the digest beside it, nothing that was altered is ever good.
        digest = hashlib.sha256(content).hexdigest()
        (folder / "backups" / "shop.sha256").write_text(f"{digest}  shop\n")
        evidence, failure = drill(configure(folder, "shop", scratch={"url": scratch_server.url}))
        assert evidence.outcome == "failed"
        assert failure is not None


def test_a_digest_that_is_right_is_no_hindrance(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    content = _content(shop, "plain.sql.gz")
    shop.backup(tmp_path / "backups", "shop", content)
    (tmp_path / "backups" / "shop.sha256").write_text(f"{hashlib.sha256(content).hexdigest()}  shop\n")
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}))
    assert failure is None, failure
    assert evidence.backup is not None
    assert evidence.backup.sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("form", ["directory", "directory-stored"])
def test_a_file_of_a_directory_that_is_missing_or_cut_off_is_found(
    form: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    chance = random.Random(form)
    names = sorted(path.name for path in (shop.dumps / form).iterdir())
    tables = [name for name in names if name[0].isdigit()]
    assert tables
    for name in [*tables, "toc.dat"]:
        folder = tmp_path / name
        path = shop.backup(folder / "backups", "shop", shop.dumps / form) / name
        whole = path.read_bytes()
        # At the end of a row where there is one: what is left looks like a whole file.
        rows = [at + 1 for at in range(len(whole) - 8) if whole[at : at + 1] == b"\n"]
        for cut in {chance.randrange(len(whole)), chance.choice(rows) if rows else 1}:
            path.write_bytes(whole[:cut])
            evidence, _ = drill(configure(folder, "shop/", scratch={"url": scratch_server.url}))
            assert evidence.outcome == "failed", (name, cut, len(whole))
        path.unlink()
        evidence, _ = drill(configure(folder, "shop/", scratch={"url": scratch_server.url}))
        assert evidence.outcome == "failed", name


def test_too_little_room_is_told_before_anything_is_fetched(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "shop", shop.dumps / "plain.sql")
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}, space=1e12))
    assert failure is not None
    assert failure.exit_code == 2
    assert "too little room" in evidence.reason
    assert "fetch" not in {step.name for step in evidence.steps}


def test_unpacking_stops_before_the_disk_is_full(tmp_path: Path) -> None:
    with pytest.raises(DrillError, match="disk is full"):
        to_file(iter([b"x"]), tmp_path / "dump", reserve=1 << 60)


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_what_unpacks_to_much_comes_in_parts(kind: str) -> None:
    content = bytes(40 << 20) + b"the end"
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress,
    }  # fmt: skip
    packed = packers[kind](content)
    with decompressed(iter([packed + packed]), kind) as parts:
        sizes, last = [], b""
        for part in parts:
            sizes.append(len(part))
            last = part
    assert sum(sizes) == 2 * len(content)
    assert max(sizes) <= 1 << 20
    assert last.endswith(b"the end")
