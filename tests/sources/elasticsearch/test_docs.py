"""The documentation's examples run, and show what is really asked."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

import sla_kit
from sla_kit.sources import Indicator
from sla_kit.sources.elasticsearch.questions import question
from sla_kit.sources.elasticsearch.searches import Counting
from sla_kit.timeline import Grid
from tests.servers.elasticsearch import Elasticsearch
from tests.sources.elasticsearch.documents import START, put, request
from tests.test_docs import ROOT, blocks

PAGE = ROOT / "docs/log-slis.md"


def _written(tmp_path: Path, number: int, index: str) -> Path:
    """One of the page's catalogues, of an index of the test's."""
    path = tmp_path / "sla.yml"
    path.write_text(blocks(PAGE, "yaml")[number].replace("logs-shop", index).replace("nginx-*", index))
    return path


def test_the_search_is_the_one_that_is_shown(tmp_path: Path) -> None:
    catalogue = sla_kit.load(_written(tmp_path, 0, "logs-shop"))
    (service, slo), _ = catalogue.slos()
    counting = Counting(Grid(START, 60, 60), [question(Indicator.of(catalogue, service, slo), "logs-shop")])
    (shown,) = blocks(PAGE, "json")
    assert next(counting.searches()).body() == json.loads(shown)


def test_the_example_in_python_runs(
    elastic: Elasticsearch,
    index: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = time.time() // 60 * 60
    times = [now - 60 * at - 1 for at in range(1, 1500)]
    put(elastic.url, index, [request(at, 503 if number % 150 == 0 else 200, 0.02) for number, at in enumerate(times)])
    _written(tmp_path, 0, index)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ELASTICSEARCH_URL", elastic.url)
    (code,) = blocks(PAGE, "python")
    exec(compile(code, PAGE.name, "exec"), {"__name__": "example"})
    availability, fast = (line.split() for line in capsys.readouterr().out.splitlines())
    assert availability[0] == "availability"
    assert 0.99 < float(availability[1]) < 1
    assert float(availability[3]) > 0.99
    assert fast[:2] == ["fast", "1.0"]


def test_fields_of_other_names(elastic: Elasticsearch, index: str, tmp_path: Path) -> None:
    types = {"time_local": "date", "request_time": "double", "status": "keyword"}
    documents = [
        {"time_local": (START + at) * 1000, "request_time": at / 100, "status": 500 if at > 45 else 200}
        for at in range(1, 61)
    ]
    fields = {"properties": {name: {"type": type} for name, type in types.items()} | {"status": {"type": "short"}}}
    put(elastic.url, index, documents, fields)
    catalogue = sla_kit.load(_written(tmp_path, 1, index))
    found = sla_kit.evaluate(catalogue, "elasticsearch+" + elastic.url, "2023-11-14T23:00:00Z/2023-11-14T23:01:00Z")
    availability, fast = found.slos
    assert (availability.figure.total, availability.figure.bad) == (60, 15)
    assert (fast.figure.total, fast.figure.bad) == (60, 35)


def test_every_finding_is_explained() -> None:
    sources = (ROOT / "sla_kit/sources/elasticsearch").glob("*.py")
    text = PAGE.read_text()
    kinds = {
        word
        for path in sources
        for line in path.read_text().splitlines()
        for mark in ('Finding("', 'Remark("', 'grid, "')
        for word in [line.partition(mark)[2].partition('"')[0]]
        if word and mark in line
    }
    assert len(kinds) > 10
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []
