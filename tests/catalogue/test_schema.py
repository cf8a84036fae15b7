"""The JSON Schema agrees with the loader on what is right, and refuses what an editor should underline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sla_kit.catalogue.schema import json_schema

EXAMPLE = Path(__file__).parent.parent.parent / "examples" / "astralfield"
BERLIN = "Europe/Berlin"
FILES = sorted(EXAMPLE.rglob("*.yml"))


class Loader(yaml.SafeLoader):
    """YAML as editors read it, where a date is text."""


Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith(":timestamp")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> dict[str, Any]:
    found = yaml.load(path.read_text(encoding="utf-8"), Loader)
    assert isinstance(found, dict)
    return found


def merged() -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for path in FILES:
        for key, value in read(path).items():
            whole[key] = whole[key] + value if key in whole else value
    return whole


VALIDATOR = jsonschema.Draft202012Validator(json_schema())


def accepts(document: dict[str, Any]) -> bool:
    return bool(VALIDATOR.is_valid(document))


def small(**change: Any) -> dict[str, Any]:
    slo = {"name": "availability", "sli": "requests", "objective": "99.9%"}
    sli = {"kind": "requests", "metric": "http_requests_total", "bad": {"code": "=~5.."}}
    return {"name": "shop", "services": [{"name": "web", "slis": {"requests": sli}, "slos": [slo]}], **change}


def with_slo(**change: Any) -> dict[str, Any]:
    document = small()
    document["services"][0]["slos"][0].update(change)
    return document


def with_sli(**change: Any) -> dict[str, Any]:
    document = small()
    document["services"][0]["slis"]["requests"] = change
    return document


def test_schema_is_a_schema_and_says_the_same_each_time() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
    assert json_schema() == json_schema()
    assert all(name in json_schema()["$defs"] for name in ("Slo", "OverlaySlo", "Occasion"))


def test_example_as_a_whole_is_valid() -> None:
    VALIDATOR.validate(merged())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_each_file_of_the_example_is_valid_by_itself(path: Path) -> None:
    VALIDATOR.validate(read(path))


@pytest.mark.parametrize(
    "document",
    [
        small(),
        small(bucket=60),
        small(environment="production"),
        small(bucket="1m30s"),
        with_slo(objective=0.999),
        with_slo(objective="99.9"),
        with_slo(window="month"),
        with_slo(window="30d"),
        with_slo(window={"calendar": "week", "timezone": "Europe/Berlin"}),
        with_slo(sli={"kind": "freshness", "metric": "m", "max_age": "26h"}),
        with_sli(kind="requests", metric="m", bad={"code": ["500", 502]}),
        with_sli(kind="log-events", query="service.name:web", bad={"range": {"status": {"gte": 500}}}),
        with_sli(kind="log-latency", threshold="100ms", query={"term": {"service.name": "web"}}),
        with_slo(compare_with={"slo": "api/availability", "within": "0.05%"}, sli={"kind": "log-events", "bad": "a:1"})
        | {"services": [small()["services"][0], {**with_slo()["services"][0], "name": "api"}]},
        small(logs={"fields": {"time": "time"}, "quiet": "10m", "retention": {"dev": "3d"}}, environments={"dev": {}}),
        small(environments={"dev": {"logs": {"errors": {"query": {"term": {"level": "error"}}}, "retention": None}}}),
        with_sli(kind="latency", metric="m", threshold="100ms", quantile="95 %"),
        small(routing={"tokens": [{"env": "TOKEN"}], "digest": {"every": "2h"}, "slack": {"per_second": 0.5}}),
        small(
            contacts=[{"name": "a", "slack": "#a"}],
            routes=[{"to": ["a"], "hours": ["mon-fri 09:00-17:00"], "event": "during", "slo": ["web/availability"]}],
        ),
        small(environments={"dev": {"routing": {"storm": {"incidents": 0}, "url": None}}}),
        small(environments={"dev": None, "staging": {}}),
        small(environments={"dev": {"services": {"web": {"slos": {"availability": {"objective": "99%"}}}}}}),
        small(environments={"dev": {"services": [{"name": "web", "description": "x", "owner": ""}]}}),
        small(
            environments={"dev": {"services": {"web": {"slis": {"requests": {"metric": "m"}}}}, "timezone": None}},
            timezone=BERLIN,
        ),
    ],
)
def test_what_the_loader_takes_is_valid(document: dict[str, Any], tmp_path: Path) -> None:
    from sla_kit.catalogue import load

    VALIDATOR.validate(document)
    (tmp_path / "sla.yml").write_text(yaml.safe_dump(document), encoding="utf-8")
    assert load(tmp_path / "sla.yml").name == "shop"


@pytest.mark.parametrize(
    "document",
    [
        small(nmae="shop"),
        small(folder="/etc"),
        small(bucket="soon"),
        small(bucket=-60),
        small(services={"web": {}}),
        with_slo(objectve="99%"),
        with_slo(objective="most"),
        with_slo(window="fortnight"),
        with_slo(missing="maybe"),
        with_sli(kind="request", metric="m"),
        with_sli(kind="log-events", bad=["a:1"]),
        with_sli(kind="log-latency"),
        with_slo(compare_with="availability"),
        small(logs={"fields": {"tiem": "time"}}),
        small(logs={"retention": {"dev": "soon"}}),
        with_sli(metric="m"),
        with_sli(kind="latency", metric="m"),
        with_sli(kind="bound", metric="m", min="low"),
        small(services=[{"name": "a service"}]),
        small(services=[{"slos": []}]),
        small(calendar={"events": [{"start": "2026-09-06T13:00"}]}),
        small(environments={"dev": {"services": {"web": {"slos": {"availability": {"objectve": "99%"}}}}}}),
        small(routing={"tokens": ["hunter2"]}),
        small(routing={"digest": {"evry": "1h"}}),
        small(routing={"email": {"security": "maybe"}}),
        small(routes=[{"to": ["a"], "event": "sometimes"}]),
        small(environments={"dev": {"environments": {}}}),
        small(environments=["dev"]),
    ],
)
def test_what_an_editor_should_underline_is_not_valid(document: dict[str, Any]) -> None:
    assert not accepts(document)


@pytest.mark.parametrize("key", sorted(merged()))
def test_key_of_the_example_that_is_misspelt_is_not_valid(key: str) -> None:
    whole = merged()
    whole[key + "x"] = whole.pop(key)
    assert not accepts(whole)
