"""Scratch databases that a killed drill has left on a given server.

A drill has a session in its database for as long as it runs, and PostgreSQL drops no database that somebody is in: what
can be dropped without force is nobody's any more.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from psycopg import Connection

_REMAINS = (
    "SELECT d.datname FROM pg_catalog.pg_database d WHERE d.datname ~ %s"
    " AND pg_catalog.pg_get_userbyid(d.datdba) = d.datname"
    " AND pg_catalog.shobj_description(d.oid, 'pg_database') IS DISTINCT FROM %s"
    " AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid) ORDER BY 1"
)
#: The comment of a database that people want to look at.
KEPT = "kept by sla-kit drill --keep-scratch"


def clean_databases(connection: Connection[Any], prefix: str, guard: Callable[[], None]) -> list[str]:
    """Drops the databases of drills that were killed, and their roles; returns their names. ``guard`` is called before
    each, and raises where nothing may be dropped."""
    import psycopg
    from psycopg import sql

    cleaned = []
    for (name,) in connection.execute(_REMAINS, (f"^{prefix}[0-9a-f]{{16}}$", KEPT)).fetchall():
        try:
            guard()
            connection.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
            guard()
            connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
            guard()
            connection.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(name)))
        except psycopg.Error:
            continue  # somebody is in it now, or it is another user's: no reason to drill nothing
        cleaned.append(name)
    return cleaned


def mark_kept(connection: Connection[Any], name: str) -> None:
    """Says of a database that no later drill is to take it away."""
    from psycopg import sql

    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(sql.Identifier(name), sql.Literal(KEPT)))
