"""What is reckoned once for a catalogue is that catalogue's own."""

from __future__ import annotations

from pathlib import Path

import msgspec

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards.limits import Limits
from sla_kit.dashboards.remembering import once
from sla_kit.dashboards.vocabulary import alert_limit
from tests.dashboards.catalogues import SHOP, catalogue_of


def test_the_same_catalogue_is_reckoned_once_and_another_anew(tmp_path: Path) -> None:
    asked: list[Catalogue] = []

    @once
    def count(catalogue: Catalogue) -> int:
        """Of services."""
        asked.append(catalogue)
        return len(catalogue.services)

    one = catalogue_of(SHOP, tmp_path)
    other = msgspec.structs.replace(one, services=[])
    assert [count(each) for each in (one, one, other, other, one)] == [1, 1, 0, 0, 1]
    assert len(asked) == 3
    assert count.__doc__ == "Of services."


def test_one_catalogues_thresholds_are_never_anothers(tmp_path: Path) -> None:
    memory = alert_limit("RedisMemoryHigh", "ratio")
    found = []
    for ratio in ("61%", "62%", "61%"):
        rules = f"monitoring: {{rules: {{RedisMemoryHigh: {{thresholds: {{ratio: {ratio}}}}}}}}}\n"
        level = Limits.of(catalogue_of(f"{SHOP}{rules}", tmp_path)).level(memory)
        found.append(level.value if level else None)
    assert found == [0.61, 0.62, 0.61]
