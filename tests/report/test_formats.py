"""Figures as text: enough digits, and never a figure that contradicts its verdict."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.report import formats
from tests.report.sample import ZONE, at

ratios = st.floats(0, 1, allow_nan=False)
objectives = st.sampled_from([0.5, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9995, 0.9999, 0.99999])


@pytest.mark.parametrize(
    ("ratio", "objective", "text"),
    [
        (0.99987, 0.9999, "99.987 %"),
        (0.9715, 0.95, "97.2 %"),
        (1.0, 0.9999, "100 %"),
        (0.0, 0.99, "0 %"),
        (None, 0.99, "–"),
        (0.9998996, 0.9999, "99.9900 %".replace("99.9900", "99.98996")),
        (0.9999999, 0.999, "99.99999 %"),
        (0.5, None, "50.0 %"),
    ],
)
def test_a_percentage_has_the_digits_that_its_objective_needs(
    ratio: float | None, objective: float | None, text: str
) -> None:
    assert formats.percent(ratio, objective) == text


@settings(deadline=None, max_examples=300)
@given(ratios, objectives)
def test_a_shown_percentage_is_on_the_same_side_of_the_objective(ratio: float, objective: float) -> None:
    shown = float(formats.percent(ratio, objective).removesuffix(" %").replace(",", "").replace("−", "-")) / 100
    # Closer to the objective than nine decimals of a percentage, nothing readable could tell them apart.
    if abs(ratio - objective) > 1e-11:
        assert (round(shown, 14) >= objective) == (ratio >= objective)
    assert abs(shown - ratio) <= 0.5 * 10 ** -(formats.digits_of(objective) + 2) + 1e-12


@settings(deadline=None, max_examples=200)
@given(ratios)
def test_a_share_is_never_a_false_zero_or_a_false_hundred(ratio: float) -> None:
    text = formats.share(ratio)
    if text == "100 %":
        assert ratio > 1 - 1e-10
    if text == "0 %":
        assert ratio < 1e-10


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"), (0.0873, "87 ms"), (0.0005, "0.5 ms"), (0.9996, "1 s"), (1.25, "1.25 s"), (45, "45 s"),
        (59.99, "1 min"), (750, "12 min 30 s"), (3600, "1 h"), (3900, "1 h 5 min"), (3599.7, "1 h"),
        (86_399, "1 d"), (273_600, "3 d 4 h"), (-90, "−1 min 30 s"), (None, "–"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_durations_are_told_in_their_two_largest_units(seconds: float | None, text: str) -> None:
    assert formats.duration(seconds) == text


_SECONDS = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}


@settings(deadline=None, max_examples=300)
@given(st.floats(0.001, 1e8))
def test_a_duration_reads_back_closely(seconds: float) -> None:
    words = formats.duration(seconds).split()
    told = sum(float(number) * _SECONDS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))
    assert told == pytest.approx(seconds, rel=0.05 if seconds < 0.1 else 0.021)


@pytest.mark.parametrize(
    ("change", "objective", "text"),
    [(0.00012, 0.9999, "+0.012 pp"), (-0.01, 0.95, "−1.0 pp"), (0.0, 0.95, "±0 pp"), (None, 0.9, "–")],
)
def test_changes_are_in_percentage_points_with_a_sign(change: float | None, objective: float, text: str) -> None:
    assert formats.points(change, objective) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1204, "1,204"),
        (0.4, "0.4"),
        (17.28, "17.3"),
        (0.013, "0.01"),
        (1234.6, "1,235"),
        (-3, "−3"),
        (1e15, "1,000,000,000,000,000"),
    ],
)
def test_counts_are_grouped_in_threes(number: float, text: str) -> None:
    assert formats.count(number) == text


def test_events_agree_with_their_number() -> None:
    assert formats.events(1, "outages") == "1 outage"
    assert formats.events(2, "outages") == "2 outages"
    assert formats.events(0, "requests") == "0 requests"


@pytest.mark.parametrize(
    ("number", "text"), [(14.4, "14.4×"), (0.3, "0.30×"), (121.3, "121×"), (9.999, "10.0×"), (None, "–")]
)
def test_burn_rates_have_three_figures(number: float | None, text: str) -> None:
    assert formats.rate(number) == text


def test_times_are_shown_in_the_catalogues_time_zone() -> None:
    moment = int(datetime.fromisoformat("2026-09-20T00:14:00+00:00").timestamp())
    assert formats.moment(moment, ZONE) == "Sat 19 Sep 2026, 20:14"
    assert formats.rfc3339(moment) == "2026-09-20T00:14:00Z"


def test_a_stretch_of_whole_days_names_its_last_day_and_not_the_midnight_after() -> None:
    assert formats.span(at("2026-09-14T00:00"), at("2026-09-21T00:00"), ZONE) == "Mon 14 Sep 2026 – Sun 20 Sep 2026"
    assert formats.span(at("2026-09-14T00:00"), at("2026-09-15T00:00"), ZONE) == "Mon 14 Sep 2026"
    assert formats.span(at("2026-09-14T02:00"), at("2026-09-14T03:30"), ZONE) == "Mon 14 Sep 2026, 02:00 – 03:30"


def test_whole_days_stay_whole_over_the_end_of_daylight_saving() -> None:
    assert formats.span(at("2026-11-01T00:00"), at("2026-11-02T00:00"), ZONE) == "Sun 1 Nov 2026"
