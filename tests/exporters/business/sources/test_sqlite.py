"""Asking an SQLite file: read only, never waiting longer than told."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from sla_kit.exporters.business.sources.sqlite import SqliteSource
from tests.exporters.business.sources.asking import mistakes, refusal, rows


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "a shop?#%.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "CREATE TABLE users (id INTEGER, plan TEXT); INSERT INTO users VALUES (1, 'free'), (2, NULL)"
    )
    yield path
    connection.close()


def test_rows_come_with_their_columns_and_parameters_bound(file: Path) -> None:
    found = rows(
        SqliteSource(file=str(file)), "SELECT plan, id AS n FROM users WHERE id >= :least ORDER BY id", least=1
    )
    assert found == [{"plan": "free", "n": 1}, {"plan": None, "n": 2}]


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM users",
        "PRAGMA journal_mode = WAL",
        "ATTACH DATABASE 'other.db' AS other",
        "CREATE TEMP TABLE t AS SELECT 1 AS n",
        "WITH x AS (SELECT 1) INSERT INTO users SELECT 3, 'x'",
        "SELECT 1 AS n; DELETE FROM users",
        "VACUUM INTO 'copy.db'",
    ],
)
def test_what_would_write_does_not(file: Path, sql: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    before = file.read_bytes()
    assert refusal(SqliteSource(file=str(file)), sql).kind == "query"
    assert file.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [file.name]


def test_a_slow_query_ends_at_the_deadline(file: Path) -> None:
    endless = "WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) AS n FROM c"
    error = refusal(SqliteSource(file=str(file)), endless, seconds=0.2)
    assert (error.kind, error.message) == ("timeout", "the query was not done in time")


def test_a_locked_database_is_waited_for_until_the_deadline(file: Path) -> None:
    writer = sqlite3.connect(file, isolation_level=None)
    writer.execute("BEGIN EXCLUSIVE")
    error = refusal(SqliteSource(file=str(file)), "SELECT count(*) AS n FROM users", seconds=0.2)
    assert error.kind == "timeout"
    writer.execute("ROLLBACK")
    writer.close()
    assert rows(SqliteSource(file=str(file)), "SELECT count(*) AS n FROM users") == [{"n": 2}]


def test_a_file_replaced_between_questions_is_the_one_that_is_read(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.db"
    connection = sqlite3.connect(other)
    connection.executescript("CREATE TABLE users (id); INSERT INTO users VALUES (1)")
    connection.close()
    source = SqliteSource(file=str(file))
    assert rows(source, "SELECT count(*) AS n FROM users") == [{"n": 2}]
    other.replace(file)
    assert rows(source, "SELECT count(*) AS n FROM users") == [{"n": 1}]


def test_a_missing_file_is_told_and_not_made(tmp_path: Path) -> None:
    error = refusal(SqliteSource(file=str(tmp_path / "none.db")), "SELECT 1 AS n")
    assert (error.kind, error.message) == ("connect", "there is no such file")
    assert not list(tmp_path.iterdir())


def test_what_is_no_database_or_no_query_is_told(file: Path, tmp_path: Path) -> None:
    text = tmp_path / "text.db"
    text.write_text("no database, but a text of some length" * 100)
    assert refusal(SqliteSource(file=str(text)), "SELECT count(*) AS n FROM sqlite_master").kind == "data"
    assert refusal(SqliteSource(file=str(file)), "SELECT nothing FROM users").kind == "query"
    assert refusal(SqliteSource(file=str(file)), "SELECT :missing AS n").kind == "query"


def test_text_that_is_not_utf8_is_told_and_not_quoted(file: Path) -> None:
    error = refusal(SqliteSource(file=str(file)), "SELECT 1 AS n, CAST(x'416e6472e9' AS TEXT) AS name")
    assert (error.kind, error.message) == ("data", "column name holds text that is not UTF-8")
    assert "Andr" not in str(error)


def test_two_columns_of_one_name_are_told(file: Path) -> None:
    error = refusal(SqliteSource(file=str(file)), "SELECT count(*) AS n, max(id) AS n FROM users")
    assert (error.kind, error.message) == ("query", "2 columns of the answer are called n")


def test_mistakes_are_told() -> None:
    source = SqliteSource(file="shop.db")
    assert mistakes(SqliteSource(file=""))
    assert mistakes(source, "SELECT '12:30', \"a:b\" FROM t -- :c\n WHERE n > :since", "since") == []
    assert len(mistakes(source, "SELECT n FROM t WHERE n > :sinec", "since")) == 1
    assert len(mistakes(source, "UPDATE t SET n = 1")) == 1
