"""prometheus.yml and blackbox.yml: a job for every exporter that a rule reads, probes for every probed promise.

The keys are Prometheus's own: prometheus.io/docs/prometheus/latest/configuration/configuration, and the blackbox
exporter's CONFIGURATION.md.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

from sla_kit import alert_rules
from sla_kit.alert_rules.inventory import Exporter, exporters, find
from sla_kit.alert_rules.settings import job_names
from sla_kit.catalogue.model import Catalogue, Probe, Service, Slo
from sla_kit.generate.rules_yaml import duration
from sla_kit.rules.published import read_from_exporter

Config = dict[str, Any]
#: Those of Kubernetes itself, which are found by their role and not by a service of that name.
OF_KUBERNETES = ("kubelet", "cadvisor", "kube_apiserver")
_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  # where it is, not what it is
_CA = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"


def servers(catalogue: Catalogue) -> tuple[str, ...]:
    """The sources that each need a Prometheus of their own: those that an SLO is measured by, and the first one, which
    also has the alerts of the stack. None of them has a name where there is only one."""
    used = {catalogue.source(service, slo) for service, slo in catalogue.slos()}
    of_metrics = [each.name for each in catalogue.sources if not each.holds_logs]
    names = [name for number, name in enumerate(of_metrics) if number == 0 or name in used]
    return tuple(names) if len(names) > 1 else ("",)


def server_of(catalogue: Catalogue, rule_file: str) -> str:
    """Which of the `servers` evaluates a rule file; "" means each of them: all ask what the calendar says."""
    first, *others = servers(catalogue)
    for name in others:
        if rule_file in (f"slo-{name}", f"slo-recordings-{name}"):
            return name
    return "" if rule_file == "calendar" else first


def prometheus_config(catalogue: Catalogue, server: str = "", rule_files: Sequence[str] = ("*",)) -> Config:
    """The configuration of a Prometheus that scrapes what the rules read and evaluates them: of the whole catalogue, or
    of one of its `servers`, whose rules are in ``rule_files``. On a server that does not hold their series they would
    say that these are gone."""
    monitoring = catalogue.monitoring
    labels = ({"environment": catalogue.environment} if catalogue.environment else {}) | dict(
        monitoring.external_labels
    )
    managers = monitoring.targets.get("alertmanager", ["alertmanager:9093"])
    return {
        "global": {
            "scrape_interval": duration(monitoring.scrape_interval),
            "scrape_timeout": duration(min(10.0, monitoring.scrape_interval)),
            "evaluation_interval": duration(monitoring.evaluation_interval),
            **({"external_labels": labels} if labels else {}),
        },
        "rule_files": [f"rules/{name}.yml" for name in rule_files],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": list(managers)}]}]},
        "scrape_configs": list(_scrapes(catalogue, server)),
    }


def used_exporters(catalogue: Catalogue, server: str = "") -> dict[str, tuple[str, ...]]:
    """The exporters that an alert which is on reads, by their keys, with the jobs that are read."""
    found: dict[str, dict[str, None]] = {}
    of_the_stack = server in ("", servers(catalogue)[0])
    for each in alert_rules.resolved(catalogue) if of_the_stack else ():
        named = re.findall(r"\$\{?(\w+)", each.alert.expression)
        for key in dict.fromkeys([each.alert.exporter, *named]):
            if key in exporters():
                found.setdefault(key, {}).update(dict.fromkeys(each.settings.scope.jobs[key]))
    # Where there is a Pushgateway the metrics of jobs come from it, though no alert reads its own.
    known = {*catalogue.monitoring.jobs, *catalogue.monitoring.targets}
    always = ["prometheus", "alertmanager", *(["pushgateway"] if "pushgateway" in known else [])]
    if read_from_exporter(catalogue) and catalogue.monitoring.areas.get("slo", True):
        always.append("slo_exporter")
    for key in always if of_the_stack else ("prometheus",):
        if key in exporters():
            jobs = job_names(catalogue.monitoring.jobs.get(key, exporters()[key].job))
            found.setdefault(key, {}).update(dict.fromkeys(jobs))
    return {key: tuple(jobs) for key, jobs in sorted(found.items())}


def promised_jobs(catalogue: Catalogue, server: str = "") -> dict[str, str]:
    """The jobs that promises name, with the exporter whose metric is read there: an application's where no other
    publishes it. Those of probes, which have targets of their own, are left out."""
    found: dict[str, str] = {}
    for service, slo in _slos(catalogue, server):
        sli = catalogue.sli(service, slo)
        metric, named = getattr(sli, "metric", ""), getattr(sli, "matchers", {}).get("job", "")
        if metric.startswith("probe_"):
            continue
        publisher = find(metric)
        key = publisher[0].exporter if publisher else "application"
        for job in [named] if isinstance(named, str) else named:
            if job and not job.startswith(("=~", "!")):
                found.setdefault(job, key)
    return found


def probed(catalogue: Catalogue, server: str = "") -> dict[str, tuple[str, ...]]:
    """What the catalogue's probes ask for, by the job that its promises name."""
    found: dict[str, dict[str, None]] = {}
    for service, slo in _slos(catalogue, server):
        sli = catalogue.sli(service, slo)
        if not isinstance(sli, Probe) or sli.metric != "probe_success":
            continue
        job, targets = sli.matchers.get("job", "blackbox"), sli.matchers.get("instance", "")
        for target in [targets] if isinstance(targets, str) else targets:
            if isinstance(job, str) and target and not target.startswith(("=~", "!")):
                found.setdefault(job, {})[target] = None
    return {job: tuple(targets) for job, targets in found.items()}


def blackbox_config() -> Config:
    """The modules that the probes use."""
    return {
        "modules": {
            "http_2xx": {
                "prober": "http",
                "timeout": "5s",
                "http": {"preferred_ip_protocol": "ip4", "valid_http_versions": ["HTTP/1.1", "HTTP/2.0"]},
            },
            "tcp_connect": {"prober": "tcp", "timeout": "5s", "tcp": {"preferred_ip_protocol": "ip4"}},
            "tls_connect": {"prober": "tcp", "timeout": "5s", "tcp": {"preferred_ip_protocol": "ip4", "tls": True}},
            "icmp": {"prober": "icmp", "timeout": "5s", "icmp": {"preferred_ip_protocol": "ip4"}},
        }
    }


def module_for(target: str) -> str:
    """The blackbox module that can probe a target: by its scheme, or a port without one."""
    scheme = urlsplit(target).scheme if "://" in target else ""
    if scheme in ("http", "https"):
        return "http_2xx"
    return "tcp_connect" if re.search(r":\d+$", target) else "icmp"


def scraped_jobs(catalogue: Catalogue, server: str = "") -> list[tuple[str, str]]:
    """Each job beside those of probes, with the key of the exporter that is behind it. Several exporters may share a
    job's name: each is scraped for itself."""
    probes = probed(catalogue, server)
    found = [(job, key) for key, jobs in used_exporters(catalogue, server).items() for job in jobs]
    have = {job for job, _ in found} | set(probes)
    found += [(job, key) for job, key in promised_jobs(catalogue, server).items() if job not in have]
    # The calendar is recorded by rules and jobs are told of by others; probes are read in the job of that name.
    unscraped = ("calendar", "jobs")
    return [(job, key) for job, key in found if key not in unscraped and not (key == "blackbox" and job in probes)]


def _slos(catalogue: Catalogue, server: str) -> Iterator[tuple[Service, Slo]]:
    """The SLOs that a server measures, or all."""
    return (pair for pair in catalogue.slos() if not server or catalogue.source(*pair) == server)


def _scrapes(catalogue: Catalogue, server: str) -> Iterator[Config]:
    """Every job under a name of its own; where it is another job's, its series get the ``job`` that rules read."""
    wanted = [
        (job, "probe", config)
        for job, targets in probed(catalogue, server).items()
        for config in _probes(catalogue, job, targets)
    ]
    wanted += [(job, key, _job(catalogue, exporters()[key], job)) for job, key in scraped_jobs(catalogue, server)]
    taken: dict[str, None] = {}
    reserved = {job for job, _, _ in wanted}
    written: list[tuple[str, Config]] = []
    for job, key, config in wanted:
        if (job, config) in written:  # the same endpoints, which answer for both
            continue
        written.append((job, config))
        name, number = job, 1
        while name in taken or (name != job and name in reserved):
            name, number = f"{job}-{key}{'' if number == 1 else f'-{number}'}", number + 1
        taken[name] = None
        back = {"relabel_configs": [*config.get("relabel_configs", []), {"target_label": "job", "replacement": job}]}
        yield {"job_name": name} | config | (back if name != job else {})


def _job(catalogue: Catalogue, exporter: Exporter, job: str) -> Config:
    targets = catalogue.monitoring.targets.get(job) or catalogue.monitoring.targets.get(exporter.exporter)
    config: Config = {}
    if exporter.path != "/metrics" and exporter.exporter != "blackbox":
        config["metrics_path"] = exporter.path
    if exporter.exporter == "pushgateway":
        config["honor_labels"] = True
    if exporter.exporter == "router":
        config |= _of_the_router(catalogue)
    if targets:
        return config | {"static_configs": [{"targets": list(targets)}]}
    if exporter.exporter == "prometheus":
        return config | {"static_configs": [{"targets": [f"localhost:{exporter.port}"]}]}
    if catalogue.monitoring.discovery == "static":
        secure = {"scheme": "https"} if exporter.exporter in OF_KUBERNETES else {}
        return config | secure | {"static_configs": [{"targets": [f"{job}:{exporter.port}"]}]}
    if exporter.exporter in OF_KUBERNETES:
        return _of_kubernetes(exporter.exporter)
    return config | {
        "kubernetes_sd_configs": [{"role": "endpoints"}],
        "relabel_configs": [
            {
                "source_labels": ["__meta_kubernetes_service_label_app_kubernetes_io_name"],
                "regex": re.escape(job).replace("\\-", "-"),
                "action": "keep",
            },
            {"source_labels": ["__meta_kubernetes_endpoint_port_name"], "regex": ".*metrics.*", "action": "keep"},
            *_pod_labels(),
        ],
    }


def _of_the_router(catalogue: Catalogue) -> Config:
    """As Alertmanager reaches it: with the same token, in a file of the same name."""
    delivery = catalogue.monitoring.delivery
    if delivery.through != "router":
        return {}
    secure: Config = {"scheme": "https"} if delivery.router.startswith("https://") else {}
    if not delivery.token:
        return secure
    return secure | {"authorization": {"credentials_file": f"{delivery.secrets.rstrip('/')}/{delivery.token}"}}


def _of_kubernetes(key: str) -> Config:
    secure = {
        "scheme": "https",
        "authorization": {"credentials_file": _TOKEN},
        "tls_config": {"ca_file": _CA},
    }
    if key == "kube_apiserver":
        return {
            **secure,
            "kubernetes_sd_configs": [{"role": "endpoints"}],
            "relabel_configs": [
                {
                    "source_labels": [
                        "__meta_kubernetes_namespace",
                        "__meta_kubernetes_service_name",
                        "__meta_kubernetes_endpoint_port_name",
                    ],
                    "regex": "default;kubernetes;https",
                    "action": "keep",
                }
            ],
        }
    path = {"metrics_path": "/metrics/cadvisor"} if key == "cadvisor" else {}
    return {
        **path,
        **secure,
        "kubernetes_sd_configs": [{"role": "node"}],
        "relabel_configs": [{"source_labels": ["__meta_kubernetes_node_name"], "target_label": "node"}],
    }


def _pod_labels() -> list[Config]:
    return [
        {"source_labels": [f"__meta_kubernetes_{source}"], "target_label": target}
        for source, target in (("namespace", "namespace"), ("pod_name", "pod"))
    ]


def _probes(catalogue: Catalogue, job: str, targets: tuple[str, ...]) -> Iterator[Config]:
    """Probes, module by module: the target becomes the instance, and the exporter's address is where Prometheus
    goes."""
    by_module: dict[str, list[str]] = {}
    for target in targets:
        by_module.setdefault(module_for(target), []).append(target)
    monitoring = catalogue.monitoring
    address = (monitoring.targets.get(job) or monitoring.targets.get("blackbox") or ["blackbox-exporter:9115"])[0]
    for module, chosen in by_module.items():
        yield {
            "metrics_path": "/probe",
            "params": {"module": [module]},
            "static_configs": [{"targets": chosen}],
            "relabel_configs": [
                {"source_labels": ["__address__"], "target_label": "__param_target"},
                {"source_labels": ["__param_target"], "target_label": "instance"},
                {"target_label": "__address__", "replacement": address},
            ],
        }
