"""A mail server, and a mailbox there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sla_kit.catalogue.model import Contact
from sla_kit.catalogue.routing import EmailSettings
from sla_kit.routing.mail import open_adapter
from tests.routing.mail.incidents import MAILBOX, Box
from tests.servers.mail import MailServer, mail_server

SENDER = "SLA kit <sla@example.org>"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture
def box(server: MailServer) -> Box:
    """A mailbox of the contact ``oncall``."""
    contacts = [Contact(name="oncall", email=MAILBOX.address), Contact(name="head", email="head@example.org")]
    return Box(open_adapter(EmailSettings(host=server.host, sender=SENDER, security="none"), contacts=contacts))
