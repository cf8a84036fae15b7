"""The example files of running a router: taken by the tools that read them, restricted, whole, and of a router that
takes its configuration."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from sla_kit import load
from sla_kit.catalogue.routing import Routing
from sla_kit.routing.state import secrets_of
from sla_kit.routing.web.app import PAGERDUTY_PATH, SLACK_PATH
from tests.exporters.deployment.test_kubernetes import VERSIONS, unrestricted
from tests.exporters.deployment.test_systemd import MOST_EXPOSURE, analyzed
from tests.generate.test_kubernetes import problems
from tests.servers.tools import tool

Manifest = dict[str, Any]
ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples" / "routing"
WAYS = ("sqlite", "postgresql")
MOUNTED = "/run/secrets/sla-kit"


def manifests(path: Path) -> list[Manifest]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def of_way(way: str) -> dict[str, Manifest]:
    """What one way of running it applies, by kind."""
    found = [*manifests(EXAMPLES / "kubernetes" / way / "router.yml"), *manifests(EXAMPLES / "kubernetes/network.yml")]
    kinds = {each["kind"]: each for each in found}
    assert len(kinds) == len(found)
    return kinds


def pod(way: str) -> Manifest:
    template: Manifest = of_way(way)["Deployment"]["spec"]["template"]
    return template


def routing(text: str, folder: Path) -> Routing:
    (folder / "sla.yml").write_text(text)
    return load(folder / "sla.yml").routing


# --- Kubernetes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("way", WAYS)
def test_kubernetes_takes_every_manifest(way: str, version: str) -> None:
    for each in of_way(way).values():
        assert each["metadata"]["namespace"] == "shop"
        if "monitoring.coreos.com" in each["apiVersion"]:
            assert problems(each) == []
        else:
            kubernetes_validate.validate(each, version, strict=True)


@pytest.mark.parametrize("way", WAYS)
def test_pods_keep_the_restricted_standard_and_more(way: str) -> None:
    spec = pod(way)["spec"]
    assert unrestricted(spec) == []
    assert spec["automountServiceAccountToken"] is False
    [container] = spec["containers"]
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("way", WAYS)
def test_a_router_finds_its_secrets_its_outbox_and_its_port(way: str, tmp_path: Path) -> None:
    kinds, spec = of_way(way), pod(way)["spec"]
    settings = routing(kinds["ConfigMap"]["data"]["sla.yml"], tmp_path)
    [container] = spec["containers"]
    volumes = {each["name"]: each for each in spec["volumes"]}
    mounts = {each["mountPath"]: volumes[each["name"]] for each in container["volumeMounts"]}
    assert len(mounts) == len(volumes)
    secret = mounts[MOUNTED]["secret"]
    assert {secret.file for secret in secrets_of(settings)} == {f"{MOUNTED}/{each['path']}" for each in secret["items"]}
    assert secret["defaultMode"] == 0o440
    assert mounts["/etc/sla-kit"]["configMap"]["name"] == kinds["ConfigMap"]["metadata"]["name"]
    assert container["ports"] == [{"name": "http-metrics", "containerPort": 9099}]
    assert settings.listen == ":9099"
    claims = [each["persistentVolumeClaim"]["claimName"] for each in mounts.values() if "persistentVolumeClaim" in each]
    if way == "sqlite":
        assert str(Path(settings.outbox).parent) in mounts
        assert claims == [kinds["PersistentVolumeClaim"]["metadata"]["name"]]
        assert (kinds["Deployment"]["spec"]["replicas"], kinds["Deployment"]["spec"]["strategy"]["type"]) == (
            1,
            "Recreate",
        )
    else:
        assert settings.outbox.startswith("postgresql://")
        assert settings.outbox_password is not None
        assert (kinds["Deployment"]["spec"]["replicas"], claims) == (3, [])


def test_both_ways_are_the_example_but_for_the_outbox() -> None:
    example = (EXAMPLES / "etc" / "sla.yml").read_text()
    assert of_way("sqlite")["ConfigMap"]["data"]["sla.yml"] == example
    other = of_way("postgresql")["ConfigMap"]["data"]["sla.yml"].splitlines()
    assert [line for line in other if line not in example.splitlines()] == [
        "  outbox: postgresql://router@outbox-db:5432/outbox",
        "  outbox_password: {file: /run/secrets/sla-kit/outbox-password}",
    ]


@pytest.mark.parametrize("way", WAYS)
def test_what_selects_finds_the_pods_and_the_job_is_the_one_that_rules_read(way: str) -> None:
    kinds, labels = of_way(way), pod(way)["metadata"]["labels"]
    selectors = [
        kinds["Deployment"]["spec"]["selector"]["matchLabels"],
        kinds["Service"]["spec"]["selector"],
        kinds["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        kinds["PodMonitor"]["spec"]["selector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels.items() for selector in selectors)
    monitor = kinds["PodMonitor"]["spec"]
    job = yaml.safe_load((ROOT / "alert_rules" / "inventory" / "router.yml").read_text())["job"]
    assert labels[monitor["jobLabel"]] == job
    [endpoint] = monitor["podMetricsEndpoints"]
    assert endpoint["port"] == "http-metrics"
    secret = next(each["secret"] for each in pod(way)["spec"]["volumes"] if "secret" in each)
    assert endpoint["authorization"]["credentials"] == {"name": secret["secretName"], "key": "router-token"}


def test_only_what_is_signed_is_public() -> None:
    ingress = of_way("sqlite")["Ingress"]["spec"]
    [rule] = ingress["rules"]
    paths = [(each["path"], each["pathType"]) for each in rule["http"]["paths"]]
    assert paths == [(SLACK_PATH, "Exact"), (PAGERDUTY_PATH, "Exact")]
    assert ingress["tls"][0]["hosts"] == [rule["host"]]


# --- systemd, compose, Alertmanager, Slack -------------------------------------------------------------------------


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """The unit, with the program that it starts in a place where it is."""
    folder, programs = tmp_path / "units", tmp_path / "bin"
    shutil.copytree(EXAMPLES / "systemd", folder)
    programs.mkdir()
    (programs / "sla-kit").symlink_to("/bin/true")
    for file in folder.glob("*.service"):
        file.write_text(file.read_text().replace("/opt/sla-kit/bin", str(programs)))
    return folder


def test_systemd_takes_the_unit_and_finds_it_little_exposed(units: Path) -> None:
    found = analyzed("verify", "--man=no", "./sla-kit-router.service", folder=units)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
    rated = analyzed("security", "--offline=true", "./sla-kit-router.service", folder=units).stdout
    [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", rated)
    assert float(exposure) <= MOST_EXPOSURE


def test_the_unit_hands_over_every_secret_of_the_example(tmp_path: Path) -> None:
    unit = (EXAMPLES / "systemd" / "sla-kit-router.service").read_text()
    settings = routing((EXAMPLES / "etc" / "sla.yml").read_text(), tmp_path)
    named = {Path(secret.file).name for secret in secrets_of(settings)}
    assert set(re.findall(r"^LoadCredential=([^:]+):", unit, re.MULTILINE)) == named


def test_compose_builds_what_there_is_and_runs_what_the_example_says() -> None:
    composed = yaml.safe_load((EXAMPLES / "docker-compose.yml").read_text())
    router = composed["services"]["router"]
    context = (EXAMPLES / router["build"]["context"]).resolve()
    dockerfile = (context / router["build"]["dockerfile"]).read_text()
    assert re.search(rf"^FROM .* AS {router['build']['target']}$", dockerfile, re.MULTILINE)
    assert {each.partition(":")[2].removesuffix(":ro") for each in router["volumes"]} == {
        "/etc/sla-kit",
        MOUNTED,
        "/var/lib/sla-kit",
    }
    assert router["read_only"] is True
    assert router["cap_drop"] == ["ALL"]


def test_the_example_is_a_router_that_would_run(tmp_path: Path) -> None:
    """As `route serve --check` has it, with secrets that are there."""
    text = (EXAMPLES / "etc" / "sla.yml").read_text().replace(MOUNTED, str(tmp_path / "secrets"))
    settings = routing(text, tmp_path)
    (tmp_path / "secrets").mkdir()
    for secret in secrets_of(settings):
        value = (
            "0" * 32 if "pagerduty" in secret.file else "xoxb-1" if "slack-token" in secret.file else "secret-of-test"
        )
        Path(secret.file).write_text(value)
    command = [sys.executable, "-c", "from sla_kit.cli import main; main()", "route", "serve", "--check"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "would listen on http://:9099 (1 token)" in done.stdout


def test_alertmanager_takes_the_example_and_sends_all_of_it_to_the_router() -> None:
    path = EXAMPLES / "alertmanager.yml"
    done = subprocess.run([str(tool("amtool")), "check-config", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    config = yaml.safe_load(path.read_text())
    assert config["route"]["group_by"] == Routing().group_by
    [receiver] = config["receivers"]
    [webhook] = receiver["webhook_configs"]
    assert webhook["url"].endswith("/v1/alertmanager")
    assert webhook["send_resolved"] is True


def test_the_slack_app_asks_for_the_scopes_that_the_page_explains() -> None:
    app = yaml.safe_load((EXAMPLES / "slack-app.yml").read_text())
    table = (ROOT / "docs" / "slack.md").read_text().partition("| scope | for |")[2].partition("\n\n")[0]
    explained = set(re.findall(r"`((?:chat|channels|groups|files):[\w.:]+)`", table))
    assert set(app["oauth_config"]["scopes"]["bot"]) == explained - {"chat:write.public"}
    assert app["settings"]["interactivity"]["request_url"].endswith(SLACK_PATH)
