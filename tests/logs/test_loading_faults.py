"""What goes wrong while documents are loaded: nothing is lost, nothing is there twice, and the counts say so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from sla_kit.elastic import Cluster
from sla_kit.logs import Bulk, LoadError, load
from tests.servers.elasticsearch import Elasticsearch, elasticsearch
from tests.servers.elasticsearch.faults import faulty

#: Nodes that are started again, and commands of their own, take minutes where the machine is busy.
pytestmark = pytest.mark.timeout(900)
COMMAND = (sys.executable, "-c", "from sla_kit.cli import main; main()")
_LINE = '10.0.{}.{} - - [17/May/2015:{:02d}:{:02d}:{:02d} +0000] "GET /{} HTTP/1.1" 200 {} "-" "curl/8"\n'


@pytest.fixture
def cluster(elastic: Elasticsearch) -> Iterator[Cluster]:
    made = Cluster(elastic.url)
    yield made
    made.close()


def a_log(path: Path, lines: int) -> Path:
    with path.open("w") as file:
        for number in range(lines):
            second = number // 10
            clock = second // 3600 % 24, second // 60 % 60, second % 60
            file.write(_LINE.format(number % 250, number % 199, *clock, number, number % 5000))
    return path


def total(cluster: Cluster, index: str) -> int:
    cluster.ask("refresh", lambda client: client.indices.refresh(index=index))
    return int(cluster.ask("count", lambda client: client.count(index=index))["count"])


@pytest.mark.parametrize("status", [429, 502, 503])
def test_a_request_that_is_refused_is_sent_again(
    elastic: Elasticsearch, cluster: Cluster, index: str, tmp_path: Path, status: int
) -> None:
    path = a_log(tmp_path / "access.log", 3000)
    with faulty(elastic.url) as proxy:
        proxy.refuse(status, times=3, only="_bulk", skip=1)
        loaded = load(
            [path], Cluster(proxy.url), index, create="index", bulk=Bulk(2, 500), dead_letters=tmp_path / "dead"
        )
        assert proxy.count("_bulk") >= 9
    assert loaded.complete
    assert loaded.loaded == 3000 == total(cluster, index)


def test_a_request_whose_answer_is_lost_is_sent_again_and_counts_once(
    elastic: Elasticsearch, cluster: Cluster, index: str, tmp_path: Path
) -> None:
    path = a_log(tmp_path / "access.log", 3000)
    with faulty(elastic.url) as proxy:
        proxy.cut(after=10, times=3, only="_bulk", skip=1)
        loaded = load(
            [path], Cluster(proxy.url), index, create="index", bulk=Bulk(2, 500), dead_letters=tmp_path / "dead"
        )
    assert loaded.complete
    assert loaded.loaded + loaded.already_there == 3000 == total(cluster, index)
    assert loaded.already_there


def test_a_request_that_is_too_large_is_halved(
    elastic: Elasticsearch, cluster: Cluster, index: str, tmp_path: Path
) -> None:
    path = a_log(tmp_path / "access.log", 1000)
    with faulty(elastic.url) as proxy:
        proxy.refuse(413, times=3, only="_bulk", reason="content_too_long_exception")
        loaded = load(
            [path], Cluster(proxy.url), index, create="index", bulk=Bulk(1, 1000), dead_letters=tmp_path / "dead"
        )
    assert loaded.loaded == 1000 == total(cluster, index)


def test_a_document_that_is_too_large_by_itself_is_a_dead_letter(
    elastic: Elasticsearch, cluster: Cluster, index: str, tmp_path: Path
) -> None:
    path = a_log(tmp_path / "access.log", 2)
    with faulty(elastic.url) as proxy:
        proxy.refuse(413, times=2, only="_bulk", reason="content_too_long_exception")
        loaded = load(
            [path], Cluster(proxy.url), index, create="index", bulk=Bulk(1, 2), dead_letters=tmp_path / "dead"
        )
    assert (loaded.loaded, loaded.dead) == (1, 1)
    assert json.loads((tmp_path / "dead").read_text())["status"] == 413


def test_wrong_credentials_end_it_at_once(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    path = a_log(tmp_path / "access.log", 3000)
    with faulty(elastic.url) as proxy:
        proxy.refuse(403, times=None, only="_bulk", reason="security_exception")
        with pytest.raises(LoadError) as caught:
            load([path], Cluster(proxy.url), index, create="index", bulk=Bulk(2, 500), dead_letters=tmp_path / "dead")
        assert proxy.count("_bulk") <= 3
    loaded = caught.value.loaded
    assert "credentials" in caught.value.remedy
    assert loaded.loaded == 0
    assert loaded.documents == loaded.unsent
    assert not (tmp_path / "dead").exists()


def test_a_closed_index_ends_it_and_loading_again_goes_on(cluster: Cluster, index: str, tmp_path: Path) -> None:
    first, second = a_log(tmp_path / "a.log", 500), a_log(tmp_path / "b.log", 2000)
    load([first], cluster, index, create="index", dead_letters=tmp_path / "dead")
    cluster.ask("close it", lambda client: client.indices.close(index=index))
    with pytest.raises(LoadError, match="closed") as caught:
        load([second], cluster, index, dead_letters=tmp_path / "dead")
    assert caught.value.loaded.unsent == caught.value.loaded.documents
    cluster.ask("open it", lambda client: client.indices.open(index=index))
    loaded = load([second], cluster, index, dead_letters=tmp_path / "dead")
    assert loaded.complete
    assert (loaded.already_there, loaded.loaded) == (500, 1500)


def test_a_queue_that_is_full_refuses_some_documents_and_only_they_are_sent_again(tmp_path: Path) -> None:
    path = a_log(tmp_path / "access.log", 40_000)
    settings = {"thread_pool.write.size": 1, "thread_pool.write.queue_size": 1}
    with elasticsearch(settings=settings) as node:
        cluster = Cluster(node.url)
        for number in count():  # until requests met in the queue, whoever is the quicker
            index = f"logs-{number}"
            loaded = load([path], cluster, index, create="index", bulk=Bulk(16, 250), dead_letters=tmp_path / "dead")
            assert loaded.complete
            assert loaded.loaded == 40_000 == total(cluster, index)
            if loaded.retried > 0:
                break


def test_a_node_that_is_killed_and_comes_back_loses_nothing(tmp_path: Path) -> None:
    path, data = a_log(tmp_path / "access.log", 20_000), tmp_path / "node"
    killed, over = threading.Event(), threading.Event()
    with elasticsearch(data=data) as node:

        def kill() -> None:
            os.kill(node.pid, signal.SIGKILL)
            killed.set()

        def come_back() -> None:
            killed.wait(800)
            with elasticsearch(data=data, port=node.port):
                over.wait(800)

        again = threading.Thread(target=come_back)
        again.start()
        try:
            with faulty(node.url) as proxy:
                proxy.meanwhile(kill, only="_bulk", skip=5)
                cluster = Cluster(proxy.url)
                loaded = load(
                    [path], cluster, "logs", create="index", bulk=Bulk(3, 1000), dead_letters=tmp_path / "dead"
                )
                assert killed.is_set()
                assert loaded.complete
                assert loaded.loaded + loaded.already_there == 20_000 == total(cluster, "logs")
        finally:
            killed.set()
            over.set()
            again.join()


def test_a_cluster_that_does_not_come_back_ends_it_and_what_came_by_a_pipe_is_kept(
    elastic: Elasticsearch, cluster: Cluster, index: str, tmp_path: Path
) -> None:
    path = a_log(tmp_path / "access.log", 1500)
    with faulty(elastic.url) as proxy:
        proxy.refuse(429, times=None, only="_bulk", skip=1)
        command = [
            *(*COMMAND, "logs", "load", "-", "--source", f"elasticsearch+{proxy.url}"),
            *("--to", index, "--create", "index", "--chunk", "500", "--patience", "0s", "--dead-letters", "dead"),
        ]
        done = subprocess.run(
            command, stdin=path.open(), cwd=tmp_path, capture_output=True, text=True, timeout=600, check=False
        )
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    there = total(cluster, index)
    letters = (tmp_path / "dead").read_text().splitlines()
    assert there == 500
    assert len(letters) == 1000
    (tmp_path / "dead").rename(tmp_path / "mended")
    again = load([tmp_path / "mended"], cluster, index, dead_letters=tmp_path / "dead")
    assert again.loaded == 1000
    assert total(cluster, index) == 1500


def test_an_interrupt_lets_what_is_under_way_arrive(
    elastic: Elasticsearch, cluster: Cluster, index: str, tmp_path: Path
) -> None:
    path = a_log(tmp_path / "access.log", 60_000)
    under_way, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        under_way.set()
        go_on.wait(800)

    with faulty(elastic.url) as proxy:
        proxy.meanwhile(hold, only="_bulk", skip=2)
        command = [
            *(*COMMAND, "logs", "load", str(path), "--source", f"elasticsearch+{proxy.url}"),
            *("--to", index, "--create", "index", "--chunk", "200", "--requests", "1"),
        ]
        with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            while not under_way.wait(0.2):
                assert process.poll() is None, "it ended before it was interrupted"
            process.send_signal(signal.SIGINT)
            go_on.set()
            assert process.stderr is not None
            said = process.stderr.read()
            assert process.wait(120) == 130, said
    assert "Stopped at" in said
    assert "Traceback" not in said
    there = total(cluster, index)
    assert 0 < there < 60_000
    loaded = load([path], cluster, index, dead_letters=tmp_path / "dead")
    assert (loaded.already_there, loaded.loaded) == (there, 60_000 - there)
