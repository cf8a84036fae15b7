"""What web servers share knows nothing of those who share it, and imports little."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import sla_kit.serving

MODULES = sorted(path.stem for path in Path(sla_kit.serving.__path__[0]).glob("*.py") if path.stem != "__init__")


def test_it_brings_neither_exporters_nor_the_router_nor_heavy_libraries() -> None:
    wanted = [f"sla_kit.serving.{name}" for name in MODULES] + ["sla_kit.redacting", "sla_kit.configuration.secrets"]
    code = f"import sys, {', '.join(wanted)}\nprint(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found = done.stdout.split()
    assert not [name for name in found if name.startswith(("sla_kit.exporters", "sla_kit.routing"))]
    heavy = {"numpy", "pandas", "requests", "prometheus_client", "sqlalchemy", "bcrypt"}
    assert not heavy & set(found)
