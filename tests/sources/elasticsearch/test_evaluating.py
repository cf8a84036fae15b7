"""A catalogue's promises judged by documents, alone and with a ledger."""

from __future__ import annotations

from pathlib import Path

import pytest
from elasticsearch import Elasticsearch as Client

from sla_kit import evaluate
from sla_kit.catalogue.logs import LogFields, Logs
from sla_kit.catalogue.model import Catalogue, LogEvents, LogLatency, Service, Slo, Window
from sla_kit.ledger import open_ledger
from sla_kit.ledger.identity import Identity, indicators_of
from tests.ledger.keeping import Content, content
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.elasticsearch.faults import failed_shards, faulty
from tests.sources.elasticsearch.documents import ERRORS, put, request, source

DAY = 86400
START = 1_700_006_400  # a midnight
STEP = 600


def shop(index: str) -> Catalogue:
    """A shop whose requests are in one index."""
    availability = LogEvents(query="service.name:web", bad=ERRORS)
    slos = [
        Slo(name="availability", sli=availability, objective=0.95, window=Window(rolling=1.0 * DAY)),
        Slo(name="fast", sli=LogLatency(threshold=0.1), objective=0.5, window=Window(rolling=1.0 * DAY)),
    ]
    logs = Logs(index=index, quiet=3600.0)
    return Catalogue(name="shop", bucket=float(STEP), services=[Service(name="web", slos=slos)], logs=logs)


@pytest.fixture
def filled(elastic: Elasticsearch, index: str) -> str:
    """Three days of a request each minute: every twentieth fails, and half of them are slow."""
    documents = [
        request(START + 60 * at + 1, 500 if at % 40 == 0 else 200, seconds=0.05 if at % 2 else 0.2)
        for at in range(3 * 1440)
    ]
    put(elastic.url, index, documents)
    return index


def test_promises_are_judged_by_documents(elastic: Elasticsearch, filled: str) -> None:
    with Client(elastic.url, request_timeout=120) as client:
        found = evaluate(shop(filled), client, "1d", START + 2 * DAY)
    availability, fast = found.slos
    assert availability.figure.total == 1440
    assert availability.figure.bad == 36
    assert availability.figure.sli == pytest.approx(0.975)
    assert availability.figure.met is True
    assert fast.figure.sli == pytest.approx(0.5)
    assert fast.figure.value == pytest.approx(0.2, rel=0.26)
    assert fast.quantile == 0.95
    assert [finding.kind for finding in fast.findings] == ["estimated"]
    assert found.source == elastic.url


def _updated(url: str, index: str, path: Path, until: list[int]) -> Content:
    for end in until:
        with open_ledger(str(path)) as ledger:
            ledger.update(shop(index), source(url), until=end, now=START + 3 * DAY)
    return content(str(path))


def test_however_many_runs_fill_a_ledger_its_rows_are_the_same(
    elastic: Elasticsearch, filled: str, tmp_path: Path
) -> None:
    end = START + 2 * DAY + 7 * STEP
    once = _updated(elastic.url, filled, tmp_path / "once.db", [end])
    often = _updated(
        elastic.url, filled, tmp_path / "often.db", [START + 3 * STEP, START + DAY, START + DAY + STEP, end]
    )
    days = {(row[0], row[1]): row for row in often["day"]}
    assert once["day"]
    for row in once["day"]:
        assert days[row[0], row[1]][:6] == row[:6]  # with its digest


def test_a_ledger_waits_for_all_shards(elastic: Elasticsearch, filled: str, tmp_path: Path) -> None:
    end = START + 2 * DAY
    with faulty(elastic.url) as proxy:
        proxy.alter(failed_shards(), times=None, only="_msearch")
        assert not _updated(proxy.url, filled, tmp_path / "ledger.db", [end])["day"]
    rows = _updated(elastic.url, filled, tmp_path / "ledger.db", [end])["day"]
    assert rows == _updated(elastic.url, filled, tmp_path / "other.db", [end])["day"]


def test_a_report_from_a_ledger_is_that_from_the_cluster(elastic: Elasticsearch, filled: str, tmp_path: Path) -> None:
    at = START + 2 * DAY
    live = evaluate(shop(filled), source(elastic.url), "1d", at)
    kept = evaluate(shop(filled), source(elastic.url), "1d", at, ledger=tmp_path / "ledger.db")
    alone = evaluate(shop(filled), None, "1d", at, ledger=tmp_path / "ledger.db")
    for other in (kept, alone):
        for one, two in zip(live.slos, other.slos, strict=True):
            assert one.figure == two.figure


def test_another_index_query_field_or_patience_is_another_indicator() -> None:
    def identities(catalogue: Catalogue) -> set[int]:
        return {Identity.of(catalogue, indicator).id for indicator in indicators_of(catalogue)}

    first = shop("logs-a")
    assert len(identities(first)) == 2
    others = [shop("logs-b")]
    for logs in (
        Logs(index="logs-a", quiet=600.0),
        Logs(index="logs-a", quiet=3600.0, fields=LogFields(time="when")),
        Logs(index="logs-a", quiet=3600.0, fields=LogFields(message="text")),
    ):
        changed = shop("logs-a")
        others.append(Catalogue(name="shop", bucket=float(STEP), services=changed.services, logs=logs))
    for other in others:
        assert not identities(first) & identities(other)
    unit = Logs(index="logs-a", quiet=3600.0, fields=LogFields(duration_unit_seconds=1e-3))
    changed = Catalogue(name="shop", bucket=float(STEP), services=first.services, logs=unit)
    assert len(identities(first) & identities(changed)) == 1  # only the latency measures something else
    user = Logs(index="logs-a", quiet=3600.0, fields=LogFields(user="client.user.id"))
    assert identities(first) == identities(
        Catalogue(name="shop", bucket=float(STEP), services=first.services, logs=user)
    )
