"""Bounds of samples hold as often as they say, and a rise is told from chance."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.error_tracking.bounds import added, clopper_pearson, rose, scaled, without
from sla_kit.error_tracking.results import Estimate
from sla_kit.error_tracking.sampling import LEAST, estimated, sizes


def test_the_interval_is_that_of_published_tables() -> None:
    # Documenta Geigy, Scientific Tables (1970), exact binomial limits at 95 %: 1 of 10, 5 of 10, 0 of 20.
    assert clopper_pearson(1, 10, 0.05) == pytest.approx((0.0025, 0.4450), abs=1e-4)
    assert clopper_pearson(5, 10, 0.05) == pytest.approx((0.1871, 0.8129), abs=1e-4)
    assert clopper_pearson(0, 20, 0.05) == pytest.approx((0.0, 0.1684), abs=1e-4)
    assert clopper_pearson(20, 20, 0.05) == pytest.approx((0.8316, 1.0), abs=1e-4)


@given(st.integers(1, 2000), st.data())
@settings(max_examples=150, deadline=None)
def test_bounds_enclose_the_estimate_and_what_is_possible(sample: int, data: st.DataObject) -> None:
    found = data.draw(st.integers(0, sample))
    population = data.draw(st.integers(sample, 10**7))
    estimate = scaled(found, sample, population)
    assert found <= estimate.low <= estimate.value <= estimate.high <= population - (sample - found) or estimate.exact
    assert scaled(found, sample, sample) == Estimate.exactly(found)


@pytest.mark.parametrize("population", [400, 3_000, 60_000])
def test_true_counts_lie_within_the_bounds_as_often_as_they_say(population: int) -> None:
    inside = tried = 0
    for seed in range(150):
        draw = random.Random(f"{population} {seed}")
        # Kinds of very different sizes, each with groups of very different sizes.
        kinds = [draw.randrange(1, population) for _ in range(draw.randrange(1, 5))]
        truth: Counter[tuple[str, str]] = Counter()
        parts = []
        for count, size in zip(kinds, sizes(kinds, 300), strict=True):
            groups = [("api", str(int(draw.paretovariate(0.7)) % 40)) for _ in range(count)]
            truth.update(groups)
            parts.append((Counter(draw.sample(groups, size)), size, count))
        for key, estimate in estimated(parts).items():
            tried += 1
            inside += estimate.low <= truth[key] <= estimate.high
    assert inside >= 0.95 * tried


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=60), st.integers(1, 10_000))
def test_every_kind_is_drawn_from(counts: list[int], sample: int) -> None:
    found = sizes(counts, sample)
    assert (
        all(min(count, LEAST) <= size <= count for count, size in zip(counts, found, strict=True))
        or sum(counts) <= sample
    )
    assert sum(found) <= sample + (LEAST + 1) * len(counts)


def test_a_rise_is_told_from_chance() -> None:
    # Of 20 events 15 later by chance alone: P(X >= 15 | 20, 1/2) = 0.0207; of 30, 24: 0.00072.
    assert not rose(15, 5)
    assert rose(24, 6)
    assert rose(20, 0)
    assert not rose(5, 5)
    assert not rose(0, 0)


def test_sums_and_differences_keep_their_bounds() -> None:
    total = added([Estimate(10, 8, 13), Estimate.exactly(5)])
    assert total == Estimate(15, 13, 18)
    assert without(Estimate.exactly(20), total) == Estimate(5, 2, 7)
    assert without(Estimate.exactly(15), total) == Estimate(0, 0, 2)
    assert without(Estimate.exactly(0.3), Estimate(0.1 + 0.2 - 1e-12, 0.2, 0.4)).value == 0
