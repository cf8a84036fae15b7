"""All that an exporter is told, read and found good: its configuration, its web configuration, where it listens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from sla_kit.errors import ConfigurationError, Mistake, SlaKitError
from sla_kit.exporters.sidecar.exporter import Exporter, Loaded
from sla_kit.serving.addresses import Address, parse_address
from sla_kit.serving.logs import Log
from sla_kit.serving.web_config import WebConfig, read_web_config


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says; empty where it says nothing, and then the configuration counts."""

    config: Path
    listen: str = ""
    web_config: str = ""
    log_format: str = ""
    log_level: str = ""

    @property
    def log(self) -> dict[str, str]:
        """What it says of the log."""
        told = {"format": self.log_format, "level": self.log_level}
        return {key: value for key, value in told.items() if value}


@dataclass(frozen=True, slots=True)
class State:
    """An exporter's state as its files make it; ``files`` are those."""

    loaded: Loaded
    web: WebConfig
    address: Address
    log: Log
    files: tuple[Path, ...]


def read_state(exporter: Exporter, asked: Asked, before: State | None = None) -> State:
    """Reads everything. Raises `ConfigurationError` with the mistakes of all files that could be found, and
    `SlaKitError` for what is wrong with the command line."""
    named = Path(asked.web_config) if asked.web_config else None
    try:
        loaded = exporter.load(asked.config, before=before.loaded if before else None)
    except ConfigurationError as error:
        raise ConfigurationError([*error.mistakes, *_mistakes(named)]) from None
    configuration = loaded.configuration
    if named is None and configuration.web_config:
        named = asked.config.parent / configuration.web_config
    web = read_web_config(named) if named else WebConfig()
    try:
        address = parse_address(asked.listen or configuration.listen or f"127.0.0.1:{exporter.port}")
    except ValueError as error:
        raise SlaKitError(f"--listen {asked.listen!r} {error}", remedy="such as 127.0.0.1:9117 or :9117") from None
    log = msgspec.structs.replace(configuration.log, **asked.log)
    return State(loaded, web, address, log, (asked.config, *web.files, *loaded.watched))


def _mistakes(web_config: Path | None) -> tuple[Mistake, ...]:
    if web_config is None:
        return ()
    try:
        read_web_config(web_config)
    except ConfigurationError as error:
        return error.mistakes
    return ()
