"""What goes wrong between here and a Prometheus: asked again where that helps, explained where not, secrets kept."""

from __future__ import annotations

import gzip
import logging
import os
import ssl
import subprocess
import threading
import time
import traceback
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
import stamina
from prometheus_api_client import PrometheusConnect

from sla_kit.errors import SourceError
from sla_kit.sources.prometheus import PrometheusSource, open_source
from sla_kit.sources.series import Reduction, Selector, SeriesQuery
from sla_kit.sources.settings import Settings
from sla_kit.timeline import Grid
from tests.servers import binary, free_port, prometheus, prometheus_versions
from tests.sources.faulty import (
    GOOD,
    GRID,
    Answer,
    breaks_off,
    breaks_off_a_chunk,
    faulty,
    hangs_up,
    matrix,
    refuses,
    says,
)
from tests.sources.history import START, counters

SECRET = "hunter2-tok3n"
#: The bcrypt hash of "s3cret-pass", at the lowest cost.
HASH = "$2b$04$CWjI2BIhz.9YgU2BZythhOK5wDUmhUEdOBNQCJQzjPeiQ8E7BKUAW"


@pytest.fixture
def impatient() -> Iterator[None]:
    """Asks again at once, three times in all."""
    with stamina.set_testing(True, attempts=3):
        yield


def values_of(source: PrometheusSource) -> list[float]:
    values, _ = source.read_promql("m", GRID)
    return [float(value) for value in values]


def failure(source: PrometheusSource) -> SourceError:
    with pytest.raises(SourceError) as caught:
        source.read_promql("m", GRID)
    assert caught.value.place == source.name
    assert caught.value.remedy
    return caught.value


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "fault",
    [
        says(429),
        says(500),
        says(502, b"<html>bad gateway</html>"),
        says(503),
        says(504),
        refuses(503, "the storage is starting", "unavailable"),
        hangs_up,
        breaks_off,
        breaks_off_a_chunk,
    ],
)
def test_passing_faults_are_asked_again(fault: Answer) -> None:
    with faulty(fault, fault, GOOD) as server:
        assert values_of(PrometheusSource(server.url)) == [1, 2, 3]
        assert len(server.seen) == 3


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [says(503), hangs_up, breaks_off])
def test_faults_that_last_are_given_up(fault: Answer) -> None:
    with faulty(fault) as server:
        failure(PrometheusSource(server.url))
        assert len(server.seen) == 3


def test_retry_after_is_honoured() -> None:
    with faulty(says(429, Retry_After="1"), GOOD) as server:
        assert values_of(PrometheusSource(server.url)) == [1, 2, 3]
        first, second = server.seen
        assert second.at - first.at >= 1


def test_a_server_that_asks_for_too_long_a_wait_is_given_up_at_once() -> None:
    with faulty(says(503, Retry_After="3600"), GOOD) as server:
        assert "503" in failure(PrometheusSource(server.url)).message
        assert len(server.seen) == 1


@pytest.mark.usefixtures("impatient")
def test_a_server_that_never_answers_times_out() -> None:
    over = threading.Event()

    def sleeps(handler: BaseHTTPRequestHandler) -> None:
        over.wait(60)

    with faulty(sleeps) as server:
        error = failure(PrometheusSource(server.url, Settings(timeout_seconds=0.2)))
        over.set()
    assert "0.2 s" in error.message
    assert "SLA_KIT_PROMETHEUS_TIMEOUT" in error.remedy


def test_reading_ends_when_the_time_for_it_is_over() -> None:
    over = threading.Event()

    def sleeps(handler: BaseHTTPRequestHandler) -> None:
        over.wait(60)

    for seconds in (0.2, 1.0, 5.0, 25.0):  # on a busy machine the time may be over before the server is asked
        with faulty(sleeps) as server:
            source = PrometheusSource(server.url)
            source.give_up_at(time.monotonic() + seconds)
            assert failure(source).kind == "timeout"
            asked = len(server.seen)
            over.set()
        if asked:
            break
        over.clear()
    assert asked == 1, "what can't be answered in time is not asked again"


@pytest.mark.usefixtures("impatient")
def test_a_server_that_is_not_there() -> None:
    assert "refused" in failure(PrometheusSource(f"http://127.0.0.1:{free_port()}")).message


@pytest.mark.parametrize(
    ("answer", "message", "remedy"),
    [
        (refuses(401, ""), "401", "SLA_KIT_PROMETHEUS_TOKEN"),
        (says(403, b"no"), "403", "X-Scope-OrgID"),
        (says(404, b"<html>"), "404", "path prefix"),
        (refuses(400, 'parse error: unexpected "}"'), 'unexpected "}"', "catalogue"),
        (refuses(422, "no such label", "execution"), "no such label", "catalogue"),
        (says(302, Location="https://login.example/?secret=1"), "login page", "path prefix"),
        (says(200, b"<!doctype html><html>Sign in</html>"), "web page", "path prefix"),
        (says(200, matrix()[:-9]), "can't be read", "cut it short"),
        (says(200, b""), "can't be read", "cut it short"),
        (says(200, b'{"status":"success","data":{"resultType":"scalar","result":[]}}'), "scalar", "Prometheus API"),
        (says(200, b'{"status":"error","error":"x"}'), "error", "Prometheus API"),
        (says(200, matrix().replace(b'"2"', b'"two"')), "can't be read", "Prometheus API"),
    ],
)
def test_refusals_are_explained_and_not_asked_again(answer: Answer, message: str, remedy: str) -> None:
    with faulty(answer) as server:
        error = failure(PrometheusSource(server.url))
        assert message in error.message
        assert remedy in error.remedy
        assert len(server.seen) == 1


def test_warnings_and_partial_answers_become_findings() -> None:
    body = matrix(
        warnings=["1 store is down: partial response", "odd"], infos=["metric might not be a counter"], isPartial=True
    )
    with faulty(says(200, body)) as server:
        source = PrometheusSource(server.url)
        _, findings = source.read_promql("m", GRID)
        ((_, frame),) = source.read([SeriesQuery(Selector.of("m"), Reduction.MAX)], GRID)
    kinds = [finding.kind for finding in findings]
    assert kinds == ["partial-answer", "warning", "info", "partial-answer"]
    assert {(finding.start, finding.end, finding.count) for finding in findings} == {(GRID.start, GRID.end, 3)}
    assert frame.findings == findings


def test_a_compressed_answer_is_read_and_not_asked_for_on_loopback() -> None:
    with faulty(says(200, gzip.compress(matrix()), Content_Encoding="gzip")) as server:
        assert values_of(PrometheusSource(server.url)) == [1, 2, 3]
        assert server.seen[0].headers["accept-encoding"] == "identity"


def test_token_headers_and_parameters_reach_the_server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(SECRET + "\n")
    monkeypatch.setenv("SLA_KIT_PROMETHEUS_TOKEN_FILE", str(tmp_path / "token"))
    monkeypatch.setenv("SLA_KIT_PROMETHEUS_HEADERS", "X-Scope-OrgID=team-a%2Cb, X-More=1")
    # requests would let a ~/.netrc speak over a plain Authorization header.
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login someone password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with faulty(GOOD) as server:
        source = open_source(server.url + "/prefix/?dedup=true")
        assert values_of(source) == [1, 2, 3]
        (seen,) = server.seen
    assert seen.path == "/prefix/api/v1/query_range"
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert (seen.headers["x-scope-orgid"], seen.headers["x-more"]) == ("team-a,b", "1")
    assert seen.form["dedup"] == ["true"]
    assert source.name == server.url + "/prefix"


@pytest.mark.usefixtures("impatient")
def test_secrets_are_shown_nowhere(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("SLA_KIT_PROMETHEUS_USERNAME", "reader")
    monkeypatch.setenv("SLA_KIT_PROMETHEUS_PASSWORD", SECRET)
    monkeypatch.setenv("SLA_KIT_PROMETHEUS_HEADERS", f"X-Key={SECRET}-h")
    settings = Settings.from_environment(os.environ)
    texts = [repr(settings), str(settings)]
    echo = refuses(500, f"who is {SECRET} or {SECRET}-h or {SECRET}-u?")
    for fault in (echo, hangs_up, says(401), refuses(400, f"no: {SECRET}, {SECRET}-u"), breaks_off):
        with faulty(fault) as server:
            own = PrometheusConnect(server.url, headers={"Authorization": f"bearer {SECRET}"}, auth=("u", SECRET))
            sources = (
                open_source(server.url),
                open_source(server.url.replace("//", f"//me:{SECRET}-u@")),
                PrometheusSource(own),
            )
            for source in sources:
                error = failure(source)
                texts += [repr(source), source.name, str(error), repr(error), *traceback.format_exception(error)]
    for wrong in (f"http://a:{SECRET}@", f"http://a:{SECRET}@host:port", f"ftp://a:{SECRET}@host"):
        with pytest.raises(SourceError) as caught:
            open_source(wrong)
        texts += [str(caught.value), repr(caught.value)]
    assert "who is *** or ***" in "".join(texts)
    # What the libraries underneath say at the level of debugging is in the log too.
    assert caplog.text
    for text in (*texts, caplog.text):
        assert SECRET not in text


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"TOKEN": "a", "TOKEN_FILE": "/b"}, "as well"),
        ({"TOKEN_FILE": "/no/such/file"}, "/no/such/file"),
        ({"TOKEN": "a", "USERNAME": "b"}, "both"),
        ({"PASSWORD": "a"}, "without a user name"),
        ({"CLIENT_KEY": __file__}, "without its certificate"),
        ({"CA_FILE": "/no/such/file"}, "/no/such/file"),
        ({"HEADERS": "X-Scope-OrgID"}, "name=value"),
        ({"TIMEOUT": "soon"}, "number of seconds"),
        ({"TIMEOUT": "-1"}, "number of seconds"),
    ],
)
def test_settings_that_contradict_one_another_are_refused(environment: dict[str, str], message: str) -> None:
    with pytest.raises(SourceError, match=message) as caught:
        Settings.from_environment({"SLA_KIT_PROMETHEUS_" + name: value for name, value in environment.items()})
    assert caught.value.place.startswith("SLA_KIT_PROMETHEUS_")
    assert caught.value.remedy


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority, and what it has signed for the server (127.0.0.1) and for a client."""
    folder = tmp_path_factory.mktemp("certificates")
    openssl = binary("openssl", "openssl")

    def run(*arguments: str) -> None:
        subprocess.run([openssl, *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    run("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=authority")
    for name in ("server", "client"):
        files = ("-keyout", f"{name}.key", "-out", f"{name}.pem", "-subj", f"/CN={name}")
        signed = ("-CA", "ca.pem", "-CAkey", "ca.key", "-addext", "subjectAltName=IP:127.0.0.1")
        run("req", "-x509", *key, *files, *signed)
    return folder


@pytest.mark.parametrize("version", prometheus_versions())
def test_client_certificates_and_basic_authentication(version: str, certificates: Path, tmp_path: Path) -> None:
    web = f"""
tls_server_config:
  cert_file: {certificates / "server.pem"}
  key_file: {certificates / "server.key"}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: {certificates / "ca.pem"}
basic_auth_users:
  reader: {HASH}
"""
    tls = ssl.create_default_context(cafile=str(certificates / "ca.pem"))
    tls.load_cert_chain(certificates / "client.pem", certificates / "client.key")
    trusted = {
        "SLA_KIT_PROMETHEUS_CA_FILE": str(certificates / "ca.pem"),
        "SLA_KIT_PROMETHEUS_CLIENT_CERT": str(certificates / "client.pem"),
        "SLA_KIT_PROMETHEUS_CLIENT_KEY": str(certificates / "client.key"),
    }
    known = {**trusted, "SLA_KIT_PROMETHEUS_USERNAME": "reader", "SLA_KIT_PROMETHEUS_PASSWORD": "s3cret-pass"}
    asked = SeriesQuery(Selector.of("requests_total", {"service": "api"}), Reduction.MAX)
    grid = Grid(START, 60, 5)
    history = counters().write(tmp_path / "history.om")
    with prometheus(version, openmetrics=history, web_config=web, tls=tls) as server:
        ((_, frame),) = PrometheusSource(server.url, Settings.from_environment(known)).read([asked], grid)
        assert len(frame.labels) == 4
        with_user = server.url.replace("//", "//reader:s3cret-pass@")
        ((_, same),) = PrometheusSource(with_user, Settings.from_environment(trusted)).read([asked], grid)
        assert same.values.tobytes() == frame.values.tobytes()
        assert "401" in failure(PrometheusSource(server.url, Settings.from_environment(trusted))).message
        stranger = failure(PrometheusSource(server.url))
        assert "SLA_KIT_PROMETHEUS_CA_FILE" in stranger.remedy
        del known["SLA_KIT_PROMETHEUS_CLIENT_CERT"], known["SLA_KIT_PROMETHEUS_CLIENT_KEY"]
        with stamina.set_testing(True, attempts=2):
            failure(PrometheusSource(server.url, Settings.from_environment(known)))
