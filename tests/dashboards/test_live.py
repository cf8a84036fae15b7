"""The panels of what can be started here, asked of a Prometheus that scrapes the real exporters: none stays empty."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import promql_parser
import pytest

from sla_kit.alert_rules.inventory import find
from sla_kit.alert_rules.label_flow import selectors
from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.monitoring import Monitoring
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.gate_document import panels_of
from sla_kit.dashboards.rendering import Rendering
from tests.alert_rules.machine import Machine
from tests.alert_rules.test_inventory import is_in_range

CATALOGUE = Catalogue(name="test", services=[], monitoring=Monitoring(scrape_interval=4.0))
#: Those whose exporters are started, and how many of their queries at least are asked: fewer would prove too little.
SHOWN = {"postgresql": 29, "redis": 10, "hosts": 15, "monitoring": 12, "ingress": 3, "logging": 5, "alerts": 1}
PATIENCE_SECONDS = 180.0
#: A window that holds some scrapes, which are four seconds apart.
FILLED = {"__rate_interval": "30s", "__range": "30s", "__range_s": "30", "__interval": "10s"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|(\w+))")
_LABEL = re.compile(r"{{\s*(\w+)\s*}}")

_TOLD = "Alertmanager told what there is before the window, and will say more in five minutes only"
#: Queries that are empty on a healthy machine: by dashboard, panel, what the query holds; and why.
EMPTY: Mapping[tuple[str, str, str], str] = {
    ("monitoring", "Failures and rounds left out", "evaluation_failures_total"): "no rule fails, and 0 is not shown",
    ("monitoring", "Failures and rounds left out", "iterations_missed_total"): "no round is left out",
    ("monitoring", "Notifications that fail", "alertmanager_notifications"): _TOLD,
    ("alerts", "Notifications that fail", "alertmanager_notifications"): _TOLD,
    ("alerts", "Notifications sent", "alertmanager_notifications"): _TOLD,
    ("postgresql", "Sessions waiting for locks", 'wait_event_type="Lock"'): "no session waits for another one's lock",
    ("postgresql", "Tables with most dead rows", "last_autovacuum"): "nothing has been vacuumed in so young a database",
}
#: What is scraped of today's exporters and of Prometheus 3 has this label ``cluster``; the packaged ones have none, or
#: their own.
EDITIONS = {"packaged": "|[^h].*", "today": "here"}
_EDITION_OF = {"packaged": "packaged", "today": "today", "2": "packaged", "3": "today"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One query of a panel whose metrics all come from exporters that run here."""

    dashboard: str
    panel: str
    expression: str
    legend: str
    metrics: tuple[str, ...]

    def is_said(self, said: tuple[str, str, str]) -> bool:
        """Whether it is the one that is said to be empty."""
        return said[:2] == (self.dashboard, self.panel) and said[2] in self.expression

    def __str__(self) -> str:
        return f"{self.dashboard}: {self.panel!r}: {self.expression}"


def asked(machine: Machine) -> Iterator[Asked]:
    """Every query that can be asked here."""
    here = {target.exporter for target in machine.targets}
    rendering = Rendering.of(CATALOGUE)
    for dashboard in dashboards_of(CATALOGUE):
        if dashboard.name not in SHOWN:
            continue
        for panel in panels_of(rendering.document(dashboard)):
            for target in panel.get("targets", []):
                if "expr" not in target:
                    continue
                found = [find(each.name) for each, _, _ in selectors(promql_parser.parse(filled(target["expr"], "")))]
                if all(
                    each and each[0].tested and each[0].exporter in here and not each[1].unprovoked for each in found
                ):
                    names = tuple(
                        each.name for each, _, _ in selectors(promql_parser.parse(filled(target["expr"], "")))
                    )
                    yield Asked(dashboard.name, panel["title"], target["expr"], target.get("legendFormat", ""), names)


def filled(expression: str, cluster: str) -> str:
    """An expression with its variables filled in: everything there is of an edition."""
    values = {**FILLED, "cluster": cluster}
    return _VARIABLE.sub(lambda match: values.get(match[1] or match[2], ".*"), expression)


def published(machine: Machine, metrics: tuple[str, ...], edition: str) -> bool:
    """Whether all exporters of some metrics run in an edition, in versions that publish them."""
    for name in metrics:
        found = find(name)
        assert found
        exporter, metric = found
        targets = [each for each in machine.targets if each.exporter == exporter.exporter]
        versions = {each.version() for each in targets if _EDITION_OF[each.edition] == edition}
        if name in ("up", "scrape_duration_seconds", "scrape_samples_scraped"):
            continue
        if not versions or not all(is_in_range(metric, version) for version in versions):
            return False
    return True


@pytest.fixture(scope="module")
def queries(healthy_machine: Machine) -> list[Asked]:
    return list(asked(healthy_machine))


@pytest.mark.xdist_group("machine")
def test_enough_is_asked(queries: list[Asked]) -> None:
    counts = {name: sum(each.dashboard == name for each in queries) for name in SHOWN}
    assert {name: count for name, count in counts.items() if count < SHOWN[name]} == {}


@pytest.mark.xdist_group("machine")
@pytest.mark.parametrize("edition", EDITIONS)
def test_no_panel_stays_empty(edition: str, queries: list[Asked], healthy_machine: Machine) -> None:
    left = [
        each
        for each in queries
        if not any(map(each.is_said, EMPTY)) and published(healthy_machine, each.metrics, edition)
    ]
    assert len(left) > 30
    wrong: list[str] = []
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left and time.monotonic() < deadline:
        answers = [(each, healthy_machine.query(filled(each.expression, EDITIONS[edition]))) for each in left]
        wrong += [f"{each} has no label {label}" for each, found in answers for label in _missing(each, found)]
        left = [each for each, found in answers if not found]
        time.sleep(0.5 if left else 0)  # between two looks, not instead of looking
    assert not wrong, "\n".join(dict.fromkeys(wrong))
    assert not left, "\n".join(map(str, left))


@pytest.mark.xdist_group("machine")
def test_what_is_said_to_be_empty_is_a_panel(queries: list[Asked]) -> None:
    for said in EMPTY:
        assert any(each.is_said(said) for each in queries), said


def _missing(each: Asked, found: list[dict[str, Any]]) -> list[str]:
    """The labels that a legend names and series have not."""
    return [label for label in _LABEL.findall(each.legend) for series in found if label not in series["metric"]]


@pytest.mark.xdist_group("machine")
def test_all_systems_that_run_here_are_asked(queries: list[Asked]) -> None:
    read = {found[0].exporter for each in queries for name in each.metrics if (found := find(name))}
    assert {"postgres", "redis", "node", "blackbox", "elasticsearch", "prometheus", "alertmanager"} <= read
