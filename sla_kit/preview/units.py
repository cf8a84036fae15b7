"""Values as Grafana writes them, by its names of units (grafana/packages/grafana-data/src/valueFormats)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: What belongs to a unit, from the smallest on: from which value on, by what it is divided, and what is written behind.
Steps = tuple[tuple[float, float, str], ...]

_MINUTE, _HOUR, _DAY, _WEEK, _YEAR = 60.0, 3600.0, 86400.0, 604800.0, 31_536_000.0
_TIME: Steps = (
    (0.0, 1e-9, " ns"), (1e-6, 1e-6, " µs"), (1e-3, 1e-3, " ms"), (1.0, 1.0, " s"), (_MINUTE, _MINUTE, " min"),
    (_HOUR, _HOUR, " hour"), (_DAY, _DAY, " day"), (_WEEK, _WEEK, " week"), (_YEAR, _YEAR, " year"),
)  # fmt: skip
_IN_SECONDS = {"ns": 1e-9, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": _MINUTE, "h": _HOUR, "d": _DAY}
#: Units that are told in words where they stand alone; an axis tells them in one unit.
_IN_WORDS = ("dtdurations", "dtdhms", "dthms", "clocks")
_PARTS = ((_YEAR, "year"), (2_592_000.0, "month"), (_WEEK, "week"), (_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"),
          (1.0, "second"), (1e-3, "millisecond"))  # fmt: skip
_COUNTED = {"reqps": "req/s", "ops": "ops/s", "rps": "rd/s", "wps": "wr/s", "iops": "io/s", "cps": "c/s",
            "eps": "evt/s", "mps": "msg/s", "recps": "rec/s", "rowsps": "rows/s"}  # fmt: skip


def _scaled(base: float, suffixes: Sequence[str], behind: str = "") -> Steps:
    return tuple(
        (base**power if power else 0.0, base**power, f"{suffix}{behind}") for power, suffix in enumerate(suffixes)
    )


_SI, _IEC = (" ", " k", " M", " G", " T", " P"), (" ", " Ki", " Mi", " Gi", " Ti", " Pi")
_STEPS: dict[str, Steps] = {
    "short": _scaled(1000, ("", " K", " Mil", " Bil", " Tri")),
    "none": ((0.0, 1.0, ""),),
    "": ((0.0, 1.0, ""),),
    "percent": ((0.0, 1.0, "%"),),
    "percentunit": ((0.0, 0.01, "%"),),
    "bytes": _scaled(1024, _IEC, "B"),
    "decbytes": _scaled(1000, _SI, "B"),
    "binBps": _scaled(1024, _IEC, "B/s"),
    "Bps": _scaled(1000, _SI, "B/s"),
    "bps": _scaled(1000, _SI, "b/s"),
    "pps": _scaled(1000, _SI, "p/s"),
    "hertz": _scaled(1000, _SI, "Hz"),
    **{unit: _scaled(1000, ("", "K", "M", "B", "T"), f" {name}") for unit, name in _COUNTED.items()},
}


@dataclass(frozen=True, slots=True)
class Scale:
    """What values are divided by before they are written, and what is written behind them."""

    divisor: float
    suffix: str

    @classmethod
    def of(cls, unit: str, largest: float) -> Scale:
        """The one in which a value of that size is told."""
        steps = _TIME if unit in _IN_SECONDS or unit in _IN_WORDS else _STEPS.get(unit, ((0.0, 1.0, f" {unit}"),))
        factor = _IN_SECONDS.get(unit, 1.0)
        size = abs(largest) * factor
        _, divisor, suffix = steps[0]
        if steps is _TIME and size == 0:
            return cls(1.0 / factor, " s")
        for least, by, behind in steps:
            if size >= least:
                divisor, suffix = by, behind
        return cls(divisor / factor, suffix)

    def text(self, value: float, decimals: int | None) -> str:
        """A value with so many decimals, or as many as make three digits."""
        return number(value / self.divisor, decimals) + self.suffix


def text(value: float, unit: str, decimals: int | None = None, now: float = 0.0) -> str:
    """A value as people read it. ``now`` is the moment that times are told from (epoch seconds)."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    if unit == "dateTimeFromNow":
        return _from_now(value / 1000 - now)
    if unit in _IN_WORDS:
        return _in_words(value, decimals or 0)
    if unit == "bool_yes_no":
        return "Yes" if value else "No"
    return Scale.of(unit, value).text(value, decimals)


def number(value: float, decimals: int | None) -> str:
    """A plain number; without ``decimals`` three digits, none behind the point of a whole one."""
    if decimals is None:
        whole = abs(value - round(value)) < 1e-9 * max(1.0, abs(value))
        decimals = 0 if whole or value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
    if decimals > 9 or abs(value) >= 1e15:
        return f"{value:.3g}"
    # Half is rounded up as people do it, and what is nothing has no sign.
    rounded = math.floor(abs(value) * 10**decimals + 0.5) / 10**decimals
    return f"{math.copysign(rounded, value) if rounded else 0.0:.{decimals}f}"


def _in_words(seconds: float, more: int) -> str:
    """2 hours, 5 minutes: from the largest unit on, and ``more`` units after it."""
    if seconds == 0:
        return "0 seconds"
    if seconds < 0:
        return f"{_in_words(-seconds, more)} ago"
    found: list[str] = []
    left = seconds
    for length, name in _PARTS:
        count = math.floor(left / length + 1e-9)
        if count or found:
            found.append(f"{count} {name}{'' if count == 1 else 's'}")
            left -= count * length
        if len(found) > more:
            break
    return ", ".join(found) or "0 seconds"


def _from_now(seconds: float) -> str:
    """As the library moment tells distances in time: in 3 hours, a day ago."""
    size = abs(seconds)
    for below, words, length in (
        (44.5, "a few seconds", 0.0), (89.5, "a minute", 0.0), (44.5 * 60, "{} minutes", 60.0),
        (89.5 * 60, "an hour", 0.0), (21.5 * 3600, "{} hours", 3600.0), (35.5 * 3600, "a day", 0.0),
        (25.5 * 86400, "{} days", 86400.0), (45.5 * 86400, "a month", 0.0), (319.5 * 86400, "{} months", 30.44 * 86400),
        (547.5 * 86400, "a year", 0.0), (math.inf, "{} years", 365.25 * 86400),
    ):  # fmt: skip
        if size < below:
            told = words.format(math.floor(size / length + 0.5) if length else "")
            return f"in {told}" if seconds > 0 else f"{told} ago"
    raise AssertionError("the last one takes all")
