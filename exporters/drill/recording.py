"""What came of a drill, kept in both places: the file of results that the exporter reads, and the evidence."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import msgspec

from sla_kit.errors import LedgerError
from sla_kit.exporters.drill.configuration import Drill, beside
from sla_kit.exporters.drill.evidence import Evidence
from sla_kit.exporters.drill.keeping import keep
from sla_kit.exporters.drill.results import note_newest, remember


class _Told(msgspec.Struct, frozen=True):
    """What another process is told to record."""

    evidence: Evidence
    results: str
    file: str
    base: str
    ledger: str


def record(evidence: Evidence, drill: Drill, base: Path, ledger: str = "") -> None:
    """Keeps a drill's result and its evidence; the latter in the file as well where the ledger can't be reached, so
    that no drill is in vain. ``base`` is the folder that relative paths start from. Raises `LedgerError`."""
    results, file = beside(base, drill.results), beside(base, drill.evidence)
    remember(results, evidence, time.time())
    if ledger:
        try:
            keep(evidence, ledger=ledger)
            return
        except LedgerError as error:
            note_newest(results, drill.evidence, keep(evidence, file=file))
            message = f"{error.message}; the evidence of this drill is kept in {file} instead"
            raise LedgerError(message, place=error.place, remedy="mend what keeps the ledger away") from None
    note_newest(results, drill.evidence, keep(evidence, file=file))


def record_apart(evidence: Evidence, drill: Drill, base: Path, ledger: str = "") -> None:
    """The same for a process that is to stay small: what a ledger needs is loaded by another one. Raises
    `LedgerError`."""
    if not ledger:
        record(evidence, drill, base)
        return
    told = msgspec.json.encode(_Told(evidence, drill.results, drill.evidence, str(base), ledger))
    command = [sys.executable, "-m", "sla_kit.exporters.drill.recording"]
    done = subprocess.run(command, input=told, capture_output=True, check=False)  # noqa: S603  # our own
    if done.returncode:
        raise LedgerError(done.stderr.decode(errors="replace").strip() or f"exit code {done.returncode}")


def lost(target: str, begun_at: float, ended_at: float, how: str) -> Evidence:
    """The evidence of a drill whose process ended before it could keep any; times in epoch seconds."""
    return Evidence(
        target=target,
        outcome="failed",
        begun_at=round(begun_at, 3),
        duration_seconds=round(max(0.0, ended_at - begun_at), 3),
        versions={"sla-kit": version("sla-kit")},
        host=socket.gethostname(),
        user=current_user(),
        failed_step="begin",
        reason=f"it ended without a result: {how}",
    )


def current_user() -> str:
    """The name of this process's user, or its number: a container's user may have no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())


def _main() -> None:
    told = msgspec.json.decode(sys.stdin.buffer.read(), type=_Told)
    drill = Drill(targets={}, results=told.results, evidence=told.file)
    try:
        record(told.evidence, drill, Path(told.base), told.ledger)
    except LedgerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    _main()
