"""Selectors are found where a parser of PromQL finds them, and put in so that a Prometheus says the same."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import promql_parser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.backtest.asking import Answer, Asker
from sla_kit.backtest.expressions import lookback_seconds, readings, rewritten
from sla_kit.backtest.resolving import CycleError, Recordings, recordings_of
from sla_kit.backtest.rule_files import Group, PlacedRule
from sla_kit.history import openmetrics
from sla_kit.rules.model import RecordingRule
from sla_kit.sources.connection import Connection, connect
from sla_kit.sources.settings import Address, Settings
from sla_kit.timeline import Grid
from tests.backtest.test_history import START, history
from tests.servers import prometheus, prometheus_versions

EXPRESSIONS = [
    'sum by (le) (rate(x_bucket{a="b",c=~"d}"}[5m] offset 1m)) * on (x) group_left (y) z > bool 0.5',
    "max_over_time(y[1h:5m] @ end()) unless -z @ 1000 or topk(3, w)",
    'slo:r{a="b"} > (14.4 * 0.001) # x{y}',
    '{__name__=~"a|b",x="1"}',
    "sum(x) by (a) / ignoring (b) y",
    'up == 0 or absent(up{job="x"})',
    "count without (instance) (up) > Inf",
    "x[5m] @ start() offset 3d",
    "a{b='\\'c'} and on () (hour() >= 5)",
    'label_replace(up, "a", "$1", "b", "(.*)")',
    "1 + 2",
    "histogram_quantile(0.9, sum by (le) (increase(foo_bucket[10m])))",
    "rate(x[5m]) / scalar(sum(y offset -5m))",
]


def selected(node: Any) -> Iterator[tuple[str, int]]:
    """The selectors that the parser finds: name and how many matchers."""
    if type(node).__name__ == "VectorSelector":
        yield node.name or "", len(node.matchers.matchers)
        return
    for part in ("lhs", "rhs", "expr", "args", "vector_selector", "param"):
        inner = getattr(node, part, None)
        for one in inner if isinstance(inner, list) else [inner]:
            if one is not None:
                yield from selected(one)


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_selectors_are_those_that_a_parser_finds(expression: str) -> None:
    expected = sorted(selected(promql_parser.parse(expression)))
    assert sorted((one.metric, len(one.matchers)) for one in readings(expression)) == expected


@given(st.text(alphabet="ab:{}[]()\"'`\\ @5m,=~!#\noffset bysum", max_size=40))
def test_any_text_is_read_and_kept(text: str) -> None:
    assert rewritten(text, lambda reading: text[reading.start : reading.end]) == text
    assert lookback_seconds(text) >= 0


def rule(record: str, expression: str, **labels: str) -> PlacedRule:
    return PlacedRule(RecordingRule(record, expression, labels))


def recordings(*rules: PlacedRule) -> Recordings:
    return Recordings(recordings_of([Group("f", "g", rules, 30.0)], 60))


def test_recordings_in_a_circle_are_an_error() -> None:
    found = recordings(rule("a:b", "c:d + 1"), rule("c:d", "a:b offset 1m"))
    with pytest.raises(CycleError, match="a:b reads c:d reads a:b"):
        found.resolved("a:b > 1", 30)


def test_only_the_rule_whose_labels_fit_is_put_in() -> None:
    found = recordings(rule("a:b", "x", kind="one"), rule("a:b", "y", kind="two"))
    assert "y" in found.resolved('a:b{kind="two"}', 30)
    assert "x" not in found.resolved('a:b{kind="two"}', 30)
    assert found.resolved('a:b{kind="three"}', 30) == 'a:b{kind="three"}'


def test_what_is_read_often_or_by_ranges_is_recorded() -> None:
    found = recordings(rule("a:b", "x"), rule("c:d", "y"), rule("e:f", "z"), rule("g:h", "avg_over_time(e:f[1h])"))
    assert found.worth_recording(["a:b > 1", "a:b > 2", "a:b > 3", "c:d > 1", "g:h > 1"]) == {"a:b", "e:f"}


@pytest.fixture(scope="module", params=prometheus_versions())
def asker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asker]:
    path = tmp_path_factory.mktemp("history") / "history.om"
    openmetrics.write(history(), path, {})
    with prometheus(request.param, openmetrics=path) as server:
        address = Address.parse(server.url)
        yield Asker(Connection(connect(address, Settings()), address, 60.0), 60.0)


def values(asker: Asker, expression: str) -> dict[str, list[float]]:
    [answer] = asker.walk(expression, Grid(START + 3_000, 30, 200))
    assert isinstance(answer, Answer)
    return {
        str(sorted(labels.items())): np.where(answer.present[row], answer.values[row], -1.0).tolist()
        for row, labels in enumerate(answer.labels)
        if labels.pop("__name__", None) or True
    }


@pytest.mark.parametrize(
    ("recorded", "plain"),
    [
        ("r:e", "max by (job) (errors)"),
        ('r:e{job="a"}', 'max by (job) (errors{job="a"})'),
        ('r:e{job!="a"}', 'max by (job) (errors{job!="a"})'),
        ('r:e{job=~"a|c"}', 'max by (job) (errors{job="a"})'),
        ('r:e{job!~"a.*"}', 'max by (job) (errors{job="b"})'),
        ('r:e{other=""}', "max by (job) (errors)"),
        ('r:e{other="x"}', 'errors{job="none"}'),
        ("r:e offset 10m", "max by (job) (errors offset 10m)"),
        ('sum by (kind, job) (r:l{kind="$1"})', 'label_replace(max by (job) (errors), "kind", "$$1", "", "")'),
        ("max_over_time(r:e[10m])", "max_over_time(max by (job) (errors)[10m:30s])"),
        ("r:two > 0.1", "max by (job) (errors) * 2 > 0.1"),
        ('r:both{of="a"} + on () r:both{of="b"}', 'max(errors{job="a"}) + max(errors{job="b"})'),
    ],
)
def test_a_prometheus_says_of_a_recording_put_in_what_it_says_of_its_expression(
    recorded: str, plain: str, asker: Asker
) -> None:
    found = recordings(
        rule("r:e", "max by (job) (errors) # a comment"),
        rule("r:l", "max by (job) (errors)", kind="$1"),
        rule("r:two", "r:e * 2"),
        rule("r:both", 'max(errors{job="a"})', of="a"),
        rule("r:both", 'max(errors{job="b"})', of="b"),
    )
    assert values(asker, found.resolved(recorded, 30)) == values(asker, plain)
