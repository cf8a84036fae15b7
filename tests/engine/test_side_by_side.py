"""Two SLOs that measure the same by different means: do they tell the same, and where not?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sla_kit
from sla_kit.catalogue.logs import Comparison
from sla_kit.catalogue.model import (
    Calendar,
    Catalogue,
    LogEvents,
    LogLatency,
    Missing,
    Occasion,
    Requests,
    Service,
    Sli,
    Slo,
    Window,
)
from sla_kit.engine.agreement import SideBySide, relative
from sla_kit.engine.results import Evaluation
from sla_kit.report.owners import for_owner
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.timeline import Floats, Grid, Timeline
from tests.engine.builders import DAY, MONDAY

HOUR = 3600
METRICS, LOGS = Requests(metric="r_total", bad={"code": "500"}), LogEvents(bad="status:500")


class Given:
    """A source that holds what it is given of the last day: total and bad events, and coverage, by SLO."""

    name = "given"

    def __init__(self, counts: Mapping[str, tuple[Floats, Floats, Floats]]) -> None:
        self.counts = counts

    def span(self) -> tuple[int, int] | None:
        return None

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        for indicator in indicators:
            told = self.counts[indicator.key[1].removesuffix(":sli")]
            total, bad, coverage = (np.zeros(grid.count) for _ in range(3))
            for whole, part in zip((total, bad, coverage), told, strict=True):
                whole[grid.slice(MONDAY - DAY, MONDAY)] = part
            yield indicator, Timeline(grid, total - bad, total, coverage)

    def close(self) -> None:
        pass


def buckets(total: float = 100.0, bad: float = 0.0, coverage: float = 1.0) -> tuple[Floats, Floats, Floats]:
    return np.full(1440, total), np.full(1440, bad), np.full(1440, coverage)


def shop(
    within: float = 0.0005,
    total_within: float | None = None,
    *,
    first: Sli = LOGS,
    second: Sli = METRICS,
    missing: Missing = "ignore",
    maintenance: Sequence[Occasion] = (),
) -> Catalogue:
    day = Window(rolling=float(DAY))
    comparison = Comparison(slo="api/availability", within=within, total_within=total_within)
    return Catalogue(
        name="shop",
        calendar=Calendar(maintenance=list(maintenance)),
        services=[
            Service(
                name="edge",
                owner="platform",
                slos=[
                    Slo(name="by-logs", sli=first, objective=0.99, window=day, compare_with=comparison, missing=missing)
                ],
            ),
            Service(name="api", owner="api", slos=[Slo(name="availability", sli=second, objective=0.99, window=day)]),
        ],
    )


def judged(
    catalogue: Catalogue,
    logs: tuple[Floats, Floats, Floats],
    metrics: tuple[Floats, Floats, Floats],
    services: Sequence[str] = (),
) -> tuple[Evaluation, SideBySide]:
    source = Given({"by-logs": logs, "availability": metrics})
    found = sla_kit.evaluate(catalogue, source, "1d", MONDAY, services=services)
    [compared] = found.comparisons
    return found, compared


def test_the_same_figures_agree() -> None:
    found, compared = judged(shop(), buckets(bad=1), buckets(bad=1))
    assert compared.agree is True
    assert (compared.difference, compared.total_difference, compared.reason, compared.most) == (0.0, 0.0, "", ())
    assert (compared.first.means, compared.second.means) == ("logs", "metrics")
    assert compared.first.figure == found["edge", "by-logs"].figure
    assert not [finding for slo in found.slos for finding in slo.findings if finding.kind == "disagreement"]
    assert found.findings == ()


def test_a_small_difference_is_told_with_the_digits_that_it_needs() -> None:
    _, compared = judged(shop(), buckets(100_000, 960), buckets(100_000, 899))
    assert compared.reason == "availability by logs 99.04 % and by metrics 99.10 % differ by 0.061 %, more than 0.05 %"


def test_a_difference_over_the_bound_is_a_finding_of_the_slo_and_of_the_whole() -> None:
    found, compared = judged(shop(), buckets(10_000, 9), buckets(10_000, 1))
    said = "availability by logs 99.91 % and by metrics 99.99 % differ by 0.08 %, more than 0.05 %"
    assert compared.agree is False
    assert compared.difference == pytest.approx(-0.0008)
    [of_slo] = [finding for finding in found["edge", "by-logs"].findings if finding.kind == "disagreement"]
    assert of_slo.message == said == compared.reason
    assert [finding.message for finding in found.findings] == [said]
    assert found["edge", "by-logs"].figure.met is True


def test_a_difference_at_the_bound_is_none() -> None:
    assert judged(shop(within=0.01), buckets(100, 2), buckets(100, 1))[1].agree is True


def test_lost_lines_show_in_the_totals() -> None:
    found, compared = judged(shop(total_within=0.01), buckets(95), buckets(100))
    assert compared.total_difference == pytest.approx(0.05)
    assert compared.agree is False
    said = "availability by logs 136800 events and by metrics 144000 events differ by 5 %, more than 1 %"
    assert compared.reason == said
    assert judged(shop(), buckets(95), buckets(100))[1].agree is True
    assert found["edge", "by-logs"].figure.met is True


def test_two_of_the_same_means_are_called_by_their_names() -> None:
    slow = LogLatency(threshold=0.1)
    _, compared = judged(shop(first=slow, second=LOGS), buckets(100, 2), buckets(100, 1))
    assert compared.reason.startswith("edge/by-logs 98 % and api/availability 99 % differ by 1 %")


@pytest.mark.parametrize(
    ("logs", "metrics", "reason"),
    [
        (buckets(0, 0, 0), buckets(), "nothing was observed of edge/by-logs"),
        (buckets(), buckets(coverage=0.5), "only 50 % of api/availability was observed, 90 % are needed"),
        (buckets(0), buckets(), "one of the two has no events"),
        (buckets(0), buckets(0), "no events to compare"),
    ],
)
def test_where_too_little_is_known_the_verdict_stays_open(
    logs: tuple[Floats, Floats, Floats], metrics: tuple[Floats, Floats, Floats], reason: str
) -> None:
    _, compared = judged(shop(), logs, metrics)
    assert compared.agree is None
    assert compared.reason == reason
    assert (compared.total_difference is None) is reason.startswith(("nothing was", "no events"))
    assert not (compared.most and reason.startswith("nothing was"))


def test_no_documents_at_all_beside_many_requests_is_a_disagreement_of_totals() -> None:
    assert judged(shop(total_within=0.5), buckets(0), buckets())[1].agree is False


def test_the_hours_that_differ_most_are_told_the_worst_first() -> None:
    total, bad, coverage = buckets(100, 1)
    lost = bad.copy()
    lost[60 * 5 : 60 * 5 + 30] = 0
    lost[60 * 9 : 60 * 10] = 0
    _, compared = judged(shop(), (total, lost, coverage), (total, bad, coverage))
    midnight = MONDAY - DAY
    assert [(each.start - midnight) // HOUR for each in compared.most] == [9, 5]
    assert compared.most[0].end == compared.most[0].start + HOUR
    assert compared.most[0].bad == (0.0, 60.0)
    assert compared.most[1].bad == (30.0, 60.0)
    assert compared.most[0].total == (6000.0, 6000.0)


def test_where_no_bad_events_differ_the_totals_tell_where() -> None:
    total, bad, coverage = buckets(100)
    lost = total.copy()
    lost[60 * 7 : 60 * 8] = 50
    _, compared = judged(shop(), (lost, bad, coverage), (total, bad, coverage))
    [worst] = compared.most
    assert worst.start == MONDAY - DAY + 7 * HOUR
    assert worst.total == (3000.0, 6000.0)


def test_maintenance_is_left_out_of_the_difference_and_in_the_other_one() -> None:
    total, bad, coverage = buckets(100)
    lost = bad.copy()
    lost[:60] = 100
    work = Occasion(name="work", start="2026-09-27T00:00", end="2026-09-27T01:00", reason="r", approved_by="a")
    _, compared = judged(shop(maintenance=[work]), (total, lost, coverage), (total, bad, coverage))
    assert compared.agree is True
    assert compared.difference == 0
    assert compared.whole_difference == pytest.approx(-1 / 24)
    assert compared.most == ()


def test_what_is_compared_with_is_judged_even_if_its_service_is_not_asked_for() -> None:
    found, compared = judged(shop(), buckets(), buckets(50), services=["edge"])
    assert [slo.key for slo in found.slos] == [("edge", "by-logs")]
    assert compared.second.figure.total == 50 * 1440


def test_an_owner_gets_the_comparisons_of_their_own() -> None:
    found, _ = judged(shop(), buckets(), buckets())
    assert len(for_owner(found, shop(), "platform").comparisons) == 1
    assert for_owner(found, shop(), "api").comparisons == ()


_EVENTS = st.integers(0, 1000)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(_EVENTS, st.floats(0, 1), _EVENTS, st.floats(0, 1)), min_size=1, max_size=24),
    st.floats(0.0001, 0.5),
    st.none() | st.floats(0.001, 1),
)
def test_a_comparison_is_what_the_two_say_of_themselves(
    hours: list[tuple[int, float, int, float]], within: float, total_within: float | None
) -> None:
    sides = []
    for place in (0, 2):
        total, bad, coverage = buckets(0)
        for hour, each in enumerate(hours):
            total[60 * hour] = float(each[place])
            bad[60 * hour] = float(np.floor(each[place] * each[place + 1]))
        sides.append((total, bad, coverage))
    found, compared = judged(shop(within, total_within), sides[0], sides[1])
    logs, metrics = (found[key].figure for key in (("edge", "by-logs"), ("api", "availability")))
    assert (compared.first.figure, compared.second.figure) == (logs, metrics)
    assert compared.total_difference == relative(logs.total, metrics.total)
    if logs.sli is None or metrics.sli is None:
        assert compared.difference is None
        assert compared.agree is not True
    else:
        apart = abs(logs.sli - metrics.sli)
        assert compared.difference == logs.sli - metrics.sli
        totals = compared.total_difference or 0.0
        if apart > within + 1e-9 or (total_within is not None and totals > total_within + 1e-9):
            assert compared.agree is False
        elif apart < within - 1e-9 and (total_within is None or totals < total_within - 1e-9):
            assert compared.agree is True
    told = [abs(each.bad[0] - each.bad[1]) for each in compared.most]
    assert told == sorted(told, reverse=True)
    apart_by_hour = np.abs(sides[0][1] - sides[1][1]).reshape(24, 60).sum(axis=1)
    if apart_by_hour.max() > 0:
        assert told[0] == apart_by_hour.max()
    again, mirrored = judged(shop(within, total_within), sides[1], sides[0])
    assert mirrored.agree == compared.agree
    assert mirrored.total_difference == compared.total_difference
    assert (len(again.findings) > 0) is (compared.agree is False or bool(found.findings))


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_share_of_the_larger_is_a_share_and_the_same_either_way(one: float, other: float) -> None:
    share = relative(one, other)
    assert share == relative(other, one)
    assert share is None if one == other == 0 else share is not None and 0 <= share <= 1
