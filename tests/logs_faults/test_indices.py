"""Indices that go wrong: missing, closed, mapped otherwise, with a shard lost, written by clocks that differ."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import Elasticsearch as Client

from tests.logs_faults.setting import (
    AT,
    DAY,
    DAYS,
    START,
    Document,
    Place,
    Told,
    bad,
    document,
    figures,
    holds,
    slow,
    stamp,
    store,
    store_both,
)
from tests.servers import Elasticsearch, elasticsearch

#: Nodes that are started again, and commands of their own, take minutes where the machine is busy.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture
def place(tmp_path: Path, index: str) -> Place:
    return Place(tmp_path, index)


def told_plainly(told: Told, *words: str) -> None:
    """The reader is told of each word, and of no traceback."""
    assert "Traceback" not in told.said
    for word in words:
        assert word in told.said


def half(told: Told, seen: Sequence[Document]) -> None:
    """One of the two days was seen, and nothing is said of the other: its time is not observed."""
    for name, count in (("availability", bad), ("quick", slow)):
        slo = told.slo(name)
        figures(slo, seen, count)
        assert slo["coverage"] == pytest.approx(0.5, abs=0.01)


def test_no_index_at_all_is_unknown(elastic: Elasticsearch, place: Place) -> None:
    told = place.report(elastic.url)
    told_plainly(told, place.index)
    if told.document is not None:
        for name in ("availability", "quick"):
            assert (told.slo(name)["sli"], told.slo(name)["met"]) == (None, None)
    status = place.status(elastic.url)
    assert status.returncode not in (0, 1)


def test_a_day_without_its_index_is_not_observed(elastic: Elasticsearch, place: Place) -> None:
    store(elastic.url, f"{place.index}-0", DAYS[0])
    half(place.report(elastic.url), DAYS[0])


def test_a_closed_index_is_named(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.close(index=f"{place.index}-1")
    told = place.report(elastic.url)
    half(told, DAYS[0])
    told_plainly(told, f"{place.index}-1", "closed")


@pytest.mark.parametrize("kind", ["keyword", "text"])
def test_statuses_that_are_texts_on_one_day_give_no_wrong_figure(
    elastic: Elasticsearch, place: Place, kind: str
) -> None:
    store(elastic.url, f"{place.index}-0", DAYS[0])
    store(elastic.url, f"{place.index}-1", DAYS[1], change={"http.response.status_code": kind})
    told = place.report(elastic.url)
    slo = told.slo("availability")
    if slo["coverage"] == 1.0 and slo["sli"] is not None:
        figures(slo, [*DAYS[0], *DAYS[1]], bad)
    told_plainly(told, "http.response.status_code", kind)
    quick = told.slo("quick")
    assert quick["sli"] is None or quick["total"] == slow_known(quick)


def slow_known(slo: dict[str, Any]) -> int:
    """How many events of latency there are in what was observed."""
    return len(DAYS[0]) + len(DAYS[1]) if slo["coverage"] == 1.0 else len(DAYS[0])


@pytest.mark.parametrize("kind", ["keyword", "text"])
def test_durations_that_are_texts_on_one_day_are_not_compared_as_texts(
    elastic: Elasticsearch, place: Place, kind: str
) -> None:
    """As texts "90000000" (90 ms) comes after "500000000" (500 ms): each would be called slow."""
    store(elastic.url, f"{place.index}-0", DAYS[0])
    store(elastic.url, f"{place.index}-1", DAYS[1], change={"event.duration": kind})
    told = place.report(elastic.url)
    figures(told.slo("availability"), [*DAYS[0], *DAYS[1]], bad)
    told_plainly(told, "event.duration", kind)
    quick = told.slo("quick")
    if quick["sli"] is not None:
        assert quick["coverage"] == pytest.approx(0.5, abs=0.01)
        figures(quick, DAYS[0], slow)


def test_times_that_are_texts_on_one_day_are_not_observed(elastic: Elasticsearch, place: Place) -> None:
    store(elastic.url, f"{place.index}-0", DAYS[0])
    store(elastic.url, f"{place.index}-1", DAYS[1], change={"@timestamp": "keyword"})
    told = place.report(elastic.url)
    told_plainly(told, "@timestamp")
    for name in ("availability", "quick"):
        slo = told.slo(name)
        assert slo["sli"] is None or slo["coverage"] < 0.6
        if slo["sli"] is not None:
            assert slo["total"] == len(DAYS[0])


def test_another_numeric_type_is_the_same_number(elastic: Elasticsearch, place: Place) -> None:
    store(elastic.url, f"{place.index}-0", DAYS[0])
    change = {"http.response.status_code": "short", "event.duration": "double"}
    store(elastic.url, f"{place.index}-1", DAYS[1], change=change)
    holds(place.report(elastic.url))


def test_a_field_that_is_missing_from_an_index_is_named(elastic: Elasticsearch, place: Place) -> None:
    """Documents without a duration are no events of latency; an index that has no such field at all is worth a word."""
    without: list[Document] = [{**each, "event": {"ingested": each["event"]["ingested"]}} for each in DAYS[1]]
    store(elastic.url, f"{place.index}-0", DAYS[0])
    store(elastic.url, f"{place.index}-1", without)
    told = place.report(elastic.url)
    figures(told.slo("availability"), [*DAYS[0], *DAYS[1]], bad)
    figures(told.slo("quick"), DAYS[0], slow)


def test_an_index_that_takes_no_more_writes_is_read_as_ever(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with Client(elastic.url, request_timeout=120) as client:
        client.indices.put_settings(index=f"{place.index}-*", settings={"index.blocks.read_only_allow_delete": True})
    holds(place.report(elastic.url))


def test_documents_of_clocks_that_are_a_day_off_are_counted_where_they_say(
    elastic: Elasticsearch, place: Place
) -> None:
    """A host's clock is a day ahead on the second day: what it tells of is in the future of the report."""
    ahead = [document(n, AT + n * 300 + 7) for n in range(280)]
    for each in ahead:
        each["event"]["ingested"] = stamp(START + 2 * DAY - 3600)
    store_both(elastic.url, place.index)
    store(elastic.url, f"{place.index}-2", ahead)
    told = place.report(elastic.url)
    holds(told)
    told_plainly(told)


def test_documents_dated_in_the_future_are_told(elastic: Elasticsearch, place: Place) -> None:
    """Nothing can have happened before it was ingested by much: documents that say so tell of a clock that is wrong."""
    early = [document(n, START + DAY + n * EVERY + 13) for n in range(500)]
    for each in early:
        each["event"]["ingested"] = stamp(START + n_hours(each))
    store_both(elastic.url, place.index)
    store(elastic.url, f"{place.index}-2", early)
    told = place.report(elastic.url)
    told_plainly(told, "clock")


EVERY = 60


def n_hours(_: Document) -> float:
    """An hour into the first day: long before the documents say that they happened."""
    return 3600.0


def test_a_lost_shard_is_no_shortage_of_events(tmp_path: Path) -> None:
    """One of three shards of the second day is lost from disk: its documents are missing, which is not observed."""
    data = tmp_path / "node"
    place = Place(tmp_path, "logs")
    with elasticsearch(data=data) as node:
        store(node.url, "logs-0", DAYS[0])
        store(node.url, "logs-1", DAYS[1], shards=3)
        with Client(node.url, request_timeout=120) as client:
            client.indices.flush(index="logs-*", force=True)
            identity = client.indices.get_settings(index="logs-1")["logs-1"]["settings"]["index"]["uuid"]
            shards = client.indices.stats(index="logs-1", level="shards")["indices"]["logs-1"]["shards"]
    left = {name: one[0]["docs"]["count"] for name, one in shards.items()}
    lost = left.pop("1")
    (shard,) = data.glob(f"data/indices/{identity}/1/index")
    shutil.rmtree(shard)
    shard.mkdir()
    with elasticsearch(data=data) as again:
        with Client(again.url, request_timeout=150) as client:
            client.cluster.health(index="logs-0", wait_for_status="yellow", timeout="120s")
            # Two of the three shards come back.
            client.cluster.health(index="logs-1", wait_for_active_shards="2", timeout="120s")
            assert client.cluster.health(index="logs-1")["status"] == "red"
        told = place.report(again.url)
    assert lost
    assert sum(left.values()) + lost == len(DAYS[1])
    for name in ("availability", "strict", "quick"):
        slo = told.slo(name)
        # Which time the lost documents were of is known to nobody: three of four shards answered.
        assert slo["coverage"] == pytest.approx(0.75, abs=0.01)
        assert slo["total"] == len(DAYS[0]) + sum(left.values())
        partly = [one["message"] for one in slo["findings"] if one["kind"] == "partial-answer"]
        assert partly
        assert all("1 of 4 shards" in message for message in partly)
    assert told.slo("strict")["met"] is None
    assert "coverage" in told.slo("strict")["reason"]
