"""The page on the exporter of logs: its configuration is good, and no metric, key or default is left out."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from sla_kit.alert_rules.inventory import exporters
from sla_kit.alert_rules.logging_errors import ALERTS
from sla_kit.exporters.logs import EXPORTER
from sla_kit.exporters.logs.configuration import LogsConfiguration
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration

PAGE = (Path(__file__).parents[3] / "docs" / "exporters.md").read_text(encoding="utf-8")
SECTION = re.split(r"^## ", PAGE.partition("\n## logs\n")[2], flags=re.MULTILINE)[0]


def test_the_configuration_that_is_shown_is_right_and_whole(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", SECTION, re.DOTALL)
    path = tmp_path / "logs.yml"
    path.write_text(block)
    told = EXPORTER.load(path).configuration
    assert isinstance(told, LogsConfiguration)
    shown = yaml.safe_load(block)
    assert set(LogsConfiguration.__struct_fields__) - set(SidecarConfiguration.__struct_fields__) <= set(shown)
    plain = LogsConfiguration(cluster=told.cluster)
    for name in ("index", "settle", "lag", "backfill", "catch_up", "late", "groups", "shipping", "volume", "interval"):
        assert getattr(told, name) == getattr(plain, name), f"{name} is shown with a value that is not the default"
    for part in ("late", "groups", "shipping", "volume"):
        assert set(getattr(plain, part).__struct_fields__) == {"on" if key is True else key for key in shown[part]}
    assert f"default port is {EXPORTER.port}" in SECTION


def test_every_metric_and_alert_is_there() -> None:
    assert set(re.findall(r"`(sla_logs_\w+)`", SECTION)) == set(exporters()["logs"].metrics)
    assert {alert.name for alert in ALERTS} == set(re.findall(r"`(Log\w+|NewErrorGroups)`", SECTION))
