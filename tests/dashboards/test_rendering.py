"""From a dashboard to Grafana's document: ids that stay, the same bytes each time, limits, states, links."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sla_kit.catalogue import load
from sla_kit.catalogue.model import Catalogue
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.colors import GREEN, GREY, ORANGE, RED, SERIES
from sla_kit.dashboards.grafana import SCHEMA_VERSION
from sla_kit.dashboards.model import Dashboard, LogQuery, Panel, Row
from sla_kit.dashboards.rendering import Rendering, panel_ids
from sla_kit.dashboards.vocabulary import (
    UP,
    Variable,
    alert_limit,
    bars,
    column,
    gauge,
    heatmap,
    kibana,
    leads_to,
    limit,
    log_lines,
    logs,
    query,
    row,
    runbook,
    stat,
    states,
    table,
    timeseries,
)
from sla_kit.errors import SlaKitError
from tests.dashboards.catalogues import ASTRAL, ROOT, SHOP, catalogue_of

_MEMORY = "max by (instance, $keep) (redis_memory_used_bytes{$redis})"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    addresses = "grafana: https://g.example.com, kibana: https://k.example.com/"
    text = f"runbooks: https://r.example.com/\n{SHOP}monitoring: {{{addresses}}}\n"
    return catalogue_of(text, tmp_path_factory.mktemp("shop"))


def board(*panels: Panel, **changes: Any) -> Dashboard:
    made = Dashboard(name="mine", title="Mine", description="Of mine.", folder="Mine", rows=(row("Row", *panels),))
    return replace(made, **changes)


def drawn(shop: Catalogue, panel: Panel) -> dict[str, Any]:
    """The document of one panel."""
    found: dict[str, Any] = Rendering.of(shop).document(board(panel))["panels"][1]
    return found


def a_stat(**more: Any) -> Panel:
    return stat("Memory", _MEMORY, unit="bytes", description="What keys take.", **more)


def lines(*queries: Any, **more: Any) -> Panel:
    return timeseries("Memory", *(queries or (_MEMORY,)), unit="bytes", description="What keys take.", **more)


# --- what stays -------------------------------------------------------------------------------------------------------


def test_ids_and_uids_stay_when_panels_come_between() -> None:
    """Alerts and bookmarks lead to them."""
    for dashboard in dashboards_of(load(ASTRAL, "production")):
        before = panel_ids(dashboard)
        new = replace(a_stat(), title="Between")
        rows = tuple(replace(each, panels=(new, *each.panels)) for each in dashboard.rows)
        after = panel_ids(replace(dashboard, rows=(row("New", new), *rows)))
        assert {key: after[key] for key in before} == before
        assert len(set(after.values())) == len(after)


def test_two_panels_of_one_title_are_refused() -> None:
    with pytest.raises(SlaKitError, match="dashboard mine: there are two of panel 'Memory' of row 'Row'"):
        panel_ids(board(a_stat(), lines()))
    with pytest.raises(SlaKitError, match="there are two of row 'Row'"):
        panel_ids(board(rows=(Row(title="Row", panels=()), Row(title="Row", panels=()))))


_PRINT = """
import hashlib
from sla_kit.catalogue import load
from sla_kit.dashboards import dashboards_of
from sla_kit.dashboards.rendering import Rendering
catalogue = load("examples/astralfield", "production")
rendering = Rendering.of(catalogue)
print(hashlib.sha256("".join(map(rendering.text, dashboards_of(catalogue))).encode()).hexdigest())
"""


def test_the_same_bytes_each_time() -> None:
    def run(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", _PRINT], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert len({run(seed) for seed in ("0", "1", "4711")}) == 1


def test_a_document_is_plain_json_that_ends_with_a_line(shop: Catalogue) -> None:
    text = Rendering.of(shop).text(board(a_stat()))
    assert text.endswith("}\n")
    document = json.loads(text)
    assert (document["uid"], document["schemaVersion"], document["editable"]) == ("sla-kit-mine", SCHEMA_VERSION, False)
    assert document["time"] == {"from": "now-6h", "to": "now"}
    assert json.loads(Rendering.of(shop).text(board(a_stat(), hours=72.0)))["time"]["from"] == "now-3d"
    assert json.loads(Rendering.of(shop).text(board(a_stat(), uid="other")))["uid"] == "other"


def test_nothing_is_null_but_where_a_limit_begins() -> None:
    """grafanalib writes whatever it knows of, and much of that is null to a Grafana of today."""

    def nulls(value: Any, path: str) -> list[str]:
        if isinstance(value, dict):
            return [each for key, one in value.items() for each in nulls(one, f"{path}.{key}")]
        if isinstance(value, list):
            return [each for one in value for each in nulls(one, path)]
        return [path] if value is None else []

    catalogue = load(ASTRAL, "production")
    rendering = Rendering.of(catalogue)
    found = {path for each in dashboards_of(catalogue) for path in nulls(json.loads(rendering.text(each)), "")}
    assert {path.rpartition(".steps")[2] for path in found} == {".value"}
    assert not any("'null'" in rendering.text(each) for each in dashboards_of(catalogue))


# --- what panels look like --------------------------------------------------------------------------------------------


def steps(panel: dict[str, Any]) -> list[tuple[str, float | None]]:
    return [(each["color"], each["value"]) for each in panel["fieldConfig"]["defaults"]["thresholds"]["steps"]]


def test_limits_above_rise_from_good_to_worst(shop: Catalogue) -> None:
    both = (limit(9, "above", "critical"), limit(5, "above", "warning"))
    assert steps(drawn(shop, a_stat(limits=both))) == [(GREEN, None), (ORANGE, 5), (RED, 9)]
    assert steps(drawn(shop, lines(limits=both))) == [("transparent", None), (ORANGE, 5), (RED, 9)]


def test_limits_below_rise_from_worst_to_good(shop: Catalogue) -> None:
    both = (limit(9, "below", "warning"), limit(5, "below", "critical"))
    assert steps(drawn(shop, a_stat(limits=both))) == [(RED, None), (ORANGE, 5), (GREEN, 9)]


def test_a_panel_without_limits_has_no_colour_of_good(shop: Catalogue) -> None:
    panel = drawn(shop, a_stat())
    assert steps(panel) == [(GREY, None)]
    assert panel["options"]["colorMode"] == "none"


def test_limits_on_both_sides_are_refused(shop: Catalogue) -> None:
    with pytest.raises(SlaKitError, match="limits above and below"):
        drawn(shop, a_stat(limits=(limit(1, "below"), limit(9, "above"))))


def test_states_say_what_values_mean(shop: Catalogue) -> None:
    [mapping] = drawn(shop, a_stat(states=UP))["fieldConfig"]["defaults"]["mappings"]
    assert {value: (each["text"], each["color"]) for value, each in mapping["options"].items()} == {
        "1": ("up", GREEN),
        "0": ("down", RED),
    }
    assert drawn(shop, a_stat(states=UP))["options"]["colorMode"] == "background_solid"


def test_panels_lead_to_runbooks_dashboards_and_kibana(shop: Catalogue) -> None:
    panel = drawn(
        shop,
        a_stat(
            limits=(alert_limit("RedisMemoryHigh", "ratio"),),
            links=(
                runbook("RedisDown"),
                leads_to("redis", "Redis", instance="${__field.labels.instance}"),
                kibana("Logs", "service.name:$service AND log.level:error"),
            ),
        ),
    )
    assert [(each["title"], each["url"]) for each in panel["links"]] == [
        ("Runbook: RedisMemoryHigh", "https://r.example.com/RedisMemoryHigh.md"),
        ("Runbook: RedisDown", "https://r.example.com/RedisDown.md"),
    ]
    redis, logged = panel["fieldConfig"]["defaults"]["links"]
    assert redis["url"] == (
        "/d/sla-kit-redis?${__url_time_range}&var-datasource=${datasource}&var-instance=${__field.labels.instance}"
    )
    assert not redis["targetBlank"]
    assert logged["url"].startswith("https://k.example.com/app/discover#/?_g=(time:(from:'${__from:date:iso}'")
    assert "service.name:$service%20AND%20log.level:error" in logged["url"]
    assert logged["targetBlank"]


def test_links_to_nowhere_are_left_out(tmp_path: Path) -> None:
    """A catalogue without addresses of Kibana and runbooks."""
    panel = drawn(catalogue_of(SHOP, tmp_path), a_stat(links=(kibana("Logs", "x"), runbook("RedisDown"))))
    assert panel["links"] == []
    assert "links" not in panel["fieldConfig"]["defaults"]


def test_queries_have_colours_of_their_own_or_grafanas_palette(shop: Catalogue) -> None:
    def colored(*queries: Any) -> list[str]:
        overrides = drawn(shop, lines(*queries))["fieldConfig"]["overrides"]
        return [each["properties"][0]["value"]["fixedColor"] for each in overrides]

    assert colored(query("1", "a"), query("2", "b", color="blue"), query("3", "c")) == [
        SERIES["orange"],
        SERIES["blue"],
        SERIES["green"],
    ]
    assert colored(query("1", "{{instance}}")) == []
    assert colored(*(query(str(number), str(number)) for number in range(len(SERIES) + 1))) == []


def test_every_kind_is_a_panel_of_todays_grafana(shop: Catalogue) -> None:
    said: dict[str, Any] = {"unit": "short", "description": "d"}
    made = {
        "stat": stat("P", _MEMORY, **said),
        "gauge": gauge("P", _MEMORY, **said),
        "timeseries": timeseries("P", _MEMORY, **said),
        "table": table("P", _MEMORY, **said),
        "bargauge": bars("P", _MEMORY, **said),
        "heatmap": heatmap("P", "sum by (le) (rate(x_bucket[5m]))", **said),
        "state-timeline": states("P", _MEMORY, **said),
        "logs": log_lines("P", "*", description="d"),
    }
    assert {kind: drawn(shop, panel)["type"] for kind, panel in made.items()} == {kind: kind for kind in made}
    for kind, panel in made.items():
        [target] = drawn(shop, panel)["targets"]
        if kind != "logs":
            instant = kind in ("table", "bargauge")
            assert (target["instant"], target["range"]) == (instant, not instant)
            assert target["format"] == {"table": "table", "heatmap": "heatmap"}.get(kind, "time_series")


def test_a_table_names_hides_and_orders_its_columns(shop: Catalogue) -> None:
    panel = table(
        "T",
        query(_MEMORY, "Bytes"),
        query("max by (instance, $keep) (redis_up{$redis})", "Up"),
        description="d",
        columns=(
            column("instance", "Which", link=leads_to("redis", "Redis")),
            column("Up", states=UP),
            column("Bytes", unit="bytes", limits=(limit(5),), width=90),
            column("cluster", hidden=True),
        ),
        sort_by="Bytes",
    )
    made = drawn(shop, panel)
    merge, organize = made["transformations"]
    assert merge["id"] == "merge"
    options = organize["options"]
    assert options["renameByName"]["Value #A"] == "Bytes"
    assert options["renameByName"]["instance"] == "Which"
    assert options["excludeByName"] == {"Time": True, "cluster": True}
    assert sorted(options["indexByName"], key=options["indexByName"].get) == [
        "instance", "Value #B", "Value #A", "cluster",
    ]  # fmt: skip
    by_column = {one["matcher"]["options"]: one["properties"] for one in made["fieldConfig"]["overrides"]}
    assert {key: {each["id"] for each in listed} for key, listed in by_column.items()} == {
        "Which": {"links"},
        "Up": {"mappings", "custom.cellOptions"},
        "Bytes": {"unit", "thresholds", "custom.cellOptions", "custom.width"},
    }
    assert made["options"]["sortBy"] == [{"displayName": "Bytes", "desc": True}]


def test_logs_are_counted_as_elasticsearch_is_asked(shop: Catalogue) -> None:
    panel = timeseries("L", logs("level:error", "service.name", most=3), unit="short", description="d")
    made = drawn(shop, panel)
    assert made["datasource"] == {"type": "elasticsearch", "uid": "${logs}"}
    terms, time = made["targets"][0]["bucketAggs"]
    assert (terms["type"], terms["field"], terms["settings"]["size"]) == ("terms", "service.name", "3")
    assert (time["type"], time["field"]) == ("date_histogram", "@timestamp")
    [unique] = drawn(shop, replace(panel, queries=(LogQuery(lucene="*", unique="error.type"),)))["targets"][0][
        "metrics"
    ]
    assert (unique["type"], unique["field"]) == ("cardinality", "error.type")


def test_variables_come_first_and_all_is_all(shop: Catalogue) -> None:
    own = Variable(name="instance", title="Instance", metric="redis_up{$redis}", label="instance")
    one = replace(own, name="one", several=False, preset="a")
    found = Rendering.of(shop).document(board(a_stat(), variables=(own, one)))["templating"]["list"]
    assert [each["name"] for each in found] == ["datasource", "environment", "cluster", "instance", "one"]
    source, environment, *_, last = found
    assert (source["type"], source["query"]) == ("datasource", "prometheus")
    assert (environment["allValue"], environment["current"]["value"]) == (".*", "$__all")
    assert (last["includeAll"], last["current"]["value"]) == (False, "a")


def test_a_collapsed_row_holds_its_panels(shop: Catalogue) -> None:
    other = replace(lines(), title="Other")
    rows = (row("Open", a_stat()), row("Closed", a_stat(), other, collapsed=True))
    found = Rendering.of(shop).document(board(rows=rows))["panels"]
    assert [each["title"] for each in found] == ["Open", "Memory", "Closed"]
    assert [each["title"] for each in found[-1]["panels"]] == ["Memory", "Other"]


def test_marks_are_there_where_the_calendar_has_any(tmp_path: Path) -> None:
    from sla_kit.dashboards.marks import LIVE_EVENTS, MAINTENANCE

    event = 'calendar: {events: [{name: game, start: "2026-10-01T18:00:00Z", duration: 2h}]}\n'
    dashboard = board(a_stat(), annotations=(LIVE_EVENTS, MAINTENANCE))
    for text, names in ((SHOP, []), (SHOP + event, ["Live events"])):
        document = Rendering.of(catalogue_of(text, tmp_path)).document(dashboard)
        assert [each["name"] for each in document["annotations"]["list"]] == names
