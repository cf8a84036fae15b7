"""What OpenSLO documents mean, in one form, so that two files can be compared.

The differences that this leaves out, and nothing else:

- what stands in place or by itself; the order of documents and keys; empty values; a list of one label
- defaults written out or not: alertAfter 0m, compositeWeight 1, counter false, kind burnrate, 30 days, Occurrences
- targetPercent or target; durations in whatever unit; a bare number of minutes
- op beside a ratio, weights and time slices where they mean nothing
- where the windows of a calendar begin, if the calendar's own begin there
- names that are mended, and -2 behind one that is then there twice
- a Service for each service that is named; a second Service of the same name
- secrets in connection details, and whether these are a list of mappings
- PromQL in other words: counts of events by what is counted (that this is the same is test_promql_meaning's to show)
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec
import promql_parser
import yaml

from sla_kit.interchange.promql_shape import of_events, of_ratio

_SECONDS = {"m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 30 * 86400, "Q": 90 * 86400, "Y": 365 * 86400}
_SECRET = re.compile(r"key|token|secret|passw", re.IGNORECASE)


def meaning(text: str) -> dict[tuple[str, str], Any]:
    """Every object of some YAML by kind and name."""
    found: dict[tuple[str, str], Any] = {}
    documents = [
        item for root in yaml.load_all(text, yaml.BaseLoader) for item in (root if isinstance(root, list) else [root])
    ]
    types = {
        item["metadata"]["name"]: item["spec"]["type"] for item in documents if item and item["kind"] == "DataSource"
    }
    for document in documents:
        if document:
            _put(found, types, document["kind"], document)
    for (kind, _), spec in list(found.items()):
        if kind == "SLO":
            found.setdefault(("Service", spec["service"]), {})
    return found


def _name(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", text)


def _put(found: dict[tuple[str, str], Any], types: dict[str, str], kind: str, thing: dict[str, Any]) -> str:
    metadata, spec = thing["metadata"], dict(thing.get("spec") or {})
    name = _name(metadata["name"])
    if name != metadata["name"] and (kind, name) in found:
        name += "-2"
    said: dict[str, Any] = {key: metadata[key] for key in ("displayName", "annotations") if metadata.get(key)}
    labels = metadata.get("labels") or {}
    if labels:
        said["labels"] = {k: v[0] if isinstance(v, list) and len(v) == 1 else v for k, v in labels.items()}

    def other(kind: str, item: dict[str, Any], key: str) -> str:
        return _name(item[key]) if key in item else _put(found, types, kind, item)

    if spec.get("description"):
        said["description"] = spec["description"]
    match kind:
        case "DataSource":
            details = spec.get("connectionDetails") or {}
            items = details if isinstance(details, list) else [details]
            merged = {k: v for item in items for k, v in item.items() if not _SECRET.search(k)}
            said |= {"type": spec["type"], "connection": merged}
        case "AlertNotificationTarget":
            said["target"] = spec["target"]
        case "AlertCondition":
            condition = spec["condition"]
            said |= {
                "severity": spec["severity"],
                "op": condition["op"],
                "threshold": float(condition["threshold"]),
                "over": _seconds(condition["lookbackWindow"]),
                "after": _seconds(condition.get("alertAfter", "0m")),
            }
        case "AlertPolicy":
            said["tell"] = [key for key in sorted(spec) if key.startswith("alertWhen") and spec[key] == "true"]
            said["conditions"] = [other("AlertCondition", item, "conditionRef") for item in spec["conditions"]]
            targets = spec.get("notificationTargets") or []
            said["targets"] = [other("AlertNotificationTarget", item, "targetRef") for item in targets]
        case "SLI":
            said |= _metric(spec, types)
        case "SLO":
            said["service"] = _name(spec["service"])
            said["window"] = _window(spec.get("timeWindow"))
            method = spec.get("budgetingMethod") or "Occurrences"
            said["method"] = method
            said["alerts"] = [other("AlertPolicy", item, "alertPolicyRef") for item in spec.get("alertPolicies") or []]
            shared = None
            if "indicator" in spec or "indicatorRef" in spec:
                shared = (
                    _name(spec["indicatorRef"])
                    if "indicatorRef" in spec
                    else _put(found, types, "SLI", spec["indicator"])
                )
            objectives = []
            for item in spec["objectives"]:
                own = shared
                if shared is None:
                    own = (
                        _name(item["indicatorRef"])
                        if "indicatorRef" in item
                        else _put(found, types, "SLI", item["indicator"])
                    )
                objectives.append(_objective(item, own or "", method, shared is None))
            said["objectives"] = objectives
    if kind != "Service" or (kind, name) not in found:
        assert found.setdefault((kind, name), said) == said, f"two different {kind} {name}"
    return name


def _objective(item: dict[str, Any], sli: str, method: str, composite: bool) -> dict[str, Any]:
    target = float(item["target"]) if "target" in item else round(float(item["targetPercent"]) / 100, 12)
    said: dict[str, Any] = {"sli": sli, "target": round(target, 12), "title": item.get("displayName", "")}
    if "value" in item:
        said |= {"op": item["op"], "value": float(item["value"])}
    if method == "Timeslices":
        said["slice_target"] = float(item["timeSliceTarget"])
    if method != "Occurrences":
        said["slice"] = _seconds(item["timeSliceWindow"])
    if composite and method != "Timeslices":
        said["weight"] = float(item.get("compositeWeight", 1))
    return said


def _seconds(text: str) -> float:
    return float(text) * 60 if text.isdigit() else int(text[:-1]) * _SECONDS[text[-1]]


def _window(windows: Any) -> Any:
    if not windows:
        return 30 * 86400
    [window] = windows
    calendar = window.get("calendar")
    if not calendar:
        return _seconds(window["duration"])
    start, zone = calendar["startTime"], calendar["timeZone"]
    begun = datetime.fromisoformat(start)
    first = begun.day == 1
    natural = {
        "d": True,
        "w": begun.weekday() == 0,
        "M": first,
        "Q": first and begun.month in (1, 4, 7, 10),
        "Y": first and begun.month == 1,
    }
    if window["duration"][:-1] == "1" and natural.get(window["duration"][-1]) and start.endswith("00:00:00"):
        return window["duration"], zone
    if window["duration"][-1] in "MQY":
        return window["duration"], start, zone
    return _seconds(window["duration"]), start, zone


def _metric(spec: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    metric = spec.get("thresholdMetric") or spec["ratioMetric"]
    roles = {"value": metric} if "thresholdMetric" in spec else {k: v for k, v in metric.items() if isinstance(v, dict)}
    sources = {role: each["metricSource"] for role, each in roles.items()}
    said: dict[str, Any] = {}
    for role, source in sources.items():
        kind = source.get("type") or types[source["metricSourceRef"]]
        said[f"source of {role}"] = (kind.lower(), _name(source.get("metricSourceRef", "")))
    prometheus = all(kind == "prometheus" for kind, _ in said.values())
    if not prometheus:
        said |= {role: source["spec"] for role, source in sources.items()}
        said["counter"] = metric.get("counter", "false") == "true"
        said["raw"] = metric.get("rawType", "")
        return said
    texts = {role: source["spec"]["query"] for role, source in sources.items()}
    source = next(iter(said.values()))
    if "value" in texts:
        return {"source": source, "value": promql_parser.parse(texts["value"]).prettify()}
    if "raw" in texts:
        shaped = of_ratio(texts["raw"], good=metric["rawType"] == "success")
    else:
        shaped = of_events(
            texts["total"],
            good=texts.get("good", ""),
            bad=texts.get("bad", ""),
            counter=metric.get("counter") == "true",
        )
    return {"source": source, "counted": msgspec.to_builtins(shaped.sli)}
