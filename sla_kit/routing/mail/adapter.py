"""The adapter of mailboxes: the mail that is due, to everybody of a contact, with a memory of who got it.

Mail can't exclude a second copy: where a connection is lost after the mail was handed over, or the process dies before
it is written down that the server took it, the same mail is sent again. It has the same Message-ID, by which many
servers and clients drop the second one.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sla_kit.catalogue.model import Contact
from sla_kit.catalogue.routing import EmailSettings
from sla_kit.errors import SlaKitError
from sla_kit.routing.delivering import Adapter, DeliveryError, Parcel, Remember
from sla_kit.routing.events import Change, File, Notice
from sla_kit.routing.incident import Incident
from sla_kit.routing.mail.cleaning import one_line
from sla_kit.routing.mail.composing import LIMIT_BYTES, Enclosed, Envelope, compose, fitting, message_id
from sla_kit.routing.mail.incidents import letter_about
from sla_kit.routing.mail.letters import Letter
from sla_kit.routing.mail.notices import letter_of_change, letter_of_notice
from sla_kit.routing.mail.recipients import Mailbox, mailboxes
from sla_kit.routing.mail.sending import PATIENCE_SECONDS, MailServer, TooLargeError
from sla_kit.routing.mail.steps import STATE, next_step, state
from sla_kit.routing.times import zone_of

#: Keys of what is remembered: the thread's first Message-ID and subject, which mail is being sent, who refused mail.
FIRST, SUBJECT, SENDING, REFUSED = "first", "subject", "sending", "refused"
_ONCE = "once"
_GRAPH_BYTES = 4 * 1024 * 1024
_log = logging.getLogger(__name__)


def open_adapter(settings: EmailSettings, *, contacts: Sequence[Contact] = (), timezone: str = "UTC") -> Adapter:
    """The adapter for destinations ``email:…``. ``contacts`` are the catalogue's, by whose names escalations are known
    to be to a mailbox; times are told in ``timezone``. Raises `SlaKitError` where the settings can't be used."""
    try:
        [sender] = mailboxes(settings.sender)
    except ValueError as error:
        raise SlaKitError(
            "the sender must be one mailbox" + (f": {error}" if settings.sender else ""),
            place="routing.email.sender",
            remedy="such as sla-kit@example.com, an address that the mail server may send for",
        ) from None
    return _Mail(MailServer(settings), sender, contacts, timezone)


@dataclass(frozen=True, slots=True)
class _Due:
    """A mail that is due: its letter, its step's name, what to remember once it is sent, whether others may follow."""

    letter: Letter
    name: str
    state: str
    last: bool


class _Mail:
    def __init__(self, server: MailServer, sender: Mailbox, contacts: Sequence[Contact], timezone: str) -> None:
        self._server = server
        self._sender = sender
        self._readers: dict[str, set[str]] = {}
        for contact in contacts:
            self._readers.setdefault(contact.email, set()).add(contact.name)
        self._zone = zone_of(timezone)

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Sends the mail that is due, if any."""
        due = self._due(parcel)
        if due is None:
            return
        try:
            boxes = mailboxes(parcel.destination.address)
        except ValueError as error:
            raise DeliveryError(
                f"the contact's address can't be used: {error}",
                permanent=True,
                place="contacts, email",
                remedy="write a@example.com, or several with commas between them",
            ) from None
        memory = _Memory(parcel.references, remember)
        own = message_id(parcel.key, due.name, self._sender.domain)
        first = memory.get(FIRST)
        subject = memory.get(SUBJECT) or due.letter.subject
        envelope = Envelope(self._sender, boxes, own, subject, first if first != own else "")
        memory.keep({FIRST: first or own, SUBJECT: subject, SENDING: due.name})
        self._send(due, envelope, parcel, memory)

    def close(self) -> None:
        """Nothing is held between two mails."""

    def _due(self, parcel: Parcel) -> _Due | None:
        content = parcel.content
        if isinstance(content, Incident):
            names = self._readers.get(parcel.destination.address, set())
            step = next_step(content, parcel.told, parcel.references, names)
            if step is None:
                return None
            refused = tuple(
                f"This mail could not be delivered to {line}" for line in _lines(parcel.references.get(REFUSED, ""))
            )
            letter = letter_about(content, step, self._zone, refused)
            return _Due(letter, step.name, state(content), last=content.status == "resolved")
        if parcel.references.get(STATE):
            return None
        if isinstance(content, Notice):
            return _Due(letter_of_notice(content), _ONCE, _ONCE, last=True)
        if isinstance(content, Change):
            return _Due(letter_of_change(content, self._zone), _ONCE, _ONCE, last=True)
        raise DeliveryError(
            f"a mailbox can't be told {type(content).__name__}", permanent=True, place=str(parcel.destination)
        )

    def _send(self, due: _Due, envelope: Envelope, parcel: Parcel, memory: _Memory) -> None:
        got = _lines(memory.get(f"to {due.name}"))
        missing = [box.address for box in envelope.to if box.address not in got]
        enclosed = [Enclosed(file, _content(parcel, file)) for file in due.letter.files]
        try:
            began = time.monotonic()
            mail = _mail(due.letter, envelope, enclosed, _graph(parcel, due.letter))
            outcome = self._server.send(self._sender.address, missing, mail, utf8=envelope.utf8)
        except TooLargeError as error:
            mail = _mail(due.letter, envelope, enclosed, b"", limit_bytes=max(0, error.limit_bytes - 200_000))
            left = PATIENCE_SECONDS - (time.monotonic() - began)
            outcome = self._server.send(self._sender.address, missing, mail, utf8=envelope.utf8, patience_seconds=left)
        got += outcome.accepted
        failed = outcome.passing | outcome.refused
        told = "; ".join(f"{address} ({said})" for address, said in failed.items())
        kept = {f"to {due.name}": "\n".join(got), REFUSED: "\n".join(f"{who}: {why}" for who, why in failed.items())}
        if outcome.passing or (outcome.refused and (due.last or not got)):
            memory.keep(kept)
            raise DeliveryError(
                f"not delivered to {told}",
                permanent=not outcome.passing,
                place=self._server.name,
                remedy="see what the server says of these addresses; the others have got it"
                if got
                else "see what the server says of the address",
            )
        if outcome.refused:
            _log.error("mail was not delivered to %s; others of the same contact got it", told)
        memory.keep({**kept, STATE: due.state, SENDING: ""})


class _Memory:
    """What is remembered of one delivery; the whole of it is told each time."""

    def __init__(self, references: Mapping[str, str], remember: Remember) -> None:
        self._kept = dict(references)
        self._remember = remember

    def get(self, name: str) -> str:
        return self._kept.get(name, "")

    def keep(self, more: Mapping[str, str]) -> None:
        changed = self._kept | dict(more)
        if changed != self._kept:
            self._remember(changed)
            self._kept = changed


def _mail(
    letter: Letter, envelope: Envelope, files: Sequence[Enclosed], graph: bytes, limit_bytes: int = LIMIT_BYTES
) -> bytes:
    """The mail with as many of its files as fit, and the names of the others."""
    here = [each for each in files if each.body or not each.file.size_bytes]
    gone = [each.file for each in files if not (each.body or not each.file.size_bytes)]
    taken, large = fitting(here, limit_bytes)
    notes = [f"Not enclosed, since it is too large for a mail: {_named(file)}" for file in large]
    notes += [f"Not enclosed, since it is no longer kept: {_named(file)}" for file in gone]
    return compose(replace(letter, notes=(*letter.notes, *notes)), envelope, taken, graph)


def _named(file: File) -> str:
    return f"{one_line(file.name)} ({file.size_bytes / 1e6:.1f} MB)"


def _content(parcel: Parcel, file: File) -> bytes:
    """What is in a file, nothing where it is no longer kept: a report without its file is better than none."""
    try:
        return parcel.read(file.digest)
    except SlaKitError:
        return b""


def _graph(parcel: Parcel, letter: Letter) -> bytes:
    """The picture, where it is there: a mail without it is better than none."""
    if not letter.graph:
        return b""
    try:
        body = parcel.read(letter.graph)
    except SlaKitError:
        return b""
    return body if len(body) <= _GRAPH_BYTES and body.startswith(b"\x89PNG") else b""


def _lines(text: str) -> list[str]:
    return text.split("\n") if text else []
