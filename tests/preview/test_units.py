"""Values as Grafana writes them: its own tests' examples (packages/grafana-data/src/valueFormats) where it has some."""

from __future__ import annotations

import math

import pytest

from sla_kit.preview.units import text


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "told"),
    [
        # Plain numbers: three digits, or the decimals asked for.
        (98244, "short", None, "98.2 K"),
        (1_000_000, "short", None, "1 Mil"),
        (2_500_000_000, "short", 1, "2.5 Bil"),
        (0, "short", None, "0"),
        (0.0001234, "short", None, "0.000123"),
        (-1500, "short", None, "-1.50 K"),
        (1234.5, "none", None, "1235"),
        (12, "none", 2, "12.00"),
        # Shares.
        (0.5, "percentunit", None, "50%"),
        (0.9999, "percentunit", 3, "99.990%"),
        (0.0123, "percentunit", None, "1.23%"),
        (53, "percent", None, "53%"),
        (0.07, "percentunit", None, "7%"),
        # Times.
        (0, "s", None, "0 s"),
        (24, "s", None, "24 s"),
        (246, "s", None, "4.10 min"),
        (24567, "s", None, "6.82 hour"),
        (24567890, "s", 0, "41 week"),
        (0.096, "s", None, "96 ms"),
        (0.0000235, "s", 1, "23.5 µs"),
        (2400, "ms", None, "2.40 s"),
        (90, "m", 1, "1.5 hour"),
        # Bytes, and how many a second.
        (0, "bytes", None, "0 B"),
        (1024, "bytes", None, "1 KiB"),
        (5 * 1024**3, "bytes", None, "5 GiB"),
        (1_500_000, "decbytes", None, "1.50 MB"),
        (637_000, "Bps", None, "637 kB/s"),
        (13.66, "reqps", 1, "13.7 req/s"),
        (12_000, "ops", None, "12K ops/s"),
        (9_820, "cps", None, "9.82K c/s"),
        (1.5, "pps", None, "1.50 p/s"),
        # In words.
        (3725, "dtdurations", 1, "1 hour, 2 minutes"),
        (3725, "dtdurations", None, "1 hour"),
        (0, "dtdurations", None, "0 seconds"),
        (-120, "dtdurations", None, "2 minutes ago"),
        (0.25, "dtdurations", None, "250 milliseconds"),
        # What is no number.
        (math.nan, "s", None, "NaN"),
        (math.inf, "short", None, "∞"),
        (-math.inf, "percentunit", 2, "-∞"),
        # A unit of one's own.
        (3, "pods", None, "3 pods"),
        (1, "bool_yes_no", None, "Yes"),
    ],
)
def test_a_value_is_written_as_grafana_writes_it(value: float, unit: str, decimals: int | None, told: str) -> None:
    assert text(value, unit, decimals) == told


@pytest.mark.parametrize(
    ("seconds", "told"),
    # As the library moment documents its thresholds.
    [
        (-10, "a few seconds ago"),
        (60, "in a minute"),
        (-300, "5 minutes ago"),
        (3600, "in an hour"),
        (-7200, "2 hours ago"),
        (86400, "in a day"),
        (3 * 86400, "in 3 days"),
        (-30 * 86400, "a month ago"),
        (400 * 86400, "in a year"),
    ],
)
def test_a_moment_is_told_from_the_end_of_what_is_shown(seconds: int, told: str) -> None:
    assert text((1_000_000 + seconds) * 1000, "dateTimeFromNow", None, 1_000_000) == told


def test_nothing_has_no_sign() -> None:
    assert text(-0.0004, "short", 2) == "0.00"
    assert text(-0.0, "percentunit") == "0%"
