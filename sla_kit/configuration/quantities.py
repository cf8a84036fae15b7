"""Durations and shares as people write them, and back."""

from __future__ import annotations

import math
import re
from decimal import Decimal

#: Seconds of each unit; a year is 365 days, as in Prometheus.
UNITS: dict[str, int | Decimal] = {
    "y": 31_536_000,
    "w": 604_800,
    "d": 86_400,
    "h": 3_600,
    "m": 60,
    "s": 1,
    "ms": Decimal("0.001"),
}

_WORDS = {
    "(milliseconds?|millis|msecs?)": "ms",
    "(seconds?|secs?)": "s",
    "(minutes?|mins?)": "m",
    "(hours?|hrs?)": "h",
    "days?": "d",
    "(weeks?|wks?)": "w",
    "(years?|yrs?)": "y",
}
_NUMBER = re.compile(r"[+-]?(\d[\d_]*(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_PART = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(ms|s|m|h|d|w|y)\s*", re.ASCII)


def parse_number(text: str) -> float:
    """A finite number; ``ValueError`` otherwise."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        raise ValueError("is not a number")
    number = float(text.replace("_", ""))
    if not math.isfinite(number):
        raise ValueError("is too large a number")
    return number


def parse_duration(text: str) -> float:
    """Seconds of "15m", "1h30m", "100ms", "30d"; a bare number is seconds. ``ValueError`` otherwise."""
    bare = text.strip()
    if _NUMBER.fullmatch(bare):
        seconds = parse_number(bare)
        if seconds < 0:
            raise ValueError("is negative")
        return seconds
    if bare.startswith("-"):
        raise ValueError("is negative or no duration")
    total, at = Decimal(0), 0
    while at < len(bare):
        part = _PART.match(bare, at)
        if part is None:
            raise ValueError("is not a duration")
        total += Decimal(part[1]) * UNITS[part[2]]
        at = part.end()
    seconds = float(total)
    if not bare or not math.isfinite(seconds):
        raise ValueError("is not a duration")
    return seconds


def meant_duration(text: str) -> str:
    """The hint for a duration in words, such as "15 min" or "1 hour 30 minutes"; empty where it is none."""
    short = text.strip().lower()
    for word, unit in _WORDS.items():
        short = re.sub(rf"(?<=[\d\s]){word}\b", unit, short)
    short = re.sub(r"\s+|,|\band\b", "", short)
    return f"write {short}" if re.fullmatch(f"({_PART.pattern})+", short) and len(short) < 40 else ""


def parse_ratio(text: str) -> float:
    """A share: "99.9%", "99.9 %", 99.9 and 0.999 are the same, since a bare number above 1 is a percentage.

    ``ValueError`` where it is none of these. Whether the share is possible is for the rules to say.
    """
    bare = text.strip()
    percent = bare.endswith("%")
    bare = bare.removesuffix("%").strip()
    number = parse_number(bare)
    if not percent and number <= 1:
        return number
    return float(Decimal(bare.replace("_", "")) / 100)


def format_duration(seconds: float) -> str | float:
    """The shortest way of writing a duration that reads back as the same float."""
    for unit, length in UNITS.items():
        count = Decimal(repr(seconds)) / length
        if count >= 1 and count == count.to_integral_value() and count < 10**9:
            text = f"{int(count)}{unit}"
            if parse_duration(text) == seconds:
                return text
    return seconds


def format_ratio(ratio: float) -> str | float:
    """A percentage where it reads back as the same float."""
    text = f"{Decimal(repr(ratio)) * 100:f}"
    text = (text.rstrip("0").rstrip(".") if "." in text else text) + "%"
    return text if len(text) < 20 and parse_ratio(text) == ratio else ratio
