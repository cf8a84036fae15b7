"""Results that were judged before: the same promise over the same buckets need not be judged twice.

A result is kept by the digest of all that it depends on: the program's version, the catalogue, the moment and the
calendar, and the digests of the indicator's rows. Anything that differs is another digest, so that nothing here is ever
out of date; what is missing is judged again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import msgspec
import numpy as np
from sqlalchemy import delete, func, select

from sla_kit import __version__
from sla_kit.engine.context import Context, Judgement, grid_for
from sla_kit.engine.results import Incident, SloResult
from sla_kit.ledger.extents import Extent, extents, in_batches
from sla_kit.ledger.identity import Identity
from sla_kit.ledger.store import Store
from sla_kit.ledger.tables import judged as table
from sla_kit.sources import Indicator
from sla_kit.timeline import Grid

Key = tuple[str, str]
#: Results of about so many evaluations are kept.
_EVALUATIONS = 8
_INSERTED_AT_ONCE = 500


class _Kept(msgspec.Struct, array_like=True):
    """One judgement without its counts, and the proof of the days that it was made of."""

    result: SloResult
    incidents: tuple[Incident, ...]
    grid: Grid
    observed_bits: bytes
    proof: dict[int, bytes]


def _encode(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return (value.dtype.str, value.shape, value.tobytes())
    if isinstance(value, np.generic):
        return value.item()
    raise NotImplementedError(f"a {type(value).__name__} can't be kept")


def _decode(wanted: Any, value: Any) -> Any:
    dtype, shape, body = value
    return np.frombuffer(body, dtype=dtype).reshape(shape)


_ENCODER = msgspec.msgpack.Encoder(enc_hook=_encode)
_DECODER = msgspec.msgpack.Decoder(_Kept, dec_hook=_decode)


@dataclass(frozen=True, slots=True)
class Recalled:
    """A result that was kept, and the digests of the days it was made of."""

    judgement: Judgement
    proof: Mapping[int, bytes]


class Memory:
    """The results of one evaluation: those that were kept before, and those that are new.

    ``asked`` are the SLOs with the indicators that they are judged by. Only those count whose buckets are all closed.
    """

    def __init__(
        self,
        store: Store,
        context: Context,
        asked: Mapping[Key, Indicator],
        identities: Mapping[Key, Identity],
        until_correction: int,
    ) -> None:
        self._store = store
        grid = grid_for(context)
        base = _base(context)
        ids = {identities[indicator.key].id for indicator in asked.values()}
        with store.reading() as connection:
            held = extents(connection, sorted(ids), grid.start, grid.end, until_correction)
        self._digests: dict[Key, bytes] = {}
        for key, indicator in asked.items():
            rows = held.get(identities[indicator.key].id, [])
            if _whole(rows, grid):
                self._digests[key] = _digest(base, key, rows)
        self._new: dict[bytes, bytes] = {}

    def recall(self) -> dict[Key, Recalled]:
        """The results that are known."""
        wanted = {digest: key for key, digest in self._digests.items()}
        found: dict[Key, Recalled] = {}
        with self._store.reading() as connection:
            for batch in in_batches(wanted):
                for digest, body in connection.execute(
                    select(table.c.digest, table.c.body).where(table.c.digest.in_(batch))
                ):
                    try:
                        kept = _DECODER.decode(zlib.decompress(body))
                    except (zlib.error, msgspec.MsgspecError, ValueError):
                        continue  # what can't be read is judged again
                    judgement = Judgement(kept.result, kept.incidents, kept.grid, kept.observed_bits)
                    found[wanted[bytes(digest)]] = Recalled(judgement, kept.proof)
        return found

    def learn(self, key: Key, judgement: Judgement, proof: Mapping[int, bytes]) -> None:
        """Takes a new result, to be kept with `keep`."""
        digest = self._digests.get(key)
        if digest is not None:
            kept = _Kept(judgement.result, judgement.incidents, judgement.grid, judgement.observed_bits, dict(proof))
            self._new[digest] = zlib.compress(_ENCODER.encode(kept), 1)

    def keep(self) -> None:
        """Writes what was learned, and lets results go that were not asked for in a long time."""
        if not self._new:
            return
        with self._store.writing() as connection:
            known: set[bytes] = set()
            for batch in in_batches(self._new):
                known.update(
                    bytes(one) for one in connection.scalars(select(table.c.digest).where(table.c.digest.in_(batch)))
                )
            new = [{"digest": digest, "body": body} for digest, body in self._new.items() if digest not in known]
            count = int(connection.execute(select(func.count()).select_from(table)).scalar_one())
            if count + len(new) > _EVALUATIONS * max(len(self._digests), 100):
                connection.execute(delete(table))
            for at in range(0, len(new), _INSERTED_AT_ONCE):
                connection.execute(table.insert(), new[at : at + _INSERTED_AT_ONCE])
        self._new = {}


def _base(context: Context) -> bytes:
    """The digest of all that the results of one evaluation have in common."""
    about = {each.name: getattr(context, each.name) for each in fields(context) if each.name != "catalogue"}
    catalogue = msgspec.structs.replace(context.catalogue, folder="")
    parts = [__version__.encode(), msgspec.json.encode(catalogue), msgspec.json.encode(about)]
    return hashlib.sha256(b"\0".join(parts)).digest()


def _whole(rows: Sequence[Extent], grid: Grid) -> bool:
    """Whether rows hold every bucket of a grid."""
    at = grid.start
    for row in rows:
        start, end = row.span(grid.step)
        if start > at:
            return False
        at = max(at, end)
    return at >= grid.end


def _digest(base: bytes, key: Key, rows: Sequence[Extent]) -> bytes:
    proof = hashlib.sha256(base)
    proof.update(msgspec.json.encode(key))
    for row in rows:
        proof.update(b"%d %d %d " % (row.day, row.first, row.count) + row.digest)
    return proof.digest()
