"""SQLAlchemy's engine for an outbox's address: one durable SQLite file, or PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import NoSuchModuleError

from sla_kit.database import make_durable, parse_address
from sla_kit.errors import MissingExtraError, OutboxError
from sla_kit.redacting import remember_secret

#: How long one who writes waits for another one.
PATIENCE_SECONDS = 10.0
#: What a session of PostgreSQL is like: an acknowledged commit outlives a crash, and nothing waits for ever. Compiling
#: a query by JIT takes a hundred times as long as running it: by the estimates of a recursive one it would be worth it.
_SESSION = """
SELECT set_config('lock_timeout', '{patience}s', false),
  set_config('idle_in_transaction_session_timeout', '60s', false),
  CASE WHEN current_setting('jit', true) = 'on' THEN set_config('jit', 'off', false) END,
  CASE WHEN current_setting('synchronous_commit') = 'off' THEN set_config('synchronous_commit', 'on', false) END
"""
_LIBPQ = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "application_name": "sla-kit route",
    # Each plan is made for its values: a general one could not use an index on a part of the rows.
    "prepare_threshold": None,
}


def parsed(address: str, password: str = "") -> tuple[URL, Path | None]:
    """The URL of an address, and the path where it is a file. Raises `OutboxError`, which shows no password."""
    url, path = parse_address(address, OutboxError, "an outbox")
    if path is not None:
        return url, path
    if password:
        url = url.set(password=password)
    if url.password:
        remember_secret(str(url.password))
    return url, None


def engine_of(url: URL, path: Path | None) -> Engine:
    """An engine; nothing is connected yet. Raises `MissingExtraError` where PostgreSQL's driver is missing."""
    try:
        if path is None:
            engine = create_engine(
                url, connect_args=dict(_LIBPQ), pool_pre_ping=True, pool_size=5, max_overflow=10, pool_timeout=30
            )
            event.listen(engine, "connect", _prepare_session)
            return engine
        engine = create_engine(
            url,
            connect_args={"timeout": PATIENCE_SECONDS, "check_same_thread": False},
            pool_size=5,
            max_overflow=20,
            pool_timeout=30,
        )
    except ModuleNotFoundError as error:
        raise MissingExtraError("an outbox in PostgreSQL", error.name or "psycopg", "router") from error
    except NoSuchModuleError as error:
        raise OutboxError(f"no driver: {error}", remedy="pip install 'sla-kit[router]'") from error
    make_durable(engine, PATIENCE_SECONDS, cache_kib=32_768)
    return engine


def _prepare_session(connection: Any, _: object) -> None:
    connection.autocommit = True
    connection.execute(_SESSION.format(patience=int(PATIENCE_SECONDS) or 1))
    connection.autocommit = False
