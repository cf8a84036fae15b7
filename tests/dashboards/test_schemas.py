"""Every document by somebody else's word: Grafana's own models load it without loss; what Grafana removed is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog import encoder, plugins
from grafana_foundation_sdk.models.dashboard import Dashboard as TheirDashboard
from grafanalib import core
from grafanalib._gen import DashboardEncoder

from sla_kit.catalogue import load
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.removed import CURRENT, TYPES, removed
from sla_kit.dashboards.rendering import Rendering
from tests.dashboards.catalogues import ASTRAL, ODD, catalogue_of

plugins.register_default_plugins()


def there_and_back(document: dict[str, Any]) -> dict[str, Any]:
    """A document through the models that Grafana generates from its schemas."""
    answer: dict[str, Any] = json.loads(json.dumps(TheirDashboard.from_json(document), cls=encoder.JSONEncoder))
    return answer


def lost(ours: Any, theirs: Any, path: str = "") -> Iterator[str]:
    """Where something of ours is not in theirs, or is something else there."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key, value in ours.items():
            yield from lost(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"]
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            yield from lost(one, other, f"{path}[{number}]")
    elif ours != theirs:
        yield path


def documents(text: str, folder: Path) -> Iterator[dict[str, Any]]:
    catalogue = catalogue_of(text, folder) if text else load(ASTRAL, "production")
    rendering = Rendering.of(catalogue)
    for each in dashboards_of(catalogue):
        yield json.loads(rendering.text(each))


@pytest.mark.parametrize("text", ["", *ODD.values()], ids=["astralfield", *ODD])
def test_every_document_loads_into_grafanas_models_without_loss(text: str, tmp_path: Path) -> None:
    found = {each["uid"]: list(lost(each, there_and_back(each))) for each in documents(text, tmp_path)}
    assert found
    assert {uid: paths for uid, paths in found.items() if paths} == {}


@pytest.mark.parametrize("place", ["panel", "options", "fieldConfig", "target", "variable", "annotation", "link"])
def test_what_grafanas_models_do_not_know_would_be_lost(place: str, tmp_path: Path) -> None:
    """Else the test above would prove nothing."""
    [document] = [each for each in documents("", tmp_path) if each["uid"] == "sla-kit-redis"]
    panel = next(each for each in document["panels"] if each["type"] == "timeseries")
    targets = {
        "panel": panel,
        "options": panel["options"],
        "fieldConfig": panel["fieldConfig"]["defaults"]["custom"],
        "target": panel["targets"][0],
        "variable": document["templating"]["list"][-1],
        "annotation": document["annotations"]["list"][0],
        "link": document["links"][0],
    }
    targets[place]["ofNobody"] = 1
    assert [path.rpartition(".")[2] for path in lost(document, there_and_back(document))] == ["ofNobody"]


@pytest.mark.parametrize("text", ["", *ODD.values()], ids=["astralfield", *ODD])
def test_nothing_is_written_that_grafana_removed(text: str, tmp_path: Path) -> None:
    for document in documents(text, tmp_path):
        assert list(removed(document)) == []


TARGET = core.Target(expr="up", refId="A")
OLD: dict[str, tuple[core.Panel, str]] = {
    "graph": (core.Graph(title="Old", dataSource="p", targets=[TARGET]), "timeseries"),
    "singlestat": (core.SingleStat(title="Old", dataSource="p", targets=[TARGET]), "stat"),
    "natel-discrete-panel": (core.Discrete(title="Old", dataSource="p", targets=[TARGET]), "state-timeline"),
    "grafana-piechart-panel": (core.PieChart(title="Old", dataSource="p", targets=[TARGET]), "piechart"),
    "grafana-worldmap-panel": (core.Worldmap(title="Old", dataSource="p", targets=[TARGET]), "geomap"),
    "flant-statusmap-panel": (core.Statusmap(title="Old", dataSource="p", targets=[TARGET]), "status-history"),
    "larona-epict-panel": (core.ePict(title="Old", dataSource="p", targets=[TARGET], bgURL="x"), "canvas"),
    "marcuscalidus-svg-panel": (core.Svg(title="Old", dataSource="p", targets=[TARGET]), "canvas"),
    "ae3e-plotly-panel": (core.Ae3ePlotly(title="Old", dataSource="p", targets=[TARGET]), "xychart"),
}


def written(*panels: core.Panel) -> dict[str, Any]:
    """A dashboard as grafanalib alone writes it."""
    page = core.Dashboard(title="Old", panels=list(panels)).auto_panel_ids()
    document: dict[str, Any] = json.loads(json.dumps(page, cls=DashboardEncoder))
    return document


@pytest.mark.parametrize("kind", OLD)
def test_panels_of_angulars_time_are_found(kind: str) -> None:
    panel, instead = OLD[kind]
    messages = [message for _, message in removed(written(panel))]
    assert f"panels of type {kind} are gone; {instead} takes their place" in messages
    assert kind in TYPES
    assert kind not in CURRENT


def test_fields_of_angulars_time_are_found() -> None:
    """A dashboard that grafanalib writes by default is full of them, whatever its panels."""
    document = written(core.TimeSeries(title="New", dataSource="p", targets=[TARGET]))
    found = set(removed(document))
    assert ("dashboard", "the field hideControls is gone") in found
    assert ("dashboard", "the field style is gone") in found
    assert ("panel 'New'", "a data source is an object with type and uid now, not a name") in found
    for field in ("editable", "error", "height", "minSpan", "span", "cacheTimeout"):
        assert ("panel 'New'", f"the field {field} is gone") in found
    assert ("panel 'New', query A", "the field intervalFactor is gone") in found


def test_what_tables_had_is_found() -> None:
    document = written(core.Table(title="T", dataSource="p", targets=[TARGET]))
    assert any("displayMode" in message for _, message in removed(document))
    panel = document["panels"][0]
    panel["fieldConfig"]["overrides"] = [
        {"matcher": {"id": "byName", "options": "A"}, "properties": [{"id": "custom.displayMode", "value": "auto"}]}
    ]
    assert ("panel 'T'", "custom.displayMode is custom.cellOptions now") in set(removed(document))
    panel["type"] = "table-old"
    assert ("panel 'T'", "panels of type table-old are gone; table takes their place") in set(removed(document))


def test_panels_inside_a_collapsed_row_are_looked_at() -> None:
    document = written(core.RowPanel(title="Row", collapsed=True, panels=[OLD["graph"][0]]))
    assert any("type graph" in message for _, message in removed(document))


def test_panels_and_variables_of_nobody_are_found() -> None:
    document = written()
    document["panels"] = [{"type": "acme-dial-panel", "title": "Dial", "options": {"fieldOptions": {}}}]
    document["templating"] = {"list": [{"name": "x", "tagsQuery": "a"}]}
    assert {
        ("panel 'Dial'", "Grafana brings no panels of type acme-dial-panel"),
        ("panel 'Dial', options", "the field fieldOptions is gone"),
        ("variable x", "the field tagsQuery is gone"),
    } <= set(removed(document))
