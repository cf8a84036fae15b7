"""An alert fires only where all its windows burn."""

from __future__ import annotations

from dataclasses import replace

from sla_kit.engine.results import BurnRate
from sla_kit.report.alerts import alerts, nearest
from tests.report.sample import sample

SLO = sample().slos[0]


def test_windows_of_one_alert_belong_together() -> None:
    found = alerts(SLO)
    assert [(alert.severity, alert.threshold) for alert in found] == [("page", 14.4), ("page", 6.0), ("ticket", 1.0)]
    assert [[burn.window_seconds for burn in alert.windows] for alert in found] == [
        [3600, 300], [21600, 1800], [259200, 21600],
    ]  # fmt: skip


def test_a_long_window_alone_does_not_fire_once_the_outage_is_over() -> None:
    over = replace(SLO, burn_rates=(BurnRate(3600, 20.0, 14.4, "page"), BurnRate(300, 0.0, 14.4, "page")))
    assert not alerts(over)[0].fires
    burning = replace(SLO, burn_rates=(BurnRate(3600, 20.0, 14.4, "page"), BurnRate(300, 15.0, 14.4, "page")))
    assert alerts(burning)[0].fires


def test_unknown_burn_rates_fire_nothing() -> None:
    unknown = replace(SLO, burn_rates=(BurnRate(3600, None, 14.4, "page"), BurnRate(300, None, 14.4, "page")))
    assert not alerts(unknown)[0].fires
    assert nearest(unknown) is None
    assert nearest(replace(SLO, burn_rates=())) is None
