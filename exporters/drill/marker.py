"""What marks a server as scratch, and the proof of it right before anything is made or dropped there.

The mark is a setting of one database, which nothing but a deliberate act sets, and holds the server's own identifier:
a copy of it that a dump has carried elsewhere marks nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sla_kit.exporters.drill.errors import NotBegunError
from sla_kit.exporters.drill.sessions import addresses

if TYPE_CHECKING:
    from psycopg import Connection

SETTING = "sla_kit.scratch"
_READ = (
    "SELECT (SELECT system_identifier::text FROM pg_catalog.pg_control_system()),"
    " (SELECT entry FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) entry"
    " WHERE setrole = 0 AND setdatabase = (SELECT oid FROM pg_catalog.pg_database"
    " WHERE datname = pg_catalog.current_database()) AND pg_catalog.starts_with(entry, 'sla_kit.scratch=')),"
    " pg_catalog.pg_backend_pid()"
)
#: Stands for every address of this machine.
_HERE = "this machine"
#: Databases that nobody keeps anything of their own in.
_EMPTY = ("postgres", "template0", "template1")


def require_marker(connection: Connection[Any]) -> None:
    """Raises `NotBegunError` unless the server of this very session is marked as scratch."""
    row = connection.execute(_READ).fetchone()
    if row is not None and row[2] != connection.info.backend_pid:
        raise NotBegunError(
            "a connection pooler answers for the server: which one a statement will reach can't be told",
            place=place_of(connection),
            remedy="give the address of the server itself",
        )
    if row is None or row[1] != f"{SETTING}={_marker(row[0])}":
        carried = row is not None and row[1] is not None
        raise NotBegunError(
            "the server has a mark of scratch that was made for another server"
            if carried
            else "the server is not marked as scratch: nothing is restored into it",
            place=place_of(connection),
            remedy="if nothing on it is needed: sla-kit drill mark-scratch URL",
        )


def others(connection: Connection[Any]) -> list[str]:
    """The databases on a server beside those that every server has."""
    rows = connection.execute("SELECT datname FROM pg_catalog.pg_database ORDER BY datname").fetchall()
    return [row[0] for row in rows if row[0] not in _EMPTY]


def mark(connection: Connection[Any]) -> None:
    """Marks the server of a session as scratch, in the database that the session is in."""
    from psycopg import sql

    row = connection.execute("SELECT system_identifier::text, current_database() FROM pg_control_system()").fetchone()
    assert row is not None
    statement = sql.SQL("ALTER DATABASE {} SET {} = {}").format(
        sql.Identifier(row[1]), sql.Identifier(*SETTING.split(".")), sql.Literal(_marker(row[0]))
    )
    connection.execute(statement)


def unmark(connection: Connection[Any]) -> None:
    """Takes the mark away."""
    from psycopg import sql

    row = connection.execute("SELECT current_database()").fetchone()
    assert row is not None
    statement = sql.SQL("ALTER DATABASE {} RESET {}").format(
        sql.Identifier(row[0]), sql.Identifier(*SETTING.split("."))
    )
    connection.execute(statement)


def refuse_sources(connection: Connection[Any], sources: Sequence[str]) -> None:
    """Raises `NotBegunError` where the server of a session is one of those that backups are made of."""
    mine = _endpoints(connection.info.host or "localhost", str(connection.info.port))
    row = connection.execute(
        "SELECT pg_catalog.host(pg_catalog.inet_server_addr()), pg_catalog.inet_server_port()::text"
    ).fetchone()
    if row is not None and row[0] is not None:
        mine |= {(_place(row[0]), row[1])}
    for source in sources:
        for host, port in addresses(source):
            if mine & _endpoints(host, port):
                raise NotBegunError(
                    f"the server is one of `sources` ({host}:{port}): nothing is ever restored into that",
                    place=place_of(connection),
                    remedy="give a scratch server of its own, or none, so that the drill starts one",
                )


def place_of(connection: Connection[Any]) -> str:
    """A session's server and database, without secrets."""
    return f"{connection.info.host or 'localhost'}:{connection.info.port}/{connection.info.dbname}"


def _marker(identifier: str) -> str:
    return f"scratch server {identifier}"


def _endpoints(host: str, port: str) -> set[tuple[str, str]]:
    """All pairs of address and port that a host stands for. Whatever is this machine (a Unix socket, the loopback, an
    address of one of its interfaces) is one and the same, since a server may listen on all of them."""
    if host.startswith(("/", "@")):
        return {(host.rstrip("/"), port), (_HERE, port)}
    found = {host.lower()}
    with suppress(OSError):  # who can't be found by name can't be restored into either
        found |= {str(entry[4][0]) for entry in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)}
    return {(_place(address), port) for address in found}


def _place(address: str) -> str:
    """An address in one spelling, or `_HERE` where it is this machine's."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    with socket.socket(socket.AF_INET if parsed.version == 4 else socket.AF_INET6, socket.SOCK_DGRAM) as trial:
        try:
            trial.bind((str(parsed), 0))  # none but this machine's own can be
        except OSError:
            return str(parsed)
    return _HERE
