"""`sla-kit errors` and the report's errors, read from an Elasticsearch: what is new, came back, and is told of."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from elasticsearch import Elasticsearch, helpers

from sla_kit.cli import main
from sla_kit.logs.fingerprint import fingerprint
from sla_kit.routing.events import Event, Notice
from sla_kit.routing.outbox.accepting import new_events
from sla_kit.routing.outbox.store import open_outbox
from tests.servers.elasticsearch import Elasticsearch as Node

#: 2026-11-20T00:00:00Z, when everything is looked back from.
NOW = 1_795_132_800.0
HOUR, DAY = 3600.0, 86400.0
CATALOGUE = """
name: shop
timezone: UTC
contacts: [{{name: platform, email: p@example.com}}, {{name: front, email: f@example.com}}]
monitoring: {{kibana: "https://kibana.example.com"}}
sources: [{{name: logs, url: "{url}"}}]
logs: {{index: "{index}"}}
services:
  - name: api
    owner: platform
    slos:
      - name: by-logs
        objective: 50%
        window: 7d
        sli: {{kind: log-events, query: "service.name:api", bad: "log.level:error"}}
  - {{name: web, owner: front, slos: []}}
"""
_KEYWORD = {"type": "keyword"}
MAPPINGS = {
    "properties": {
        "@timestamp": {"type": "date"},
        "message": {"type": "text"},
        "service": {"properties": {"name": _KEYWORD, "version": _KEYWORD}},
        "log": {"properties": {"level": _KEYWORD}},
        "error": {
            "properties": {
                "type": _KEYWORD,
                "message": {"type": "text"},
                "stack_trace": {"type": "text"},
                "grouping_key": _KEYWORD,
                "grouping_name": _KEYWORD,
            }
        },
        "user": {"properties": {"id": _KEYWORD}},
        "host": {"properties": {"name": _KEYWORD}},
        "trace": {"properties": {"id": _KEYWORD}},
    }
}
STACK = 'Traceback (most recent call last):\n  File "/srv/shop/orders.py", line {line}, in place\n    total()\n'


def error(
    before: float, kind: str, message: str, *, service: str = "api", version: str = "1.4.1", user: int = 1
) -> Any:
    """A document of an error, ``before`` so many seconds ago."""
    stack = STACK.format(line=int(before) % 90 + 1)
    found = fingerprint(kind, message, stack)
    return {
        "@timestamp": int((NOW - before) * 1000),
        "service": {"name": service, "version": version},
        "log": {"level": "error"},
        "message": message,
        "error": {
            "type": kind,
            "message": message,
            "stack_trace": stack,
            "grouping_key": found.key,
            "grouping_name": found.name,
        },
        "user": {"id": f"u{user}"},
        "host": {"name": "api-1"},
        "trace": {"id": "4bf92f3577b34da6a3ce929d0e0e4736"},
    }


USUAL = fingerprint("TimeoutError", "no answer from 10.0.0.1 after 250 ms", STACK.format(line=1)).key
NEW = fingerprint("TypeError", "can't read the basket of ann@example.com", STACK.format(line=2)).key
BACK = fingerprint("ValueError", "a total of 1 too many", STACK.format(line=3)).key


def documents() -> Iterator[Any]:
    for number in range(600):  # for 25 days, each hour
        yield error(number * HOUR + 60, "TimeoutError", f"no answer from 10.0.0.{number % 9} after {number} ms")
    for number in range(30):
        message = f"can't read the basket of user{number}@example.com"
        yield error(6 * HOUR + number * 60, "TypeError", message, version="1.4.2", user=number % 10)
    for before in (20 * DAY, 19 * DAY, 1 * DAY, 2 * HOUR):
        yield error(before, "ValueError", f"a total of {before:.0f} too many", service="web", version="1.4.2")
    for number in range(1200):
        yield {
            "@timestamp": int((NOW - number * 600) * 1000),
            "service": {"name": "api", "version": "1.4.1"},
            "log": {"level": "info"},
            "message": "served",
        }


@pytest.fixture
def place(elastic: Node, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the catalogue of a shop whose logs are in ``elastic``."""
    with Elasticsearch(elastic.url, request_timeout=120) as client:
        client.indices.create(index=index, mappings=MAPPINGS, settings={"number_of_replicas": 0})
        helpers.bulk(client, ({"_index": index, "_source": one} for one in documents()), refresh=True)
    (tmp_path / "sla.yml").write_text(CATALOGUE.format(url=f"elasticsearch+{elastic.url}", index=index))
    monkeypatch.chdir(tmp_path)
    for name in ("SLA_KIT_SOURCE", "SLA_KIT_LEDGER"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def run(*words: str, columns: int = 200) -> Result:
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(main, list(words))


def errors(*words: str) -> Result:
    return run("errors", *words, "--at", str(NOW))


def listed(*words: str) -> dict[str, Any]:
    result = errors(*words, "--format", "json")
    assert result.exit_code in (0, 1), result.output
    found: dict[str, Any] = json.loads(result.stdout)
    return found


def by_key(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {group["key"]: group for group in document["groups"]}


def test_the_list_says_what_is_new_and_nothing_that_nobody_may_see(place: Path) -> None:
    result = errors("--window", "7d")
    assert result.exit_code == 1
    assert "1 group is new" in result.stdout
    assert NEW in result.stdout
    assert "platform" in result.stdout
    assert "\x1b" not in result.stdout
    for form in ("table", "json", "csv", "markdown"):
        text = errors("--window", "7d", "--format", form).stdout
        assert "TypeError" in text
        assert "@example.com" not in text


def test_without_a_time_before_it_can_t_be_told_what_is_new(place: Path) -> None:
    result = errors("--window", "365d")
    assert "which groups are new or surge is not known" in " ".join(result.stdout.split())
    assert result.exit_code == 2


def test_json_and_csv_hold_the_counts_that_were_written(place: Path) -> None:
    document = listed("--window", "7d")
    found = by_key(document)
    assert found[NEW]["count"] == {"value": 30, "low": 30, "high": 30}
    assert found[NEW]["users"]["value"] == 10
    assert found[NEW]["kinds"] == ["new"] or found[NEW]["kinds"] == ["new", "surging"]
    assert found[USUAL]["count"]["value"] == 168
    assert found[USUAL]["kinds"] == []
    assert found[BACK]["count"]["value"] == 2
    assert document["total"]["value"] == 200
    assert sum(found[NEW]["trend"]) == 30
    rows = list(csv.DictReader(io.StringIO(errors("--window", "7d", "--format", "csv").stdout)))
    assert {row["key"]: row["count"] for row in rows} == {NEW: "30", USUAL: "168", BACK: "2"}
    only = listed("--window", "7d", "--service", "web")
    assert list(by_key(only)) == [BACK]


def test_what_is_resolved_and_seen_again_came_back_and_what_is_ignored_is_quiet(place: Path) -> None:
    """Resolved ten days before, by the ledger's word; two of it were written since."""
    from sla_kit.ledger import open_ledger

    with open_ledger("ledger.db") as kept:
        kept.say_of_error("web", BACK, status="resolved", by="rb", at=NOW - 10 * DAY)
        kept.say_of_error("api", NEW, status="ignored", by="rb", at=NOW - 60)
    document = listed("--window", "7d")
    found = by_key(document)
    assert found[BACK]["kinds"] == ["regressed"]
    assert found[BACK]["state"]["by"] == "rb"
    assert NEW not in found
    assert NEW in by_key(listed("--window", "7d", "--all"))
    assert list(by_key(listed("--window", "7d", "--regressed"))) == [BACK]
    assert errors("--window", "7d", "--new").exit_code == 0
    assert errors("--window", "7d", "--regressed").exit_code == 1


def test_a_key_may_be_shortened_to_look_at_a_group_and_to_say_something_of_it(place: Path) -> None:
    shown = errors("show", NEW[:6])
    assert shown.exit_code == 0, shown.output
    for text in (NEW, "orders.py", "1.4.2: 30", "api-1", "https://kibana.example.com/app/discover"):
        assert text in shown.stdout, text
    assert "@example.com" not in shown.stdout
    assert errors("own", NEW[:6], "front", "--by", "rb").exit_code == 0
    assert errors("resolve", NEW[:6], "--release", "1.4.3", "--by", "an", "--note", "baskets").exit_code == 0
    again = json.loads(errors("show", NEW[:6], "--json").stdout)
    assert [one["by"] for one in again["history"]] == ["rb", "an"]
    assert again["group"]["state"]["release"] == "1.4.3"
    assert again["group"]["owner"] == "front"
    unknown = errors("show", "ffffffffffff")
    assert unknown.exit_code == 2
    assert "no group of errors has the key" in unknown.stderr


def told(outbox: Path) -> list[Event]:
    with open_outbox(str(outbox), create=False) as opened, opened.reading() as connection:
        return [accepted.event for accepted in new_events(connection, 100)]


def test_the_router_is_told_once_of_the_same_groups(place: Path) -> None:
    outbox = place / "outbox.db"
    for _ in range(2):
        assert errors("--window", "7d", "--tell", str(outbox), "--to", "platform").exit_code == 1
    (event,) = told(outbox)
    assert isinstance(event, Notice)
    assert event.to == ["platform"]
    assert "1 new" in event.title
    assert "kibana.example.com" in event.links[0].url


def report(*words: str) -> dict[str, Any]:
    result = run("report", "--at", str(NOW), "--window", "7d", "--out", "out", "-f", "json", "-f", "md", *words)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(Path("out/report.json").read_text())
    return document


def test_a_report_tells_of_errors_where_the_catalogue_names_a_cluster(place: Path) -> None:
    document = report("--tell", "outbox.db", "--ledger", "kept.db")
    assert by_key(document["errors"])[NEW]["count"]["value"] == 30
    assert "## Errors" in Path("out/report.md").read_text()
    assert {one.title.partition(":")[0] for one in told(place / "outbox.db") if isinstance(one, Notice)} >= {
        "Errors of shop"
    }
    assert run("ledger", "verify", "out/report.json", "--ledger", "kept.db").exit_code == 0
    assert report("--no-errors")["errors"] is None
    mine = report("--owner", "platform")
    assert {group["service"] for group in mine["errors"]["groups"]} == {"api"}


def test_errors_that_cannot_be_read_are_a_finding_of_the_report(place: Path) -> None:
    (place / "sla.yml").write_text(
        (place / "sla.yml").read_text().replace('logs: {index: "', 'logs: {index: "no-such-')
    )
    document = report()
    assert document["errors"] is None
    assert "errors-unread" in [finding["kind"] for finding in document["findings"]]
    refused = errors("--window", "7d")
    assert refused.exit_code == 2
