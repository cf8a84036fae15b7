"""How to reach an Elasticsearch: its address, and secrets from the environment or from files, never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from sla_kit.errors import SourceError
from sla_kit.sources.settings import Variables

PREFIX = "SLA_KIT_ELASTICSEARCH_"
#: What stands before an address where a Prometheus might be meant as well.
SCHEME = "elasticsearch+"
_WRITE = "write elasticsearch+https://host:9200, or elasticsearch+cloud://CLOUD_ID"


@dataclass(frozen=True, slots=True)
class ClusterSettings:
    """Authentication, certificates and the time-out (seconds without an answer). What is secret is not in the repr."""

    api_key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    fingerprint: str = ""
    client_cert: str = ""
    client_key: str = ""
    headers: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    timeout_seconds: float = 120.0

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], server: str = "") -> ClusterSettings:
        """The settings that ``SLA_KIT_ELASTICSEARCH_API_KEY`` (or ``_API_KEY_FILE``), ``_TOKEN``, ``_USERNAME`` and
        ``_PASSWORD`` (each secret also as ``_FILE``), ``_CA_FILE``, ``_FINGERPRINT`` (SHA-256 of the server's
        certificate), ``_CLIENT_CERT``, ``_CLIENT_KEY``, ``_HEADERS`` and ``_TIMEOUT`` make. Of a ``server`` that a
        catalogue names only variables with its name in them count, such as ``SLA_KIT_ELASTICSEARCH_EU_API_KEY``.

        Raises `SourceError` for a file that can't be read and for settings that contradict one another.
        """
        read = Variables(environment, PREFIX + (re.sub(r"[^A-Z0-9]", "_", server.upper()) + "_" if server else ""))
        settings = cls(
            api_key=read.secret("API_KEY"),
            token=read.secret("TOKEN"),
            username=read.text("USERNAME"),
            password=read.secret("PASSWORD"),
            ca_file=read.file("CA_FILE"),
            fingerprint=read.text("FINGERPRINT"),
            client_cert=read.file("CLIENT_CERT"),
            client_key=read.file("CLIENT_KEY"),
            headers=read.headers("HEADERS"),
            timeout_seconds=read.seconds("TIMEOUT"),
        )
        ways = [name for name in ("api_key", "token", "username") if getattr(settings, name)]
        if len(ways) > 1:
            raise read.wrong(f"{' and '.join(ways)} are set together", ways[-1].upper(), "leave one of them")
        if settings.fingerprint and not re.fullmatch("[0-9a-fA-F]{64}", settings.fingerprint.replace(":", "")):
            remedy = "write its SHA-256 in 64 hex digits, with or without colons"
            raise read.wrong("this is no fingerprint of a certificate", "FINGERPRINT", remedy)
        if settings.password and not settings.username:
            raise read.wrong("a password is set without a user name", "PASSWORD", f"set {read.prefix}USERNAME too")
        if settings.client_key and not settings.client_cert:
            remedy = f"set {read.prefix}CLIENT_CERT too"
            raise read.wrong("a client's key is set without its certificate", "CLIENT_KEY", remedy)
        return settings

    def secrets(self) -> tuple[str, ...]:
        """What must appear in no message."""
        found = (self.api_key, self.token, self.password, *(value for _, value in self.headers))
        return tuple(text for text in found if text)


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """An address taken apart: ``url`` or ``cloud_id`` to ask, ``name`` to show, the user and password it held."""

    name: str
    url: str = ""
    cloud_id: str = ""
    username: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, address: str) -> ClusterAddress:
        """Parses ``elasticsearch+https://user:password@host:9200/prefix`` (``elasticsearch+`` may be left out) and
        ``elasticsearch+cloud://name:…``. Raises `SourceError`, whose message repeats nothing of the address."""
        text = address.strip().removeprefix(SCHEME)
        if text.startswith("cloud://"):
            cloud = text.removeprefix("cloud://")
            if not cloud:
                raise SourceError("the cloud id is empty", remedy=_WRITE)
            return cls(name=f"{SCHEME}cloud://{cloud.split(':', 1)[0]}", cloud_id=cloud)
        try:
            parts = urlsplit(text)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise SourceError("this is no address of an Elasticsearch", remedy=_WRITE) from error
        if parts.scheme not in ("http", "https") or not host:
            raise SourceError("this is no address of an Elasticsearch", remedy=_WRITE)
        port = port or (443 if parts.scheme == "https" else 80)
        host = f"[{host}]" if ":" in host else host
        url = urlunsplit((parts.scheme, f"{host}:{port}", parts.path.rstrip("/"), "", ""))
        return cls(name=url, url=url, username=unquote(parts.username or ""), password=unquote(parts.password or ""))
