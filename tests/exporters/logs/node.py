"""Documents in a real Elasticsearch, and the exporter's collectors on it."""

from __future__ import annotations

import json
import time
import urllib.request
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sla_kit.exporters.logs import EXPORTER
from sla_kit.exporters.logs.counting import CountingCollector
from sla_kit.exporters.logs.error_groups import GroupsCollector
from sla_kit.exporters.logs.late import LateCollector
from sla_kit.exporters.logs.shipping import ShippingCollector
from sla_kit.exporters.logs.volume import VolumeCollector
from sla_kit.exporters.sidecar.collector import Collector

Document = dict[str, Any]
Kind = TypeVar("Kind", CountingCollector, LateCollector, GroupsCollector, ShippingCollector, VolumeCollector)
PATIENCE_SECONDS = 120.0
_KEYWORD = {"type": "keyword"}
MAPPING = {
    "dynamic": False,
    "properties": {
        "@timestamp": {"type": "date"},
        "event": {"properties": {"ingested": {"type": "date"}}},
        "service": {"properties": {"name": _KEYWORD}},
        "log": {"properties": {"level": _KEYWORD}},
        "error": {"properties": {"type": _KEYWORD, "grouping_key": _KEYWORD, "grouping_name": _KEYWORD}},
        "http": {"properties": {"response": {"properties": {"status_code": {"type": "long"}}}}},
    },
}


def send(url: str, method: str, path: str, body: Any = None, *, lines: bool = False) -> Any:
    """One request, which must go well."""
    content = "".join(json.dumps(each) + "\n" for each in body) if lines else json.dumps(body)
    kind = "application/x-ndjson" if lines else "application/json"
    data = None if body is None else content.encode()
    request = urllib.request.Request(url + path, data=data, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        return json.load(answer)


def create(url: str, index: str, mapping: Mapping[str, Any] = MAPPING, *, part: str = "a") -> str:
    """Makes an index of two shards, one of those that are read as ``index``; its name."""
    name = f"{index}-{part}"
    settings = {"number_of_shards": 2, "number_of_replicas": 0}
    send(url, "PUT", f"/{name}", {"settings": settings, "mappings": mapping})
    return name


def write(url: str, index: str, documents: Iterable[Document], *, part: str = "a") -> None:
    """Indexes documents, which can be found after that."""
    body: list[Document] = []
    for each in documents:
        body += [{"create": {}}, each]
    if body:
        assert not send(url, "POST", f"/{index}-{part}/_bulk?refresh=true", body, lines=True)["errors"]


def document(
    at: float,
    service: str = "api",
    *,
    ingested: float | None = None,
    level: str = "",
    type: str = "",
    group: str = "",
    name: str = "",
    status: int = 0,
) -> Document:
    """A document that was written ``at`` (Unix time); what is empty is not in it."""
    found: Document = {"@timestamp": round(at * 1000)}
    if service:
        found["service"] = {"name": service}
    if ingested is not None:
        found["event"] = {"ingested": round(ingested * 1000)}
    if level:
        found["log"] = {"level": level}
    error = {"type": type, "grouping_key": group, "grouping_name": name}
    if any(error.values()):
        found["error"] = {key: value for key, value in error.items() if value}
    if status:
        found["http"] = {"response": {"status_code": status}}
    return found


def is_error(each: Document) -> bool:
    """What counts as an error where nothing else is said."""
    level = str(each.get("log", {}).get("level", "")).lower()
    status = each.get("http", {}).get("response", {}).get("status_code", 0)
    bad = level in ("error", "critical", "fatal", "alert", "emergency")
    return bad or bool(each.get("error", {}).get("type")) or status >= 500


def counted(documents: Iterable[Document]) -> tuple[Counter[tuple[str, ...]], Counter[tuple[str, ...]]]:
    """How many there are by service and level, and errors by service and type: counted by hand."""
    written, errors = Counter[tuple[str, ...]](), Counter[tuple[str, ...]]()
    for each in documents:
        service = each.get("service", {}).get("name") or "unknown"
        written[service, str(each.get("log", {}).get("level") or "unknown").lower()] += 1
        if is_error(each):
            errors[service, each.get("error", {}).get("type") or "unknown"] += 1
    return written, errors


def configured(folder: Path, url: str, index: str, more: str = "") -> Path:
    """A configuration of the exporter, with a state file beside it."""
    path = folder / "logs.yml"
    path.write_text(f'state: logs.db\ncluster: {{url: "{url}"}}\nindex: "{index}-*"\n{more}')
    return path


def collector(path: Path, kind: type[Kind], clock: float | None = None) -> Kind:
    """The collector of a kind, as an exporter that begins anew has it, by a clock that stands still where one is
    given."""
    [found] = [each for each in EXPORTER.load(path).collectors if isinstance(each, kind)]
    if clock is not None:
        object.__setattr__(found, "clock", lambda: clock)
    return found


def collected(by: Collector) -> dict[str, dict[tuple[str, ...], float]]:
    """What a collection brings, by sample's name and labels' values; the collector is closed then."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in by.collect(time.monotonic() + PATIENCE_SECONDS):
        values = found.setdefault(family.name + ("_total" if family.type == "counter" else ""), {})
        for sample in family.samples:
            values[tuple(sample.labels.values())] = sample.value
    by.close()
    return found
