"""Fluentd's configuration by its published grammar, and its plugins' parameters:
Fluentd itself does not run here."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.alert_rules.inventory import exporters
from sla_kit.catalogue import LogFields, Service
from sla_kit.elk import fluentd
from sla_kit.elk.lines import FIRST_LINE, shipping
from tests.elk.catalogues import shop
from tests.elk.fluentd_grammar import CHOICES, FREE, PLUGINS, Element, parsed


@pytest.fixture
def tree() -> Element:
    catalogue = shop("", "https://es.example.com:9243/prefix")
    return parsed(fluentd.configuration(catalogue, shipping(catalogue)))


def test_every_parameter_is_one_that_its_plugin_declares(tree: Element) -> None:
    for element in tree.walk()[1:]:
        if element.name in FREE:
            continue
        kind = element.parameters["@type"]
        source, known = PLUGINS[element.name, kind]
        for name, value in element.parameters.items():
            assert name in ("@type", "@id") or name in known.split(), f"{name} of {kind}: {source}"
            assert value in CHOICES.get(name, {value}), (name, value)


def test_a_file_of_each_service_is_tailed_and_its_place_kept(tree: Element) -> None:
    tails = [each for each in tree.elements if each.parameters.get("@type") == "tail"]
    assert [each.parameters["path"] for each in tails] == ["/var/log/web/*.log", "/var/log/api/*.log"]
    assert len({each.parameters["pos_file"] for each in tails}) == 2


def test_what_can_not_be_sent_waits_on_disk_and_is_never_thrown_away(tree: Element) -> None:
    [output] = [each for each in tree.elements if each.name == "match"]
    assert output.parameters["index_name"] == "logs-shop-staging"
    assert output.parameters["write_operation"] == "create"
    assert (output.parameters["host"], output.parameters["port"]) == ("es.example.com", "9243")
    assert output.parameters["path"] == "/prefix"
    assert "es_rejected_execution_exception" not in output.parameters["unrecoverable_error_types"]
    buffer, secondary = output.elements
    assert buffer.parameters["@type"] == "file"
    assert buffer.parameters["overflow_action"] == "block"
    assert buffer.parameters["retry_type"] == "exponential_backoff"
    assert "retry_max_interval" in buffer.parameters
    assert secondary.parameters["@type"] == "secondary_file"


def test_the_metrics_are_those_of_the_inventory(tree: Element) -> None:
    listed = exporters()["fluentd"]
    ports = [
        each.parameters["port"]
        for each in tree.elements
        if each.parameters.get("@type") == "prometheus" and each.name == "source"
    ]
    assert ports == [str(listed.port)]
    [metric] = [each for each in tree.walk() if each.name == "metric"]
    assert metric.parameters["name"] in listed.metrics
    [labels] = metric.elements
    assert set(labels.parameters) == set(listed.metrics[metric.parameters["name"]].labels)


def test_secrets_come_from_the_environment_alone() -> None:
    catalogue = shop("", "https://ann:hunter2@es.example.com")
    text = fluentd.configuration(catalogue, shipping(catalogue))
    assert "hunter2" not in text
    assert "ENV['SLA_KIT_ELASTICSEARCH_PASSWORD']" in text


def test_ruby_in_a_record_is_balanced_and_expanded_once(tree: Element) -> None:
    catalogue = shop(fields=LogFields(service="app", level="severity", message="log.text"))
    own = parsed(fluentd.configuration(catalogue, shipping(catalogue)))
    for root in (tree, own):
        [record] = [each for each in root.walk() if each.name == "record"]
        for value in record.parameters.values():
            assert value.startswith("${")
            assert value.endswith("}")
            assert value.count("${") == 1
            code = re.sub(r"/\\A.*?/i", "", value)
            for opening, closing in ("{}", "()", "[]"):
                assert code.count(opening) == code.count(closing), value


@given(text=st.text(st.characters(exclude_characters="\n\r\0", exclude_categories=["Cs"]), min_size=1, max_size=30))
def test_any_text_is_quoted_so_that_it_is_read_back(text: str) -> None:
    found = parsed(f"<source>\n  path {fluentd.quoted(text)}\n</source>")
    assert found.elements[0].parameters["path"] == text


@pytest.mark.parametrize(
    ("line", "begins"),
    [
        ('{"a": 1}', True),
        ("2026-03-02T10:00:00Z INFO x", True),
        ("2026/03/02 10:00:00 [error] 7#7: *1 open()", True),
        ('203.0.113.7 - - [02/Mar/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 1', True),
        ("ERROR: x", True),
        ("[2026-03-02 10:00:00] x", True),
        ("Mar  2 10:00:00 host app: x", True),
        ("Traceback (most recent call last):", False),
        ('  File "a.py", line 1', False),
        ("ValueError: x", False),
        ("\tat com.shop.Cart.pay(Cart.java:1)", False),
        ("Caused by: java.lang.Error: x", False),
        ("ERRORS are no level", False),
    ],
)
def test_a_record_begins_where_its_first_line_is(line: str, begins: bool) -> None:
    assert bool(re.match(FIRST_LINE, line)) is begins


def test_many_services_have_many_tails() -> None:
    catalogue = shop()
    many = type(catalogue)(
        **{each: getattr(catalogue, each) for each in ("name", "environment", "logs")},
        services=[Service(name=f"s{number}") for number in range(50)],
    )
    assert fluentd.configuration(many, shipping(many)).count("@type tail") == 50
