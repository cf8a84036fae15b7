"""Files that would end the process, or never end, must end in a mistake: each is read by a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_CHECK = """
import sys
from sla_kit.catalogue import check
found, mistakes = check(sys.argv[1])
assert found is None
print(len(mistakes), mistakes[0].message)
"""


def checked_apart(path: Path) -> str:
    """What a process of its own says about a catalogue: a crash of the parser must not be one of the tests."""
    done = subprocess.run([sys.executable, "-c", _CHECK, str(path)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, (done.returncode, done.stderr[-500:])
    return done.stdout


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "[" * 50_000 + "]" * 50_000, "- " * 50_000, "{a: " * 20_000, "? " * 50_000],
    ids=["open brackets", "closed brackets", "dashes", "braces", "keys"],
)
def test_nesting_without_end_is_a_mistake_and_no_crash(tmp_path: Path, text: str) -> None:
    (tmp_path / "sla.yml").write_text(text)
    assert "is nested too deeply" in checked_apart(tmp_path / "sla.yml")
