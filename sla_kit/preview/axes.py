"""The axes of a drawing: which values and times it shows, and what is written beside them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np

from sla_kit.preview.units import Scale, number
from sla_kit.timeline import Floats

#: A logarithmic axis shows no more decades than that below its highest value.
_DECADES = 5
_NICE = (1.0, 2.0, 2.5, 5.0, 10.0)
_MINUTES = (1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720)
_DAYS = (1, 2, 7, 14, 28, 91, 182, 365)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: where it is, from 0 to 1, and what is written there."""

    place: float
    label: str


@dataclass(frozen=True, slots=True)
class ValueAxis:
    """The values from ``low`` to ``high``, drawn from the bottom up."""

    low: float
    high: float
    logarithmic: bool
    ticks: tuple[Tick, ...]

    def up(self, values: Floats) -> Floats:
        """How far up values lie, from 0 to 1. What is nothing stands at the bottom of a logarithmic axis."""
        if not self.logarithmic:
            return (values - self.low) / (self.high - self.low)
        floor = np.where(np.isnan(values), values, np.maximum(values, self.low))
        return np.asarray(np.log10(floor / self.low) / math.log10(self.high / self.low), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Ends:
    """What a panel says of its axis: ends that are kept, and one that is reached at least."""

    minimum: float | None = None
    maximum: float | None = None
    soft_minimum: float | None = None
    logarithmic: bool = False
    unit: str = "short"


def value_axis(values: Floats, ends: Ends, most: int) -> ValueAxis:
    """The axis for these values, with about ``most`` ticks."""
    known = values[np.isfinite(values)]
    if ends.logarithmic and (known > 0).any():
        return _logarithmic(known[known > 0], ends, most)
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
    if ends.soft_minimum is not None:
        low = min(low, ends.soft_minimum)
    if high - low < 1e-9 * max(abs(high), abs(low)):
        # Nothing but one value: it stands in the middle, or is the zero that an axis begins with.
        spread = abs(high) * 0.1 if low else 1.0
        low, high = (low - spread if low else low), high + spread
    low = low if ends.minimum is None else ends.minimum
    high = high if ends.maximum is None else ends.maximum
    if high <= low:
        high = low + (abs(low) * 0.1 or 1.0)
    scale = Scale.of(ends.unit, max(abs(low), abs(high)))
    step = _step((high - low) / scale.divisor, most) * scale.divisor
    if ends.minimum is None and low != 0:
        low = min(low, math.floor(low / step + 0.02) * step)
    if ends.maximum is None:
        # Room above the highest line, up to a tick where that is near.
        high = max(high + 0.05 * (high - low), high)
        above = math.ceil(high / step - 1e-9) * step
        high = above if above - high < 0.5 * step else high
    counts = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    decimals = _decimals(step / scale.divisor)
    # Nothing is nothing in any unit: 0 s below 20 min.
    nothing = Scale.of(ends.unit, 0.0).text(0.0, 0)
    labels = (number(count * step / scale.divisor, decimals) + scale.suffix if count else nothing for count in counts)
    ticks = tuple(Tick((count * step - low) / (high - low), label) for count, label in zip(counts, labels, strict=True))
    return ValueAxis(low, high, False, ticks)


def _logarithmic(known: Floats, ends: Ends, most: int) -> ValueAxis:
    top = float(known.max()) if ends.maximum is None else ends.maximum
    power = math.floor(math.log10(top) + 1e-9)
    high = next(factor * 10.0**power for factor in (1, 2, 5, 10) if factor * 10.0**power >= top * (1 - 1e-9))
    last = math.log10(float(known.min()))
    low = 10.0 ** max(math.floor(last + 1e-9), power - _DECADES)
    if ends.minimum is not None and ends.minimum > 0:
        low = ends.minimum
    if high <= low:
        high = low * 10
    powers = range(math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9) + 1)
    every = max(1, -(-len(powers) // (most + 2)))
    marks = [10.0**each for each in powers if (each - powers[0]) % every == 0]
    if len(powers) <= 2:
        marks = [factor * 10.0**each for each in (*powers, powers[-1] + 1) for factor in (1, 2, 5)]
    span = math.log10(high / low)
    ticks = tuple(
        Tick(math.log10(mark / low) / span, _plain(mark, ends.unit))
        for mark in marks
        if low * (1 - 1e-9) <= mark <= high * (1 + 1e-9)
    )
    return ValueAxis(low, high, True, ticks)


def _decimals(step: float) -> int:
    """How many decimals multiples of a step need."""
    return next((count for count in range(12) if abs(step * 10**count - round(step * 10**count)) < 1e-6 * step), 12)


def _plain(mark: float, unit: str) -> str:
    """A round number with no more decimals than it needs."""
    scale = Scale.of(unit, mark)
    return scale.text(mark, _decimals(mark / scale.divisor))


def _step(span: float, most: int) -> float:
    """The round number that divides a span into no more than so many parts."""
    rough = span / max(1, most)
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in _NICE if factor * power >= rough * (1 - 1e-9))


def time_ticks(start: float, end: float, zone: tzinfo, most: int) -> tuple[Tick, ...]:
    """Full minutes, hours or days of a time zone between two times (epoch seconds), no more than ``most``."""
    span = max(end - start, 1.0)
    begun = datetime.fromtimestamp(start, UTC).astimezone(zone)
    midnight = begun.replace(hour=0, minute=0, second=0, microsecond=0)
    minutes = next((each for each in _MINUTES if span / 60 / each <= most), 0)
    days = 0 if minutes else next((each for each in _DAYS if span / 86400 / each <= most), _DAYS[-1] * 10)
    found = []
    for at in _times(midnight, minutes, days, end):
        place = (at.timestamp() - start) / span
        if 0 <= place <= 1:
            day = f"{at.day} {at:%b}"
            found.append(Tick(place, day if days or (at.hour, at.minute) == (0, 0) else f"{at:%H:%M}"))
    return tuple(found)


def _times(midnight: datetime, minutes: int, days: int, end: float) -> Iterable[datetime]:
    """Times on the clock of the zone, also across a change of it: a day begins anew at its midnight."""
    day = midnight
    if days > 1:
        day -= timedelta(days=midnight.toordinal() % days)
    while day.timestamp() <= end:
        if days:
            yield day
            day += timedelta(days=days)
            continue
        for minute in range(0, 1440, minutes):
            yield day + timedelta(minutes=minute)
        day += timedelta(days=1)
