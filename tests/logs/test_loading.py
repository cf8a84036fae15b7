"""Loading into a real Elasticsearch: what is counted there is what stands in the files."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sla_kit.elastic import Cluster
from sla_kit.errors import SlaKitError
from sla_kit.logs import Bulk, Labels, LoadError, Reading, load, survey
from sla_kit.logs.access_formats import LogFormatError
from sla_kit.logs.example import write_example
from sla_kit.logs.target import TargetError
from tests.servers.elasticsearch import Elasticsearch

ROOT = Path(__file__).parents[2]
#: A log of a public web server, where it is at hand; CI's machines have only what is generated.
PUBLIC = Path(os.environ.get("SLA_KIT_SHARED_DATA") or ROOT.parent / "shared" / "data") / "apache-access.log"
_STATUS = re.compile(rb'" (\d{3}) (?:\d+|-) "')


@pytest.fixture
def cluster(elastic: Elasticsearch) -> Iterator[Cluster]:
    made = Cluster(elastic.url)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    write_example(folder, hours=4, rps=1.5)
    return folder


def counts(cluster: Cluster, index: str, field: str, query: dict[str, Any] | None = None) -> dict[Any, int]:
    """How many documents have each value of a field."""
    cluster.ask("refresh", lambda client: client.indices.refresh(index=index))
    body = {"values": {"terms": {"field": field, "size": 1000}}}
    answer = cluster.ask("count", lambda client: client.search(index=index, size=0, aggs=body, query=query))
    return {bucket["key"]: bucket["doc_count"] for bucket in answer["aggregations"]["values"]["buckets"]}


def total(cluster: Cluster, index: str, query: dict[str, Any] | None = None) -> int:
    cluster.ask("refresh", lambda client: client.indices.refresh(index=index))
    return int(cluster.ask("count", lambda client: client.count(index=index, query=query))["count"])


def counted_by_hand(path: Path) -> dict[int, int]:
    """Statuses by one plain expression on the raw bytes, which shares nothing with the loader."""
    return dict(Counter(int(_STATUS.search(line)[1]) for line in path.read_bytes().splitlines()))  # type: ignore[index]


def test_a_log_is_counted_as_by_hand(cluster: Cluster, index: str, shop: Path, tmp_path: Path) -> None:
    path = PUBLIC if PUBLIC.exists() else shop / "access.log"
    by_hand = counted_by_hand(path)
    if path == PUBLIC:
        assert by_hand == {200: 9126, 206: 45, 301: 164, 304: 445, 403: 2, 404: 213, 416: 2, 500: 3}
    loaded = load([path], cluster, index, create="index", dead_letters=tmp_path / "dead")
    assert loaded.complete
    assert loaded.statuses == by_hand
    assert loaded.loaded == sum(by_hand.values()) == total(cluster, index)
    assert counts(cluster, index, "http.response.status_code") == by_hand
    errors = {f"HTTP {status}": count for status, count in by_hand.items() if status >= 500}
    assert counts(cluster, index, "error.type") == errors


def test_the_example_is_counted_as_its_truth_says(cluster: Cluster, index: str, shop: Path, tmp_path: Path) -> None:
    truth = json.loads((shop / "truth.json").read_text())
    files = [shop / "access.log", shop / "application.log"]
    labels = Labels(service="shop", environment="production")
    loaded = load(files, cluster, index, reading=Reading(labels=labels), create="index", dead_letters=tmp_path / "dead")
    assert loaded.complete
    assert set(loaded.formats.values()) == {"nginx-timed", "json"}
    web = {"term": {"event.category": "web"}}
    statuses = {int(status): count for status, count in truth["access"]["statuses"].items()}
    assert counts(cluster, index, "http.response.status_code") == statuses
    bad = total(cluster, index, {"range": {"http.response.status_code": {"gte": 500}}})
    assert 1 - bad / total(cluster, index, web) == pytest.approx(truth["access"]["availability"], abs=1e-12)
    application = {"bool": {"must_not": web}}
    assert counts(cluster, index, "error.type", application) == truth["application"]["errors"]
    assert counts(cluster, index, "log.level", application) == truth["application"]["levels"]
    assert counts(cluster, index, "service.name") == {"shop": loaded.documents}
    assert len(counts(cluster, index, "error.grouping_key", application)) == len(truth["application"]["errors"])
    hours = {"hours": {"date_histogram": {"field": "@timestamp", "fixed_interval": "1h"}}}
    answer = cluster.ask("count", lambda client: client.search(index=index, size=0, aggs=hours, query=web))
    found = [bucket["doc_count"] for bucket in answer["aggregations"]["hours"]["buckets"]]
    assert found == [hour["total"] for hour in truth["access"]["hours"]]


def test_nothing_is_loaded_twice(cluster: Cluster, index: str, shop: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "access.log.1"
    whole = (shop / "access.log").read_bytes()
    renamed.write_bytes(b"".join(whole.splitlines(keepends=True)[:3000]))
    dead = tmp_path / "dead"
    first = load([renamed], cluster, index, create="index", dead_letters=dead)
    second = load([shop / "access.log"], cluster, index, dead_letters=dead)
    third = load([shop / "access.log", renamed], cluster, index, dead_letters=dead)
    assert (first.loaded, first.already_there) == (3000, 0)
    assert (second.loaded, second.already_there) == (second.documents - 3000, 3000)
    assert (third.loaded, third.already_there) == (0, third.documents)
    assert total(cluster, index) == second.documents


def test_equal_lines_are_all_there(cluster: Cluster, index: str, tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    path.write_text('10.0.0.1 - - [17/May/2015:10:05:03 +0000] "GET /health HTTP/1.1" 200 2\n' * 500)
    load([path], cluster, index, create="index", dead_letters=tmp_path / "dead")
    assert total(cluster, index) == 500


def test_refused_documents_become_dead_letters_that_can_be_mended(cluster: Cluster, index: str, tmp_path: Path) -> None:
    mapping = {"properties": {"@timestamp": {"type": "date"}, "labels": {"properties": {"size": {"type": "long"}}}}}
    cluster.ask("make it", lambda client: client.indices.create(index=index, mappings=mapping))
    path, dead = tmp_path / "app.json", tmp_path / "dead.ndjson"
    lines = [{"time": 1714564801 + number, "msg": "m", "size": str(number)} for number in range(50)]
    lines[7]["size"] = lines[31]["size"] = "large"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + "no JSON\n")
    loaded = load([path], cluster, index, dead_letters=dead)
    assert (loaded.loaded, loaded.dead, loaded.unreadable) == (48, 2, 1)
    assert loaded.documents == loaded.loaded + loaded.already_there + loaded.dead
    assert not loaded.complete
    assert loaded.dead_letters == dead
    letters = [json.loads(line) for line in dead.read_text().splitlines()]
    refused = [letter for letter in letters if "document" in letter]
    assert sorted(letter["line"] for letter in refused) == [8, 32]
    assert all(letter["file"] == str(path) and letter["status"] == 400 for letter in refused)
    assert all("large" in letter["reason"] for letter in refused)

    mended = tmp_path / "mended.ndjson"
    text = dead.read_text().replace('"size":"large"', '"size":"17"')
    mended.write_text(text.replace('"text":"no JSON"', '"text":"{\\"time\\":1714564999,\\"msg\\":\\"m\\"}"'))
    again = load([mended], cluster, index, dead_letters=tmp_path / "dead2")
    assert (again.loaded, again.dead, again.unreadable) == (3, 0, 0)
    assert total(cluster, index) == 51
    assert load([mended], cluster, index, dead_letters=tmp_path / "dead2").already_there == 3


def test_dead_letters_are_not_read_from_the_file_that_is_written(cluster: Cluster, index: str, tmp_path: Path) -> None:
    path = tmp_path / "dead.ndjson"
    path.write_text('{"reason":"r","file":"f","line":1,"id":"i","document":{}}\n')
    with pytest.raises(SlaKitError, match="same file"):
        load([path], cluster, index, create="index", dead_letters=path)


def test_an_index_that_is_not_there_is_made_only_where_that_is_wanted(
    cluster: Cluster, index: str, shop: Path, tmp_path: Path
) -> None:
    with pytest.raises(TargetError, match="no such index") as caught:
        load([shop / "application.log"], cluster, index, dead_letters=tmp_path / "dead")
    assert "--create" in caught.value.remedy
    with pytest.raises(TargetError, match="one index"):
        load([shop / "application.log"], cluster, f"{index}-*", create="index", dead_letters=tmp_path / "dead")


def test_a_data_stream_is_made_by_its_template(cluster: Cluster, index: str, shop: Path, tmp_path: Path) -> None:
    stream = f"{index}-production"
    loaded = load([shop / "application.log"], cluster, stream, create="stream", dead_letters=tmp_path / "dead")
    assert loaded.complete
    assert counts(cluster, stream, "data_stream.dataset") == {stream.split("-")[1]: loaded.documents}
    again = load([shop / "application.log"], cluster, stream, dead_letters=tmp_path / "dead")
    assert again.already_there == loaded.documents


def test_large_documents_are_sent_in_smaller_requests(cluster: Cluster, index: str, shop: Path, tmp_path: Path) -> None:
    small = Bulk(requests=3, documents=10_000, bytes=20_000)
    loaded = load(
        [shop / "application.log"], cluster, index, bulk=small, create="index", dead_letters=tmp_path / "dead"
    )
    assert loaded.complete
    assert loaded.requests >= (shop / "application.log").stat().st_size // 40_000
    assert total(cluster, index) == loaded.documents


def test_an_unknown_format_is_refused_before_anything_is_sent(cluster: Cluster, index: str, tmp_path: Path) -> None:
    path = tmp_path / "odd.log"
    path.write_text("what is this\n" * 10)
    with pytest.raises(LoadError, match="unknown") as caught:
        load([path], cluster, index, create="index", dead_letters=tmp_path / "dead")
    assert isinstance(caught.value.__cause__, LogFormatError)
    assert total(cluster, index) == 0


def test_a_survey_counts_the_same_and_needs_no_cluster(shop: Path) -> None:
    truth = json.loads((shop / "truth.json").read_text())
    found, documents, unreadable = survey([shop / "access.log"], Reading(), 2)
    assert found.statuses == {int(status): count for status, count in truth["access"]["statuses"].items()}
    assert len(documents) == 2
    assert not unreadable
