"""What several tests of the alert rules start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.alert_rules.machine import Machine, machine


@pytest.fixture(scope="session")
def healthy_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Every exporter that can be started here, scraped by a Prometheus; for tests in the group ``machine``."""
    with machine(tmp_path_factory.mktemp("machine")) as started:
        yield started
