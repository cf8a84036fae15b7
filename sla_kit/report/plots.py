"""The report's pictures: small multiples by matplotlib as SVG that sits inside the page.

Each is drawn at the width of a phone and in the page's own colours (CSS variables), so that one picture serves paper,
phone and desk, light and dark. The same evaluation always gives the same bytes.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import matplotlib
import numpy as np
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from sla_kit.report import formats
from sla_kit.report.language import _, language, ngettext
from sla_kit.report.rows import slo_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from sla_kit.engine.results import Burndown, HeatMap, SloResult

WIDTH = 360
_POINTS_PER_INCH = 72  # an SVG of matplotlib counts in points, so a point is a pixel of the page at full width
_MOST_POINTS = 400

# Colours that stand for the page's own: after drawing, each becomes var(--name).
_INK, _MUTED, _FAINT, _LEFT, _DEBT, _FACE, _BAND = (
    "#010101", "#020202", "#030303", "#040404", "#050505", "#060606", "#070707",
)  # fmt: skip
_VARIABLES = {
    _INK: "ink", _MUTED: "muted", _FAINT: "line", _LEFT: "plot-left", _DEBT: "plot-debt", _FACE: "face",
    _BAND: "plot-band",
}  # fmt: skip

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

    def draw(figure: Figure) -> None:
        percents = left * 100
        low = min(0.0, float(np.nanmin(percents)))
        ticks, last = _percent_ticks(low), float(left[-1])
        # Room for the longest label at either side, by the width of a wide font's figures.
        before = 8 + 7.2 * max(len(label) for label in ticks.values())
        after = 10 + 8.2 * len(formats.share(last))
        axes = figure.add_axes((before / WIDTH, 0.135, 1 - (before + after) / WIDTH, 0.8))
        axes.patch.set_alpha(0)
        axes.axvspan(slo.window.start, slo.window.end, color=_BAND, linewidth=0, zorder=0)
        axes.fill_between(times, percents, 0, where=percents >= 0, interpolate=True, color=_LEFT, alpha=0.22, lw=0)
        axes.fill_between(times, percents, 0, where=percents <= 0, interpolate=True, color=_DEBT, alpha=0.35, lw=0)
        axes.axhline(0, color=_INK, linewidth=1)
        axes.plot(times, percents, color=_LEFT, linewidth=1.8, solid_joinstyle="round")
        marks = [i.start for i in slo.incidents if times[0] <= i.start <= times[-1]]
        if marks:
            heights = np.interp(marks, times, percents)
            axes.plot(
                marks, heights, linestyle="none", marker="v", markersize=7, clip_on=False, color=_DEBT, mec=_FACE, mew=1
            )
        axes.set_ylim(low - (100 - low) * 0.06, 100 + (100 - low) * 0.06)
        axes.set_xlim(times[0], max(times[-1], times[0] + 1))
        axes.set_yticks(list(ticks), list(ticks.values()))
        axes.grid(axis="y", color=_FAINT, linewidth=0.8)
        axes.set_axisbelow(True)
        _bare(axes)
        _time_ticks(axes, int(times[0]), int(times[-1]), timezone)
        axes.annotate(
            formats.share(last), (times[-1], last * 100), xytext=(5, 0), textcoords="offset points",
            va="center", ha="left", fontsize=11.5, fontweight="bold", color=_DEBT if last < 0 else _INK,
            annotation_clip=False,
        )  # fmt: skip

    start, lowest = formats.day(int(times[0]), timezone), float(np.nanmin(left))
    description = _(
        "From {start} to {end} the error budget went from {first} to {last}; the lowest was {lowest}.",
        start=start,
        end=formats.day(int(times[-1]) - 1, timezone),
        first=formats.share(float(left[0])),
        last=formats.share(float(left[-1])),
        lowest=formats.share(lowest),
    )
    return _svg(draw, 190, name, _("Error budget left, {name}", name=slo_name(slo)), description, palette)


def heat(slo: SloResult, timezone: str, name: str, palette: Mapping[str, str] | None = None) -> str:
    """The error ratio by day and hour as an SVG, in steps of what the objective allows; hours of the window without
    data are crossed."""
    assert slo.heat is not None
    found: HeatMap = slo.heat
    allowed = 1 - slo.objective
    times = np.asarray(found.ratio, dtype=np.float64) / allowed
    days = len(found.days)
    missing = ~np.isfinite(times) & _inside(found.days, slo.window.start, slo.window.end, timezone)
    row = 15 if days <= 14 else max(4, 220 // days)

    def draw(figure: Figure) -> None:
        height = figure.get_figheight() * _POINTS_PER_INCH
        axes = figure.add_axes((0.175, 20 / height, 0.78, 1 - 24 / height))
        axes.patch.set_alpha(0)
        # Bounds are open below: 0 is its own step, and exactly 1x belongs to "up to 1x".
        bounds = [
            -1.0,
            1e-300,
            *(np.nextafter(step, np.inf) for step, _colour in HEAT_STEPS[1:-1]),
            np.finfo(float).max,
        ]
        colours = ListedColormap([colour for _step, colour in HEAT_STEPS]).with_extremes(bad=(0, 0, 0, 0))
        axes.imshow(
            np.ma.masked_invalid(times), cmap=colours, norm=BoundaryNorm(bounds, colours.N), aspect="auto",
            interpolation="none", extent=(0, 24, days, 0),
        )  # fmt: skip
        for hour in range(1, 24):
            axes.axvline(hour, color=_FACE, linewidth=0.8)
        for day in range(1, days) if days <= 45 else ():
            axes.axhline(day, color=_FACE, linewidth=0.8)
        missing_days, missing_hours = np.nonzero(missing)
        axes.plot(
            missing_hours + 0.5, missing_days + 0.5, linestyle="none", marker="x", markersize=4, color=_MUTED, mew=0.9
        )
        hours = [0, 6, 12, 18, 24]
        axes.set_xticks(hours, [_("{number} h", number=str(hour)) for hour in hours])
        every = -(-days // (days if days <= 14 else 8))
        shown = range(0, days, every)
        axes.set_yticks([day + 0.5 for day in shown], [_short(found.days[day]) for day in shown])
        _bare(axes)

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
    return _svg(
        draw, days * row + 24, name, _("Errors by day and hour, {name}", name=slo_name(slo)), description, palette
    )


def _svg(
    draw: Callable[[Figure], None],
    height: float,
    name: str,
    title: str,
    description: str,
    palette: Mapping[str, str] | None,
) -> str:
    # No pyplot: its registry of figures is global, and would keep every plot alive.
    settings: Any = {
        "svg.fonttype": "none" if palette is None else "path", "svg.hashsalt": name,
        "font.family": "sans-serif", "font.size": 11,
        "text.color": _INK, "axes.edgecolor": _FAINT, "xtick.color": _MUTED, "ytick.color": _MUTED,
        "axes.unicode_minus": True, "path.simplify": True,
    }  # fmt: skip
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH), dpi=_POINTS_PER_INCH)
        figure.patch.set_alpha(0)
        draw(figure)
        out = io.StringIO()
        # A date would make every rendering different.
        figure.savefig(out, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _embedded(out.getvalue(), name, title, description, palette)


def _embedded(svg: str, name: str, title: str, description: str, palette: Mapping[str, str] | None) -> str:
    """A whole SVG file as a part of the page: no prolog, no style of its own, ids apart, a name that is read out."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<style[^>]*>.*?</style>", "", body, flags=re.DOTALL)
    used = set(re.findall(r"(?:url\(#|href=\"#)([^)\"]+)", body))
    body = re.sub(r'\sid="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", body)
    body = re.sub(r'(url\(#|href="#)', rf"\g<1>{name}-", body)
    for sentinel, variable in _VARIABLES.items():
        body = body.replace(sentinel, f"var(--{variable})" if palette is None else palette[variable])
    body = re.sub(r"font: ((?:\w+ )*[\d.]+px) [^;\"]+", r"font: \1 var(--font)", body)
    body = re.sub(r"\n\s*", "\n", body)
    box = re.search(r'viewBox="[^"]+"', body)
    assert box is not None
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" {box[0]} role="img" '
        f'aria-labelledby="{name}-title" aria-describedby="{name}-desc">'
        f'<title id="{name}-title">{_escaped(title)}</title><desc id="{name}-desc">{_escaped(description)}</desc>'
    )
    return opening + body[body.index(">") + 1 :].strip()


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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


def _time_ticks(axes: Axes, start: int, end: int, timezone: str) -> None:
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
            ticks.append(moment.timestamp())
        moment += every
    axes.set_xticks(ticks, [label(tick, timezone) for tick in ticks])


def _bare(axes: Axes) -> None:
    for side in axes.spines.values():
        side.set_visible(False)
    axes.tick_params(length=0, pad=4)


def _inside(days: Sequence[str], start: int, end: int, timezone: str) -> np.ndarray:
    """Which hours of those local days the window (start, end] touches, shape (days, 24)."""
    zone = ZoneInfo(timezone)
    first, last = (datetime.fromtimestamp(time, zone) for time in (start, end - 1))
    hours = np.array([[f"{day}T{hour:02d}" for hour in range(24)] for day in days])
    return np.asarray((hours >= f"{first:%Y-%m-%dT%H}") & (hours <= f"{last:%Y-%m-%dT%H}"))


def _short(day: str) -> str:
    return language().conventions.weekday(datetime.fromisoformat(day))
