"""Colours seen by people with each kind of colour vision: told apart wherever they are used together.

Machado, Oliveira & Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency" (2009): the
matrices of severity 1.0, on linear RGB. Distances are CIE 1976's, in L*a*b* under D65: 2.3 is just noticeable.
"""

from __future__ import annotations

import math
from itertools import combinations

import pytest

from sla_kit.catalogue import load
from sla_kit.dashboards import colors, dashboards_of
from sla_kit.dashboards.colors import MEANING, SERIES
from sla_kit.dashboards.gate_document import panels_of
from sla_kit.dashboards.rendering import Rendering
from tests.dashboards.catalogues import ASTRAL, ODD, catalogue_of

Triple = tuple[float, float, float]
VISIONS: dict[str, tuple[Triple, Triple, Triple]] = {
    "common": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
#: Several times what is just noticeable: thin lines, far away.
LEAST = 12.0
#: The backgrounds of Grafana's dark and light theme.
DARK, LIGHT = "#181B1F", "#FFFFFF"


def linear(color: str) -> Triple:
    """sRGB without its gamma (IEC 61966-2-1)."""
    values = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    r, g, b = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4 for each in values)
    return r, g, b


def times(matrix: tuple[Triple, Triple, Triple], vector: Triple) -> Triple:
    r, g, b = (sum(one * other for one, other in zip(line, vector, strict=True)) for line in matrix)
    return r, g, b


def lab(rgb: Triple) -> Triple:
    """CIE L*a*b* of linear sRGB, with the white of D65."""
    clipped = (min(1.0, max(0.0, rgb[0])), min(1.0, max(0.0, rgb[1])), min(1.0, max(0.0, rgb[2])))
    to_xyz = ((0.4124564, 0.3575761, 0.1804375), (0.2126729, 0.7151522, 0.0721750), (0.0193339, 0.1191920, 0.9503041))
    xyz = times(to_xyz, clipped)
    x, y, z = (
        (each / white) ** (1 / 3) if each / white > 216 / 24389 else (24389 / 27 * each / white + 16) / 116
        for each, white in zip(xyz, (0.95047, 1.0, 1.08883), strict=True)
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def distance(one: str, other: str, vision: str) -> float:
    """How far apart two colours are to somebody."""
    seen = [lab(times(VISIONS[vision], linear(color))) for color in (one, other)]
    return math.dist(*seen)


def test_the_distance_is_cies() -> None:
    """Worked values of L*a*b* under D65 (brucelindbloom.com's calculator)."""
    assert lab(linear("#FFFFFF")) == pytest.approx((100.0, 0.0, 0.0), abs=0.02)
    assert lab(linear("#FF0000")) == pytest.approx((53.2408, 80.0925, 67.2032), abs=0.02)
    assert lab(linear("#0000FF")) == pytest.approx((32.2970, 79.1875, -107.8602), abs=0.02)
    # What protanopia is known for: pure red is dark, and close to black.
    assert distance("#FF0000", "#00FF00", "protanopia") < distance("#FF0000", "#00FF00", "common") / 2


@pytest.mark.parametrize("vision", VISIONS)
def test_good_warning_and_critical_are_told_apart(vision: str) -> None:
    for one, other in combinations(("good", "warning", "critical", "neutral"), 2):
        assert distance(MEANING[one], MEANING[other], vision) >= LEAST, (one, other)


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_of_series_are_told_apart(vision: str) -> None:
    for one, other in combinations(SERIES, 2):
        assert distance(SERIES[one], SERIES[other], vision) >= LEAST, (one, other)


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_are_seen_on_dark_and_on_light(vision: str) -> None:
    for name, color in {**SERIES, **MEANING}.items():
        for background in (DARK, LIGHT):
            assert distance(color, background, vision) >= 2 * LEAST, (name, background)


def test_what_is_asked_together_is_told_apart(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every pair of colours that any panel of ours sets beside another, in each vision."""
    pairs: set[tuple[str, str]] = set()
    for number, text in enumerate(["", *ODD.values()]):
        catalogue = catalogue_of(text, tmp_path_factory.mktemp(f"c{number}")) if text else load(ASTRAL, "production")
        rendering = Rendering.of(catalogue)
        for dashboard in dashboards_of(catalogue):
            for panel in panels_of(rendering.document(dashboard)):
                overrides = panel.get("fieldConfig", {}).get("overrides", [])
                properties = [each for one in overrides for each in one["properties"]]
                used = [each["value"]["fixedColor"] for each in properties if each["id"] == "color"]
                pairs |= set(combinations(sorted(used), 2))
    assert len(pairs) > 5
    for one, other in pairs:
        for vision in VISIONS:
            assert distance(one, other, vision) >= LEAST, (one, other, vision)


def test_colours_of_old_would_fail() -> None:
    """Grafana's own green and red, which the test has to refuse."""
    assert distance("#73BF69", "#F2495C", "deuteranopia") < distance(colors.GREEN, colors.RED, "deuteranopia")
