"""Many scrapes while the source goes and comes: all answered, and no memory lost. `bench/soak.py` is the long one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.exporters.sidecar.soaking import soak


@pytest.mark.timeout(1500)
def test_fifty_scrapers_see_no_error_while_the_source_is_killed_and_started_again(tmp_path: Path) -> None:
    seen = soak(tmp_path, scrapes=3000, parallel=50, outages=2)
    assert set(seen.statuses) == {200}
    assert seen.broken == []
    assert seen.up > 100
    assert seen.down > 100
    first, last = seen.growth()
    assert last < first + 4_000_000, f"{first / 1e6:.1f} MB, then {last / 1e6:.1f} MB"
