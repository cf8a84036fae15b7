"""Which questions share a query, and that each gets back just what is its own."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.sources.planning import MOST_VALUES, both_spellings, literal, plans
from sla_kit.sources.series import Matcher, Reduction, Selector, SeriesQuery


def query(metric: str = "m", sum_labels: tuple[str, ...] = (), **matchers: str) -> SeriesQuery:
    return SeriesQuery(Selector.of(metric, dict(matchers)), Reduction.MAX, sum_labels)


def test_one_label_with_many_values_is_one_query() -> None:
    queries = [query(service=name, code="=~5..") for name in ("a", "b.c", "d|e")]
    (plan,) = plans(queries)
    assert plan.promql(60_000) == 'max_over_time(m{code=~"5..",service=~"a|b\\\\.c|d\\\\|e"}[60000ms])'
    assert plan.owner({"service": "d|e", "code": "500"}) == queries[2]
    assert plan.owner({"service": "d", "code": "500"}) is None


def test_what_cannot_share_is_asked_apart() -> None:
    apart = [
        query(service="a"),
        query(metric="other", service="a"),
        query(sum_labels=("route",), service="a"),
        query(service="a", code="=~5.."),
        query(team="a"),
        SeriesQuery(Selector.of("m", {"service": "a"}), Reduction.MIN),
    ]
    assert len(plans(apart)) == len(apart)
    assert len(plans([*apart, *apart])) == len(apart)


def test_a_label_that_another_decides_goes_along() -> None:
    # Each service has its own namespace: no combination is selected that was not asked for.
    assert len(plans([query(service=f"s{n}", namespace=f"n{n}") for n in range(50)])) == 1
    assert len(plans([query(service=f"s{n}", namespace=f"n{n % 2}") for n in range(50)])) == 1
    # Two free labels: one query for each value of the one with fewer.
    free = [query(service=f"s{n}", code=code) for n in range(50) for code in ("200", "500")]
    assert len(plans(free)) == 2


def test_labels_that_tell_owners_apart_are_summed_after_the_split() -> None:
    (plan,) = plans([query(sum_labels=("route", "code"), code=code) for code in ("200", "500")])
    assert plan.promql(60_000) == 'sum without (route) (max_over_time(m{code=~"200|500"}[60000ms]))'
    assert plan.owned_labels({"code": "200", "pod": "x", "__name__": "m"}) == (("pod", "x"),)
    (alone,) = plans([query(sum_labels=("route", "code"), code="200")])
    assert alone.promql(60_000) == 'sum without (route,code) (max_over_time(m{code="200"}[60000ms]))'


def test_long_lists_are_cut() -> None:
    queries = [query(service=f"service-{n}") for n in range(MOST_VALUES * 2 + 1)]
    assert [len(plan.owners) for plan in plans(queries)] == [MOST_VALUES, MOST_VALUES, 1]
    wide = [query(service=f"{n}" + "x" * 3000) for n in range(4)]
    assert all(len(plan.promql(60_000)) < 10_000 for plan in plans(wide))
    assert sum(len(plan.owners) for plan in plans(wide)) == 4


def test_bounds_are_matched_in_both_spellings() -> None:
    assert both_spellings(Matcher("le", "=", "1")) == Matcher("le", "=~", r"1|1\.0")
    assert both_spellings(Matcher("le", "=", "1.0")) == Matcher("le", "=~", r"1\.0|1")
    assert both_spellings(Matcher("le", "!=", "0.5")) == Matcher("le", "!~", r"0\.5")
    assert both_spellings(Matcher("le", "=~", r"0\.5|2")) == Matcher("le", "=~", r"0\.5|2|2\.0")
    for kept in (Matcher("le", "=~", "1.*"), Matcher("le", "=", ""), Matcher("code", "=", "1")):
        assert both_spellings(kept) == kept
    (plan,) = plans([query(le="1"), query(le="5.0")])
    assert plan.owner({"le": "1.0"}) == query(le="1")
    assert plan.owner({"le": "5"}) == query(le="5.0")


VALUES = st.text(st.sampled_from('ab.|*+?()[]{}^$\\"-é\n'), max_size=4)


@given(VALUES)
def test_a_literal_matches_only_itself(value: str) -> None:
    assert re.fullmatch(literal(value), value)
    assert not re.fullmatch(literal(value), value + "a")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["m", "n"]), VALUES, VALUES, st.sampled_from([(), ("x",), ("x", "y")])),
        min_size=1,
        max_size=12,
    )
)
def test_every_series_comes_back_to_all_who_asked(asked: list[tuple[str, str, str, tuple[str, ...]]]) -> None:
    queries = [query(metric, summed, x="=" + x, y="=" + y) for metric, x, y, summed in asked]
    made = plans(queries)
    assert sorted(q.selector.promql() for plan in made for q in plan.owners.values()) == sorted(
        {q: q.selector.promql() for q in queries}.values()
    )
    for metric, x, y, summed in asked:
        own = query(metric, summed, x="=" + x, y="=" + y)
        labels = {name: value for name, value in (("x", x), ("y", y), ("z", "1")) if value}
        (plan,) = [plan for plan in made if own in plan.owners.values()]
        assert plan.owner(labels) == own
        for matcher in plan.selector.matchers:
            assert matcher.predicate()(labels.get(matcher.label, ""))
        left = {name for name in labels if name not in summed}
        sent = {name: value for name, value in labels.items() if name not in plan.server_sum}
        assert {name for name, _ in plan.owned_labels(sent)} == left
