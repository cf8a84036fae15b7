"""Composites against hand-worked figures, and what must hold of any parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue, Composite, Part, Probe, Recovery, Requests, Service, Slo, Window
from sla_kit.engine.context import Context, Judgement
from sla_kit.engine.evaluate import grid_for, judge, judge_composite, judge_recovery
from sla_kit.engine.results import SloResult
from sla_kit.engine.windows import parse_period
from sla_kit.timeline import Floats, Grid, Timeline, Unit
from tests.engine.builders import DAY, MONDAY

Combine = Literal["weighted", "worst", "all"]
REQUESTS = Requests(metric="r", bad={"code": "500"})
DAILY = Window(rolling=float(DAY))
NAMES = ("a", "b", "c", "d")


def a_part(name: str, **more: object) -> Service:
    return Service(name=name, slos=[Slo(name="x", sli=REQUESTS, objective=0.99, window=DAILY, **more)])  # type: ignore[arg-type]


def a_catalogue(sli: Composite, services: Sequence[Service], **more: object) -> Catalogue:
    slo = Slo(name="whole", sli=sli, objective=more.pop("objective", 0.9), window=DAILY, **more)  # type: ignore[arg-type]
    return Catalogue(name="test", services=[*services, Service(name="all", slos=[slo])])


def composite(combine: Combine, number: int, weights: Sequence[float] | None = None) -> Composite:
    parts = [Part(slo=f"{n}/x", weight=None if weights is None else weights[i]) for i, n in enumerate(NAMES[:number])]
    return Composite(combine=combine, of=parts)


def on(grid: Grid, values: dict[int, tuple[float, float]], coverage: float = 1.0, unit: Unit = "requests") -> Timeline:
    """A timeline whose last buckets hold (total, bad), counted back from the end; nothing elsewhere."""
    total, bad = np.zeros(grid.count), np.zeros(grid.count)
    for back, (events, errors) in values.items():
        total[-back], bad[-back] = events, errors
    return Timeline(grid, total - bad, total, np.full(grid.count, coverage), unit)


def judged(
    of: Catalogue,
    timelines: Sequence[Timeline | dict[int, tuple[float, float]]],
    window: str = "1d",
    maintenance: Sequence[Interval] = (),
) -> tuple[SloResult, dict[tuple[str, str], Judgement], Context]:
    context = Context(of, MONDAY, parse_period(window, MONDAY, "UTC"), tuple(maintenance), ())
    grid = grid_for(context)
    found: dict[tuple[str, str], Judgement] = {}
    services = {service.name: service for service in of.services}
    for name, given_one in zip(NAMES, timelines, strict=False):
        one = on(grid, given_one) if isinstance(given_one, dict) else given_one
        found[name, "x"] = judge(context, services[name], services[name].slos[0], one, keep_counts=True)
    service = services["all"]
    found["all", "whole"] = judge_composite(context, service, service.slos[0], found, keep_counts=True)
    return found["all", "whole"].result, found, context


def grid_of(of: Catalogue, window: str = "1d") -> Grid:
    return grid_for(Context(of, MONDAY, parse_period(window, MONDAY, "UTC"), (), ()))


def simply(
    combine: Combine, parts: Sequence[dict[int, tuple[float, float]]], weights: Sequence[float] | None = None
) -> SloResult:
    of = a_catalogue(composite(combine, len(parts), weights), [a_part(name) for name in NAMES[: len(parts)]])
    return judged(of, parts)[0]


def test_regions_under_one_promise_add_their_events() -> None:
    found = simply("weighted", [{1: (900, 0), 2: (100, 10)}, {1: (1000, 40)}])
    assert (found.figure.total, found.figure.bad, found.unit) == (2000, 50, "requests")
    assert found.figure.sli == pytest.approx(0.975)  # and not the mean of 99 % and 96 %
    assert [part.loss_share for part in found.parts] == pytest.approx([0.2, 0.8])
    assert [part.figure.sli for part in found.parts] == pytest.approx([0.99, 0.96])
    assert found.sli_range is None


def test_weights_weigh_the_figure_of_the_whole_period() -> None:
    # (1 x 0.99 + 3 x 0.96) / 4 = 0.9675 over two minutes in which something happened
    found = simply("weighted", [{1: (900, 0), 2: (100, 10)}, {1: (1000, 40)}], [1, 3])
    assert found.figure.sli == pytest.approx(0.9675)
    assert (found.unit, found.figure.total) == ("minutes", 2)
    assert found.figure.bad == pytest.approx(2 * 0.0325)
    assert [part.loss_share for part in found.parts] == pytest.approx([0.01 / 0.13, 0.12 / 0.13])
    assert found.figure.interval is None


def test_the_worst_part_is_the_figure() -> None:
    found = simply("worst", [{1: (900, 0), 2: (100, 10)}, {1: (1000, 40)}])
    assert found.figure.sli == pytest.approx(0.96)
    assert [part.loss_share for part in found.parts] == [0.0, 1.0]
    assert found.own.budget.left_ratio == pytest.approx((0.1 - 0.04) / 0.1)
    assert found.incidents == ()


def test_a_journey_passes_every_part_bucket_by_bucket() -> None:
    # Bucket 2: 100 journeys, 0.9 x 0.5 = 0.45 pass; bucket 1: 900, 1 x 0.96 pass.
    found = simply("all", [{1: (900, 0), 2: (100, 10)}, {1: (1000, 40), 2: (10, 5)}])
    assert (found.figure.total, found.unit) == (1000, "requests")
    assert found.figure.good == pytest.approx(45 + 864)
    assert found.sli_range is not None
    assert found.sli_range == pytest.approx(((0.4 * 100 + 864) / 1000, (0.5 * 100 + 864) / 1000))
    # Bucket 2 loses 55, by 0.1 to 0.5; bucket 1 loses 36, all by the second part.
    assert [part.loss_share for part in found.parts] == pytest.approx([55 / 6 / 91, (55 * 5 / 6 + 36) / 91])


def test_failures_in_different_minutes_are_not_multiplied_into_each_other() -> None:
    apart = simply("all", [{1: (100, 50), 2: (100, 0)}, {1: (100, 0), 2: (100, 50)}])
    together = simply("all", [{1: (100, 50), 2: (100, 0)}, {1: (100, 50), 2: (100, 0)}])
    assert apart.figure.sli == pytest.approx(0.5)
    assert together.figure.sli == pytest.approx(0.625)


def test_a_silent_part_lets_journeys_pass_and_a_silent_entry_has_none() -> None:
    found = simply("all", [{1: (100, 0)}, {2: (50, 50)}])
    assert (found.figure.total, found.figure.bad) == (100, 0)


def test_parts_may_be_composites() -> None:
    # all of (worst of a and b) and c: (1 - 0.2) x (1 - 0.1), for as many minutes as a or b have something
    inner = Slo(name="inner", sli=composite("worst", 2), objective=0.9, window=DAILY)
    outer = Composite(combine="all", of=[Part(slo="inner"), Part(slo="c/x")])
    of = Catalogue(
        name="t",
        services=[
            *(a_part(name) for name in "abc"),
            Service(name="all", slos=[Slo(name="whole", sli=outer, objective=0.5, window=DAILY), inner]),
        ],
    )
    context = Context(of, MONDAY, parse_period("1d", MONDAY, "UTC"), (), ())
    grid, found = grid_for(context), {}
    for service, values in zip(of.services, ((10, 2), (10, 1), (10, 1)), strict=False):
        found[service.name, "x"] = judge(context, service, service.slos[0], on(grid, {1: values}), keep_counts=True)
    own = of.services[-1]
    found["all", "inner"] = judge_composite(context, own, inner, found, keep_counts=True)
    whole = judge_composite(context, own, own.slos[0], found).result
    assert (whole.unit, whole.figure.total) == ("minutes", 1)
    assert whole.figure.sli == pytest.approx(0.8 * 0.9)
    assert whole.parts[0].kind == "composite"


def test_maintenance_counts_for_each_part_by_its_own_service() -> None:
    of = a_catalogue(composite("weighted", 2), [a_part("a"), a_part("b")])
    work = Interval(MONDAY - 60, MONDAY, "work", ("b",), "upgrade", "me")
    found, _, _ = judged(of, [{1: (100, 1)}, {1: (100, 50), 2: (100, 2)}], maintenance=[work])
    assert (found.figure.total, found.figure.bad) == (200, 3)
    assert (found.without_exclusions.total, found.without_exclusions.bad) == (300, 53)
    assert [exclusion.name for exclusion in found.exclusions] == ["work"]


@pytest.mark.parametrize(("combine", "weights"), [("weighted", None), ("weighted", (1.0, 2.0)), ("worst", None)])
def test_maintenance_of_its_own_service_takes_buckets_out_of_all_parts(
    combine: Combine, weights: Sequence[float] | None
) -> None:
    of = a_catalogue(composite(combine, 2, weights), [a_part("a"), a_part("b")])
    work = Interval(MONDAY - 60, MONDAY, "work", ("all",), "upgrade", "me")
    found, _, _ = judged(of, [{1: (100, 100), 2: (100, 1)}, {1: (100, 100), 2: (100, 1)}], maintenance=[work])
    assert found.figure.sli == pytest.approx(0.99)
    assert found.without_exclusions.sli == pytest.approx(0.495)


def silent(grid: Grid, coverage: float) -> Timeline:
    return Timeline(grid, np.zeros(grid.count), np.zeros(grid.count), np.full(grid.count, coverage))


@pytest.mark.parametrize(
    ("combine", "weights", "errors", "met"),
    [
        ("worst", None, 5, None),  # the missing part may be worse
        ("worst", None, 50, False),  # whatever it was, the other has missed already
        ("weighted", (9.0, 1.0), 50, False),  # (9 x 0.5 + 1) / 10 at best
        ("weighted", (999.0, 1.0), 0, True),  # 0.999 at worst
        ("weighted", (1.0, 1.0), 5, None),
        ("weighted", None, 50, None),  # who knows how much traffic it had
        ("all", None, 50, False),
        ("all", None, 0, None),
    ],
)
def test_a_part_without_data_leaves_it_open_unless_the_others_decide(
    combine: Combine, weights: Sequence[float] | None, errors: float, met: bool | None
) -> None:
    of = a_catalogue(composite(combine, 2, weights), [a_part("a"), a_part("b")])
    grid = grid_of(of)
    steady = Timeline(grid, np.full(grid.count, 100 - errors), np.full(grid.count, 100.0), np.ones(grid.count))
    found, _, _ = judged(of, [steady, silent(grid, 0.0)])
    assert found.figure.met is met
    assert ("b/x (no data)" in found.figure.reason) == (met is None)


@pytest.mark.parametrize(
    ("combine", "weights", "errors", "met"),
    [
        ("worst", None, 0, None),  # eight good ones say nothing, and might be the worst
        ("worst", None, 50, False),
        ("weighted", (1.0, 1.0), 0, None),
        ("weighted", (9.0, 1.0), 50, False),
        ("weighted", (99.0, 1.0), 0, True),  # 0.99 + 0.01 x 0.676 at worst
        ("weighted", None, 0, True),  # eight events among all the others
        ("all", None, 0, None),
        ("all", None, 50, False),
    ],
)
def test_a_part_with_too_few_events_is_worth_its_interval(
    combine: Combine, weights: Sequence[float] | None, errors: float, met: bool | None
) -> None:
    of = a_catalogue(composite(combine, 2, weights), [a_part("a"), a_part("b")])
    grid = grid_of(of)
    steady = Timeline(grid, np.full(grid.count, 100 - errors), np.full(grid.count, 100.0), np.ones(grid.count))
    found, _, _ = judged(of, [steady, on(grid, {1: (8, 0)})])
    assert found.parts[1].figure.reason == "too few events to say"
    assert found.figure.met is met


@pytest.mark.parametrize(
    ("combine", "weights"), [("weighted", None), ("worst", None), ("all", None), ("weighted", (2.0,))]
)
def test_a_composite_of_one_part_is_that_part(combine: Combine, weights: Sequence[float] | None) -> None:
    of = a_catalogue(composite(combine, 1, weights), [a_part("a")], objective=0.99)
    grid = grid_of(of)
    random = np.random.default_rng(7)
    total = random.poisson(200, grid.count).astype(np.float64)
    bad = random.binomial(total.astype(np.int64), 0.002).astype(np.float64)
    bad[-200:-180] = total[-200:-180] / 2
    one = Timeline(grid, total - bad, total, np.ones(grid.count))
    found, judgements, _ = judged(of, [one])
    part = judgements["a", "x"].result
    assert found.figure.sli == pytest.approx(part.figure.sli)
    assert found.figure.met is part.figure.met
    assert found.own.budget.left_ratio == pytest.approx(part.own.budget.left_ratio)
    rates, expected = ([rate.rate for rate in each.burn_rates] for each in (found, part))
    assert rates == pytest.approx(expected)
    assert found.heat is not None
    assert part.heat is not None
    np.testing.assert_allclose(found.heat.ratio, part.heat.ratio)
    assert found.burndown is not None
    assert part.burndown is not None
    assert found.burndown.left_ratio[-1] == pytest.approx(part.burndown.left_ratio[-1])
    if found.unit == "requests":
        assert [(i.start, i.detected, i.recovered) for i in found.incidents] == [
            (i.start, i.detected, i.recovered) for i in part.incidents
        ]
        assert len(found.incidents) == 1
        np.testing.assert_allclose(found.burndown.left_ratio, part.burndown.left_ratio)


def test_a_part_without_traffic_is_no_reason_to_doubt() -> None:
    of = a_catalogue(composite("worst", 2), [a_part("a"), a_part("b")])
    found, _, _ = judged(of, [{1: (1000, 5)}, silent(grid_of(of), 1.0)])
    assert found.figure.met is True
    assert found.parts[1].figure.reason == "no traffic"


def test_a_part_with_too_little_coverage_leaves_it_open() -> None:
    of = a_catalogue(composite("worst", 2), [a_part("a"), a_part("b", missing="fail", min_coverage=0.9)])
    grid = grid_of(of)
    found, _, _ = judged(of, [{1: (1000, 5)}, on(grid, {1: (1000, 5)}, coverage=0.5)])
    assert found.figure.met is None
    assert "coverage 50 % is under 90 %" in found.figure.reason


def test_a_journey_has_incidents_and_a_recovery_times_them() -> None:
    journey = Slo(name="whole", sli=composite("all", 2), objective=0.99, window=DAILY)
    recovery = Slo(name="recovers", sli=Recovery(of="whole", within=900.0), objective=0.9, window=DAILY)
    of = Catalogue(name="t", services=[a_part("a"), a_part("b"), Service(name="all", slos=[journey, recovery])])
    context = Context(of, MONDAY, parse_period("1d", MONDAY, "UTC"), (), ())
    grid = grid_for(context)
    total, bad = np.full(grid.count, 1000.0), np.zeros(grid.count)
    bad[-100:-90] = 500.0
    clean = Timeline(grid, total.copy(), total, np.ones(grid.count))
    broken = Timeline(grid, total - bad, total, np.ones(grid.count))
    found = {
        ("a", "x"): judge(context, of.services[0], of.services[0].slos[0], clean, keep_counts=True),
        ("b", "x"): judge(context, of.services[1], of.services[1].slos[0], broken, keep_counts=True),
    }
    service = of.services[2]
    whole = judge_composite(context, service, journey, found)
    [incident] = whole.result.incidents
    assert (incident.start, incident.recovered) == (MONDAY - 6000, MONDAY - 5400)
    assert incident.bad == pytest.approx(5000)
    timed = judge_recovery(context, service, recovery, whole).result
    assert (timed.figure.total, timed.figure.met) == (1, True)


def test_probes_and_requests_make_a_journey_of_requests() -> None:
    probe = Service(name="b", slos=[Slo(name="x", sli=Probe(), objective=0.99, window=DAILY)])
    of = a_catalogue(composite("all", 2), [a_part("a"), probe])
    grid = grid_of(of)
    down = on(grid, {1: (4, 4), 2: (4, 0)}, unit="samples")
    found, _, _ = judged(of, [{1: (100, 0), 2: (100, 0)}, down])
    assert (found.unit, found.figure.bad) == ("requests", 100)


def test_parts_that_kept_no_counts_are_refused() -> None:
    of = a_catalogue(composite("worst", 1), [a_part("a")])
    context = Context(of, MONDAY, parse_period("1d", MONDAY, "UTC"), (), ())
    lost = judge(context, of.services[0], of.services[0].slos[0], silent(grid_for(context), 1.0))
    with pytest.raises(ValueError, match="without keeping their counts"):
        judge_composite(context, of.services[1], of.services[1].slos[0], {("a", "x"): lost})


# --- what holds of any parts ----------------------------------------------------------------------------------------

_BUCKETS = 12
_EVENTS = st.lists(
    st.tuples(st.integers(0, 500), st.floats(0, 1)).map(lambda pair: (float(pair[0]), float(round(pair[0] * pair[1])))),
    min_size=_BUCKETS,
    max_size=_BUCKETS,
).filter(lambda values: any(total for total, _ in values))
_PARTS = st.lists(_EVENTS, min_size=2, max_size=4)
_WEIGHTS = st.lists(st.floats(0.1, 10), min_size=4, max_size=4)


def back(values: Sequence[tuple[float, float]]) -> dict[int, tuple[float, float]]:
    return {len(values) - index: pair for index, pair in enumerate(values)}


def sli_of(values: Sequence[tuple[float, float]]) -> float:
    return 1 - sum(bad for _, bad in values) / sum(total for total, _ in values)


def known(found: SloResult) -> float:
    assert found.figure.sli is not None
    return found.figure.sli


@settings(deadline=None, max_examples=60)
@given(_PARTS, _WEIGHTS)
def test_worst_is_at_most_the_weighted_which_is_at_most_the_best(
    parts: list[list[tuple[float, float]]], weights: list[float]
) -> None:
    slis = [sli_of(values) for values in parts]
    events = [back(values) for values in parts]
    assert known(simply("worst", events)) == pytest.approx(min(slis))
    for found in (simply("weighted", events), simply("weighted", events, weights)):
        assert min(slis) - 1e-9 <= known(found) <= max(slis) + 1e-9
    expected = sum(w * s for w, s in zip(weights, slis, strict=False)) / sum(weights[: len(slis)])
    assert known(simply("weighted", events, weights)) == pytest.approx(expected)


@settings(deadline=None, max_examples=60)
@given(_PARTS)
def test_added_events_are_the_sum(parts: list[list[tuple[float, float]]]) -> None:
    found = simply("weighted", [back(values) for values in parts])
    assert found.figure.total == sum(total for values in parts for total, _ in values)
    assert found.figure.bad == pytest.approx(sum(bad for values in parts for _, bad in values))


@settings(deadline=None, max_examples=60)
@given(_PARTS, st.randoms(use_true_random=False), _WEIGHTS)
def test_the_order_of_parts_does_not_matter(
    parts: list[list[tuple[float, float]]], random: object, weights: list[float]
) -> None:
    pairs = list(zip([back(values) for values in parts], weights, strict=False))
    mixed = pairs.copy()
    random.shuffle(mixed)  # type: ignore[attr-defined]
    for combine, weighed in (("weighted", False), ("weighted", True), ("worst", False)):
        one, other = (
            simply(combine, [events for events, _ in each], [weight for _, weight in each] if weighed else None)  # type: ignore[arg-type]
            for each in (pairs, mixed)
        )
        assert known(one) == pytest.approx(known(other))


@settings(deadline=None, max_examples=60)
@given(_PARTS)
def test_a_journey_is_within_its_range_and_no_better_than_any_part_for_its_own_journeys(
    parts: list[list[tuple[float, float]]],
) -> None:
    found = simply("all", [back(values) for values in parts])
    low, high = found.sli_range or (0.0, 0.0)
    assert low - 1e-9 <= known(found) <= high + 1e-9
    entry = np.array([total for total, _ in parts[0]])
    for values in parts:
        ratio = np.array([1 - bad / total if total else 1.0 for total, bad in values])
        assert known(found) <= float((entry * ratio).sum() / entry.sum()) + 1e-9


@settings(deadline=None, max_examples=40)
@given(_EVENTS, st.integers(1, 4), _WEIGHTS)
def test_equal_parts_are_the_part(values: list[tuple[float, float]], number: int, weights: list[float]) -> None:
    events = [back(values)] * number
    for found in (simply("weighted", events), simply("weighted", events, weights), simply("worst", events)):
        assert known(found) == pytest.approx(sli_of(values))


@settings(deadline=None, max_examples=40)
@given(_PARTS, _WEIGHTS)
def test_shares_of_the_loss_add_up(parts: list[list[tuple[float, float]]], weights: list[float]) -> None:
    events = [back(values) for values in parts]
    for found in (
        simply("weighted", events),
        simply("weighted", events, weights),
        simply("worst", events),
        simply("all", events),
    ):
        shares = [part.loss_share for part in found.parts]
        if found.figure.bad > 1e-9:
            assert sum(share or 0.0 for share in shares) == pytest.approx(1)
            assert all(-1e-12 <= (share or 0.0) <= 1 + 1e-12 for share in shares)


@settings(deadline=None, max_examples=30)
@given(_PARTS, _WEIGHTS)
def test_burn_rate_burn_down_and_heat_map_follow_the_same_rule(
    parts: list[list[tuple[float, float]]], weights: list[float]
) -> None:
    """Over the last hour the burn rate is that of a figure of that hour; the burn-down ends at the budget left."""
    number = len(parts)
    of = a_catalogue(composite("weighted", number, weights), [a_part(name) for name in NAMES[:number]], objective=0.95)
    found, _, _ = judged(of, [back(values) for values in parts])
    hour, _, _ = judged(of, [back(values) for values in parts], window="1h")
    assert found.burndown is not None
    assert found.burndown.left_ratio[-1] == pytest.approx(found.own.budget.left_ratio)
    rates = {rate.window_seconds: rate.rate for rate in found.burn_rates}
    longest = max(rates)
    assert longest > 3600
    assert rates[longest] == pytest.approx((1 - known(hour)) / 0.05)
    assert hour.heat is not None
    assert np.nanmax(hour.heat.ratio) == pytest.approx(1 - known(hour))


def test_a_long_quiet_night_weighs_nothing_where_slis_are_weighed_over_the_period() -> None:
    quiet: Floats = np.zeros(24 * 60)
    of = a_catalogue(composite("weighted", 2, (1.0, 1.0)), [a_part("a"), a_part("b")])
    grid = grid_of(of)
    total, bad = np.zeros(grid.count), np.zeros(grid.count)
    total[-len(quiet) :] = 1.0
    total[-1], bad[-1] = 1e6, 5e5
    burst = Timeline(grid, total - bad, total, np.ones(grid.count))
    calm = Timeline(grid, np.ones(grid.count), np.ones(grid.count), np.ones(grid.count))
    found, _, _ = judged(of, [burst, calm])
    assert known(found) == pytest.approx((1 - 5e5 / (1e6 + 1439) + 1) / 2)
