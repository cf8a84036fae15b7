"""The making and changing of the outbox's tables, by Alembic: one revision a file under ``versions``."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection


def _config(connection: Connection | None = None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Brings the tables up to date, inside the transaction that the connection is in."""
    command.upgrade(_config(connection), "head")


def known_revisions() -> set[str]:
    """The revisions that this version of sla-kit knows."""
    return {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
