"""The files as the commands bring them to a folder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from sla_kit.catalogue import Catalogue, LogFields, Logs, Service
from sla_kit.cli import main
from sla_kit.elk import names
from sla_kit.elk.files import are_wanted, outputs
from sla_kit.elk.mapping import kinds
from tests.elk.catalogues import shop

_LOGS = 'logs: {index: "logs-*"}\nsources: [{name: logs, url: "elasticsearch+https://es.example.com:9200"}]\n'
_CATALOGUE = """
name: Shop & Co
services:
  - name: web
    slis: {up: {kind: probe}}
    slos: [{name: availability, sli: answers, objective: 99%}]
environments: {dev: {}, staging: {}, production: {}, qa: {}}
"""


@pytest.mark.parametrize(
    ("environment", "kept"), [("dev", "3d"), ("staging", "7d"), ("production", "30d"), ("qa", "30d"), ("", "30d")]
)
def test_documents_are_kept_as_long_as_their_environment_wants(environment: str, kept: str) -> None:
    made = {each.path: each.text for each in outputs(shop(environment=environment))}
    policy = json.loads(made["logs/elasticsearch/lifecycle.json"])["policy"]["phases"]
    assert policy["delete"]["min_age"] == kept
    assert "rollover" in policy["hot"]["actions"]
    retention = json.loads(made["logs/elasticsearch/component-retention.json"])
    assert retention["template"]["lifecycle"] == {"enabled": True, "data_retention": kept}


@pytest.mark.parametrize(
    ("seconds", "text"), [(30 * 86400.0, "30d"), (36 * 3600.0, "36h"), (90.0, "90s"), (0.2, "1s"), (5400.0, "90m")]
)
def test_a_length_of_time_is_in_the_largest_unit_that_fits(seconds: float, text: str) -> None:
    assert names.time_units(seconds) == text


@pytest.mark.parametrize(
    ("name", "environment", "stream", "expected"),
    [
        ("shop", "staging", "", "logs-shop-staging"),
        ("Shop & Co", "Pre-Prod", "", "logs-shop_co-pre_prod"),
        ("shop", "", "", "logs-shop-default"),
        ("shop", "staging", "logs-web.access-eu-1", "logs-web.access-eu-1"),
    ],
)
def test_the_stream_has_a_name_that_elasticsearch_takes(
    name: str, environment: str, stream: str, expected: str
) -> None:
    catalogue = Catalogue(name=name, environment=environment, services=[], logs=Logs(stream=stream))
    assert names.stream_name(catalogue) == expected
    assert expected == f"logs-{names.dataset(catalogue)}-{names.namespace(catalogue)}"


def test_a_field_of_a_catalogue_goes_before_those_that_can_not_be_beside_it() -> None:
    found = kinds(LogFields(level="log", duration="event.duration.seconds", duration_unit_seconds=1.0))
    assert found["log"] == "keyword"
    assert not any(name.startswith("log.") for name in found)
    assert found["event.duration.seconds"] == "float"
    assert "event.duration" not in found


def test_the_same_catalogue_makes_the_same_files_and_no_secret_is_in_them() -> None:
    catalogue = shop("", "https://ann:hunter2@es.example.com:9200")
    first = outputs(catalogue)
    assert first == outputs(catalogue)
    assert not any("hunter2" in each.text for each in first)
    assert any("es.example.com" in each.text for each in first)


def test_the_command_writes_checks_and_writes_again_what_is_missing(tmp_path: Path) -> None:
    file, folder = _written(tmp_path, _LOGS), tmp_path / "build"
    options = ["logs", "generate", "-c", str(file), "-e", "staging", "--out", str(folder)]
    assert CliRunner().invoke(main, [*options, "--check"]).exit_code == 1
    first = CliRunner().invoke(main, options)
    assert first.exit_code == 0, first.output
    assert (folder / "logs/rsyslog/sla-kit.conf").is_file()
    assert CliRunner().invoke(main, [*options, "--check"]).exit_code == 0
    (folder / "logs/fluentd/fluent.conf").write_text("changed\n")
    refused = CliRunner().invoke(main, options)
    assert refused.exit_code == 2
    assert "changed by hand" in refused.output
    assert CliRunner().invoke(main, [*options, "--force"]).exit_code == 0
    assert CliRunner().invoke(main, [*options, "--check"]).exit_code == 0
    own = CliRunner().invoke(main, [*options, "--files", "/srv/{service}/log/*.json", "--force"])
    assert own.exit_code == 0
    assert "/srv/web/log/*.json" in (folder / "logs/rsyslog/sla-kit.conf").read_text()


@pytest.mark.parametrize(("more", "there"), [(_LOGS, True), ("", False)], ids=["logs", "no logs"])
def test_they_are_part_of_all_files_where_a_catalogue_has_logs(more: str, there: bool, tmp_path: Path) -> None:
    folder = tmp_path / "build"
    options = ["-c", str(_written(tmp_path, more)), "--out", str(folder), "--only", "logs", "--only", "config"]
    made = CliRunner().invoke(main, ["generate", *options])
    assert made.exit_code == 0, made.output
    assert (folder / "logs").exists() is there
    assert (folder / "prometheus.yml").is_file()


def test_a_catalogue_without_a_word_of_logs_wants_none() -> None:
    assert not are_wanted(Catalogue(name="c", services=[Service(name="a")]))
    assert are_wanted(shop("", "http://es:9200"))


def _written(folder: Path, more: str) -> Path:
    file = folder / "sla.yml"
    file.write_text(_CATALOGUE.replace("sli: answers", "sli: up") + more)
    return file
