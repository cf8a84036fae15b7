"""All that a router is told, read and found good: its catalogue, its secrets, its web configuration."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import msgspec

from sla_kit.catalogue import Catalogue, load
from sla_kit.catalogue.routing import Routing
from sla_kit.configuration.secrets import Secret, read_any
from sla_kit.errors import CatalogueError, ConfigurationError, SecretError, SlaKitError
from sla_kit.serving.addresses import Address, parse_address
from sla_kit.serving.logs import Log
from sla_kit.serving.web_config import WebConfig, read_web_config

DEFAULT_LISTEN = "127.0.0.1:9099"
#: How long tokens are known before their files are looked at again.
_KNOWN_SECONDS = 1.0
_CATALOGUE_SUFFIXES = (".yml", ".yaml", ".ics")


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; empty where it says nothing, and then the catalogue counts."""

    catalogue: Path
    environment: str | None = None
    listen: str = ""
    outbox: str = ""
    web_config: str = ""
    log_format: str = ""
    log_level: str = ""

    @property
    def log(self) -> Log:
        """How it logs."""
        told = Log()
        return Log(
            format=cast(Literal["logfmt", "json"], self.log_format) if self.log_format else told.format,
            level=cast(Literal["info"], self.log_level) if self.log_level else told.level,
        )


@dataclass(frozen=True, slots=True)
class State:
    """A router's state as its files make it; ``files`` are those."""

    catalogue: Catalogue
    web: WebConfig
    address: Address
    outbox: str
    files: tuple[Path, ...]
    #: What is not as it should be, and keeps no router from running.
    warnings: tuple[str, ...] = ()

    @property
    def routing(self) -> Routing:
        """What the catalogue says of the router."""
        return self.catalogue.routing

    @property
    def outbox_password(self) -> str:
        """Raises `SecretError`."""
        secret = self.routing.outbox_password
        return secret.read() if secret is not None else ""


def read_state(asked: Asked) -> State:
    """Reads everything. Raises `ConfigurationError` with the mistakes of all files that could be found, and
    `SlaKitError` for what is wrong with the command line, for secrets without which nothing can be taken, and where
    others could send whatever they like."""
    named = Path(asked.web_config) if asked.web_config else None
    try:
        catalogue = load(asked.catalogue, asked.environment)
    except CatalogueError as error:
        raise _with_mistakes_of(named, error) from None
    routing = catalogue.routing
    if named is None and routing.web_config:
        named = Path(routing.web_config)
    web = read_web_config(named) if named else WebConfig()
    try:
        address = parse_address(asked.listen or routing.listen or DEFAULT_LISTEN)
    except ValueError as error:
        raise SlaKitError(f"--listen {asked.listen!r} {error}", remedy="such as 127.0.0.1:9099 or :9099") from None
    for needed in (*routing.tokens, routing.outbox_password):
        if needed is not None:
            needed.read()
    check_access(address, web, routing)
    secrets = [Path(secret.file) for secret in secrets_of(routing) if secret.file]
    files = dict.fromkeys([*catalogue_files(asked.catalogue), *web.files, *secrets])
    return State(catalogue, web, address, asked.outbox or routing.outbox, tuple(files), _unreadable(routing))


def check_access(address: Address, web: WebConfig, routing: Routing) -> None:
    """Raises `SlaKitError` where others reach the address, and nobody has to show who they are."""
    if not address.loopback and not (web.users or routing.tokens or web.client_certificates == "required"):
        raise SlaKitError(
            f"anybody who reaches {address} could page people: nobody has to show who they are",
            remedy="routing.tokens: [{file: PATH}], or basic_auth_users or RequireAndVerifyClientCert in a web_config; "
            f"or listen on {DEFAULT_LISTEN}",
        )


def catalogue_files(path: Path) -> list[Path]:
    """The files that a catalogue may be made of: itself, or those in its folder, with calendars beside it."""
    if not path.is_dir():
        return [path, *sorted(path.parent.glob("*.ics"))]
    try:
        return sorted(file for file in path.rglob("*") if file.suffix in _CATALOGUE_SUFFIXES)
    except OSError:
        return []


def secrets_of(part: object) -> Iterator[Secret]:
    """All secrets that a part of a configuration names."""
    if isinstance(part, Secret):
        yield part
    elif isinstance(part, msgspec.Struct):
        for name in part.__struct_fields__:
            yield from secrets_of(getattr(part, name))
    elif isinstance(part, dict):
        for value in part.values():
            yield from secrets_of(value)
    elif isinstance(part, list):
        for value in part:
            yield from secrets_of(value)


class Tokens:
    """The bearer tokens of those who may send, as their files hold them: one may be replaced while the router runs."""

    def __init__(self, secrets: list[Secret]) -> None:
        self._secrets = secrets
        self._read_at = -_KNOWN_SECONDS
        self._known: tuple[str, ...] = ()

    def __call__(self) -> tuple[str, ...]:
        """Those that can be read. Raises `SecretError` where none can be."""
        now = time.monotonic()
        if self._secrets and now - self._read_at >= _KNOWN_SECONDS:
            self._known = tuple(read_any(self._secrets))
            self._read_at = now
        return self._known


def _unreadable(routing: Routing) -> tuple[str, ...]:
    """What is said of secrets that can't be read: one destination that lacks its own must not silence the others."""
    wrong: dict[str, None] = {}
    for secret in secrets_of(routing):
        try:
            secret.read()
        except SecretError as error:
            wrong[f"{error.place}: {error.message}" if error.place else error.message] = None
    return tuple(wrong)


def _with_mistakes_of(web_config: Path | None, error: CatalogueError) -> ConfigurationError:
    if web_config is not None:
        try:
            read_web_config(web_config)
        except ConfigurationError as more:
            return ConfigurationError([*error.mistakes, *more.mistakes])
    return error
