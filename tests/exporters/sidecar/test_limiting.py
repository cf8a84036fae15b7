"""How many series are left, and which."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.metrics_core import GaugeMetricFamily, HistogramMetricFamily, Metric

from sla_kit.exporters.sidecar.limiting import limited


def gauge(users: dict[str, float], name: str = "users") -> Metric:
    family = GaugeMetricFamily(name, "Users.", labels=["who"])
    for who, value in users.items():
        family.add_metric([who], value)
    return family


def values(families: tuple[Metric, ...]) -> dict[str, float]:
    return {sample.labels["who"]: sample.value for family in families for sample in family.samples}


def test_those_that_were_there_before_stay() -> None:
    before = limited([gauge({"b": 1, "c": 1})], 2).families
    found = limited([gauge({"a": 2, "b": 2, "c": 2, "d": 2})], 2, before)
    assert values(found.families) == {"b": 2, "c": 2}
    assert found.dropped == {"users": 2}
    assert found.series == 2


def test_a_place_that_comes_free_is_given_to_the_first_that_waits() -> None:
    before = limited([gauge({"b": 1, "c": 1})], 2).families
    assert values(limited([gauge({"a": 2, "c": 2, "d": 2})], 2, before).families) == {"a": 2, "c": 2}


def test_the_same_labels_twice_are_one_series_and_the_first_wins() -> None:
    twice = gauge({"a": 1})
    twice.add_metric(["a"], 2)  # type: ignore[attr-defined]
    found = limited([twice], 5)
    assert values(found.families) == {"a": 1}
    assert found.repeated == {"users": 1}
    assert found.dropped == {}


def test_families_of_one_name_become_one() -> None:
    found = limited([gauge({"a": 1}), gauge({"b": 2}), gauge({"c": 3}, "others")], 5)
    assert [family.name for family in found.families] == ["users", "others"]
    assert values(found.families) == {"a": 1, "b": 2, "c": 3}


def test_a_histogram_is_dropped_or_kept_as_a_whole() -> None:
    family = HistogramMetricFamily("took_seconds", "Time.", labels=["who"])
    for who in "abc":
        family.add_metric([who], [("1.0", 1), ("2.0", 2), ("+Inf", 3)], 4.0)
    found = limited([family], 2)
    assert found.series == 2
    assert found.dropped == {"took_seconds": 1}
    assert [(sample.name, sample.labels["who"]) for sample in found.families[0].samples] == [
        (f"took_seconds_{part}", who) for who in "ab" for part in ("bucket", "bucket", "bucket", "count", "sum")
    ]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.text(max_size=3), st.floats(allow_nan=False)), max_size=30),
    st.lists(st.text(max_size=3), max_size=30, unique=True),
    st.integers(1, 12),
)
def test_nothing_is_lost_within_the_limit_and_no_more_is_kept(
    now: list[tuple[str, float]], earlier: list[str], most: int
) -> None:
    before = limited([gauge(dict.fromkeys(earlier, 0.0))], most).families
    family = GaugeMetricFamily("users", "Users.", labels=["who"])
    for who, value in now:
        family.add_metric([who], value)
    found = limited([family], most, before)
    firsts: dict[str, float] = {}
    for who, value in now:
        firsts.setdefault(who, value)
    left = values(found.families)
    assert left.items() <= firsts.items()
    assert len(left) == found.series == min(most, len(firsts))
    assert sum(found.dropped.values()) == len(firsts) - len(left)
    assert sum(found.repeated.values()) == len(now) - len(firsts)
    kept_before = set(values(before)) & set(firsts)
    assert kept_before <= set(left)
