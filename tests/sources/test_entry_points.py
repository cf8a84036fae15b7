"""Others can add a source: found by the scheme of its address through an entry point."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import sla_kit
from sla_kit.catalogue.model import Catalogue, Probe, Service, Slo
from sla_kit.errors import MissingExtraError, SourceError
from sla_kit.sources import open_source

MODULE = """
import numpy as np
from sla_kit.timeline import Timeline

class Steady:
    name = "steady://"
    def span(self): return (0, 864000)
    def fetch(self, indicators, grid, progress=None):
        ones = np.ones(grid.count)
        for indicator in indicators:
            yield indicator, Timeline(grid, ones * 3, ones * 4, ones, "samples")
    def close(self): pass

def open_steady(address): return Steady()
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution of somebody else's that brings two sources, one of which lacks a library."""
    (tmp_path / "steady_source.py").write_text(MODULE)
    (tmp_path / "broken_source.py").write_text("import a_library_that_is_not_there")
    info = tmp_path / "steady-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: steady\nVersion: 1.0\n")
    points = "[sla_kit.sources]\nsteady = steady_source:open_steady\nbroken = broken_source:open\n"
    (info / "entry_points.txt").write_text(points)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "steady_source", raising=False)


@pytest.mark.usefixtures("installed")
def test_a_source_of_somebody_elses_is_found_by_its_scheme() -> None:
    slo = Slo(name="up", sli=Probe(), objective=0.7, budgeting="occurrences")
    catalogue = Catalogue(name="x", services=[Service(name="s", slos=[slo])])
    figure = sla_kit.evaluate(catalogue, "steady://anything", "1d")["s", "up"].figure
    assert (figure.sli, figure.met) == (0.75, True)


@pytest.mark.usefixtures("installed")
def test_a_source_that_lacks_a_library_names_it() -> None:
    with pytest.raises(MissingExtraError, match="a_library_that_is_not_there"):
        open_source("broken://x")


def test_an_unknown_scheme_names_those_there_are() -> None:
    with pytest.raises(SourceError, match=r"https?://"):
        open_source("gopher://example")
