"""The manifests: taken by Kubernetes's and prometheus-operator's own schemas, restricted, whole, and of exporters that
take their configuration."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.exporters.deployment.examples import EXAMPLES, EXPORTERS, ROOT, check
from tests.generate.test_kubernetes import problems

Manifest = dict[str, Any]
FILES = sorted((EXAMPLES / "kubernetes").glob("*.yml"))
#: Kubernetes is supported for about a year: these are an old one that many still run, and today's.
VERSIONS = ("1.29", "1.37")


def manifests(path: Path | None = None) -> list[Manifest]:
    """The documents of one file, or of all."""
    return [each for file in ([path] if path else FILES) for each in yaml.safe_load_all(file.read_text()) if each]


def of(kind: str) -> list[Manifest]:
    return [each for each in manifests() if each["kind"] == kind]


def pods() -> Iterator[tuple[str, Manifest]]:
    """The pod of each workload, as a template with labels and a spec."""
    for each in manifests():
        if each["kind"] == "Deployment":
            yield each["metadata"]["name"], each["spec"]["template"]
        elif each["kind"] == "CronJob":
            yield each["metadata"]["name"], each["spec"]["jobTemplate"]["spec"]["template"]


PODS = dict(pods())
#: What alert rules and dashboards call each exporter's job.
JOBS = {
    name: yaml.safe_load((ROOT / "alert_rules" / "inventory" / f"{name}.yml").read_text())["job"] for name in EXPORTERS
}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_kubernetes_takes_every_manifest(path: Path, version: str) -> None:
    for each in manifests(path):
        if "monitoring.coreos.com" in each["apiVersion"]:
            assert problems(each) == []
        else:
            kubernetes_validate.validate(each, version, strict=True)


def test_the_schemas_would_find_a_mistake() -> None:
    wrong = copy.deepcopy(of("Deployment")[0])
    wrong["spec"]["template"]["spec"]["containers"][0]["resource"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)
    monitor = copy.deepcopy(of("PodMonitor")[0])
    monitor["spec"]["podMetricsEndpoints"][0]["honourLabels"] = True
    assert problems(monitor)


def test_names_are_each_ones_own_and_in_one_namespace() -> None:
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests()]
    assert len(names) == len(set(names))
    assert {each["metadata"]["namespace"] for each in manifests()} == {"shop"}
    assert {kind for kind, _ in names} >= {"Deployment", "CronJob", "ConfigMap", "PodMonitor", "NetworkPolicy"}


# --- the Pod Security Standard "restricted", as Kubernetes's documentation lists its controls ------------------------


def unrestricted(spec: Manifest) -> list[str]:
    """What the standard would not let in."""
    found = [
        f"{field} is true"
        for field in ("hostNetwork", "hostPID", "hostIPC", "shareProcessNamespace")
        if spec.get(field)
    ]
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    for volume in spec.get("volumes", []):
        found += [f"volume {volume['name']} is {kind}" for kind in set(volume) - {"name"} - allowed]
    pod = spec.get("securityContext", {})
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        own, name = container.get("securityContext", {}), container["name"]
        if own.get("privileged"):
            found.append(f"{name} is privileged")
        if own.get("allowPrivilegeEscalation") is not False:
            found.append(f"{name} may gain privileges")
        if own.get("capabilities", {}).get("drop") != ["ALL"]:
            found.append(f"{name} keeps capabilities")
        if set(own.get("capabilities", {}).get("add", [])) - {"NET_BIND_SERVICE"}:
            found.append(f"{name} adds capabilities")
        if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
            found.append(f"{name} may run as root")
        if own.get("runAsUser", pod.get("runAsUser")) == 0:
            found.append(f"{name} runs as root")
        profile = own.get("seccompProfile", pod.get("seccompProfile", {})).get("type")
        if profile not in ("RuntimeDefault", "Localhost"):
            found.append(f"{name} has no seccomp profile")
        found += [f"{name} takes a port of the host" for port in container.get("ports", []) if port.get("hostPort")]
    return found


@pytest.mark.parametrize("name", PODS)
def test_pods_keep_the_restricted_standard_and_more(name: str) -> None:
    spec = PODS[name]["spec"]
    assert unrestricted(spec) == []
    assert spec["automountServiceAccountToken"] is False
    for container in spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["requests"].keys() >= {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_the_check_of_the_standard_finds_what_is_not_restricted() -> None:
    plain: Manifest = {"hostPID": True, "volumes": [{"name": "a", "hostPath": {}}], "containers": [{"name": "c"}]}
    assert len(unrestricted(plain)) == 6


# --- that the parts fit ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PODS)
def test_what_a_pod_mounts_is_there(name: str) -> None:
    spec = PODS[name]["spec"]
    volumes = {each["name"]: each for each in spec.get("volumes", [])}
    mounted = {each["name"] for container in spec["containers"] for each in container.get("volumeMounts", [])}
    assert mounted == set(volumes)
    maps = {each["metadata"]["name"] for each in of("ConfigMap")}
    claims = {each["metadata"]["name"] for each in of("PersistentVolumeClaim")}
    for volume in volumes.values():
        if "configMap" in volume:
            assert volume["configMap"]["name"] in maps
        if "persistentVolumeClaim" in volume:
            assert volume["persistentVolumeClaim"]["claimName"] in claims
        if "secret" in volume:
            # Readable by the group that the pod has, and by nobody else.
            assert volume["secret"]["defaultMode"] == 0o440
            assert spec["securityContext"]["fsGroup"] == spec["securityContext"]["runAsUser"]


@pytest.mark.parametrize("name", EXPORTERS)
def test_a_config_map_is_the_example_and_its_exporter_takes_it(name: str, tmp_path: Path) -> None:
    [found] = [each for each in of("ConfigMap") if f"{name}.yml" in each["data"]]
    for file, text in found["data"].items():
        assert text == (EXAMPLES / "etc" / file).read_text(), f"{file} differs from examples/exporters/etc"
        (tmp_path / file).write_text(text)
    assert check(name, tmp_path / f"{name}.yml") == ""


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_exporters_container_reads_listens_and_is_asked_where_its_configuration_says(name: str) -> None:
    [(labels, spec)] = [
        (pod["metadata"]["labels"], pod["spec"])
        for pod in PODS.values()
        if pod["metadata"]["labels"].get("sla-kit.dev/exporter") == JOBS[name]
    ]
    [container] = [each for each in spec["containers"] if each.get("args", [""])[:2] == ["exporter", name]]
    configuration = yaml.safe_load((EXAMPLES / "etc" / f"{name}.yml").read_text())
    port = int(configuration["listen"].removeprefix(":"))
    assert container["ports"] == [{"name": "sla-metrics", "containerPort": port}]
    assert container["args"][2:] == ["--config", f"/etc/sla-kit/{name}.yml"]
    for probe, path in (("startupProbe", "/healthz"), ("livenessProbe", "/healthz"), ("readinessProbe", "/readyz")):
        assert container[probe]["httpGet"] == {"path": path, "port": "sla-metrics"}
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    kept = configuration.get("state") or configuration["ledger"]
    assert str(Path(kept).parent) in mounts
    assert mounts["/etc/sla-kit"]["readOnly"] is True
    secrets = set(_files(configuration))
    items = {
        f"{mount}/{item['path']}"
        for mount, volume in mounts.items()
        for each in spec["volumes"]
        if each["name"] == volume["name"] and "secret" in each
        for item in each["secret"]["items"]
    }
    assert secrets == items
    [monitor] = of("PodMonitor")
    assert labels[monitor["spec"]["jobLabel"]] == JOBS[name]
    assert [each["port"] for each in monitor["spec"]["podMetricsEndpoints"]] == ["sla-metrics"]


def test_jobs_run_commands_that_there_are() -> None:
    from click.testing import CliRunner

    from sla_kit.cli import main as cli

    for each in of("CronJob"):
        [container] = each["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
        assert container["command"] == ["python", "-m", "sla_kit.exporters.jobs"]
        wrapped = container["args"][container["args"].index("--") + 1 :]
        assert wrapped[0] == "sla-kit"
        help_of = CliRunner().invoke(cli, [wrapped[1], "--help"]).output
        for option in (word for word in wrapped[2:] if word.startswith("--")):
            assert option in help_of, f"sla-kit {wrapped[1]} has no {option}"


def _files(node: Any) -> Iterator[str]:
    """The files of every secret that a configuration names."""
    if isinstance(node, dict):
        if set(node) == {"file"}:
            yield node["file"]
        for each in node.values():
            yield from _files(each)
    elif isinstance(node, list):
        for each in node:
            yield from _files(each)
