"""Panels of logs as Grafana's data source asks them, of a real Elasticsearch, against documents counted by hand."""

from __future__ import annotations

import json
import re
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import pytest
import requests

from sla_kit.catalogue import load
from sla_kit.dashboards import logging
from sla_kit.dashboards.rendering import Rendering
from sla_kit.errors import SlaKitError
from sla_kit.preview.answers import panels_of
from sla_kit.preview.filling import Range
from sla_kit.preview.log_queries import lines_of, search_body, series_of
from sla_kit.preview.logs import LogServer
from sla_kit.preview.running import Settings, preview
from tests.servers import Elasticsearch
from tests.servers.elasticsearch.clearing import clear, fresh_name
from tests.servers.process import refusing_port

Document = dict[str, Any]
EXAMPLE = Path(__file__).parents[2] / "examples" / "astralfield"
START = 1_790_532_000  # a full hour
INDEX = fresh_name()
SHOWN = Range(START, START + 3600, points=12)
#: ECS's types of the fields that are asked for (elastic.co/guide: ECS field reference).
MAPPING = {
    "@timestamp": "date",
    "message": "text",
    "log.level": "keyword",
    "service.name": "keyword",
    "error.type": "keyword",
    "event.dataset": "keyword",
    "http.response.status_code": "long",
}
#: What each Lucene query of the dashboard finds.
FINDS: Mapping[str, Callable[[Document], bool]] = {
    "*": lambda document: True,
    logging.ERRORS: lambda document: document["log.level"] in ("error", "fatal", "critical"),
    logging.SERVER_ERRORS: lambda document: 500 <= document.get("http.response.status_code", 0) <= 599,
}


def documents() -> list[Document]:
    """Log entries of three hours, of which the middle one is shown: some a second before and after it."""
    random = Random(20260927)
    found = []
    for number in range(3000):
        second = random.randrange(-3600, 7200) if number > 2 else (-1, 0, 3600)[number]
        level = random.choices(["debug", "info", "warn", "error", "fatal", "critical"], [3, 9, 3, 3, 1, 1])[0]
        service = random.choice(["api", "web", "worker"])
        document: Document = {
            "@timestamp": (START + second) * 1000 + (random.randrange(1000) if number > 2 else 0),
            "message": f"line {number}, error and fatal are only words here",
            "log.level": level,
            "service.name": service,
            "event.dataset": f"{service}.{'access' if number % 3 else 'log'}",
        }
        if number % 3:
            document["http.response.status_code"] = random.choice([200, 304, 404, 499, 500, 503, 599, 600])
        if level in ("error", "fatal"):
            document["error.type"] = random.choice(["TimeoutError", "TypeError", "ECONNRESET"][: 2 + number % 2])
        found.append(document)
    return found


DOCUMENTS = documents()


def request(server: Elasticsearch, path: str, body: str, method: str = "POST") -> dict[str, Any]:
    kind = {"Content-Type": "application/x-ndjson" if "_bulk" in path else "application/json"}
    asked = urllib.request.Request(f"{server.url}/{path}", body.encode(), kind, method=method)
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return dict(json.loads(answer.read()))


@pytest.fixture(scope="module")
def logs(elastic: Elasticsearch) -> Iterator[Elasticsearch]:
    """An Elasticsearch with the documents, over three shards."""
    properties = {name: {"type": kind} for name, kind in MAPPING.items()}
    settings = {"number_of_shards": 3, "number_of_replicas": 0}
    request(elastic, INDEX, json.dumps({"settings": settings, "mappings": {"properties": properties}}), "PUT")
    lines = [f'{{"create": {{}}}}\n{json.dumps(document)}\n' for document in DOCUMENTS]
    stored = request(elastic, f"{INDEX}/_bulk?refresh=true", "".join(lines))
    assert not stored["errors"]
    yield elastic
    clear(elastic.url, INDEX)


def rendered() -> dict[str, Mapping[str, Any]]:
    """The dashboard's targets that ask for logs, by their panel's title."""
    catalogue = load(EXAMPLE, "production")
    document = Rendering.of(catalogue).document(logging.dashboard(catalogue))
    return {
        panel["title"]: target
        for panel in panels_of(document)
        for target in panel["targets"]
        if target["datasource"]["type"] == "elasticsearch"
    }


TARGETS = rendered()


def found(target: Mapping[str, Any], shown: Range = SHOWN) -> list[Document]:
    """The documents that a target is about."""
    finds = FINDS[target["query"]]
    return [each for each in DOCUMENTS if shown.start * 1000 <= each["@timestamp"] <= shown.end * 1000 and finds(each)]


def asked(server: Elasticsearch, target: Mapping[str, Any]) -> dict[str, Any]:
    return request(server, f"{INDEX}/_search", json.dumps(search_body(target, SHOWN)))


@pytest.mark.xdist_group("logs")
@pytest.mark.parametrize(
    "title", [title for title, target in TARGETS.items() if target["metrics"][0]["type"] == "count"]
)
def test_a_panel_counts_the_documents_that_it_is_about(title: str, logs: Elasticsearch) -> None:
    target = TARGETS[title]
    fields = [each["field"] for each in target["bucketAggs"] if each["type"] == "terms"]
    over_time = any(each["type"] == "date_histogram" for each in target["bucketAggs"])
    true: Counter[tuple[Any, ...]] = Counter()
    for each in found(target):
        if all(field in each for field in fields):
            time = each["@timestamp"] // 300_000 * 300 if over_time else SHOWN.end
            true[(*(each[field] for field in fields), time)] += 1
    assert len(true) > 3
    answered = {
        (*series.labels.values(), time): count
        for series in series_of(target, asked(logs, target), SHOWN)
        for time, count in zip(series.times.tolist(), series.counts.tolist(), strict=True)
        if count
    }
    assert answered == true


@pytest.mark.xdist_group("logs")
def test_a_bucket_without_documents_is_there_and_empty(logs: Elasticsearch) -> None:
    target = {**TARGETS["Errors by service"], "query": "message:2999"}
    only = next(each for each in DOCUMENTS if each["message"].startswith("line 2999,"))
    shown = Range(
        int(only["@timestamp"] // 1000) // 3600 * 3600, int(only["@timestamp"] // 1000) // 3600 * 3600 + 3600, 12
    )
    answer = request(logs, f"{INDEX}/_search", json.dumps(search_body(target, shown)))
    (series,) = series_of(target, answer, shown)
    assert series.labels == {"service.name": only["service.name"]}
    assert series.times.tolist() == [shown.start + 300.0 * number for number in range(13)]
    assert sorted(series.counts.tolist()) == [*[0.0] * 12, 1.0]


@pytest.mark.xdist_group("logs")
def test_different_values_are_counted_once_each(logs: Elasticsearch) -> None:
    target = TARGETS["Different types of error"]
    true: dict[float, set[str]] = {}
    for each in found(target):
        if "error.type" in each:
            true.setdefault(each["@timestamp"] // 300_000 * 300, set()).add(each["error.type"])
    (series,) = series_of(target, asked(logs, target), SHOWN)
    assert series.labels == {}
    answered = dict(zip(series.times.tolist(), series.counts.tolist(), strict=True))
    assert answered == {START + 300.0 * number: len(true.get(START + 300.0 * number, ())) for number in range(13)}


@pytest.mark.xdist_group("logs")
def test_the_most_frequent_terms_are_shown_and_come_first(logs: Elasticsearch) -> None:
    target = TARGETS["Lines by level"]
    fewer = {
        **target,
        "bucketAggs": [
            target["bucketAggs"][0] | {"settings": {**target["bucketAggs"][0]["settings"], "size": "2"}},
            target["bucketAggs"][1],
        ],
    }
    true = Counter(each["log.level"] for each in found(target)).most_common(2)
    shown = series_of(fewer, asked(logs, fewer), SHOWN)
    assert [(each.labels["log.level"], each.counts.sum()) for each in shown] == true


@pytest.mark.xdist_group("logs")
def test_the_newest_lines_come_first_and_no_more_than_are_asked_for(logs: Elasticsearch) -> None:
    target = TARGETS["Newest errors"]
    true = sorted(found(target), key=lambda each: -each["@timestamp"])
    assert len(true) > 200
    lines = lines_of(asked(logs, target))
    assert [each["@timestamp"] for each in lines] == [each["@timestamp"] for each in true[:200]]
    assert [each for each in lines if each not in true] == []


@pytest.mark.xdist_group("logs")
def test_variables_are_filled_in(logs: Elasticsearch) -> None:
    target = {**TARGETS["Lines by level"], "query": "service.name:$service"}
    body = search_body(target, SHOWN, {"service": "api"})
    counts = {
        each.labels["log.level"]: each.counts.sum()
        for each in series_of(target, request(logs, f"{INDEX}/_search", json.dumps(body)), SHOWN)
    }
    assert counts == Counter(
        each["log.level"] for each in found(TARGETS["Lines by level"]) if each["service.name"] == "api"
    )


@pytest.mark.xdist_group("logs")
def test_panels_of_logs_are_drawn_from_what_the_server_tells(logs: Elasticsearch, tmp_path: Path) -> None:
    """The whole dashboard: its metrics are of a history that has none of them, its logs are there."""
    (tmp_path / "history.om").write_text(
        f'# TYPE up gauge\nup{{job="x"}} 1 {START}\nup{{job="x"}} 1 {START + 3600}\n# EOF\n'
    )
    catalogue = load(EXAMPLE, "production")
    settings = Settings(window="1h", logs=f"{logs.url}/{INDEX}", picture=False, engine="builtin")
    (made,) = preview(catalogue, str(tmp_path / "history.om"), ["logging"], tmp_path / "out", settings=settings)
    empty = {title for title, _ in made.empty}
    assert not empty & set(TARGETS)
    text = (tmp_path / "out" / "logging.html").read_text()
    panels = dict(re.findall(r"<h3>(.*?)</h3>(.*?)</section>", text, re.DOTALL))
    true = Counter(
        (each["service.name"], each["error.type"])
        for each in found(TARGETS["Most frequent errors"])
        if "error.type" in each
    )
    told = re.findall(r"<td[^>]*>([^<]*)</td>" * 3, panels["Most frequent errors"])
    assert {(service, kind): int(count) for service, kind, count in told} == dict(true)
    assert [int(count) for *_, count in told] == sorted(true.values(), reverse=True)
    newest = sorted(found(TARGETS["Newest errors"]), key=lambda each: -each["@timestamp"])
    assert re.findall(r"</b> (line \d+),", panels["Newest errors"]) == [
        each["message"].split(",")[0] for each in newest[:60]
    ]
    # Bars are stacked: their highest edge is the fullest quarter of a minute's, the axis says.
    assert 'fill-opacity=".85"' in panels["Errors by service"]
    for service in {each["service.name"] for each in found(TARGETS["Errors by service"])}:
        assert service in panels["Errors by service"]


@pytest.mark.xdist_group("logs")
def test_counts_stand_where_their_buckets_begin(logs: Elasticsearch) -> None:
    target = TARGETS["Lines by level"]
    asked_for = LogServer(f"{logs.url}/{INDEX}", {}).answered(target, SHOWN, {})
    assert asked_for.answer is not None
    true = Counter((each["log.level"], each["@timestamp"] // 300_000 * 300) for each in found(target))
    answer = asked_for.answer
    told = {
        (labels["log.level"], int(time)): int(count)
        for labels, row in zip(answer.labels, answer.values, strict=True)
        for time, count in zip(answer.grid.ends.tolist(), row.tolist(), strict=True)
        if count > 0
    }
    assert told == dict(true)


@pytest.mark.xdist_group("logs")
def test_what_the_server_refuses_is_said_in_the_panel(logs: Elasticsearch) -> None:
    server = LogServer(f"{logs.url}/{INDEX}", {})
    wrong = server.answered({**TARGETS["Lines by level"], "query": "log.level:["}, SHOWN, {})
    assert wrong.empty
    assert "Elasticsearch refuses this" in wrong.said
    assert "log.level:[" in wrong.said
    # An index that is not there has no entries.
    assert LogServer(f"{logs.url}/{INDEX}-nothing-*", {}).answered(TARGETS["Newest errors"], SHOWN, {}).empty
    server.close()


def test_a_log_server_that_is_not_there_is_told_without_its_password() -> None:
    with refusing_port() as port, pytest.raises(SlaKitError, match="refused") as told:
        LogServer(f"http://reader:hunter2@127.0.0.1:{port}/logs-*", {}).answered(TARGETS["Lines by level"], SHOWN, {})
    assert "hunter2" not in str(told.value)
    assert "127.0.0.1" in str(told.value)


def test_who_asks_stands_in_the_environment_or_in_files(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret-token")
    asking = LogServer("https://logs.example", {"SLA_KIT_ELASTICSEARCH_TOKEN_FILE": str(tmp_path / "token")})
    signed = asking._session.prepare_request(requests.Request("POST", asking._url))
    assert signed.headers["Authorization"] == "Bearer s3cret-token"
    assert signed.url == "https://logs.example/logs-*/_search"
    assert "s3cret" not in repr(asking)
    with_key = LogServer("elasticsearch+https://logs.example", {"SLA_KIT_ELASTICSEARCH_API_KEY": "s3cret-key"})
    signed = with_key._session.prepare_request(requests.Request("POST", with_key._url))
    assert signed.headers["Authorization"] == "ApiKey s3cret-key"
    assert signed.url == "https://logs.example/logs-*/_search"
    with pytest.raises(SlaKitError, match="is set as well"):
        LogServer("https://logs.example", {"SLA_KIT_ELASTICSEARCH_API_KEY": "x", "SLA_KIT_ELASTICSEARCH_TOKEN": "y"})
    both = {"SLA_KIT_ELASTICSEARCH_TOKEN": "x", "SLA_KIT_ELASTICSEARCH_USERNAME": "y"}
    with pytest.raises(SlaKitError, match="both a token and a user name"):
        LogServer("https://logs.example", both)
    with pytest.raises(SlaKitError, match="no address of an Elasticsearch"):
        LogServer("logs.example:9200", {})


def test_what_grafana_would_refuse_is_refused() -> None:
    target = {**TARGETS["Lines by level"], "bucketAggs": []}
    with pytest.raises(SlaKitError, match="divides them by nothing"):
        search_body(target, SHOWN)
