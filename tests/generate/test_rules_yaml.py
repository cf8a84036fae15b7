"""Rules and tests are read back as they were, whatever their texts hold."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.generate.rules_yaml import duration, rule_tests_text, rules_text
from sla_kit.rules.model import (
    AlertCheck,
    AlertingRule,
    FiringAlert,
    RecordingRule,
    RuleFile,
    RuleGroup,
    RuleTest,
    RuleTestFile,
    ValueCheck,
)

texts = st.one_of(
    st.text(max_size=40),
    st.text(alphabet="ab:#- '\"\n\t{}[]|>&*!%@`,?0.\\", max_size=40),
    st.sampled_from(
        ["", "yes", "1", "1e3", "0x1f", "2026-01-01", "~", "null", "a: b", "- a", "a #b", " a", "a ", "a\n"]
    ),
)
mappings = st.dictionaries(texts, texts, max_size=3)
recordings = st.builds(RecordingRule, texts, texts, mappings)
alerts = st.builds(AlertingRule, texts, texts, st.just(90.0), st.just(0.0), mappings, mappings)


@given(st.lists(st.lists(st.one_of(recordings, alerts), max_size=3), max_size=3), texts)
def test_rules_are_read_back_as_they_were(groups: list[list[Any]], name: str) -> None:
    file = RuleFile("x", tuple(RuleGroup(name, tuple(rules), 30.0) for rules in groups), comment="two\nlines")
    document = yaml.safe_load(rules_text(file))
    expected = [
        {"name": name, "interval": "30s", "rules": [_as_document(rule) for rule in rules] or None} for rules in groups
    ]
    assert document == {"groups": expected or None}


def _as_document(rule: RecordingRule | AlertingRule) -> dict[str, Any]:
    if isinstance(rule, RecordingRule):
        found: dict[str, Any] = {"record": rule.record, "expr": rule.expression}
    else:
        found = {"alert": rule.alert, "expr": rule.expression, "for": "1m30s"}
        if rule.annotations:
            found["annotations"] = dict(rule.annotations)
    if rule.labels:
        found["labels"] = dict(rule.labels)
    return found


@given(texts, mappings, mappings, st.floats(allow_nan=False, allow_infinity=False))
def test_tests_are_read_back_as_they_were(
    name: str, labels: dict[str, str], annotations: dict[str, str], value: float
) -> None:
    firing = (FiringAlert(labels, annotations), FiringAlert({"a": "b"}, {}))
    test = RuleTest(
        name,
        60.0,
        labels,
        (AlertCheck(name, 120.0, firing), AlertCheck(name, 0.0)),
        (ValueCheck(name, 60.0, {"{}": value}),),
    )
    document = yaml.safe_load(rule_tests_text(RuleTestFile("x", ("a", "b c"), (test,))))
    assert document["rule_files"] == ["../rules/a.yml", "../rules/b c.yml"]
    [read] = document["tests"]
    assert read["name"] == name
    assert [(each["series"], each["values"]) for each in read.get("input_series", [])] == list(labels.items())
    first, second = read["alert_rule_test"]
    assert (first["alertname"], first["eval_time"], second["eval_time"]) == (name, "2m", "0s")
    assert "exp_alerts" not in second
    assert first["exp_alerts"][0]["exp_labels"] == labels
    assert first["exp_alerts"][0].get("exp_annotations", {}) == annotations
    [sample] = read["promql_expr_test"][0]["exp_samples"]
    assert float(sample["value"]) == value


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (90, "1m30s"), (3600, "1h"), (86400 * 30, "30d"), (604800, "1w"), (0.25, "250ms"), (93784, "1d2h3m4s")],
)
def test_durations_are_those_of_prometheus(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(0, 10**9))
def test_a_duration_is_as_long_as_it_says(milliseconds: int) -> None:
    units = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
    parts = re.findall(r"(\d+)(ms|[wdhms])", duration(milliseconds / 1000))
    assert sum(int(count) * units[unit] for count, unit in parts) == milliseconds
