"""The example files of running exporters, and how their configurations are checked: as a user would."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "exporters"
EXPORTERS = ("business", "backup", "slo", "logs")


def check(exporter: str, configuration: Path) -> str:
    """What an exporter says against a configuration; empty where it takes it."""
    command = [sys.executable, "-m", f"sla_kit.exporters.{exporter}", "--config", str(configuration), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""
