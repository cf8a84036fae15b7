"""The whole set of dashboards for 100 services with 10 SLOs each, beside a plain grafanalib script for the same panels.

    python -m bench.dashboards [--services 100] [--slos 10] [--rounds 7]

The script is what one writes without sla-kit: the same panels with the same queries, limits and units, as literals that
are handed to grafanalib's classes and its own encoder. Its literals are there before the clock starts; ours begins with
the catalogue. Both write JSON text. Seconds are the processor's, the least of some rounds that take turns.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from grafanalib import core
from grafanalib._gen import DashboardEncoder
from grafanalib.elasticsearch import ElasticsearchTarget

from sla_kit.catalogue.model import Catalogue, Latency, Requests, Service, Slo, Window
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.rendering import Rendering

#: Ours may take this many times as long.
MOST = 2.0


def main(services: int, slos: int, rounds: int) -> None:
    catalogue = large(services, slos)
    pages = [page_of(json.loads(text)) for text in ours(catalogue)]
    panels = sum(len(page.panels) for page in pages)
    targets = sum(len(panel.targets) for page in pages for panel in page.panels)
    print(f"{services} services with {slos} SLOs: {len(pages)} dashboards, {panels} panels, {targets} queries")
    assert [same(text) for text in ours(catalogue)] == [same(text) for text in plain(pages)], "not the same panels"
    ours_seconds, plain_seconds = least(lambda: ours(catalogue), lambda: plain(pages), rounds)
    ratio = ours_seconds / plain_seconds
    print(f"ours, from the catalogue     {ours_seconds:7.3f} s")
    print(f"grafanalib, from literals    {plain_seconds:7.3f} s")
    print(f"ratio                        {ratio:7.2f} (no more than {MOST:g})")
    if ratio > MOST:
        raise SystemExit("slower than it may be")


def large(services: int, slos: int) -> Catalogue:
    """A catalogue of requests and latencies, half of each."""
    found = []
    for number in range(services):
        slis: dict[str, Any] = {}
        for each in range(slos):
            matchers: dict[str, str | list[str]] = {"job": f"service-{number}", "route": f"/{each}"}
            if each % 2:
                slis[f"sli-{each}"] = Latency(
                    metric="http_request_duration_seconds", matchers=matchers, threshold=0.1
                )  # fmt: skip
            else:
                slis[f"sli-{each}"] = Requests(
                    metric="http_requests_total", matchers=matchers, bad={"status_code": "~5.."}
                )  # fmt: skip
        listed = [
            Slo(name=f"slo-{each}", sli=f"sli-{each}", objective=0.999, window=Window(rolling=30 * 86400.0))
            for each in range(slos)
        ]
        found.append(Service(name=f"service-{number}", slis=slis, slos=listed))
    return Catalogue(name="large", services=found)


def ours(catalogue: Catalogue) -> list[str]:
    """Every dashboard's JSON, from a catalogue of which nothing is remembered."""
    catalogue = msgspec.structs.replace(catalogue)
    rendering = Rendering.of(catalogue)
    return [rendering.text(each) for each in dashboards_of(catalogue)]


def least(one: Callable[[], object], other: Callable[[], object], rounds: int) -> tuple[float, float]:
    """The least time of the processor that each of two takes, in turns."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for function, found in zip((one, other), times, strict=True):
            began = time.process_time()
            function()
            found.append(time.process_time() - began)
    return min(times[0]), min(times[1])


# --- the peer: literals, and what one writes with grafanalib ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PlainPanel:
    """What a script says of one panel."""

    kind: str
    title: str
    description: str
    unit: str
    targets: tuple[dict[str, Any], ...]
    steps: tuple[tuple[str, float | None], ...]
    grid: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class PlainPage:
    """What a script says of one dashboard."""

    title: str
    uid: str
    variables: tuple[tuple[str, str, str], ...]
    panels: tuple[PlainPanel, ...]


def page_of(document: dict[str, Any]) -> PlainPage:
    """The literals of a script that makes the panels of a document."""
    variables = []
    for each in document["templating"]["list"]:
        asked = each["query"]["query"] if isinstance(each["query"], dict) else each["query"]
        variables.append((each["name"], each["type"], asked))
    panels = [each for panel in document["panels"] for each in (panel, *panel.get("panels", []))]
    return PlainPage(
        document["title"], document["uid"], tuple(variables), tuple(map(_panel_of, panels))
    )  # fmt: skip


def _panel_of(panel: dict[str, Any]) -> PlainPanel:
    defaults, grid = panel.get("fieldConfig", {}).get("defaults", {}), panel["gridPos"]
    return PlainPanel(
        kind=panel["type"],
        title=panel["title"],
        description=panel.get("description", ""),
        unit=defaults.get("unit", ""),
        targets=tuple(panel.get("targets", [])),
        steps=tuple((each["color"], each["value"]) for each in defaults.get("thresholds", {}).get("steps", [])),
        grid=(grid["h"], grid["w"], grid["x"], grid["y"]),
    )


def plain(pages: Sequence[PlainPage]) -> list[str]:
    """The JSON that grafanalib makes of them."""
    return [
        json.dumps(_dashboard(page).to_json_data(), sort_keys=True, indent=2, cls=DashboardEncoder) + "\n"
        for page in pages
    ]


def _dashboard(page: PlainPage) -> core.Dashboard:
    return core.Dashboard(
        title=page.title,
        uid=page.uid,
        templating=core.Templating(
            [
                core.Template(name=name, type=kind, query=query, dataSource="$datasource", includeAll=True, multi=True)
                for name, kind, query in page.variables
            ]
        ),
        panels=[_panel(panel) for panel in page.panels],
        time=core.Time("now-6h", "now"),
        timezone="browser",
    ).auto_panel_ids()


def _panel(panel: PlainPanel) -> core.Panel:
    grid = core.GridPos(*panel.grid)
    if panel.kind == "row":
        return core.RowPanel(title=panel.title, gridPos=grid)
    steps = [{"color": color, "value": value} for color, value in panel.steps]
    common = {
        "title": panel.title,
        "description": panel.description,
        "dataSource": "$datasource",
        "targets": [_target(each) for each in panel.targets],
        "gridPos": grid,
    }
    match panel.kind:
        case "timeseries":
            return core.TimeSeries(**common, unit=panel.unit, thresholds=steps, legendDisplayMode="list")
        case "stat":
            return core.Stat(**common, format=panel.unit, thresholds=steps, reduceCalc="lastNotNull")
        case "gauge":
            return core.GaugePanel(**common, format=panel.unit, thresholds=_thresholds(panel))
        case "bargauge":
            return core.BarGauge(**common, format=panel.unit, thresholds=_thresholds(panel))
        case "table":
            return core.Table(**common, unit=panel.unit, thresholds=steps)
        case "heatmap":
            return core.Heatmap(**common)
        case "state-timeline":
            return core.StateTimeline(**common, thresholds=steps)
        case "logs":
            return core.Logs(**common)
    raise ValueError(panel.kind)


def _thresholds(panel: PlainPanel) -> list[core.Threshold]:
    return [core.Threshold(color, number, float(value or 0)) for number, (color, value) in enumerate(panel.steps)]


def _target(target: dict[str, Any]) -> Any:
    if "expr" not in target:
        return ElasticsearchTarget(query=target["query"], refId=target["refId"])
    return core.Target(
        expr=target["expr"],
        legendFormat=target.get("legendFormat", ""),
        refId=target["refId"],
        format=target["format"],
        instant=target["instant"],
    )


def same(text: str) -> list[tuple[str, str, int]]:
    """What both sides must have in common: each panel's kind, title and number of queries."""
    panels = [each for panel in json.loads(text)["panels"] for each in (panel, *panel.get("panels", []))]
    return [(each["type"], each["title"], len(each.get("targets", []))) for each in panels]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=100)
    parser.add_argument("--slos", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    main(given.services, given.slos, given.rounds)
