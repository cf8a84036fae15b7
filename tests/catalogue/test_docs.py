"""The reference of the catalogue: its examples load, and no key is left untold."""

from __future__ import annotations

import re
import typing
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest
import yaml

from sla_kit.catalogue import Catalogue, Sli, check, check_catalogue
from sla_kit.catalogue.logs import Comparison, Deployments, ErrorTracking, LogFields, Logs
from sla_kit.catalogue.model import (
    Agreement,
    Capacity,
    Contact,
    Dependency,
    Occasion,
    Part,
    PolicyStep,
    Resource,
    Route,
    Server,
    Service,
    SeverityLevel,
    Slo,
)
from sla_kit.catalogue.monitoring import (
    Delivery,
    DuringEvents,
    Monitoring,
    RuleSettings,
    ServiceMonitoring,
    SloRules,
)
from sla_kit.catalogue.routing import (
    AlertmanagerSettings,
    DeadMan,
    Digest,
    EmailSettings,
    Fallback,
    Graphs,
    PagerDutySettings,
    Routing,
    SlackSettings,
    Storm,
)
from sla_kit.catalogue.schema import json_schema
from sla_kit.configuration.secrets import Secret

PAGE = (Path(__file__).parent.parent.parent / "docs" / "catalogue.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, flags=re.DOTALL)
STRUCTS: list[Any] = [Catalogue, Service, Slo, Agreement, PolicyStep, Contact, SeverityLevel, Route, Occasion]
STRUCTS += [Part, Dependency, Capacity, Resource]
STRUCTS += [Monitoring, ServiceMonitoring, RuleSettings, DuringEvents, SloRules, Delivery]
STRUCTS += [Routing, Digest, Storm, DeadMan, Fallback, SlackSettings, PagerDutySettings, EmailSettings]
STRUCTS += [AlertmanagerSettings, Graphs, Secret]
STRUCTS += [Server, Logs, LogFields, ErrorTracking, Deployments, Comparison]
INDICATORS: list[Any] = list(typing.get_args(Sli))


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.splitlines()[0].removeprefix("name: "))
def test_example_loads_in_each_of_its_environments(text: str, tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(text, encoding="utf-8")
    for environment in [None, *(yaml.safe_load(text).get("environments") or {})]:
        catalogue, mistakes = check(tmp_path / "sla.yml", environment)
        assert mistakes == []
        assert catalogue is not None
        assert check_catalogue(catalogue) == []


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.splitlines()[0].removeprefix("name: "))
def test_example_is_valid_for_an_editor(text: str) -> None:
    as_text = re.sub(r"\b(\d{4}-\d\d-\d\d)\b(?!T)", r'"\1"', text)  # a bare date, which YAML 1.1 would convert
    jsonschema.Draft202012Validator(json_schema()).validate(yaml.safe_load(as_text))


def test_examples_show_every_kind_of_indicator() -> None:
    shown = set(re.findall(r"kind: ([\w-]+)", "".join(EXAMPLES)))
    assert shown == {each.__struct_config__.tag for each in INDICATORS}


@pytest.mark.parametrize("struct", STRUCTS + INDICATORS, ids=lambda struct: struct.__name__)
def test_every_key_is_told(struct: Any) -> None:
    told = set(re.findall(r"[\w]+", " ".join(re.findall(r"`([^`\n]+)`", PAGE))))
    keys = {each.encode_name for each in msgspec.structs.fields(struct)} - {"folder"}
    assert keys <= told
