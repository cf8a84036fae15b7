"""Encryption, trust and passwords, against a server that has them."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import pytest

from sla_kit.catalogue.routing import EmailSettings
from sla_kit.configuration.secrets import Secret
from sla_kit.errors import SlaKitError
from sla_kit.routing.delivering import DeliveryError
from sla_kit.routing.mail import open_adapter
from tests.exporters.sidecar.sidecars import Certificates, authority
from tests.routing.mail.incidents import Box, incident
from tests.servers.mail import mail_server

pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH")  # the test's server says so of itself
PASSWORD = "correct-horse-battery"


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def encrypted(ca: Certificates) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*ca.sign("mail"))
    return context


@pytest.fixture
def password(tmp_path: Path) -> Secret:
    (tmp_path / "password").write_text(f"{PASSWORD}\n")
    return Secret(file=str(tmp_path / "password"))


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_mail_travels_encrypted_to_a_server_that_is_trusted(
    ca: Certificates, encrypted: ssl.SSLContext, password: Secret, security: str
) -> None:
    kind = {security: encrypted}
    with mail_server(users={"sla": PASSWORD}, starttls=kind.get("starttls"), tls=kind.get("tls")) as server:
        settings = EmailSettings(
            host=server.host,
            sender="sla@example.org",
            user="sla",
            password=password,
            security=security,  # type: ignore[arg-type]
            ca_file=str(ca.authority),
        )
        Box(open_adapter(settings)).deliver(incident())
        [one] = server.accepted
        assert one.encrypted
        assert one.user == "sla"


@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_server_that_is_not_trusted_gets_neither_password_nor_mail(
    encrypted: ssl.SSLContext, password: Secret, security: str
) -> None:
    kind = {security: encrypted}
    with mail_server(users={"sla": PASSWORD}, starttls=kind.get("starttls"), tls=kind.get("tls")) as server:
        settings = EmailSettings(
            host=server.host,
            sender="sla@example.org",
            user="sla",
            password=password,
            security=security,  # type: ignore[arg-type]
        )
        with pytest.raises(DeliveryError, match="no trusted connection") as caught:
            Box(open_adapter(settings)).deliver(incident())
        assert caught.value.unreachable
        assert "ca_file" in caught.value.remedy
        assert server.accepted == []


def test_a_server_without_starttls_gets_nothing() -> None:
    with mail_server() as server:
        adapter = open_adapter(EmailSettings(host=server.host, sender="sla@example.org"))
        with pytest.raises(DeliveryError, match="offers no STARTTLS") as caught:
            Box(adapter).deliver(incident())
        assert caught.value.unreachable
        assert server.accepted == []


@pytest.mark.parametrize("answer", ["", f"535 5.7.8 wrong password {PASSWORD}", "454 4.7.0 try again"])
def test_a_refused_login_says_what_to_do_and_never_the_password(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, answer: str
) -> None:
    caplog.set_level(logging.DEBUG)
    (tmp_path / "password").write_text(PASSWORD)
    with mail_server(users={"sla": "another"}) as server:
        secret = Secret(file=str(tmp_path / "password"))
        settings = EmailSettings(
            host=server.host, sender="sla@example.org", user="sla", password=secret, security="none"
        )
        if answer:
            for _ in range(2):  # by one mechanism, and by the other
                server.fail("login", answer)
        with pytest.raises(DeliveryError, match="refuses user and password") as caught:
            Box(open_adapter(settings)).deliver(incident())
        assert caught.value.permanent is not answer.startswith("4")
        assert "password" in caught.value.remedy
        chain = f"{caught.value} {caught.value.__cause__!r}"
        assert PASSWORD not in chain
        logged = [record.getMessage() for record in caplog.records if record.name != "mail.log"]  # the server's own
        assert not any(PASSWORD in message for message in logged)
        assert server.accepted == []


def test_a_password_is_read_when_it_is_needed(password: Secret, tmp_path: Path) -> None:
    with mail_server(users={"sla": "second"}) as server:
        settings = EmailSettings(
            host=server.host, sender="sla@example.org", user="sla", password=password, security="none"
        )
        adapter = open_adapter(settings)
        (tmp_path / "password").unlink()
        with pytest.raises(DeliveryError, match="a secret can't be read") as caught:
            Box(adapter).deliver(incident())
        assert not caught.value.permanent
        (tmp_path / "password").write_text("second")
        Box(adapter).deliver(incident())
        assert len(server.accepted) == 1


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (EmailSettings(sender="a@b.org"), "no mail server"),
        (EmailSettings(host="mail:abc", sender="a@b.org"), "port"),
        (EmailSettings(host="mail", sender=""), "sender"),
        (EmailSettings(host="mail", sender="a@b.org, c@d.org"), "sender"),
        (EmailSettings(host="mail", sender="a@b.org\r\nBcc: c@d.org"), "sender"),
        (EmailSettings(host="mail", sender="a@b.org", user="u"), "password"),
        (EmailSettings(host="mail.example", sender="a@b.org", user="u", password=Secret(env="P"), security="none"),
         "unencrypted"),
    ],
)  # fmt: skip
def test_settings_that_cannot_serve_are_refused_at_once(settings: EmailSettings, words: str) -> None:
    with pytest.raises(SlaKitError, match=words):
        open_adapter(settings)
