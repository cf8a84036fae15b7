"""Rows of the ledger: every bit comes back, whatever the buckets hold."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sla_kit.errors import LedgerError
from sla_kit.ledger.bounds import with_common_bounds
from sla_kit.ledger.rows import DAY_SECONDS, changed, cut, digest, joined, marks, pack, split, unpack
from sla_kit.timeline import Finding, Grid, Histogram, Timeline

ODD = [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324, 2.0**53, 2.0**60, 1 / 3, 255.0, 256.0, -1.0]


def same(left: npt.NDArray[np.float64] | None, right: npt.NDArray[np.float64] | None) -> bool:
    if left is None or right is None:
        return left is right
    return left.shape == right.shape and np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


def alike(left: Timeline, right: Timeline) -> bool:
    columns = ("good", "total", "coverage", "value", "completed")
    if not all(same(getattr(left, name), getattr(right, name)) for name in columns):
        return False
    if (left.histogram is None) != (right.histogram is None) or left.unit != right.unit:
        return False
    if left.histogram is not None and right.histogram is not None:
        return same(left.histogram.bounds, right.histogram.bounds) and same(
            left.histogram.counts, right.histogram.counts
        )
    return True


def column(count: int) -> st.SearchStrategy[npt.NDArray[np.float64]]:
    whole = arrays.arrays(np.float64, count, elements=st.integers(-70_000, 70_000).map(float))
    plain = arrays.arrays(np.float64, count, elements=st.floats(width=64))
    mixed = arrays.arrays(np.float64, count, elements=st.sampled_from(ODD))
    constant = st.sampled_from(ODD).map(lambda value: np.full(count, value))
    return st.one_of(whole, plain, mixed, constant)


@st.composite
def timelines(draw: st.DrawFn) -> Timeline:
    count = draw(st.integers(1, 40))
    total = draw(column(count))
    good = draw(st.one_of(column(count), st.just(total)))
    bounds = np.array(draw(st.lists(st.floats(0, 10), max_size=4, unique=True).map(sorted)))
    histogram = None
    if draw(st.booleans()):
        counts = np.column_stack([draw(column(count)) for _ in bounds]) if bounds.size else np.zeros((count, 0))
        histogram = Histogram(bounds, counts)
    return Timeline(
        Grid(DAY_SECONDS * 20_000, 60, count),
        good,
        total,
        draw(column(count)),
        draw(st.sampled_from(["requests", "samples", "minutes"])),
        draw(st.none() | column(count)),
        draw(st.none() | column(count)),
        histogram,
        tuple(draw(st.lists(st.builds(Finding, st.text(max_size=5), st.text(max_size=20)), max_size=2))),
    )


@given(timelines())
def test_what_is_packed_comes_back_bit_for_bit(timeline: Timeline) -> None:
    back = unpack(pack(timeline), timeline.grid)
    assert alike(back, timeline)
    assert back.findings == timeline.findings
    assert digest(back, 0) == digest(timeline, 0)


@given(timelines(), st.data())
def test_any_changed_float_changes_the_digest(timeline: Timeline, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, timeline.grid.count - 1))
    total = timeline.total.copy()
    total.view(np.uint64)[at] ^= np.uint64(1 << data.draw(st.integers(0, 63)))
    changed = Timeline(timeline.grid, timeline.good, total, timeline.coverage, timeline.unit)
    bare = Timeline(timeline.grid, timeline.good, timeline.total, timeline.coverage, timeline.unit)
    assert digest(changed, 0) != digest(bare, 0)


@given(timelines(), st.data())
def test_a_changed_bucket_is_found_without_the_day_as_it_was(timeline: Timeline, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, timeline.grid.count - 1))
    assert changed(marks(timeline), timeline) == []
    total = timeline.total.copy()
    total.view(np.uint64)[at] ^= np.uint64(1 << data.draw(st.integers(0, 63)))
    other = replace(timeline, total=total)
    assert changed(marks(timeline), other) in ([at], [])  # one of 256 changes leaves a line or a column as it was


def test_almost_every_changed_bucket_is_found() -> None:
    sevens = np.full(1440, 7.0)
    timeline = Timeline(Grid(DAY_SECONDS * 20_000, 60, 1440), sevens, sevens, sevens)
    before, found = marks(timeline), 0
    for at in range(1440):
        good = timeline.good.copy()
        good[at] -= 1
        found += changed(before, replace(timeline, good=good)) == [at]
    assert found > 0.98 * 1440
    assert len(before) == 76


@given(timelines(), st.integers(0, 10_000), st.integers(0, 7))
def test_a_damaged_payload_is_an_error_or_another_digest(timeline: Timeline, place: int, bit: int) -> None:
    payload = bytearray(pack(timeline))
    payload[place % len(payload)] ^= 1 << bit
    try:
        back = unpack(bytes(payload), timeline.grid)
    except LedgerError:
        return
    # A flip in the header of the compressed form may change nothing that it holds.
    assert alike(back, timeline) or digest(back, 0) != digest(timeline, 0)


def test_a_quiet_day_of_a_probe_takes_some_dozen_bytes() -> None:
    count = 1440
    grid = Grid(DAY_SECONDS * 20_000, 60, count)
    timeline = Timeline(grid, np.full(count, 4.0), np.full(count, 4.0), np.ones(count), "samples", np.ones(count))
    assert len(pack(timeline)) < 120


def test_a_busy_day_of_requests_takes_less_than_three_bytes_a_bucket() -> None:
    count = 1440
    total = np.random.default_rng(3).poisson(1200, count).astype(np.float64)
    good = total.copy()
    good[700:710] -= 3
    timeline = Timeline(Grid(DAY_SECONDS * 20_000, 60, count), good, total, np.ones(count))
    assert len(pack(timeline)) < 3 * count
    assert alike(unpack(pack(timeline), timeline.grid), timeline)


@given(st.integers(0, 3000), st.integers(1, 4000))
def test_days_joined_are_the_stretch_that_was_split(offset: int, count: int) -> None:
    start = DAY_SECONDS * 20_000 + offset * 60
    grid = Grid(start - 600, 60, count + 20)
    values = np.arange(grid.count, dtype=np.float64)
    timeline = Timeline(grid, values, values * 2, np.ones(grid.count), value=values)
    end = start + count * 60
    rows = split(timeline, start, end)
    assert all((row.timeline.grid.start - row.day * DAY_SECONDS) == row.first * 60 for row in rows)
    assert all(row.first + row.count <= 1440 for row in rows)
    whole = joined([row.timeline for row in rows])
    assert alike(whole, cut(timeline, start, end))
    assert whole.grid == Grid(start, 60, count)


def test_a_finding_goes_to_the_day_it_starts_in_and_one_of_the_margin_to_none() -> None:
    start = DAY_SECONDS * 20_000
    grid = Grid(start - 3600, 60, 2 * 1440 + 120)
    ones = np.ones(grid.count)
    late = Finding("late", "in the second day", 1, start + DAY_SECONDS + 60, start + DAY_SECONDS + 120)
    outside = Finding("early", "before all", 1, start - 600, start - 540)
    always = Finding("always", "of no time")
    rows = split(Timeline(grid, ones, ones, ones, findings=(late, outside, always)), start, start + 2 * DAY_SECONDS)
    assert [row.timeline.findings for row in rows] == [(always,), (late,)]


def test_histograms_with_other_bounds_keep_those_that_all_have() -> None:
    first = Grid(DAY_SECONDS * 20_000, 60, 2)
    second = Grid(first.end, 60, 2)
    ones = np.ones(2)
    old = Histogram(np.array([0.1, 0.5, np.inf]), np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]))
    new = Histogram(np.array([0.1, 0.25, np.inf]), np.array([[4.0, 5.0, 6.0], [4.0, 5.0, 6.0]]))
    parts = [
        Timeline(first, ones, ones, ones, histogram=old),
        Timeline(second, ones, ones, ones, histogram=new),
        Timeline(Grid(second.end, 60, 2), ones, ones, ones),
    ]
    whole = joined(with_common_bounds(parts))
    assert whole.histogram is not None
    assert whole.histogram.bounds.tolist() == [0.1, np.inf]
    assert whole.histogram.counts.tolist() == [[1, 3], [1, 3], [4, 6], [4, 6], [0, 0], [0, 0]]
    assert {finding.kind for finding in whole.findings} == {"buckets-changed"}


def test_a_row_of_another_length_than_it_says_is_refused() -> None:
    grid = Grid(DAY_SECONDS * 20_000, 60, 3)
    ones = np.ones(3)
    with pytest.raises(LedgerError, match="3 buckets where the row says 2"):
        unpack(pack(Timeline(grid, ones, ones, ones)), Grid(grid.start, 60, 2))
