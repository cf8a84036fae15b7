"""What the source of a run can't answer stays open in the ledger for one that can."""

from __future__ import annotations

from pathlib import Path

import sla_kit
from sla_kit.sources.kinds import MetricsAndLogs
from tests.sources.test_kinds import AT, Fake, shop


def test_logs_are_closed_once_there_is_a_source_that_holds_them(tmp_path: Path) -> None:
    ledger, metrics, logs = tmp_path / "ledger.db", Fake("metrics"), Fake("documents", holds_logs=True)
    first = sla_kit.evaluate(shop(), MetricsAndLogs(metrics, None), "1h", AT, ledger=ledger)
    assert first["api", "availability"].figure.total == 60 * len("metrics")
    assert first["api", "by-logs"].figure.coverage == 0
    assert "unread" in {finding.kind for finding in first["api", "by-logs"].findings}
    second = sla_kit.evaluate(shop(), [metrics, logs], "1h", AT, ledger=ledger)
    assert second["api", "by-logs"].figure.total == 60 * len("documents")
    kept = sla_kit.evaluate(shop(), None, "1h", AT, ledger=ledger)
    assert kept["api", "by-logs"].figure == second["api", "by-logs"].figure
