"""The alert windows that follow from an SLO's own window. Light: rules are generated without arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sla_kit.catalogue.model import Window

DAY = 86400
#: The length that a calendar window is taken to have where a rule needs one that does not change from month to month.
_NOMINAL: dict[str, int] = {"day": DAY, "week": 7 * DAY, "month": 30 * DAY, "quarter": 90 * DAY, "year": 365 * DAY}
#: The share of the window's budget that may be spent before somebody is told, and the share of the window in which:
#: 2 % in 1 h, 5 % in 6 h and 10 % in 3 d of 30 days. SRE Workbook ch. 5, table 5-8.
_RULES: tuple[tuple[Literal["page", "ticket"], float, float], ...] = (
    ("page", 0.02, 1 / 720),
    ("page", 0.05, 1 / 120),
    ("ticket", 0.10, 1 / 10),
)
_SHORT_SHARE = 1 / 12
#: The windows of burn rates that the exporter publishes of every SLO, seconds; those of its own pairs come on top.
BURN_WINDOWS = (300, 1800, 3600, 21600, 86400, 259200)
_UNITS = {"d": DAY, "h": 3600, "m": 60}


@dataclass(frozen=True, slots=True)
class AlertPair:
    """One multi-window alert: it fires while the burn rate over the last ``long`` and over the last ``short`` seconds
    are both above ``factor``. ``budget_share`` of the window's budget is spent by then."""

    severity: Literal["page", "ticket"]
    long: int
    short: int
    factor: float
    budget_share: float


def alert_pairs(window_seconds: int, bucket: int, allowed_ratio: float) -> tuple[AlertPair, ...]:
    """The alert pairs of an SLO whose own window is that long, and of whose events ``allowed_ratio`` may be bad; most
    urgent first.

    The workbook's windows are those of 30 days; for other lengths they are the same shares of the window, in whole
    buckets, so that an alert still means the same share of the budget. The short window is a twelfth of the long one.
    No window is shorter than a bucket and none longer than a third of the SLO's; the factor is what spends the share
    of the budget in the long window as it then is. Where all events being bad would burn no faster, the long window is
    as long as half of them being bad needs to spend that share, and the factor no more than half of what can burn.
    """
    pairs: list[AlertPair] = []
    longest = max(window_seconds // 3 // bucket, 1) * bucket
    for severity, budget_share, window_share in _RULES:
        spends = budget_share * window_seconds  # this long, at a burn rate of 1
        long = min(_whole(window_seconds * window_share, bucket), longest)
        factor = spends / long
        if allowed_ratio > 0 and factor >= highest_burn(allowed_ratio):
            long = min(-(-round(2 * spends / highest_burn(allowed_ratio)) // bucket) * bucket, longest)
            factor = min(spends / long, highest_burn(allowed_ratio) / 2)
        short = min(_whole(long * _SHORT_SHARE, bucket), long)
        pairs.append(AlertPair(severity, long, short, factor, budget_share))
    return tuple(pairs)


def highest_burn(allowed_ratio: float) -> float:
    """The burn rate of an SLO that has only bad events: none is higher."""
    return 1 / allowed_ratio


def nominal_seconds(window: Window) -> int:
    """The length of a window in seconds; a month counts 30 days, a quarter 90, a year 365."""
    if window.rolling is not None:
        return int(window.rolling)
    return _NOMINAL[window.calendar] if window.calendar is not None else 30 * DAY


def _whole(seconds: float, bucket: int) -> int:
    """The nearest whole number of buckets, at least one, in seconds."""
    return max(1, round(seconds / bucket)) * bucket


def duration_name(seconds: int) -> str:
    """A length as a person writes it: "30d", "36h", "90m"; the largest unit of days or less that divides it."""
    for unit in ("d", "h", "m"):
        if seconds and seconds % _UNITS[unit] == 0:
            return f"{seconds // _UNITS[unit]}{unit}"
    return f"{seconds}s"


def window_label(window: Window) -> str:
    """What a window is called that never changes its name: "30d", or "month" for the running one."""
    if window.rolling is None and window.calendar is not None and not window.start:
        return window.calendar
    return duration_name(nominal_seconds(window))
