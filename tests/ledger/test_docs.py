"""The page on the ledger: its example in Python runs, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from sla_kit.cli.ledger import ledger

PAGE = (Path(__file__).parents[2] / "docs" / "ledger.md").read_text()


def test_the_example_in_python_runs(capsys: pytest.CaptureFixture[str]) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    exec(compile(code, "docs/ledger.md", "exec"), {"__name__": "tour"})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "True"
    first, later = (float(line.rsplit(" ", 1)[1]) for line in printed[1:])
    assert first > later


def test_every_command_is_told() -> None:
    for name in ledger.commands:
        assert f"sla-kit ledger {name}" in PAGE, name
