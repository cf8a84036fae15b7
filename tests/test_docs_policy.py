"""The page on policies: its commands print what it says."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml

from sla_kit.catalogue import check

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "policy.md").read_text(encoding="utf-8")


def test_every_command_prints_what_the_page_says(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    [block] = re.findall(r"```console\n(.*?)```", PAGE, flags=re.DOTALL)
    said = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.MULTILINE)
    assert len(said) == 4
    for command, output in said:
        result = subprocess.run(
            ["/bin/sh", "-c", command],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=300,
            env={**os.environ, "PATH": path},
        )
        assert result.stdout == output, result.stderr


def test_the_policy_of_the_page_is_right(tmp_path: Path) -> None:
    policy = yaml.safe_load(re.findall(r"```yaml\n(policy:.*?)```", PAGE, flags=re.DOTALL)[0])
    slo = {"name": "up", "objective": "99.9%", "sli": {"kind": "probe"}}
    whole = {
        "name": "shop",
        "contacts": [{"name": "on-call"}],
        "services": [{"name": "web", "slos": [slo]}],
        **policy,
    }
    (tmp_path / "sla.yml").write_text(yaml.safe_dump(whole), encoding="utf-8")
    assert check(tmp_path / "sla.yml")[1] == []
