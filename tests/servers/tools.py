"""Programs that tests run rather than start: the distribution's, and those that ``.ci/tools`` built."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.servers.process import binary

#: From which package a program of the distribution comes.
_PACKAGED = {"promtool": "prometheus", "amtool": "prometheus-alertmanager"}


def tool(name: str) -> Path:
    """The program of that name: ``promtool`` (2) and ``amtool`` from the PATH, ``pint`` and ``sloth`` built."""
    return Path(binary(name, _PACKAGED[name])) if name in _PACKAGED else built(name)


def built(name: str) -> Path:
    """A program that ``.ci/tools`` builds; a missing one fails the test and says how to build it."""
    program = _folder() / name
    if not program.is_file():
        part = "prometheus" if name == "promtool" else name
        pytest.fail(f"{name} is not built; try: .ci/tools {part} (it needs Go)", pytrace=False)
    return program


def manifest_schema(kind: str) -> Path:
    """The definition of one of prometheus-operator's kinds, such as ``prometheusrules``."""
    path = _folder() / "crds" / f"{kind}.yaml"
    if not path.is_file():
        pytest.fail("the schemas of manifests are not there; try: .ci/tools crds (it needs Go)", pytrace=False)
    return path


def built_version(name: str) -> str:
    """The version that ``.ci/tools`` built a program from."""
    version = (_folder() / f".{name}").read_text().strip().removeprefix("v")
    # The module of Prometheus 3.15.0 is v0.315.0.
    return re.sub(r"^0\.3(\d\d)\.", lambda found: f"3.{int(found[1])}.", version) if name == "prometheus" else version


def _folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sla-kit-tools"
