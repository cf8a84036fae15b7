"""Metrics as they are declared, and whether two declarations of one name go together."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.exporters.sidecar.configuration import check_label_name, check_metric_name

#: Endings that name a unit which is not the base one, or a number that is no share, and what to write instead.
_OTHER_UNITS = {
    **dict.fromkeys(("ms", "millis", "milliseconds", "us", "microseconds", "ns", "nanoseconds"), "seconds"),
    **dict.fromkeys(("minutes", "hours", "days", "weeks"), "seconds"),
    **dict.fromkeys(("bits", "kb", "mb", "gb", "kib", "mib", "gib", "kilobytes", "megabytes", "gigabytes"), "bytes"),
    **dict.fromkeys(("percent", "percentage", "pct"), "ratio"),
    "fahrenheit": "celsius",
    **dict.fromkeys(("kilometers", "millimeters", "centimeters"), "meters"),
    **dict.fromkeys(("kilograms", "milligrams"), "grams"),
}
#: What a type adds to its name in the names of its samples.
_SAMPLES = {
    "counter": ("_total", "_created"),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count", "_created"),
    "info": ("_info",),
}


@dataclass(frozen=True, slots=True)
class Declared:
    """One declaration of a metric: its name as it is published (``…_total``, ``…_info``), its type (counter, gauge,
    histogram, info), help and the names of its labels; ``fixed`` are labels of which it is known what they may be;
    ``path`` is where the name stands."""

    name: str
    type: str
    help: str
    labels: frozenset[str]
    path: Part = ()
    fixed: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The name without what its type adds to it."""
        for ending in ("_total",) * (self.type == "counter") + ("_info",) * (self.type == "info"):
            return self.name.removesuffix(ending)
        return self.name

    def apart(self, other: Declared) -> bool:
        """Whether no series of the one can be a series of the other."""
        return any(not values & other.fixed[label] for label, values in self.fixed.items() if label in other.fixed)


def check_declared(declared: Declared, findings: Findings) -> None:
    """Says what is wrong with one declaration: names that Prometheus's naming guide would have otherwise."""
    name, path = declared.name, declared.path
    check_metric_name(name, findings, path)
    if name.startswith("sla_push_"):
        findings.say(path, f"{name} is taken", "metrics of the pushing itself begin with sla_push_")
    for label in sorted(declared.labels):
        check_label_name(label, findings, path)
        if declared.type == "histogram" and label == "le":
            findings.say(path, "a histogram has the label le for its buckets", "call this one otherwise")
    if not declared.help.strip():
        findings.say(path, f"{name} has an empty help", "say in a sentence what it counts")
    if declared.type == "counter" and not name.endswith("_total"):
        findings.say(path, f"{name} is a counter and does not end with _total", f"{name.removesuffix('_count')}_total")
    if declared.type != "counter" and name.endswith("_total"):
        findings.say(path, f"{name} ends with _total, but is a {declared.type}", "only counters end with it")
    if declared.type == "info" and not name.endswith("_info"):
        findings.say(path, f"{name} is of type info and does not end with _info", f"{name}_info")
    if declared.type in ("gauge", "histogram") and re.search(r"_(bucket|created)$", name):
        findings.say(path, f"{name} ends as a part of a histogram or counter does", "leave the ending out")
    unit = declared.family.rsplit("_", 1)[-1].lower()
    if unit in _OTHER_UNITS:
        findings.say(path, f"{name} is not in a base unit", f"publish {_OTHER_UNITS[unit]} and say so in the name")


def check_together(declared: Iterable[Declared], findings: Findings) -> None:
    """Says which declarations of one name contradict each other, at the later one."""
    by_family: dict[str, list[Declared]] = {}
    by_sample: dict[str, Declared] = {}
    for each in declared:
        others = by_family.setdefault(each.family, [])
        if others and (told := _contradiction(others[0], each)):
            findings.say(each.path, *told)
        elif any(not other.apart(each) for other in others):
            findings.say(
                each.path,
                f"{each.name} is declared twice, and nothing keeps its series apart",
                "give each constant_labels that differ, or another name",
            )
        elif not others:
            for ending in _SAMPLES[each.type]:
                taken = by_sample.setdefault(each.family + ending, each)
                if taken is not each:
                    findings.say(each.path, f"{each.name} publishes {each.family + ending}, as {taken.name} does")
                    break
        others.append(each)


def _contradiction(first: Declared, later: Declared) -> tuple[str, str] | None:
    if first.type != later.type:
        return f"{later.name} is a {later.type} here and a {first.type} before", "one name has one type"
    if first.labels != later.labels:
        here, before = (", ".join(sorted(each.labels)) or "none" for each in (later, first))
        return f"{later.name} has other labels here ({here}) than before ({before})", "one name has the same labels"
    if first.help != later.help:
        return f"{later.name} has another help here than before", "one name has one help text"
    return None
