"""Asking AWS, or what speaks as it does, through a process of its own that ends when it is no longer asked.

botocore's models of S3 and RDS take more memory than the rest of a sidecar, and can't be given back; and a thread that
waits for a network can't be ended. So a child (`aws_child`) holds them: it is started with the first question of a
collection, killed at the deadline, and ends by itself a few seconds after the last one. Questions, answers and secrets
go through its pipes, never through its command line.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import check_address, check_secret
from sla_kit.exporters.backup.configuration import Credentials
from sla_kit.exporters.sidecar.collector import CollectError, Kind, read_secret

#: Before each message: its length in bytes, most significant first.
LENGTH_BYTES = 4
_READ_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Aws:
    """How AWS, or a store that speaks as S3 does, is reached.

    Without credentials, boto3's own chain finds some: its environment variables, shared files and profiles, a web
    identity's role (as pods on EKS have it), the container's or the instance's role. ``endpoint`` is that of a store
    other than Amazon's, ``path_style`` for those whose buckets are no names of hosts.
    """

    region: str
    endpoint: str = ""
    credentials: Credentials | None = None
    ca_file: str = ""
    path_style: bool = False


def check_endpoint(endpoint: str, findings: Findings, path: Part) -> None:
    """Says what is wrong with the address of a store; ``path`` is the part that has it."""
    if not endpoint:
        return
    check_address(endpoint, findings, path)
    if not endpoint.startswith(("http://", "https://")):
        findings.say(path, "must begin with https:// or http://", "such as https://minio.example:9000")


def check_credentials(credentials: Credentials | None, findings: Findings, path: Part) -> None:
    """Says what is wrong with where credentials are said to be; ``path`` is the part that has them."""
    if credentials is not None:
        for name in ("access_key", "secret_key", "session_token"):
            check_secret(getattr(credentials, name), findings, (*path, name))


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """The first message to the child: how AWS is reached, with secrets as they are, and how long one call may wait."""

    region: str = ""
    endpoint: str = ""
    ca_file: str = ""
    path_style: bool = False
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    wait_seconds: float = 10.0

    def __repr__(self) -> str:
        return "Opening(…)"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A message to the child: ``what`` is asked (a name in `aws_child.ANSWERS`), of what, with which parameters."""

    what: str
    given: dict[str, Any]


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """A message from the child: a part of the answer, or, with ``last``, its end; or why there is none."""

    part: Any = None
    last: bool = False
    kind: Kind | None = None
    message: str = ""
    remedy: str = ""


@dataclass(slots=True, eq=False)
class Child:
    """The process behind a connection: one question at a time, by one thread at a time."""

    aws: Aws
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _buffer: bytearray = field(default_factory=bytearray, repr=False)

    def ask(self, what: str, given: dict[str, Any], deadline: float, place: str) -> Iterator[Any]:
        """The parts of an answer as they come. Raises `CollectError`, also at ``deadline``: then the child is killed.

        It is killed as well where the parts are not all wanted.
        """
        if self.aws.endpoint:
            place = f"{place} at {self.aws.endpoint}"
        question = msgspec.msgpack.encode(Question(what=what, given=given))
        done = False
        try:
            answer = self._first(question, deadline, place)
            while not answer.last:
                yield answer.part
                answer = self._next(deadline, place)
            done = True
        except EOFError:
            said = f"the process that asks AWS ended in the middle of an answer{self._end()}"
            raise CollectError("internal", said, place=place) from None
        finally:
            if not done:
                self.close()
        if answer.kind == "auth":
            self.close()  # the next one reads credentials anew, wherever they come from
        if answer.kind is not None:
            raise CollectError(answer.kind, answer.message, place=place, remedy=answer.remedy)

    def close(self) -> None:
        """Ends the process, if there is one."""
        process, self._process = self._process, None
        self._buffer.clear()
        if process is None:
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue
        process.wait()

    def _first(self, question: bytes, deadline: float, place: str) -> Answer:
        """The first message of an answer. A child that has ended since the last question is followed by another."""
        if self._process is not None:
            try:
                self._send(question)
                return self._next(deadline, place)
            except (BrokenPipeError, EOFError):
                self.close()
        try:
            self._start(deadline, place)
            self._send(question)
            return self._next(deadline, place)
        except (BrokenPipeError, EOFError):
            said = f"the process that asks AWS ended without an answer{self._end()}"
            raise CollectError("internal", said, place=place) from None

    def _end(self) -> str:
        """How a process ended that has closed its output."""
        process = self._process
        with suppress(subprocess.TimeoutExpired):
            if process is not None:
                process.wait(1.0)
        self.close()
        code = None if process is None else process.returncode
        if code is None:
            return ""
        return f" (exit code {code})" if code >= 0 else f" (signal {-code}; 9 may mean that memory ran out)"

    def _start(self, deadline: float, place: str) -> None:
        aws, credentials = self.aws, self.aws.credentials
        token = credentials.session_token if credentials else None
        opening = Opening(
            region=aws.region,
            endpoint=aws.endpoint,
            ca_file=aws.ca_file,
            path_style=aws.path_style,
            access_key=read_secret(credentials.access_key) if credentials else "",
            secret_key=read_secret(credentials.secret_key) if credentials else "",
            session_token=read_secret(token) if token else "",
            wait_seconds=max(1.0, deadline - time.monotonic()),
        )
        try:
            # -P: nothing in the working folder may stand in for a module.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sla_kit.exporters.backup.aws_child"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(credentials),
                bufsize=0,
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise CollectError("internal", f"no process could be started to ask AWS: {reason}", place=place) from None
        self._send(msgspec.msgpack.encode(opening))

    def _send(self, message: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        # Questions are short, and the child reads whenever it does not answer: a write never waits.
        self._process.stdin.write(len(message).to_bytes(LENGTH_BYTES, "big") + message)

    def _next(self, deadline: float, place: str) -> Answer:
        """Raises EOFError where the child has ended."""
        length = int.from_bytes(self._take(LENGTH_BYTES, deadline, place), "big")
        return msgspec.msgpack.decode(self._take(length, deadline, place), type=Answer)

    def _take(self, length: int, deadline: float, place: str) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        while len(self._buffer) < length:
            left = deadline - time.monotonic()
            if left <= 0 or not _readable(pipe, left):
                raise CollectError(
                    "timeout",
                    "did not answer in time",
                    place=place,
                    remedy="set a longer timeout; is the endpoint right, and reached from here?",
                )
            more = os.read(pipe, _READ_BYTES)
            if not more:
                raise EOFError
            self._buffer += more
        taken = bytes(memoryview(self._buffer)[:length])
        del self._buffer[:length]
        return taken


def _environment(credentials: Credentials | None) -> dict[str, str]:
    """The process's own, in which boto3 may find a role, a proxy or certificates, without what goes by the pipe."""
    secrets = (getattr(credentials, name) for name in ("access_key", "secret_key", "session_token"))
    told = {secret.env for secret in secrets if secret is not None} if credentials else set()
    return {name: value for name, value in os.environ.items() if name not in told}


def _readable(pipe: int, seconds: float) -> bool:
    """Whether there is something to read within so many seconds; by poll, which knows no highest descriptor."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN | select.POLLHUP)
    return bool(poll.poll(seconds * 1000))
