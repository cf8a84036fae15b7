"""What people said of groups of errors, in the ledger: resolved, ignored, open again, whose they are. Appended like
corrections, never changed, each one's digest over the one before."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select

from sla_kit.chaining import proof
from sla_kit.error_tracking.results import ErrorState, Status
from sla_kit.errors import LedgerError
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


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A saying as it is kept: numbered from 1, each ``digest`` over the one before and all of this one's content."""

    number: int
    made_at: str
    content: dict[str, Any]
    digest: str = ""

    def proof(self, before: str) -> str:
        """What its digest must be, given that of the record before ("" for the first)."""
        return proof(before, self.number, self.made_at, self.content)

    def read(self) -> Saying:
        """The saying as a value. Raises `msgspec.ValidationError` where it is none."""
        return msgspec.convert(self.content, Saying)


def append(connection: Connection, saying: Saying, made_at: datetime | None = None) -> Record:
    """Appends a saying; the connection must be in a writer's transaction. Raises `LedgerError` for one that says
    nothing, or of a group that no table can name."""
    _check(saying)
    content = json.loads(msgspec.json.encode(saying))  # as it will be read again
    last = connection.execute(select(table).order_by(table.c.number.desc()).limit(1)).first()
    number, before = (1, "") if last is None else (last.number + 1, last.digest)
    moment = (made_at or datetime.now(UTC)).astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    bare = Record(number=number, made_at=moment, content=content)
    made = msgspec.structs.replace(bare, digest=bare.proof(before))
    connection.execute(
        table.insert().values(
            number=number,
            made_at=moment,
            environment=saying.environment,
            service=saying.service,
            key=saying.key,
            content=json.dumps(content, sort_keys=True, ensure_ascii=False),
            digest=made.digest,
        )
    )
    return made


def sayings(connection: Connection, environment: str = "", *, service: str = "", key: str = "") -> list[Saying]:
    """What was said in an environment, of one service or one group where they are named, in the order in which it was
    written down."""
    query = select(table).where(table.c.environment == environment).order_by(table.c.number)
    if service:
        query = query.where(table.c.service == service)
    if key:
        query = query.where(table.c.key == key)
    return [_record(row).read() for row in connection.execute(query)]


def states(said: Iterable[Saying]) -> dict[tuple[str, str], ErrorState]:
    """How each group stands, by (service, key), after all that was said. A status counts from the moment at which it
    was said, with its release and note; to say whose a group is leaves them."""
    found: dict[tuple[str, str], ErrorState] = {}
    for one in said:
        name = one.service, one.key
        found[name] = _after(found.get(name, ErrorState(*name)), one)
    return found


def records(connection: Connection) -> list[Record]:
    """All records in their order."""
    return [_record(row) for row in connection.execute(select(table).order_by(table.c.number))]


def mismatched(connection: Connection) -> list[int]:
    """The numbers of records that are found by another group than their content says: the digest is over the content
    alone."""
    columns = (table.c.number, table.c.environment, table.c.service, table.c.key, table.c.content)
    found = []
    for number, environment, service, key, text in connection.execute(select(*columns).order_by(table.c.number)):
        content = json.loads(text)
        if tuple(content.get(name) for name in ("environment", "service", "key")) != (environment, service, key):
            found.append(number)
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


def _record(row: Row[tuple[object, ...]]) -> Record:
    return Record(number=row.number, made_at=row.made_at, content=json.loads(row.content), digest=row.digest)
