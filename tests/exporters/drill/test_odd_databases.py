"""Databases that are less usual come back whole, and what reaches beyond a database does not."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from click.testing import CliRunner
from psycopg.conninfo import make_conninfo

from sla_kit.cli import main
from sla_kit.exporters.drill.counting import checksum, settle
from sla_kit.exporters.drill.filtering import Filter
from sla_kit.exporters.drill.loading import plans, read
from sla_kit.exporters.drill.remains import KEPT
from sla_kit.exporters.drill.running import run
from sla_kit.exporters.drill.statements import PlainDump
from tests.exporters.drill.drilling import CHECKS, configure, drill, program
from tests.exporters.drill.test_restoring import names_left
from tests.servers import Postgresql, postgresql

pytestmark = pytest.mark.xdist_group("drill")
_READABLE = [{"kind": "readable"}]
_PATIENCE_SECONDS = 60.0
_ROW = "CREATE TABLE public.t (a int);\nINSERT INTO public.t VALUES (1);\n"


def _plain(folder: Path, content: str) -> None:
    (folder / "backups").mkdir()
    (folder / "backups" / "shop.sql").write_text(content)


@pytest.mark.parametrize("form", ["-Fp", "-Fc"])
def test_tables_that_force_their_policies_on_the_owner_are_read_whole(
    form: str, scratch_server: Postgresql, tmp_path: Path
) -> None:
    with postgresql() as source:
        url = source.database("policies")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                """CREATE TABLE t AS SELECT generate_series(1, 9) AS a; ALTER TABLE t ENABLE ROW LEVEL SECURITY;
                ALTER TABLE t FORCE ROW LEVEL SECURITY; CREATE POLICY p ON t USING (a < 3);
                CREATE MATERIALIZED VIEW m AS SELECT count(*) AS n FROM t;"""
            )
        (tmp_path / "backups").mkdir()
        subprocess.run([program("pg_dump"), form, "-f", tmp_path / "backups" / "shop.sql", url], check=True)
    checks: list[dict[str, Any]] = [{"kind": "rows", "tables": {"t": {"min": 9}, "public.t": {"max": 9}}},
              {"kind": "sql", "name": "view", "query": "SELECT n FROM m", "expect": 9}]  # fmt: skip
    evidence, _ = drill(configure(tmp_path, "shop.sql", scratch={"url": scratch_server.url}, checks=checks))
    assert evidence.outcome == "succeeded", evidence


@pytest.mark.parametrize("name", ["my shop", "postgres (old)", 'it\'s \\ a="b"'])
def test_databases_with_odd_names_are_found_in_a_dump(name: str, scratch_server: Postgresql, tmp_path: Path) -> None:
    with postgresql() as source:
        with psycopg.connect(source.url, autocommit=True) as connection:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(name)))
        url = make_conninfo(source.url, dbname=name)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(_ROW.encode())
        (tmp_path / "backups").mkdir()
        path = tmp_path / "backups" / "shop.sql"
        subprocess.run([program("pg_dump"), "--create", "-f", path, "-d", url], check=True)
    for database in ("", name):
        evidence, _ = drill(
            configure(tmp_path, "shop.sql", scratch={"url": scratch_server.url}, checks=_READABLE, database=database)
        )
        assert evidence.outcome == "succeeded", evidence
        assert evidence.rows_verified == 1


def test_only_what_names_an_owner_is_left_out_as_such() -> None:
    kept = [
        "ALTER VIEW public.v ALTER COLUMN q SET DEFAULT 'sold OWNER TO him';",
        "ALTER TABLE ONLY public.t ADD CONSTRAINT c CHECK (a <> ' OWNER TO x');",
    ]
    owners = ['ALTER TABLE public."it\'s; odd" OWNER TO "Some ""one";', "ALTER FUNCTION public.f(a text) OWNER TO sla;"]
    text = "\n".join([*kept, *owners, 'ALTER LARGE OBJECT 4242 OWNER TO "it\'s";']).encode()
    chosen = Filter()
    pieces = [piece.text.decode() for piece in chosen.choose(PlainDump(iter([text])))]
    assert pieces == kept
    assert chosen.left_out == {"owners": 3}


def test_a_checksum_is_of_all_columns_whatever_they_are_called(scratch_server: Postgresql) -> None:
    with psycopg.connect(scratch_server.url) as connection:
        settle(connection)
        connection.execute("CREATE TEMPORARY TABLE odd (t text, other text)")
        row = connection.execute("SELECT nspname FROM pg_namespace WHERE oid = pg_my_temp_schema()").fetchone()
        assert row is not None
        connection.execute("INSERT INTO pg_temp.odd VALUES ('a', 'b')")
        before = checksum(connection, row[0], "odd")
        connection.execute("UPDATE pg_temp.odd SET other = 'c'")
        assert checksum(connection, row[0], "odd") != before


def test_foreign_servers_and_tables_are_left_out_and_counted(scratch_server: Postgresql, tmp_path: Path) -> None:
    for form in ("-Fp", "-Fc"):
        folder = tmp_path / form
        (folder / "backups").mkdir(parents=True)
        with postgresql() as source:
            url = source.database("foreign")
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute(
                    _ROW.encode()
                    + b"""CREATE EXTENSION postgres_fdw;
                    CREATE SERVER s FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1');
                    CREATE USER MAPPING FOR public SERVER s OPTIONS (user 'u', password 'secret');
                    CREATE FOREIGN TABLE f (a int) SERVER s; COMMENT ON FOREIGN TABLE f IS 'x';
                    COMMENT ON SERVER s IS 'x';"""
                )
            subprocess.run([program("pg_dump"), form, "-f", folder / "backups" / "shop.sql", url], check=True)
        evidence, _ = drill(
            configure(
                folder,
                "shop.sql",
                scratch={"url": scratch_server.url},
                checks=_READABLE,
                extensions=["postgres_fdw"],
            )
        )
        assert evidence.outcome == "succeeded", evidence
        assert evidence.left_out["foreign servers and tables"] >= 5


@pytest.mark.parametrize("own", [False, True])
def test_a_dump_reaches_no_other_server_by_an_extension(own: bool, scratch_server: Postgresql, tmp_path: Path) -> None:
    with postgresql() as production:
        production.run("CREATE ROLE app LOGIN PASSWORD 'knows'")
        with psycopg.connect(production.url, autocommit=True) as connection:
            connection.execute("CREATE TABLE hit (a int); GRANT ALL ON hit TO app")
            row = connection.execute("SHOW hba_file").fetchone()
            assert row is not None
            rules = Path(row[0])
            rules.write_text("host all app 127.0.0.1/32 scram-sha-256\n" + rules.read_text())
            connection.execute("SELECT pg_reload_conf()")
            address = make_conninfo("", host="127.0.0.1", port=urlsplit(production.url).port, dbname="postgres",
                                    user="app", password="knows")  # fmt: skip
            with psycopg.connect(address) as known:  # it does lead there
                known.execute("SELECT 1 FROM hit")
            call = f"SELECT public.dblink_exec('{address}', 'INSERT INTO hit VALUES (1)')"
            _plain(tmp_path, _ROW + f"CREATE MATERIALIZED VIEW public.m AS {call};\n")
            scratch = {} if own else {"url": scratch_server.url}
            evidence, _ = drill(
                configure(tmp_path, "shop.sql", scratch=scratch, checks=_READABLE, extensions=["dblink"])
            )
            assert connection.execute("SELECT count(*) FROM hit").fetchone() == (0,)
    assert (evidence.outcome, evidence.failed_step) == ("failed", "restore")
    assert "permission denied for function dblink_exec" in evidence.reason


def test_a_dump_can_not_make_its_database_stay(scratch_server: Postgresql, tmp_path: Path) -> None:
    block = "EXECUTE format('ALTER DATABASE %I IS_TEMPLATE true', current_database());"
    _plain(tmp_path, _ROW + f"DO $$ BEGIN {block} END $$;\n")
    evidence, _ = drill(configure(tmp_path, "shop.sql", scratch={"url": scratch_server.url}, checks=_READABLE))
    assert evidence.outcome == "succeeded", evidence
    assert names_left(scratch_server) == []


def _until(what: str, server: Postgresql) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    with psycopg.connect(server.url, autocommit=True) as connection:
        while connection.execute(what.encode()).fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)  # between two looks, not instead of looking


def test_what_a_killed_drill_leaves_on_a_given_server_goes_with_the_next_one(
    scratch_server: Postgresql, tmp_path: Path
) -> None:
    slow, quick = tmp_path / "slow", tmp_path / "quick"
    for folder, more in ((slow, "SELECT pg_sleep(3600);\n"), (quick, "")):
        folder.mkdir()
        _plain(folder, _ROW + more)
    path = configure(slow, "shop.sql", scratch={"url": scratch_server.url}, checks=_READABLE)
    running = [subprocess.Popen([sys.executable, "-m", "sla_kit.exporters.drill", "-c", str(path)])]
    asleep = "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)%' AND pid <> pg_backend_pid()"
    try:
        _until(asleep, scratch_server)
        other = configure(quick, "shop.sql", scratch={"url": scratch_server.url}, checks=_READABLE)
        evidence, _ = drill(other)
        assert evidence.outcome == "succeeded", evidence
        assert len(names_left(scratch_server)) == 1  # of the one that runs
    finally:
        running[0].send_signal(signal.SIGKILL)
        running[0].wait()
    scratch_server.run(asleep.replace("SELECT 1", "SELECT pg_terminate_backend(pid)"))
    _until("SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname LIKE 'sla_kit_drill_%')",
           scratch_server)  # fmt: skip
    kept, _ = drill(other, keep_scratch=True)
    assert kept.outcome == "succeeded"
    drill(other)
    left = names_left(scratch_server)
    assert len(left) == 1  # of the one that is kept
    with psycopg.connect(scratch_server.url) as connection:
        row = connection.execute("SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
                                 (left[0],)).fetchone()  # fmt: skip
    assert row == (KEPT,)
    scratch_server.run(f"DROP DATABASE {left[0]}")
    scratch_server.run(f"DROP ROLE {left[0]}")


def test_a_mark_that_is_taken_away_meanwhile_keeps_all_where_it_is(tmp_path: Path) -> None:
    with postgresql() as server:
        CliRunner().invoke(main, ["drill", "mark-scratch", server.url, "--yes"])
        _plain(tmp_path, _ROW)
        check = {"kind": "sql", "name": "true", "query": "SELECT true"}
        path = configure(tmp_path, "shop.sql", scratch={"url": server.url}, checks=[check, CHECKS[0]])
        [plan] = plans(read(path), path)

        def progress(step: str) -> None:
            if step == "check":
                CliRunner().invoke(main, ["drill", "mark-scratch", server.url, "--yes", "--remove"])

        evidence, failure = run(plan, progress, lambda who: None)
        [name] = names_left(server)
        assert failure is not None
        assert failure.exit_code == 2
        assert name in evidence.reason
