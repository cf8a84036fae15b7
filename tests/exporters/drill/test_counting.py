"""Tables are called so that no two share a name, and what people write is understood."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.cli import main
from sla_kit.exporters.drill.counting import named, parts_of
from tests.exporters.drill.drilling import configure, drill, program
from tests.servers import Postgresql

_NAMES = st.text('a."\n é', min_size=1)


@given(schema=_NAMES, name=_NAMES)
@settings(deadline=None, derandomize=True, max_examples=500)
def test_a_name_leads_back_to_its_table(schema: str, name: str) -> None:
    assert parts_of(named(schema, name)) == (schema, name)


@pytest.mark.parametrize(
    ("written", "table"),
    [
        ("orders", ("public", "orders")),
        ("shop.orders", ("shop", "orders")),
        ('"my.table"', ("public", "my.table")),
        ('shop."my.table"', ("shop", "my.table")),
        ('"a.b".c', ("a.b", "c")),
        ("a.b.c", ("a", "b.c")),  # as counts were recorded once
        ('Odd "name.Events; --', ('Odd "name', "Events; --")),
    ],
)
def test_what_people_and_older_counts_call_a_table_is_understood(written: str, table: tuple[str, str]) -> None:
    assert parts_of(written) == table


@pytest.mark.xdist_group("drill")
def test_two_tables_whose_names_have_dots_are_told_apart(scratch_server: Postgresql, tmp_path: Path) -> None:
    url = scratch_server.database("dots")
    try:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                'CREATE SCHEMA a; CREATE SCHEMA "a.b"; CREATE TABLE a."b.c" AS SELECT generate_series(1, 5) AS x;'
                'CREATE TABLE "a.b".c AS SELECT generate_series(1, 2) AS x;'
                'CREATE TABLE "my.table" AS SELECT now() AS at'
            )
        (tmp_path / "backups").mkdir()
        dump, counts = tmp_path / "backups" / "shop.dump", tmp_path / "backups" / "shop.dump.counts.json"
        subprocess.run([program("pg_dump"), "-Fc", "-f", dump, url], check=True)
        recorded = CliRunner().invoke(main, ["drill", "record", url, "-o", str(counts)])
    finally:
        scratch_server.drop("dots")
    assert recorded.exit_code == 0, recorded.output
    assert sorted(one["rows"] for one in json.loads(counts.read_text())["tables"].values()) == [1, 2, 5]
    checks: list[dict[str, Any]] = [
        {"kind": "rows", "recorded": "file"},
        {"kind": "checksums", "recorded": "file"},
        {"kind": "rows", "tables": {'"a.b".c': {"max": 2}, 'a."b.c"': {"min": 5}}},
        {"kind": "freshness", "table": '"my.table"', "column": "at", "max_age": "1h"},
    ]
    evidence, _ = drill(configure(tmp_path, "shop.dump", scratch={"url": scratch_server.url}, checks=checks))
    assert evidence.outcome == "succeeded", evidence
    assert evidence.rows_verified == 8
