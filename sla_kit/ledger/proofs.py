"""What a report was made of, kept by the digest of its content: the catalogue, the calendar, and the days of input.

The report holds three digests; what they stand for lies here. Whoever alters the one or the other is found out.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import TypeVar

import msgspec
from sqlalchemy import Connection, select

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Catalogue
from sla_kit.engine.context import Context
from sla_kit.engine.results import Proof
from sla_kit.errors import LedgerError
from sla_kit.ledger.tables import content as table

T = TypeVar("T")

#: Of each indicator, by (service, name): of each day (since 1970) the digest of its buckets.
Inputs = Mapping[tuple[str, str], Mapping[int, bytes]]


class _Calendar(msgspec.Struct):
    """The calendar as it was resolved: no file is needed to read it again."""

    maintenance: list[Interval]
    events: list[Interval]


class _Input(msgspec.Struct, array_like=True):
    """One indicator's days: the first one, and 16 bytes a day from there on (zeros for a day that was not there)."""

    service: str
    name: str
    first: int
    digests: bytes


def keep(connection: Connection, context: Context, inputs: Inputs, corrections: int) -> Proof:
    """Keeps what an evaluation was made of and returns the digests of it. The connection must be a writer's."""
    catalogue = msgspec.json.encode(msgspec.structs.replace(context.catalogue, folder=""))
    calendar = msgspec.json.encode(_Calendar(list(context.maintenance), list(context.events)))
    packed = msgspec.msgpack.encode([_packed(key, days) for key, days in sorted(inputs.items())])
    return Proof(
        catalogue=_put(connection, "catalogue", catalogue),
        exclusions=_put(connection, "calendar", calendar),
        inputs=_put(connection, "inputs", packed),
        corrections=corrections,
    )


def kept_catalogue(connection: Connection, digest: str) -> Catalogue:
    """The catalogue of that digest. Raises `LedgerError` where it is missing or altered."""
    return msgspec.json.decode(_get(connection, "catalogue", digest), type=Catalogue)


def kept_calendar(connection: Connection, digest: str) -> tuple[tuple[Interval, ...], tuple[Interval, ...]]:
    """Maintenance and live events of that digest. Raises `LedgerError` where they are missing or altered."""
    found = msgspec.json.decode(_get(connection, "calendar", digest), type=_Calendar)
    return tuple(found.maintenance), tuple(found.events)


def kept_inputs(connection: Connection, digest: str) -> dict[tuple[str, str], dict[int, bytes]]:
    """The inputs of that digest. Raises `LedgerError` where they are missing or altered."""
    found = msgspec.msgpack.decode(_get(connection, "inputs", digest), type=list[_Input])
    return {(one.service, one.name): _unpacked(one) for one in found}


def _packed(key: tuple[str, str], days: Mapping[int, bytes]) -> _Input:
    if not days:
        return _Input(*key, 0, b"")
    first, last = min(days), max(days)
    return _Input(*key, first, b"".join(days.get(day, bytes(16)) for day in range(first, last + 1)))


def _unpacked(one: _Input) -> dict[int, bytes]:
    days = {one.first + at // 16: one.digests[at : at + 16] for at in range(0, len(one.digests), 16)}
    return {day: digest for day, digest in days.items() if any(digest)}


def _put(connection: Connection, kind: str, body: bytes) -> str:
    digest = hashlib.sha256(body).hexdigest()
    if connection.execute(select(table.c.digest).where(table.c.digest == digest)).first() is None:
        connection.execute(table.insert().values(digest=digest, kind=kind, body=zlib.compress(body)))
    return digest


def _get(connection: Connection, kind: str, digest: str) -> bytes:
    found = connection.execute(select(table.c.body).where(table.c.digest == digest)).scalar()
    if found is None:
        raise LedgerError(
            f"the ledger does not hold the {kind} with the digest {digest[:12]}… that the report names",
            remedy="verify it with the ledger that the report was made with",
        )
    try:
        body = zlib.decompress(found)
    except zlib.error as error:
        raise LedgerError(f"the {kind} with the digest {digest[:12]}… is damaged ({error})") from error
    if hashlib.sha256(body).hexdigest() != digest:
        raise LedgerError(f"the {kind} with the digest {digest[:12]}… was altered in the ledger")
    return body
