"""The page on alerts: its catalogue is right, and its commands name what exists."""

from __future__ import annotations

import re
from pathlib import Path

from sla_kit import alert_rules
from sla_kit.catalogue import check

PAGE = (Path(__file__).parent.parent.parent / "docs" / "alerts.md").read_text(encoding="utf-8")


def test_the_catalogue_of_the_page_is_right_in_each_environment(tmp_path: Path) -> None:
    [text] = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "sla.yml").write_text(text)
    for environment in (None, "staging"):
        catalogue, mistakes = check(tmp_path / "sla.yml", environment)
        assert mistakes == []
        assert catalogue is not None
        seconds = {
            each.settings.thresholds["seconds"]
            for each in alert_rules.resolved(catalogue)
            if each.alert.name == "ProbeSlow"
        }
        assert seconds == {2.0 if environment is None else 10.0}


def test_every_alert_that_the_page_shows_exists() -> None:
    names = {alert.name for area in alert_rules.areas() for alert in area.alerts}
    for name in re.findall(r"sla-kit alerts show (\w+)", PAGE):
        assert name in names
    for area in re.findall(r"sla-kit alerts list (\w+)", PAGE):
        assert area in alert_rules.AREAS
