"""How a Grafana is reached: the token stays secret, refusals are explained, a busy server is given time."""

from __future__ import annotations

import logging
import ssl
import subprocess
import time
from pathlib import Path

import pytest
import stamina

from sla_kit.grafana.api import Grafana
from sla_kit.grafana.connection import Connection, GrafanaError, RefusedError, access
from tests.grafana.server import EDITOR, Fault, later, played_grafana
from tests.servers.process import binary, refusing_port

TOKEN = {"SLA_KIT_GRAFANA_TOKEN": EDITOR}


def failure(url: str, environment: dict[str, str] = TOKEN, timeout: float = 60.0, attempts: int = 2) -> GrafanaError:
    """The error of asking for a dashboard."""
    with (
        Connection(access(url, environment, timeout_seconds=timeout)) as connection,
        stamina.set_testing(True, attempts=attempts),
        pytest.raises(GrafanaError) as caught,
    ):
        Grafana(connection).dashboard("x")
    assert EDITOR not in str(caught.value) + repr(caught.value)
    assert caught.value.remedy
    return caught.value


def test_the_token_is_sent_and_shown_nowhere(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{EDITOR}\n")
    caplog.set_level(logging.DEBUG)
    with played_grafana() as played:
        for allowed in (access(played.url, {}, token_file=tmp_path / "token"), access(f"{played.url}/", TOKEN)):
            with Connection(allowed) as connection:
                assert Grafana(connection).dashboard("x") is None
                shown = repr(allowed) + repr(connection) + repr(vars(connection)) + str(connection._session.auth)
                assert EDITOR not in shown.replace(repr(connection._token), "")
        assert played.tokens == {EDITOR}
    assert EDITOR not in caplog.text


def test_the_token_of_netrc_is_not_sent_instead(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with played_grafana() as played, Connection(access(played.url, TOKEN)) as connection:
        Grafana(connection).dashboard("x")
        assert played.tokens == {EDITOR}


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("grafana.example.com", "no address"),
        ("ftp://grafana.example.com", "no address"),
        ("https://", "no address"),
        ("https://[::1", "no address"),
        ("https://user:glsa_editor_s3cret@grafana.example.com", "more than an address"),
        ("https://grafana.example.com?verify=false", "more than an address"),
        ("https://grafana.example.com/?token=glsa_editor_s3cret", "more than an address"),
        ("http://grafana.example.com", "unencrypted"),
        ("http://127.0.0.1.example.com", "unencrypted"),
        ("http://10.0.0.1:3000", "unencrypted"),
    ],
)
def test_an_address_that_gives_the_token_away_is_refused(url: str, said: str) -> None:
    with pytest.raises(GrafanaError, match=said) as caught:
        access(url, TOKEN)
    assert EDITOR not in str(caught.value)


def test_addresses_that_will_do() -> None:
    for url in (
        "http://localhost:3000",
        "http://127.0.0.1:3000",
        "http://[::1]:3000",
        "https://a.example.com/grafana/",
    ):
        assert access(url, TOKEN).url == url.rstrip("/")
    assert access("https://a.example.com/grafana/api/", TOKEN).url == "https://a.example.com/grafana"
    assert access("http://a.example.com", TOKEN, insecure_http=True).url == "http://a.example.com"


def test_a_token_that_is_none_is_told(tmp_path: Path) -> None:
    url = "https://a.example.com"
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "words").write_text("two words-s3cret")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for environment, file, said in (
        ({}, None, "there is no token"),
        (TOKEN, tmp_path / "empty", "there is no token"),
        (TOKEN, tmp_path / "missing", "No such file"),
        (TOKEN, tmp_path / "words", "this is no token"),
        (TOKEN, tmp_path / "binary", "can't be read"),
        (TOKEN | {"SLA_KIT_GRAFANA_CA_FILE": "/nowhere.pem"}, None, "no such file"),
    ):
        with pytest.raises(GrafanaError, match=said) as caught:
            access(url, environment, token_file=file)
        assert "s3cret" not in str(caught.value)
        assert caught.value.remedy


def test_below_a_path() -> None:
    with played_grafana("/grafana") as played:
        with Connection(access(played.url, TOKEN)) as connection:
            assert Grafana(connection).dashboard("x") is None
        lost = failure(played.url.removesuffix("/grafana"))
        assert isinstance(lost, RefusedError)
        assert "status 404" in lost.message
        assert "with its path" in lost.remedy


@pytest.mark.parametrize(
    ("fault", "said", "remedy"),
    [
        (Fault("", 401, 9), "status 401", "make a new one"),
        (Fault("", 403, 9), "status 403 (something failed)", "the role Editor"),
        (Fault("", 406, 9), "status 406", "newer form"),
        (Fault("", 404, 9, body="<html>"), "status 404", "without /api"),
        (Fault("", 302, 9, headers={"Location": "/login"}), "sends elsewhere", "without /api"),
        (Fault("", 200, 9, body="<html>login</html>"), "no JSON", "without /api"),
        (Fault("", 200, 9, body="[]"), "not that of Grafana", "without /api"),
        (Fault("", 400, 9, body='{"message": "bad"}'), "status 400 (bad)", "what Grafana says"),
        (Fault("", 500, 9), "status 500 (something failed)", "try again later"),
        (Fault("", 0, 9), "the connection was lost", "check the address"),
        (Fault("", silent=True, times=9), "no answer within 0.3 s", "--timeout"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refusals_say_what_to_do(fault: Fault, said: str, remedy: str) -> None:
    with played_grafana() as played:
        played.faults = [fault]
        told = failure(played.url, timeout=0.3 if fault.silent else 60.0)
    assert said in told.message
    assert remedy in told.remedy
    assert told.place.startswith("http://127.0.0.1")


def test_what_grafana_says_is_shown_without_the_token() -> None:
    with played_grafana() as played:
        played.faults = [Fault("", 400, body=f'{{"message": "the token {EDITOR} is odd"}}')]
        assert "the token *** is odd" in str(failure(played.url))


def test_nobody_there() -> None:
    with refusing_port() as port:
        assert "connection was lost or refused" in str(failure(f"http://127.0.0.1:{port}"))


def test_a_redirect_never_takes_the_token_elsewhere() -> None:
    with played_grafana() as other, played_grafana() as played:
        played.faults = [Fault("", 307, 9, headers={"Location": f"{other.url}/api/dashboards/uid/x"})]
        failure(played.url)
        assert other.requests == []


@pytest.mark.parametrize("as_date", [False, True])
def test_the_server_says_when_to_ask_again(as_date: bool) -> None:
    """Without it the first wait is a quarter of a second, and jitter."""
    with played_grafana() as played, Connection(access(played.url, TOKEN)) as connection:
        begun = time.monotonic()  # before the moment is reckoned: what the machine stands still is waited, too
        played.faults = [Fault("", 429, headers={"Retry-After": later(3) if as_date else "2"})]
        assert Grafana(connection).dashboard("x") is None
        assert time.monotonic() - begun >= 1.9
        assert len(played.requests) == 2


def test_a_wait_that_is_too_long_is_none() -> None:
    with played_grafana() as played:
        played.faults = [Fault("", 503, headers={"Retry-After": "3600"})]
        with Connection(access(played.url, TOKEN)) as connection, pytest.raises(GrafanaError, match="status 503"):
            Grafana(connection).dashboard("x")
        assert len(played.requests) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that no authority knows, with its key."""
    folder = tmp_path_factory.mktemp("certificate")
    command = [
        binary("openssl", "openssl"),
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
    ]
    command += ["-nodes", "-days", "2", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=grafana"]
    subprocess.run([*command, "-addext", "subjectAltName=IP:127.0.0.1"], cwd=folder, check=True, capture_output=True)
    return folder


def test_who_answers_must_be_trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with played_grafana(tls=tls) as played:
        told = failure(played.url)
        assert "no trusted connection" in told.message
        assert "SLA_KIT_GRAFANA_CA_FILE" in told.remedy
        assert played.requests == []
        known = TOKEN | {"SLA_KIT_GRAFANA_CA_FILE": str(certificate / "cert.pem")}
        with Connection(access(played.url, known)) as connection:
            assert Grafana(connection).dashboard("x") is None
