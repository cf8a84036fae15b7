"""Limits of panels: the alerts' thresholds as the catalogue sets them, told from worse to worst."""

from __future__ import annotations

from pathlib import Path

import pytest

from sla_kit.alert_rules import areas
from sla_kit.dashboards.counts import more_than
from sla_kit.dashboards.limits import Level, Limits
from sla_kit.dashboards.model import Limit
from sla_kit.dashboards.vocabulary import alert_limit, limit
from sla_kit.dashboards.watched import Watched
from sla_kit.errors import SlaKitError
from tests.dashboards.catalogues import SHOP, catalogue_of


def limits(folder: Path, monitoring: str = "", text: str = SHOP) -> Limits:
    return Limits.of(catalogue_of(f"{text}{monitoring}", folder))


def test_a_limit_is_the_alerts_threshold_and_as_severe(tmp_path: Path) -> None:
    [own] = [alert for area in areas() for alert in area.alerts if alert.name == "RedisMemoryHigh"]
    level = limits(tmp_path).level(alert_limit("RedisMemoryHigh", "ratio"))
    assert level == Level(own.thresholds["ratio"].value, "above", own.severity)


def test_a_catalogues_own_threshold_and_severity_count(tmp_path: Path) -> None:
    text = "monitoring: {rules: {RedisMemoryHigh: {thresholds: {ratio: 61%}, severity: critical}}}\n"
    assert limits(tmp_path, text).level(alert_limit("RedisMemoryHigh", "ratio")) == Level(0.61, "above", "critical")
    doubled = limits(tmp_path, text).level(alert_limit("RedisMemoryHigh", "ratio", factor=2.0))
    assert doubled == Level(1.22, "above", "critical")


def test_a_severity_of_the_catalogues_own_is_a_warning(tmp_path: Path) -> None:
    text = "monitoring: {rules: {RedisMemoryHigh: {severity: info}}}\n"
    level = limits(tmp_path, text).level(alert_limit("RedisMemoryHigh", "ratio"))
    assert level is not None
    assert level.severity == "warning"


@pytest.mark.parametrize("off", ["rules: {RedisMemoryHigh: off}", "areas: {redis: off}"])
def test_an_alert_that_is_off_has_no_limit(off: str, tmp_path: Path) -> None:
    catalogue = catalogue_of(f"{SHOP}monitoring: {{{off}}}\n", tmp_path)
    assert Limits.of(catalogue).level(alert_limit("RedisMemoryHigh", "ratio")) is None
    # What an expression has to know is still the alert's own.
    assert Watched.of(catalogue).value("RedisMemoryHigh", "ratio") > 0


def test_of_services_that_differ_the_one_that_fires_first_counts(tmp_path: Path) -> None:
    own = "monitoring: {{jobs: {{redis: {job}}}, rules: {{RedisMemoryHigh: {{thresholds: {{ratio: {ratio}}}}}}}}}"
    api = SHOP.replace("    slis:", f"    {own.format(job='a', ratio='70%')}\n    slis:")
    web = api.split("services:\n")[1].replace("api", "web", 1).replace("redis: a", "redis: b").replace("70%", "80%")
    found = limits(tmp_path, web, api)
    assert found.level(alert_limit("RedisMemoryHigh", "ratio", "above")) == Level(0.7, "above", "warning")
    assert found.level(alert_limit("RedisMemoryHigh", "ratio", "below")) == Level(0.8, "below", "warning")


def test_a_value_alone_is_a_limit(tmp_path: Path) -> None:
    assert limits(tmp_path).level(limit(3, "below", "warning")) == Level(3, "below", "warning")
    assert limits(tmp_path).level(Limit(value=3)) == Level(3, "above", "critical")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (alert_limit("RedisMemoryHihg", "ratio"), "the alert 'RedisMemoryHihg', which there is not"),
        (alert_limit("RedisMemoryHigh", "share"), "the threshold 'share' of RedisMemoryHigh, which there is not"),
        (Limit(), "neither a value nor an alert"),
    ],
)
def test_a_limit_of_nothing_is_refused(wrong: Limit, message: str, tmp_path: Path) -> None:
    with pytest.raises(SlaKitError, match=message):
        limits(tmp_path).level(wrong)


def test_a_count_turns_at_one_more_than_its_alert_bears(tmp_path: Path) -> None:
    name, threshold = next(
        (alert.name, key)
        for area in areas()
        for alert in area.alerts
        for key, each in alert.thresholds.items()
        if each.value == 0
    )
    catalogue = catalogue_of(SHOP, tmp_path)
    [found] = more_than(catalogue, name, threshold)
    assert found.value == 1
    off = catalogue_of(f"{SHOP}monitoring: {{rules: {{{name}: off}}}}\n", tmp_path)
    assert more_than(off, name, threshold) == ()
