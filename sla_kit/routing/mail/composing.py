"""A letter as the bytes of a mail (RFC 5322): headers, plain text and HTML, the picture, the files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP, SMTPUTF8
from email.utils import format_datetime
from typing import cast

from sla_kit.routing.events import File
from sla_kit.routing.mail.as_html import GRAPH, html_of
from sla_kit.routing.mail.as_text import text_of
from sla_kit.routing.mail.cleaning import header
from sla_kit.routing.mail.folding import folding
from sla_kit.routing.mail.letters import Letter
from sla_kit.routing.mail.recipients import Mailbox

#: What files may take, as they travel: many servers take mails of 25 MB, and few take larger ones.
LIMIT_BYTES = 20 * 1024 * 1024
#: What travels of a file: base64, four bytes for three, in lines of 76.
_EXPANSION = 4 / 3 * 78 / 76
_HEADERS_BYTES = 4096
_MEDIA_TYPE = re.compile(r"([a-z]+)/([a-z0-9][a-z0-9.+-]*)", re.ASCII)
_PLAIN = re.compile(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Envelope:
    """Between whom a mail goes and where it stands in its thread. ``subject`` is that of the first mail of the thread,
    ``first`` its Message-ID; empty for the first itself."""

    sender: Mailbox
    to: Sequence[Mailbox]
    message_id: str
    subject: str
    first: str = ""

    @property
    def utf8(self) -> bool:
        """Whether only a server with SMTPUTF8 can take it."""
        return not all(box.ascii for box in (self.sender, *self.to))


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file with its content."""

    file: File
    body: bytes


def message_id(key: str, step: str, domain: str) -> str:
    """The same for every attempt at the same mail, so that a second copy can be known as one."""
    return f"<{_token(key)}.{_token(step)}@{domain if _PLAIN.fullmatch(domain) else 'sla-kit.invalid'}>"


def fitting(files: Sequence[Enclosed], limit_bytes: int = LIMIT_BYTES) -> tuple[list[Enclosed], list[File]]:
    """Those that can be sent along, in their order, and those that are only named."""
    taken: list[Enclosed] = []
    named: list[File] = []
    left = float(limit_bytes)
    for each in files:
        size = len(each.body) * _EXPANSION + _HEADERS_BYTES
        if size <= left:
            taken.append(each)
            left -= size
        else:
            named.append(each.file)
    return taken, named


def compose(letter: Letter, envelope: Envelope, files: Sequence[Enclosed] = (), graph: bytes = b"") -> bytes:
    """The mail, with lines that end in CRLF."""
    # Seven bits: what is not ASCII is encoded, so that every server and every scanner on the way can take it.
    policy = folding((SMTPUTF8 if envelope.utf8 else SMTP).clone(cte_type="7bit"))
    mail = EmailMessage(policy)
    _head(mail, letter, envelope)
    shown = replace(letter, files=tuple(each.file for each in files))
    mail.set_content(text_of(shown), cte="quoted-printable")
    mail.add_alternative(html_of(shown, graph_id=_graph_id(envelope) if graph else ""), "html", cte="quoted-printable")
    if graph:
        page = cast(list[MIMEPart], mail.get_payload())[1]
        page.add_related(
            graph, "image", "png", cid=f"<{_graph_id(envelope)}>", disposition="inline", filename="graph.png"
        )
    for each in files:
        kind, subtype = _media_type(each.file.media_type)
        mail.add_attachment(each.body, kind, subtype, filename=header(each.file.name, 120) or "file")
    return mail.as_bytes(policy=policy)


def _head(mail: EmailMessage, letter: Letter, envelope: Envelope) -> None:
    subject = header(envelope.subject)
    mail["From"] = envelope.sender.in_header
    mail["To"] = [box.in_header for box in envelope.to]
    mail["Subject"] = f"Re: {subject}" if envelope.first else subject
    mail["Date"] = format_datetime(datetime.now(UTC))
    mail["Message-ID"] = envelope.message_id
    if envelope.first:
        mail["In-Reply-To"] = envelope.first
        mail["References"] = envelope.first
    # RFC 3834, and its like for Exchange: nobody's absence is told to us.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    for name, value in letter.marks.items():
        if told := header(value):
            mail[f"X-SLA-Kit-{name}"] = told
    if letter.urgent:
        mail["Importance"] = "high"
        mail["X-Priority"] = "1"


def _graph_id(envelope: Envelope) -> str:
    return f"{GRAPH}.{envelope.message_id[1:-1]}"


def _media_type(text: str) -> tuple[str, str]:
    found = _MEDIA_TYPE.fullmatch(text.lower())
    if found is None or found[1] in ("multipart", "message"):
        return "application", "octet-stream"
    return found[1], found[2]


def _token(text: str) -> str:
    """The text where it is fit for a Message-ID, else what stands for it."""
    if _PLAIN.fullmatch(text) and len(text) <= 80:
        return text
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
