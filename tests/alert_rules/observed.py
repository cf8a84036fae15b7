"""What running exporters publish, to hold the inventory against.

`python -m tests.alert_rules.observed EXPORTER` starts them all and prints that one's metrics as an inventory has them.
"""

from __future__ import annotations

import re
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from tests.alert_rules.machine import Target, machine
from tests.alert_rules.provoking import read

#: What Go and its libraries tell of any program; the exporters' own metrics are the others.
_OF_ANY_PROGRAM = re.compile(r"(go|process|promhttp|net_conntrack)_|http_requests_|.*_settings_")
_SAMPLE = re.compile(r'(\w[\w:]*)(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})? ')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_PARTS = {"histogram": {"le"}, "summary": {"quantile"}}


@dataclass(slots=True)
class Published:
    """A metric of one version: its type, the labels that all of its series have and those that any has, and the values
    that were seen of each."""

    type: str
    every: set[str]
    any: set[str] = field(default_factory=set)
    values: dict[str, set[str]] = field(default_factory=dict)


def published(targets: Iterable[Target]) -> dict[str, Published]:
    """The metrics of targets that are one exporter's, by the names that an inventory calls them."""
    return told(read(url) for target in targets for url in dict.fromkeys((target.url, target.about)))


def told(texts: Iterable[str]) -> dict[str, Published]:
    """The metrics of expositions that are one exporter's, by the names that an inventory calls them."""
    found: dict[str, Published] = {}
    for text in dict.fromkeys(texts):
        for kind, name, values in samples(text):
            labels = set(values) - _PARTS.get(kind, set())
            metric = found.setdefault(name, Published(kind, set(labels)))
            metric.every &= labels
            metric.any |= labels
            for label in labels:
                metric.values.setdefault(label, set()).add(values[label])
    return found


def samples(text: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    """The type, the metric and the labels of each sample of an exposition.

    Not prometheus-client's parser: that calls every counter …_total, as OpenMetrics does and many exporters don't.
    """
    types: dict[str, str] = {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            types[name] = "unknown" if kind == "untyped" else kind
        elif line and not line.startswith("#"):
            found = _SAMPLE.match(line)
            assert found, line
            name = found[1]
            for suffix in ("_bucket", "_count", "_sum"):
                whole = name.removesuffix(suffix)
                if name.endswith(suffix) and types.get(whole) in _PARTS:
                    name = whole
            yield types.get(name, "unknown"), name, dict(_LABEL.findall(found[2] or ""))


def version_key(version: str) -> tuple[int, ...]:
    """What versions are compared by: their leading numbers."""
    leading = re.match(r"v?(\d+(?:\.\d+)*)", version)
    if leading is None:
        raise ValueError(f"{version!r} is no version")
    numbers = [int(number) for number in leading[1].split(".")]
    return tuple(numbers + [0] * (4 - len(numbers)))


def as_inventory(by_version: Mapping[str, Mapping[str, Published]]) -> str:
    """The metrics of each version as lines of an inventory file."""
    oldest, newest = (pick(by_version, key=version_key) for pick in (min, max))
    lines: list[str] = []
    for name in sorted(set().union(*by_version.values())):
        if _OF_ANY_PROGRAM.match(name):
            continue
        there = [metrics[name] for metrics in by_version.values() if name in metrics]
        entry: dict[str, object] = {"type": there[-1].type}
        labels = set.intersection(*(metric.every for metric in there))
        if labels:
            entry["labels"] = sorted(labels)
        if name not in by_version[oldest]:
            entry["since"] = newest
        if name not in by_version[newest]:
            entry["until"] = newest
        lines.append(f"  {name}: {yaml.safe_dump(entry, default_flow_style=True, width=1000, sort_keys=False).strip()}")
    return "\n".join(lines)


def main(exporter: str) -> None:
    """Prints the metrics of one exporter."""
    with tempfile.TemporaryDirectory() as scratch, machine(Path(scratch)) as started:
        targets = [target for target in started.targets if target.exporter == exporter]
        versions = {target.edition: target.version() for target in targets}
        print("# versions:", ", ".join(versions.values()))
        by_version = {
            version: published([target for target in targets if target.edition == edition])
            for edition, version in versions.items()
        }
        print(as_inventory(by_version))


if __name__ == "__main__":
    main(sys.argv[1])
