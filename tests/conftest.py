"""What holds for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.alert_rules.machine import Machine

# In CI the same examples every time: a new one is found at a desk, not in somebody else's pull request.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")


@pytest.fixture(scope="session")
def healthy_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Every exporter that can be started here, scraped by a Prometheus; for tests in the group ``machine``, which all
    run where it is started once."""
    from tests.alert_rules.machine import machine

    with machine(tmp_path_factory.mktemp("machine")) as started:
        yield started
