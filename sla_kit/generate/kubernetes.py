"""The same as manifests for prometheus-operator: rules, scrapes, probes, Alertmanager's routes, and what pods mount.

The kinds are those of monitoring.coreos.com (prometheus-operator.dev/docs/api-reference/api).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sla_kit.alert_rules.inventory import exporters
from sla_kit.catalogue.model import Catalogue
from sla_kit.generate.alertmanager import alertmanager_config
from sla_kit.generate.files import Output, OutputError
from sla_kit.generate.prometheus_config import (
    OF_KUBERNETES,
    blackbox_config,
    module_for,
    probed,
    scraped_jobs,
    server_of,
    servers,
)
from sla_kit.generate.rules_yaml import duration, rules_text
from sla_kit.generate.runbooks import runbooks
from sla_kit.rules import backfill
from sla_kit.rules.model import RuleFile, RuleGroup

Manifest = dict[str, Any]
_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again.\n"
#: What `kubectl apply` can keep of one object in its annotation (262,144 bytes), and a little less.
LARGEST = 200_000
#: What the operator writes of its own accord, or finds by role.
_NO_MONITORS = ("prometheus", "alertmanager", "blackbox", *OF_KUBERNETES)


def manifests(catalogue: Catalogue, at: float, parts: tuple[str, ...]) -> Iterator[Output]:
    """A file a manifest."""
    from sla_kit.generate.plan import rule_files, yaml_text

    files = rule_files(catalogue, at) if {"rules", "runbooks"} & set(parts) else ()
    namespace, names = catalogue.monitoring.namespace, Names()
    if "rules" in parts:
        for whole in files:
            for file in _parts(whole):
                path = names.path("rules", file.name, "the rules")
                yield Output(path, f"{_HEAD}{_head_of(catalogue, whole.name, file)}spec:\n{rules_text(file, '  ')}")
    if "config" in parts:
        for path, manifest in _config(catalogue, at, namespace, names):
            yield Output(path, _HEAD + yaml_text(manifest))
    if "runbooks" in parts:
        pages = {output.path.removeprefix("runbooks/"): output.text for output in runbooks(catalogue, files)}
        for number, data in enumerate(_split(pages), 1):
            manifest = manifest_of("v1", "ConfigMap", f"sla-kit-runbooks-{number}", namespace) | {"data": data}
            yield Output(f"runbooks-{number}.yml", _HEAD + yaml_text(manifest))
    if "backfill" in parts:
        yield from _backfill(catalogue, namespace)
    if "dashboards" in parts:
        from sla_kit.generate.kubernetes_dashboards import config_maps

        yield from config_maps(catalogue, names)


class Names:
    """Hands out paths, and refuses two things that Kubernetes would call by one name: it knows no upper case, and no
    sign but "-" and "."."""

    def __init__(self) -> None:
        self._given: dict[str, str] = {}

    def path(self, folder: str, text: str, what: str) -> str:
        """Where the manifest named after a text goes. Raises `OutputError` where another's is."""
        path = f"{folder}/{kubernetes_name(text)}.yml"
        mine = f"{what} {text!r}"
        other = self._given.setdefault(path, mine)
        if other != mine:
            raise OutputError(
                f"{other} and {mine} would both be called {kubernetes_name(text)!r} by Kubernetes",
                remedy="rename one of them (a source, a job, a dashboard) so that they differ in letters or digits",
            )
        return path


def _head_of(catalogue: Catalogue, whole: str, file: RuleFile) -> str:
    """What stands above the rules. Where there are several servers, a label tells by which they are to be selected."""
    from sla_kit.generate.plan import yaml_text

    version, name = "monitoring.coreos.com/v1", f"sla-kit-{file.name}"
    manifest = manifest_of(version, "PrometheusRule", name, catalogue.monitoring.namespace)
    if len(servers(catalogue)) > 1:
        server = server_of(catalogue, whole)
        manifest["metadata"]["labels"]["sla-kit/source"] = kubernetes_name(server)[:63].rstrip("-.") or "all"
    return yaml_text(manifest)


def _backfill(catalogue: Catalogue, namespace: str) -> Iterator[Output]:
    """The rules in as many ConfigMaps as they need, which the job sees as one folder."""
    from sla_kit.generate.plan import yaml_text

    filled = [replace(each, rules=part) for each in backfill.backfills(catalogue) for part in _parts(each.rules)]
    if not filled:
        return
    texts = {f"{each.rules.name}.yml": rules_text(each.rules) for each in filled}
    names = []
    for number, data in enumerate(_split({"backfill.sh": backfill.script(filled)} | texts), 1):
        names.append("sla-kit-backfill" if number == 1 else f"sla-kit-backfill-{number}")
        manifest = manifest_of("v1", "ConfigMap", names[-1], namespace) | {"data": data}
        yield Output(f"{names[-1].replace('sla-kit-backfill', 'backfill-rules')}.yml", _HEAD + yaml_text(manifest))
    yield Output("backfill-job.yml", _HEAD + yaml_text(backfill.job(names, namespace=namespace)))


def _config(catalogue: Catalogue, at: float, namespace: str, names: Names) -> Iterator[tuple[str, Manifest]]:
    from sla_kit.generate.plan import yaml_text

    interval = duration(catalogue.monitoring.scrape_interval)
    probes = probed(catalogue)
    paths: dict[str, dict[str, str]] = {}
    for job, key in scraped_jobs(catalogue):
        if key not in _NO_MONITORS:
            paths.setdefault(job, {}).setdefault(exporters()[key].path, key)
    for job, keys in paths.items():
        # A service is asked once for each path: exporters that share a job stand behind ports of the same name.
        endpoints: list[Manifest] = [
            {
                "port": "metrics",
                "interval": interval,
                "path": path,
                **({"honorLabels": True} if key == "pushgateway" else {}),
            }
            for path, key in keys.items()
        ]
        spec = {
            "jobLabel": "app.kubernetes.io/name",
            "namespaceSelector": {"any": True},
            "selector": {"matchLabels": {"app.kubernetes.io/name": job}},
            "endpoints": endpoints,
        }
        manifest = manifest_of("monitoring.coreos.com/v1", "ServiceMonitor", f"sla-kit-{job}", namespace)
        yield names.path("monitors", job, "the job"), manifest | {"spec": spec}
    for job, targets in probes.items():
        by_module: dict[str, list[str]] = {}
        for target in targets:
            by_module.setdefault(module_for(target), []).append(target)
        for module, chosen in by_module.items():
            manifest = manifest_of("monitoring.coreos.com/v1", "Probe", f"sla-kit-{job}-{module}", namespace)
            spec = {
                "jobName": job,
                "interval": interval,
                "module": module,
                "prober": {"url": (catalogue.monitoring.targets.get("blackbox") or ["blackbox-exporter:9115"])[0]},
                "targets": {"staticConfig": {"static": chosen}},
            }
            yield names.path("monitors", f"{job}-{module}", "the probes"), manifest | {"spec": spec}
    blackbox = {"data": {"blackbox.yml": yaml_text(blackbox_config())}}
    yield "blackbox.yml", manifest_of("v1", "ConfigMap", "sla-kit-blackbox", namespace) | blackbox
    yield "alertmanager.yml", _alertmanager(alertmanager_config(catalogue, at), namespace)


def _alertmanager(config: Mapping[str, Any], namespace: str) -> Manifest:
    """An AlertmanagerConfig: the same configuration by other names, secrets as keys of the secret
    ``sla-kit-alertmanager``. The operator holds it to alerts of its own namespace unless told otherwise
    (alertmanagerConfigMatcherStrategy: None)."""
    spec: Manifest = {
        "route": _route(config["route"]),
        "inhibitRules": [
            {
                "sourceMatch": [_matcher(text) for text in rule["source_matchers"]],
                "targetMatch": [_matcher(text) for text in rule["target_matchers"]],
                "equal": rule["equal"],
            }
            for rule in config["inhibit_rules"]
        ],
        "receivers": [_receiver(receiver, config.get("global", {})) for receiver in config["receivers"]],
    }
    if config.get("time_intervals"):
        spec["muteTimeIntervals"] = [
            {"name": each["name"], "timeIntervals": [_interval(one) for one in each["time_intervals"]]}
            for each in config["time_intervals"]
        ]
    return manifest_of("monitoring.coreos.com/v1alpha1", "AlertmanagerConfig", "sla-kit", namespace) | {"spec": spec}


def _route(route: Mapping[str, Any]) -> Manifest:
    names = {
        "receiver": "receiver",
        "group_by": "groupBy",
        "group_wait": "groupWait",
        "group_interval": "groupInterval",
        "repeat_interval": "repeatInterval",
        "mute_time_intervals": "muteTimeIntervals",
    }
    found: Manifest = {ours: route[theirs] for theirs, ours in names.items() if theirs in route}
    if "matchers" in route:
        found["matchers"] = [_matcher(text) for text in route["matchers"]]
    if "routes" in route:
        found["routes"] = [_route(child) for child in route["routes"]]
    return found


def _matcher(text: str) -> Manifest:
    parts = re.fullmatch(r'(\w+)(=~|!=|!~|=)"(.*)"', text, re.DOTALL)
    assert parts is not None, text
    value = parts[3].replace('\\"', '"').replace("\\\\", "\\")
    return {"name": parts[1], "matchType": parts[2], "value": value}


def _interval(one: Mapping[str, Any]) -> Manifest:
    names = (
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
    )
    months = dict(enumerate((*names, "december"), 1))
    found: Manifest = {}
    if "times" in one:
        found["times"] = [{"startTime": each["start_time"], "endTime": each["end_time"]} for each in one["times"]]
    if "days_of_month" in one:
        found["daysOfMonth"] = [{"start": int(day), "end": int(day)} for day in one["days_of_month"]]
    if "months" in one:
        found["months"] = [months[int(month)] for month in one["months"]]
    if "years" in one:
        found["years"] = list(one["years"])
    return found


def _receiver(receiver: Mapping[str, Any], settings: Mapping[str, Any]) -> Manifest:
    found: Manifest = {"name": receiver["name"]}
    if "webhook_configs" in receiver:
        found["webhookConfigs"] = [_webhook(each) for each in receiver["webhook_configs"]]
    if "slack_configs" in receiver:
        found["slackConfigs"] = [
            {
                "apiURL": _secret("slack-url"),
                "channel": each["channel"],
                "sendResolved": True,
                "title": each["title"],
                "text": each["text"],
            }
            for each in receiver["slack_configs"]
        ]
    if "pagerduty_configs" in receiver:
        found["pagerdutyConfigs"] = [
            {
                "routingKey": _secret(each["routing_key_file"].rpartition("/")[2]),
                "sendResolved": True,
                "description": each["description"],
                "severity": each["severity"],
                **({"pagerDutyLinkConfigs": _links(each["links"])} if "links" in each else {}),
            }
            for each in receiver["pagerduty_configs"]
        ]
    if "email_configs" in receiver:
        auth = (
            {"authUsername": settings["smtp_auth_username"], "authPassword": _secret("smtp-password")}
            if "smtp_auth_username" in settings
            else {}
        )
        found["emailConfigs"] = [
            {
                "to": each["to"],
                "from": settings["smtp_from"],
                "smarthost": settings["smtp_smarthost"],
                "sendResolved": True,
                "headers": [{"key": key, "value": value} for key, value in each["headers"].items()],
                **auth,
            }
            for each in receiver["email_configs"]
        ]
    return found


def _links(links: Sequence[Mapping[str, str]]) -> list[Manifest]:
    return [{"href": each["href"], "alt": each["text"]} for each in links]


def _webhook(webhook: Mapping[str, Any]) -> Manifest:
    found: Manifest = {"sendResolved": webhook["send_resolved"]}
    found["url"] = webhook["url"]
    if "http_config" in webhook:
        path = webhook["http_config"]["authorization"]["credentials_file"]
        found["httpConfig"] = {"authorization": {"credentials": _secret(path.rpartition("/")[2])}}
    return found


def _secret(key: str) -> Manifest:
    """Where a secret is kept: its file's name as a key that a secret can have."""
    return {"name": "sla-kit-alertmanager", "key": re.sub(r"[^-._a-zA-Z0-9]", "-", key)}


def manifest_of(version: str, kind: str, name: str, namespace: str) -> Manifest:
    """The beginning of a manifest."""
    metadata = {
        "name": kubernetes_name(name),
        "namespace": namespace,
        "labels": {"app.kubernetes.io/managed-by": "sla-kit"},
    }
    return {"apiVersion": version, "kind": kind, "metadata": metadata}


def kubernetes_name(text: str) -> str:
    """A name that Kubernetes takes: lower case, digits, "-" and ".", at most 253."""
    return re.sub(r"-*\.[.-]*", ".", re.sub(r"[^a-z0-9.-]+", "-", text.lower())).strip("-.")[:253].rstrip("-.")


def _parts(file: RuleFile) -> Iterator[RuleFile]:
    """A file of rules in as few parts as a manifest can hold; the first one keeps the name."""
    parts: list[list[RuleGroup]] = [[]]
    size = 0
    for group in file.groups:
        length = len(rules_text(replace(file, groups=(group,)), "  ").encode())
        if parts[-1] and size + length > LARGEST:
            parts.append([])
            size = 0
        parts[-1].append(group)
        size += length
    for number, groups in enumerate(parts, 1):
        yield replace(file, name=file.name if number == 1 else f"{file.name}-{number}", groups=tuple(groups))


def _split(pages: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Pages in as few parts as a ConfigMap can hold."""
    part: dict[str, str] = {}
    size = 0
    for name, text in pages.items():
        length = len(text.encode()) + len(name)
        if part and size + length > LARGEST:
            yield part
            part, size = {}, 0
        part[name] = text
        size += length
    if part:
        yield part
