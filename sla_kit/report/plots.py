"""The report's pictures: small multiples as SVG that sits inside the page.

Each is drawn at the width of a phone and in the page's own colours (CSS variables), so that one picture serves paper,
phone and desk, light and dark. They are written line by line, since a page of them takes a plotting library longer than
all its tables. The same evaluation always gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from sla_kit.report import formats
from sla_kit.report.language import _, language, ngettext
from sla_kit.report.rows import slo_name

if TYPE_CHECKING:
    from sla_kit.engine.results import Burndown, HeatMap, SloResult

WIDTH = 360
_MOST_POINTS = 400
_TOP, _BOTTOM = 12, 164

#: The heat map's steps: errors as multiples of what the objective allows, from light to dark so that they can be told
#: apart without colour. Each is (up to, colour).
HEAT_STEPS: tuple[tuple[float, str], ...] = (
    (0.0, "#e9eff5"),
    (1.0, "#b7cfe6"),
    (10.0, "#f2a65a"),
    (100.0, "#c8431f"),
    (float("inf"), "#5e0b24"),
)


def heat_legend() -> list[tuple[str, str]]:
    """Each step's colour and what it stands for."""
    times = formats.times
    words = (
        _("no errors"),
        _("up to {times} the allowed", times=times(1)),
        _("up to {times}", times=times(10)),
        _("up to {times}", times=times(100)),
        _("over {times}", times=times(100)),
    )
    return [(colour, text) for (_limit, colour), text in zip(HEAT_STEPS, words, strict=True)]


def burndown(slo: SloResult, timezone: str, name: str, palette: Mapping[str, str] | None = None) -> str:
    """The error budget left over the SLO's own window as an SVG; ``name`` keeps its ids apart from other plots'.

    ``palette`` gives the colours behind the page's CSS variables where it must stand without them. The
    report's window is shaded, incidents are marked where they began.
    """
    assert slo.burndown is not None
    times, left = _thinned(slo.burndown)
    percents = left * 100
    low = min(0.0, float(np.nanmin(percents)))
    ticks, last = _percent_ticks(low), float(left[-1])
    # Room for the longest label at either side, by the width of a wide font's figures.
    first_x = 8 + 7.2 * max(len(label) for label in ticks.values())
    last_x = WIDTH - 10 - 8.2 * len(formats.share(last))
    begin, end = int(times[0]), max(int(times[-1]), int(times[0]) + 1)
    margin = (100 - low) * 0.06

    def across(time: float) -> float:
        return float(first_x + (time - begin) / (end - begin) * (last_x - first_x))

    def down(percent: float) -> float:
        return float(_BOTTOM - (percent - low + margin) / (100 - low + 2 * margin) * (_BOTTOM - _TOP))

    colour = _colours(palette)
    points = _with_crossings(times.tolist(), percents.tolist())
    zero = down(0)
    window = [min(max(across(time), first_x), last_x) for time in (slo.window.start, slo.window.end)]
    parts = [
        f'<rect x="{window[0]:.1f}" y="{_TOP}" width="{window[1] - window[0]:.1f}" height="{_BOTTOM - _TOP}" '
        f'style="fill:{colour("plot-band")}"/>'
    ]
    for percent, label in ticks.items():
        y = down(percent)
        parts.append(_rule(first_x, y, last_x, y, colour("line"), 0.8))
        parts.append(_text(first_x - 4, y + 4, label, colour("muted"), "end"))
    for clip, fill, opacity in ((max, "plot-left", 0.22), (min, "plot-debt", 0.35)):
        edge = "L".join(f"{across(time):.1f} {down(clip(percent, 0.0)):.1f}" for time, percent in points)
        area = f"M{across(begin):.1f} {zero:.1f}L{edge}L{across(int(times[-1])):.1f} {zero:.1f}Z"
        parts.append(f'<path d="{area}" style="fill:{colour(fill)};fill-opacity:{opacity}"/>')
    parts.append(_rule(first_x, zero, last_x, zero, colour("ink"), 1))
    line = "L".join(f"{across(time):.1f} {down(percent):.1f}" for time, percent in points)
    parts.append(f'<path d="M{line}" style="fill:none;stroke:{colour("plot-left")};stroke-width:1.8"/>')
    for incident in slo.incidents:
        if begin <= incident.start <= times[-1]:
            x, y = across(incident.start), down(float(np.interp(incident.start, times, percents)))
            parts.append(
                f'<path d="M{x - 4:.1f} {y - 3.5:.1f}h8l-4 7z" '
                f'style="fill:{colour("plot-debt")};stroke:{colour("face")};stroke-width:1"/>'
            )
    for time, label in _time_ticks(begin, int(times[-1]), timezone):
        parts.append(_text(across(time), _BOTTOM + 15, label, colour("muted"), "middle"))
    ink = colour("plot-debt" if last < 0 else "ink")
    parts.append(_text(last_x + 5, down(last * 100) + 4, formats.share(last), ink, "start", bold=True))
    start, lowest = formats.day(begin, timezone), float(np.nanmin(left))
    description = _(
        "From {start} to {end} the error budget went from {first} to {last}; the lowest was {lowest}.",
        start=start,
        end=formats.day(int(times[-1]) - 1, timezone),
        first=formats.share(float(left[0])),
        last=formats.share(float(left[-1])),
        lowest=formats.share(lowest),
    )
    return _svg(parts, 190, name, _("Error budget left, {name}", name=slo_name(slo)), description)


def heat(slo: SloResult, timezone: str, name: str, palette: Mapping[str, str] | None = None) -> str:
    """The error ratio by day and hour as an SVG, in steps of what the objective allows; hours of the window without
    data are crossed."""
    assert slo.heat is not None
    found: HeatMap = slo.heat
    times = np.asarray(found.ratio, dtype=np.float64) / (1 - slo.objective)
    days = len(found.days)
    missing = ~np.isfinite(times) & _inside(found.days, slo.window.start, slo.window.end, timezone)
    row = 15 if days <= 14 else max(4, 220 // days)
    left, top, wide = 63.0, 4.0, 11.7
    bottom, right = top + days * row, left + 24 * wide
    colour = _colours(palette)
    parts = []
    # Steps are open below: 0 is its own step, and exactly 1x belongs to "up to 1x".
    steps = np.searchsorted([step for step, _colour in HEAT_STEPS[:-1]], times, side="left")
    for day in range(days):
        for first, past, step in _runs(np.where(np.isfinite(times[day]), steps[day], -1).tolist()):
            if step >= 0:
                parts.append(
                    f'<rect x="{left + first * wide:.1f}" y="{top + day * row:.1f}" '
                    f'width="{(past - first) * wide:.1f}" height="{row}" style="fill:{HEAT_STEPS[step][1]}"/>'
                )
    grid = [f"M{left + hour * wide:.1f} {top}V{bottom}" for hour in range(1, 24)]
    grid += [f"M{left} {top + day * row}H{right:.1f}" for day in range(1, days) if days <= 45]
    parts.append(f'<path d="{"".join(grid)}" style="fill:none;stroke:{colour("face")};stroke-width:.8"/>')
    crosses = "".join(
        f"M{left + (hour + 0.5) * wide - 2:.1f} {top + (day + 0.5) * row - 2:.1f}l4 4m0-4l-4 4"
        for day, hour in zip(*np.nonzero(missing), strict=True)
    )
    if crosses:
        parts.append(f'<path d="{crosses}" style="fill:none;stroke:{colour("muted")};stroke-width:.9"/>')
    for hour in (0, 6, 12, 18, 24):
        label = _("{number} h", number=str(hour))
        parts.append(_text(left + hour * wide, bottom + 15, label, colour("muted"), "middle"))
    for day in range(0, days, -(-days // (days if days <= 14 else 8))):
        middle = top + (day + 0.5) * row + 4
        parts.append(_text(left - 4, middle, _short(found.days[day]), colour("muted"), "end"))
    finite = np.where(np.isfinite(times), times, -1)
    worst = np.unravel_index(int(np.argmax(finite)), finite.shape)
    over, gaps = int((finite > 1).sum()), int(missing.sum())
    description = _(
        "{days} of 24 hours. The worst was {day} at {hour} with {rate} the allowed error ratio; {over} over {once}, "
        "{gaps} without data.",
        days=ngettext("{count} day", "{count} days", days, count=formats.count(days)),
        day=formats.iso_day(found.days[int(worst[0])]),
        hour=formats.hour(int(worst[1])),
        rate=formats.rate(float(finite[worst])),
        over=ngettext("{count} hour", "{count} hours", over, count=formats.count(over)),
        once=formats.times(1),
        gaps=ngettext("{count} hour", "{count} hours", gaps, count=formats.count(gaps)),
    )
    return _svg(parts, days * row + 24, name, _("Errors by day and hour, {name}", name=slo_name(slo)), description)


def _svg(parts: Iterable[str], height: float, name: str, title: str, description: str) -> str:
    """A picture with a name that is read out."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-desc">'
        f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
        + "\n".join(parts)
        + "</svg>"
    )


def _colours(palette: Mapping[str, str] | None) -> Callable[[str], str]:
    if palette is None:
        return lambda name: f"var(--{name})"
    return palette.__getitem__


def _text(x: float, y: float, text: str, colour: str, anchor: str, bold: bool = False) -> str:
    # The family is the page's; on paper, where that does not reach into a picture, the sheet's own.
    family = "" if colour.startswith("var(") else ' font-family="sla-kit, sans-serif"'
    size = ' font-size="11.5" font-weight="700"' if bold else ' font-size="11"'
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place}{size}{family} style="fill:{colour}">{escape(text)}</text>'


def _rule(x1: float, y1: float, x2: float, y2: float, colour: str, thick: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" style="fill:none;stroke:{colour};stroke-width:{thick}"/>'


def _with_crossings(times: Sequence[float], percents: Sequence[float]) -> list[tuple[float, float]]:
    """The points, and those between them where the line crosses 0."""
    points = list(zip(times, percents, strict=True))
    found = points[:1]
    for (before, high), (after, low) in pairwise(points):
        if high * low < 0:
            found.append((before + (after - before) * high / (high - low), 0.0))
        found.append((after, low))
    return found


def _runs(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """Stretches of equal values: first, past the last, value."""
    edges = [0, *(place for place in range(1, len(values)) if values[place] != values[place - 1]), len(values)]
    return [(first, past, values[first]) for first, past in pairwise(edges)]


def _thinned(found: Burndown) -> tuple[np.ndarray, np.ndarray]:
    """At most `_MOST_POINTS` points: the ends, and the lowest of each stretch between, since lows are what matters."""
    known = np.isfinite(found.left_ratio)
    times, left = np.asarray(found.times)[known], np.asarray(found.left_ratio)[known]
    if len(times) <= _MOST_POINTS:
        return times, left
    edges = np.linspace(1, len(times) - 1, _MOST_POINTS - 1).astype(int)
    lows = [low + int(np.argmin(left[low:high])) for low, high in pairwise(edges)]
    kept = np.unique([0, *lows, len(times) - 1])
    return times[kept], left[kept]


def _percent_ticks(low: float) -> dict[float, str]:
    """At most seven ticks from ``low`` to 100 percent, 0 always among them, with their labels."""
    step = next(size for size in (50, 100, 200, 500, 1000, 2000, 5000, 10_000, 10**9) if (100 - low) / size <= 5)
    ticks = [tick for tick in range(-step * int(-low // step), 101, step) if tick >= low - step * 0.1]
    return {tick: formats.share(tick / 100) for tick in ticks}


def _time_ticks(start: int, end: int, timezone: str) -> list[tuple[float, str]]:
    """Three to five ticks at local midnights, or at full hours where the stretch is shorter than two days."""
    zone = ZoneInfo(timezone)
    length = end - start
    if length >= 2 * 86400:
        every = timedelta(days=-(-length // (4 * 86400)))
        moment = datetime.fromtimestamp(start, zone).replace(hour=0, minute=0, second=0, microsecond=0)
        label = formats.short_day
    else:
        every = timedelta(hours=max(1, -(-length // (4 * 3600))))
        moment = datetime.fromtimestamp(start, zone).replace(minute=0, second=0, microsecond=0)
        label = formats.clock
    ticks = []
    while moment.timestamp() <= end:
        # A label at the very end would be cut off.
        if start <= moment.timestamp() <= end - length * 0.04:
            ticks.append((moment.timestamp(), label(moment.timestamp(), timezone)))
        moment += every
    return ticks


def _inside(days: Sequence[str], start: int, end: int, timezone: str) -> np.ndarray:
    """Which hours of those local days the window (start, end] touches, shape (days, 24)."""
    zone = ZoneInfo(timezone)
    first, last = (datetime.fromtimestamp(time, zone) for time in (start, end - 1))
    hours = np.array([[f"{day}T{hour:02d}" for hour in range(24)] for day in days])
    return np.asarray((hours >= f"{first:%Y-%m-%dT%H}") & (hours <= f"{last:%Y-%m-%dT%H}"))


def _short(day: str) -> str:
    return language().conventions.weekday(datetime.fromisoformat(day))
