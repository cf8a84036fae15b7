"""What can't be restored as it is says what to do."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.exporters.drill.drilling import Shop, configure, drill
from tests.exporters.drill.test_restoring import names_left
from tests.servers import Postgresql

pytestmark = pytest.mark.xdist_group("drill")


def _encrypted(content: bytes, key: Path) -> bytes:
    import pyrage  # type: ignore[import-untyped]

    if not key.exists():
        key.write_text(f"{pyrage.x25519.Identity.generate()}\n")
    identity = pyrage.x25519.Identity.from_str(key.read_text().strip())
    return bytes(pyrage.encrypt(content, [identity.to_public()]))


@pytest.mark.parametrize(
    ("wrap", "said"),
    [
        (lambda content, key: _encrypted(_encrypted(content, key), key), "encrypted with age once more"),
        (lambda content, key: gzip.compress(_encrypted(content, key)), "encrypted with age once more"),
        (lambda content, key: gzip.compress(gzip.compress(content)), "compressed with gzip once more"),
    ],
    ids=["encrypted twice", "encrypted before compressed", "compressed twice"],
)
def test_what_is_wrapped_more_than_once_is_not_read_as_a_dump(
    wrap: Callable[[bytes, Path], bytes], said: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    shop.backup(tmp_path / "backups", "shop", wrap((shop.dumps / "custom.dump").read_bytes(), key))
    keys = {"age": [{"file": str(key)}]}
    evidence, _ = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}, keys=keys))
    assert evidence.outcome == "failed"
    assert said in evidence.reason
    assert "encrypt it last" in evidence.reason
    assert names_left(scratch_server) == []


def test_a_dump_by_a_newer_pg_dump_says_which_programs_are_needed(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    archive = bytearray((shop.dumps / "custom.dump").read_bytes())
    archive[5:7] = bytes((1, 99))  # the archive's version, as a pg_dump of years to come would write it
    plain = (shop.dumps / "plain.sql").read_bytes()
    at = plain.index(b"Dumped by pg_dump version ")
    newer = plain[:at] + b"Dumped by pg_dump version 99.1" + plain[plain.index(b"\n", at) :]
    newer = newer.replace(b"SET statement_timeout = 0;", b"SET statement_timeout = 0;\nSET of_years_to_come = 0;", 1)
    for name, content, said in (("archive", bytes(archive), "newer pg_dump"), ("plain", newer, "by pg_dump 99")):
        shop.backup(tmp_path / name / "backups", "shop", content)
        evidence, _ = drill(configure(tmp_path / name, "shop", scratch={"url": scratch_server.url}))
        assert evidence.outcome == "failed"
        assert said in evidence.reason
        assert "programs" in evidence.reason
