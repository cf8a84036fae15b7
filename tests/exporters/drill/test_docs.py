"""The page on drills: its whole path runs from nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.exporters.drill.drilling import program
from tests.servers import Postgresql

PAGE = (Path(__file__).parents[3] / "docs" / "drill.md").read_text(encoding="utf-8")


@pytest.mark.xdist_group("drill")
def test_the_whole_path_of_the_page_runs(scratch_server: Postgresql, tmp_path: Path) -> None:
    [block] = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    folders = [str(Path(sys.executable).parent), str(Path(program("psql")).parent), os.environ["PATH"]]
    url = scratch_server.database("the_page")
    try:
        done = subprocess.run(
            ["/bin/sh", "-e", "-c", block],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
            env={**os.environ, "PATH": os.pathsep.join(folders), "SHOP": url, "COLUMNS": "200"},
        )
    finally:
        scratch_server.drop("the_page")
    assert done.returncode == 0, done.stderr
    assert "1000 rows of 1 tables recorded" in done.stdout
    assert "shop: would restore shop-2026-11-26.dump" in done.stdout
    assert "shop: restored and checked shop-2026-11-26.dump" in done.stdout
    assert done.stdout.count(": held: ") == 5
    assert "succeeded" in done.stdout
