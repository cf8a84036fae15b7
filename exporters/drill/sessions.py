"""Sessions at a PostgreSQL that go where their address says, and nowhere else.

libpq fills in from the environment what an address leaves out, and `PGHOSTADDR` or a service file even lead a session
elsewhere than the host that is named. For drills the environment has no say in where and as whom; a password and
certificates may come from there.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sla_kit.exporters.drill.errors import DrillError, NotBegunError

if TYPE_CHECKING:
    from psycopg import Connection

_DEFAULT_PORT = "5432"
#: Of libpq's variables, those that prove who somebody is, and don't say where.
_PROOFS = ("PGPASSWORD", "PGPASSFILE", "PGSSL", "PGGSS", "PGKRB")


def connect(parameters: Mapping[str, str], **more: Any) -> Connection[Any]:
    """A session in autocommit. Raises `DrillError`, without what could hold a password."""
    import psycopg

    try:
        with _without_directions():
            return psycopg.connect(**{**parameters, **more}, autocommit=True, connect_timeout=10)
    except psycopg.Error as error:
        host = f"{parameters.get('host', 'localhost')}:{parameters.get('port', _DEFAULT_PORT)}"
        raise DrillError(f"no connection to the server: {said_by(error)}", place=host) from None


def said_by(error: Exception) -> str:
    """What PostgreSQL said, in a line; messages of libpq and of the server hold no passwords."""
    diagnosed = getattr(error, "diag", None)
    primary = getattr(diagnosed, "message_primary", None)
    lines = str(primary or error).strip().splitlines()
    return lines[0].strip().removeprefix("connection failed: ")[:300] if lines else type(error).__name__


def spelled(url: str) -> dict[str, str]:
    """An address of PostgreSQL as libpq understands it. Raises `NotBegunError` where it is none."""
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return {name: str(value) for name, value in conninfo_to_dict(url).items() if value is not None}
    except ProgrammingError:  # the message would repeat the address
        raise NotBegunError("this is no address of PostgreSQL", remedy="postgresql://user@host:port/database") from None


def one_server(url: str) -> dict[str, str]:
    """What libpq is to be told to reach the one server at an address. Raises `NotBegunError` where that is none, or
    could stand for several: what is proved of one of them would say nothing of the next."""
    said = spelled(url)
    place = f"{said.get('host', 'localhost')}"
    if any("," in said.get(name, "") for name in ("host", "hostaddr", "port")):
        raise NotBegunError("the address names several servers", place=place, remedy="name the one that is meant")
    if "service" in said:
        raise NotBegunError("the address leaves it to a service file where it leads", remedy="name the host itself")
    if "hostaddr" in said and "host" in said:
        raise NotBegunError("the address names a server twice, by host and hostaddr", place=place, remedy="name one")
    return said


def addresses(url: str) -> list[tuple[str, str]]:
    """The hosts and ports of an address of PostgreSQL, as libpq understands it."""
    said = spelled(url)
    hosts = [each for name in ("host", "hostaddr") for each in said.get(name, "").split(",") if name in said]
    ports = said.get("port", _DEFAULT_PORT).split(",")
    hosts = hosts or ["localhost"]
    ports = ports * len(hosts) if len(ports) == 1 else ports + ports  # hostaddr's are in the order of host's
    return [(host or "localhost", port or _DEFAULT_PORT) for host, port in zip(hosts, ports, strict=False)]


@contextmanager
def _without_directions() -> Iterator[None]:
    """Hides libpq's variables that say where a session leads or how it begins, while it is opened."""
    hidden = {name: value for name, value in os.environ.items() if name.startswith("PG") and _directs(name)}
    for name in hidden:
        del os.environ[name]
    try:
        yield
    finally:
        os.environ.update(hidden)


def _directs(name: str) -> bool:
    return not name.startswith(_PROOFS)
