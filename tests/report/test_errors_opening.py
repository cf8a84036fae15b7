"""Which cluster errors are read from: what a user names, else what the catalogue does."""

from __future__ import annotations

import msgspec
import pytest
from elasticsearch import Elasticsearch

from sla_kit.catalogue.logs import Logs
from sla_kit.catalogue.model import Catalogue, Server
from sla_kit.elastic import Cluster
from sla_kit.error_tracking.opening import UNREAD, log_server, opened_logs, with_errors
from sla_kit.errors import SourceError
from sla_kit.sources.elasticsearch import ElasticsearchSource
from tests.report.sample import sample

ES, OTHER, PROMETHEUS = "elasticsearch+http://es:9200", "elasticsearch+https://other:9200", "http://prom:9090"
BARE = Catalogue(name="shop", services=[])
NAMED = Catalogue(
    name="shop",
    services=[],
    sources=[
        Server(name="metrics", url=PROMETHEUS),
        Server(name="logs", url=ES),
        Server(name="more", type="elasticsearch", url="https://more:9200"),
        Server(name="later", type="elasticsearch"),
    ],
)


@pytest.mark.parametrize(
    ("catalogue", "given", "found"),
    [
        (BARE, None, ("", "")),
        (BARE, PROMETHEUS, ("", "")),
        (BARE, ES, (ES, "")),
        (BARE, (PROMETHEUS, ES), (ES, "")),
        (NAMED, None, (ES, "logs")),
        (NAMED, (f"logs={OTHER}",), (OTHER, "logs")),
        (NAMED, ("metrics=http://elsewhere:9090",), (ES, "logs")),
        (NAMED, (OTHER,), (OTHER, "")),
        (NAMED, (PROMETHEUS, f"logs={OTHER}"), (OTHER, "logs")),
        (NAMED, ("history.om.gz",), ("", "")),  # it stands for all that the catalogue names
    ],
)
def test_the_cluster_that_is_meant(catalogue: Catalogue, given: object, found: tuple[str, str]) -> None:
    assert log_server(catalogue, given) == found


def test_the_catalogue_says_which_of_its_clusters_holds_the_logs() -> None:
    chosen = msgspec.structs.replace(NAMED, logs=Logs(source="more"))
    assert log_server(chosen) == ("https://more:9200", "more")
    without_address = msgspec.structs.replace(NAMED, logs=Logs(source="later"))
    assert log_server(without_address) == (ES, "logs")
    assert log_server(without_address, ("later=https://new:9200",)) == ("https://new:9200", "later")


def test_the_command_for_errors_reads_the_catalogue_s_though_another_source_is_named() -> None:
    assert log_server(NAMED, (PROMETHEUS,), instead=True) == (ES, "logs")
    with pytest.raises(SourceError, match="where the logs are"), opened_logs(BARE, PROMETHEUS):
        pass


def test_a_cluster_that_does_not_answer_is_a_finding_of_the_report() -> None:
    evaluation = with_errors(sample(), BARE)
    assert evaluation.errors is None
    assert evaluation.findings[-1].kind == UNREAD
    assert "errors could not be tracked: it is not said where the logs are" in evaluation.findings[-1].message
    assert [slo.figure for slo in evaluation.slos] == [slo.figure for slo in sample().slos]


def test_a_user_s_own_client_is_asked_and_stays_open() -> None:
    client = Elasticsearch("http://127.0.0.1:1")
    cluster = Cluster(client)
    for given in (client, cluster, ElasticsearchSource(client), [PROMETHEUS, client]):
        with opened_logs(BARE, given) as found:
            assert found.client is client
