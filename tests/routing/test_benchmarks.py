"""The benchmarks of the router run: small, and whatever this machine's times."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.timeout(1000)
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("routing_accept", ["webhooks/s", "router, SQLite", "router, PostgreSQL", "Alertmanager", "ratio: "]),
        ("routing_storm", ["400 groups of 1, all told", "20 groups of 20", "1 group of 400"]),
        ("routing_outbox", ["SQLite, 500 rows", "PostgreSQL, 500 rows", "ratio, PostgreSQL: "]),
    ],
)
def test_a_benchmark_of_the_router_runs_and_prints_its_table(name: str, words: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{name}", "--small"], capture_output=True, text=True, timeout=900, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr[-3000:]
    for each in words:
        assert each in done.stdout
    assert " refused" not in done.stdout
    assert "nan" not in done.stdout
