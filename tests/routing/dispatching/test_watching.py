"""Figures of the outbox, read in the background."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from sla_kit.errors import OutboxError
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.dispatching.watching import Watcher
from sla_kit.routing.events import Notice
from sla_kit.routing.outbox.accepting import accept
from sla_kit.routing.outbox.deliveries import claim, give_up
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.dispatching.desk import HandClock, want
from tests.waiting import until


def value(metrics: RouterMetrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(f"sla_router_{name}", labels)


def test_it_counts_what_waits_and_what_was_given_up(tmp_path: Path) -> None:
    with open_outbox(str(tmp_path / "outbox.db")) as outbox:
        outbox.clock = clock = HandClock()
        for channel in ("#a", "#b", "#c"):
            want(outbox, "report", f"slack:{channel}")
        now = clock.now()
        for claimed in outbox.write(lambda one: claim(one, "me", limit=2, now=now, lease_seconds=60)):
            outbox.write(partial(give_up, claimed=claimed, reason="why not", now=now))
        accept(outbox, Notice(title="new")).result()
        clock.turn(90)
        metrics = RouterMetrics()
        assert Watcher(outbox, metrics).look()
    assert value(metrics, "outbox_pending") == 1
    assert value(metrics, "outbox_oldest_seconds") == 90
    assert value(metrics, "dead_letters", destination="slack") == 2
    assert value(metrics, "dead_letters", destination="email") == 0
    assert value(metrics, "events_waiting") == 1
    assert value(metrics, "outbox_up") == 1


def test_an_outbox_that_cannot_be_read_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Outbox) -> None:
        raise OutboxError("the disk failed", place="outbox.db")

    with open_outbox(str(tmp_path / "outbox.db")) as outbox:
        metrics = RouterMetrics()
        watcher = Watcher(outbox, metrics, every_seconds=0.01)
        monkeypatch.setattr(Outbox, "reading", broken)
        watcher.start()
        until(lambda: (value(metrics, "outbox_errors_total") or 0) > 2)
        assert value(metrics, "outbox_up") == 0
        assert "the disk failed" in caplog.text
        monkeypatch.undo()
        until(lambda: value(metrics, "outbox_up") == 1)
        watcher.stop()
