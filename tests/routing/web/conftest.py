"""The router's web application on an outbox of a test's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.web.app import Web
from sla_kit.routing.web.intake import Intake


class Healthy:
    """How a router is, as a test says."""

    def __init__(self) -> None:
        self.told = ""

    async def trouble(self) -> str:
        return self.told


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with open_outbox(str(tmp_path / "outbox.db")) as outbox:
        yield outbox


@pytest.fixture
def metrics() -> RouterMetrics:
    return RouterMetrics()


@pytest.fixture
def health() -> Healthy:
    return Healthy()


@pytest.fixture
def web(outbox: Outbox, metrics: RouterMetrics, health: Healthy) -> Web:
    return Web(Intake(outbox, metrics), metrics, health)
