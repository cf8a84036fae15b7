"""What stands inside a panel, as HTML: figures and tables as text, everything over time as a drawing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from html import escape
from typing import Any

import numpy as np

from sla_kit.preview import drawing
from sla_kit.preview.answers import Answered, Page, number_of
from sla_kit.preview.drawing import Canvas
from sla_kit.preview.fields import GREY, Field, Shown, series
from sla_kit.preview.tables import table_of
from sla_kit.timeline import Floats

#: Pixels: the page, a unit of the grid's height with the gap below it, what a title and a line of a legend take.
WIDTH, UNIT, GAP, TITLE, LEGEND = 1440, 30, 8, 30, 20
#: Pixels that a panel's edges, the values beside a drawing and the times below it take; a letter, a line of a list, and
#: a dial.
_EDGES, _BESIDE, _BELOW, _LETTER, _BAR, _DIAL = 20, 52, 24, 6.6, 22, 110
_MOST_LINES, _MOST_LOGS = 40, 60


def width_of(columns: int) -> int:
    """The pixels that so many columns of the grid take on a page of full width."""
    return round(columns * (WIDTH + GAP) / 24 - GAP)


def height_of(units: int) -> int:
    """The pixels that so many units of height take."""
    return units * UNIT + (units - 1) * GAP


def body(page: Page, panel: Mapping[str, Any], zone: tzinfo = UTC) -> str:
    """The inside of one panel."""
    answers = page.answers.get(number_of(panel), ())
    now, kind = float(page.range.end), str(panel["type"])
    if kind == "text":
        return f'<p class="empty">{escape(str(panel.get("options", {}).get("content", "")))}</p>'
    if all(answered.empty for answered in answers):
        return _nothing(panel, answers)
    known = tuple(answered for answered in answers if not answered.empty)
    failed = next((answered.said for answered in answers if answered.said), "")
    said = f'<p class="failed">{escape(_short(failed))}</p>' if failed else ""
    return said + _inside(page, panel, kind, answers, known, now, zone, TITLE + (18 if said else 0))


def _inside(
    page: Page,
    panel: Mapping[str, Any],
    kind: str,
    answers: tuple[Answered, ...],
    known: tuple[Answered, ...],
    now: float,
    zone: tzinfo,
    above: int,
) -> str:
    where = panel["gridPos"]
    wide, tall = width_of(where["w"]) - _EDGES, height_of(where["h"]) - above - 10
    if kind == "logs":
        return _lines(known, zone)
    if all(answered.answer is None for answered in known):
        return f'<p class="empty">{escape(kind)} panels do not show log lines</p>'
    known = tuple(answered for answered in known if answered.answer is not None)
    begun, end = float(page.range.start), float(page.range.end)
    match kind:
        case "stat":
            return _stat(panel, known, now, wide, tall)
        case "gauge":
            return _gauges(panel, known, now, wide)
        case "bargauge":
            return _bars(panel, known, now, tall)
        case "table":
            return _table(panel, answers, now)
        case "heatmap":
            canvas = Canvas(max(60, wide - _BESIDE), max(40, tall - _BELOW), begun, end, zone)
            return drawing.heat(panel, known, canvas, now)
        case "state-timeline" | "status-history":
            canvas = Canvas(max(60, wide - 150), max(40, tall - _BELOW - LEGEND), begun, end, zone)
            return drawing.states(panel, known, canvas, now)
        case "timeseries" | "graph":
            legend, lines = _legend(panel, known, now, wide, tall)
            height = max(40, tall - _BELOW - lines * LEGEND)
            canvas = Canvas(max(60, wide - _BESIDE), height, begun, end, zone)
            return drawing.over_time(panel, known, page.marks, canvas, now) + legend
    return f'<p class="empty">{escape(kind)} panels are not drawn</p>'


def _nothing(panel: Mapping[str, Any], answers: tuple[Answered, ...]) -> str:
    """Why a panel is empty: what was said of its queries, or what it says itself."""
    said = next((answered.said for answered in answers if answered.said), "")
    left_out = any(answered.left_out for answered in answers)
    own = panel.get("fieldConfig", {}).get("defaults", {}).get("noValue")
    why = _short(said) if said else own or ("No data" if answers else "No queries")
    return f'<p class="empty{" failed" if said and not left_out else ""}">{escape(str(why))}</p>'


def _short(said: str) -> str:
    line = " ".join(said.split())
    return line if len(line) <= 220 else line[:219] + "…"


def _stat(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float, wide: int, tall: int) -> str:
    options = panel.get("options", {})
    drawn = list(series(panel, answers, now))
    several = len(drawn) > 1
    filled = options.get("colorMode", "").startswith("background")
    # As many in a column as there is room for; what is left over stands beside it.
    rows = max(1, min(len(drawn), tall // 26))
    columns = -(-len(drawn) // rows)
    named = [(name, _figure(panel, answered, row, now), answered, row) for name, _, answered, row in drawn]
    longest = max((len(shown.text) for _, shown, _, _ in named), default=1)
    found = []
    for name, shown, answered, row in named:
        assert answered.answer is not None
        style = (
            f"background:{shown.color};color:#fff" if filled and shown.color else f"color:{shown.color or '#1F2126'}"
        )
        course = ""
        if options.get("graphMode") == "area" and not answered.instant and not several:
            values = np.where(answered.answer.present[row], answered.answer.values[row], np.nan)
            course = drawing.spark(values, shown.color or GREY)
        label = f"<small>{escape(name)}</small>" if several and options.get("textMode") != "value" else ""
        size = "" if several else f' style="font-size:min(30px,{150 / max(4, longest):.1f}cqw)"'
        classes = f"figure{' course' if course else ''}"
        found.append(f'<div class="{classes}" style="{style}">{course}{label}<b{size}>{escape(shown.text)}</b></div>')
    layout = f' style="--columns:{columns}"' if several else ""
    return f'<div class="figures{" several" if several else ""}"{layout}>{"".join(found)}</div>'


def _figure(panel: Mapping[str, Any], answered: Answered, row: int, now: float) -> Shown:
    field = Field.of(panel, now, ref=answered.ref)
    value = reduced(panel, answered, row)
    return Shown(str(field.config.get("noValue") or "–"), "") if value is None else field.shown(value)


def _ends(panel: Mapping[str, Any], values: list[float]) -> tuple[float, float]:
    """From where to where bars and dials reach."""
    defaults = panel.get("fieldConfig", {}).get("defaults", {})
    finite = [value for value in values if np.isfinite(value)]
    low = float(defaults["min"]) if defaults.get("min") is not None else min(0.0, *finite, 0.0)
    high = float(defaults["max"]) if defaults.get("max") is not None else max([low, *finite])
    return low, high


def _share(value: float, low: float, high: float) -> float:
    if np.isnan(value) or high <= low:
        return 0.0
    return float(min(1.0, max(0.0, (value - low) / (high - low))))


def _gauges(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float, wide: int) -> str:
    drawn = [(name, reduced(panel, answered, row), answered) for name, _, answered, row in series(panel, answers, now)]
    low, high = _ends(panel, [value for _, value, _ in drawn if value is not None])
    found = []
    fitting = max(1, wide // _DIAL)
    for name, value, answered in drawn[:fitting]:
        field = Field.of(panel, now, ref=answered.ref)
        shown = Shown("–", "") if value is None else field.shown(value)
        rims = [(0.0 if least is None else _share(least, low, high), color) for least, color in field.steps()]
        dial = drawing.dial(_share(value or 0.0, low, high), shown.color or GREY, rims)
        label = f"<small>{escape(name)}</small>" if len(drawn) > 1 else ""
        found.append(f'<div class="gauge">{dial}<b>{escape(shown.text)}</b>{label}</div>')
    more = f'<div class="more">and {len(drawn) - fitting} more</div>' if len(drawn) > fitting else ""
    return f'<div class="gauges">{"".join(found)}</div>{more}'


def _bars(panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float, tall: int) -> str:
    lines: list[tuple[str, float, Field]] = []
    for name, _, answered, row in series(panel, answers, now):
        field, value = Field.of(panel, now, ref=answered.ref), reduced(panel, answered, row)
        if value is not None:
            lines.append((name, value, field))
    # Prometheus sorts the answers of these, but only those of a moment.
    first = answers[0].expression.lstrip()
    if first.startswith(("topk", "sort_desc", "bottomk", "sort")):
        lines.sort(key=lambda line: line[1], reverse=first.startswith(("topk", "sort_desc")))
    low, high = _ends(panel, [value for _, value, _ in lines])
    fitting = max(1, tall // _BAR)
    if len(lines) > fitting:
        fitting -= 1
    longest = max((len(field.shown(value).text) for _, value, field in lines[:fitting]), default=1)
    found = []
    for name, value, field in lines[:fitting]:
        shown = field.shown(value)
        found.append(
            f'<div class="bar"><span title="{escape(name)}">{escape(name)}</span><i><u style="width:'
            f'{_share(value, low, high) * 100:.1f}%;background:{shown.color or "#5794F2"}"></u></i>'
            f"<b{f' style=color:{shown.color}' if shown.color else ''}>{escape(shown.text)}</b></div>"
        )
    if len(lines) > fitting:
        found.append(f'<div class="more">and {len(lines) - fitting} more</div>')
    return f'<div class="bars" style="--value:{longest * 0.66 + 0.4:.1f}em">{"".join(found)}</div>'


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
    left = len(table.lines) - len(rows)
    more = f'<tr><td class="more" colspan="{len(table.headings)}">and {left} more</td></tr>' if left > 0 else ""
    return (
        f'<div class="table" tabindex="0"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}{more}</tbody></table></div>"
    )


def _lines(answers: tuple[Answered, ...], zone: tzinfo) -> str:
    listed = [line for answered in answers for line in answered.lines]
    found = []
    for line in listed[:_MOST_LOGS]:
        level, service = _at(line, "log.level"), _at(line, "service.name")
        message = str(_at(line, "message") or line)
        told = " ".join(escape(str(each)) for each in (level, service) if each)
        found.append(
            f"<p><time>{escape(_time(_at(line, '@timestamp'), zone))}</time> <b>{told}</b> {escape(message)}</p>"
        )
    return f'<div class="lines" tabindex="0">{"".join(found)}</div>'


def _at(line: Mapping[str, Any], field: str) -> Any:
    """A field of a document, written with dots or as objects in each other."""
    if field in line:
        return line[field]
    found: Any = line
    for part in field.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _time(told: Any, zone: tzinfo) -> str:
    try:
        at = datetime.fromtimestamp(told / 1000, UTC) if isinstance(told, int | float) else datetime.fromisoformat(told)
    except (TypeError, ValueError, OverflowError, OSError):
        return str(told or "")
    return at.astimezone(zone).strftime("%d %b %H:%M:%S")


def _legend(
    panel: Mapping[str, Any], answers: tuple[Answered, ...], now: float, wide: int, tall: int
) -> tuple[str, int]:
    """The names of the series with their last values, as many as fit into a third of the panel; how many lines."""
    if panel.get("options", {}).get("legend", {}).get("showLegend") is False:
        return "", 0
    drawn = list(series(panel, answers, now))
    most = max(1, min(4, tall // 3 // LEGEND))
    calculated = bool(panel.get("options", {}).get("legend", {}).get("calcs")) or len(drawn) > 1
    found: list[str] = []
    line, used = 1, 0.0
    for place, (name, color, answered, row) in enumerate(drawn):
        value = reduced({}, answered, row) if calculated else None
        last = "" if value is None else Field.of(panel, now, ref=answered.ref).shown(value).text
        takes = min(float(wide), 31 + _LETTER * (len(name) + len(last) + 1))
        # The last line keeps room for saying how many more there are.
        room = wide - (100 if line == most and place + 1 < len(drawn) else 0)
        if used + takes > room and used:
            if line == most:
                found.append(f"<span>and {len(drawn) - place} more</span>")
                break
            line, used = line + 1, 0.0
        used += takes
        value_text = f" <b>{escape(last)}</b>" if last else ""
        found.append(
            f'<span title="{escape(name)}"><i style="background:{color}"></i>{escape(name)}{value_text}</span>'
        )
    return f'<div class="legend">{"".join(found)}</div>', line


def reduced(panel: Mapping[str, Any], answered: Answered, row: int) -> float | None:
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
        case "first" | "firstNotNull":
            return float(known[0])
        case "range":
            return float(known.max() - known.min())
        case _:
            return float(known[-1])
