"""The inventory against the exporters themselves: started, scraped, and compared name by name and label by label."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sla_kit.alert_rules.inventory import Exporter, Metric, exporters, usual_jobs
from tests.alert_rules.machine import Machine
from tests.alert_rules.observed import Published, published, version_key

PROJECT = Path(__file__).parents[2]
#: Those of others: tests/exporters/test_names.py holds our own.
TESTED = [key for key, exporter in exporters().items() if exporter.tested and "://" in exporter.source]
PATIENCE_SECONDS = 60.0
#: The metrics by version of an exporter.
ByVersion = Mapping[str, Mapping[str, Published]]


def observed(machine: Machine, exporter: str) -> ByVersion:
    """What each running version of an exporter publishes."""
    targets = [target for target in machine.targets if target.exporter == exporter]
    versions = {target.edition: target.version() for target in targets}
    return {
        version: published(target for target in targets if target.edition == edition)
        for edition, version in versions.items()
    }


def mistakes(name: str, metric: Metric, by_version: ByVersion) -> list[str]:
    """What the inventory says of a metric and running versions don't bear out."""
    found = [
        f"{name} is gone from {version}, says the inventory, but it is there"
        for version, metrics in by_version.items()
        if not is_in_range(metric, version) and name in metrics
    ]
    in_range = sorted((version for version in by_version if is_in_range(metric, version)), key=version_key)
    if metric.unprovoked:
        return found + [f"{name} was not to be seen, but {v} has it" for v in in_range if name in by_version[v]]
    if not in_range:
        return [*found, f"{name}: no running version is to have it, and it doesn't say so in unprovoked"]
    missing = [version for version in in_range if name not in by_version[version]]
    if missing:
        return found + [f"{version} does not publish {name}" for version in missing]
    # Older versions may know less of a metric: fewer labels, no type.
    newest = by_version[in_range[-1]][name]
    kind = "gauge" if metric.type == "info" else metric.type
    if newest.type != kind:
        found.append(f"{name} is a {newest.type}, not a {metric.type}")
    return found + [f"{name} has no label {label}" for label in metric.labels if label not in newest.every]


def is_in_range(metric: Metric, version: str) -> bool:
    """Whether a version is one that publishes the metric, by what the inventory says."""
    number = version_key(version)
    begun = not metric.since or version_key(metric.since) <= number
    return begun and not (metric.until and version_key(metric.until) <= number)


@pytest.mark.xdist_group("machine")
@pytest.mark.parametrize("key", TESTED)
def test_running_exporters_publish_what_the_inventory_says(key: str, healthy_machine: Machine) -> None:
    assert key in {target.exporter for target in healthy_machine.targets}, (
        f"{key} is tested, says its file, but tests/alert_rules/machine.py doesn't start it"
    )
    # An exporter that was too busy to reach its server tells less, once; what the inventory gets wrong stays.
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (found := wrong(key, observed(healthy_machine, key))) and time.monotonic() < deadline:
        time.sleep(0.5)  # between two looks, not instead of looking
    assert not found, "\n".join(found)


def wrong(key: str, by_version: ByVersion) -> list[str]:
    """What an exporter's running versions don't bear out of its inventory."""
    exporter = exporters()[key]
    found = [text for name, metric in exporter.metrics.items() for text in mistakes(name, metric, by_version)]
    there = {name for metrics in by_version.values() for metric in metrics.values() for name in metric.any}
    return found + [f"no metric has the label {label}" for label in exporter.labels if label not in there]


@pytest.mark.xdist_group("machine")
@pytest.mark.parametrize("key", TESTED)
def test_the_versions_that_run_are_those_the_inventory_names(key: str, healthy_machine: Machine) -> None:
    """A distribution with other versions says so here, rather than by a name that is missing."""
    named = [version_key(version) for version in exporters()[key].versions]
    assert [version for version in observed(healthy_machine, key) if version_key(version) < min(named)] == []


def test_what_the_inventory_gets_wrong_is_found() -> None:
    by_version = {
        "1.5.0+ds": {"old": Published("gauge", set()), "jobs": Published("unknown", set())},
        "1.10": {"new": Published("counter", {"queue"}), "jobs": Published("gauge", {"queue", "state"})},
    }

    def told(name: str, metric: Metric) -> str:
        return "; ".join(mistakes(name, metric, by_version))

    assert told("jobs", Metric(type="gauge", labels=["state"])) == ""
    assert told("jobs", Metric(type="counter", labels=["status"])) == (
        "jobs is a gauge, not a counter; jobs has no label status"
    )
    assert told("new", Metric(type="counter", since="1.6")) == ""
    assert told("new", Metric(type="counter")) == "1.5.0+ds does not publish new"
    assert told("old", Metric(type="gauge", until="1.10")) == ""
    assert told("old", Metric(type="gauge", until="1.5.1")) == ""
    assert told("old", Metric(type="gauge", until="1.4")).startswith(
        "old is gone from 1.5.0+ds, says the inventory, but"
    )
    assert told("rare", Metric(type="gauge", unprovoked="it takes a fire")) == ""
    assert (
        told("new", Metric(type="counter", unprovoked="it takes a fire")) == "new was not to be seen, but 1.10 has it"
    )
    assert told("next", Metric(type="gauge", since="2")) == (
        "next: no running version is to have it, and it doesn't say so in unprovoked"
    )


@pytest.mark.parametrize("exporter", exporters().values(), ids=list(exporters()))
def test_every_file_cites_where_its_names_come_from(exporter: Exporter) -> None:
    assert exporter.title
    assert exporter.versions
    for version in exporter.versions:
        version_key(version)
    if "://" not in exporter.source:  # our own exporters are documented here
        assert (PROJECT / exporter.source).is_file(), exporter.source
        return
    assert exporter.source.startswith("https://")
    cited = ["{}.{}".format(*version_key(version)) for version in exporter.versions]
    assert any(version in exporter.source for version in cited), (
        f"{exporter.source} should lead to one of the versions {exporter.versions}"
    )


def test_no_two_exporters_publish_a_metric_of_the_same_name() -> None:
    names = [name for exporter in exporters().values() for name in exporter.metrics]
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


def test_the_usual_jobs_are_those_of_whole_files() -> None:
    assert usual_jobs() == {key: each.job for key, each in exporters().items()}
