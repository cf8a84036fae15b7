"""What a group is in a window, by cases that people would argue about."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.error_tracking.classifying import History, comeback, importance, kinds
from sla_kit.error_tracking.linking import burst, deployment_of, first_seen, overlapping
from sla_kit.error_tracking.results import Deployment, ErrorState, Estimate, IncidentLink

OPEN = ErrorState("api", "k")
HOUR, DAY = 3600.0, 86400.0


def told(count: float, before: float, **more: Any) -> list[str]:
    given: dict[str, Any] = {"seen_before": True, "came_back": False, "state": OPEN, "history": History(), **more}
    return sorted(kinds(Estimate.exactly(count), Estimate.exactly(before), surge_factor=3.0, surge_count=20, **given))


@pytest.mark.parametrize(
    ("count", "before", "expected"),
    [(60, 20, ["surging"]), (59, 20, []), (19, 0, []), (20, 0, ["surging"]), (20, 6, ["surging"]), (20, 7, [])],
)
def test_a_group_surges_by_factor_and_count(count: float, before: float, expected: list[str]) -> None:
    assert told(count, before) == expected


def test_a_small_factor_still_needs_more_than_chance() -> None:
    def found(count: float, before: float) -> frozenset[str]:
        return kinds(
            *(Estimate.exactly(count), Estimate.exactly(before), True, False, OPEN, History()),
            surge_factor=1.2,
            surge_count=20,
        )

    assert not found(26, 20)
    assert found(2600, 2000)


def test_a_sampled_group_surges_only_where_its_bounds_do() -> None:
    def found(count: Estimate, before: Estimate) -> frozenset[str]:
        return kinds(count, before, True, False, OPEN, History(), surge_factor=3.0, surge_count=20)

    assert not found(Estimate(90, 50, 140), Estimate(20, 10, 30))
    assert found(Estimate(200, 150, 260), Estimate(20, 10, 30))


def test_a_group_is_new_only_where_it_is_known_that_it_was_not_there() -> None:
    assert told(5, 0, seen_before=False) == ["new"]
    assert told(5000, 0, seen_before=False) == ["new"]
    assert told(5, 0, seen_before=None) == []
    assert told(5000, 0, seen_before=None) == ["surging"], "if it is not new, it is this"
    assert told(5, 0, seen_before=False, history=History(reaches=False)) == []
    assert told(5000, 0, history=History(before_covered=False)) == []


def test_nothing_is_told_of_an_ignored_group() -> None:
    ignored = ErrorState("api", "k", "ignored")
    assert told(5000, 0, seen_before=False, state=ignored, came_back=True) == []


def test_a_resolved_group_that_came_back_is_not_new() -> None:
    assert told(5, 0, seen_before=False, came_back=True, state=ErrorState("api", "k", "resolved")) == ["regressed"]


def test_a_group_comes_back_after_it_was_resolved() -> None:
    resolved = ErrorState("api", "k", "resolved", at=100.0)
    assert comeback(resolved, {"1": 120.0, "2": 110.0}, 130.0, []) == 110.0
    assert comeback(resolved, {}, 100.0, []) is None
    assert comeback(OPEN, {"1": 120.0}, 130.0, []) is None


def test_a_group_resolved_in_a_release_comes_back_only_in_it_or_later() -> None:
    resolved = ErrorState("api", "k", "resolved", at=100.0, release="2")
    deployed = [Deployment("api", "1", 50.0), Deployment("api", "2", 150.0), Deployment("api", "3", 200.0)]
    assert comeback(resolved, {"1": 160.0}, 160.0, deployed) is None
    assert comeback(resolved, {"1": 160.0, "2": 170.0}, 170.0, deployed) == 170.0
    assert comeback(resolved, {"3": 210.0}, 210.0, deployed) == 210.0
    # Not deployed yet: nothing is mended yet.
    assert comeback(resolved, {"1": 160.0}, 160.0, deployed[:1]) is None
    # Another service's release of the same name says nothing.
    assert comeback(resolved, {"3": 160.0}, 160.0, [Deployment("web", "2", 10.0), Deployment("web", "3", 20.0)]) is None


@given(
    st.lists(st.tuples(st.sampled_from(["new", "regressed", "surging", ""]), st.integers(1, 9), st.text(max_size=2)))
)
def test_the_order_is_by_kind_then_count(groups: list[tuple[str, int, str]]) -> None:
    def place(group: tuple[str, int, str]) -> tuple[int, float, str, str]:
        kind, count, key = group
        return importance(frozenset({kind} if kind else ()), Estimate.exactly(count), "api", key)  # type: ignore[arg-type]

    ordered = sorted(groups, key=place)
    order = ["new", "regressed", "surging", ""]
    assert [(order.index(kind), -count) for kind, count, _ in ordered] == sorted(
        (order.index(kind), -count) for kind, count, _ in groups
    )
    turned = groups[::-1]
    assert sorted(turned, key=place) == ordered


def test_first_documents_tell_of_deployments_but_for_those_that_ran_before() -> None:
    versions = {("api", "1"): 10.0, ("api", ""): 0.0, ("api", "2"): 9000.0, ("web", "1"): 8000.0}
    assert first_seen(versions, 0.0) == [Deployment("api", "2", 9000.0)]


def test_a_group_comes_from_the_newest_deployment_before_it() -> None:
    deployed = [Deployment("api", "1", 0.0), Deployment("api", "2", DAY), Deployment("web", "9", DAY + 10)]
    assert deployment_of("api", DAY + HOUR, [], 10, deployed) == deployed[1]
    assert deployment_of("api", 3 * DAY, [], 10, deployed) is None
    assert deployment_of("api", DAY + HOUR, [("1", 9.5)], 10, deployed) == deployed[0]
    assert deployment_of("api", DAY + HOUR, [("1", 5.0), ("2", 5.0)], 10, deployed) == deployed[1]
    assert deployment_of("db", DAY + HOUR, [], 10, deployed) is None
    assert deployment_of("db", DAY, [], 10, [Deployment("", "all", DAY)]) == Deployment("", "all", DAY)


def test_a_burst_is_where_most_of_a_group_is() -> None:
    trend = [0, 1, 30, 40, 25, 2, 0, 0]
    assert burst(trend, 0.0, 80.0, factor=3.0, least=20, told=False) == (20.0, 50.0)
    assert burst([10] * 8, 0.0, 80.0, factor=3.0, least=5, told=False) is None
    assert burst([1, 0, 0, 0], 0.0, 40.0, factor=3.0, least=20, told=True) == (0.0, 10.0)
    assert burst([0, 0], 0.0, 20.0, factor=3.0, least=20, told=True) is None


def test_incidents_are_linked_where_they_overlap() -> None:
    incidents = [
        IncidentLink("ends as it begins", 0.0, 20.0, "api"),
        IncidentLink("goes on", 10.0, None, "api"),
        IncidentLink("of all", 30.0, 31.0, ""),
        IncidentLink("of another", 30.0, 31.0, "web"),
        IncidentLink("later", 50.0, None, "api"),
    ]
    assert [one.title for one in overlapping("api", (20.0, 50.0), incidents)] == ["goes on", "of all"]
    assert overlapping("api", None, incidents) == ()
