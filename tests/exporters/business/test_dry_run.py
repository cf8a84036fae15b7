"""A dry run shows what would be counted and keeps nothing of it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

_CONFIGURATION = """
state: state.db
sources: {shop: {kind: sqlite, file: shop.db}}
queries:
  signups:
    source: shop
    since: {column: newest, start: 0}
    sql: SELECT count(*) AS signups, max(id) AS newest FROM signups WHERE id > :since HAVING count(*) > 0
    metrics: [{name: shop_signups_total, type: counter, help: Sign-ups., value: signups}]
"""


def dry_run(folder: Path) -> str:
    command = [sys.executable, "-m", "sla_kit.exporters.business", "--config", str(folder / "shop.yml"), "--dry-run"]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout


def test_it_counts_and_keeps_nothing(tmp_path: Path) -> None:
    (tmp_path / "shop.yml").write_text(_CONFIGURATION)
    with sqlite3.connect(tmp_path / "shop.db") as database:
        database.execute("CREATE TABLE signups (id INTEGER PRIMARY KEY)")
        database.executemany("INSERT INTO signups VALUES (?)", [(number,) for number in range(1, 8)])
    for _ in range(2):
        assert "shop_signups_total 7.0" in dry_run(tmp_path)
    assert not (tmp_path / "state.db").exists()
