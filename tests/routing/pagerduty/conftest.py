"""Requests to the local PagerDuty, in whose process the tests run: it may stand still for longer than one may take."""

from __future__ import annotations

import pytest

from sla_kit.routing.pagerduty.clients import clients
from sla_kit.routing.pagerduty.sending import open_adapter


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in (clients, open_adapter):
        assert each.__kwdefaults__ is not None
        monkeypatch.setitem(each.__kwdefaults__, "timeout_seconds", 60.0)
