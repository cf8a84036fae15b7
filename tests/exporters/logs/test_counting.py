"""Counters of logs, on a real Elasticsearch: as many as were written, whatever dies, hangs or comes late."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from sla_kit.exporters.logs.counting import CountingCollector
from sla_kit.exporters.logs.documents import Arrival, Documents
from sla_kit.exporters.logs.late import LateCollector
from sla_kit.exporters.sidecar.collector import CollectError
from tests.exporters.logs.node import (
    Document,
    collected,
    collector,
    configured,
    counted,
    create,
    document,
    send,
    write,
)
from tests.servers.elasticsearch import Elasticsearch

DOCUMENTS, ERRORS, LATE = "sla_logs_documents_total", "sla_logs_errors_total", "sla_logs_late_documents_total"
#: A moment like any other: collectors go by a clock of the test's own.
NOW = 1_790_000_000.0
#: Counts slices of a minute until it is killed, and says so after each.
COUNTER = """
import sys, time
from pathlib import Path
from typing import Any
from sla_kit.exporters.logs import EXPORTER, counting
counting._LONGEST = 60_000
counts = counting.CountingCollector._slice
def told(self, goal, deadline):
    found = counts(self, goal, deadline)
    print("counted", flush=True)
    return found
counting.CountingCollector._slice = told
[collector] = [each for each in EXPORTER.load(Path(sys.argv[1])).collectors if each.name == "counts"]
while True:
    collector.collect(time.monotonic() + 60)
"""


def random_document(chance: random.Random, start: float, end: float) -> Document:
    """One that counts between two moments, whether it tells its arrival or not; settle is 30 s, lag 5 minutes."""
    at = chance.uniform(start, end - 0.001)
    told = chance.random() < 0.6
    return document(
        at - chance.uniform(30, 3000) if told else at - 300,
        chance.choice(["api", "api", "web", "jobs", ""]),
        ingested=at - 30 if told else None,
        level=chance.choice(["info", "INFO", "warn", "error", "Error", "FATAL", ""]),
        type=chance.choice(["", "", "", "ValueError", "Timeout"]),
        status=chance.choice([0, 0, 200, 404, 500, 503]),
    )


def test_counters_are_what_was_written_over_batches_and_restarts(
    elastic: Elasticsearch, index: str, tmp_path: Path
) -> None:
    chance, written = random.Random(7), list[Document]()
    path = configured(tmp_path, elastic.url, index, "backfill: 10m\n")
    create(elastic.url, index)
    now = NOW
    for _ in range(8):
        until = now + chance.choice([1, 45, 60, 60, 7000])
        batch = [random_document(chance, now, until) for _ in range(chance.randrange(120))]
        write(elastic.url, index, batch)
        written += batch
        now = until
        collected(collector(path, CountingCollector, now))
        found = collected(collector(path, CountingCollector, now))
        assert (found[DOCUMENTS], found[ERRORS]) == counted(written)
        assert found["sla_logs_counted_timestamp_seconds"] == {("ingested",): now - 30, ("happened",): now - 300}
    assert len(written) > 100


def test_what_is_not_over_yet_waits(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 10m\n")
    create(elastic.url, index)
    edges = {"api": NOW - 30, "web": NOW - 30.001}
    write(elastic.url, index, [document(NOW, name, ingested=at) for name, at in edges.items()])
    write(elastic.url, index, [document(at - 270, f"{name}-untold") for name, at in edges.items()])
    collected(collector(path, CountingCollector, NOW))
    found = collected(collector(path, CountingCollector, NOW))[DOCUMENTS]
    assert found == {("web", "unknown"): 1, ("web-untold", "unknown"): 1}
    collected(collector(path, CountingCollector, NOW + 1))
    assert sum(collected(collector(path, CountingCollector, NOW + 1))[DOCUMENTS].values()) == 4


def test_counters_are_what_was_written_though_the_process_is_killed(
    elastic: Elasticsearch, index: str, tmp_path: Path
) -> None:
    chance, now = random.Random(11), time.time()
    create(elastic.url, index)
    written = [random_document(chance, now - 6000, now) for _ in range(600)]
    write(elastic.url, index, written)
    path = configured(tmp_path, elastic.url, index, "backfill: 2h\n")
    for _ in range(6):
        with subprocess.Popen([sys.executable, "-c", COUNTER, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            for _ in range(chance.randrange(1, 12)):
                assert process.stdout.readline() == b"counted\n"
            process.kill()
    collected(collector(path, CountingCollector))
    found = collected(collector(path, CountingCollector))
    assert (found[DOCUMENTS], found[ERRORS]) == counted(written)


def test_an_outage_is_caught_up_and_nothing_counted_twice(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index)
    with pytest.raises(CollectError) as caught:  # no index yet, so that nothing can be known
        collected(collector(path, CountingCollector, NOW))
    assert caught.value.kind == "query"
    create(elastic.url, index)
    assert collected(collector(path, CountingCollector, NOW))[DOCUMENTS] == {}
    chance = random.Random(3)
    written = [random_document(chance, NOW, NOW + 5 * 3600) for _ in range(200)]
    write(elastic.url, index, written)
    broken = create(
        elastic.url, f"{index}-broken", {"properties": {"service": {"properties": {"name": {"type": "text"}}}}}
    )
    for _ in range(2):
        with pytest.raises(CollectError) as caught:  # some shards can't tell: a count without them would be too low
            collected(collector(path, CountingCollector, NOW + 5 * 3600))
        assert caught.value.kind in ("data", "query")
    send(elastic.url, "DELETE", f"/{broken}")
    collected(collector(path, CountingCollector, NOW + 5 * 3600))
    found = collected(collector(path, CountingCollector, NOW + 5 * 3600))
    assert (found[DOCUMENTS], found[ERRORS]) == counted(written)
    assert found["sla_logs_uncounted_seconds_total"] == {(): 0}


def test_what_is_too_long_ago_is_left_out_and_told(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "catch_up: 1d\n")
    create(elastic.url, index)
    collected(collector(path, CountingCollector, NOW))
    back = NOW + 3 * 86400
    write(elastic.url, index, [document(NOW, "old", ingested=NOW + 3600), document(NOW, "new", ingested=back - 3600)])
    collected(collector(path, CountingCollector, back))
    found = collected(collector(path, CountingCollector, back))
    assert found[DOCUMENTS] == {("new", "unknown"): 1}
    assert found["sla_logs_uncounted_seconds_total"] == {(): pytest.approx(2 * 86400)}


def test_a_clock_that_is_set_back_counts_nothing_again(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 1h\n")
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW, ingested=NOW - 1000), document(NOW - 2000)])
    for now in (NOW, NOW - 1800, NOW - 900, NOW):
        found = collected(collector(path, CountingCollector, now))
    assert found[DOCUMENTS] == {("api", "unknown"): 2}


def test_the_first_run_begins_now_and_series_begin_at_zero(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index)
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW - 4000, ingested=NOW - 3600, type="Old")])
    found = collected(collector(path, CountingCollector, NOW))
    assert (found[DOCUMENTS], found[ERRORS]) == ({}, {})
    write(elastic.url, index, [document(NOW, ingested=NOW + 1, type="New", level="error")] * 3)
    found = collected(collector(path, CountingCollector, NOW + 60))
    assert (found[DOCUMENTS], found[ERRORS]) == ({("api", "error"): 0}, {("api", "New"): 0})
    found = collected(collector(path, CountingCollector, NOW + 120))
    assert (found[DOCUMENTS], found[ERRORS]) == ({("api", "error"): 3}, {("api", "New"): 3})


def test_what_comes_late_is_told_once(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 10m\nlate: {within: 1h}\n")
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW - 400, "api"), document(NOW - 400, "web"), document(NOW - 400, "web")])
    for step in range(30):
        collected(collector(path, CountingCollector, NOW + 60 * step))
    assert collected(collector(path, LateCollector))[LATE] == {("api",): 0, ("web",): 0}
    write(elastic.url, index, [document(NOW - 400, "web")] * 4 + [document(NOW, "new", ingested=NOW + 60)])
    expected = {("api",): 0, ("web",): 4, ("new",): 1}
    assert collected(collector(path, LateCollector))[LATE] == expected
    assert collected(collector(path, LateCollector))[LATE] == expected
    found = collected(collector(path, CountingCollector, NOW + 60 * 30))[DOCUMENTS]
    assert found == {("api", "unknown"): 1, ("web", "unknown"): 2}
    collected(collector(path, CountingCollector, NOW + 3 * 3600))  # and some time nobody looks any more
    write(elastic.url, index, [document(NOW - 400, "web")])
    assert collected(collector(path, LateCollector))[LATE] == expected


def test_too_many_services_and_types_are_called_other(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "max_services: 3\nmax_types: 2\nlate: {within: 1h}\n")
    create(elastic.url, index)
    collected(collector(path, CountingCollector, NOW))
    first = [document(NOW, "a", ingested=NOW, type=f"T{number % 3}") for number in range(7)]  # T0 is the most frequent
    write(elastic.url, index, first)
    for step in (1, 2):
        found = collected(collector(path, CountingCollector, NOW + 60 * step))
    assert found[ERRORS] == {("a", "T0"): 3, ("a", "T1"): 2, ("a", "other"): 2}
    more = [document(NOW, f"s{n % 9}", ingested=NOW + 90, type="T9", level=f"l{n}") for n in range(45)]
    write(elastic.url, index, [*more, document(NOW, "a", ingested=NOW + 90, type="T9")])
    for step in (3, 4):
        found = collected(collector(path, CountingCollector, NOW + 60 * step))
    services = Counter[str]()
    for (service, _), amount in found[DOCUMENTS].items():
        services[service] += int(amount)
    assert services == {"a": 8, "s0": 5, "s1": 5, "other": 35}
    assert found[ERRORS] == {
        ("a", "T0"): 3, ("a", "T1"): 2, ("a", "other"): 3, ("s0", "T9"): 5, ("s1", "T9"): 5, ("other", "T9"): 35,
    }  # fmt: skip
    assert max(Counter(service for service, _ in found[DOCUMENTS]).values()) <= 3
    assert set(collected(collector(path, LateCollector))[LATE].values()) == {0}


def test_pages_of_many_values_are_all_counted(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 1h\nmax_types: 5\n")
    create(elastic.url, index)
    written = [document(NOW, ingested=NOW - 600, type=f"T{n}", level="error") for n in range(2_500)]
    write(elastic.url, index, [*written, *written[:5]])
    collected(collector(path, CountingCollector, NOW))
    found = collected(collector(path, CountingCollector, NOW))
    assert found[ERRORS] == {**{("api", f"T{n}"): 2 for n in range(5)}, ("api", "other"): 2_495}


def test_only_what_is_meant_counts(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    more = 'backfill: 1h\nquery: "log.level:*"\nservices: [api, web]\nerrors: "error.type:(A OR B)"\n'
    path = configured(tmp_path, elastic.url, index, more)
    create(elastic.url, index)
    kinds = ("A", "B", "C")
    written = [
        document(NOW, name, ingested=NOW - 600, type=kind, level=level)
        for name in ("api", "web", "jobs")
        for kind in kinds
        for level in ("info", "")
    ]
    write(elastic.url, index, written)
    collected(collector(path, CountingCollector, NOW))
    found = collected(collector(path, CountingCollector, NOW))
    assert found[DOCUMENTS] == {("api", "info"): 3, ("web", "info"): 3}
    assert found[ERRORS] == {(name, kind): 1 for name in ("api", "web") for kind in "AB"}


def test_a_rehearsal_keeps_nothing(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 1h\n")
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW, ingested=NOW - 600, type="A")])
    for _ in range(2):
        found = collected(collector(path, CountingCollector, NOW).rehearsing())
        assert (found[DOCUMENTS], found[ERRORS]) == ({("api", "unknown"): 1}, {("api", "A"): 1})
        collected(collector(path, LateCollector).rehearsing())
    assert not (tmp_path / "logs.db").exists()
    for _ in range(2):
        collected(collector(path, CountingCollector, NOW))
    write(elastic.url, index, [document(NOW, ingested=NOW, type="A")])
    assert collected(collector(path, CountingCollector, NOW + 60).rehearsing())[ERRORS] == {("api", "A"): 2}
    assert collected(collector(path, CountingCollector, NOW))[ERRORS] == {("api", "A"): 1}


def test_two_exporters_do_not_count_with_one_state_file(
    elastic: Elasticsearch, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 1h\n")
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW, ingested=NOW - 600)])
    first, second = (collector(path, CountingCollector, NOW) for _ in range(2))
    counts = CountingCollector._counted

    def beside(self: CountingCollector, arrival: Arrival, deadline: float) -> Any:
        found = counts(self, arrival, deadline)
        monkeypatch.undo()
        collected(second)  # while the first has its answer and has not kept it yet
        return found

    monkeypatch.setattr(CountingCollector, "_counted", beside)
    with pytest.raises(CollectError, match="another exporter"):
        collected(first)
    assert collected(collector(path, CountingCollector, NOW))[DOCUMENTS] == {("api", "unknown"): 1}


def test_after_a_failure_less_is_counted_at_once(
    elastic: Elasticsearch, index: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(tmp_path, elastic.url, index, "backfill: 2h\n")
    create(elastic.url, index)
    write(elastic.url, index, [document(NOW, ingested=NOW - 60 * minute) for minute in range(1, 110)])
    one = collector(path, CountingCollector, NOW)
    with monkeypatch.context() as patched:

        def too_slow(*_: object, **__: object) -> Any:
            raise CollectError("timeout", "took too long to answer")

        patched.setattr(Documents, "by", too_slow)
        for _ in range(2):
            with pytest.raises(CollectError):
                collected(one)
    minutes, counts = [], CountingCollector._counted

    def told(self: CountingCollector, arrival: Arrival, deadline: float) -> Any:
        minutes.append((arrival.ingested.end - arrival.ingested.start) / 60_000)
        return counts(self, arrival, deadline)

    monkeypatch.setattr(CountingCollector, "_counted", told)
    collected(one)
    assert minutes == [15, 30, 60, 15]
    assert collected(one)[DOCUMENTS] == {("api", "unknown"): 109}
