"""Values as Grafana writes them, by its names of units (grafana/packages/grafana-data/src/valueFormats)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

_SHORT = ("", " K", " Mil", " Bil", " Tri")
_BINARY = (" B", " KiB", " MiB", " GiB", " TiB", " PiB")
_DECIMAL = (" B", " kB", " MB", " GB", " TB", " PB")
_PER_SECOND = {"reqps": " req/s", "ops": " ops/s", "rps": " rd/s", "wps": " wr/s", "iops": " io/s", "cps": " c/s",
               "pps": " p/s", "eps": " evt/s", "mps": " msg/s"}  # fmt: skip
_SECONDS = ((1e-9, " ns", 1e-9), (1e-6, " µs", 1e-6), (1.0, " ms", 1e-3), (60.0, " s", 1.0), (3600.0, " mins", 60.0),
            (86400.0, " hours", 3600.0), (604800.0, " days", 86400.0))  # fmt: skip
_SCALES = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_PARTS = ((86400, "d"), (3600, "h"), (60, "m"), (1, "s"))


def text(value: float, unit: str, decimals: int | None = None, now: float = 0.0) -> str:
    """A value as people read it. ``now`` is the moment that times are told from (epoch seconds)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit in _SCALES:
        return _duration(value * _SCALES[unit], decimals)
    made = _FORMATS.get(unit)
    if made is not None:
        return made(value, decimals)
    if unit in _PER_SECOND:
        return _scaled(value, 1000.0, _SHORT, decimals) + _PER_SECOND[unit]
    if unit in ("dtdurations", "clocks", "dtdhms"):
        return _parts(value)
    if unit == "dateTimeFromNow":
        seconds = value / 1000 - now
        return f"in {_parts(seconds)}" if seconds > 0 else f"{_parts(-seconds)} ago"
    return _scaled(value, 1000.0, _SHORT, decimals) + (f" {unit}" if unit not in ("", "short", "none") else "")


def _number(value: float, decimals: int | None) -> str:
    """With the decimals that are asked for, or as many as three digits take."""
    if decimals is None:
        size = abs(value)
        decimals = 0 if size >= 100 or value == int(value) else 1 if size >= 10 else 2 if size >= 1 else 3
        return f"{value:.{decimals}f}".rstrip("0").rstrip(".") if decimals else f"{value:.0f}"
    return f"{value:.{decimals}f}"


def _scaled(value: float, base: float, suffixes: Sequence[str], decimals: int | None) -> str:
    step = 0
    while abs(value) >= base and step + 1 < len(suffixes):
        value, step = value / base, step + 1
    return f"{_number(value, decimals)}{suffixes[step]}"


def _duration(seconds: float, decimals: int | None) -> str:
    if seconds == 0:
        return "0 s"
    for below, suffix, scale in _SECONDS:
        if abs(seconds) < below:
            return f"{_number(seconds / scale, decimals)}{suffix}"
    return f"{_number(seconds / 604800, decimals)} weeks"


def _parts(seconds: float) -> str:
    sign, left = "-" if seconds < 0 else "", abs(seconds)
    found = []
    for length, name in _PARTS:
        count, left = divmod(left, length)
        if count:
            found.append(f"{int(count)}{name}")
    return sign + (" ".join(found[:2]) or "0s")


_FORMATS: dict[str, Callable[[float, int | None], str]] = {
    "percentunit": lambda value, decimals: f"{_number(value * 100, decimals)}%",
    "percent": lambda value, decimals: f"{_number(value, decimals)}%",
    "bytes": lambda value, decimals: _scaled(value, 1024.0, _BINARY, decimals),
    "decbytes": lambda value, decimals: _scaled(value, 1000.0, _DECIMAL, decimals),
    "binBps": lambda value, decimals: _scaled(value, 1024.0, _BINARY, decimals) + "/s",
    "Bps": lambda value, decimals: _scaled(value, 1000.0, _DECIMAL, decimals) + "/s",
    "none": lambda value, decimals: _number(value, decimals),
    "bool_yes_no": lambda value, decimals: "yes" if value else "no",
}
