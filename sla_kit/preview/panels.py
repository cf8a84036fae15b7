"""What stands inside a panel, as HTML: figures and tables as text, everything over time as a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, tzinfo
from html import escape
from typing import Any

import numpy as np

from sla_kit.preview import drawing
from sla_kit.preview.answers import Answered, Page
from sla_kit.preview.drawing import Canvas
from sla_kit.preview.fields import GREY, Field, Shown, series
from sla_kit.preview.tables import table_of
from sla_kit.timeline import Floats

#: Pixels: the page, a unit of the grid's height with the gap below it, and what a title and a legend take.
WIDTH, UNIT, GAP, TITLE, LEGEND = 1440, 30, 8, 30, 22
_MOST_NAMED, _MOST_LINES = 8, 40


def width_of(columns: int) -> int:
    """The pixels that so many columns of the grid take on a page of full width."""
    return round(columns * (WIDTH + GAP) / 24 - GAP)


def height_of(units: int) -> int:
    """The pixels that so many units of height take."""
    return units * UNIT + (units - 1) * GAP


def body(page: Page, panel: Mapping[str, Any], zone: tzinfo = UTC) -> str:
    """The inside of one panel."""
    answers = page.answers.get(int(panel["id"]), ())
    said = [answered.said for answered in answers if answered.said]
    if answers and all(answered.empty for answered in answers):
        why = said[0] if said else panel.get("fieldConfig", {}).get("defaults", {}).get("noValue") or "No data"
        return f'<p class="empty{" failed" if said else ""}">{escape(str(why))}</p>'
    now, kind, where = float(page.range.end), panel["type"], panel["gridPos"]
    known = tuple(answered for answered in answers if not answered.empty)
    canvas = Canvas(width_of(where["w"]) - 20, height_of(where["h"]) - TITLE - 14, zone)
    if kind == "stat":
        return _stat(panel, known, now)
    if kind in ("gauge", "bargauge"):
        return _bars(panel, known, now)
    if kind == "table":
        return _table(panel, answers, now)
    if kind == "heatmap":
        return drawing.heat(panel, known, canvas, now)
    if kind == "state-timeline":
        return drawing.states(panel, known, canvas, now)
    if kind == "timeseries":
        named = _legend(panel, known, now)
        low = Canvas(canvas.width, canvas.height - (LEGEND if named else 0), zone)
        return drawing.over_time(panel, known, page.marks, low, now) + named
    return f'<p class="empty">{escape(str(kind))} panels are not drawn</p>'


def _stat(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float) -> str:
    options = panel.get("options", {})
    several = sum(len(answered.answer.labels) for answered in answers if answered.answer) > 1
    found = []
    for name, _, answered, row in series(panel, answers, now):
        assert answered.answer is not None
        field = Field.of(panel, now, ref=answered.ref)
        value = _reduced(panel, answered, row)
        shown = Shown(field.config.get("noValue", "–"), "") if value is None else field.shown(value)
        filled = options.get("colorMode", "").startswith("background")
        style = (
            f"background:{shown.color};color:#fff" if filled and shown.color else f"color:{shown.color or '#1F2126'}"
        )
        course = ""
        if options.get("graphMode") == "area" and not answered.instant and not several:
            values = np.where(answered.answer.present[row], answered.answer.values[row], np.nan)
            course = drawing.spark(values, shown.color or GREY)
        style += ";padding-bottom:14%" if course else ""
        label = f"<small>{escape(name)}</small>" if several else ""
        found.append(f'<div class="figure" style="{style}">{course}{label}<b>{escape(shown.text)}</b></div>')
    return f'<div class="figures{" several" if several else ""}">{"".join(found)}</div>'


def _bars(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float) -> str:
    lines: list[tuple[str, float, Field]] = []
    for name, _, answered, row in series(panel, answers, now):
        field, value = Field.of(panel, now, ref=answered.ref), _reduced(panel, answered, row)
        if value is not None:
            lines.append((name, value, field))
    # Prometheus sorts the answers of these, but only those of a moment.
    first = answers[0].expression.lstrip()
    if first.startswith(("topk", "sort_desc", "bottomk", "sort")):
        lines.sort(key=lambda line: line[1], reverse=first.startswith(("topk", "sort_desc")))
    low = float(panel["fieldConfig"]["defaults"].get("min", 0.0))
    most = max((value for _, value, _ in lines if np.isfinite(value)), default=1.0)
    high = float(panel["fieldConfig"]["defaults"].get("max", most))
    found = []
    for name, value, field in lines:
        share = min(1.0, max(0.0, (value - low) / (high - low))) if high > low and np.isfinite(value) else 0.0
        shown = field.shown(value)
        color = shown.color or "#5794F2"
        found.append(
            f'<div class="bar"><span title="{escape(name)}">{escape(name)}</span>'
            f'<i><u style="width:{share * 100:.1f}%;background:{color}"></u></i><b>{escape(shown.text)}</b></div>'
        )
    return f'<div class="bars">{"".join(found)}</div>'


def _table(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float) -> str:
    table = table_of(panel, answers, now)
    head = "".join(
        f'<th class="{"number" if number else ""}">{escape(heading)}</th>'
        for heading, number in zip(table.headings, table.numeric, strict=True)
    )
    rows = []
    for line in table.lines[:_MOST_LINES]:
        cells = "".join(
            f'<td class="{"number" if number else ""}"{f" style=color:{cell.color}" if cell.color else ""}>'
            f"{escape(cell.text)}</td>"
            for cell, number in zip(line, table.numeric, strict=True)
        )
        rows.append(f"<tr>{cells}</tr>")
    return f'<div class="table"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _legend(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float) -> str:
    found = []
    drawn = list(series(panel, answers, now))
    for name, color, answered, row in drawn[:_MOST_NAMED]:
        value = _reduced({}, answered, row)
        last = "" if value is None or len(drawn) == 1 else f" <b>{escape(Field.of(panel, now).shown(value).text)}</b>"
        found.append(f'<span><i style="background:{color}"></i>{escape(name)}{last}</span>')
    if len(drawn) > _MOST_NAMED:
        found.append(f"<span>and {len(drawn) - _MOST_NAMED} more</span>")
    return f'<div class="legend">{"".join(found)}</div>'


def _reduced(panel: Mapping[str, Any], answered: Answered, row: int) -> float | None:
    """One figure of a series, as the panel wishes; None where it has no value."""
    assert answered.answer is not None
    values: Floats = answered.answer.values[row][answered.answer.present[row]]
    if not values.size:
        return None
    [wanted, *_] = panel.get("options", {}).get("reduceOptions", {}).get("calcs") or ["lastNotNull"]
    known = values[~np.isnan(values)]
    if not known.size:
        return float("nan")
    match wanted:
        case "max":
            return float(known.max())
        case "min":
            return float(known.min())
        case "mean":
            return float(known.mean())
        case "sum":
            return float(known.sum())
        case _:
            return float(known[-1])
