"""Files are there whole at every instant."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sla_kit.replacing import replace_file

_WRITER = """
import sys
from pathlib import Path
from sla_kit.replacing import replace_file
print("begins", flush=True)
for number in range(10**9):
    replace_file(Path(sys.argv[1]), str(number % 10).encode() * 300_000)
"""


def test_a_reader_sees_the_old_one_or_the_new_one_whenever_the_writer_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "state"
    for looks in (1, 20, 200):
        with subprocess.Popen([sys.executable, "-c", _WRITER, str(path)], stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            seen: set[bytes] = set()
            for _ in range(looks):
                content = path.read_bytes() if path.exists() else b""
                assert content in (b"", content[:1] * 300_000)
                seen.add(content[:1])
            writer.kill()
        content = path.read_bytes() if path.exists() else b""
        assert content in (b"", content[:1] * 300_000)


def test_what_fails_leaves_the_old_one_and_nothing_beside_it(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("old")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory"):
        replace_file(tmp_path / "folder", b"new")
    with pytest.raises(TypeError):
        replace_file(tmp_path / "file", "text")  # type: ignore[arg-type]
    assert (tmp_path / "file").read_text() == "old"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["file", "folder"]


def test_others_may_read_it_as_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        replace_file(tmp_path / "file", b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o644
