"""A node that stops, is stopped, is slow or refuses while a report is made: the report waits, or says that it can't."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from elasticsearch import ApiError, TransportError
from elasticsearch import Elasticsearch as Client

from tests.logs_faults.setting import DAYS, Place, bad, figures, holds, slow, store_both, unknown
from tests.servers import Elasticsearch, elasticsearch
from tests.servers.elasticsearch.faults import Change, failed_shards, faulty, timed_out
from tests.servers.process import free_port

#: Nodes that are started again, and commands of their own, take minutes where the machine is busy.
pytestmark = pytest.mark.timeout(900)


def _unanswered(answer: dict[str, Any]) -> None:
    """A search that the node could not work at."""
    cause = {"type": "no_shard_available_action_exception", "reason": "no node holds it"}
    answer.clear()
    answer.update({"error": {"root_cause": [cause], **cause}, "status": 503})


@pytest.fixture
def place(tmp_path: Path, index: str) -> Place:
    return Place(tmp_path, index)


def test_a_whole_node_gives_the_true_figures(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    told = place.report(elastic.url)
    holds(told)
    assert told.done.returncode == 0
    status = place.status(elastic.url)
    assert status.returncode in (0, 1), status.stderr


#: For a request that is answered only once a node has started again.
_WAITS = {"SLA_KIT_ELASTICSEARCH_TIMEOUT": "600"}


class Mortal:
    """A node that is killed and comes back where it was, with what it held."""

    def __init__(self, node: Elasticsearch, data: Path) -> None:
        self.url = node.url
        self._node, self._data = node, data
        self._back, self._over = threading.Event(), threading.Event()
        self._returned: list[threading.Thread] = []

    def kill(self) -> None:
        """Kills it; it comes back by itself."""
        os.kill(self._node.pid, signal.SIGKILL)
        self._back.clear()
        self._returned.append(threading.Thread(target=self._come_back))
        self._returned[-1].start()

    def wait(self) -> None:
        """Waits until it is back."""
        assert self._back.wait(600), "it did not come back"

    def end(self) -> None:
        """Ends what came back."""
        self._over.set()
        for thread in self._returned:
            thread.join()

    def _come_back(self) -> None:
        with elasticsearch(data=self._data, port=self._node.port) as node:
            self._node = node
            self._back.set()
            self._over.wait()  # a server ends with the thread that started it


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    data = tmp_path_factory.mktemp("mortal")
    with elasticsearch(data=data) as node:
        store_both(node.url, "logs")
        found = Mortal(node, data)
        try:
            yield found
        finally:
            found.end()


@pytest.mark.xdist_group("logs-mortal")
def test_a_node_killed_before_it_answers_that_comes_back_changes_no_figure(tmp_path: Path, mortal: Mortal) -> None:
    place = Place(tmp_path, "logs", _WAITS)
    with faulty(mortal.url) as proxy:
        proxy.meanwhile(mortal.kill, only="_msearch")
        proxy.meanwhile(lambda: None, only="_msearch")
        proxy.meanwhile(mortal.wait, only="_msearch")  # however long it takes to start again
        told = place.report(proxy.url)
        assert proxy.count("_pit") > 2  # that point in time went with it
    holds(told)


@pytest.mark.xdist_group("logs-mortal")
def test_a_node_killed_between_two_answers_that_comes_back_changes_no_figure(tmp_path: Path, mortal: Mortal) -> None:
    """It answered, but not all of it; it is gone when it is asked for the rest."""
    place = Place(tmp_path, "logs", _WAITS)
    with faulty(mortal.url) as proxy:
        proxy.alter(failed_shards(1), only="_msearch")
        proxy.meanwhile(mortal.kill, only="_msearch")
        proxy.meanwhile(lambda: None, only="_msearch")
        proxy.meanwhile(mortal.wait, only="_msearch")
        told = place.report(proxy.url)
        assert proxy.count("_pit") > 2
    holds(told)


@pytest.mark.xdist_group("logs-mortal")
def test_errors_of_a_node_killed_between_two_answers_are_counted_anew(tmp_path: Path, mortal: Mortal) -> None:
    place = Place(tmp_path, "logs", _WAITS, errors=True)
    with faulty(mortal.url) as proxy:
        proxy.meanwhile(mortal.kill, only="_msearch", skip=1)
        proxy.meanwhile(lambda: None, only="_msearch")
        proxy.meanwhile(mortal.wait, only="_msearch")
        errors = place.errors_of(proxy.url, window="1d")
    assert errors.document is not None, errors.done.stderr
    assert errors.document["total"]["value"] == bad(DAYS[1])
    assert "partial-answer" not in errors.kinds
    assert errors.done.returncode == 0
    assert proxy.count("_pit") > 2


@pytest.fixture(scope="module")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elasticsearch]:
    """A node that works at one shard of one search at a time, while another one may wait."""
    with elasticsearch(settings={"thread_pool.search.size": 1, "thread_pool.search.queue_size": 1}) as node:
        store_both(node.url, "logs", shards=3)
        yield node


@pytest.mark.xdist_group("logs-narrow")
def test_a_node_that_stands_still_for_a_while_is_asked_again(tmp_path: Path, narrow: Elasticsearch) -> None:
    """It goes on when it was asked for the third time."""
    place = Place(tmp_path, "logs", {"SLA_KIT_ELASTICSEARCH_TIMEOUT": "6"})
    with faulty(narrow.url) as proxy:
        proxy.meanwhile(lambda: os.kill(narrow.pid, signal.SIGSTOP), only="_msearch")
        proxy.meanwhile(lambda: None, only="_msearch")
        proxy.meanwhile(lambda: os.kill(narrow.pid, signal.SIGCONT), only="_msearch")
        try:
            told = place.report(proxy.url)
        finally:
            os.kill(narrow.pid, signal.SIGCONT)
        assert proxy.count("_msearch") >= 3
    holds(told)


@pytest.mark.xdist_group("logs-narrow")
def test_a_report_that_fills_the_queue_itself_gets_all_through(tmp_path: Path, narrow: Elasticsearch) -> None:
    before = rejected(narrow)
    for _ in range(5):  # on a busy machine its searches may happen to come one by one
        holds(Place(tmp_path, "logs").report(narrow.url))
        if rejected(narrow) > before:
            break
    assert rejected(narrow) > before


@pytest.mark.xdist_group("logs-narrow")
def test_a_queue_that_others_fill_is_asked_again_until_it_has_room(tmp_path: Path, narrow: Elasticsearch) -> None:
    with flooded(narrow, "logs") as end, faulty(narrow.url) as proxy:
        proxy.meanwhile(end, only="_msearch", skip=2)
        told = Place(tmp_path, "logs").report(proxy.url)
    holds(told)


def rejected(node: Elasticsearch) -> int:
    """How many searches of a shard the node has refused so far."""
    with Client(node.url, request_timeout=120) as client:
        (one,) = client.nodes.stats(metric="thread_pool")["nodes"].values()
    return int(one["thread_pool"]["search"]["rejected"])


@contextmanager
def flooded(node: Elasticsearch, index: str) -> Iterator[Callable[[], None]]:
    """Searches without a pause by several threads, from before the node refuses some of them; what is given ends it."""
    over = threading.Event()
    search = {"size": 0, "aggs": {"all": {"terms": {"field": "event.ingested", "size": 20_000}}}}
    searches: list[dict[str, Any]] = [{"index": f"{index}-*", "request_cache": False}, search] * 4
    before = rejected(node)

    def ask() -> None:
        with Client(node.url, request_timeout=120, max_retries=0) as client:
            while not over.is_set():
                with suppress(ApiError, TransportError):
                    client.msearch(searches=searches, filter_path="took")

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        deadline = time.monotonic() + 240
        while rejected(node) == before:
            assert time.monotonic() < deadline, "the node refuses nothing"
            time.sleep(0.02)  # between two looks
        yield over.set
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_nobody_there_is_told_with_place_and_remedy(place: Place) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    told = place.report(url)
    assert url in told.said
    assert "check the address" in told.said
    if told.document is not None:
        assert {told.slo(name)["sli"] for name in ("availability", "quick")} == {None}
    status = place.status(url)
    assert status.returncode not in (0, 1)
    assert "Traceback" not in status.stderr


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_refusals_that_pass_change_no_figure(elastic: Elasticsearch, place: Place, status: int) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.refuse(status, times=3, retry_after=0.1)
        proxy.refuse(status, times=2, only="_msearch")
        proxy.cut(after=100, only="_msearch")
        holds(place.report(proxy.url))
        assert proxy.count("_msearch") >= 4


def test_a_search_that_stays_refused_is_unknown_and_says_why(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.refuse(429, times=None, retry_after=0.1, only="_msearch")
        told = place.report(proxy.url)
    assert told.done.returncode == 2
    assert "429" in told.said
    assert "Traceback" not in told.said
    assert told.document is None


def test_what_shards_could_not_answer_is_coverage(elastic: Elasticsearch, place: Place) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.alter(failed_shards(1, 5), times=None, only="_msearch")
        told = place.report(proxy.url)
    everything = [*DAYS[0], *DAYS[1]]
    for name, count in (("availability", bad), ("strict", bad), ("quick", slow)):
        figures(told.slo(name), everything, count)  # the node gave all of it
        assert told.slo(name)["coverage"] == pytest.approx(0.8)
    assert told.slo("strict")["met"] is None
    partly = [one for one in told.findings() if one["kind"] == "partial-answer"]
    assert partly
    assert all("1 of 5 shards" in one["message"] for one in partly)


@pytest.mark.parametrize(
    "change", [timed_out, failed_shards(5, 5), _unanswered], ids=["timed-out", "no-shard", "refused"]
)
def test_searches_without_an_answer_are_unknown(elastic: Elasticsearch, place: Place, change: Change) -> None:
    store_both(elastic.url, place.index)
    with faulty(elastic.url) as proxy:
        proxy.alter(change, times=None, only="_msearch")
        unknown(place.report(proxy.url))
        status = place.status(proxy.url)
    assert status.returncode == 2, status.stderr


def test_a_node_that_never_answers_in_time_is_told_with_the_setting_that_helps(
    elastic: Elasticsearch, place: Place
) -> None:
    store_both(elastic.url, place.index)
    place.environment["SLA_KIT_ELASTICSEARCH_TIMEOUT"] = "1"
    with faulty(elastic.url) as proxy:
        proxy.delay(300.0, times=None, only="_msearch")
        told = place.report(proxy.url)
    assert told.done.returncode == 2
    assert told.document is None
    assert "SLA_KIT_ELASTICSEARCH_TIMEOUT" in told.said
    assert "Traceback" not in told.said
