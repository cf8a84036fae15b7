"""A drill can't touch what isn't marked as scratch, and a dump can't leave the scratch database, whatever is in it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner

from sla_kit.cli import main
from sla_kit.exporters.drill.configuration import Scratch
from sla_kit.exporters.drill.errors import NotBegunError
from sla_kit.exporters.drill.scratch import own_server
from tests.exporters.drill.drilling import Shop, configure, drill, everything, program
from tests.exporters.drill.test_restoring import names_left
from tests.servers import Postgresql, postgresql

pytestmark = pytest.mark.xdist_group("drill")
_PLAIN = [{"kind": "readable", "min_tables": 0}]
_TABLE = "CREATE TABLE public.t (a text);\nINSERT INTO public.t VALUES ('here');\n"


def _port(server: Postgresql) -> int:
    return urlsplit(server.url).port or 0


@pytest.fixture(scope="module")
def production() -> Iterator[Postgresql]:
    """A server with data that nobody has marked."""
    with postgresql() as server:
        url = server.database("orders")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 100) n")
        yield server


def test_a_server_without_the_mark_is_refused_and_untouched(shop: Shop, production: Postgresql, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    before = everything(production)
    evidence, failure = drill(configure(tmp_path, "plain.sql", scratch={"url": production.url}))
    assert failure is not None
    assert failure.exit_code == 2
    assert "not marked as scratch" in evidence.reason
    assert (evidence.outcome, evidence.failed_step) == ("failed", "server")
    assert everything(production) == before


def test_a_mark_that_was_made_for_another_server_marks_nothing(
    shop: Shop, scratch_server: Postgresql, production: Postgresql, tmp_path: Path
) -> None:
    with psycopg.connect(scratch_server.url) as connection:
        row = connection.execute(
            "SELECT entry FROM pg_db_role_setting, unnest(setconfig) entry WHERE entry LIKE 'sla_kit.scratch=%'"
        ).fetchone()
    assert row is not None
    carried = row[0].partition("=")[2]
    production.run(f"ALTER DATABASE postgres SET sla_kit.scratch = '{carried}'")
    try:
        before = everything(production)
        shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
        evidence, failure = drill(configure(tmp_path, "plain.sql", scratch={"url": production.url}))
        assert failure is not None
        assert "made for another server" in evidence.reason
        assert everything(production) == before
    finally:
        production.run("ALTER DATABASE postgres RESET sla_kit.scratch")


def test_a_mark_in_the_address_or_the_session_marks_nothing(shop: Shop, production: Postgresql, tmp_path: Path) -> None:
    with psycopg.connect(production.url) as connection:
        row = connection.execute("SELECT system_identifier FROM pg_control_system()").fetchone()
    assert row is not None
    option = f"?options=-csla_kit.scratch%3Dscratch%5C%20server%5C%20{row[0]}"
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    before = everything(production)
    evidence, failure = drill(configure(tmp_path, "plain.sql", scratch={"url": production.url + option}))
    assert failure is not None
    assert "not marked as scratch" in evidence.reason
    assert everything(production) == before


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_declared_source_is_refused_though_it_is_marked(
    host: str, shop: Shop, scratch_server: Postgresql, tmp_path: Path
) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    sources = ["postgresql://db.invalid/", f"postgresql://app@{host}:{_port(scratch_server)}/shop"]
    before = everything(scratch_server)
    evidence, failure = drill(configure(tmp_path, "plain.sql", scratch={"url": scratch_server.url}, sources=sources))
    assert failure is not None
    assert failure.exit_code == 2
    assert "sources" in evidence.reason
    assert everything(scratch_server) == before


def test_marking_refuses_a_server_with_databases_and_asks_otherwise(production: Postgresql) -> None:
    before = everything(production)
    refused = CliRunner().invoke(main, ["drill", "mark-scratch", production.url, "--yes"])
    assert refused.exit_code == 2
    assert "orders" in refused.output
    with postgresql() as server:
        asked = CliRunner().invoke(main, ["drill", "mark-scratch", server.url], input="n\n")
        assert asked.exit_code == 1
        assert "sla_kit.scratch" not in everything(server)
    assert everything(production) == before


_ATTACKS = {
    "connect": "\\connect postgres\nCREATE TABLE pwned (a int);\n",
    "connect-elsewhere": '\\c "dbname=orders host=/tmp"\nCREATE TABLE pwned (a int);\n',
    "shell": "\\! touch {marker}\n",
    "shell-behind-a-statement": "SELECT 1 \\! touch {marker}\n;\n",
    "output": "\\o | touch {marker}\nSELECT 1;\n",
    "include": "\\i /etc/passwd\n",
    "program": "COPY public.t TO PROGRAM 'touch {marker}';\n",
    "program-in-a-block": "DO $$ BEGIN EXECUTE 'COPY public.t TO PROGRAM ''touch {marker}'''; END $$;\n",
    "file": "COPY public.t TO '{marker}';\n",
    "file-in-a-block": "DO $$ BEGIN EXECUTE 'COPY public.t TO ''{marker}'''; END $$;\n",
    "large-object": "SELECT lo_export(lo_from_bytea(0, 'x'), '{marker}');\n",
    "escapes": "SET standard_conforming_strings = off;\nSELECT '\\'' \\! touch {marker}\n;\n",
    "escapes-by-a-function": "SELECT set_config('standard_conforming_strings', 'off', false);\n"
    "SELECT '\\'';\n\\! touch {marker} '\n;\n",
    "system": "ALTER SYSTEM SET archive_command = 'touch {marker}';\n",
    "authorization": "SET SESSION AUTHORIZATION sla;\nCREATE ROLE pwned SUPERUSER;\n",
    "role-in-a-block": "DO $$ BEGIN CREATE ROLE pwned SUPERUSER; END $$;\n",
    "alter-role-in-a-block": "DO $$ BEGIN EXECUTE 'ALTER ROLE ' || quote_ident(current_user) || ' SUPERUSER';"
    " END $$;\n",
    "database-by-a-function": "DO $$ BEGIN EXECUTE 'CREATE DATABASE pwned'; END $$;\n",
    "drop": "DROP DATABASE bystander;\nDROP DATABASE postgres WITH (FORCE);\nDROP ROLE bystander;\n",
    "extension": "CREATE EXTENSION dblink;\n",
    "comment": "COMMENT ON DATABASE postgres IS 'pwned';\n",
    "terminate": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user;\n",
    "configuration": "ALTER DATABASE postgres SET search_path = pwned;\nALTER ROLE sla SET search_path = pwned;\n",
}


@pytest.mark.parametrize("attack", list(_ATTACKS))
def test_a_dump_can_not_leave_the_scratch_database(attack: str, scratch_server: Postgresql, tmp_path: Path) -> None:
    marker = Path(f"/tmp/sla-kit-attack-{attack}")
    marker.unlink(missing_ok=True)
    scratch_server.run("DROP DATABASE IF EXISTS bystander")
    scratch_server.run("DROP ROLE IF EXISTS bystander")
    scratch_server.run("CREATE ROLE bystander")
    scratch_server.run("CREATE DATABASE bystander")
    before = everything(scratch_server)
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "evil.sql").write_text(_TABLE + _ATTACKS[attack].replace("{marker}", str(marker)))
    evidence, _ = drill(configure(tmp_path, "evil.sql", scratch={"url": scratch_server.url}, checks=_PLAIN))
    assert not marker.exists()
    assert everything(scratch_server) == before
    assert names_left(scratch_server) == []
    # What is about other databases and roles alone is left out; all else must be seen as a failure.
    if attack not in ("connect", "connect-elsewhere", "drop", "comment", "configuration", "terminate", "authorization"):
        assert (evidence.outcome, evidence.failed_step) == ("failed", "restore"), evidence


def test_an_archive_runs_as_the_same_powerless_role(scratch_server: Postgresql, tmp_path: Path) -> None:
    marker = Path("/tmp/sla-kit-attack-archive")
    marker.unlink(missing_ok=True)
    with postgresql() as source:
        url = source.database("evil")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                f"""CREATE FUNCTION f() RETURNS int LANGUAGE plpgsql AS
                $$ BEGIN IF current_user <> 'sla' THEN EXECUTE 'COPY (SELECT 1) TO PROGRAM ''touch {marker}''';
                END IF; RETURN 1; END $$;
                CREATE TABLE t (a int CHECK (f() = 1)); INSERT INTO t VALUES (1);"""
            )
        (tmp_path / "backups").mkdir()
        subprocess.run([program("pg_dump"), "-Fc", "-f", tmp_path / "backups" / "evil.dump", url], check=True)
    before = everything(scratch_server)
    evidence, failure = drill(configure(tmp_path, "evil.dump", scratch={"url": scratch_server.url}, checks=_PLAIN))
    assert failure is not None
    assert "must be superuser" in evidence.reason or "permission denied" in evidence.reason
    assert not marker.exists()
    assert everything(scratch_server) == before


def test_checks_can_not_change_what_was_restored(shop: Shop, scratch_server: Postgresql, tmp_path: Path) -> None:
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    checks = [{"kind": "sql", "name": "delete", "query": "DELETE FROM orders RETURNING 1", "expect": 1}]
    evidence, _ = drill(configure(tmp_path, "plain.sql", scratch={"url": scratch_server.url}, checks=checks))
    assert evidence.checks[0].outcome == "failed"
    assert "read-only" in evidence.checks[0].found


def test_passwords_are_in_no_evidence_log_or_message(
    shop: Shop, scratch_server: Postgresql, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("SCRATCH_PASSWORD", "a-wrong-and-secret-word")
    shop.backup(tmp_path / "backups", "plain.sql", shop.dumps / "plain.sql")
    url = scratch_server.url.replace("sla@", "guest@")
    path = configure(tmp_path, "plain.sql", scratch={"url": url, "password": {"env": "SCRATCH_PASSWORD"}})
    evidence, failure = drill(path)
    assert failure is not None
    assert "password authentication failed" in str(failure)
    said = str(failure) + repr(failure) + caplog.text + (tmp_path / "drill-evidence.jsonl").read_text()
    assert "a-wrong-and-secret-word" not in said + repr(evidence) + (tmp_path / "drill-results.json").read_text()


def test_a_user_without_a_name_is_told_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers run as any number; initdb would only say that it can't look the user up."""
    import pwd

    def nobody(number: int) -> NoReturn:
        raise KeyError(f"getpwuid(): uid not found: {number}")

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    with pytest.raises(NotBegunError, match="has no name") as caught, own_server(tmp_path, Scratch(), None):
        pass
    assert "url" in (caught.value.remedy or "")
