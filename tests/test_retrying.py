"""When a server wants to be asked again: everything that is sent as Retry-After, in good faith or not."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from sla_kit.retrying import retry_after


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), (" 7 ", 7.0), ("6.5", 6.5), ("0", 0.0), ("-5", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_a_number_or_a_date_says_how_long(text: str, seconds: float) -> None:
    assert retry_after(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "1e999", "Wed, 21 Oct 99999999999999999999 07:28:00 GMT"])
def test_what_says_nothing_usable_is_left_aside(text: str) -> None:
    assert retry_after(text) is None


@pytest.mark.parametrize("zone", [" GMT", " -0000", ""])
def test_a_date_is_in_utc_wherever_this_machine_is(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        seconds = retry_after(formatdate(time.time() + 1800).removesuffix(" -0000") + zone)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert seconds is not None
    assert 900 < seconds <= 1800
