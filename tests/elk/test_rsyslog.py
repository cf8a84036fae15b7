"""A real rsyslogd with the generated configuration ships lines into a real Elasticsearch."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from sla_kit.elastic import open_cluster
from sla_kit.elk import rsyslog as writer
from sla_kit.elk.applying import apply, look
from sla_kit.elk.lines import shipping
from tests.elk.catalogues import shop
from tests.servers import Elasticsearch
from tests.servers.elasticsearch import elasticsearch
from tests.servers.process import free_port
from tests.servers.rsyslog import rsyslog, rsyslogd

_DEADLINE_SECONDS = 300.0
_TRACE = """2026-03-02 10:00:01 ERROR checkout failed
Traceback (most recent call last):
  File "shop/pay.py", line 12, in pay
    raise ValueError("card declined")
ValueError: card declined"""


@pytest.mark.timeout(900)
def test_every_line_arrives_once_and_as_a_document(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    stream = f"{index}-a-b"
    configuration = _prepared(stream, elastic.url, tmp_path)
    documents = [_document(number) for number in range(3000)]
    log = tmp_path / "logs" / "web" / "app.log"
    log.write_text("".join(json.dumps(each) + "\n" for each in documents) + _TRACE + "\n2026-03-02 10:00:02 INFO ok\n")
    with rsyslog(configuration, tmp_path / "spool"):
        _until(lambda: _count(elastic.url, stream) >= 3002)
    # What was read is remembered: started again it sends nothing twice.
    with log.open("a") as more:
        more.write(json.dumps(_document(3000)) + "\n")
    with rsyslog(configuration, tmp_path / "spool"):
        _until(lambda: _count(elastic.url, stream) >= 3003)
    assert _count(elastic.url, stream) == 3003
    sums = _search(elastic.url, stream, {"size": 0, "aggs": {"sum": {"sum": {"field": "http.response.status_code"}}}})
    assert (
        sums["aggregations"]["sum"]["value"] == sum(each["http"]["response"]["status_code"] for each in documents) + 200
    )
    [trace] = _search(elastic.url, stream, {"query": {"match_phrase": {"message": "card declined"}}})["hits"]["hits"]
    source = trace["_source"]
    assert source["message"] == source["event"]["original"] == _TRACE
    assert source["service"] == {"name": "web", "environment": "staging"}
    assert source["log"]["file"]["path"] == str(log)
    one = _search(elastic.url, stream, {"query": {"term": {"trace.id": "t7"}}})["hits"]["hits"][0]["_source"]
    assert one["@timestamp"] == _document(7)["@timestamp"]
    assert one["message"] == 'naïve "quoted" 7 \\ é'
    assert "original" not in one["event"]


@pytest.mark.timeout(900)
def test_nothing_is_lost_while_the_cluster_is_away(tmp_path: Path) -> None:
    stream, port, data = "logs-away-staging", free_port(), tmp_path / "node"
    log = tmp_path / "logs" / "web" / "app.log"
    with elasticsearch(data=data, port=port) as node:
        configuration = _prepared(stream, node.url, tmp_path)
        log.write_text("".join(json.dumps(_document(number)) + "\n" for number in range(1000)))
        url = node.url
        shipper = rsyslog(configuration, tmp_path / "spool")
        shipper.__enter__()
        try:
            _until(lambda: _count(url, stream) >= 1000)
        except BaseException:
            shipper.__exit__(None, None, None)
            raise
    try:
        with log.open("a") as more:
            more.writelines(json.dumps(_document(number)) + "\n" for number in range(1000, 5000))
        _until(lambda: _read_to(tmp_path / "spool") >= 4000)
        with elasticsearch(data=data, port=port) as node:
            _until(lambda: _count(node.url, stream) >= 5000)
            assert _count(node.url, stream) == 5000
            assert not (tmp_path / "spool" / "sla-kit-refused.ndjson").exists()
    finally:
        shipper.__exit__(None, None, None)


@pytest.mark.timeout(900)
def test_a_refused_document_is_kept_with_what_the_cluster_said(
    elastic: Elasticsearch, index: str, tmp_path: Path
) -> None:
    stream = f"{index}-a-b"
    configuration = _prepared(stream, elastic.url, tmp_path)
    refused = _document(1) | {"@timestamp": "no time at all", "message": "refused"}
    lines = [_document(0), refused, _document(2)]
    (tmp_path / "logs" / "web" / "app.log").write_text("".join(json.dumps(each) + "\n" for each in lines))
    kept = tmp_path / "spool" / "sla-kit-refused.ndjson"
    with rsyslog(configuration, tmp_path / "spool"):
        _until(lambda: _count(elastic.url, stream) >= 2 and kept.exists() and kept.read_text().endswith("}\n"))
    assert _count(elastic.url, stream) == 2
    [found] = [json.loads(line) for line in kept.read_text().splitlines()]
    assert found["answer"]["status"] == 400
    assert found["answer"]["error"]["type"] == "document_parsing_exception"
    assert found["document"]["message"] == "refused"
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", ["http://es.example.com:9200", "https://[2001:db8::1]:9243/prefix"])
def test_the_configuration_is_valid_and_holds_no_secret(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLA_KIT_ELASTICSEARCH_PASSWORD", "a-secret-of-mine")
    catalogue = shop("", url.replace("://", "://user:word@"))
    text = writer.configuration(catalogue, shipping(catalogue, spool=str(tmp_path)))
    (tmp_path / "rsyslog.conf").write_text(text)
    checked = subprocess.run(
        [rsyslogd(), "-N1", "-f", str(tmp_path / "rsyslog.conf")], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
    assert "error" not in checked.stderr
    assert "word" not in text.replace("password", "").replace("PASSWORD", "")
    assert "a-secret-of-mine" not in text


def _prepared(stream: str, url: str, folder: Path) -> str:
    """The cluster has the templates; the shipper's configuration for files below ``folder``."""
    (folder / "logs" / "web").mkdir(parents=True)
    catalogue = shop(stream, url)
    cluster = open_cluster(url)
    apply(cluster, catalogue, look(cluster, catalogue, skip=("lifecycle", "pipeline")))
    cluster.close()
    where = shipping(catalogue, files=str(folder / "logs" / "{service}" / "*.log"), spool=str(folder / "spool"))
    (folder / "spool").mkdir()
    return writer.configuration(catalogue, where)


def _document(number: int) -> dict[str, Any]:
    return {
        "@timestamp": f"2026-03-02T09:{number // 60 % 60:02d}:{number % 60:02d}.{number % 1000:03d}Z",
        "message": f'naïve "quoted" {number} \\ é',
        "http": {"response": {"status_code": 500 if number % 100 == 99 else 200}},
        "trace": {"id": f"t{number}"},
    }


def _read_to(spool: Path) -> int:
    """How many lines of its file rsyslog has read, as its state tells (lines of one length, about)."""
    for state in spool.glob("imfile-state:*"):
        with suppress(OSError, ValueError):  # it is written anew while it is looked at
            return int(json.loads(state.read_text())["curr_offs"] / len(json.dumps(_document(1000)) + "\n"))
    return 0


def _count(url: str, stream: str) -> int:
    _asked(url, "POST", f"/{stream}/_refresh?ignore_unavailable=true")
    return int(_asked(url, "GET", f"/{stream}/_count?ignore_unavailable=true")["count"])


def _search(url: str, stream: str, body: dict[str, Any]) -> dict[str, Any]:
    return _asked(url, "POST", f"/{stream}/_search", body)


def _asked(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    content = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, content, {"content-type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=120) as answer:
        return dict(json.loads(answer.read()))


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _DEADLINE_SECONDS
    while not _told(holds):
        if time.monotonic() > deadline:
            pytest.fail(f"not within {_DEADLINE_SECONDS:g} s", pytrace=False)
        time.sleep(0.1)  # between two looks, not instead of looking


def _told(holds: Callable[[], bool]) -> bool:
    """Whether it holds; not yet, where a node that has just started again has not found its shards."""
    try:
        return holds()
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return False
