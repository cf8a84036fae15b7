"""A dashboard as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment
from markupsafe import Markup

from sla_kit.preview import panels
from sla_kit.preview.answers import Page
from sla_kit.preview.filling import ALL, choices, filled

#: Pixels above and below the panels.
_HEADER, _FOOTER = 48, 44


def html(page: Page, source: str, timezone: str = "UTC") -> str:
    """The page. ``source`` is the address of the history as it may be shown."""
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files("sla_kit.preview") / "pages" / "dashboard.html.j2").read_text("utf-8"))
    zone = ZoneInfo(timezone) if timezone != "UTC" else UTC
    shown = [(each.title, page.values.get(each.name, "")) for each in choices(page.document)]
    times = [datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M") for at in (page.range.start, page.range.end)]
    return template.render(
        title=page.document["title"],
        chosen=[(name, "all" if value == ALL else value) for name, value in shown],
        period=f"{times[0]} to {times[1]} ({timezone})",
        rows=_rows(page, zone),
        source=source,
        width=panels.WIDTH,
        unit=panels.UNIT,
        gap=panels.GAP,
        title_height=panels.TITLE,
        legend=panels.LEGEND,
        header=_HEADER,
        footer=_FOOTER,
    )


def height_of(document: Mapping[str, Any]) -> int:
    """How high the page of a document is, in pixels, at full width."""
    units = max((each["gridPos"]["y"] + each["gridPos"]["h"] for each in document["panels"]), default=1)
    return panels.height_of(units) + _HEADER + _FOOTER


def _rows(page: Page, zone: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = [{"heading": "", "y": 0, "panels": []}]
    for panel in page.document["panels"]:
        if panel["type"] == "row":
            rows.append({"heading": filled(panel["title"], page.values), "y": panel["gridPos"]["y"], "panels": []})
            continue
        where = panel["gridPos"]
        rows[-1]["panels"].append(
            {
                "id": panel["id"],
                "type": panel["type"],
                "title": filled(panel["title"], page.values),
                "description": panel.get("description", ""),
                "body": Markup(panels.body(page, panel, zone)),  # noqa: S704  # every text in it is escaped there
                "height": panels.height_of(where["h"]),
                **{key: where[key] for key in ("x", "y", "w", "h")},
            }
        )
    return rows
