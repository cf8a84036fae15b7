"""Windows that follow each other from a moment of their own."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.catalogue.model import Window
from sla_kit.engine.anchored import anchored_start
from sla_kit.engine.windows import period_of

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp())


@pytest.mark.parametrize(
    ("window", "moment", "begun"),
    [
        # 1 January 2022 is a Saturday: weeks from Saturday noon, on the wall clock across both changes of 2022.
        (Window(calendar="week", start="2022-01-01T12:00:00"), "2022-01-08T12:00", "2022-01-01T12:00"),
        (Window(calendar="week", start="2022-01-01T12:00:00"), "2022-01-08T12:01", "2022-01-08T12:00"),
        (Window(calendar="week", start="2022-01-01T12:00:00"), "2022-03-14T00:00", "2022-03-12T12:00"),
        (Window(calendar="week", start="2022-01-01T12:00:00"), "2022-11-12T11:00", "2022-11-05T12:00"),
        (Window(calendar="week", start="2022-01-01T12:00:00"), "2021-12-31T00:00", "2021-12-25T12:00"),
        (Window(calendar="day", start="2022-01-01T06:00:00"), "2022-05-05T05:00", "2022-05-04T06:00"),
        # months from the 31st begin on the last day of shorter ones
        (Window(calendar="month", start="2022-01-31T00:00:00"), "2022-02-28T00:01", "2022-02-28T00:00"),
        (Window(calendar="month", start="2022-01-31T00:00:00"), "2022-03-30T00:00", "2022-02-28T00:00"),
        (Window(calendar="quarter", start="2022-02-15T00:00:00"), "2022-05-14T00:00", "2022-02-15T00:00"),
        (Window(calendar="year", start="2022-04-01T00:00:00"), "2026-03-31T00:00", "2025-04-01T00:00"),
        (Window(rolling=14 * 86400.0, start="2022-01-01T00:00:00"), "2022-01-20T00:00", "2022-01-15T00:00"),
    ],
)
def test_the_window_that_holds_a_moment_began(window: Window, moment: str, begun: str) -> None:
    period = period_of(window, at(moment), "America/New_York")
    assert datetime.fromtimestamp(period.start, NEW_YORK).isoformat()[:16] == begun
    assert period.end == at(moment)


@settings(deadline=None)
@given(
    kind=st.sampled_from(["day", "week", "month", "quarter", "year"]),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2025, 1, 1)),
    moment=st.integers(at("2019-01-01T00:00"), at("2030-01-01T00:00")),
)
def test_windows_lie_end_to_end(kind: str, start: datetime, moment: int) -> None:
    window = Window(calendar=kind, start=start.replace(microsecond=0).isoformat())  # type: ignore[arg-type]
    begun = anchored_start(window, moment, NEW_YORK)
    assert begun < moment
    assert anchored_start(window, begun + 1, NEW_YORK) == begun
    assert anchored_start(window, begun, NEW_YORK) < begun
    longest = {"day": 1, "week": 7, "month": 31, "quarter": 92, "year": 366}[kind]
    assert moment - begun <= longest * 86400 + 3600
