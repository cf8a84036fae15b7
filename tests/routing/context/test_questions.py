"""What is asked of Prometheus about an incident."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.routing.context.questions import (
    budget_left,
    chosen,
    expression_of,
    fits,
    measured_by,
    objectives_query,
    plot_of,
    ratio_query,
)
from sla_kit.routing.events import Alert
from sla_kit.routing.incident import Incident


@pytest.mark.parametrize(
    ("expression", "query", "limit"),
    [
        ("up == 0", "up", 0.0),
        ("(a / b > 0.5) and on () c == 1", "a / b", 0.5),
        ("max by (pod) (x) > bool 3", "max by (pod) (x)", 3.0),
        ("5 < rate(x[5m])", "rate(x[5m])", 5.0),
        ("(x > 2 unless on () y) or z", "x", 2.0),
        ("x > -1", "x", -1.0),
        ("x > (1)", "x", 1.0),
        ("x > y", "x", None),
        ("absent(up)", "absent(up)", None),
        ("sum(x) + 1", "sum(x) + 1", None),
    ],
)
def test_what_an_alert_measures(expression: str, query: str, limit: float | None) -> None:
    assert measured_by(expression) == (query, limit)


def test_of_what_is_no_promql_nothing_is_drawn() -> None:
    assert measured_by("sum(") is None


@given(st.text(max_size=200))
def test_any_expression_is_read_or_left(text: str) -> None:
    measured_by(text)


@given(st.text(max_size=200))
def test_any_address_is_read_or_left(text: str) -> None:
    expression_of(text)


def test_the_expression_stands_in_the_address_of_the_graph() -> None:
    expression = 'up{job="api"} == 0'
    assert expression_of(f"http://prometheus:9090/graph?g0.expr={quote(expression)}&g0.tab=1") == expression
    assert expression_of("http://prometheus:9090/graph") == ""


def _incident(*alerts: Alert) -> Incident:
    return Incident(
        group="g", dedup_key="k", title="t", severity="critical", status="firing", opened_at=1, received_at=2,
        alerts={each.fingerprint: each for each in alerts},
    )  # fmt: skip


def test_the_earliest_firing_alert_is_drawn() -> None:
    def alert(name: str, starts_at: float, *, firing: bool = True) -> Alert:
        url = f"http://p/graph?g0.expr={quote(name + ' > 1')}"
        return Alert(
            labels={"alertname": name}, fingerprint=name, firing=firing, starts_at=starts_at, generator_url=url
        )

    plot = plot_of(_incident(alert("late", 9), alert("early", 3), alert("over", 1, firing=False)))
    assert plot is not None
    assert (plot.title, plot.query, plot.limit) == ("early", "early", 1.0)
    assert plot_of(_incident()) is None


def test_series_of_others_are_left_out() -> None:
    assert fits({"__name__": "up", "pod": "a"}, {"pod": "a", "severity": "critical"})
    assert not fits({"pod": "b"}, {"pod": "a"})
    assert chosen([{"pod": "b"}, {"pod": "a"}], {"pod": "a"}, 5) == [1]
    assert chosen([{"pod": "b"}, {"pod": "c"}, {"pod": "d"}], {"pod": "a"}, 2) == [0, 1]  # better than an empty picture


def test_a_budget_by_hand() -> None:
    # 99.9 % allows 0.1 %; 0.025 % were bad: a quarter of it is spent.
    assert budget_left(0.999, 0.00025) == pytest.approx(0.75)
    assert budget_left(0.999, 0.002) == pytest.approx(-1.0)
    assert budget_left(1.0, 0.1) is None


def test_names_are_quoted() -> None:
    assert objectives_query({"service": 'a"b', "slo": "c"}) == 'sla:objective:ratio{service="a\\"b",slo="c"}'
    assert objectives_query({"slo": "c"}) == ""
    assert ratio_query({"sli": "api/requests", "window": "30d"}) == 'sla:error_ratio:30d{sli="api/requests"}'
    assert ratio_query({"sli": "x", "window": "30d} or up"}) == ""


@pytest.mark.parametrize(
    "expression",
    [
        "(" * 4000 + "x" + ")" * 4000,
        "1+" * 4000 + "x",
        "x and " * 1500 + "x",
        "x OR " * 1500 + "x",
        "-(" * 3000 + "x",
        "abs(" * 2000 + "x" + ")" * 2000,
        "2^" * 4000 + "x",
        '{a="b"}' + "[1m:1m]" * 1000,
        "x ==\n" * 2000 + "x",
    ],
    ids=["brackets", "sum", "and", "or", "minus", "functions", "powers", "subqueries", "comparisons"],
)
def test_an_expression_that_nests_too_deeply_ends_no_process_and_takes_no_time(expression: str) -> None:
    code = "import sys; from sla_kit.routing.context.questions import measured_by; print(measured_by(sys.stdin.read()))"
    done = subprocess.run([sys.executable, "-c", code], input=expression.encode(), capture_output=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, b"None")


def test_an_expression_of_many_conditions_is_still_read() -> None:
    burn = 'sla:error_ratio:5m{sli="api/availability",job=~"a-b|c-d"} > 14.4 * 0.001'
    found = measured_by(" and ".join([burn] * 30))
    assert found is not None
    assert found[0].startswith("sla:error_ratio:5m")
