"""A local mail server (aiosmtpd): real SMTP with STARTTLS, TLS and users, which keeps what it took and fails at will.

    with mail_server() as mail:                                     # plain; starttls=CONTEXT or tls=CONTEXT encrypts
        settings = EmailSettings(host=mail.host, sender="sla@example.org", security="none")
        mail.fail("recipient", "450 4.2.1 busy")                    # the next RCPT gets this answer
        mail.fail("accepted", CLOSE)                                # the next mail is accepted, and its answer lost
        ...
        [one] = mail.accepted
        one.sender, one.recipients, one.message["Subject"], one.text, one.html

Stages are ``connect``, ``hello``, ``starttls``, ``login``, ``sender``, ``recipient``, ``data`` (the command), ``mail``
(its text has come, and it is not accepted) and ``accepted``. Each fault is used up by the next command of its stage, in
their order; its answer is a line of SMTP, or ``CLOSE``, or ``HANG``, which lets nobody go until the server stops.
``refusing`` answers RCPT for an address always.
"""

from __future__ import annotations

import asyncio
import email
import email.policy
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from typing import Any, Literal, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

Stage = Literal["connect", "hello", "starttls", "login", "sender", "recipient", "data", "mail", "accepted"]
CLOSE, HANG = "close", "hang"


@dataclass(frozen=True, slots=True)
class Accepted:
    """A mail that the server took: between whom, and its bytes as they came. ``user`` is who logged in."""

    sender: str
    recipients: tuple[str, ...]
    body: bytes
    encrypted: bool
    user: str = ""

    @property
    def message(self) -> EmailMessage:
        """The mail, read."""
        return email.message_from_bytes(self.body, policy=email.policy.default)

    @property
    def text(self) -> str:
        """Its plain text."""
        return self._part("plain")

    @property
    def html(self) -> str:
        """Its HTML."""
        return self._part("html")

    @property
    def files(self) -> dict[str, bytes]:
        """What is attached to it, by name."""
        return {
            part.get_filename() or "": cast(bytes, part.get_payload(decode=True))
            for part in self.message.iter_attachments()
        }

    def _part(self, kind: Literal["plain", "html"]) -> str:
        part = self.message.get_body((kind,))
        assert part is not None, f"the mail has no {kind} part"
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass(slots=True)
class MailServer:
    """A running server, what it accepted, and what is to go wrong with it."""

    port: int = 0
    accepted: list[Accepted] = field(default_factory=list)
    connections: int = 0
    refusing: dict[str, str] = field(default_factory=dict)
    _faults: deque[tuple[Stage, str]] = field(default_factory=deque)

    @property
    def host(self) -> str:
        """As settings name it."""
        return f"localhost:{self.port}"

    def fail(self, stage: Stage, answer: str) -> None:
        """The next command of that stage is answered so."""
        self._faults.append((stage, answer))

    def forget_faults(self) -> None:
        """What was to go wrong and has not yet goes well."""
        self._faults.clear()

    def fault(self, stage: Stage) -> str:
        """The answer that is due for a stage, which is used up; empty where there is none."""
        for index, (at, answer) in enumerate(self._faults):
            if at == stage:
                del self._faults[index]
                return answer
        return ""


@contextmanager
def mail_server(
    *,
    starttls: ssl.SSLContext | None = None,
    tls: ssl.SSLContext | None = None,
    users: Mapping[str, str] | None = None,
    size_limit: int | None = None,
    utf8: bool = True,
) -> Iterator[MailServer]:
    """A mail server on a loopback port. ``starttls`` is offered and required, ``tls`` spoken from the first byte; with
    ``users`` (name to password) a login is required."""
    server = MailServer()
    loop = asyncio.new_event_loop()

    def protocol() -> SMTP:
        return _Protocol(server, loop, starttls, users, size_limit, utf8)

    async def listen() -> asyncio.Server:
        return await loop.create_server(protocol, "127.0.0.1", 0, ssl=tls)

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listening = asyncio.run_coroutine_threadsafe(listen(), loop).result(60)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:

        async def end() -> None:
            listening.close()
            tasks = [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

        asyncio.run_coroutine_threadsafe(end(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


class _Handler:
    def __init__(self, server: MailServer) -> None:
        self._server = server

    async def handle_RCPT(  # noqa: N802  # aiosmtpd calls it so
        self, smtp: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if answer := self._server.refusing.get(address, ""):
            return answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, smtp: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        if answer := self._server.fault("mail"):
            return await cast(_Protocol, smtp).answered(answer)
        assert isinstance(envelope.content, bytes)
        assert smtp.transport is not None
        encrypted = session.ssl is not None or smtp.transport.get_extra_info("sslcontext") is not None
        login = session.auth_data
        user = login.login.decode() if isinstance(login, LoginPassword) else ""
        taken = Accepted(envelope.mail_from or "", tuple(envelope.rcpt_tos), envelope.content, encrypted, user)
        self._server.accepted.append(taken)
        if answer := self._server.fault("accepted"):
            return await cast(_Protocol, smtp).answered(answer)
        return "250 2.0.0 accepted"


class _Protocol(SMTP):
    """aiosmtpd's server, whose commands may fail."""

    def __init__(
        self,
        server: MailServer,
        loop: asyncio.AbstractEventLoop,
        starttls: ssl.SSLContext | None,
        users: Mapping[str, str] | None,
        size_limit: int | None,
        utf8: bool,
    ) -> None:
        def known(smtp: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
            assert isinstance(data, LoginPassword)
            right = (users or {}).get(data.login.decode()) == data.password.decode()
            return AuthResult(success=right, handled=False, auth_data=data)

        super().__init__(
            _Handler(server),
            data_size_limit=size_limit,
            enable_SMTPUTF8=utf8,
            hostname="mail.test",
            tls_context=starttls,
            require_starttls=starttls is not None,
            auth_required=users is not None,
            auth_require_tls=starttls is not None,
            authenticator=known if users is not None else None,
            loop=loop,
        )
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._server.connections += 1
        answer = self._server.fault("connect")
        if answer == CLOSE:
            cast(asyncio.Transport, transport).abort()
        elif answer and answer != HANG:
            cast(asyncio.Transport, transport).write(f"{answer}\r\n".encode())
            cast(asyncio.Transport, transport).close()
        elif not answer:
            super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.session is not None:  # one that was turned away had none
            super().connection_lost(error)

    async def answered(self, answer: str) -> str:
        """The line to answer with, unless nothing is to come any more."""
        if answer == CLOSE:
            cast(asyncio.Transport, self.transport).abort()
            return "421 closed"
        if answer == HANG:
            await asyncio.Event().wait()
        return answer

    async def _or(self, stage: Stage, usual: Any, argument: Any) -> None:
        if answer := self._server.fault(stage):
            said = await self.answered(answer)
            if answer != CLOSE:
                await self.push(said)
            return
        await usual(argument)

    async def smtp_EHLO(self, hostname: str) -> None:  # noqa: N802
        await self._or("hello", super().smtp_EHLO, hostname)

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        await self._or("starttls", super().smtp_STARTTLS, arg)

    async def smtp_AUTH(self, arg: str) -> None:  # noqa: N802
        await self._or("login", super().smtp_AUTH, arg)

    async def smtp_MAIL(self, arg: str | None) -> None:  # noqa: N802
        await self._or("sender", super().smtp_MAIL, arg)

    async def smtp_RCPT(self, arg: str | None) -> None:  # noqa: N802
        await self._or("recipient", super().smtp_RCPT, arg)

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802
        await self._or("data", super().smtp_DATA, arg)
