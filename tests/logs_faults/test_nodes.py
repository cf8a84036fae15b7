"""A node that stops, is stopped, is slow or refuses while a report is made: the report waits, or says that it can't."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from tests.logs_faults.setting import Place, holds, store_both
from tests.servers import Elasticsearch, elasticsearch
from tests.servers.elasticsearch.faults import faulty
from tests.servers.process import free_port


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


def test_a_node_killed_in_the_middle_of_a_report_that_comes_back_changes_no_figure(
    tmp_path: Path,
) -> None:
    """It is killed when the first searches have come."""
    data = tmp_path / "node"
    place = Place(tmp_path, "logs")
    killed, over = threading.Event(), threading.Event()
    with elasticsearch(data=data) as node:
        store_both(node.url, place.index)

        def kill() -> None:
            os.kill(node.pid, signal.SIGKILL)
            killed.set()

        def come_back() -> None:
            killed.wait(250)
            with elasticsearch(data=data, port=node.port):
                over.wait(280)

        again = threading.Thread(target=come_back)
        again.start()
        try:
            with faulty(node.url) as proxy:
                proxy.meanwhile(kill, only="_msearch")
                holds(place.report(proxy.url))
                assert killed.is_set()
                # Once more, all of it after the kill.
                holds(place.report(proxy.url))
        finally:
            killed.set()
            over.set()
            again.join()


def test_a_node_that_stands_still_for_a_while_is_asked_again(tmp_path: Path) -> None:
    place = Place(tmp_path, "logs", {"SLA_KIT_ELASTICSEARCH_TIMEOUT": "3"})
    with elasticsearch() as node:
        store_both(node.url, place.index)
        goes_on = threading.Timer(5.0, os.kill, (node.pid, signal.SIGCONT))

        def stop() -> None:
            os.kill(node.pid, signal.SIGSTOP)
            goes_on.start()

        with faulty(node.url) as proxy:
            proxy.meanwhile(stop, only="_msearch")
            try:
                holds(place.report(proxy.url))
                assert proxy.count("_msearch") > 1
            finally:
                os.kill(node.pid, signal.SIGCONT)
                goes_on.cancel()


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
        proxy.refuse(429, times=None, retry_after=0.1, only="_search")
        proxy.refuse(429, times=None, retry_after=0.1, only="_msearch")
        told = place.report(proxy.url)
    assert "429" in told.said
    assert "Traceback" not in told.said
    if told.document is not None:
        assert told.slo("availability")["sli"] is None
        assert told.slo("availability")["met"] is None
