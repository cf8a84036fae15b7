"""Scratch databases: on a PostgreSQL that is started for it alone, or on a given one that is marked; always new, under
a name by chance, owned by a role that can do nothing outside of it, and dropped afterwards."""

from __future__ import annotations

import logging
import os
import pwd
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sla_kit.exporters.drill.configuration import Restore, Scratch
from sla_kit.exporters.drill.errors import DrillError, NotBegunError
from sla_kit.exporters.drill.marker import mark, refuse_sources, require_marker
from sla_kit.exporters.drill.programs import Account, find_postgresql, minimal_environment, start, stop, tail
from sla_kit.exporters.drill.remains import clean_databases, mark_kept
from sla_kit.exporters.drill.sessions import connect, one_server, said_by

if TYPE_CHECKING:
    from psycopg import Connection

_log = logging.getLogger(__name__)
#: What databases and roles of drills are called; nothing else is ever dropped.
PREFIX = "sla_kit_drill_"
_OWNER = "sla_kit_scratch"
_START_SECONDS = 120.0
#: What a Unix socket's path may have (sun_path, with the zero at its end).
_SOCKET_BYTES = 107
_SOCKET_NAME = "/.s.PGSQL.5432"
_FATAL = re.compile(r"PANIC: |No space left on device|was terminated by signal")
#: Extensions whose functions lead out of the server.
_REACHING_OUT = ("dblink", "http", "pg_cron", "pg_net", "plproxy")
#: For a session that shows that a drill is running, however long nothing is said in it.
_KEPT_ALIVE = {"keepalives_idle": 60, "keepalives_interval": 20}
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "dynamic_shared_memory_type": "mmap",  # in the folder, so that nothing is left in /dev/shm
    "max_connections": "30",
    "shared_buffers": "64MB",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "archive_mode": "off",
    "logging_collector": "off",
    "max_logical_replication_workers": "0",
    "log_min_messages": "warning",
    "log_statement": "none",
    "synchronous_commit": "off",  # a dump of single INSERTs would time the disk's flushes, not the restore
}


@dataclass(frozen=True, slots=True)
class Server:
    """A server to make scratch databases on: how libpq reaches it as who may do so, and its version."""

    connection: Mapping[str, str] = field(repr=False)
    version: str
    own: bool


@dataclass(frozen=True, slots=True)
class ScratchDatabase:
    """A database of a drill: how libpq reaches it as its owner, who may do nothing elsewhere."""

    name: str
    connection: Mapping[str, str] = field(repr=False)
    server: Server

    def connect(self, **more: Any) -> Connection[Any]:
        """A session of its owner, each statement by itself. Raises `DrillError`."""
        return connect(self.connection, **more)


@contextmanager
def own_server(folder: Path, scratch: Scratch, account: Account | None) -> Iterator[Server]:
    """A PostgreSQL in a folder of its own, reached only through a Unix socket there, and marked as scratch.

    Raises `NotBegunError` where it does not come up.
    """
    data, sockets, log = folder / "data", folder / "s", folder / "postgresql.log"
    if len(str(sockets).encode()) + len(_SOCKET_NAME) > _SOCKET_BYTES:
        remedy = "name one with a shorter path as scratch: {folder: …}"
        raise NotBegunError("the scratch folder's path is too long for a Unix socket", place=str(folder), remedy=remedy)
    _require_name(account)
    sockets.mkdir(mode=0o700)
    _give(sockets, account)
    initdb, postgres = (find_postgresql(name, scratch.programs) for name in ("initdb", "postgres"))
    with log.open("wb") as output:
        command = [initdb, "-D", str(data), "-U", _OWNER, "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]
        made = start(command, account=account, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=folder)
        try:
            code = made.wait()
        finally:
            stop(made)
    if code:
        raise NotBegunError(f"initdb failed: {tail(log.read_bytes())[-500:]}", place=str(folder))
    settings = {**_SETTINGS, **scratch.settings, "unix_socket_directories": str(sockets)}
    lines = [f"{name} = '{value.replace(chr(39), chr(39) * 2)}'\n" for name, value in settings.items()]
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(lines)
    (data / "pg_hba.conf").write_text("local all all trust\n")
    with log.open("ab") as output:
        process = start(
            [postgres, "-D", str(data)],
            account=account,
            death=signal.SIGQUIT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=folder,
        )
    try:
        parameters = {"host": str(sockets), "port": "5432", "user": _OWNER, "dbname": "postgres"}
        _wait(process, parameters, log)
        with connect(parameters) as connection:
            _require_folder(connection, data)
            mark(connection)
            version = connection.info.parameter_status("server_version") or ""
        yield Server(parameters, version.split(" ")[0], own=True)
    except DrillError as error:
        fatal = _fatal(log)
        if not fatal:
            raise
        message = f"{error.message}; the scratch server's log says: {fatal}"
        raise DrillError(message, place=error.place, remedy=error.remedy, step=error.step) from None
    finally:
        stop(process, signal.SIGINT, 20.0)


@contextmanager
def given_server(scratch: Scratch, sources: Sequence[str]) -> Iterator[Server]:
    """The given server, if it is marked as scratch and none of the sources. Raises `NotBegunError`."""
    parameters = one_server(scratch.url)
    if scratch.password is not None:
        parameters["password"] = scratch.password.read()
    try:
        with connect(parameters) as connection:

            def guard() -> None:
                refuse_sources(connection, sources)
                require_marker(connection)

            guard()
            for name in clean_databases(connection, PREFIX, guard):
                _log.warning("took away the database %s, which a drill that was killed had left", name)
            version = connection.info.parameter_status("server_version") or ""
    except DrillError as error:
        raise NotBegunError(error.message, place=error.place, remedy="check scratch: {url, password}") from None
    yield Server(parameters, version.split(" ")[0], own=False)


@contextmanager
def scratch_database(
    server: Server, restore: Restore, sources: Sequence[str], *, keep: bool = False
) -> Iterator[ScratchDatabase]:
    """A new database and the role that owns it, both dropped when the block ends unless they are kept.

    The role may log in and has its database; it is no superuser, can make neither databases nor roles, reads no files
    and runs no programs. Before each statement that makes or drops something, the mark is looked for in that session.
    """
    name = PREFIX + secrets.token_hex(8)
    password = secrets.token_urlsafe(24)
    made_roles: list[str] = []
    failed = True
    try:
        with connect(server.connection) as connection:
            _make(connection, name, password, restore, sources, made_roles)
        parameters = {**server.connection, "dbname": name, "user": name, "password": password}
        if restore.extensions or server.own:
            with connect({**server.connection, "dbname": name}) as connection:
                _extend(connection, restore, server)
        with connect(parameters, **_KEPT_ALIVE) as holding:
            holding.execute("SELECT pg_catalog.set_config('idle_session_timeout', '0', false)")
            yield ScratchDatabase(name, parameters, server)
        failed = False
    finally:
        if not server.own:  # an own server goes as a whole
            try:
                with connect(server.connection) as connection:
                    if keep:
                        mark_kept(connection, name)
                    else:
                        _drop(connection, name, made_roles, sources)
            except (DrillError, NotBegunError) as error:
                if not failed:
                    raise
                # What went wrong before is why the drill failed, and is told.
                _log.error("the scratch database %s may be left: %s", name, error)


def _make(
    connection: Connection[Any], name: str, password: str, restore: Restore, sources: Sequence[str], made: list[str]
) -> None:
    import psycopg
    from psycopg import sql

    def guarded(statement: sql.Composed) -> None:
        refuse_sources(connection, sources)
        require_marker(connection)
        try:
            connection.execute(statement)
        except psycopg.Error as error:
            remedy = "the drill's user needs CREATEDB and CREATEROLE there"
            raise NotBegunError(f"the scratch database can't be made: {said_by(error)}", remedy=remedy) from None

    role = sql.Identifier(name)
    row = connection.execute("SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user").fetchone()
    superuser = row is not None and bool(row[0])
    # An owner may read all rows of tables but those that force their policies on him.
    powers = "NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION " + ("BYPASSRLS" if superuser else "NOBYPASSRLS")
    guarded(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} {}").format(role, sql.Literal(password), sql.SQL(powers)))
    made.append(name)
    if not superuser:
        guarded(sql.SQL("GRANT {} TO CURRENT_USER").format(role))
    for other in restore.roles:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (other,)).fetchone() is None:
            guarded(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(other)))
            made.append(other)
    guarded(
        sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {}").format(
            role, role, sql.Literal(restore.encoding)
        )
        if restore.encoding.upper() in ("UTF8", "UTF-8")
        else sql.SQL("CREATE DATABASE {} OWNER {} TEMPLATE template0 ENCODING {} LOCALE 'C'").format(
            role, role, sql.Literal(restore.encoding)
        )
    )


def _extend(connection: Connection[Any], restore: Restore, server: Server) -> None:
    """Makes extensions before anything foreign is in the database."""
    import psycopg
    from psycopg import sql

    for extension in restore.extensions:
        require_marker_elsewhere(server)
        try:
            connection.execute(sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(extension)))
        except psycopg.Error as error:
            remedy = "install its package beside the scratch server's PostgreSQL, or correct `extensions`"
            if isinstance(error, psycopg.errors.InsufficientPrivilege):
                remedy = "only a superuser may make it: let the drill's user be one, or give no `url`"
            raise NotBegunError(f"the extension {extension} can't be made: {said_by(error)}", remedy=remedy) from None
    _keep_in(connection)
    if not server.own:
        return
    try:
        connection.execute("CREATE SCHEMA sla_kit_amcheck")
        connection.execute("CREATE EXTENSION amcheck SCHEMA sla_kit_amcheck")
    except psycopg.Error:
        return  # it comes with Debian's postgresql, and with postgresql-contrib elsewhere; a check says it is missing
    owner = sql.Identifier(str(connection.info.dbname))
    connection.execute(sql.SQL("GRANT USAGE ON SCHEMA sla_kit_amcheck TO {}").format(owner))
    connection.execute(sql.SQL("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sla_kit_amcheck TO {}").format(owner))


def _keep_in(connection: Connection[Any]) -> None:
    """Takes from everybody the functions of extensions that connect elsewhere: a view or trigger of a dump that uses
    them would reach the very servers that are backed up. (A foreign server needs a right that nobody is given.)"""
    from psycopg import sql

    rows = connection.execute(
        "SELECT d.objid::pg_catalog.regprocedure::text FROM pg_catalog.pg_depend d"
        " JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_catalog.pg_extension'::regclass"
        " WHERE d.classid = 'pg_catalog.pg_proc'::regclass AND d.deptype = 'e' AND e.extname = ANY(%s)",
        (list(_REACHING_OUT),),
    ).fetchall()
    for (function,) in rows:  # as the server itself spells and quotes it
        connection.execute(sql.SQL("REVOKE ALL ON ROUTINE {} FROM PUBLIC").format(sql.SQL(function)))


def require_marker_elsewhere(server: Server) -> None:
    """Looks for the mark where it stands, for a session that is in another database of that server."""
    with connect(server.connection) as connection:
        require_marker(connection)


def _drop(connection: Connection[Any], name: str, made_roles: Sequence[str], sources: Sequence[str]) -> None:
    import psycopg
    from psycopg import sql

    if not name.startswith(PREFIX):
        raise NotBegunError(f"{name} is no drill's database and is not dropped")

    def guarded(statement: str, dropped: str) -> None:
        refuse_sources(connection, sources)
        require_marker(connection)
        connection.execute(sql.SQL(statement).format(sql.Identifier(dropped)))

    try:
        with suppress(psycopg.errors.InvalidCatalogName):
            guarded("ALTER DATABASE {} IS_TEMPLATE false", name)  # its owner could have made it one
        guarded("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)
        for role in made_roles:
            # Another drill may use a declared role by now, which then stays.
            with suppress(psycopg.errors.DependentObjectsStillExist):
                guarded("DROP ROLE IF EXISTS {}", role)
    except psycopg.Error as error:
        raise DrillError(f"the scratch database {name} can't be dropped: {said_by(error)}") from None
    except NotBegunError as error:
        left = f"{error.message}; the scratch database {name} is left there"
        raise NotBegunError(left, place=error.place, remedy=error.remedy) from None


def _fatal(log: Path) -> str:
    """What ended a server or one of its processes, where the log tells: a full disk, no memory."""
    said = [line for line in tail(log.read_bytes()).splitlines() if _FATAL.search(line)]
    return said[-1].partition("] ")[2][:300] if said else ""


def _require_name(account: Account | None) -> None:
    """PostgreSQL looks up by name as whom it runs, which containers' users may not have."""
    try:
        pwd.getpwuid(os.geteuid() if account is None else account.uid)
    except KeyError:
        raise NotBegunError(
            f"PostgreSQL can't run as the user {os.geteuid()}, who has no name",
            place="/etc/passwd",
            remedy="add the user there, run as one who is, or give a marked server as scratch: {url: …}",
        ) from None


def _require_folder(connection: Connection[Any], data: Path) -> None:
    """Before a server is marked that nobody has said to be scratch: that it is the one that was started."""
    row = connection.execute("SHOW data_directory").fetchone()
    if row is None or row[0] != str(data):
        raise NotBegunError("another server answers than the one that the drill started", place=str(data))


def _wait(process: subprocess.Popen[bytes], parameters: Mapping[str, str], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            connect(parameters).close()
            return
        except DrillError:
            time.sleep(0.05)  # between two looks, not instead of looking
    raise NotBegunError(
        f"the scratch PostgreSQL does not come up: {tail(log.read_bytes())[-500:]}", place=str(log.parent)
    )


def _give(path: Path, account: Account | None) -> None:
    if account is not None:
        import os

        os.chown(path, account.uid, account.gid)


def environment(database: ScratchDatabase) -> dict[str, str]:
    """What PostgreSQL's own programs need to reach a database: no password stands in their arguments."""
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}
    names |= {"sslmode": "PGSSLMODE", "sslrootcert": "PGSSLROOTCERT", "hostaddr": "PGHOSTADDR"}
    found = {names[name]: value for name, value in database.connection.items() if name in names}
    return minimal_environment(PGCONNECT_TIMEOUT="10", **found)
