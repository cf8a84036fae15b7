"""Backups in every form come back as they were, in a PostgreSQL that the drill starts or is given."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.exporters.drill.drilling import CHECKS, ROWS, Shop, configure, drill, program
from tests.servers import Postgresql

pytestmark = pytest.mark.xdist_group("drill")
_PASSPHRASE = "correct horse battery staple"


def _through(*command: str) -> Callable[[bytes], bytes]:
    return lambda content: subprocess.run(command, input=content, capture_output=True, check=True).stdout


COMPRESSED = {
    "gzip": _through("gzip", "-c"),
    "zstd": _through("zstd", "-c", "-q"),
    "xz": _through("xz", "-c"),
    "lz4": _through("lz4", "-c", "-q"),
    "bzip2": _through("bzip2", "-c"),
}


def names_left(server: Postgresql) -> list[str]:
    """Databases and roles on a server that drills made."""
    with psycopg.connect(server.url) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datname ~ 'drill' UNION SELECT rolname FROM pg_roles"
            " WHERE rolname ~ 'drill'"
        ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.parametrize(
    "name",
    ["plain.sql", "create.sql", "clean.sql", "inserts.sql", "all.sql", "custom.dump", "stored.dump", "shop.tar",
     "directory", "directory-stored"],
)  # fmt: skip
def test_every_form_of_dump_comes_back_whole(name: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    path = shop.backup(tmp_path / "backups", name, shop.dumps / name)
    checks = [
        *CHECKS,
        {"kind": "freshness", "table": "orders", "column": "at", "max_age": "1d"},  # older than all tests before it
        {"kind": "sql", "name": "view", "query": "SELECT n FROM counted", "expect": 3000},
        {"kind": "sql", "name": "large-object", "query": "SELECT convert_from(lo_get(4242), 'UTF8')",
         "expect": "a large object"},
        {"kind": "sql", "name": "function", "query": "SELECT sized(5) = 3"},
        {"kind": "sql", "name": "comment", "query": "SELECT obj_description('orders'::regclass) LIKE '%never'"},
    ]  # fmt: skip
    pattern = f"{name}/" if path.is_dir() else name
    evidence, failure = drill(configure(tmp_path, pattern, scratch={"url": scratch_server.url}, checks=checks))
    assert failure is None, failure
    assert [check.outcome for check in evidence.checks] == ["held"] * len(checks), evidence.checks
    assert (evidence.outcome, evidence.rows_verified) == ("succeeded", ROWS)
    assert evidence.backup is not None
    assert evidence.backup.name == pattern
    assert names_left(scratch_server) == []


@pytest.mark.parametrize("name", ["plain.sql", "custom.dump", "directory"])
def test_a_server_of_its_own_is_started_and_taken_away(name: str, shop: Shop, tmp_path: Path) -> None:
    path = shop.backup(tmp_path / "backups", name, shop.dumps / name)
    # As short as a Unix socket wants it.
    with _short_folder() as scratch:
        configured = configure(
            tmp_path, f"{name}/" if path.is_dir() else name, scratch={"folder": str(scratch)}, jobs=2, objective="1h"
        )
        evidence, failure = drill(configured)
        assert failure is None, failure
        assert list(scratch.iterdir()) == []
    assert (evidence.outcome, evidence.rows_verified, evidence.scratch) == ("succeeded", ROWS, "own")
    assert evidence.versions["postgresql"].split(".")[0].isdigit()
    assert {"choose", "server", "fetch", "restore", "check"} <= {step.name for step in evidence.steps}
    assert sum(step.seconds for step in evidence.steps) <= evidence.duration_seconds + 0.1
    assert "indexes" in evidence.checks[0].found
    assert "no amcheck" not in evidence.checks[0].found


@pytest.mark.parametrize("kind", list(COMPRESSED))
@pytest.mark.parametrize("name", ["plain.sql", "stored.dump"])
def test_compressed_dumps_come_back(
    kind: str, name: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "shop", COMPRESSED[kind]((shop.dumps / name).read_bytes()))
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}))
    assert failure is None, failure
    assert (evidence.outcome, evidence.rows_verified) == ("succeeded", ROWS)
    assert evidence.backup is not None
    assert evidence.backup.compression == kind
    assert "decompress" in {step.name for step in evidence.steps}


def test_a_directory_in_a_compressed_tar_comes_back(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.add(shop.dumps / "directory", "shop-2026/dump")
    shop.backup(tmp_path / "backups", "shop.tar.gz", packed.getvalue())
    evidence, failure = drill(configure(tmp_path, "shop.tar.gz", scratch={"url": scratch_server.url}))
    assert failure is None, failure
    assert evidence.rows_verified == ROWS


class _short_folder:  # noqa: N801  # a context manager
    def __enter__(self) -> Path:
        self.path = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
        self.path.chmod(0o755)
        return self.path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self.path, ignore_errors=True)


# --- encryption -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def age_keys(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[Path, str]]:
    """Two identity files of age's with their recipients."""
    folder, found = tmp_path_factory.mktemp("age"), []
    for number in range(2):
        path = folder / f"{number}.txt"
        subprocess.run(["age-keygen", "-o", path], check=True, capture_output=True)
        done = subprocess.run(["age-keygen", "-y", path], check=True, capture_output=True, text=True)
        found.append((path, done.stdout.strip()))
    return found


@pytest.fixture(scope="module")
def gpg_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home of GnuPG with two keys, exported to one.asc and two.asc beside it; two.asc has a passphrase."""
    folder = tmp_path_factory.mktemp("gpg")
    home = Path(tempfile.mkdtemp(prefix="gpg-", dir="/tmp"))  # short enough for its sockets
    for name, passphrase in (("one", ""), ("two", _PASSPHRASE)):
        base = [
            "gpg",
            "--homedir",
            str(home),
            "--batch",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            passphrase,
        ]
        subprocess.run(
            [*base, "--quick-generate-key", f"{name}@example.org", "default", "default", "never"], check=True
        )
        exported = subprocess.run(
            [*base, "--armor", "--export-secret-keys", f"{name}@example.org"], check=True, capture_output=True
        )
        (folder / f"{name}.asc").write_bytes(exported.stdout)
    (folder / "home").symlink_to(home)
    yield folder
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=True)
    shutil.rmtree(home, ignore_errors=True)


def _gpg(home: Path, *options: str) -> Callable[[bytes], bytes]:
    base = ["gpg", "--homedir", str((home / "home").resolve()), "--batch", "--quiet", "--trust-model", "always"]
    return _through(*base, *options)


@pytest.mark.parametrize("armor", [[], ["-a"]], ids=["binary", "armor"])
def test_backups_encrypted_with_age_come_back(
    armor: list[str],
    shop: Shop,
    scratch_server: Postgresql,
    tmp_path: Path,
    age_keys: list[tuple[Path, str]],
) -> None:
    encrypt = _through("age", *armor, "-r", age_keys[1][1])
    shop.backup(tmp_path / "backups", "shop", encrypt(COMPRESSED["zstd"]((shop.dumps / "plain.sql").read_bytes())))
    keys = {"age": [{"file": str(path)} for path, _ in age_keys]}
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}, keys=keys))
    assert failure is None, failure
    assert evidence.rows_verified == ROWS
    assert evidence.backup is not None
    assert (evidence.backup.encryption, evidence.backup.compression) == ("age", "zstd")
    assert {"fetch", "decrypt", "decompress", "restore"} <= {step.name for step in evidence.steps}
    secret = age_keys[1][0].read_text().splitlines()[-1]
    assert secret not in (tmp_path / "drill-evidence.jsonl").read_text()


@pytest.mark.parametrize("armor", [[], ["--armor"]], ids=["binary", "armor"])
def test_backups_encrypted_with_gpg_come_back(
    armor: list[str], shop: Shop, scratch_server: Postgresql, tmp_path: Path, gpg_home: Path
) -> None:
    encrypt = _gpg(gpg_home, *armor, "--encrypt", "--recipient", "one@example.org")
    shop.backup(tmp_path / "backups", "shop", encrypt((shop.dumps / "custom.dump").read_bytes()))
    key = gpg_home / "one.asc"
    if not armor:  # as a key is exported without --armor
        key = tmp_path / "one.gpg"
        subprocess.run(["gpg", "--dearmor", "--output", key, gpg_home / "one.asc"], check=True)
    keys = {"gpg": [{"file": str(key)}]}
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}, keys=keys))
    assert failure is None, failure
    assert evidence.rows_verified == ROWS
    assert evidence.backup is not None
    assert evidence.backup.encryption == "openpgp"


def test_keys_and_backups_of_gpg_that_need_a_passphrase(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path, gpg_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BACKUP_PASSPHRASE", _PASSPHRASE)
    monkeypatch.setenv("BACKUP_KEY", (gpg_home / "two.asc").read_text())
    content = (shop.dumps / "custom.dump").read_bytes()
    symmetric = ["--pinentry-mode", "loopback", "--passphrase", _PASSPHRASE, "--symmetric"]
    for keys, options in (
        ({"gpg": [{"env": "BACKUP_KEY"}]}, ["--encrypt", "--recipient", "two@example.org"]),
        ({}, symmetric),
    ):
        folder = tmp_path / str(len(keys))
        shop.backup(folder / "backups", "shop", _gpg(gpg_home, *options)(content))
        all_keys = {**keys, "passphrase": {"env": "BACKUP_PASSPHRASE"}}
        evidence, failure = drill(configure(folder, "shop", scratch={"url": scratch_server.url}, keys=all_keys))
        assert failure is None, failure
        assert evidence.rows_verified == ROWS
        assert _PASSPHRASE not in (folder / "drill-evidence.jsonl").read_text()


def test_a_key_that_does_not_fit_is_a_failed_drill_that_says_so(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path, age_keys: list[tuple[Path, str]], gpg_home: Path
) -> None:
    content = (shop.dumps / "plain.sql").read_bytes()
    wrong_age = {"age": [{"file": str(age_keys[0][0])}]}
    wrong_gpg = {"gpg": [{"file": str(gpg_home / "one.asc")}]}
    for number, (encrypt, keys) in enumerate(
        [
            (_through("age", "-r", age_keys[1][1]), wrong_age),
            (_gpg(gpg_home, "--encrypt", "--recipient", "two@example.org"), wrong_gpg),
        ]
    ):
        folder = tmp_path / str(number)
        shop.backup(folder / "backups", "shop", encrypt(content))
        evidence, failure = drill(configure(folder, "shop", scratch={"url": scratch_server.url}, keys=keys))
        assert failure is not None
        assert failure.exit_code == 1
        assert (evidence.outcome, evidence.failed_step) == ("failed", "decrypt"), evidence
        assert "key" in evidence.reason
        assert names_left(scratch_server) == []


def test_no_key_at_all_is_a_drill_that_could_not_be_begun(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path, age_keys: list[tuple[Path, str]]
) -> None:
    encrypt = _through("age", "-r", age_keys[0][1])
    shop.backup(tmp_path / "backups", "shop", encrypt((shop.dumps / "plain.sql").read_bytes()))
    evidence, failure = drill(configure(tmp_path, "shop", scratch={"url": scratch_server.url}))
    assert failure is not None
    assert failure.exit_code == 2
    assert evidence.outcome == "failed"
    assert "no key is declared" in evidence.reason


# --- what a dump needs beside itself --------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["-Fp", "-Fc"])
def test_roles_grants_policies_and_extensions_are_found(form: str, shop: Shop, tmp_path: Path) -> None:
    url = shop.server.database(f"strict{form[1:]}")
    for role in ("clerk", "boss"):
        shop.server.run(f'CREATE ROLE "{role}{form[1:]}"')
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            """CREATE EXTENSION pgcrypto; CREATE EXTENSION pageinspect; CREATE TABLE kept (a int);
            INSERT INTO kept VALUES (1); ALTER TABLE kept ENABLE ROW LEVEL SECURITY;
            CREATE POLICY own ON kept TO clerk USING (true); GRANT SELECT ON kept TO clerk;
            CREATE MATERIALIZED VIEW seen AS SELECT encode(digest('x', 'md5'), 'hex') AS h;
            ALTER TABLE kept OWNER TO boss""".replace("clerk", f'"clerk{form[1:]}"')
            .replace("boss", f'"boss{form[1:]}"')
            .encode()
        )
    (tmp_path / "backups").mkdir()
    subprocess.run([program("pg_dump"), form, "-f", tmp_path / "backups" / "strict", url], check=True)
    checks = [
        {"kind": "sql", "name": "grant", "query": f"SELECT has_table_privilege('clerk{form[1:]}', 'kept', 'SELECT')"},
        {"kind": "sql", "name": "view", "query": "SELECT h FROM seen", "expect": "9dd4e461268c8034f5c8564e155c67a6"},
        {"kind": "readable"},
    ]
    with _short_folder() as scratch:
        needed: dict[str, Any] = {"roles": [f"clerk{form[1:]}"], "extensions": ["pageinspect"], "privileges": True}
        evidence, failure = drill(
            configure(tmp_path, "strict", scratch={"folder": str(scratch)}, checks=checks, **needed)
        )
        assert failure is None, failure
        assert [check.outcome for check in evidence.checks] == ["held"] * 3, evidence.checks
        evidence, failure = drill(configure(tmp_path, "strict", scratch={"folder": str(scratch)}, checks=checks))
        assert failure is not None, "without them it can't be restored, and says so"
        assert "pageinspect" in evidence.reason or "clerk" in evidence.reason
