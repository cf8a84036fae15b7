"""backtest.html: one page for people that loads nothing and runs nothing: tables, and firings beside incidents."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from zoneinfo import ZoneInfo

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sla_kit.backtest.results import AlertResult, Backtest, Firing
from sla_kit.backtest.tables import (
    alerts_table,
    comparison_table,
    headline,
    incidents_table,
    length,
    titled,
    when,
)
from sla_kit.backtest.titles import titles
from sla_kit.engine.results import Period

#: Firings of one alert that are listed, and alerts that are drawn.
_MOST_FIRINGS, _MOST_LANES = 200, 120
#: A lane holds its title, and below it bars: full ones, and low ones for what agrees with no incident.
_WIDTH, _LANE, _TITLE, _BAR, _LOW = 1000, 32, 12, 12, 6


@dataclass(frozen=True, slots=True)
class Detail:
    """One alert with its firings, each as texts."""

    name: str
    expression: str
    place: str
    firings: tuple[tuple[str, str, str, bool], ...]
    more: int


def html(found: Backtest) -> str:
    """The whole page."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader("sla_kit.backtest", "pages"), PackageLoader("sla_kit.report", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    window = found.window
    first = found.variants[0]
    fired = [(one, title) for one, title in titled(found) if one.firings]
    return environment.get_template("backtest.html.j2").render(
        title=f"Alerts on history: {first.name}",
        headline=headline(found),
        subject=f"{when(window.start, found.timezone)} to {when(window.end, found.timezone)} {found.timezone}",
        details=[f"{found.source}, evaluated by: {found.engine}", *found.notes, *first.notes],
        alerts=alerts_table(found),
        incidents=incidents_table(found) if found.incidents else None,
        comparison=comparison_table(found) if len(found.variants) > 1 else None,
        strips=[
            (variant.name, strip(found, [each for each in zip(variant.alerts, names, strict=True) if each[0].firings]))
            for variant, names in zip(found.variants, titles(found.variants), strict=True)
        ],
        firings=[_detail(one, title, found) for one, title in fired],
        tolerance=length(found.tolerance_seconds),
    )


def strip(found: Backtest, alerts: list[tuple[AlertResult, str]]) -> Markup:
    """When each alert fired, a lane each, under a lane with the incidents, whose shadows fall through all lanes."""
    window = found.window
    shown = alerts[:_MOST_LANES]
    height = _LANE * (len(shown) + 1) + 22
    parts = [
        f'<svg class="strip" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'aria-label="When alerts fired, beside {len(found.incidents)} incidents">'
    ]
    for incident in found.incidents:
        left, width = _span(incident.start, incident.end, window)
        told = f"{incident.name} {incident.service}: {when(incident.start, found.timezone)}"
        parts.append(
            f'<rect class="shadow" x="{left}" y="0" width="{width}" height="{height - 20}"/>'
            f'<rect class="incident" x="{left}" y="{_TITLE + 4}" width="{width}" height="{_BAR}">'
            f"<title>{escape(told)}</title></rect>"
        )
    parts.append(f'<text x="4" y="{_TITLE}">incidents</text>')
    for lane, (alert, title) in enumerate(shown, 1):
        top = lane * _LANE
        parts.append(f'<line class="lane" x1="0" x2="{_WIDTH}" y1="{top}" y2="{top}"/>')
        parts += _firings(alert.firings, window, top, found.timezone)
        parts.append(f'<text x="4" y="{top + _TITLE}">{escape(title)}</text>')
    parts += _dates(window, found.timezone, height)
    return Markup("".join([*parts, "</svg>"]))  # noqa: S704


def _firings(firings: tuple[Firing, ...], window: Period, top: int, timezone: str) -> list[str]:
    """The bars of one lane; those that would be drawn on top of one another are one."""
    bars: list[list[float]] = []
    titles: list[str] = []
    kinds: list[str] = []
    for firing in sorted(firings, key=lambda one: one.start):
        left, width = _span(firing.start, firing.end, window)
        kind = "right" if firing.incidents else "wrong"
        if bars and kinds[-1] == kind and left <= bars[-1][0] + bars[-1][1]:
            bars[-1][1] = round(max(bars[-1][1], left + width - bars[-1][0]), 2)
            continue
        bars.append([left, width])
        kinds.append(kind)
        titles.append(f"{when(firing.start, timezone)}, {length(firing.seconds)}")
    bottom, heights = top + _TITLE + 4 + _BAR, {"right": _BAR, "wrong": _LOW}
    return [
        f'<rect class="{kind}" x="{left}" y="{bottom - heights[kind]}" width="{width}" height="{heights[kind]}">'
        f"<title>{escape(title)}</title></rect>"
        for (left, width), kind, title in zip(bars, kinds, titles, strict=True)
    ]


def _span(start: int, end: int, window: Period) -> tuple[float, float]:
    whole = max(1, window.end - window.start)
    left = max(0.0, (start - window.start) / whole) * _WIDTH
    right = min(1.0, (end - window.start) / whole) * _WIDTH
    return round(min(left, _WIDTH - 1.5), 2), round(max(1.5, right - left), 2)


def _dates(window: Period, timezone: str, height: int) -> list[str]:
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    texts = []
    for number in range(6):
        at = window.start + (window.end - window.start) * number / 5
        x = number * _WIDTH / 5
        anchor = "start" if not number else "end" if number == 5 else "middle"
        pattern = "%d %b" if window.end - window.start > 3 * 86400 else "%d %b %H:%M"
        text = datetime.fromtimestamp(at, zone).strftime(pattern)
        texts.append(f'<text class="date" x="{x:g}" y="{height - 5}" text-anchor="{anchor}">{text}</text>')
    return texts


def _detail(one: AlertResult, title: str, found: Backtest) -> Detail:
    return Detail(
        name=title,
        expression=one.expression,
        place=f"{one.file}:{one.line}" if one.line else one.file,
        firings=tuple(
            (
                when(firing.start, found.timezone),
                length(firing.seconds) + (", and on" if firing.open else ""),
                ", ".join(f"{name}={value}" for name, value in firing.labels),
                bool(firing.incidents),
            )
            for firing in one.firings[:_MOST_FIRINGS]
        ),
        more=max(0, len(one.firings) - _MOST_FIRINGS),
    )
