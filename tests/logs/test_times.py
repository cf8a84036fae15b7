"""Times as logs write them."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.logs import times

AT = 1714564801123  # 2024-05-01T12:00:01.123Z


@pytest.mark.parametrize(
    "text",
    [
        "2024-05-01T12:00:01.123Z",
        "2024-05-01T14:00:01.123+02:00",
        "2024-05-01T14:00:01,123+0200",
        "2024-05-01 12:00:01,123",
        "2024-05-01 12:00:01.123 +00:00",
        "2024-05-01 12:00:01.123456789 UTC",
        "2024/05/01 12:00:01.123",
        "01/May/2024:12:00:01.123 +0000",
        "Wed May 01 12:00:01.123 2024",
        "1714564801.123",
        "1714564801123",
        "1714564801123456",
        "1714564801123456789",
    ],
)
def test_forms_of_a_time(text: str) -> None:
    assert times.from_text(text) == AT


@pytest.mark.parametrize(
    "text", ["Wed, 01 May 2024 12:00:01 GMT", "01/May/2024:12:00:01 +0000", "01/May/2024:12:00:01"]
)
def test_forms_with_whole_seconds(text: str) -> None:
    assert times.from_text(text) == AT // 1000 * 1000


def test_a_time_without_a_zone_is_of_the_zone_that_is_meant() -> None:
    assert times.from_text("2024-05-01 14:00:01.123", ZoneInfo("Europe/Berlin")) == AT
    assert times.from_text("2024-05-01T12:00:01.123Z", ZoneInfo("Europe/Berlin")) == AT


def test_syslog_leaves_the_year_out() -> None:
    assert times.from_text("May  1 12:00:01") is None
    assert times.from_text("May  1 12:00:01", year=2024) == AT // 1000 * 1000


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01T00:00:00Z", "42", "31/Feb/2024:12:00:00 +0000"])
def test_what_is_no_time(text: str) -> None:
    assert times.from_text(text) is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, 1e30])
def test_numbers_that_are_no_times(value: float) -> None:
    assert times.from_number(value) is None


@given(st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1)))
def test_what_is_written_is_read_back(moment: datetime) -> None:
    milliseconds = int(moment.replace(tzinfo=UTC, microsecond=0).timestamp()) * 1000 + moment.microsecond // 1000
    assert times.from_text(times.written(milliseconds)) == milliseconds
    assert times.from_text(moment.strftime("%d/%b/%Y:%H:%M:%S +0000")) == milliseconds // 1000 * 1000


@given(st.text(max_size=60))
def test_no_text_is_too_odd(text: str) -> None:
    times.from_text(text)
    times.from_text(text, year=2024)
