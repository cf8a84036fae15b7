"""One mail to one server by SMTP (RFC 5321): encrypted, verified, in time, and exact about what became of it.

By the commands of smtplib and not by its ``sendmail``, which does not tell whether a connection was lost before a mail
could have been accepted, or after.
"""

from __future__ import annotations

import base64
import re
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from sla_kit.catalogue.routing import EmailSettings
from sla_kit.errors import SecretError, SlaKitError
from sla_kit.redacting import redacted, remember_secret
from sla_kit.routing.delivering import TIMEOUT_SECONDS, DeliveryError
from sla_kit.routing.mail.cleaning import one_line
from sla_kit.routing.mail.reaching import host_of, is_local, own_name, trusting

_STEP_SECONDS = 15.0
#: How long one mail may take, an adapter's time and what is needed beside it considered.
PATIENCE_SECONDS = TIMEOUT_SECONDS - 8.0
_LINE_BEGINS_WITH_DOT = re.compile(rb"(?m)^\.")
_CA_REMEDY = "name the authority of its certificate in routing.email.ca_file, and the host by the name in it"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Who got a mail, and what the server said of the others: of those who may get it later, and of those who never
    will."""

    accepted: list[str] = field(default_factory=list)
    passing: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class TooLargeError(DeliveryError):
    """The server takes no mail of this size; ``limit_bytes`` is the largest that it takes."""

    def __init__(self, limit_bytes: int, place: str) -> None:
        super().__init__(
            f"the server takes no mail larger than {limit_bytes} bytes",
            permanent=True,
            place=place,
            remedy="raise the server's limit, or send smaller files",
        )
        self.limit_bytes = limit_bytes


class MailServer:
    """Sends mails through one server, each by a connection of its own."""

    def __init__(self, settings: EmailSettings) -> None:
        """Raises `SlaKitError` where the settings can't be used."""
        self._settings = settings
        self.host, self._port = host_of(settings)
        self.name = f"smtp://{self.host}:{self._port}"
        secret = settings.password is not None or bool(settings.user)
        if settings.security == "none" and secret and not is_local(self.host):
            raise SlaKitError(
                "the password would be sent unencrypted",
                place="routing.email",
                remedy="set security to starttls or tls",
            )
        if bool(settings.user) != (settings.password is not None):
            raise SlaKitError(
                "a user needs a password, and a password a user", place="routing.email", remedy="give both, or neither"
            )

    def send(
        self,
        sender: str,
        recipients: Sequence[str],
        mail: bytes,
        *,
        utf8: bool = False,
        patience_seconds: float | None = None,
    ) -> Outcome:
        """Hands over one mail. Raises `DeliveryError` where nobody got it because of more than who they are."""
        patience = PATIENCE_SECONDS if patience_seconds is None else patience_seconds
        session = _Session(self.name, time.monotonic() + patience)
        try:
            self._connect(session)
            return _hand_over(session, sender, recipients, mail, utf8)
        except _LOST as error:
            raise session.lost(error) from None
        finally:
            session.close()

    def _connect(self, session: _Session) -> None:
        settings = self._settings
        try:
            context = None if settings.security == "none" else trusting(settings.ca_file)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or type(error).__name__
            raise DeliveryError(
                f"the file of authorities can't be read: {reason}",
                unreachable=True,
                place=settings.ca_file,
                remedy="check routing.email.ca_file",
            ) from None
        try:
            if settings.security == "tls":
                session.smtp = smtplib.SMTP_SSL(
                    self.host, self._port, own_name(), timeout=session.seconds(), context=context
                )
            else:
                session.smtp = smtplib.SMTP(self.host, self._port, own_name(), timeout=session.seconds())
            smtp = session.smtp
            session.step()
            smtp.ehlo_or_helo_if_needed()
            if settings.security == "starttls":
                if not smtp.has_extn("starttls"):
                    raise DeliveryError(
                        "the server offers no STARTTLS",
                        unreachable=True,
                        place=self.name,
                        remedy="use its port for it (often 587), or set security: tls for port 465",
                    )
                session.step()
                smtp.starttls(context=context)
                session.step()
                smtp.ehlo()
        except ssl.SSLCertVerificationError as error:
            said = redacted(one_line(error.verify_message or "the certificate is not valid"))
            raise DeliveryError(
                f"no trusted connection: {said}", unreachable=True, place=self.name, remedy=_CA_REMEDY
            ) from None
        except smtplib.SMTPResponseException as error:
            raise DeliveryError(
                f"the server takes no connection: {_said(error.smtp_code, error.smtp_error)}",
                unreachable=True,
                place=self.name,
                remedy="see the mail server's log; it may know too many connections, or not this machine",
            ) from None
        self._login(session)

    def _login(self, session: _Session) -> None:
        settings = self._settings
        if settings.password is None or session.smtp is None:
            return
        try:
            password = settings.password.read()
        except SecretError as error:
            raise DeliveryError(error.message, unreachable=True, place=error.place, remedy=error.remedy) from None
        for form in (f"\0{settings.user}\0{password}", password):  # as it travels, and as a server may repeat it
            remember_secret(base64.b64encode(form.encode()).decode())
        session.step()
        try:
            session.smtp.login(settings.user, password)
        except smtplib.SMTPAuthenticationError as error:
            raise DeliveryError(
                f"the server refuses user and password: {_said(error.smtp_code, error.smtp_error)}",
                permanent=error.smtp_code >= 500,
                place=self.name,
                remedy="check routing.email.user and the password; hosted mail often wants one made for this purpose",
            ) from None
        except smtplib.SMTPServerDisconnected:
            raise
        except (smtplib.SMTPException, UnicodeError):
            raise DeliveryError(
                "the server offers no way to log in that can be used here",
                permanent=True,
                place=self.name,
                remedy="leave out user and password where it wants none; a password must be in ASCII",
            ) from None


class _Session:
    """A connection, the time that is left, and whether a mail may have arrived already."""

    def __init__(self, name: str, deadline: float) -> None:
        self.name = name
        self.deadline = deadline
        self.smtp: smtplib.SMTP | None = None
        self.sent = False

    def seconds(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(_STEP_SECONDS, left)

    def step(self, *, patient: bool = False) -> None:
        """Before each command: how long its answer may take."""
        seconds = max(self.seconds(), self.deadline - time.monotonic() if patient else 0.0)
        if self.smtp is not None and self.smtp.sock is not None:
            self.smtp.sock.settimeout(seconds)

    def lost(self, error: Exception) -> DeliveryError:
        """What it means that the connection is gone, or never was."""
        if isinstance(error, ssl.SSLError):
            return DeliveryError(
                f"no encrypted connection: {redacted(one_line(error.reason or type(error).__name__))}",
                unreachable=True,
                uncertain=self.sent,
                place=self.name,
                remedy="look whether security is tls (port 465) or starttls (port 587)",
            )
        if self.sent:
            return DeliveryError(
                "the connection was lost before the server said whether it took the mail",
                uncertain=True,
                place=self.name,
                remedy="see the mail server's log; it is sent again with the same Message-ID",
            )
        reason = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
        return DeliveryError(
            f"the mail server can't be reached: {reason}",
            unreachable=True,
            place=self.name,
            remedy="check routing.email.host, and that it can be reached from here",
        )

    def close(self) -> None:
        if self.smtp is None:
            return
        with suppress(Exception):
            if self.smtp.sock is not None:
                self.smtp.sock.settimeout(2.0)
                self.smtp.quit()
        self.smtp.close()


_LOST = (OSError, smtplib.SMTPServerDisconnected)


def _hand_over(session: _Session, sender: str, recipients: Sequence[str], mail: bytes, utf8: bool) -> Outcome:
    smtp = session.smtp
    assert smtp is not None
    if utf8 and not smtp.has_extn("smtputf8"):
        raise DeliveryError(
            "an address is not in ASCII, which the server can't take (it offers no SMTPUTF8)",
            permanent=True,
            place=session.name,
            remedy="use an address in ASCII",
        )
    limit = smtp.esmtp_features.get("size", "")
    if limit.isdigit() and 0 < int(limit) < len(mail):
        raise TooLargeError(int(limit), session.name)
    options = ["SMTPUTF8", "BODY=8BITMIME"] if utf8 else []
    if limit:
        options.append(f"size={len(mail)}")
    session.step()
    _expect(session, "sender", smtp.mail(sender, options))
    outcome = _recipients(session, recipients)
    if outcome.accepted:
        session.step()
        _expect(session, "mail", smtp.docmd("DATA"), wanted=354)
        session.sent = True
        session.step(patient=True)
        ended = mail if mail.endswith(b"\r\n") else mail + b"\r\n"
        smtp.send(_LINE_BEGINS_WITH_DOT.sub(b"..", ended) + b".\r\n")
        reply = smtp.getreply()
        session.sent = False
        _expect(session, "mail", reply)
    return outcome


def _recipients(session: _Session, recipients: Sequence[str]) -> Outcome:
    smtp = session.smtp
    assert smtp is not None
    outcome = Outcome()
    for address in recipients:
        session.step()
        code, said = smtp.rcpt(address)
        if code in (250, 251, 252):
            outcome.accepted.append(address)
        elif code == 421:
            _expect(session, "recipient", (code, said))
        elif code >= 500:
            outcome.refused[address] = _said(code, said)
        else:
            outcome.passing[address] = _said(code, said)
    return outcome


def _expect(session: _Session, what: str, reply: tuple[int, bytes], *, wanted: int = 250) -> None:
    code, said = reply
    if code == wanted or (wanted == 250 and code in (251, 252)):
        return
    if code == -1:
        raise smtplib.SMTPServerDisconnected
    raise DeliveryError(
        f"the server refuses the {what}: {_said(code, said)}",
        permanent=code >= 500,
        unreachable=code == 421,
        place=session.name,
        remedy="see what the server says, and its log"
        + ("; routing.email.sender must be an address that it may send for" if what == "sender" else ""),
    )


def _said(code: int, said: bytes | str) -> str:
    """A server's words, which may repeat what it was told."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else str(said)
    return redacted(one_line(f"{code} {text}", 300))


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPServerDisconnected):
        return "it closed the connection"
    if isinstance(error, socket.gaierror):
        return "there is no such host"
    return one_line(getattr(error, "strerror", "") or type(error).__name__, 100)
