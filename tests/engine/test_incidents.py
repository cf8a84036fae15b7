"""Outages: their edges, when alert windows notice, and what is none."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.engine.budgeting import Terms, count, leaving_out
from sla_kit.engine.burn import alert_pairs
from sla_kit.engine.incidents import find_incidents
from sla_kit.engine.results import Incident
from sla_kit.timeline import Floats, Mask, Timeline
from tests.engine.builders import DAY, timeline

N = 2 * DAY // 60


def traffic(*outages: tuple[int, int, float], rate: float = 1000.0, count: int = N) -> tuple[Floats, Floats]:
    """Events and bad events of ``count`` buckets; each outage is (first bucket, buckets, error ratio)."""
    total, bad = np.full(count, rate), np.zeros(count)
    for first, length, ratio in outages:
        bad[first : first + length] = total[first : first + length] * ratio
    return total, bad


def outages(
    data: Timeline,
    objective: float = 0.999,
    *,
    allowed: float = 0.0,
    events: Sequence[Interval] = (),
    keep: Mask | None = None,
) -> tuple[Incident, ...]:
    terms = Terms(objective, "occurrences" if data.unit == "requests" else "timeslices")
    counted = count(data, terms)
    if keep is not None:
        counted = leaving_out(counted, data, terms, keep)
    requests = data.bad if data.unit == "requests" else None
    pairs = alert_pairs(30 * DAY, 60, terms.allowed_ratio)
    return find_incidents(
        counted, terms.allowed_ratio, pairs, service="web", slo="a", allowed=allowed, requests=requests, events=events
    )


def test_outage_worked_by_hand() -> None:
    # 5 % errors for 20 minutes at 99.9 %: a burn rate of 50. The hour's is above 14.4 once 14.4/50 of an hour (17.3
    # minutes) is bad, the six hours' above 6 once 6/50 of them (43 minutes) would be, the ticket needs 86 minutes.
    (found,) = outages(timeline(*traffic((1440, 20, 0.05))), allowed=10_000)
    assert found.start == 1440 * 60
    assert found.detected == (1440 + 18) * 60
    assert found.recovered == 1460 * 60
    assert (found.seconds, found.detect_seconds, found.recover_seconds) == (1200, 1080, 120)
    assert (found.bad, found.budget_spent) == pytest.approx((1000, 0.1))
    assert found.alert == "page"


def test_total_outage_is_noticed_within_its_first_minute() -> None:
    (found,) = outages(timeline(*traffic((1440, 7, 1.0))))
    assert found.detect_seconds == 60


def test_an_outage_of_a_low_objective_is_noticed_once_it_has_spent_two_percent() -> None:
    # At 90 % nothing burns faster than 10 times, so that 14.4 times would never be. Half of all requests failing burns
    # 5 times and spends 2 % of 30 days' budget in 2.88 hours; all of them failing, in half of that: 86.4 minutes.
    (found,) = outages(timeline(*traffic((1440, 120, 1.0))), objective=0.9)
    assert (found.detect_seconds, found.alert) == (87 * 60, "page")


def test_slow_burn_is_a_ticket() -> None:
    (found,) = outages(timeline(*traffic((0, 6000, 0.004), count=6000)))
    assert (found.alert, found.detect_seconds, found.recovered) == ("ticket", 60, None)


def test_no_errors_no_incidents() -> None:
    assert outages(timeline(*traffic())) == ()


def test_brief_errors_that_no_alert_would_notice_are_no_incident() -> None:
    assert outages(timeline(*traffic((1440, 10, 0.005)))) == ()


def test_five_good_minutes_do_not_end_an_outage_and_six_do() -> None:
    (one,) = outages(timeline(*traffic((1440, 10, 0.5), (1455, 10, 0.5))))
    assert (one.start, one.recovered) == (1440 * 60, 1465 * 60)
    two = outages(timeline(*traffic((1440, 10, 0.5), (1456, 10, 0.5))))
    assert [(i.start, i.recovered) for i in two] == [(1440 * 60, 1450 * 60), (1456 * 60, 1466 * 60)]
    assert two[1].detected == 1457 * 60


def test_outage_that_reaches_the_end_lasts() -> None:
    (found,) = outages(timeline(*traffic((N - 30, 30, 0.5))))
    assert found.recovered is None
    assert found.recover_seconds is None
    assert (found.until, found.seconds) == (N * 60, 1800)


def test_buckets_without_data_neither_end_nor_extend_an_outage() -> None:
    total, bad = traffic((1440, 10, 0.5), (1480, 10, 0.5))
    total[1450:1480], coverage = 0, np.ones(N)
    coverage[1450:1480] = 0
    (found,) = outages(timeline(total, bad, coverage))
    assert (found.start, found.recovered) == (1440 * 60, 1490 * 60)
    total, bad = traffic((N - 30, 10, 0.5))
    total[N - 20 :] = 0
    (lasting,) = outages(timeline(total, bad))
    assert lasting.recovered is None


def test_excluded_buckets_start_no_incident() -> None:
    keep = np.ones(N, dtype=np.bool_)
    keep[1430:1470] = False
    assert outages(timeline(*traffic((1440, 20, 0.5))), keep=keep) == ()


def test_one_failed_request_of_ten_at_night_is_no_incident() -> None:
    total, bad = traffic(rate=0.2)
    bad[1440] = total[1440] = 10
    bad[1440] = 1
    assert outages(timeline(total, bad), 0.9999) == ()
    bad[1440:1442], total[1440:1442] = 3, 10
    assert len(outages(timeline(total, bad), 0.9999)) == 1


def test_chance_errors_neither_stretch_an_outage_nor_follow_it_as_more() -> None:
    rng = np.random.default_rng(7)
    total, bad = traffic((1440, 20, 0.05), rate=3000)
    bad += rng.binomial(3000, 2e-5, N)
    (found,) = outages(timeline(total, bad), 0.9999)
    assert (found.start, found.recovered) == (1440 * 60, 1460 * 60)


def test_small_errors_under_the_alert_of_an_earlier_outage_are_no_incident() -> None:
    # The ticket's six hours stay above their factor long after the outage; three bad minutes in them are not news.
    total, bad = traffic((1440, 20, 0.5), (1560, 3, 0.006))
    found = outages(timeline(total, bad))
    assert [i.start for i in found] == [1440 * 60]


def test_errors_that_flap_are_an_incident_once_an_alert_fires() -> None:
    # One bad minute in eight, none of which would ring alone: 4 % of each, at a burn rate of 40 / 8.
    total, bad = traffic(*((first, 1, 0.12) for first in range(0, N, 8)))
    found = outages(timeline(total, bad))
    assert len(found) >= 1
    assert all(i.recovered is None or i.seconds == 60 for i in found)


def test_outage_names_the_live_event_that_it_touched() -> None:
    data = timeline(*traffic((1440, 20, 0.5)))
    game, other = Interval(1450 * 60, 1600 * 60, "final"), Interval(1440 * 60, 1600 * 60, "other", ("db",))
    assert outages(data, events=[other, game])[0].during_event == "final"
    assert outages(data, events=[other])[0].during_event == ""
    assert outages(data, events=[Interval(1460 * 60, 1600 * 60, "later")])[0].during_event == ""


def test_slices_have_outages_in_minutes() -> None:
    up = np.ones(N)
    down = np.zeros(N)
    down[100:110] = 1
    (found,) = outages(timeline(up, down, unit="samples"))
    assert (found.start, found.recovered, found.bad) == (6000, 6600, 10)


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 2800), st.integers(1, 90), st.floats(0.002, 1.0)), max_size=6),
    st.sampled_from([0.9, 0.99, 0.999, 0.9999]),
    st.sampled_from([3.0, 200.0, 50_000.0]),
)
def test_incidents_are_in_order_apart_and_detected_inside(
    made: list[tuple[int, int, float]], objective: float, rate: float
) -> None:
    total, bad = traffic(*made, rate=rate)
    found = outages(timeline(total, bad), objective, allowed=total.sum() * (1 - objective))
    for incident in found:
        end = incident.recovered if incident.recovered is not None else N * 60
        assert incident.start < incident.detected <= end
        assert incident.bad == pytest.approx(bad[incident.start // 60 : end // 60].sum())
    for one, other in pairwise(found):
        assert one.recovered is not None
        assert other.start - one.recovered > 300


@settings(deadline=None, max_examples=100)
@given(st.integers(4320, 5000), st.integers(1, 90), st.floats(0.02, 1.0), st.sampled_from([0.99, 0.999, 0.9999]))
def test_outage_that_spends_two_percent_of_the_budget_in_an_hour_pages(
    first: int, length: int, ratio: float, objective: float
) -> None:
    found = outages(timeline(*traffic((first, length, ratio), rate=10_000, count=6000)), objective)
    needed = 14.4 * (1 - objective) * 60  # bad minutes in an hour: SRE Workbook ch. 5
    if length * ratio > needed * 1.001 and ratio > 14.4 * (1 - objective) * 1.001 and length <= 60:
        (incident,) = found
        assert (incident.start, incident.recovered) == (first * 60, (first + length) * 60)
        assert incident.alert == "page"
        assert incident.detect_seconds <= (needed / ratio + 1) * 60
