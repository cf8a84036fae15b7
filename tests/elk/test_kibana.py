"""Kibana's saved objects: whole, consistent and always the same. Their form is that of exports of Kibana 8.9; Kibana
itself does not run here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sla_kit.catalogue import LogFields
from sla_kit.elk import kibana
from sla_kit.elk.mapping import kinds
from tests.elk.catalogues import shop

#: What an export of each type has (github.com/elastic/kibana: the model versions of these saved object types).
_ATTRIBUTES = {
    "index-pattern": {"title", "name", "timeFieldName"},
    "search": {"title", "columns", "sort", "kibanaSavedObjectMeta"},
    "lens": {"title", "visualizationType", "state"},
    "dashboard": {"title", "panelsJSON", "optionsJSON", "kibanaSavedObjectMeta", "timeRestore"},
}
_OPERATIONS = {"terms", "date_histogram", "count"}
OWN = LogFields(level="severity", status="status", service="app", duration="took", duration_unit_seconds=1.0)


@pytest.fixture(params=[None, OWN], ids=["ECS", "own names"])
def found(request: pytest.FixtureRequest) -> list[dict[str, Any]]:
    text = kibana.saved_objects(shop(fields=request.param))
    return [json.loads(line) for line in text.splitlines()]


def test_each_object_is_whole(found: list[dict[str, Any]]) -> None:
    for each in found:
        assert set(each) == {"id", "type", "attributes", "references", "coreMigrationVersion", "typeMigrationVersion"}
        assert _ATTRIBUTES[each["type"]] <= set(each["attributes"])
        for key, value in each["attributes"].items():
            if key.endswith("JSON"):
                json.loads(value)


def test_every_reference_leads_to_an_object_before_it(found: list[dict[str, Any]]) -> None:
    seen: set[tuple[str, str]] = set()
    for each in found:
        for reference in each["references"]:
            assert (reference["type"], reference["id"]) in seen, reference
        seen.add((each["type"], each["id"]))
    assert len(seen) == len(found)


def test_every_name_of_a_reference_is_used(found: list[dict[str, Any]]) -> None:
    for each in found:
        names = {reference["name"] for reference in each["references"]}
        attributes = each["attributes"]
        if each["type"] == "search":
            used = {json.loads(attributes["kibanaSavedObjectMeta"]["searchSourceJSON"])["indexRefName"]}
        elif each["type"] == "lens":
            layers = attributes["state"]["datasourceStates"]["formBased"]["layers"]
            used = {f"indexpattern-datasource-layer-{layer}" for layer in layers}
        elif each["type"] == "dashboard":
            used = {f"{panel['panelIndex']}:{panel['panelRefName']}" for panel in json.loads(attributes["panelsJSON"])}
        else:
            used = set()
        assert names == used


def test_lenses_use_columns_that_they_have_and_fields_that_are_mapped(found: list[dict[str, Any]]) -> None:
    own = any("severity" in json.dumps(each) for each in found)
    mapped = kinds(OWN if own else LogFields())
    for each in (one for one in found if one["type"] == "lens"):
        [layer] = each["attributes"]["state"]["datasourceStates"]["formBased"]["layers"].values()
        assert layer["columnOrder"] == list(layer["columns"]) or set(layer["columnOrder"]) == set(layer["columns"])
        # Kibana wants what divides before what is counted.
        bucketed = [layer["columns"][name]["isBucketed"] for name in layer["columnOrder"]]
        assert bucketed == sorted(bucketed, reverse=True)
        for column in layer["columns"].values():
            assert column["operationType"] in _OPERATIONS
            assert column["sourceField"] == "___records___" or column["sourceField"] in mapped
            if column["operationType"] == "terms":
                assert column["params"]["orderBy"]["columnId"] in layer["columns"]
        shown = json.dumps(each["attributes"]["state"]["visualization"])
        for name in layer["columns"]:
            assert f'"{name}"' in shown


def test_panels_do_not_overlap(found: list[dict[str, Any]]) -> None:
    [dashboard] = [each for each in found if each["type"] == "dashboard"]
    cells: set[tuple[int, int]] = set()
    for panel in json.loads(dashboard["attributes"]["panelsJSON"]):
        place = panel["gridData"]
        assert place["x"] + place["w"] <= 48
        mine = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not mine & cells
        cells |= mine


def test_searches_are_those_that_are_asked_for(found: list[dict[str, Any]]) -> None:
    titles = [each["attributes"]["title"] for each in found if each["type"] == "search"]
    assert titles == ["shop: errors", "shop: slow requests", "shop: web", "shop: api"]


def test_ids_stay_and_differ_by_environment() -> None:
    first, again = kibana.saved_objects(shop()), kibana.saved_objects(shop())
    assert first == again
    other = {each["id"] for each in kibana.objects(shop(environment="production"))}
    assert not other & {each["id"] for each in kibana.objects(shop())}
