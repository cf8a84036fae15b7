"""How figures become text: the one place, so that HTML, Markdown and the terminal agree to the digit.

Every function takes the full number and returns plain text with ordinary spaces, in the language spoken
(`sla_kit.report.language`); what is unknown (None) is an en dash. JSON and CSV don't come here: they hold the full
numbers.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from zoneinfo import ZoneInfo

from sla_kit.report.language import _, language, ngettext

UNKNOWN = "–"
MINUS = "−"
_MOST_DIGITS = 9


def digits_of(objective: float | None) -> int:
    """Decimals of a percentage judged by ``objective`` (ratio): one more than the objective itself has, at least 1.

    99.99 % has two, so 99.987 % is shown with three; 95 % gets one.
    """
    if objective is None:
        return 1
    exponent = _percentage(objective).normalize().as_tuple().exponent
    return min(max(1, 1 - int(exponent)), _MOST_DIGITS)


def percent(ratio: float | None, objective: float | None = None) -> str:
    """A ratio as a percentage, with the digits that its objective needs.

    Rounding never tells a lie about the verdict: where it would carry the figure across the objective or up to a
    clean 100 %, or down to a clean 0 %, digits are added until it doesn't.
    """
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    exact = _percentage(ratio)
    if exact in (0, 100):
        return _share_sign(f"{exact:.0f}")
    goal = None if objective is None else _percentage(objective)
    if goal is not None and abs(exact - goal) < Decimal(1).scaleb(-_MOST_DIGITS):
        exact = goal  # no number of digits tells them apart; the sums they come from are not that exact either
    for digits in range(digits_of(objective), _MOST_DIGITS + 1):
        rounded = _round(exact, digits)
        if goal is not None and (rounded >= goal) != (exact >= goal):
            continue
        if rounded in (0, 100) and rounded != exact:
            continue
        break
    return _share_sign(_signed(rounded))


def objective_percent(objective: float | None) -> str:
    """An objective as it was declared: 99.99 %, 95 %."""
    if objective is None:
        return UNKNOWN
    text = f"{_round(_percentage(objective), _MOST_DIGITS):f}".rstrip("0").rstrip(".")
    return _share_sign(_local_number(text))


def share(ratio: float | None) -> str:
    """A share of something (a budget, a coverage): whole percents, one decimal under 10 %, never a false 0 or 100."""
    if ratio is None or not math.isfinite(ratio):
        return UNKNOWN
    exact = _percentage(ratio)
    for digits in range(1 if abs(exact) < 10 else 0, _MOST_DIGITS + 1):
        rounded = _round(exact, digits)
        if rounded not in (0, 100) or rounded == exact:
            break
    if rounded == 0 or abs(rounded) >= 10_000:
        rounded = _round(exact, 0)
    return _share_sign(_signed(rounded))


def points(change: float | None, objective: float | None = None) -> str:
    """A difference of two ratios in percentage points, with its sign: +0.012 pp."""
    if change is None or not math.isfinite(change):
        return UNKNOWN
    exact = _percentage(change)
    first = digits_of(objective)
    for digits in range(first, min(first + 3, _MOST_DIGITS) + 1):
        rounded = _round(exact, digits)
        if rounded != 0:
            return _("{points} pp", points=f"{'+' if rounded > 0 else ''}{_signed(rounded)}")
    return _("{points} pp", points="±0")


def count(number: float | None) -> str:
    """A number of events: whole ones in groups of three, fractions (counts across a gap) with one decimal, or with as
    many as show that they are not nothing (the hundredth of an outage that a budget may allow)."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    exact = Decimal(repr(float(number)))
    rounded = _round(exact, 0)
    if abs(exact) < 1000 and exact != rounded:
        rounded = _round(exact, 1)
        if rounded == rounded.to_integral_value():
            rounded = _round(exact, 0)
        if not rounded and abs(exact) >= Decimal("0.0001"):
            rounded = _round(exact, -exact.adjusted())
    return _signed(rounded)


def events(number: float | None, unit: str) -> str:
    """A number of events with its unit: 1 outage, 1,204 requests."""
    text = count(number)
    if number is None:
        return text
    shown = 1 if text == "1" else number if abs(number) >= 2 else 2
    match unit:
        case "requests":
            return ngettext("{count} request", "{count} requests", shown, count=text)
        case "samples":
            return ngettext("{count} sample", "{count} samples", shown, count=text)
        case "minutes":
            return ngettext("{count} minute", "{count} minutes", shown, count=text)
        case "outages":
            return ngettext("{count} outage", "{count} outages", shown, count=text)
        case _:
            return f"{text} {unit}"


def unit_name(unit: str) -> str:
    """What events are called, many of them: requests, samples."""
    match unit:
        case "requests":
            return _("requests")
        case "samples":
            return _("samples")
        case "minutes":
            return _("minutes")
        case "outages":
            return _("outages")
        case _:
            return unit


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units: 87 ms, 1.25 s, 45 s, 12 min 30 s, 1 h 5 min, 3 d 4 h."""
    if seconds is None or not math.isfinite(seconds):
        return UNKNOWN
    if seconds < 0:
        return MINUS + duration(-seconds)
    if seconds == 0:
        return _("{number} s", number="0")
    if seconds < 0.9995:
        milliseconds = seconds * 1000
        text = f"{milliseconds:.0f}" if milliseconds >= 9.95 else f"{float(f'{milliseconds:.2g}'):g}"
        return _("{number} ms", number=_local_number(text))
    if seconds < 59.95:
        return _("{number} s", number=_local_number(f"{float(f'{seconds:.3g}'):g}"))
    for unit, size, smaller, part in (("d", 86400, "h", 3600), ("h", 3600, "min", 60), ("min", 60, "s", 1)):
        whole = round(seconds / part)
        big, small = divmod(whole, size // part)
        if big:
            return f"{_in_unit(big, unit)} {_in_unit(small, smaller)}" if small else _in_unit(big, unit)
    raise AssertionError("every length from a minute up is a minute and seconds at least")


def _in_unit(number: int, unit: str) -> str:
    text = _local_number(str(number))
    match unit:
        case "d":
            return _("{number} d", number=text)
        case "h":
            return _("{number} h", number=text)
        case "min":
            return _("{number} min", number=text)
        case _:
            return _("{number} s", number=text)


def minutes(number: float | None) -> str:
    """Minutes of an error budget as a length of time."""
    return UNKNOWN if number is None else duration(number * 60)


def rate(number: float | None) -> str:
    """A burn rate: 14.4×, 0.30×."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    if number == 0:
        return "0×"
    digits = 0 if abs(number) >= 99.95 else 1 if abs(number) >= 9.995 else 2
    return f"{_signed(_round(Decimal(repr(float(number))), digits))}×"


def plain(number: float | None) -> str:
    """A number without a unit that we know of (a gauge): four significant digits, whole ones in groups."""
    if number is None or not math.isfinite(number):
        return UNKNOWN
    if abs(number) >= 1000:
        return count(round(number))
    return _local_number(f"{float(f'{number:.4g}'):g}").replace("-", MINUS)


def measured(value: float | None, kind: str) -> str:
    """The measured figure of an SLO: a gauge for a bound, a share for a probe, otherwise seconds."""
    if kind == "bound":
        return plain(value)
    return share(value) if kind == "probe" else duration(value)


def quantile(ratio: float) -> str:
    """A quantile's short name: p95, p99.9."""
    return _("p{percent}", percent=_local_number(f"{float(f'{ratio * 100:.6g}'):g}"))


def number(value: float | None) -> float | None:
    """A number as JSON holds it: None for what isn't finite, an int where that is exact (numpy's numbers too)."""
    if value is None:
        return None
    value = float(value)
    if not math.isfinite(value):
        return None
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


def rfc3339(time: float | None) -> str | None:
    """Epoch seconds as RFC 3339 in UTC, None for None."""
    if time is None:
        return None
    text = datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds" if float(time).is_integer() else "auto")
    return text.replace("+00:00", "Z")


def moment(time: float | None, timezone: str) -> str:
    """A moment in the catalogue's time zone: Sat 19 Sep 2026, 20:14."""
    if time is None:
        return UNKNOWN
    local = _local(time, timezone)
    return f"{_day(local)}, {_clock(local)}"


def day(time: float, timezone: str) -> str:
    """A day in the catalogue's time zone: Sat 19 Sep 2026."""
    return _day(_local(time, timezone))


def short_day(time: float, timezone: str) -> str:
    """A day without its year, for an axis: 19 Sep."""
    return language().conventions.short_day(_local(time, timezone))


def clock(time: float, timezone: str) -> str:
    """The time of day: 20:14."""
    return _clock(_local(time, timezone))


def span(start: float, end: float, timezone: str) -> str:
    """A stretch of time; whole days as days (the last one included), a stretch inside one day with the day once."""
    first, last = _local(start, timezone), _local(end, timezone)
    if _midnight(first) and _midnight(last) and end > start:
        final = _local(end - 1, timezone)
        return _day(first) if first.date() == final.date() else f"{_day(first)} – {_day(final)}"
    if first.date() == last.date():
        return f"{_day(first)}, {_clock(first)} – {_clock(last)}"
    return f"{_day(first)}, {_clock(first)} – {_day(last)}, {_clock(last)}"


def iso_day(date: str) -> str:
    """A day of the calendar that is written as ISO 8601 has it."""
    conventions = language().conventions
    return date if conventions.tag == "en" else conventions.day(datetime.fromisoformat(date))


def hour(number: int) -> str:
    """The beginning of an hour of the day, 0 to 24: 20:00."""
    return language().conventions.clock(datetime(2000, 1, 1, number % 24))


def times(multiple: int) -> str:
    """A whole multiple: 10×."""
    return f"{_local_number(str(multiple))}×"


def verdict(met: bool | None) -> str:
    """Met, missed or can't tell."""
    return _("Can't tell") if met is None else _("Met") if met else _("Missed")


def _local(time: float, timezone: str) -> datetime:
    return datetime.fromtimestamp(time, ZoneInfo(timezone))


def _midnight(local: datetime) -> bool:
    return (local.hour, local.minute, local.second) == (0, 0, 0)


def _day(local: datetime) -> str:
    return language().conventions.day(local)


def _clock(local: datetime) -> str:
    return language().conventions.clock(local)


def _percentage(ratio: float) -> Decimal:
    # repr keeps 0.9999 exactly 99.99; 15 digits hide the noise of 0.999 computed as 0.9990000000000001.
    return Decimal(f"{float(ratio):.15g}") * 100


def _round(number: Decimal, digits: int) -> Decimal:
    return number.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)


def _signed(number: Decimal) -> str:
    text = _local_number(f"{abs(number):,f}")
    return MINUS + text if number < 0 else text


def _local_number(text: str) -> str:
    return language().conventions.number(text)


def _share_sign(number: str) -> str:
    return language().conventions.percent(number)
