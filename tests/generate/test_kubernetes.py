"""The manifests are what prometheus-operator's own schemas take, and say what the other files say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.files import write
from sla_kit.generate.kubernetes import kubernetes_name
from sla_kit.generate.plan import outputs, rule_files
from tests.generate.test_plan import AT, CATALOGUES, ROOT
from tests.generate.test_prometheus_config import SHARED
from tests.servers.tools import manifest_schema

NATIVE = """\
name: native
environment: prod
runbooks: https://runbooks.example.com
contacts:
  - {name: night, pagerduty: primary, slack: "#night"}
  - {name: office, email: office@example.com}
routes:
  - {severity: [critical], to: [night, office]}
services:
  - name: api
    owner: office
    slos: [{name: up, sli: {kind: probe, matchers: {instance: "https://a.example.com"}}, objective: 99%}]
calendar:
  maintenance: [{name: Night, start: 2020-10-31T23:00, end: 2020-11-01T03:00, reason: r, approved_by: a}]
monitoring:
  grafana: https://grafana.example.com
  delivery: {through: native, smarthost: "mail:25", sender: a@example.com, smtp_user: u, secrets: /secrets}
"""


def manifests(folder: Path, name: str, given: Catalogue | None = None) -> dict[str, dict[str, Any]]:
    """Every manifest of a catalogue, by its path."""
    if given is not None:
        catalogue = given
    elif name in CATALOGUES or name == "native":
        (folder / "sla.yml").write_text(CATALOGUES.get(name, NATIVE))
        catalogue = load(folder / "sla.yml")
    else:
        catalogue = load(ROOT / "examples" / "astralfield", name)
    build = folder / "build"
    write(outputs(catalogue, AT, form="kubernetes"), build)
    return {str(path.relative_to(build)): yaml.safe_load(path.read_text()) for path in sorted(build.rglob("*.yml"))}


class _Loader(yaml.SafeLoader):
    """YAML 1.1 gives a lone "=" a meaning that nobody knows; the schemas list it among texts."""


_Loader.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


@cache
def schema(kind: str) -> dict[str, Any]:
    """The schema of a kind, closed: what the API server would quietly drop is a mistake here."""
    text = manifest_schema(f"{kind.lower()}s").read_text()
    definition = yaml.load(text, _Loader)  # a safe loader
    [version] = [each for each in definition["spec"]["versions"] if each["storage"]]
    found: dict[str, Any] = closed(version["schema"]["openAPIV3Schema"])
    found["properties"]["metadata"] = {"type": "object"}
    return found


def closed(node: Any) -> Any:
    """An OpenAPI schema as JSON Schema, in which unknown keys are refused."""
    if isinstance(node, list):
        return [closed(each) for each in node]
    if not isinstance(node, dict):
        return node
    found = {key: closed(value) for key, value in node.items() if key != "format"}
    if isinstance(found.get("pattern"), str):
        found["pattern"] = re.sub(r"\(\?i\)(\w+)", r"(?i:\1)", found["pattern"])  # as Python has it
    opaque = found.get("x-kubernetes-preserve-unknown-fields", False)
    if "properties" in found and not opaque:
        found.setdefault("additionalProperties", False)
    if found.pop("x-kubernetes-int-or-string", False):
        return {"type": ["integer", "string"]}
    return found


def problems(manifest: Mapping[str, Any]) -> list[str]:
    """What the API server would not take."""
    of_kind = schema(manifest["kind"])
    found = [
        f"{'/'.join(str(part) for part in error.absolute_path)}: {error.message}"[:300]
        for error in jsonschema.Draft202012Validator(of_kind).iter_errors(manifest)
    ]
    if manifest["kind"] == "AlertmanagerConfig":  # child routes are opaque to the schema
        route = of_kind["properties"]["spec"]["properties"]["route"]
        children = list(manifest["spec"]["route"].get("routes", []))
        while children:
            child = children.pop()
            found += [error.message[:300] for error in jsonschema.Draft202012Validator(route).iter_errors(child)]
            children += child.get("routes", [])
    return found


@pytest.mark.parametrize("name", ["odd", "two", "native", "production", "dev"])
def test_the_operator_takes_every_manifest(name: str, tmp_path: Path) -> None:
    found = manifests(tmp_path, name)
    operators = {path: each for path, each in found.items() if "monitoring.coreos.com" in each["apiVersion"]}
    assert {each["kind"] for each in operators.values()} >= {"PrometheusRule", "ServiceMonitor", "AlertmanagerConfig"}
    assert {path: told for path, each in operators.items() if (told := problems(each))} == {}
    names = [(each["kind"], each["metadata"]["name"]) for each in found.values()]
    assert len(names) == len(set(names))


def test_a_mistake_is_seen(tmp_path: Path) -> None:
    """The schema and our reading of it do refuse."""
    found = manifests(tmp_path, "native")
    config = found["alertmanager.yml"]
    config["spec"]["route"]["routes"][0]["groupWait"] = 30
    config["spec"]["muteTimeIntervals"][0]["timeIntervals"][0]["years"] = ["1970"]
    config["spec"]["receivers"][0]["webhook"] = []
    assert len(problems(config)) == 3


def test_the_rules_are_those_of_the_other_files(tmp_path: Path) -> None:
    catalogue = load(ROOT / "examples" / "astralfield", "production")
    rules = {
        (rule["alert"], str(rule["labels"]), rule["expr"])
        for each in manifests(tmp_path, "production").values()
        if each["kind"] == "PrometheusRule"
        for group in each["spec"]["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    write(outputs(catalogue, AT), tmp_path / "files")
    assert rules == {
        (rule["alert"], str(rule["labels"]), rule["expr"])
        for path in (tmp_path / "files" / "rules").glob("*.yml")
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }
    assert len(rule_files(catalogue, AT)) > 10


def test_exporters_that_share_a_job_share_a_monitor(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(SHARED)
    found = manifests(tmp_path, "", load(tmp_path / "sla.yml"))
    assert "monitors/shared.yml" in found
    assert not any(path.endswith(("kubelet.yml", "apiserver.yml")) for path in found)
    assert {
        path: told for path, each in found.items() if path.startswith("monitors/") and (told := problems(each))
    } == {}


def test_names_are_what_kubernetes_takes() -> None:
    for text in ("a.-b", "A..b_c", "-x-", "ü.ü", "a" * 252 + ".b", "sla-kit-api.v1_x"):
        name = kubernetes_name(text)
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", name) or not name
        assert len(name) <= 253


def test_the_backfill_is_whole_in_its_parts(tmp_path: Path) -> None:
    """The job sees every file that the script fills, and these hold the rules of the other form."""
    catalogue = many(tmp_path)
    found = manifests(tmp_path, "", catalogue)
    maps = {each["metadata"]["name"]: each["data"] for path, each in found.items() if path.startswith("backfill-rules")}
    assert len(maps) > 1
    data = {name: text for each in maps.values() for name, text in each.items()}
    script = data.pop("backfill.sh")
    assert sorted(re.findall(r"^fill (\S+) \d+$", script, re.MULTILINE)) == sorted(data)
    sources = found["backfill-job.yml"]["spec"]["template"]["spec"]["volumes"][0]["projected"]["sources"]
    assert [each["configMap"]["name"] for each in sources] == sorted(maps)
    plain = [
        each for each in outputs(catalogue, AT) if each.path.startswith("backfill/") and each.path.endswith(".yml")
    ]
    assert rules_in(data.values()) == rules_in(each.text for each in plain)


def rules_in(texts: Iterable[str]) -> list[str]:
    documents = (yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)) for text in texts)
    return sorted(json.dumps(rule) for each in documents for group in each["groups"] for rule in group["rules"])


def many(folder: Path) -> Catalogue:
    """So many promises that their rules fill several manifests."""
    slis = "".join(
        f"      - {{name: slo-{number}, objective: 99.9%, sli: {{kind: requests, metric: hits_total, "
        f"matchers: {{path: /{number}}}, good: {{code: '!~5..'}}}}}}\n"
        for number in range(150)
    )
    (folder / "sla.yml").write_text(f"name: many\nservices:\n  - name: api\n    slos:\n{slis}")
    return load(folder / "sla.yml")


def test_no_manifest_is_too_large_to_be_applied(tmp_path: Path) -> None:
    """`kubectl apply` keeps a copy in an annotation, of which there may be 256 KiB."""
    found = manifests(tmp_path, "", many(tmp_path))
    assert sum(path.startswith("rules/slo") for path in found) > 4
    for path, each in found.items():
        assert len(json.dumps(each).encode()) < 262_144, path
    names = [(each["kind"], each["metadata"]["name"]) for each in found.values()]
    assert len(names) == len(set(names))


def test_the_operators_secrets_are_named_and_never_written(tmp_path: Path) -> None:
    config = manifests(tmp_path, "native")["alertmanager.yml"]["spec"]
    night = next(each for each in config["receivers"] if each["name"] == "night+office")
    assert night["slackConfigs"][0]["apiURL"] == {"name": "sla-kit-alertmanager", "key": "slack-url"}
    assert night["pagerdutyConfigs"][0]["routingKey"]["key"] == "pagerduty-primary"
    assert night["pagerdutyConfigs"][0]["pagerDutyLinkConfigs"][0]["alt"] == "runbook"
    assert night["emailConfigs"][0]["authPassword"]["key"] == "smtp-password"
    assert night["emailConfigs"][0]["smarthost"] == "mail:25"
