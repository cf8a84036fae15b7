"""When drills are due, and the service of the exporter that runs them: each in a process of its own, one at a time, so
that the exporter stays small and answers scrapes."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from sla_kit.errors import LedgerError
from sla_kit.exporters.drill.configuration import Drill, Timetable, beside, ledger_of
from sla_kit.exporters.drill.results import Results, read_results, wait_since

_log = logging.getLogger(__name__)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
#: How often it is looked whether a drill is due: clocks are set, and files change.
_LOOK_SECONDS = 30.0
#: How long a drill that is told to end may take to clean up.
_STOP_SECONDS = 60.0


def next_due(timetable: Timetable, target: str, after: float) -> float:
    """The first moment after ``after`` at which a target's drill is due; both in epoch seconds.

    Its jitter is always the same for one target and date, so that a restart changes nothing.
    """
    zone = ZoneInfo(timetable.timezone)
    day = datetime.fromtimestamp(after, zone).date() - timedelta(days=1)
    for _ in range(70):
        if _is_day(timetable, day):
            due = _moment(timetable, zone, day) + _jitter(timetable, target, day)
            if due > after:
                return due
        day += timedelta(days=1)
    raise AssertionError("there is a due day within two months")


def due_now(drill: Drill, results: Results, now: float) -> list[str]:
    """The targets whose drill is due, longest due first: once, however often it was missed."""
    if drill.schedule is None:
        return []
    found = []
    for target in drill.targets:
        result, since = results.targets.get(target), results.since.get(target, now)
        last = result.attempted_at if result is not None else since
        due = next_due(drill.schedule, target, max(last, since))
        if due <= now:
            found.append((due, target))
    return [target for _, target in sorted(found)]


def command(configuration: Path, target: str) -> list[str]:
    """The command that drills one target."""
    return [sys.executable, "-m", "sla_kit.exporters.drill", "--config", str(configuration), "--", target]


@dataclass(eq=False, slots=True)
class DrillService:
    """A `Service` that runs drills when they are due; equal to another of the same configuration."""

    configuration: Path
    drill: Drill
    ledger: str = field(default="", repr=False)
    look_seconds: float = _LOOK_SECONDS
    clock: Callable[[], float] = time.time
    _task: asyncio.Task[None] | None = field(default=None, repr=False)
    _process: asyncio.subprocess.Process | None = field(default=None, repr=False)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, DrillService):
            return NotImplemented
        return (self.configuration, self.drill) == (other.configuration, other.drill)

    __hash__ = None  # type: ignore[assignment]

    async def start(self) -> None:
        """Begins to wait for the next drill. Raises `LedgerError` where the file of results can't be used."""
        wait_since(self._results, self.drill.targets, self.clock())
        self._task = asyncio.get_running_loop().create_task(self._run(), name="drills")

    async def stop(self) -> None:
        """Ends the drill that runs, which cleans up and counts as failed, and waits for that."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    @property
    def _results(self) -> Path:
        return beside(self.configuration.parent, self.drill.results)

    async def _run(self) -> None:
        while True:
            for target in self._due():
                await self._drill(target)
            await asyncio.sleep(self.look_seconds)

    def _due(self) -> Iterable[str]:
        try:
            return due_now(self.drill, read_results(self._results), self.clock())
        except LedgerError as error:
            _log.error("it can't be told which drills are due: %s", error)
            return []

    async def _drill(self, target: str) -> None:
        begun = self.clock()
        _log.info("the restore drill of %s begins", target, extra={"target": target})
        process = await asyncio.create_subprocess_exec(
            *command(self.configuration, target),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=None,
            start_new_session=True,
            env={**os.environ, **({"SLA_KIT_LEDGER": self.ledger} if self.ledger else {})},
        )
        try:
            code = await process.wait()
        except asyncio.CancelledError:
            await _end(process)
            self._note(target, begun, process.returncode)
            raise
        if code:
            _log.error("the restore drill of %s failed with exit code %d", target, code, extra={"target": target})
        await asyncio.to_thread(self._note, target, begun, code)

    def _note(self, target: str, begun: float, code: int | None) -> None:
        """A drill that ended without a result (killed, or not begun) is a failed one, with evidence, and is not begun
        again at once but when next due."""
        try:
            known = read_results(self._results).targets.get(target)
            if known is None or known.attempted_at < begun - 1:
                from sla_kit.exporters.drill.recording import lost, record_apart

                evidence, base = lost(target, begun, self.clock(), _how(code)), self.configuration.parent
                given = self.ledger or os.environ.get("SLA_KIT_LEDGER", "")
                record_apart(evidence, self.drill, base, ledger_of(self.drill, base, given))
        except LedgerError as error:
            _log.error("the result of the drill of %s can't be kept: %s", target, error)


def _how(code: int | None) -> str:
    """How a process ended."""
    if code is not None and code < 0:
        known = -code in signal.valid_signals()
        return f"it was killed by {signal.Signals(-code).name if known else f'signal {-code}'}"
    return f"it could not be begun (exit code {code})"


async def _end(process: asyncio.subprocess.Process) -> None:
    try:
        process.terminate()
        await asyncio.wait_for(process.wait(), _STOP_SECONDS)
    except ProcessLookupError:
        return
    except TimeoutError:
        process.kill()
        await process.wait()


def _is_day(timetable: Timetable, day: date) -> bool:
    if timetable.every == "daily":
        return True
    if _DAYS[day.weekday()] != timetable.day:
        return False
    return timetable.every == "weekly" or day.day <= 7  # the first such day of the month


def _moment(timetable: Timetable, zone: ZoneInfo, day: date) -> float:
    hour, minute = (int(part) for part in timetable.at.split(":"))
    # In an hour that is skipped the offset before it holds, and in one that comes twice the first counts.
    local = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)
    return local.astimezone(UTC).timestamp()


def _jitter(timetable: Timetable, target: str, day: date) -> float:
    digest = hashlib.sha256(f"{target} {day.isoformat()}".encode()).digest()
    return timetable.jitter * int.from_bytes(digest[:8], "big") / 2.0**64
