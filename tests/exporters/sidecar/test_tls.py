"""TLS, clients' certificates and passwords, as a Prometheus and as others use them."""

from __future__ import annotations

import base64
import http.client
import json
import signal
import socket
import ssl
import urllib.parse
import urllib.request
from pathlib import Path

import bcrypt
import pytest

from tests.exporters.sidecar.sidecars import Certificates, Sidecar, authority, connected, eventually, sidecar
from tests.servers import prometheus, prometheus_versions

GOOD = "push: true\ncollectors: [{name: one, series: 3}]\n"
PASSWORD = "a scraper's password"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = authority(tmp_path_factory.mktemp("ca"))
    made.sign("server")
    return made


def web_config(ca: Certificates, more: str = "", users: bool = False) -> str:
    text = f"tls_server_config:\n  cert_file: {ca.folder}/server.crt\n  key_file: {ca.folder}/server.key\n{more}"
    if users:
        hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(8)).decode()
        text += f"basic_auth_users: {{prometheus: '{hashed}'}}\n"
    return text


def clients(ca: Certificates, kind: str) -> str:
    return f"  client_auth_type: {kind}\n  client_ca_file: {ca.authority}\n"


def basic(password: str = PASSWORD) -> str:
    return "Basic " + base64.b64encode(f"prometheus:{password}".encode()).decode()


@pytest.mark.parametrize("version", prometheus_versions())
def test_a_prometheus_scrapes_through_tls_a_password_and_a_certificate(
    ca: Certificates, tmp_path: Path, version: str
) -> None:
    certificate, key = ca.sign("scraper")
    tls = ca.client("helper")
    web = web_config(ca, clients(ca, "RequireAndVerifyClientCert"), users=True)
    with sidecar(tmp_path, GOOD, web_config=web, tls=tls) as running:
        config = f"""
global: {{scrape_interval: 1s}}
scrape_configs:
  - job_name: told
    scheme: https
    basic_auth: {{username: prometheus, password: "{PASSWORD}"}}
    tls_config: {{ca_file: {ca.authority}, cert_file: {certificate}, key_file: {key}, server_name: localhost}}
    static_configs: [{{targets: ["127.0.0.1:{running.port}"]}}]
  - job_name: wrong
    scheme: https
    basic_auth: {{username: prometheus, password: wrong}}
    tls_config: {{ca_file: {ca.authority}, cert_file: {certificate}, key_file: {key}, server_name: localhost}}
    static_configs: [{{targets: ["127.0.0.1:{running.port}"]}}]
"""
        with prometheus(version, config=config) as server:

            def query(text: str) -> list[str]:
                url = f"{server.url}/api/v1/query?{urllib.parse.urlencode({'query': text})}"
                with urllib.request.urlopen(url, timeout=30) as answer:
                    return [each["value"][1] for each in json.load(answer)["data"]["result"]]

            eventually(lambda: query('up{job="told"}'), lambda found: found == ["1"])
            eventually(lambda: query('up{job="wrong"}'), lambda found: found == ["0"])
            assert query('sum(told_value{job="told"})') == ["3"]
            # OpenMetrics: a counter's type came with it.
            url = f"{server.url}/api/v1/metadata?metric=told_things"
            with urllib.request.urlopen(url, timeout=30) as answer:
                told = json.load(answer)["data"]
            assert [each["type"] for each in told.get("told_things", [])] in (["counter"], [])


def test_a_password_is_asked_for_but_by_no_probe(ca: Certificates, tmp_path: Path) -> None:
    with sidecar(tmp_path, GOOD, web_config=web_config(ca, users=True), tls=ca.client()) as running:
        for path in ("/metrics", "/", "/none", "/push"):
            answer = running.ask(path)
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Basic ")
            assert running.ask(path, authorization=basic("wrong")).status == 401
        assert running.ask("/healthz").status == running.ask("/readyz").status == 200
        assert running.ask(authorization=basic()).status == 200
        assert running.ask("/push", "POST", b"123", authorization=basic()).status == 200
        assert PASSWORD not in running.log.read_text()


@pytest.mark.parametrize("kind", ["RequireAndVerifyClientCert", "VerifyClientCertIfGiven"])
def test_certificates_of_clients_are_verified(ca: Certificates, tmp_path: Path, kind: str) -> None:
    strangers = authority(tmp_path / "strangers")
    stranger = ca.client()
    stranger.load_cert_chain(*strangers.sign("stranger"))
    with sidecar(tmp_path, GOOD, web_config=web_config(ca, clients(ca, kind)), tls=ca.client("friend")) as running:
        assert running.ask().status == 200
        running.tls = stranger
        with pytest.raises((ssl.SSLError, ConnectionError)):
            running.ask()
        running.tls = ca.client()
        if kind == "VerifyClientCertIfGiven":
            assert running.ask().status == 200
        else:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                running.ask()


def test_old_versions_and_plain_http_are_refused(ca: Certificates, tmp_path: Path) -> None:
    with sidecar(tmp_path, GOOD, web_config=web_config(ca, "  min_version: TLS13\n"), tls=ca.client()) as running:
        old = ca.client()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        running.tls = old
        with pytest.raises((ssl.SSLError, ConnectionError)):
            running.ask()
        with connected(running.port) as client:
            client.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
            assert not client.recv(100).startswith(b"HTTP")
        running.tls = ca.client()
        assert running.ask().status == 200
        assert "Traceback" not in running.log.read_text()


def serial(running: Sidecar) -> str:
    context = ssl.create_default_context(cafile=None)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", running.port), timeout=60) as bare, context.wrap_socket(bare) as client:
        certificate = client.getpeercert(binary_form=True)
        assert certificate is not None
        return certificate.hex()


def test_a_new_certificate_is_taken_without_a_restart_and_a_broken_one_is_not(tmp_path: Path) -> None:
    ca = authority(tmp_path / "ca")
    certificate, key = ca.sign("server")
    with sidecar(tmp_path, GOOD, web_config=web_config(ca), tls=ca.client()) as running:
        first = serial(running)
        kept = http.client.HTTPSConnection("localhost", running.port, timeout=60, context=ca.client())
        kept.request("GET", "/healthz")
        assert kept.getresponse().read() == b"ok\n"
        before = kept.sock
        ca.sign("server")
        second = eventually(lambda: serial(running), lambda found: found != first)
        kept.request("GET", "/healthz")  # connections that there are go on
        assert kept.getresponse().read() == b"ok\n"
        assert kept.sock is before
        kept.close()
        key.write_text("junk")
        running.until(lambda seen: seen[("sla_exporter_config_last_reload_successful",)] == 0)
        assert serial(running) == second
        assert "server.key holds no private key" in running.log.read_text()
        ca.sign("server")
        eventually(lambda: serial(running), lambda found: found not in (first, second))
        running.until(lambda seen: seen[("sla_exporter_config_last_reload_successful",)] == 1)
        assert certificate.exists()


def test_a_client_authority_that_is_exchanged_counts_at_once(tmp_path: Path) -> None:
    ca, others = authority(tmp_path / "ca"), authority(tmp_path / "others")
    ca.sign("server")
    clients_ca = tmp_path / "clients.crt"
    clients_ca.write_text(ca.authority.read_text())
    more = f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {clients_ca}\n"
    other = ca.client()
    other.load_cert_chain(*others.sign("other"))
    with sidecar(tmp_path, GOOD, web_config=web_config(ca, more), tls=ca.client("first")) as running:
        first = running.tls
        clients_ca.write_text(others.authority.read_text())

        def status(tls: ssl.SSLContext | None) -> int:
            running.tls = tls
            try:
                return running.ask("/healthz").status
            except (ssl.SSLError, OSError):
                return 0

        eventually(lambda: status(other), lambda found: found == 200)
        assert status(first) == 0


def test_routes_that_take_data_are_closed_to_others_without_a_password(tmp_path: Path, ca: Certificates) -> None:
    """From another address of this machine that is not its loopback one, as another machine would come."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            outer = probe.getsockname()[0]
        except OSError:
            outer = ""
    if not outer or outer.startswith("127."):
        pytest.fail("this machine has no address but loopback", pytrace=False)

    def push(running: Sidecar, *headers: str) -> bytes:
        with socket.create_connection((outer, running.port), timeout=60, source_address=(outer, 0)) as client:
            head = "".join(f"{each}\r\n" for each in ("Host: x", "Content-Length: 1", *headers))
            client.sendall(f"POST /push HTTP/1.1\r\n{head}\r\n1".encode())
            return client.recv(1000).split(b"\r\n")[0]

    with sidecar(tmp_path, GOOD, host="") as running:
        assert push(running) == b"HTTP/1.1 403 Forbidden"
        assert push(running, "X-Forwarded-For: 127.0.0.1") == b"HTTP/1.1 403 Forbidden"
        assert running.ask("/push", "POST", b"1").status == 200
        assert "routes that take data answer this machine only" in running.log.read_text()
    hashed = bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()
    users = f"basic_auth_users: {{prometheus: '{hashed}'}}\n"
    with sidecar(tmp_path, GOOD, host="", web_config=users) as running:
        assert push(running) == b"HTTP/1.1 401 Unauthorized"
        assert push(running, f"Authorization: {basic()}") == b"HTTP/1.1 200 OK"


def test_a_client_that_keeps_its_connection_does_not_keep_the_exporter(ca: Certificates, tmp_path: Path) -> None:
    with sidecar(tmp_path, GOOD, web_config=web_config(ca), tls=ca.client()) as running:
        silent = [connected(running.port) for _ in range(3)]  # of which no handshake comes
        kept = http.client.HTTPSConnection("localhost", running.port, timeout=60, context=ca.client())
        kept.request("GET", "/metrics")
        assert kept.getresponse().status == 200
        running.signal(signal.SIGTERM)
        assert running.ended() == 0
        kept.close()
        for each in silent:
            each.close()
