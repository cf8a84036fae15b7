"""Grafana's dashboards and its provisioning: a file a dashboard, the folder that each belongs to, the data sources.

The keys are Grafana's own: grafana.com/docs/grafana/latest/administration/provisioning.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.model import Dashboard
from sla_kit.errors import MissingExtraError
from sla_kit.generate.files import Output, OutputError
from sla_kit.generate.rules_yaml import duration

Config = dict[str, Any]
_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again.\n"
#: Where Grafana finds the files of ``dashboards/``, as its documentation has it.
MOUNTED = "/var/lib/grafana/dashboards"
#: What Grafana takes as a uid.
_UID = re.compile(r"[a-zA-Z0-9_-]{1,40}")


@dataclass(frozen=True, slots=True)
class Document:
    """A dashboard as Grafana reads it: its file's ``name``, ``uid``, ``title`` and ``folder``, and the JSON text."""

    name: str
    uid: str
    title: str
    folder: str
    text: str


def documents(catalogue: Catalogue) -> tuple[Document, ...]:
    """Every dashboard of a catalogue. Raises `MissingExtraError` without the library that renders them, `OutputError`
    where two would be one to Grafana."""
    dashboards = dashboards_of(catalogue)
    try:
        from sla_kit.dashboards.rendering import Rendering, uid_of
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "grafanalib":
            raise
        raise MissingExtraError("generating dashboards", "grafanalib", "dashboards") from error
    rendering = Rendering.of(catalogue)
    found = [
        Document(_file_name(each.name), uid_of(each), each.title, each.folder, rendering.text(each))
        for each in dashboards
    ]
    _check(found)
    return tuple(found)


def _file_name(name: str) -> str:
    """A name as any file system takes it: the overview's holds what people call their catalogue."""
    return re.sub(r"[^a-zA-Z0-9._-]+", "-", name).strip("-.") or "dashboard"


def files(catalogue: Catalogue) -> list[Output]:
    """The dashboards and the provisioning for a Grafana that reads files."""
    from sla_kit.generate.plan import yaml_text

    made = documents(catalogue)
    found = [Output(f"dashboards/{each.name}.json", each.text) for each in made]
    found.append(Output("provisioning/dashboards/sla-kit.yml", _HEAD + yaml_text(providers(made))))
    sources = datasources(catalogue, with_logs=reads_logs(dashboards_of(catalogue)))
    found.append(Output("provisioning/datasources/sla-kit.yml", _HEAD + yaml_text(sources)))
    return found


def providers(made: Sequence[Document]) -> Config:
    """Who brings each file to its folder. A provider knows one folder, and its path may be a single file: so there is
    one a dashboard, and the files need no folders of their own. What is no more generated is deleted from Grafana."""
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": f"sla-kit-{each.name}",
                "orgId": 1,
                "folder": each.folder,
                "folderUid": folder_uid(each.folder),
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "updateIntervalSeconds": 30,
                "options": {"path": f"{MOUNTED}/{each.name}.json"},
            }
            for each in made
        ],
    }


def folder_uid(title: str) -> str:
    """What Grafana knows a folder by, whatever it is called there."""
    return f"sla-kit-{re.sub(r'[^a-z0-9]+', '-', title.lower()).strip('-')}"[:40]


def reads_logs(dashboards: Sequence[Dashboard]) -> bool:
    """Whether any of them asks Elasticsearch."""
    return any(each.reads_logs for each in dashboards)


def datasources(catalogue: Catalogue, *, with_logs: bool, namespace: str = "") -> Config:
    """A Prometheus for each of the catalogue's sources, or one, and the Elasticsearch of the logs. Inside Kubernetes,
    where a ``namespace`` is given, services have its name in theirs."""
    found = list(_prometheus(catalogue, namespace))
    if with_logs:
        targets = catalogue.monitoring.targets.get("logs")
        inside = f"elasticsearch.{namespace}.svc:9200" if namespace else "elasticsearch:9200"
        found.append(
            {
                "name": "Logs",
                "uid": "sla-kit-logs",
                "type": "elasticsearch",
                "access": "proxy",
                "url": _url((targets or [inside])[0]),
                "editable": False,
                "jsonData": {
                    "index": "logs-*",
                    "timeField": "@timestamp",
                    "logMessageField": "message",
                    "logLevelField": "log.level",
                },
            }
        )
    return {"apiVersion": 1, "datasources": found}


def _prometheus(catalogue: Catalogue, namespace: str) -> list[Config]:
    inside = f"prometheus-operated.{namespace}.svc:9090" if namespace else "prometheus:9090"
    usual = (catalogue.monitoring.targets.get("prometheus") or [inside])[0]
    servers = [(each.name, each.url or usual, each.tenant) for each in catalogue.sources if not each.holds_logs]
    servers = servers or [("", usual, catalogue.monitoring.tenant)]
    found = []
    for number, (name, address, tenant) in enumerate(servers):
        source: Config = {
            "name": f"Prometheus {name}".rstrip(),
            "uid": f"sla-kit-prometheus-{name}".rstrip("-")[:40],
            "type": "prometheus",
            "access": "proxy",
            "url": _url(address),
            "isDefault": number == 0,
            "editable": False,
            "jsonData": {"httpMethod": "POST", "timeInterval": duration(catalogue.monitoring.scrape_interval)},
        }
        if tenant:  # the header's name is here, and Grafana takes its value among the secrets only
            source["jsonData"]["httpHeaderName1"] = "X-Scope-OrgID"
            source["secureJsonData"] = {"httpHeaderValue1": _literal(tenant)}
        found.append(source)
    return found


def _url(address: str) -> str:
    """An address with its scheme. Grafana's provisioning puts variables in where it reads "$"."""
    return _literal(address if "://" in address else f"http://{address}")


def _literal(text: str) -> str:
    return text.replace("$", "$$")


def _check(made: Sequence[Document]) -> None:
    """Refuses dashboards that would be the same file, or the same dashboard, or none that Grafana takes."""
    for what in ("name", "uid"):
        seen: dict[str, Document] = {}
        for each in made:
            # A file system, or Kubernetes, may not tell upper from lower case.
            value = getattr(each, what).lower()
            if value in seen:
                raise OutputError(
                    f"the dashboards {seen[value].title!r} and {each.title!r} have the same {what}, "
                    f"{getattr(each, what)!r}",
                    remedy=f"give one of them another {what}",
                )
            seen[value] = each
    for each in made:
        if not _UID.fullmatch(each.uid):
            raise OutputError(
                f"Grafana takes no uid {each.uid!r}, that of the dashboard {each.title!r}",
                remedy="give it one of at most 40 letters, digits, - and _",
            )
