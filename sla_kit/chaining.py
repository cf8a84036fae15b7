"""Records that prove each other: each one's digest is over the one before, so that a missing or altered one shows."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any, Protocol, TypeVar


class Chained(Protocol):
    """A record of a chain, numbered from 1."""

    @property
    def number(self) -> int:
        """Its place."""
        ...

    @property
    def digest(self) -> str:
        """What was written down as its proof."""
        ...

    def proof(self, before: str) -> str:
        """What its digest must be, given that of the record before ("" for the first)."""
        ...


Link = TypeVar("Link", bound=Chained)


def proof(before: str, number: int, made_at: str, content: dict[str, Any]) -> str:
    """The digest of a record, given that of the one before ("" for the first)."""
    text = json.dumps([before, number, made_at, content], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def broken_link(chain: Sequence[Link]) -> Link | None:
    """The first record of a whole chain whose digest is wrong, or before which one is missing; None if all are as they
    were made."""
    before = ""
    for number, one in enumerate(chain, 1):
        if one.number != number or one.digest != one.proof(before):
            return one
        before = one.digest
    return None
