"""The web-config file: what exporter-toolkit's documentation allows is read, anything else is told with its line."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sla_kit.errors import ConfigurationError
from sla_kit.serving.web_config import WebConfig, read_web_config
from tests.exporters.sidecar.sidecars import Certificates, authority

HASH = "$2b$04$CWjI2BIhz.9YgU2BZythhOK5wDUmhUEdOBNQCJQzjPeiQ8E7BKUAW"
DEAR = HASH.replace("$04", "$31")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = authority(tmp_path_factory.mktemp("ca"))
    made.sign("server")
    made.sign("other")
    return made


def read(folder: Path, text: str) -> WebConfig:
    file = folder / "web.yml"
    file.write_text(text)
    return read_web_config(file)


def mistakes(folder: Path, text: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(folder, text)
    return [str(each).removeprefix(f"{folder}/") for each in caught.value.mistakes]


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "basic_auth_users:\n", "tls_server_config:\nhttp_server_config:\n"]
)
def test_a_file_that_asks_for_nothing_gives_nothing(tmp_path: Path, text: str) -> None:
    found = read(tmp_path, text)
    assert found.tls is None
    assert found.users == ()
    assert found.files == (tmp_path / "web.yml",)


def test_everything_at_once(ca: Certificates) -> None:
    found = read(
        ca.folder,
        f"""
tls_server_config:
  cert_file: server.crt
  key_file: {ca.folder / "server.key"}
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: ca.crt
  min_version: TLS12
  max_version: TLS12
  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_AES_128_GCM_SHA256]
  prefer_server_cipher_suites: false
http_server_config:
  http2: true
  headers:
    Strict-Transport-Security: max-age=1
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
basic_auth_users: {{alice: {HASH}, bob: {HASH.replace("$2b", "$2y")}}}
""",
    )
    assert found.tls is not None
    assert found.tls.verify_mode == ssl.CERT_REQUIRED
    assert found.tls.maximum_version == ssl.TLSVersion.TLSv1_2
    assert not found.tls.options & ssl.OP_CIPHER_SERVER_PREFERENCE
    suites = {each["name"] for each in found.tls.get_ciphers() if each["protocol"] == "TLSv1.2"}
    assert suites == {"ECDHE-ECDSA-AES128-GCM-SHA256"}
    assert found.client_certificates == "required"
    assert [name for name, _ in found.users] == ["alice", "bob"]
    assert dict(found.headers)["X-Frame-Options"] == "deny"
    assert set(found.files) == {ca.folder / name for name in ("web.yml", "server.crt", "server.key", "ca.crt")}
    assert HASH not in repr(found)


def test_the_defaults_are_safe(ca: Certificates) -> None:
    found = read(ca.folder, "tls_server_config: {cert_file: server.crt, key_file: server.key}")
    assert found.tls is not None
    assert found.tls.minimum_version == ssl.TLSVersion.TLSv1_2
    assert found.tls.verify_mode == ssl.CERT_NONE
    assert found.tls.options & ssl.OP_CIPHER_SERVER_PREFERENCE


def _tls(more: str, pair: str | None = "cert_file: server.crt, key_file: server.key") -> str:
    return f"tls_server_config: {{{', '.join(each for each in (pair, more) if each)}}}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("- a\n", ["web.yml:1:1: a web configuration is a mapping"]),
        ("basic_auth_user: {}\n", ["web.yml:1:1: unknown key basic_auth_user (did you mean basic_auth_users?)"]),
        ("rate_limit: {interval: 1s}\n", ["web.yml:1:1: rate_limit is not supported"]),
        ("\n\nbasic_auth_users: alice\n", ["web.yml:3:19: basic_auth_users must be a mapping"]),
        ("basic_auth_users:\n  a: plain\n", ["web.yml:2:6: the password of 'a' is no bcrypt hash"]),
        (f"basic_auth_users: {{a: {DEAR}}}\n", ["web.yml:1:23: the hash of 'a' has a cost of 31"]),
        ("http_server_config: {headers: {Server: x}}\n", ["web.yml:1:40: the header Server can't be set"]),
        ("http_server_config: {headers: {X-Frame-Options: allow}}\n", ["X-Frame-Options can't be 'allow'"]),
        (
            'http_server_config: {headers: {X-XSS-Protection: "1\\r\\nX: y"}}\n',
            ["has characters that no header may have"],
        ),
        (_tls("", None), ["has no cert_file", "has no key_file"]),
        (
            _tls("cert: x, client_allowed_sans: [a]", None),
            ["cert is not", "client_allowed_sans is not", "no cert_file", "no key_file"],
        ),
        (_tls("cert_file: none.crt, key_file: none.key", None), ["none.crt no such file", "none.key no such file"]),
        (
            _tls("cert_file: server.crt, key_file: other.key", None),
            ["other.key is not the key of the certificate server.crt"],
        ),
        (_tls("cert_file: server.crt, key_file: server.crt", None), ["server.crt holds no private key"]),
        (_tls("cert_file: junk, key_file: server.key", None), ["junk and its key can't be used"]),
        (_tls("cert_file: server.crt, key_file: encrypted.key", None), ["encrypted.key is encrypted"]),
        (_tls("client_auth_type: RequireAnyClientCert"), ["RequireAnyClientCert is not supported"]),
        (_tls("client_auth_type: Verify"), ["unknown client_auth_type 'Verify'"]),
        (_tls("client_auth_type: VerifyClientCertIfGiven"), ["VerifyClientCertIfGiven needs client_ca_file"]),
        (_tls("client_ca_file: ca.crt"), ["nobody is asked for a certificate"]),
        (_tls("client_ca_file: junk, client_auth_type: VerifyClientCertIfGiven"), ["junk holds no certificate"]),
        (_tls("min_version: TLS10, max_version: SSL3"), ["TLS10 is not supported", "unknown max_version 'SSL3'"]),
        (_tls("min_version: TLS13, max_version: TLS12"), ["is lower than min_version"]),
        (_tls("cipher_suites: [TLS_RSA_WITH_RC4_128_SHA]"), ["unknown or unsafe cipher suite"]),
        (_tls("cipher_suites: [TLS_AES_128_GCM_SHA256]"), ["has none of TLS 1.2"]),
    ],
)
def test_each_mistake_is_told_with_its_line(ca: Certificates, text: str, expected: list[str]) -> None:
    (ca.folder / "junk").write_text("junk")
    (ca.folder / "encrypted.key").write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    found = mistakes(ca.folder, text)
    assert len(found) == len(expected), found
    for words in expected:
        assert any(words in mistake for mistake in found), (words, found)
    assert all(mistake.startswith("web.yml:") for mistake in found)


def test_a_password_in_plain_text_is_refused_and_never_repeated(tmp_path: Path) -> None:
    for text in (
        "basic_auth_users: {a: hunter2-plain}",
        "basic_auth_users: a:hunter2-plain",
        "basic_auth_users: [hunter2-plain]",
    ):
        [found] = mistakes(tmp_path, text)
        assert "hunter2" not in found


def test_all_mistakes_come_at_once(tmp_path: Path) -> None:
    text = "tls_server_config: {min_version: TLS9}\nbasic_auth_users: {a: x, b: y}\nnothing: 1\n"
    assert len(mistakes(tmp_path, text)) == 6


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        read_web_config(tmp_path / "none.yml")
