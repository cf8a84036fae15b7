"""A cluster: which credentials it is sent, what is asked again, and what its refusals mean."""

from __future__ import annotations

import base64
import hashlib
import ssl
from pathlib import Path

import pytest
from elasticsearch import Elasticsearch

from sla_kit.elastic import Cluster, ClusterError, ClusterSettings
from sla_kit.errors import SourceError
from tests.elastic.scripted import Answer, scripted
from tests.exporters.sidecar.sidecars import Certificates, authority
from tests.servers.elasticsearch import Elasticsearch as Node
from tests.servers.elasticsearch.faults import faulty
from tests.servers.process import free_port

_SECRET = "a-secret-of-the-tests"


def _failure(cluster: Cluster, attempts: int = 1) -> ClusterError:
    with pytest.raises(ClusterError) as failed:
        cluster.ask("look", lambda es: es.info(), attempts=attempts)
    return failed.value


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def certificate(ca: Certificates) -> tuple[Path, Path]:
    return ca.sign("cluster")


def test_genuine_node_answers_and_requests_are_counted(elastic: Node) -> None:
    cluster = Cluster("elasticsearch+" + elastic.url)
    assert cluster.ask("look", lambda es: es.info())["version"]["number"].startswith("9.")
    assert cluster.requests == 1
    assert cluster.name == elastic.url
    cluster.close()


def test_users_own_client_is_used_as_it_is(elastic: Node) -> None:
    with Elasticsearch(elastic.url, request_timeout=120) as client:
        cluster = Cluster(client)
        assert cluster.name == elastic.url
        assert cluster.ask("look", lambda es: es.count(index="none-such", ignore_unavailable=True))["count"] == 0


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        (ClusterSettings(api_key=_SECRET), f"ApiKey {_SECRET}"),
        (ClusterSettings(token=_SECRET), f"Bearer {_SECRET}"),
        (
            ClusterSettings(username="reader", password=_SECRET),
            "Basic " + base64.b64encode(f"reader:{_SECRET}".encode()).decode(),
        ),
    ],
    ids=["api-key", "bearer", "basic"],
)
def test_credentials_are_sent_and_never_shown(settings: ClusterSettings, sent: str) -> None:
    refusal = {"error": {"type": "security_exception", "reason": f"no: {sent}"}, "status": 401}
    with scripted([Answer(refusal, 401)]) as server:
        cluster = Cluster(server.url, settings)
        failure = _failure(cluster)
        assert server.seen[0]["authorization"] == sent
    assert failure.kind == "auth"
    assert failure.status == 401
    for shown in (str(failure), repr(failure), repr(settings), repr(cluster)):
        assert _SECRET not in shown
        assert sent.split()[1] not in shown


def test_password_in_an_address_is_sent_and_never_shown() -> None:
    with scripted([Answer({"error": f"no, {_SECRET}"}, 401)]) as server:
        cluster = Cluster(server.url.replace("http://", f"elasticsearch+http://reader:{_SECRET}@"))
        assert _SECRET not in str(_failure(cluster))
        assert server.seen[0]["authorization"].startswith("Basic ")
    assert _SECRET not in cluster.name


def test_headers_of_the_settings_are_sent() -> None:
    with scripted([Answer()]) as server:
        settings = ClusterSettings(headers=(("X-Tenant", "tenant-of-the-tests"),))
        Cluster(server.url, settings).ask("look", lambda es: es.info())
        assert server.seen[0]["x-tenant"] == "tenant-of-the-tests"


def test_cloud_id_names_its_host() -> None:
    hidden = base64.b64encode(b"example.invalid:443$es-uuid$kibana-uuid").decode()
    cluster = Cluster(f"elasticsearch+cloud://production:{hidden}", ClusterSettings(api_key=_SECRET))
    (node,) = cluster.client.transport.node_pool.all()
    assert node.base_url == "https://es-uuid.example.invalid:443"
    assert cluster.name == "elasticsearch+cloud://production"


@pytest.mark.parametrize("address", ["elasticsearch+cloud://name:not-base64", "elasticsearch+cloud://"])
def test_broken_cloud_id_is_an_error_that_says_so(address: str) -> None:
    with pytest.raises(SourceError, match=r"cloud id|client"):
        Cluster(address)


# --- certificates ---------------------------------------------------------------------------------------------------


def _fingerprint(certificate: Path) -> str:
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(certificate.read_text())).hexdigest()


def test_authority_of_the_settings_is_trusted(ca: Certificates, certificate: tuple[Path, Path]) -> None:
    with scripted([Answer()], certificate) as server:
        cluster = Cluster(server.url, ClusterSettings(ca_file=str(ca.authority)))
        assert cluster.ask("look", lambda es: es.info())["version"]["number"] == "9.5.3"


@pytest.mark.parametrize("colons", [False, True])
def test_fingerprint_alone_is_enough(certificate: tuple[Path, Path], colons: bool) -> None:
    fingerprint = _fingerprint(certificate[0])
    if colons:
        fingerprint = ":".join(fingerprint[at : at + 2] for at in range(0, 64, 2)).upper()
    with scripted([Answer()], certificate) as server:
        cluster = Cluster(server.url, ClusterSettings(fingerprint=fingerprint))
        assert cluster.ask("look", lambda es: es.info())["version"]["number"] == "9.5.3"


@pytest.mark.parametrize("settings", [ClusterSettings(), ClusterSettings(fingerprint="ab" * 32)], ids=["none", "other"])
def test_untrusted_certificate_is_refused_at_once(certificate: tuple[Path, Path], settings: ClusterSettings) -> None:
    with scripted([Answer()], certificate) as server:
        cluster = Cluster(server.url, settings)
        failure = _failure(cluster, attempts=5)
        assert not server.seen
    assert cluster.requests == 1
    assert "_CA_FILE" in failure.remedy


# --- asked again ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_may_pass_is_asked_again(elastic: Node, status: int) -> None:
    with faulty(elastic.url) as proxy:
        proxy.refuse(status, times=2)
        cluster = Cluster(proxy.url)
        assert cluster.ask("look", lambda es: es.info())
        assert cluster.requests == 3


def test_server_is_left_alone_for_as_long_as_it_asks(elastic: Node) -> None:
    with faulty(elastic.url) as proxy:
        proxy.refuse(429, retry_after=0.01)
        cluster = Cluster(proxy.url)
        cluster.ask("look", lambda es: es.info())
        proxy.refuse(429, retry_after=100_000, times=None)
        failure = _failure(cluster, attempts=6)
        assert cluster.requests == 3  # nobody waits for a day
    assert failure.status == 429


def test_cut_connections_are_asked_again(elastic: Node) -> None:
    with faulty(elastic.url) as proxy:
        proxy.cut()
        proxy.cut(after=20)
        cluster = Cluster(proxy.url)
        assert cluster.ask("look", lambda es: es.info())
        assert cluster.requests == 3


def test_answer_cut_short_as_json_is_asked_again_and_named() -> None:
    with scripted([Answer(b'{"version": {"num'), Answer()]) as server:
        assert Cluster(server.url).ask("look", lambda es: es.info())
    with scripted([Answer(b'{"version": {"num')]) as server:
        assert "JSON" in _failure(Cluster(server.url), attempts=2).message


def test_no_answer_in_time_is_a_timeout(elastic: Node) -> None:
    with faulty(elastic.url) as proxy:
        proxy.delay(60, times=None)
        failure = _failure(Cluster(proxy.url, ClusterSettings(timeout_seconds=0.2)))
    assert failure.kind == "timeout"
    assert "SLA_KIT_ELASTICSEARCH_TIMEOUT" in failure.remedy


def test_nobody_listens() -> None:
    failure = _failure(Cluster(f"http://127.0.0.1:{free_port()}"), attempts=2)
    assert failure.kind == "connect"
    assert "runs" in failure.remedy


# --- refusals -------------------------------------------------------------------------------------------------------


def test_refused_query_says_what_the_server_says(elastic: Node) -> None:
    cluster = Cluster(elastic.url)
    with pytest.raises(ClusterError) as failed:
        cluster.ask("search", lambda es: es.search(index="*", query={"trem": {"a": 1}}))
    assert failed.value.kind == "query"
    assert failed.value.status == 400
    assert failed.value.reason == "parsing_exception"
    assert "trem" in failed.value.message
    assert cluster.requests == 1


def test_missing_index_is_named_by_its_type(elastic: Node, index: str) -> None:
    with pytest.raises(ClusterError) as failed:
        Cluster(elastic.url).ask("count", lambda es: es.count(index=index))
    assert (failed.value.status, failed.value.reason) == (404, "index_not_found_exception")


def test_older_server_names_the_client_that_fits() -> None:
    reason = "Accept version must be either version 8 or 7, but found 9"
    cause = {"type": "media_type_header_exception", "reason": reason}
    with scripted([Answer({"error": {"root_cause": [cause], **cause}, "status": 400}, 400)]) as server:
        failure = _failure(Cluster(server.url))
    assert "pip install 'elasticsearch<9'" in failure.remedy


@pytest.mark.parametrize(
    "answer",
    [
        Answer({"name": "something else"}, product=False),
        Answer(b"<html>Sign in</html>", product=False, kind="text/html"),
        Answer(b"<html>Sign in</html>", 404, product=False, kind="text/html"),
        Answer(b"", 302, {"Location": "https://login.example"}, product=False, kind="text/html"),
    ],
    ids=["json", "page", "page-404", "redirect"],
)
def test_server_that_is_no_elasticsearch(answer: Answer) -> None:
    with scripted([answer]) as server:
        cluster = Cluster(server.url)
        failure = _failure(cluster, attempts=4)
    assert cluster.requests == 1
    assert failure.kind == "connect"
    assert "address" in failure.remedy


def test_proxys_page_while_the_cluster_is_away_is_asked_again() -> None:
    page = Answer(b"<html>502 Bad Gateway</html>", 502, product=False, kind="text/html")
    with scripted([page, Answer()]) as server:
        assert Cluster(server.url).ask("look", lambda es: es.info())
