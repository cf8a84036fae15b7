"""A shop whose content is known, its dumps in every form, and drills of them."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import yaml

from sla_kit.errors import SlaKitError
from sla_kit.exporters.drill.evidence import Evidence
from sla_kit.exporters.drill.loading import plans, read
from sla_kit.exporters.drill.programs import find_postgresql
from sla_kit.exporters.drill.running import run
from tests.servers import Postgresql

CUSTOMERS, ORDERS, EVENTS = 700, 3000, 41
ROWS = CUSTOMERS + ORDERS + EVENTS
#: What is hard to carry over: all escapes of COPY, quotes in quotes, bodies with semicolons, what looks like psql's.
SCHEMA = rf"""
CREATE TABLE customers (id integer PRIMARY KEY, name text NOT NULL, note text, photo bytea, born date);
INSERT INTO customers SELECT g, 'n' || g, CASE g % 7 WHEN 0 THEN NULL WHEN 1 THEN E'tab\t back\\slash \\. \n\\.\nline'
  WHEN 2 THEN 'it''s; -- no comment' WHEN 3 THEN '\connect postgres' WHEN 4 THEN 'grüße 漢字' ELSE repeat('x', g) END,
  decode(md5(g::text), 'hex'), date '1970-01-01' + g FROM generate_series(1, {CUSTOMERS}) g;
CREATE TABLE orders (id bigint PRIMARY KEY, customer integer REFERENCES customers, at timestamptz, price numeric(9, 2));
INSERT INTO orders SELECT g, g % {CUSTOMERS} + 1, now() - interval '1 minute' * g, g / 7.0
  FROM generate_series(0, {ORDERS - 1}) g;
CREATE SCHEMA "Odd ""name";
CREATE TABLE "Odd ""name"."Events; --" ("when" double precision, what jsonb) PARTITION BY RANGE ("when");
CREATE TABLE "Odd ""name".first PARTITION OF "Odd ""name"."Events; --" FOR VALUES FROM (0) TO (1000);
INSERT INTO "Odd ""name"."Events; --" SELECT g / 3.0, jsonb_build_object('g', g) FROM generate_series(1, {EVENTS}) g;
CREATE FUNCTION sized(x integer) RETURNS integer LANGUAGE sql
  BEGIN ATOMIC SELECT CASE WHEN x > 0 THEN 1 ELSE 2 END; SELECT 3; END;
CREATE FUNCTION quoted() RETURNS void LANGUAGE plpgsql AS $body$ BEGIN PERFORM '$$;'; /* ' */ END; -- "
$body$;
CREATE VIEW counted AS SELECT count(*) AS n FROM orders;
CREATE RULE both_ways AS ON UPDATE TO counted DO INSTEAD (SELECT 1; SELECT 2);
COMMENT ON TABLE orders IS E'it''s\n\\connect elsewhere\n\\! touch /tmp/never';
CREATE INDEX ON orders (customer, at);
SELECT lo_from_bytea(4242, 'a large object');
"""
CHECKS: Sequence[Mapping[str, Any]] = (
    {"kind": "readable", "min_tables": 3},
    {"kind": "rows", "recorded": "file"},
    {"kind": "checksums", "recorded": "file"},
)


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs."""
    return find_postgresql(name)


@dataclass(frozen=True)
class Shop:
    """The source: its server and URL, the folder with its dumps by name, and the file with its counts."""

    server: Postgresql
    url: str
    dumps: Path
    counts: Path

    def backup(self, folder: Path, name: str, content: bytes | Path) -> Path:
        """Puts a backup with counts beside it into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.is_dir():
            shutil.copytree(content, path)
        else:
            shutil.copyfile(content, path)
        shutil.copyfile(self.counts, folder / f"{name}.counts.json")
        return path


def make_shop(server: Postgresql, folder: Path) -> Shop:
    """Fills a database and dumps it in every form."""
    url = server.database("shop")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.encode())
    forms = {
        "plain.sql": ["-Fp"],
        "create.sql": ["-Fp", "--create", "--clean", "--if-exists"],
        "clean.sql": ["-Fp", "--clean"],
        "inserts.sql": ["-Fp", "--inserts"],
        "custom.dump": ["-Fc"],
        "stored.dump": ["-Fc", "-Z0"],
        "shop.tar": ["-Ft"],
        "directory": ["-Fd"],
        "directory-stored": ["-Fd", "-Z0"],
    }
    for name, options in forms.items():
        subprocess.run([program("pg_dump"), *options, "-f", folder / name, url], check=True)
    subprocess.run([program("pg_dumpall"), "-f", folder / "all.sql", "-d", server.url], check=True)
    counts = folder / "counts.json"
    from click.testing import CliRunner

    from sla_kit.cli import main

    result = CliRunner().invoke(main, ["drill", "record", url, "-o", str(counts)])
    assert result.exit_code == 0, result.output
    return Shop(server, url, folder, counts)


def configure(
    folder: Path,
    name: str,
    *,
    scratch: Mapping[str, Any] | None = None,
    checks: Sequence[Mapping[str, Any]] = CHECKS,
    drill: Mapping[str, Any] | None = None,
    **restore: Any,
) -> Path:
    """A configuration of one target whose backup has that name in ``folder/backups``."""
    document = {
        "dumps": [
            {"targets": ["shop"], "places": [{"type": "folder", "path": "backups"}], "pattern": name, "settle": "0s"}
        ],
        "drill": {
            "targets": {"shop": {"checks": list(checks), **restore}},
            "scratch": dict(scratch or {}),
            **(drill or {}),
        },
    }
    path = folder / "backup.yml"
    path.write_text(yaml.safe_dump(document))
    return path


def drill(path: Path, **more: Any) -> tuple[Evidence, SlaKitError | None]:
    """Runs the drill of a configuration's only target."""
    [plan] = plans(read(path), path, **more)
    return run(plan, lambda step: None, lambda who: None)


def everything(server: Postgresql) -> str:
    """All that is on a server, as pg_dumpall writes it."""
    done = subprocess.run([program("pg_dumpall"), "-d", server.url], capture_output=True, text=True, check=True)
    lines = [line for line in done.stdout.splitlines() if not line.startswith(("\\restrict", "\\unrestrict"))]
    return "\n".join(lines)


def evidence_lines(folder: Path) -> list[dict[str, Any]]:
    """The records in the file of evidence."""
    return [json.loads(line) for line in (folder / "drill-evidence.jsonl").read_text().splitlines()]
