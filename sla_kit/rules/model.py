"""Prometheus's recording and alerting rules, and promtool's tests of them, as values that know no file format.

Fields are Prometheus's own (https://prometheus.io/docs/prometheus/latest/configuration/recording_rules and
…/unit_testing_rules); durations are seconds. What there may be thousands of is a struct: it is made faster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec


class RecordingRule(msgspec.Struct, frozen=True):
    """Records the value of ``expression`` as the series ``record`` with ``labels`` added."""

    record: str
    expression: str
    labels: Mapping[str, str] = {}
    comment: str = ""


class AlertingRule(msgspec.Struct, frozen=True):
    """Fires once ``expression`` has had a value for ``pending_seconds`` (``for``), and goes on for
    ``keep_firing_seconds`` after it has none."""

    alert: str
    expression: str
    pending_seconds: float = 0.0
    keep_firing_seconds: float = 0.0
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    comment: str = ""


Rule = RecordingRule | AlertingRule


@dataclass(frozen=True, slots=True)
class RuleGroup:
    """Rules that are evaluated one after the other, every ``interval_seconds`` (0: the server's own interval)."""

    name: str
    rules: tuple[Rule, ...]
    interval_seconds: float = 0.0
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RuleFile:
    """The groups of one file, ``rules/<name>.yml``."""

    name: str
    groups: tuple[RuleGroup, ...]
    comment: str = ""


class FiringAlert(msgspec.Struct, frozen=True):
    """An alert that a test expects to fire: its labels (without ``alertname``) and rendered annotations."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]


class AlertCheck(msgspec.Struct, frozen=True):
    """At ``at_seconds`` exactly the ``firing`` alerts of that name fire; none where it is empty."""

    alert: str
    at_seconds: float
    firing: tuple[FiringAlert, ...] = ()


class ValueCheck(msgspec.Struct, frozen=True):
    """At ``at_seconds`` the expression has exactly these values, by series in Prometheus's notation."""

    expression: str
    at_seconds: float
    values: Mapping[str, float]


class RuleTest(msgspec.Struct, frozen=True):
    """One test group of promtool: series in its notation, a sample every ``interval_seconds``, and what must hold."""

    name: str
    interval_seconds: float
    series: Mapping[str, str]
    alerts: tuple[AlertCheck, ...] = ()
    values: tuple[ValueCheck, ...] = ()


class RuleTestFile(msgspec.Struct, frozen=True):
    """The tests of the rules in ``rule_files`` (names of `RuleFile`), ``tests/<name>.yml``."""

    name: str
    rule_files: tuple[str, ...]
    tests: tuple[RuleTest, ...]
    evaluation_interval_seconds: float = 60.0
