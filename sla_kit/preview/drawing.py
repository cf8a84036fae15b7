"""Panels drawn as SVG by matplotlib: lines, bars, heat maps and states over time."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter, date2num
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator

from sla_kit.preview.answers import Answered
from sla_kit.preview.fields import GREY, Field, series
from sla_kit.timeline import Floats, Grid

_DPI = 100
_INK, _LINES = "#4A4D55", "#E3E4E8"
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sla-kit",
    "font.family": "sans-serif",
    "font.size": 8.5,
    "axes.edgecolor": _LINES,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


@dataclass(frozen=True, slots=True)
class Canvas:
    """How large a drawing is, in pixels, and in which time zone it tells times."""

    width: int
    height: int
    zone: tzinfo = UTC


def over_time(
    panel: Mapping[str, Any], answers: tuple[Answered, ...], marks: Sequence[Answered], canvas: Canvas, now: float
) -> str:
    """Lines or bars over time, with the panel's limits and what went on meanwhile."""
    field = Field.of(panel, now)
    custom = field.config.get("custom", {})
    figure, axes = _begun(canvas)
    drawn = list(series(panel, answers, now))
    stacked = custom.get("stacking", {}).get("mode", "none")
    below: Floats | None = None
    times: Any = None
    for _, color, answered, row in drawn:
        assert answered.answer is not None
        times = _times(answered.answer.grid)
        values = np.where(answered.answer.present[row], answered.answer.values[row], np.nan)
        if custom.get("drawStyle") == "bars":
            values = np.nan_to_num(values)
            base = below if below is not None and stacked != "none" else np.zeros_like(values)
            axes.bar(times, values, width=(times[-1] - times[0]) / max(len(times), 1), bottom=base, color=color)
            below = base + values
        elif stacked != "none":
            values = np.nan_to_num(values)
            base = below if below is not None else np.zeros_like(values)
            axes.fill_between(times, base, base + values, color=color, alpha=0.55, linewidth=0.6)
            below = base + values
        else:
            axes.plot(times, values, color=color, linewidth=1.4)
    _mark(axes, marks)
    _limited(axes, field, custom, drawn)
    if times is not None:
        axes.set_xlim(times[0], times[-1])
    if custom.get("scaleDistribution", {}).get("type") == "log":
        axes.set_yscale("symlog", linthresh=0.01)
        axes.yaxis.set_major_locator(LogLocator(10, numticks=6))
    else:
        axes.yaxis.set_major_locator(_BinaryLocator() if "bytes" in field.unit else MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: field.shown(value).text))
    _dated(axes, canvas)
    return _svg(figure)


def heat(panel: Mapping[str, Any], answers: tuple[Answered, ...], canvas: Canvas, now: float) -> str:
    """How often which values were: a row a bucket, the brighter the more."""
    figure, axes = _begun(canvas)
    field = Field.of(panel, now)
    answered = answers[0]
    assert answered.answer is not None
    bounds = [float(labels.get("le", "nan").replace("+Inf", "inf")) for labels in answered.answer.labels]
    order = np.argsort(bounds)
    counts = np.nan_to_num(answered.answer.values[order])
    single = np.clip(np.diff(counts, axis=0, prepend=0), 0, None)
    times = _times(answered.answer.grid)
    norm = PowerNorm(0.5, vmin=0, vmax=max(float(single.max()), 1e-9))
    axes.pcolormesh(times, np.arange(len(order)), single, cmap="cividis", norm=norm, shading="nearest")
    named = [field.shown(bounds[place]).text for place in order]
    every = max(1, len(named) // 8)
    axes.set_yticks(range(0, len(named), every), named[::every])
    _dated(axes, canvas)
    return _svg(figure)


def states(panel: Mapping[str, Any], answers: tuple[Answered, ...], canvas: Canvas, now: float) -> str:
    """A bar a series, in the colours of its states."""
    figure, axes = _begun(canvas)
    names = []
    for place, (name, _, answered, row) in enumerate(series(panel, answers, now)):
        assert answered.answer is not None
        field = Field.of(panel, now, ref=answered.ref)
        names.append(name)
        times, width = _times(answered.answer.grid), answered.answer.grid.step / 86400
        values, present = answered.answer.values[row], answered.answer.present[row]
        for value in np.unique(values[present]):
            spans = [(times[a] - width, times[b - 1] - times[a] + width) for a, b in _runs(present & (values == value))]
            color = field.shown(float(value)).color or GREY
            axes.broken_barh(spans, (place - 0.4, 0.8), facecolors=color, linewidth=0)
        axes.set_xlim(times[0], times[-1])
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.4, -0.6)
    axes.grid(visible=False)
    _dated(axes, canvas)
    return _svg(figure)


def spark(values: Floats, color: str) -> str:
    """The course behind a figure."""
    known = values[~np.isnan(values)]
    if known.size < 2:
        return ""
    low, high = float(known.min()), float(known.max())
    scaled = np.full(values.size, 20.0) if high == low else 38 - (values - low) / (high - low) * 34
    points = " ".join(
        f"{place / (values.size - 1) * 200:.1f},{y:.1f}" for place, y in enumerate(scaled) if not np.isnan(y)
    )
    first, last = points.split(" ", 1)[0].split(",")[0], points.rsplit(" ", 1)[-1].split(",")[0]
    return (
        f'<svg class="spark" viewBox="0 0 200 40" preserveAspectRatio="none" aria-hidden="true">'
        f'<polygon points="{first},40 {points} {last},40" fill="{color}" fill-opacity="0.16"/>'
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="1.5" '
        f'vector-effect="non-scaling-stroke"/></svg>'
    )


class _BinaryLocator(Locator):
    """Ticks at round numbers of bytes."""

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        """Multiples of the smallest power of two that makes no more than six."""
        step = 1.0
        while (vmax - vmin) / step > 5:
            step *= 2
        return [float(value) for value in np.arange(np.ceil(vmin / step) * step, vmax + step / 2, step)]

    def __call__(self) -> Sequence[float]:
        return self.tick_values(*self.axis.get_view_interval())  # type: ignore[union-attr]


def _begun(canvas: Canvas) -> tuple[Figure, Axes]:
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(canvas.width / _DPI, canvas.height / _DPI), dpi=_DPI, layout="constrained")
        axes = figure.add_subplot()
    axes.grid(color=_LINES, linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    return figure, axes


def _limited(axes: Axes, field: Field, custom: Mapping[str, Any], drawn: Sequence[object]) -> None:
    """The ends of the value axis, and the limits of the panel where they lie between them."""
    low, high = axes.get_ylim()
    if low < 0 < high and axes.dataLim.ymin >= 0:
        low, high = 0.0, max(high, 1.0) if axes.dataLim.ymax == 0 else high
    if "axisSoftMin" in custom and drawn:
        low = min(low, float(custom["axisSoftMin"]))
    low = float(field.config.get("min", low))
    high = float(field.config.get("max", high))
    styled = custom.get("thresholdsStyle", {}).get("mode", "off") != "off"
    for value, color in field.limits() if styled else []:
        reached = value <= high * 1.6 if high > 0 else value <= high
        if value >= low and reached:
            high = max(high, value * 1.08)
            axes.axhline(value, color=color, linewidth=1.1, linestyle=(0, (5, 3)))
    if high > low:
        axes.set_ylim(low, high)


def _mark(axes: Axes, marks: Sequence[Answered]) -> None:
    """What went on meanwhile, as coloured stretches of time."""
    for mark in marks:
        if mark.answer is None or not mark.answer.labels:
            continue
        on = mark.answer.present.any(axis=0)
        times, width = _times(mark.answer.grid), mark.answer.grid.step / 86400
        for begun, end in _runs(on):
            axes.axvspan(times[begun] - width, times[end - 1], color=mark.legend, alpha=0.09, linewidth=0)


def _runs(on: Any) -> list[tuple[int, int]]:
    """From where to before where a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], on, [False])).astype(np.int8)))
    return [(int(begun), int(end)) for begun, end in edges.reshape(-1, 2)]


def _dated(axes: Axes, canvas: Canvas) -> None:
    # matplotlib.dates has no types
    locator = AutoDateLocator(  # type: ignore[no-untyped-call]
        tz=canvas.zone, minticks=3, maxticks=max(4, canvas.width // 90)
    )
    axes.xaxis_date(tz=canvas.zone)
    axes.xaxis.set_major_locator(locator)
    concise = ConciseDateFormatter(locator, tz=canvas.zone, show_offset=False)  # type: ignore[no-untyped-call]
    axes.xaxis.set_major_formatter(concise)


def _times(grid: Grid) -> Floats:
    first: float = date2num(datetime.fromtimestamp(grid.start + grid.step, UTC))  # type: ignore[no-untyped-call]
    return np.asarray(first + np.arange(grid.count) * grid.step / 86400, dtype=np.float64)


def _svg(figure: Figure) -> str:
    """The drawing alone, without what a file needs around it."""
    written = io.StringIO()
    with matplotlib.rc_context(_STYLE):
        figure.savefig(written, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = written.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    return re.sub(
        r'^<svg[^>]*?viewBox="([^"]+)"[^>]*>', r'<svg viewBox="\1" class="drawn">', text, count=1, flags=re.DOTALL
    )
