"""Dashboards and data sources as ConfigMaps, which Grafana's sidecar finds by their labels and brings to their folders.

The labels are those of the Grafana chart (``sidecar.dashboards.label``, ``sidecar.datasources.label``); the annotation
is read where its ``sidecar.dashboards.folderAnnotation`` is ``grafana_folder``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import dashboards_of
from sla_kit.generate.dashboards import Document, datasources, documents, reads_logs
from sla_kit.generate.files import Output, OutputError
from sla_kit.generate.kubernetes import LARGEST, Manifest, Names, kubernetes_name, manifest_of
from sla_kit.generate.rules_yaml import scalar

_HEAD = "# Written by sla-kit from the catalogue; change that, and generate again.\n"
#: What one ConfigMap may hold, and a little less: Kubernetes takes 1 MiB.
_MOST = 1_000_000
#: What a literal block of YAML can't hold as it is, and JSON can say in another way.
_ESCAPED = re.compile("[\x7f-\xa0\u2028\u2029\ufeff\ufffe\uffff\ud800-\udfff]")


def config_maps(catalogue: Catalogue, names: Names) -> Iterator[Output]:
    """A ConfigMap a dashboard, and one with the data sources."""
    from sla_kit.generate.plan import yaml_text

    namespace = catalogue.monitoring.namespace
    for each in documents(catalogue):
        yield Output(names.path("dashboards", each.name, "the dashboard"), _dashboard(each, namespace))
    sources = datasources(catalogue, with_logs=reads_logs(dashboards_of(catalogue)), namespace=namespace)
    manifest = manifest_of("v1", "ConfigMap", "sla-kit-datasources", namespace)
    manifest["metadata"]["labels"]["grafana_datasource"] = "1"
    yield Output("datasources.yml", _HEAD + yaml_text(manifest | {"data": {"sla-kit.yml": yaml_text(sources)}}))


def _dashboard(made: Document, namespace: str) -> str:
    """The text of a dashboard's manifest: the JSON as its file has it, on one line where it is too large for the copy
    that ``kubectl apply`` keeps, and beyond that told to be applied by the server, which keeps none."""
    from sla_kit.generate.plan import yaml_text

    manifest = manifest_of("v1", "ConfigMap", f"sla-kit-dashboard-{made.name}", namespace)
    manifest["metadata"]["labels"]["grafana_dashboard"] = "1"
    manifest["metadata"]["annotations"] = {"grafana_folder": made.folder}
    text, head = made.text, _HEAD
    if _size(manifest, text) > LARGEST:
        text = json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True, ensure_ascii=False) + "\n"
    if _size(manifest, text) > LARGEST:
        head += "# Too large for what kubectl apply keeps of it: kubectl apply --server-side\n"
        manifest["metadata"]["annotations"]["argocd.argoproj.io/sync-options"] = "ServerSideApply=true"
    if len(text.encode()) > _MOST:
        raise OutputError(
            f"the dashboard {made.title!r} is larger than Kubernetes lets a ConfigMap be",
            remedy="split it, or bring it to Grafana by `sla-kit dashboards push`",
        )
    block = "".join(f"    {line}\n" for line in _ESCAPED.sub(_escape, text).splitlines())
    return f"{head}{yaml_text(manifest)}data:\n  {scalar(kubernetes_name(made.name) + '.json')}: |\n{block}"


def _size(manifest: Manifest, text: str) -> int:
    """How long the copy is that ``kubectl apply`` keeps in an annotation."""
    return len(json.dumps(manifest | {"data": {"dashboard.json": text}}, ensure_ascii=False).encode())


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"
