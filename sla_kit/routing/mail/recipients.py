"""Who gets a mail: the mailboxes of one contact, separated by commas, as the envelope and the header need them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.utils import getaddresses

from sla_kit.routing.mail.cleaning import header, one_line

_LOCAL = re.compile(r"[^\s@<>()\[\]:;,\\\"\x00-\x1f\x7f]{1,64}")
_DOMAIN = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f.:IPv]{3,60}\]")


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One mailbox: ``address`` is what the envelope says, with its domain in ASCII, ``name`` a person's, or empty."""

    address: str
    name: str = ""

    @property
    def ascii(self) -> bool:
        """Whether every server can take it; others need SMTPUTF8 (RFC 6531)."""
        return self.address.isascii()

    @property
    def domain(self) -> str:
        """What stands after the @."""
        return self.address.rpartition("@")[2]

    @property
    def in_header(self) -> Address:
        """The mailbox as the email package writes it."""
        local, _, domain = self.address.rpartition("@")
        return Address(self.name, local, domain)


def mailboxes(text: str) -> list[Mailbox]:
    """The mailboxes that a text names, each once. Raises ``ValueError``, which quotes what is none."""
    found: dict[str, Mailbox] = {}
    if any(not character.isprintable() for character in text):
        raise ValueError("it holds control characters")
    for name, address in getaddresses([text]):
        if not name and not address:
            continue
        box = _mailbox(name, address)
        found.setdefault(box.address, box)
    if not found:
        raise ValueError("it names no mailbox")
    return list(found.values())


def _mailbox(name: str, address: str) -> Mailbox:
    local, _, domain = address.rpartition("@")
    try:
        domain = domain if domain.isascii() else domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if not _LOCAL.fullmatch(local) or not _DOMAIN.fullmatch(domain) or ".." in domain or local.strip(".") != local:
        raise ValueError(f"{one_line(address or name, 80)!r} is no mailbox")
    return Mailbox(f"{local}@{domain}", header(name, 80))
