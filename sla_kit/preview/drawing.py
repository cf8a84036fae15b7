"""Panels over time as SVG with the text of their axes beside it: lines, bars, heat maps and states.

They are written line by line: a plotting library takes longer for a panel than all else takes for a dashboard. A
drawing has no text inside and stretches with its panel, so that what is written keeps its size on any screen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, tzinfo
from html import escape
from typing import Any

import numpy as np

from sla_kit.backtest.asking import Answer
from sla_kit.preview.answers import Answered
from sla_kit.preview.axes import Ends, Tick, ValueAxis, time_ticks, value_axis
from sla_kit.preview.fields import GREY, Field, Shown, series
from sla_kit.timeline import Floats, Grid

_GRID = "#E3E4E8"
#: Pixels that a time's label takes, with room around it; the height of a line of text; and how few labels a phone has.
_LABEL, _LINE, _PHONE = 78, 16, 5
#: From nearly nothing to the most: paler than cividis (Nuñez, Anderton, Renslow 2018) where it begins, then as it goes.
_HEAT = ("#F6F3E0", "#EFE7B0", "#E1CC55", "#C4B56C", "#A59C74", "#8A8678", "#707173", "#575D6D", "#3B496C", "#00204C")


@dataclass(frozen=True, slots=True)
class Canvas:
    """How large a drawing is, in pixels, which times (epoch seconds) it shows, and in which time zone it tells them."""

    width: int
    height: int
    start: float
    end: float
    zone: tzinfo = UTC

    def across(self, grid: Grid) -> Floats:
        """Where the values of a grid stand: at the ends of its buckets."""
        return np.asarray((grid.ends - self.start) / max(1.0, self.end - self.start) * self.width, dtype=np.float64)


def over_time(
    panel: Mapping[str, Any], answers: tuple[Answered, ...], marks: Sequence[Answered], canvas: Canvas, now: float
) -> str:
    """Lines or bars over time, with the panel's limits and what went on meanwhile."""
    field = Field.of(panel, now)
    custom = field.config.get("custom", {})
    drawn = [(color, answer, _values(answer, row)) for _, color, answer, row in _series(panel, answers, now)]
    stacking = custom.get("stacking", {}).get("mode", "none")
    piled = _piled([values for _, _, values in drawn], stacking)
    reached = [np.concatenate(each) for each in piled] if stacking != "none" else [values for _, _, values in drawn]
    soft = custom.get("axisSoftMin", 0.0 if custom.get("drawStyle") == "bars" or stacking != "none" else None)
    ends = Ends(
        minimum=_number(field.config.get("min")),
        maximum=100.0 if stacking == "percent" else _number(field.config.get("max")),
        soft_minimum=_number(soft),
        logarithmic=custom.get("scaleDistribution", {}).get("type") == "log",
        unit="percent" if stacking == "percent" else field.unit,
    )
    axis = value_axis(np.concatenate([*reached, np.empty(0)]), ends, max(2, canvas.height // 42))
    parts = [_marked(marks, canvas), _gridded(axis.ticks, canvas)]
    filled = stacking == "none" and len(drawn) == 1 and custom.get("fillOpacity", 0) > 0
    for (color, answer, _), (below, above) in zip(drawn, piled, strict=True):
        across = canvas.across(answer.grid)
        low, high = ((1 - axis.up(each)) * canvas.height for each in (below, above))
        if custom.get("drawStyle") == "bars":
            wide = answer.grid.step / max(1.0, canvas.end - canvas.start) * canvas.width
            parts.append(_bars(across - wide / 2, low, high, wide * 0.9, color))
        elif stacking != "none":
            parts.append(_area(across, low, high, color, 0.55) + _line(across, high, color, 1))
        else:
            parts.append(_area(across, np.full(high.size, canvas.height), high, color, 0.08) if filled else "")
            parts.append(_line(across, high, color, 1.6))
    parts.append(_limits(field, custom, axis, canvas))
    return _framed(parts, axis.ticks, canvas, str(panel.get("title", "")))


def heat(panel: Mapping[str, Any], answers: tuple[Answered, ...], canvas: Canvas, now: float) -> str:
    """How often which values were: a row a bucket, the darker the more."""
    field, answer = Field.of(panel, now), answers[0].answer
    assert answer is not None
    bounds = [float(labels.get("le", "nan").replace("+Inf", "inf")) for labels in answer.labels]
    order = np.argsort(bounds)
    counts = np.where(answer.present[order], np.nan_to_num(answer.values[order]), 0.0)
    single = np.clip(np.diff(counts, axis=0, prepend=0), 0, None)
    # What is nearly nothing is left out, as the panel says (filterValues): rates are seldom exactly zero.
    least = float(panel.get("options", {}).get("filterValues", {}).get("le", 0.0))
    shade = np.where(single > least, np.ceil(np.sqrt(single / (single.max() or 1.0)) * len(_HEAT)), 0).astype(int)
    tall, wide = canvas.height / len(order), answer.grid.step / max(1.0, canvas.end - canvas.start) * canvas.width
    across = canvas.across(answer.grid) - wide
    parts = []
    for level, color in enumerate(_HEAT, 1):
        rects = "".join(
            _rect(across[a], canvas.height - (row + 1) * tall, (b - a) * wide, tall)
            for row in range(len(order))
            for a, b in _runs(shade[row] == level)
        )
        parts.append(f'<path d="{rects}" fill="{color}" shape-rendering="crispEdges"/>' if rects else "")
    every = max(1, -(-len(order) * _LINE // max(1, canvas.height)))
    named = [Tick((row + 1) / len(order), field.shown(bounds[place]).text) for row, place in enumerate(order)]
    return _framed(parts, named[every - 1 :: every], canvas, str(panel.get("title", "")))


def states(panel: Mapping[str, Any], answers: tuple[Answered, ...], canvas: Canvas, now: float) -> str:
    """A bar a series, in the colours of its states, and what these mean."""
    rows = [(name, answered.ref, answer, row) for name, _, answer, row, answered in _named(panel, answers, now)]
    fitting = max(1, (canvas.height - _LINE) // 14)
    left_out, rows = max(0, len(rows) - fitting), rows[:fitting]
    tall = canvas.height / max(1, len(rows))
    thick = min(tall * 0.8, 26.0)
    spans: dict[str, list[str]] = {}
    seen: dict[Shown, None] = {}
    for place, (_, ref, answer, row) in enumerate(rows):
        field = Field.of(panel, now, ref=ref)
        wide = answer.grid.step / max(1.0, canvas.end - canvas.start) * canvas.width
        across, values, present = canvas.across(answer.grid) - wide, answer.values[row], answer.present[row]
        for value in np.unique(values[present & ~np.isnan(values)]):
            shown = field.shown(float(value))
            seen.setdefault(shown)
            top = (place + 0.5) * tall - thick / 2
            spans.setdefault(shown.color or GREY, []).extend(
                _rect(across[a], top, (b - a) * wide, thick) for a, b in _runs(present & (values == value))
            )
    parts = [f'<path d="{"".join(rects)}" fill="{color}"/>' for color, rects in spans.items()]
    names = [Tick(1 - (place + 0.5) / len(rows), name) for place, (name, *_) in enumerate(rows)]
    key = "".join(
        f'<span><i class="box" style="background:{shown.color or GREY}"></i>{escape(shown.text)}</span>'
        for shown in list(seen)[:8]
    )
    more = f"<span>and {left_out} more</span>" if left_out else ""
    drawn = _framed(parts, names, canvas, str(panel.get("title", "")), kind=" rows")
    return f'{drawn}<div class="legend">{key}{more}</div>'


def spark(values: Floats, color: str) -> str:
    """The course behind a figure."""
    known = values[np.isfinite(values)]
    if known.size < 2:
        return ""
    low, high = float(known.min()), float(known.max())
    down = np.full(values.size, 20.0) if high == low else 38 - (values - low) / (high - low) * 34
    down = np.where(np.isfinite(values), down, np.nan)
    across = np.linspace(0, 200, values.size)
    return (
        '<svg class="spark" viewBox="0 0 200 40" preserveAspectRatio="none" aria-hidden="true">'
        f"{_area(across, np.full(values.size, 40.0), down, color, 0.16)}{_line(across, down, color, 1.5)}</svg>"
    )


def dial(share: float, color: str, limits: Iterable[tuple[float, str]]) -> str:
    """Three quarters of a circle, filled as far as a share of it; ``limits`` are shares from which on it is which
    colour, drawn as a thin rim."""
    limits = list(limits)
    rims = zip(limits, [*(each for each, _ in limits), 1.0][1:], strict=True)
    parts = [_arc(44, 0.0, 1.0, "#ECEDF0", 11), _arc(44, 0.0, min(1.0, max(0.0, share)), color, 11)]
    parts += [_arc(52, max(0.0, begun), min(1.0, end), rim, 2.5) for (begun, rim), end in rims if end > begun]
    return f'<svg class="dial" viewBox="-56 -56 112 98" aria-hidden="true">{"".join(parts)}</svg>'


def _arc(radius: float, begun: float, end: float, color: str, thick: float) -> str:
    if end <= begun or color == "transparent":
        return ""
    points = [np.radians(135 + 270 * share) for share in (begun, end)]
    (x1, y1), (x2, y2) = ((radius * np.cos(each), radius * np.sin(each)) for each in points)
    large = int(end - begun > 180 / 270)
    course = f"M{_n(x1)} {_n(y1)}A{radius} {radius} 0 {large} 1 {_n(x2)} {_n(y2)}"
    return f'<path d="{course}" fill="none" stroke="{color}" stroke-width="{thick}"/>'


def _named(
    panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float
) -> Iterable[tuple[str, str, Answer, int, Answered]]:
    for name, color, answered, row in series(panel, answers, now):
        assert answered.answer is not None
        yield name, color, answered.answer, row, answered


def _series(
    panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float
) -> Iterable[tuple[str, str, Answer, int]]:
    for name, color, answer, row, _ in _named(panel, answers, now):
        yield name, color, answer, row


def _values(answer: Answer, row: int) -> Floats:
    """A series' values; those that can't be drawn are missing."""
    values = answer.values[row]
    return np.where(answer.present[row] & np.isfinite(values), values, np.nan)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _piled(drawn: Sequence[Floats], stacking: str) -> list[tuple[Floats, Floats]]:
    """From where to where each series is drawn: from zero, or on top of those before it."""
    if stacking == "none" or len({each.size for each in drawn}) > 1:
        return [(np.zeros(each.size), each) for each in drawn]
    found = []
    below = np.zeros(drawn[0].size if drawn else 0)
    whole = np.sum([np.nan_to_num(each) for each in drawn], axis=0) if drawn else below
    for values in drawn:
        share = np.divide(values * 100, whole, out=np.zeros_like(values), where=whole != 0)
        above = below + np.nan_to_num(share if stacking == "percent" else values)
        found.append((below, above))
        below = above
    return found


def _gridded(ticks: Sequence[Tick], canvas: Canvas) -> str:
    across = "".join(f"M0 {_n((1 - tick.place) * canvas.height)}H{canvas.width}" for tick in ticks)
    times = time_ticks(canvas.start, canvas.end, canvas.zone, max(2, canvas.width // _LABEL))
    down = "".join(f"M{_n(tick.place * canvas.width)} 0V{canvas.height}" for tick in times)
    return f'<path d="{across}{down}" class="line" stroke="{_GRID}"/>'


def _marked(marks: Sequence[Answered], canvas: Canvas) -> str:
    """What went on meanwhile: a stretch of time in its colour, its begin a dashed line."""
    parts = []
    for mark in marks:
        if mark.answer is None or not mark.answer.labels:
            continue
        wide = mark.answer.grid.step / max(1.0, canvas.end - canvas.start) * canvas.width
        across = canvas.across(mark.answer.grid)
        for begun, end in _runs(mark.answer.present.any(axis=0)):
            left = float(across[begun]) - wide
            rect = _rect(left, 0, float(across[end - 1]) - left, canvas.height)
            parts.append(f'<path d="{rect}" fill="{escape(mark.legend)}" fill-opacity=".09"/>')
            course = f"M{_n(max(0.0, left))} 0V{canvas.height}"
            parts.append(
                f'<path d="{course}" class="line" stroke="{escape(mark.legend)}" stroke-opacity=".6" '
                'stroke-dasharray="3 3"/>'
            )
    return f'<g class="marks">{"".join(parts)}</g>' if parts else ""


def _limits(field: Field, custom: Mapping[str, Any], axis: ValueAxis, canvas: Canvas) -> str:
    mode = custom.get("thresholdsStyle", {}).get("mode", "off")
    parts = []
    for value, color in field.lines() if mode != "off" else ():
        if axis.low <= value <= axis.high:
            down = _n((1 - float(axis.up(np.array([value]))[0])) * canvas.height)
            dashes = ' stroke-dasharray="6 5"' if "dashed" in mode else ""
            parts.append(
                f'<path d="M0 {down}H{canvas.width}" class="line limit" stroke="{color}" stroke-width="1.6" '
                f'stroke-opacity=".8"{dashes}/>'
            )
    return "".join(parts)


def _line(across: Floats, down: Floats, color: str, thick: float) -> str:
    """A line through the points there are; a point between two that are missing is a dot."""
    runs = _runs(~np.isnan(down))
    course = "".join(f"M{_points(across[a:b], down[a:b])}" for a, b in runs if b - a > 1)
    alone = "".join(f"M{_n(across[a])} {_n(down[a])}h0" for a, b in runs if b - a == 1)
    line = f'<path d="{course}" class="line" stroke="{color}" stroke-width="{thick}"/>' if course else ""
    dots = f'<path d="{alone}" class="line" stroke="{color}" stroke-width="4" stroke-linecap="round"/>'
    return line + (dots if alone else "")


def _area(across: Floats, low: Floats, high: Floats, color: str, opacity: float) -> str:
    course = "".join(
        f"M{_points(across[a:b], high[a:b])}L{_points(across[a:b][::-1], low[a:b][::-1])}Z"
        for a, b in _runs(~np.isnan(high))
        if b - a > 1
    )
    return f'<path d="{course}" fill="{color}" fill-opacity="{opacity:g}"/>' if course else ""


def _bars(left: Floats, low: Floats, high: Floats, wide: float, color: str) -> str:
    course = "".join(
        _rect(x, top, wide, bottom - top)
        for x, bottom, top in zip(left.tolist(), low.tolist(), high.tolist(), strict=True)
        if abs(bottom - top) > 0.05
    )
    return f'<path d="{course}" fill="{color}" fill-opacity=".85"/>' if course else ""


def _points(across: Floats, down: Floats) -> str:
    """Points as a path writes them, without those on a straight and level line between two others."""
    level = np.round(down, 1)
    kept = np.ones(level.size, dtype=np.bool_)
    kept[1:-1] = (level[1:-1] != level[:-2]) | (level[1:-1] != level[2:])
    return "L".join(f"{_n(x)} {_n(y)}" for x, y in zip(across[kept].tolist(), level[kept].tolist(), strict=True))


def _rect(left: float, top: float, wide: float, tall: float) -> str:
    return f"M{_n(left)} {_n(top)}h{_n(wide)}v{_n(tall)}h{_n(-wide)}Z"


def _n(value: float) -> str:
    return f"{round(value, 1) + 0.0:.1f}".removesuffix(".0")


def _runs(on: Any) -> list[tuple[int, int]]:
    """From where to before where a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False])).astype(np.int8)))
    return [(int(begun), int(end)) for begun, end in edges.reshape(-1, 2)]


def _framed(parts: Iterable[str], ticks: Sequence[Tick], canvas: Canvas, title: str, kind: str = "") -> str:
    """A drawing between its axes."""
    beside = "".join(
        f'<span style="top:{(1 - tick.place) * 100:.2f}%">{escape(tick.label)}</span>' for tick in ticks if tick.label
    )
    times = time_ticks(canvas.start, canvas.end, canvas.zone, max(2, canvas.width // _LABEL))
    # A label that would stand over the edge is left out; a phone has room for few.
    written = [tick for tick in times if (1 - tick.place) * min(canvas.width, 320) >= 18]
    every = -(-len(written) // _PHONE) or 1
    below = "".join(
        f'<span{"" if place % every == 0 else " class=wide"} style="left:{tick.place * 100:.2f}%">{tick.label}</span>'
        for place, tick in enumerate(written)
    )
    return (
        f'<div class="plot{kind}"><div class="ys">{beside}</div>'
        f'<svg viewBox="0 0 {canvas.width} {canvas.height}" preserveAspectRatio="none" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg><div class="xs">{below}</div></div>'
    )
