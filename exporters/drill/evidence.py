"""What is known of a drill afterwards, as values, and the chain that shows where a record of one was altered."""

from __future__ import annotations

import json
from typing import Any, Literal

import msgspec

from sla_kit.chaining import proof

#: succeeded: restored in time, and every check held. slow: all held, but it took longer than its objective. failed: not
#: restored, or a check did not hold.
Outcome = Literal["succeeded", "slow", "failed"]


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a drill and how long it took by itself, in seconds."""

    name: str
    seconds: float


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """What came of one check; ``rows`` are those that it looked at and found right."""

    kind: str
    name: str
    outcome: Literal["held", "failed", "skipped"]
    expected: str = ""
    found: str = ""
    rows: int = 0
    seconds: float = 0.0


class RestoredBackup(msgspec.Struct, frozen=True, kw_only=True):
    """The backup that was restored; ``taken_at`` in epoch seconds, ``sha256`` of its bytes as they are stored."""

    place: str
    name: str
    size_bytes: int
    taken_at: float
    sha256: str = ""
    format: str = ""
    compression: str = ""
    encryption: str = ""


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One drill: when it began (epoch seconds), how long it took up to the last check, what was restored where, by
    which versions, and what came of it. ``failed_step`` and ``reason`` say why it failed; ``left_out`` counts parts
    of the dump that are about more than the database."""

    target: str
    outcome: Outcome
    begun_at: float
    duration_seconds: float
    objective_seconds: float | None = None
    asked_time: float | None = None
    backup: RestoredBackup | None = None
    scratch: str = ""
    versions: dict[str, str] = msgspec.field(default_factory=dict)
    host: str = ""
    user: str = ""
    steps: list[Step] = msgspec.field(default_factory=list)
    checks: list[Checked] = msgspec.field(default_factory=list)
    rows_verified: int = 0
    left_out: dict[str, int] = msgspec.field(default_factory=dict)
    failed_step: str = ""
    reason: str = ""


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """Evidence as it is kept: numbered from 1, each ``digest`` over the one before and all of this one's content."""

    number: int
    made_at: str
    evidence: dict[str, Any]
    digest: str = ""

    def proof(self, before: str) -> str:
        """What its digest must be, given that of the record before ("" for the first)."""
        return proof(before, self.number, self.made_at, self.evidence)

    def read(self) -> Evidence:
        """The evidence as a value. Raises `msgspec.ValidationError` where it is none."""
        return msgspec.convert(self.evidence, Evidence)


def next_record(evidence: Evidence, made_at: str, last: Record | None) -> Record:
    """The record of a drill that follows ``last``."""
    content = json.loads(msgspec.json.encode(evidence))  # as it will be read again
    number, before = (1, "") if last is None else (last.number + 1, last.digest)
    bare = Record(number=number, made_at=made_at, evidence=content)
    return msgspec.structs.replace(bare, digest=bare.proof(before))
