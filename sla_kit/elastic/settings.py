"""How to reach an Elasticsearch: its address, and secrets from the environment or from files, never shown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit, urlunsplit

from sla_kit.errors import SourceError
from sla_kit.sources.settings import Settings, Variables

PREFIX = "SLA_KIT_ELASTICSEARCH_"
#: What stands before an address where a Prometheus might be meant as well.
SCHEME = "elasticsearch+"
_WRITE = "write elasticsearch+https://host:9200, or elasticsearch+cloud://CLOUD_ID"


@dataclass(frozen=True, slots=True)
class ClusterSettings(Settings):
    """What any server's settings are, and what only a cluster has: an API key (as the cluster gives it out, encoded),
    and the SHA-256 of its certificate. What is secret is not in the repr."""

    api_key: str = field(default="", repr=False)
    fingerprint: str = ""

    @classmethod
    def from_environment(
        cls, environment: Mapping[str, str], server: str = "", tenant: str = "", prefix: str = PREFIX
    ) -> ClusterSettings:
        """The settings that ``SLA_KIT_ELASTICSEARCH_API_KEY`` (or ``_API_KEY_FILE``) and ``_FINGERPRINT`` make, beside
        the variables that a Prometheus has as well. Of a ``server`` that a catalogue names only variables with its name
        in them count, such as ``SLA_KIT_ELASTICSEARCH_EU_API_KEY``.

        Raises `SourceError` for a file that can't be read and for settings that contradict one another.
        """
        variables = Variables.of(environment, prefix, server)
        key, fingerprint = variables.secret("API_KEY"), variables.text("FINGERPRINT")
        settings = cls.read(variables, tenant, api_key=key, fingerprint=fingerprint)
        if key and (settings.token or settings.username):
            other = "TOKEN" if settings.token else "USERNAME"
            raise variables.wrong("an API key is set as well", other, "unset one of the two")
        if fingerprint and not re.fullmatch("[0-9a-fA-F]{64}", fingerprint.replace(":", "")):
            remedy = "write its SHA-256 in 64 hex digits, with or without colons"
            raise variables.wrong("this is no fingerprint of a certificate", "FINGERPRINT", remedy)
        return settings

    def secrets(self) -> tuple[str, ...]:
        """What must appear in no message."""
        # Not by super(): dataclasses with slots are made anew, and it would look for the class that was.
        return (*Settings.secrets(self), *((self.api_key,) if self.api_key else ()))


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
