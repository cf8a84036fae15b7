"""Which exporter publishes which metric: one file an exporter, read by the rules, the dashboards and the tests.

A file names the exporter (``exporter``, the key that rules use; ``title``; the usual ``job``, ``port`` and ``path``),
the ``versions`` that were looked at and where (``source``), whether the tests start it (``tested``), ``labels`` that
all of its metrics may have, and its metrics by name: ``type``, ``labels``, and ``since``/``until``, the versions that
began or ceased to publish it.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import msgspec
import yaml

MetricType = Literal["gauge", "counter", "histogram", "summary", "info", "unknown"]
#: Labels that Prometheus itself adds to what it scrapes, or that relabelling does.
TARGET_LABELS = frozenset({"job", "instance"})


class Metric(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One metric, by the name it is published under (a histogram without ``_bucket``). ``unprovoked`` says why no test
    sees it on a running exporter that is ``tested``."""

    type: MetricType
    labels: list[str] = []
    since: str = ""
    until: str = ""
    unprovoked: str = ""
    note: str = ""


class Exporter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exporter and what it publishes."""

    exporter: str
    title: str
    job: str
    versions: list[str]
    source: str
    port: int = 0
    path: str = "/metrics"
    tested: bool = False
    labels: list[str] = []
    note: str = ""
    metrics: dict[str, Metric]

    def metric(self, name: str) -> Metric | None:
        """The metric behind the name of a series, whatever suffix its type gives it."""
        if name in self.metrics:
            return self.metrics[name]
        for suffix in ("_bucket", "_count", "_sum"):
            found = self.metrics.get(name.removesuffix(suffix)) if name.endswith(suffix) else None
            if found and found.type in ("histogram", "summary"):
                return found
        return None


@cache
def usual_jobs() -> dict[str, str]:
    """The usual job of every exporter by its key: read from what stands before the metrics, which are many and last."""
    found: dict[str, str] = {}
    for text in _texts():
        head = _content(text.partition("\nmetrics:")[0])
        found[head["exporter"]] = head["job"]
    return found


@cache
def exporters() -> dict[str, Exporter]:
    """Every exporter by its key, in the order of their keys."""
    return {each.exporter: each for each in map(read_exporter, _texts())}


def read_exporter(text: str) -> Exporter:
    """The exporter that the text of a file tells of. Raises `msgspec.ValidationError`, `yaml.YAMLError`."""
    return msgspec.convert(_content(text), Exporter)


def _texts() -> Iterator[str]:
    """The text of every file, in the order of their names."""
    for file in sorted(files(__name__).iterdir(), key=lambda file: file.name):
        if file.name.endswith(".yml"):
            yield file.read_text(encoding="utf-8")


def _content(text: str) -> Any:
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506  # it is a safe loader


@cache
def find(series: str) -> tuple[Exporter, Metric] | None:
    """Who publishes a series of that name, and as what; None where nobody in the inventory does."""
    for exporter in exporters().values():
        metric = exporter.metric(series)
        if metric is not None:
            return exporter, metric
    return None
