"""How to reach a Prometheus: secrets and certificates from the environment or from files, read once and never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from sla_kit.errors import SourceError

_PREFIX = "SLA_KIT_PROMETHEUS_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Authentication, certificates and the time-out (seconds without an answer). What is secret is not in the repr."""

    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    client_cert: str = ""
    client_key: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout_seconds: float = 120.0

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], server: str = "", tenant: str = "", prefix: str = _PREFIX
    ) -> Settings:
        """The settings that ``SLA_KIT_PROMETHEUS_TOKEN`` (or ``_TOKEN_FILE``), ``_USERNAME`` and ``_PASSWORD`` (or
        ``_PASSWORD_FILE``), ``_CA_FILE``, ``_CLIENT_CERT`` and ``_CLIENT_KEY``, ``_HEADERS`` (``name=value``,
        separated by commas; a comma in a value is ``%2C``) and ``_TIMEOUT`` (seconds) make.

        Of a ``server`` that a catalogue names only variables with its name in them count, such as
        ``SLA_KIT_PROMETHEUS_EU_WEST_TOKEN``: no server is sent what is meant for another. Its ``tenant`` is sent as
        X-Scope-OrgID. Of another kind of server the variables' ``prefix`` is another.

        Raises `SourceError` for a file that can't be read and for settings that contradict one another.
        """
        return cls.read(Variables.of(environment, prefix, server), tenant)

    @classmethod
    def read(cls, variables: Variables, tenant: str = "", **own: str) -> Self:
        """The settings of variables, with those that only this kind of server has. Raises `SourceError`."""
        headers = variables.headers("HEADERS")
        settings = cls(
            token=variables.secret("TOKEN"),
            username=variables.text("USERNAME"),
            password=variables.secret("PASSWORD"),
            ca_file=variables.file("CA_FILE"),
            client_cert=variables.file("CLIENT_CERT"),
            client_key=variables.file("CLIENT_KEY"),
            headers=(*headers, ("X-Scope-OrgID", tenant)) if tenant else headers,
            timeout_seconds=variables.seconds("TIMEOUT"),
            **own,
        )
        if settings.token and settings.username:
            raise variables.wrong("both a token and a user name are set", "USERNAME", "unset one of the two")
        if settings.password and not settings.username:
            remedy = f"set {variables.prefix}USERNAME too"
            raise variables.wrong("a password is set without a user name", "PASSWORD", remedy)
        if settings.client_key and not settings.client_cert:
            remedy = f"set {variables.prefix}CLIENT_CERT too"
            raise variables.wrong("a client's key is set without its certificate", "CLIENT_KEY", remedy)
        return settings

    def secrets(self) -> tuple[str, ...]:
        """What must appear in no message."""
        return tuple(text for text in (self.token, self.password, *(value for _, value in self.headers)) if text)


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart: ``url`` and ``parameters`` to ask, ``name`` to show, the user and password it held."""

    url: str
    name: str
    username: str = ""
    password: str = field(default="", repr=False)
    parameters: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    loopback: bool = False

    @classmethod
    def parse(cls, address: str) -> Address:
        """Parses ``https://user:password@host:9090/prefix?dedup=true``. Raises `SourceError` for what is no address;
        the message repeats none of it, since it may hold a password."""
        try:
            parts = urlsplit(address.strip())
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise SourceError("this is no address", remedy="write http://host:9090") from error
        if parts.scheme not in ("http", "https") or not host:
            raise SourceError("this is no address of a Prometheus", remedy="write http://host:9090")
        path = parts.path.rstrip("/").removesuffix("/api/v1")
        url = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], path, "", ""))
        return cls(
            url=url,
            name=url,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            parameters=tuple(parse_qsl(parts.query)),
            loopback=host in ("localhost", "::1") or host.startswith("127."),
        )


@dataclass(frozen=True, slots=True)
class Variables:
    """The environment's variables that begin with ``prefix``, by the rest of their name."""

    environment: Mapping[str, str] = field(repr=False)
    prefix: str

    @classmethod
    def of(cls, environment: Mapping[str, str], prefix: str, server: str = "") -> Variables:
        """Those of a kind of server, and of one ``server`` of them where a catalogue names several."""
        return cls(environment, prefix + (re.sub(r"[^A-Z0-9]", "_", server.upper()) + "_" if server else ""))

    def wrong(self, message: str, name: str, remedy: str) -> SourceError:
        return SourceError(message, place=self.prefix + name, remedy=remedy)

    def text(self, name: str) -> str:
        return self.environment.get(self.prefix + name, "")

    def secret(self, name: str) -> str:
        """A secret that stands in a variable, or in a file that ``…_FILE`` names (as Kubernetes mounts them)."""
        text, path = self.text(name), self.text(name + "_FILE")
        if text and path:
            raise self.wrong(f"{self.prefix}{name}_FILE is set as well", name, "unset one of the two")
        if not path:
            return text.strip()
        try:
            found = Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a text file"
            remedy = "check the path and its permissions"
            raise self.wrong(f"can't read {path}: {reason}", f"{name}_FILE", remedy) from None
        if not found:
            raise self.wrong(f"{path} is empty", f"{name}_FILE", "write the secret into it")
        return found

    def file(self, name: str) -> str:
        path = self.text(name)
        if path and not Path(path).is_file():
            raise self.wrong(f"no such file: {path}", name, "check the path")
        return path

    def headers(self, name: str) -> tuple[tuple[str, str], ...]:
        found = []
        for part in self.text(name).replace("\n", ",").split(","):
            if not part.strip():
                continue
            header, equals, value = part.partition("=")
            if not equals or not header.strip():
                raise self.wrong("a header is not written name=value", name, "write X-Scope-OrgID=team-a")
            found.append((header.strip(), unquote(value.strip())))
        return tuple(found)

    def seconds(self, name: str) -> float:
        text = self.text(name)
        if not text:
            return 120.0
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < 86400:
            raise self.wrong("the time-out is no number of seconds", name, "write 30") from None
        return seconds
