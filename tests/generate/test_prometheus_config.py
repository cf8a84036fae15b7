"""Every job that a rule reads is scraped, under a name of its own, as Prometheus takes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from sla_kit.catalogue import load
from sla_kit.generate.files import OutputError
from sla_kit.generate.plan import outputs, rule_files
from sla_kit.generate.prometheus_config import prometheus_config
from tests.generate.test_plan import AT, ROOT, run
from tests.servers import promtool, tool
from tests.servers.process import binary

UP = "[{name: up, sli: {kind: probe}, objective: 99%}]"
GATEWAY = """\
name: gateway
services:
  - name: shop
    slos:
      - name: answers
        sli: {kind: requests, metric: http_requests_total, matchers: {job: gateway}, bad: {code: "=~5.."}}
        objective: 99%
      - name: both
        sli: {kind: probe, metric: up, matchers: {job: [left, right]}, combine: any}
        objective: 99%
      - name: reached
        sli: {kind: probe, matchers: {job: outside, instance: ["https://a.example.com/", "db.example.com:5432"]}}
        objective: 99%
"""
SHARED = f"""\
name: shared
services:
  - {{name: api, monitoring: {{jobs: {{application: shared, postgres: shared, redis: [r1, r2]}}}}, slos: {UP}}}
  - {{name: web, monitoring: {{jobs: {{application: shared, redis: r1}}}}, slos: {UP}}}
monitoring: {{discovery: static, jobs: {{kube_state_metrics: ksm, node: ksm}}}}
"""
ALIKE = """\
name: alike
services:
  - name: api
    monitoring: {jobs: {application: api}}
    slos:
      - name: up
        sli: {kind: probe, matchers: {job: api, instance: "https://a.example.com/"}}
        objective: 99%
"""
PLAIN = f"name: plain\nservices: [{{name: api, slos: {UP}}}]\nmonitoring: {{scrape_interval: 15s}}\n"
CATALOGUES = {"gateway": GATEWAY, "shared": SHARED, "alike": ALIKE, "plain": PLAIN}


def catalogue(folder: Path, text: str) -> Any:
    (folder / "sla.yml").write_text(text)
    return load(folder / "sla.yml")


def read_jobs(loaded: Any) -> set[str]:
    """The jobs that some expression names, one by one or as alternatives."""
    found: set[str] = set()
    for file in rule_files(loaded, AT):
        for rule in (rule for group in file.groups for rule in group.rules):
            for operator, text in re.findall(r'\bjob(=~|=)"([^"]*)"', rule.expression):
                names = text.split("|") if operator == "=~" else [text]
                found |= {name.replace("\\", "") for name in names}
    return found


def written_jobs(config: dict[str, Any]) -> list[tuple[str, str]]:
    """Each job of a configuration with the ``job`` label that its series get."""
    return [
        (
            each["job_name"],
            next(
                (rule["replacement"] for rule in each.get("relabel_configs", []) if rule.get("target_label") == "job"),
                each["job_name"],
            ),
        )
        for each in config["scrape_configs"]
    ]


@pytest.mark.parametrize("name", [*CATALOGUES, "production", "staging", "dev"])
def test_every_job_that_a_rule_reads_is_scraped(name: str, tmp_path: Path) -> None:
    example = ROOT / "examples" / "astralfield"
    loaded = catalogue(tmp_path, CATALOGUES[name]) if name in CATALOGUES else load(example, name)
    config = prometheus_config(loaded)
    jobs = written_jobs(config)
    assert read_jobs(loaded) - {label for _, label in jobs} == set()
    assert len({job for job, _ in jobs}) == len(jobs)
    assert {"prometheus", "alertmanager"} <= {label for _, label in jobs}
    assert config["global"]["scrape_interval"] == "15s"
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    for version in ("2", "3"):
        run(promtool(version), "check", "config", "--syntax-only", tmp_path / "prometheus.yml")


def test_exporters_that_share_a_job_are_each_scraped_once(tmp_path: Path) -> None:
    config = prometheus_config(catalogue(tmp_path, SHARED))
    targets: dict[str, list[str]] = {}
    for (_, label), each in zip(written_jobs(config), config["scrape_configs"], strict=True):
        targets.setdefault(label, []).extend(each["static_configs"][0]["targets"])
    assert sorted(targets["shared"]) == ["shared:3000", "shared:9187"]
    assert sorted(targets["ksm"]) == ["ksm:8080", "ksm:9100"]
    assert targets["r1"] == ["r1:9121"]


def test_an_application_is_scraped_whatever_its_probes_are_called(tmp_path: Path) -> None:
    config = prometheus_config(catalogue(tmp_path, ALIKE))
    found = [
        each for (_, label), each in zip(written_jobs(config), config["scrape_configs"], strict=True) if label == "api"
    ]
    assert sorted(each.get("metrics_path", "/metrics") for each in found) == ["/metrics", "/probe"]


def test_the_router_is_scraped_as_alertmanager_reaches_it(tmp_path: Path) -> None:
    def scraped(delivery: str) -> dict[str, Any]:
        given = PLAIN.replace("15s", f"15s, delivery: {delivery}")
        config = prometheus_config(catalogue(tmp_path, given))
        [found] = [each for each in config["scrape_configs"] if each["job_name"] == "sla-kit-router"]
        return {key: found[key] for key in ("scheme", "authorization") if key in found}

    assert scraped("{}") == {}
    token = {"authorization": {"credentials_file": "/secrets/router-token"}}
    assert scraped("{token: router-token, secrets: /secrets/}") == token
    assert scraped("{router: 'https://r:9099/v1/alertmanager', token: router-token, secrets: /secrets}") == {
        "scheme": "https",
        **token,
    }


def test_kubernetes_own_endpoints_are_asked_securely_and_found_by_role(tmp_path: Path) -> None:
    static = prometheus_config(catalogue(tmp_path, PLAIN))
    found = {each["job_name"]: each for each in static["scrape_configs"]}
    assert {job: found[job].get("scheme") for job in ("kubelet", "apiserver")} == {
        "kubelet": "https",
        "apiserver": "https",
    }
    discovered = prometheus_config(catalogue(tmp_path, PLAIN.replace("15s", "15s, discovery: kubernetes")))
    found = {each["job_name"]: each for each in discovered["scrape_configs"]}
    assert found["apiserver"]["relabel_configs"][0]["regex"] == "default;kubernetes;https"
    assert found["apiserver"]["scheme"] == "https"
    assert found["kubelet"]["kubernetes_sd_configs"] == [{"role": "node"}]
    # The distribution's Prometheus 2 is built without the discovery of Kubernetes.
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(discovered))
    run(promtool("3"), "check", "config", "--syntax-only", tmp_path / "prometheus.yml")


def test_the_probes_modules_are_what_the_exporter_takes(tmp_path: Path) -> None:
    [text] = [each.text for each in outputs(catalogue(tmp_path, GATEWAY), AT) if each.path == "blackbox.yml"]
    (tmp_path / "blackbox.yml").write_text(text)
    packaged = binary("prometheus-blackbox-exporter", "prometheus-blackbox-exporter")
    for exporter in (packaged, tool("blackbox_exporter")):
        run(exporter, f"--config.file={tmp_path / 'blackbox.yml'}", "--config.check")
    used = {
        module
        for each in prometheus_config(catalogue(tmp_path, GATEWAY))["scrape_configs"]
        for module in each.get("params", {}).get("module", [])
    }
    assert used == {"http_2xx", "tcp_connect"}
    assert used <= set(yaml.safe_load(text)["modules"])


@pytest.mark.parametrize(
    "monitoring",
    [
        'targets: {api: ["u:hunter2@api:3000"]}',
        'delivery: {router: "http://u:hunter2@router/"}',
        'delivery: {heartbeat: "https://u:hunter2@beats.example.com/"}',
        'delivery: {smarthost: "u:hunter2@mail:25"}',
        'grafana: "https://u:hunter2@grafana.example.com"',
    ],
)
@pytest.mark.parametrize("form", ["files", "kubernetes", "ruler"])
def test_a_password_is_refused_and_not_repeated(monitoring: str, form: str, tmp_path: Path) -> None:
    loaded = catalogue(tmp_path, f"name: s\nservices: [{{name: api, slos: {UP}}}]\nmonitoring: {{{monitoring}}}\n")
    with pytest.raises(OutputError, match="holds a password") as told:
        outputs(loaded, AT, form=form)
    assert "hunter2" not in str(told.value)
    assert monitoring.partition(":")[0] in str(told.value)


def test_a_password_in_a_probes_address_is_refused(tmp_path: Path) -> None:
    loaded = catalogue(tmp_path, GATEWAY.replace("https://a.", "https://u:hunter2@a."))
    with pytest.raises(OutputError, match="shop/reached") as told:
        outputs(loaded, AT)
    assert "hunter2" not in str(told.value)


def test_where_there_is_a_pushgateway_its_labels_are_the_jobs_own(tmp_path: Path) -> None:
    """Batch jobs are told of by it; nothing is scraped that is only told of."""
    plain = prometheus_config(catalogue(tmp_path, PLAIN))
    assert {"pushgateway", "jobs"} & {label for _, label in written_jobs(plain)} == set()
    pushed = PLAIN.replace("15s", "15s, targets: {pushgateway: [push.example.com:9091]}")
    config = prometheus_config(catalogue(tmp_path, pushed))
    [scrape] = [each for each in config["scrape_configs"] if each["job_name"] == "pushgateway"]
    assert scrape["honor_labels"] is True
    assert scrape["static_configs"] == [{"targets": ["push.example.com:9091"]}]
