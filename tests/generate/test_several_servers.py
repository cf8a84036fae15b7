"""Where a catalogue reads several servers, each evaluates what it holds, and nothing clashes."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml

from sla_kit.catalogue import load
from sla_kit.generate.files import OutputError, write
from sla_kit.generate.plan import outputs
from tests.generate.chain import OFF, asked, endpoint, firing, until
from tests.generate.test_plan import AT, TWO
from tests.servers import Prometheus, prometheus, prometheus_versions

REGIONS = """\
name: regions
sources: [{{name: eu}}, {{name: us}}]
services:
  - name: near
    slos: [{{name: up, sli: {{kind: probe, metric: up, matchers: {{job: near}}}}, objective: 99.9%}}]
  - name: far
    source: us
    slos: [{{name: up, sli: {{kind: probe, metric: up, matchers: {{job: far}}}}, objective: 99.9%}}]
monitoring:
  scrape_interval: 1s
  evaluation_interval: 1s
  areas: {{{off}}}
  targets: {{near: ["{near}"], far: ["{far}"]}}
  slo: {{no_data_after: 1s}}
"""


def looked(server: Prometheus, seen: set[str]) -> int:
    """How many times, as far as was seen, the alert was evaluated while the server's own series were there."""
    groups = asked(f"{server.url}/api/v1/rules?type=alert")["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["name"] == "SloNoData"]
    assert len(rules) <= 1
    if asked(f"{server.url}/api/v1/query?query=up")["data"]["result"]:
        seen.update(rule["lastEvaluation"] for rule in rules)
    return len(seen)


@pytest.mark.timeout(1800)  # only of a machine that stands still
@pytest.mark.parametrize("version", prometheus_versions())
def test_no_server_misses_what_another_holds(version: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        near, far = stack.enter_context(endpoint()), stack.enter_context(endpoint())
        off = ", ".join(f"{area}: off" for area in (*OFF, "application", "monitoring"))
        (tmp_path / "sla.yml").write_text(REGIONS.format(near=near.address, far=far.address, off=off))
        write(outputs(load(tmp_path / "sla.yml"), AT, ("rules", "config")), tmp_path / "build")
        configs = {
            name: (tmp_path / "build" / f"prometheus{suffix}.yml").read_text()
            for name, suffix in (("eu", ""), ("us", "-us"))
        }
        # As it would be with all rules everywhere: the same configuration, and the rules of both.
        loaded = yaml.safe_load(configs["eu"])
        assert loaded["rule_files"] == ["rules/slo.yml", "rules/slo-recordings.yml"]
        configs["all"] = yaml.safe_dump(loaded | {"rule_files": ["rules/*.yml"]})
        servers: dict[str, Prometheus] = {}
        for name, config in configs.items():
            folder = tmp_path / name
            write(outputs(load(tmp_path / "sla.yml"), AT, ("rules",)), folder)
            servers[name] = stack.enter_context(prometheus(version, config=config, data=folder))
        until("an alert on what another holds", lambda: firing(servers["all"], "SloNoData", service="far"))
        for name in ("eu", "us"):
            seen: set[str] = set()
            until("several looks", lambda server=servers[name], seen=seen: looked(server, seen) >= 4)  # type: ignore[misc]
            assert not firing(servers[name], "SloNoData")
        jobs = {
            name: {each["labels"]["job"] for each in asked(f"{server.url}/api/v1/targets")["data"]["activeTargets"]}
            for name, server in servers.items()
        }
        assert "near" in jobs["eu"] - jobs["us"]
        assert "far" in jobs["us"] - jobs["eu"]


def test_every_rule_is_evaluated_by_the_server_it_is_for(tmp_path: Path) -> None:
    text = TWO + "calendar: {events: [{name: Match, start: 2026-12-06T13:00, duration: 3h}]}\n"
    (tmp_path / "sla.yml").write_text(text)
    found = {each.path: each.text for each in outputs(load(tmp_path / "sla.yml"), AT)}
    read = {path: yaml.safe_load(text)["rule_files"] for path, text in found.items() if path.startswith("prometheus")}
    assert set(read) == {"prometheus.yml", "prometheus-us.yml"}
    assert read["prometheus-us.yml"] == ["rules/calendar.yml", "rules/slo-recordings-us.yml", "rules/slo-us.yml"]
    assert set(read["prometheus.yml"]) & set(read["prometheus-us.yml"]) == {"rules/calendar.yml"}
    assert {path for paths in read.values() for path in paths} == {path for path in found if path.startswith("rules/")}


def test_one_server_loads_whatever_rules_stand_there(tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text(TWO.replace("    source: us\n", ""))
    found = {each.path: each.text for each in outputs(load(tmp_path / "sla.yml"), AT, ("config",))}
    assert [path for path in found if path.startswith("prometheus")] == ["prometheus.yml"]
    assert yaml.safe_load(found["prometheus.yml"])["rule_files"] == ["rules/*.yml"]


def test_manifests_tell_which_server_is_to_evaluate_them(tmp_path: Path) -> None:
    text = TWO + "calendar: {events: [{name: Match, start: 2026-12-06T13:00, duration: 3h}]}\n"
    (tmp_path / "sla.yml").write_text(text)
    manifests = [
        yaml.safe_load(each.text) for each in outputs(load(tmp_path / "sla.yml"), AT, ("rules",), "kubernetes")
    ]
    of = {each["metadata"]["name"]: each["metadata"]["labels"]["sla-kit/source"] for each in manifests}
    assert of["sla-kit-calendar"] == "all"
    assert (of["sla-kit-slo"], of["sla-kit-slo-us"], of["sla-kit-slo-recordings-us"]) == ("eu", "us", "us")
    assert set(of.values()) == {"all", "eu", "us"}


def with_sources(folder: Path, *names: str, tenants: tuple[str, ...] = ()) -> Path:
    """A catalogue with a service on each of some sources."""
    of = dict(zip(names, tenants, strict=False))
    sources = ", ".join(f'{{name: {name}, url: "http://a:9090", tenant: "{of.get(name, "")}"}}' for name in names)
    slos = "slos: [{name: up, sli: {kind: probe}, objective: 99.9%}]"
    services = "".join(f"  - {{name: s{number}, source: {name}, {slos}}}\n" for number, name in enumerate(names))
    (folder / "sla.yml").write_text(f"name: clash\nsources: [{sources}]\nservices:\n{services}")
    return folder / "sla.yml"


@pytest.mark.parametrize("form", ["files", "kubernetes"])
def test_sources_that_differ_only_in_case_are_refused(form: str, tmp_path: Path) -> None:
    path = with_sources(tmp_path, "eu", "US", "us")
    with pytest.raises(OutputError, match=r"(?i)slo.*us") as told:
        outputs(load(path), AT, ("rules",), form)
    assert "rename" in told.value.remedy


def test_what_kubernetes_takes_for_one_is_refused(tmp_path: Path) -> None:
    path = with_sources(tmp_path, "eu", "us_1", "us-1")
    assert outputs(load(path), AT, ("rules",))
    with pytest.raises(
        OutputError, match=r"the rules 'slo-recordings-us_1' and the rules 'slo-recordings-us-1'"
    ) as told:
        outputs(load(path), AT, ("rules",), "kubernetes")
    assert "rename one of them" in told.value.remedy
    jobs = "monitoring: {jobs: {redis: [cache_a, cache-a]}}\n"
    path.write_text(
        f"name: a\nservices: [{{name: s, slos: [{{name: u, sli: {{kind: probe}}, objective: 9%}}]}}]\n{jobs}"
    )
    with pytest.raises(OutputError, match="the job 'cache_a' and the job 'cache-a' would both be called 'cache-a'"):
        outputs(load(path), AT, ("config",), "kubernetes")


def test_a_source_whose_recordings_are_another_ones_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="two files of rules would be called slo-recordings-us"):
        outputs(load(with_sources(tmp_path, "eu", "us", "recordings-us")), AT)


def test_services_whose_groups_would_be_one_are_refused(tmp_path: Path) -> None:
    """Prometheus takes no file with two groups of a name; a service with many SLOs has numbered ones."""
    up = "sli: {kind: probe, matchers: {job: j%s}}, objective: 99.9%%"
    slos = ", ".join(f"{{name: s{number}, {up % number}}}" for number in range(25))
    text = f"name: many\nservices:\n  - {{name: api, slos: [{slos}]}}\n"
    (tmp_path / "sla.yml").write_text(text)
    assert outputs(load(tmp_path / "sla.yml"), AT, ("rules",))
    (tmp_path / "sla.yml").write_text(f"{text}  - {{name: api-1, slos: [{{name: up, {up % 'x'}}}]}}\n")
    with pytest.raises(OutputError, match="two groups of rules would be called slo-api-1") as told:
        outputs(load(tmp_path / "sla.yml"), AT, ("rules",))
    assert "rename one of the services" in told.value.remedy


@pytest.mark.parametrize(
    ("tenants", "said"),
    [
        (("one", "thanos"), "'thanos' has the name of the folder for Thanos"),
        (("Thanos", ""), "has the name of the folder for Thanos"),
        (("one", "One"), "differ only in upper and lower case"),
    ],
)
def test_tenants_whose_folders_clash_are_refused(tenants: tuple[str, ...], said: str, tmp_path: Path) -> None:
    path = with_sources(tmp_path, "eu", "us", tenants=tenants)
    with pytest.raises(OutputError, match=said) as told:
        outputs(load(path), AT, form="ruler")
    assert "rename" in told.value.remedy


def test_an_area_is_not_taken_for_a_source_of_its_name(tmp_path: Path) -> None:
    path = with_sources(tmp_path, "eu", "application", tenants=("one", "two"))
    found = {
        each.path.split("/")[0] for each in outputs(load(path), AT, form="ruler") if "-application.yml" in each.path
    }
    assert found == {"one", "two", "thanos"}
    alone = {each.path for each in outputs(load(path), AT, form="ruler") if each.path.endswith("clash-application.yml")}
    assert alone == {"one/clash-application.yml", "thanos/clash-application.yml"}
