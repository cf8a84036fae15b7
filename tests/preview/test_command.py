"""`sla-kit preview` as a person and a pipeline meet it, on a small history of which every figure is known."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from html import unescape
from pathlib import Path
from typing import Any

import matplotlib.image
import pytest

from tests.servers import prometheus, prometheus_program
from tests.servers.process import refusing_port

START = 1_789_905_600  # 2026-09-20 12:00 UTC
MINUTES = 120
CATALOGUE = """
name: shop
services:
  - name: api
    slis: {requests: {kind: requests, metric: requests_total, matchers: {service: api}, bad: {code: "500"}}}
    slos: [{name: availability, sli: requests, objective: 99%, window: 1d}]
"""


def samples() -> str:
    """Two hours, a sample a minute: 120 good requests and 6 bad ones a minute, a queue as long as the minute is late, a
    worker that is down in the second hour, and how long requests took."""
    families: dict[str, list[str]] = {name: [] for name in ("requests", "queue", "worker_up", "took")}
    for minute in range(MINUTES + 1):
        at = START + minute * 60
        for code, each in (("200", 120), ("500", 6)):
            families["requests"].append(f'requests_total{{service="api",code="{code}"}} {minute * each} {at}')
        families["queue"].append(f'queue{{name="mail"}} {minute} {at}')
        families["queue"].append(f'queue{{name="files"}} {2 * minute} {at}')
        families["worker_up"].append(f'worker_up{{worker="one"}} 1 {at}')
        families["worker_up"].append(f'worker_up{{worker="two"}} {int(minute <= 60)} {at}')
        for bound, each in (("0.1", 30), ("1.0", 60), ("+Inf", 60)):
            families["took"].append(f'took_bucket{{le="{bound}"}} {minute * each} {at}')
    kinds = {"requests": "counter", "queue": "gauge", "worker_up": "gauge", "took": "histogram"}
    lines = []
    for name, found in families.items():
        lines.append(f"# TYPE {name} {kinds[name]}")
        lines += sorted(found, key=lambda line: line.split(" ")[0])
    return "\n".join([*lines, "# EOF", ""])


def target(expression: str, ref: str = "A", legend: str = "", *, instant: bool = False, table: bool = False) -> Any:
    return {
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "expr": expression,
        "refId": ref,
        "legendFormat": legend,
        "instant": instant,
        "format": "table" if table else "time_series",
    }


def panel(kind: str, title: str, *targets: Any, unit: str = "short", **more: Any) -> dict[str, Any]:
    defaults = {"unit": unit, **more.pop("defaults", {})}
    return {
        "type": kind, "title": title, "targets": list(targets), "fieldConfig": {"defaults": defaults, "overrides": []},
        **more,
    }  # fmt: skip


RATE = 'sum by (code) (rate(requests_total{service=~"$service"}[$__rate_interval]))'
UP = {"mappings": [{"type": "value", "options": {"1": {"text": "up", "color": "green"},
                                                 "0": {"text": "down", "color": "red"}}}]}  # fmt: skip


def document() -> dict[str, Any]:
    """A dashboard with every type of panel."""
    merged = [
        {"id": "merge"},
        {"id": "organize", "options": {"renameByName": {"Value #A": "Length", "Value #B": "Twice"}}},
    ]
    logs = {
        "datasource": {"type": "elasticsearch", "uid": "x"}, "query": "*", "refId": "A",
        "metrics": [{"id": "1", "type": "logs"}], "bucketAggs": [],
    }  # fmt: skip
    steps = {"steps": [{"color": "transparent", "value": None}, {"color": "#D55E00", "value": 1}]}
    panels = [
        panel("stat", "Requests", target("sum(rate(requests_total[5m]))"), unit="reqps", options={"graphMode": "area"}),
        panel("gauge", "Errors", target('sum(rate(requests_total{code="500"}[5m])) / sum(rate(requests_total[5m]))'),
              unit="percentunit", defaults={"min": 0, "max": 0.1, "decimals": 2}),
        panel("bargauge", "Queues", target("sort_desc(queue)", legend="{{name}}", instant=True), unit="none"),
        panel("stat", "Workers", target("worker_up", legend="{{worker}}", instant=True), defaults=UP,
              options={"colorMode": "background"}),
        panel("timeseries", "Requests by code", target(RATE, legend="{{code}}"), unit="reqps", description="By code.",
              defaults={"thresholds": steps, "custom": {"thresholdsStyle": {"mode": "line"}}}),
        panel("timeseries", "Bars", target("increase(requests_total[10m])", legend="{{code}}"),
              defaults={"custom": {"drawStyle": "bars", "stacking": {"mode": "normal"}}}),
        panel("timeseries", "Powers", target("2 ^ queue", legend="{{name}}"),
              defaults={"custom": {"scaleDistribution": {"type": "log"}}}),
        panel("table", "Lengths", target("queue", instant=True, table=True),
              target("2 * queue", "B", instant=True, table=True), transformations=merged),
        panel("heatmap", "Durations", target("sum by (le) (rate(took_bucket[5m]))"), unit="s"),
        panel("state-timeline", "Which work", target("worker_up", legend="{{worker}}"), defaults=UP),
        panel("logs", "Newest lines", logs),
        panel("text", "Words", options={"content": "What <this> is for"}),
        panel("geomap", "Where", target("queue")),
        panel("timeseries", "Never", target("no_such_metric"), defaults={"noValue": "nothing yet"}),
        panel("timeseries", "Wrong", target("sum by (code (requests_total)")),
    ]  # fmt: skip
    for number, each in enumerate(panels):
        each |= {"id": number + 1, "gridPos": {"x": number % 3 * 8, "y": number // 3 * 7 + 1, "w": 8, "h": 7}}
    row = {
        "type": "row",
        "title": "All of $service",
        "id": 99,
        "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1},
        "panels": [],
    }
    service = {"type": "query", "name": "service", "label": "Service", "query": "label_values(requests_total, service)"}
    return {
        "title": "Everything", "panels": [row, *panels], "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [service]},
        "annotations": {"list": [{"name": "down", "enable": True, "expr": "worker_up == 0", "iconColor": "#CC79A7"}]},
    }  # fmt: skip


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalogue, a history and a dashboard."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "sla.yml").write_text(CATALOGUE)
    (folder / "history.om").write_text(samples())
    (folder / "everything.json").write_text(json.dumps(document()))
    return folder


def run(place: Path, *arguments: str, source: str = "history.om") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    command = [str(Path(sys.executable).parent / "sla-kit"), "preview", *arguments, "-s", source]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place)


def panels_of(page: Path) -> Mapping[str, str]:
    """The HTML of each panel by its title."""
    text = page.read_text(encoding="utf-8")
    sections = re.findall(r"<section.*?<h3>(.*?)</h3>(.*?)</section>", text, re.DOTALL)
    return {unescape(title): body for title, body in sections}


def words(body: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", body)).split())


@pytest.mark.parametrize("version", ["2", "3"])
def test_every_type_of_panel_shows_what_its_queries_give(place: Path, version: str) -> None:
    out = f"out-{version}"
    done = run(place, "everything.json", "-o", out, "--prometheus", str(prometheus_program(version)))
    assert done.stdout.split() == [f"{out}/everything.html", f"{out}/everything.png"]
    # What is left out is no failure, and a title says what a panel lacks.
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert told[0] == "sla-kit: everything: 'Never' has no data"
    assert told[1].startswith("sla-kit: everything: 'Wrong' has no data: ")
    assert "parse error" in told[1]
    panels = panels_of(place / out / "everything.html")
    # 126 requests a minute, of which 6 are bad.
    assert words(panels["Requests"]) == "2.10 req/s"
    assert 'class="spark"' in panels["Requests"]
    assert words(panels["Errors"]) == "4.76%"
    assert words(panels["Queues"]) == "files 240 mail 120"
    assert "width:50.0%" in panels["Queues"]
    assert words(panels["Workers"]) == "one up two down"
    assert "background:red" in panels["Workers"]
    assert "background:green" in panels["Workers"]
    assert words(panels["Requests by code"]).endswith("200 2 req/s 500 0.100 req/s")
    assert 'class="line limit" stroke="#D55E00"' in panels["Requests by code"]
    # Worker two is down from the begin of the hour on.
    assert 'fill="#CC79A7" fill-opacity=".09"' in panels["Requests by code"]
    assert "1.20 K" in words(panels["Bars"])
    # From 2^60 to 2^240: powers of ten far apart, and short.
    ticks = re.findall(r'top:[\d.]+%">([^<]+)<', panels["Powers"])
    assert 3 <= len(ticks) <= 8
    assert max(map(len, ticks)) <= 10
    assert words(panels["Lengths"]) == "name Length Twice files 240 480 mail 120 240"
    assert "100 ms" in panels["Durations"]
    assert "∞" in panels["Durations"]
    # As many up to 100 ms as from there to a second, all the time: two full rows in one colour.
    assert [course.count("M") for course in re.findall(r'<path d="([^"]*)"', panels["Durations"])] == [2]
    assert words(panels["Which work"]).endswith("up down")
    assert words(panels["Newest lines"]) == "Give --logs to see this panel"
    assert words(panels["Words"]) == "What <this> is for"
    assert words(panels["Where"]) == "geomap panels are not drawn"
    assert words(panels["Never"]) == "nothing yet"
    assert 'class="empty failed"' in panels["Wrong"]
    page = (place / out / "everything.html").read_text()
    assert "Service: api" in page
    assert "All of api" in page
    assert "2026-09-20 13:00 to 2026-09-20 14:00 (UTC)" in page
    assert 'title="By code."' in page
    assert matplotlib.image.imread(place / out / "everything.png").shape[1] == 1440


def test_strict_leaves_with_1_where_a_panel_is_empty(place: Path) -> None:
    done = run(place, "everything.json", "-o", "strict", "--strict", "--no-picture")
    assert done.returncode == 1
    assert done.stdout.split() == ["strict/everything.html"]
    whole = {**document(), "panels": [each for each in document()["panels"] if each["title"] not in ("Never", "Wrong")]}
    (place / "whole.json").write_text(json.dumps({"dashboard": whole, "meta": {}}))  # as Grafana's API gives it
    done = run(place, "whole.json", "-o", "strict", "--strict", "--no-picture")
    assert (done.returncode, done.stderr) == (0, "")


def test_without_prometheus_each_panel_says_what_is_beyond_sla_kit(place: Path) -> None:
    done = run(place, "everything.json", "-o", "own", "--engine", "builtin", "--no-picture")
    assert done.returncode == 0, done.stderr
    panels = panels_of(place / "own" / "everything.html")
    assert words(panels["Requests"]) == "2.10 req/s"
    assert words(panels["Workers"]) == "one up two down"
    for line in done.stderr.splitlines():
        title = re.findall(r"everything: '(.*?)' has no data", line)[0]
        assert title == "Never" or "PromQL" in words(panels[title]), line


def test_a_live_server_answers_and_what_is_chosen_is_asked_for(place: Path) -> None:
    with prometheus("3", openmetrics=place / "history.om") as server:
        where = [*("-o", "live", "--no-picture"), *("--at", str(START + MINUTES * 60), "--window", "30m")]
        done = run(place, "everything.json", *where, "--set", "service=nobody", source=server.url)
        assert done.returncode == 0, done.stderr
        assert "'Requests by code' has no data" in done.stderr
        panels = panels_of(place / "live" / "everything.html")
        assert words(panels["Requests"]) == "2.10 req/s"
        assert words(panels["Requests by code"]) == "No data"
        assert "2026-09-20 13:30 to 2026-09-20 14:00" in (place / "live" / "everything.html").read_text()


def test_a_source_that_does_not_answer_is_told_at_once(place: Path) -> None:
    with refusing_port() as port:
        address = f"http://127.0.0.1:{port}"
        done = run(place, "everything.json", "-o", "dead", "--no-picture", source=address)
    assert done.returncode == 2
    assert done.stdout == ""
    assert address in done.stderr
    assert "refused" in done.stderr
    assert not list((place / "dead").glob("*.html"))


def test_without_a_browser_the_pages_are_there_all_the_same(place: Path) -> None:
    (place / "bare").mkdir()
    (place / "bare" / "everything.png").write_bytes(b"of an earlier page")
    (place / "second.json").write_text(json.dumps({**document(), "title": "Second"}))
    done = run(place, "everything.json", "second.json", "-o", "bare", "--browser", "no-such-browser")
    assert done.returncode == 2
    assert "there is no browser 'no-such-browser'" in done.stderr
    assert "--no-picture" in done.stderr
    assert sorted(each.name for each in (place / "bare").glob("*.*")) == [".state", "everything.html", "second.html"]
    # A program that is no browser takes no picture, either.
    done = run(place, "everything.json", "-o", "bare", "--browser", "true")
    assert done.returncode == 2
    assert "took no picture" in done.stderr


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("no-such-dashboard", "", "there is no dashboard 'no-such-dashboard'"),
        ("missing.json", "", "can't be read"),
        ("cut.json", '{"panels": [', "can't be read"),
        ("list.json", "[1, 2]", "it has no panels"),
        ("new.json", '{"kind": "Dashboard", "spec": {}}', "it has no panels"),
        ("lost.json", '{"panels": [{"type": "stat", "title": "x"}]}', "panel 1 of the dashboard has no place"),
    ],
)
def test_what_is_no_dashboard_is_told(place: Path, name: str, text: str, said: str) -> None:
    if text:
        (place / name).write_text(text)
    done = run(place, name, "-o", "none", "--no-picture")
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    if name == "no-such-dashboard":
        assert "slo-overview" in done.stderr
