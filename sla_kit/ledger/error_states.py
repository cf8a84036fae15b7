"""What people said of groups of errors, in the ledger: resolved, ignored, open again, whose they are. Appended like
corrections, never changed, each one's digest over the one before."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import datetime

import msgspec
from sqlalchemy import Connection, select

from sla_kit.error_tracking.results import ErrorState, Status
from sla_kit.errors import LedgerError
from sla_kit.ledger.records import Record, record_of
from sla_kit.ledger.records import append as append_record
from sla_kit.ledger.tables import error_state as table

#: The longest name of a service, and key of a group, that the tables hold.
LONGEST_SERVICE, LONGEST_KEY = 200, 512


class Saying(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was said of a group: ``status`` and ``owner`` are None where nothing was said of them. ``at`` is
    epoch seconds; the other fields are those of `ErrorState`."""

    environment: str
    service: str
    key: str
    status: Status | None
    owner: str | None
    at: float
    by: str
    release: str
    note: str


def append(connection: Connection, saying: Saying, made_at: datetime | None = None) -> Record:
    """Appends a saying; the connection must be in a writer's transaction. Raises `LedgerError` for one that says
    nothing, or of a group that no table can name."""
    _check(saying)
    return append_record(connection, table, saying, made_at)


def sayings(connection: Connection, environment: str = "", *, service: str = "", key: str = "") -> list[Saying]:
    """What was said in an environment, of one service or one group where they are named, in the order in which it was
    written down."""
    query = select(table).where(table.c.environment == environment).order_by(table.c.number)
    if service:
        query = query.where(table.c.service == service)
    if key:
        query = query.where(table.c.key == key)
    return [msgspec.convert(record_of(row).content, Saying) for row in connection.execute(query)]


def states(said: Iterable[Saying]) -> dict[tuple[str, str], ErrorState]:
    """How each group stands, by (service, key), after all that was said. A status counts from the moment at which it
    was said, with its release and note; to say whose a group is leaves them."""
    found: dict[tuple[str, str], ErrorState] = {}
    for one in said:
        name = one.service, one.key
        found[name] = _after(found.get(name, ErrorState(*name)), one)
    return found


def saying(
    service: str,
    key: str,
    *,
    environment: str = "",
    status: Status | None = None,
    owner: str | None = None,
    release: str = "",
    note: str = "",
    by: str = "",
    at: float | None = None,
) -> Saying:
    """A saying, now where no ``at`` (epoch seconds) is given."""
    return Saying(
        environment=environment,
        service=service,
        key=key,
        status=status,
        owner=owner,
        at=time.time() if at is None else at,
        by=by,
        release=release,
        note=note,
    )


def _after(before: ErrorState, said: Saying) -> ErrorState:
    owner = before.owner if said.owner is None else said.owner
    if said.status is None and before.at:
        return ErrorState(
            before.service, before.key, before.status, owner, before.at, before.by, before.release, before.note
        )
    status = before.status if said.status is None else said.status
    return ErrorState(before.service, before.key, status, owner, said.at, said.by, said.release, said.note)


def _check(said: Saying) -> None:
    if not said.service or not said.key:
        raise LedgerError("a group of errors has a service and a key", remedy="name both")
    if said.status is None and said.owner is None:
        raise LedgerError("nothing is said of the group", place=said.key, remedy="give a status or an owner")
    if len(said.service) > LONGEST_SERVICE or len(said.key) > LONGEST_KEY:
        limits = f"a service has at most {LONGEST_SERVICE} characters, a key {LONGEST_KEY}"
        raise LedgerError("the name of the group is too long", place=said.key[:40], remedy=limits)
    if not math.isfinite(said.at):
        raise LedgerError("the moment at which it was said is no time", place=said.key, remedy="give epoch seconds")
