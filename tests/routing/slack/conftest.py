"""Calls of the local Slack, in whose process the tests run: it may stand still for longer than a call may take."""

from __future__ import annotations

import pytest

from sla_kit.routing.slack import adapter, api


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "CALL_SECONDS", 60.0)
    monkeypatch.setattr(adapter, "_SECONDS", 200.0)
