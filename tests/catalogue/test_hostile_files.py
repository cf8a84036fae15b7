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
    done = subprocess.run([sys.executable, "-c", _CHECK, str(path)], capture_output=True, text=True, timeout=300)
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


@pytest.mark.parametrize("part", ["-", "(", "a+", "abs("])
def test_expressions_without_end_are_a_mistake_and_no_crash(tmp_path: Path, part: str) -> None:
    (tmp_path / "sla.yml").write_text(f"""\
name: shop
services:
  - name: api
    slos:
      - name: a
        objective: 99%
        sli: {{kind: promql, total: "{part * 30_000}a[$window]", good: "a[$window]"}}
""")
    assert "is longer than 4000 letters" in checked_apart(tmp_path / "sla.yml")


@pytest.mark.parametrize("part", ["-", "(", "a+", "abs("])
def test_the_longest_expression_that_is_parsed_ends_no_process(tmp_path: Path, part: str) -> None:
    expression = part * ((4000 - len("a[$window]")) // len(part)) + "a[$window]"
    assert len(expression) <= 4000
    (tmp_path / "sla.yml").write_text(f"""\
name: shop
services:
  - name: api
    slos:
      - name: a
        objective: 101%
        sli: {{kind: promql, total: "{expression}", good: "a[$window]"}}
""")
    checked_apart(tmp_path / "sla.yml")
