"""What is counted, worked out by hand."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sla_kit.backtest.results import Firing, KnownIncident, Spent
from sla_kit.backtest.scoring import (
    WEEK,
    Manner,
    about,
    concerned,
    matched,
    pages,
    per_week,
    refires,
    score,
    short_ones,
)

API = KnownIncident("api down", 1_000, 2_000, "api")
WEB = KnownIncident("web down", 5_000, 6_000, "web")
ANY = KnownIncident("something", 9_000, 9_600)


def firing(start: int, end: int, *, ongoing: bool = False, **labels: str) -> Firing:
    return Firing(tuple(sorted(labels.items())), start, end, ongoing)


def test_labels_that_differ_are_about_something_else() -> None:
    assert about("A", {"service": "api"}, API)
    assert about("A", {}, API)
    assert about("A", {"sloth_service": "api"}, API)
    assert not about("A", {"service": "web"}, API)
    assert not about("A", {"slo": "latency"}, KnownIncident("x", 0, 1, slo="availability"))
    assert not about("A", {}, KnownIncident("x", 0, 1, alerts=("B",)))
    assert about("A", {"service": "web"}, ANY)


def test_precision_recall_and_detection() -> None:
    incidents = (API, WEB, ANY)
    firings = matched(
        "A",
        [firing(1_120, 1_900, service="api"), firing(3_000, 3_100, service="api"), firing(9_700, 9_900, service="api")],
        incidents,
        tolerance=300,
    )
    assert [one.incidents for one in firings] == [(0,), (), (2,)]
    numbers = concerned("A", {"service": "api"}, firings, incidents)
    assert numbers == [0, 2]
    found = score([("A", one) for one in firings], incidents, numbers, None, 300)
    assert (found.firings, found.right, found.incidents, found.found) == (3, 2, 2, 2)
    assert found.precision == 2 / 3
    assert found.recall == 1
    assert [one.seconds for one in found.detections] == [120, 700]
    assert (found.detect_median, found.detect_worst) == (410, 700)
    # 780 of the first, 200 of the third of 780 + 100 + 200 seconds.
    assert found.time_precision == 980 / 1_080


def test_what_fired_before_an_incident_detects_it_at_once() -> None:
    [one] = matched("A", [firing(900, 1_500)], [API], 0)
    found = score([("A", one)], [API], [0], None, 0)
    assert found.detections[0].seconds == 0
    assert found.time_precision == 500 / 600


def test_the_first_alert_detects() -> None:
    [slow] = matched("Slow", [firing(1_500, 1_600)], [API], 0)
    [quick] = matched("Quick", [firing(1_100, 1_200)], [API], 0)
    found = score([("Slow", slow), ("Quick", quick)], [API], [0], None, 0)
    assert (found.detections[0].alert, found.detections[0].at) == ("Quick", 1_100)


def test_nothing_to_divide_by_is_unknown() -> None:
    found = score([], [], [], None, 0)
    assert (found.precision, found.recall, found.time_precision, found.detect_median) == (None, None, None, None)


def test_budget_spent_before_detection() -> None:
    def spending(incident: KnownIncident, start: int, end: int) -> tuple[tuple[str, str, float], ...]:
        return (("api", "availability", (end - start) / 10_000),)

    [one] = matched("A", [firing(1_250, 1_900)], [API], 0)
    found = score([("A", one)], [API, ANY], [0, 1], spending, 0)
    assert found.detections[0].budgets == (Spent("api", "availability", 0.025, 0.1),)
    # Nothing fired in the other: all of it was spent by then.
    assert found.detections[1].budgets == (Spent("api", "availability", None, 0.06),)
    assert (found.budget_worst, found.budget_median) == (0.06, (0.025 + 0.06) / 2)


def test_flapping_is_the_same_alert_again_soon() -> None:
    firings = [
        firing(0, 60, job="a"),
        firing(500, 560, job="a"),
        firing(600, 660, job="b"),
        firing(1_460, 1_500, job="a"),
    ]
    assert refires(firings, 900) == 1
    assert refires(firings, 901) == 2


def test_what_still_fires_is_not_short() -> None:
    assert short_ones([firing(0, 60), firing(0, 300), firing(290, 300, ongoing=True)], 300) == 1


def test_a_group_pages_once_for_as_long_as_any_of_it_fires() -> None:
    critical = [
        firing(0, 600, severity="critical", service="api", pod="1"),
        firing(300, 900, severity="critical", service="api", pod="2"),
        firing(1_100, 1_200, severity="critical", service="api", pod="1"),  # before the group's interval is over
        firing(1_500, 1_600, severity="critical", service="api", pod="1"),
        firing(0, 600, severity="Critical", service="web"),
        firing(0, 600, severity="warning", service="api"),
        firing(0, 600, service="api"),
    ]
    assert pages([("A", one) for one in critical], Manner()) == 3
    assert pages([("A", one) for one in critical], Manner(group_by=())) == 2
    assert per_week(3, WEEK / 2) == 6


spans = st.lists(st.tuples(st.integers(0, 500), st.integers(1, 80)), max_size=12)


@given(spans, spans, st.integers(0, 30))
def test_shares_are_shares(fired: list[tuple[int, int]], known: list[tuple[int, int]], tolerance: int) -> None:
    incidents = [KnownIncident("x", start, start + length) for start, length in known]
    firings = matched("A", [firing(start, start + length) for start, length in fired], incidents, tolerance)
    found = score([("A", one) for one in firings], incidents, range(len(incidents)), None, tolerance)
    for share in (found.precision, found.recall, found.time_precision):
        assert share is None or 0 <= share <= 1
    near = [
        any(low <= begin + long + tolerance and low + size >= begin - tolerance for begin, long in known)
        for low, size in fired
    ]
    assert found.right == sum(near)
    assert found.found == sum(
        any(low <= begin + long + tolerance and low + size >= begin - tolerance for low, size in fired)
        for begin, long in known
    )
