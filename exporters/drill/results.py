"""What became of the last drills: a small file that each drill writes and the exporter reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import msgspec

from sla_kit.errors import LedgerError
from sla_kit.exporters.drill.evidence import Evidence, Outcome, Record, Step
from sla_kit.exporters.drill.keeping import locked, write_atomically


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The last drill of one target, and how many there were by outcome.

    Times are epoch seconds. ``duration_seconds`` and ``restored_at`` are of the last one in which all was restored and
    every check held, in time or not: how long a drill took that failed early says nothing about recovery.
    """

    outcome: Outcome
    attempted_at: float
    ended_at: float
    succeeded_at: float = 0.0
    restored_at: float = 0.0
    duration_seconds: float | None = None
    rows_verified: int = 0
    steps: list[Step] = []
    checks: dict[str, int] = {}
    failed_step: str = ""
    backup_taken_at: float | None = None
    totals: dict[str, int] = {}


class Newest(msgspec.Struct, frozen=True, kw_only=True):
    """The newest record in a file of evidence."""

    number: int
    digest: str


class Results(msgspec.Struct, frozen=True, kw_only=True):
    """Results by target; ``since`` is when each was first waited for by a schedule; ``newest`` the last record in each
    file of evidence, whose end could otherwise be taken away unseen."""

    targets: dict[str, Result] = {}
    since: dict[str, float] = {}
    newest: dict[str, Newest] = {}


def read_results(path: Path) -> Results:
    """The results in a file; none where there is no file yet. Raises `LedgerError` where it can't be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except FileNotFoundError:
        return Results()
    except OSError as error:
        raise LedgerError(f"results of drills can't be read: {error.strerror}", place=str(path)) from None
    except msgspec.MsgspecError:
        remedy = "delete it: the next drill writes it anew, and the evidence is kept elsewhere"
        raise LedgerError("this file holds no results of drills", place=str(path), remedy=remedy) from None


def remember(path: Path, evidence: Evidence, ended_at: float) -> None:
    """Puts a drill's result into the file. Raises `LedgerError`."""
    with _changing(path):
        known = read_results(path)
        result = _next(known.targets.get(evidence.target), evidence, ended_at)
        _write(path, msgspec.structs.replace(known, targets={**known.targets, evidence.target: result}))


def note_newest(path: Path, file: str, record: Record) -> None:
    """Notes the newest record in a file of evidence. Raises `LedgerError`."""
    with _changing(path):
        known = read_results(path)
        before = known.newest.get(file)
        if before is None or before.number < record.number:
            newest = {**known.newest, file: Newest(number=record.number, digest=record.digest)}
            _write(path, msgspec.structs.replace(known, newest=newest))


def end_missing(results: Results, file: str, records: Sequence[Record]) -> bool:
    """Whether a file of evidence no longer holds the record that was its newest once."""
    newest = results.newest.get(file)
    return newest is not None and not any((one.number, one.digest) == (newest.number, newest.digest) for one in records)


def wait_since(path: Path, targets: Iterable[str], now: float) -> Results:
    """The results, with targets that no schedule has waited for before noted as waited for from now on."""
    known = read_results(path)
    new = {name: now for name in targets if name not in known.since}
    if not new:
        return known
    with _changing(path):
        known = read_results(path)
        known = msgspec.structs.replace(known, since={**new, **known.since})
        _write(path, known)
    return known


def _changing(path: Path) -> AbstractContextManager[None]:
    return locked(path.with_name(f".{path.name}.lock"))


def _write(path: Path, results: Results) -> None:
    write_atomically(path, msgspec.json.format(msgspec.json.encode(results)) + b"\n")


def _next(before: Result | None, evidence: Evidence, ended_at: float) -> Result:
    totals = dict(before.totals) if before is not None else {}
    totals[evidence.outcome] = totals.get(evidence.outcome, 0) + 1
    checks: dict[str, int] = {}
    for check in evidence.checks:
        checks[check.outcome] = checks.get(check.outcome, 0) + 1
    restored = evidence.outcome != "failed"
    return Result(
        outcome=evidence.outcome,
        attempted_at=evidence.begun_at,
        ended_at=ended_at,
        succeeded_at=ended_at
        if evidence.outcome == "succeeded"
        else (before.succeeded_at if before is not None else 0.0),
        restored_at=ended_at if restored else (before.restored_at if before is not None else 0.0),
        duration_seconds=evidence.duration_seconds
        if restored
        else (before.duration_seconds if before is not None else None),
        rows_verified=evidence.rows_verified,
        steps=evidence.steps,
        checks=checks,
        failed_step=evidence.failed_step,
        backup_taken_at=evidence.backup.taken_at if evidence.backup is not None else None,
        totals=totals,
    )
