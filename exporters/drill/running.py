"""One drill from choosing a backup to its evidence: every step timed, everything made for it taken away again, whatever
happens, and a failure as well recorded as a success."""

from __future__ import annotations

import logging
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import FrameType

from msgspec.structs import replace as changed

from sla_kit.errors import SlaKitError
from sla_kit.exporters.backup.configuration import Dumps
from sla_kit.exporters.backup.loading import open_store
from sla_kit.exporters.drill.checks import About, run_checks
from sla_kit.exporters.drill.choosing import Chosen, choose, without_marks
from sla_kit.exporters.drill.configuration import Drill, Restore, beside
from sla_kit.exporters.drill.decrypting import Decrypting
from sla_kit.exporters.drill.errors import DrillError, StoppedError
from sla_kit.exporters.drill.evidence import Checked, Evidence, RestoredBackup, Step
from sla_kit.exporters.drill.fetching import fetch_folder, only_file, stream
from sla_kit.exporters.drill.folders import clean_remains, scratch_folder
from sla_kit.exporters.drill.keeping import locked
from sla_kit.exporters.drill.pipeline import check_space, unpacked
from sla_kit.exporters.drill.programs import Account, unprivileged
from sla_kit.exporters.drill.recording import current_user, record
from sla_kit.exporters.drill.restoring import format_of, restore_archive, restore_path, restore_plain
from sla_kit.exporters.drill.scratch import ScratchDatabase, given_server, own_server, scratch_database
from sla_kit.exporters.sidecar.collector import CollectError

_log = logging.getLogger(__name__)
#: Called with a step's name, as it begins.
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a drill of a target needs to know; ``base`` is the folder that relative paths start from."""

    target: str
    restore: Restore
    dumps: Dumps
    drill: Drill
    base: Path
    at: float | None = None
    keep_scratch: bool = False
    ledger: str = ""


@dataclass(slots=True)
class Course:
    """What has happened so far in a drill."""

    begun: float
    steps: list[Step] = field(default_factory=list)
    current: str = "choose"
    backup: RestoredBackup | None = None
    scratch: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    checks: list[Checked] = field(default_factory=list)
    rows: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    ended: float | None = None

    @contextmanager
    def step(self, name: str, progress: Progress) -> Iterator[None]:
        """Times a step. What was named last is where a failure showed."""
        self.current = name
        progress(name)
        begun = time.monotonic()
        try:
            yield
        finally:
            self.add(name, time.monotonic() - begun)

    def add(self, name: str, seconds: float) -> None:
        """Notes a step's own time."""
        self.steps.append(Step(name=name, seconds=round(max(0.0, seconds), 3)))


def run(plan: Plan, progress: Progress, waiting: Callable[[str], None]) -> tuple[Evidence, SlaKitError | None]:
    """Drills one target and keeps what came of it; returns that, and the error that ended it early, if one did.

    ``waiting`` is told who is at it where another drill of that target runs, before this one waits for its end.
    Raises `LedgerError` where the evidence can't be kept, and `StoppedError` after it was, where the process is told to
    end.
    """
    results = beside(plan.base, plan.drill.results)
    with locked(results.with_name(f".{results.name}.{plan.target}.lock"), waiting):
        begun_at = time.time()
        course = Course(time.monotonic())
        failure: SlaKitError | StoppedError | None = None
        try:
            with _interruptible(plan.restore.timeout):
                _run(plan, course, progress)
        except (SlaKitError, StoppedError) as error:
            failure = error
        except Exception as error:  # a mistake of ours must be seen as a drill that failed
            _log.exception("the drill of %s ended by a mistake of its own", plan.target)
            failure = DrillError(f"a mistake of sla-kit's own: {type(error).__name__}", remedy="see the log")
        evidence = _evidence(plan, course, begun_at, failure)
        record(evidence, plan.drill, plan.base, plan.ledger)
        _tell(evidence)
    if isinstance(failure, StoppedError):
        raise failure
    return evidence, failure


def rehearse(plan: Plan) -> Chosen:
    """Chooses a backup and does nothing else. Raises `DrillError`."""
    stores = [open_store(place, plan.base) for place in plan.dumps.places]
    try:
        return choose(plan.dumps, plan.target, stores, time.monotonic() + plan.restore.timeout, at=plan.at)
    finally:
        for store in stores:
            store.close()


def _run(plan: Plan, course: Course, progress: Progress) -> None:
    deadline = time.monotonic() + plan.restore.timeout
    scratch = plan.drill.scratch
    course.versions["sla-kit"] = version("sla-kit")
    folder_parent = str(plan.base / scratch.folder) if scratch.folder else ""
    for remains in clean_remains(folder_parent):
        _log.warning("took away what a drill that was killed had left in %s", remains)
    account = unprivileged(scratch.user)
    with ExitStack() as stack:
        stores = [open_store(place, plan.base) for place in plan.dumps.places]
        for store in stores:
            stack.callback(store.close)
        with course.step("choose", progress):
            chosen = choose(plan.dumps, plan.target, stores, deadline, at=plan.at)
            chosen = without_marks(chosen, plan.dumps.complete)
        course.backup = RestoredBackup(
            place=chosen.store.place, name=chosen.name, size_bytes=chosen.size_bytes, taken_at=chosen.taken_at
        )
        course.current = "server"
        kept = plan.keep_scratch and not scratch.url  # on a given server its database is what is kept
        folder = stack.enter_context(scratch_folder(folder_parent, account, keep=kept))
        check_space(folder, plan.restore.space * chosen.size_bytes)
        with course.step("server", progress):
            server = stack.enter_context(
                given_server(scratch, plan.restore.sources) if scratch.url else own_server(folder, scratch, account)
            )
            course.versions["postgresql"] = server.version
            course.scratch = "given" if scratch.url else "own"
            database = stack.enter_context(
                scratch_database(server, plan.restore, plan.restore.sources, keep=plan.keep_scratch)
            )
        stack.callback(_clean_up_in_peace)  # before anything is taken away
        _bring_back(plan, course, chosen, database, folder, account, deadline, progress)
        with course.step("check", progress):

            def beside_it(suffix: str) -> bytes | None:
                try:
                    return chosen.beside(suffix, deadline)
                except CollectError as error:
                    raise DrillError(error.message, place=error.place) from None

            about = About(chosen.taken_at, beside_it)
            course.checks, course.rows = run_checks(
                database, plan.restore.checks, about, deadline, lambda what: progress(f"check {what}")
            )
        course.ended = time.monotonic()
        signal_off()
        progress("clean up")
    progress("")


def _bring_back(
    plan: Plan,
    course: Course,
    chosen: Chosen,
    database: ScratchDatabase,
    folder: Path,
    account: Account | None,
    deadline: float,
    progress: Progress,
) -> None:
    """Fetches, decrypts, decompresses and restores; a stream goes through all of that at once, and each step is said
    to have taken what the next one waited for it."""
    assert course.backup is not None
    restore, programs = plan.restore, plan.drill.scratch.programs
    part = only_file(chosen)
    if part is None:
        with course.step("fetch", progress):
            path, digest = fetch_folder(chosen, folder, deadline)
        course.backup = changed(course.backup, sha256=digest, format="directory")
        with course.step("restore", progress):
            course.left_out = restore_path(path, database, restore, folder, account, programs)
        return
    course.current = "fetch"
    progress("fetch")
    with unpacked(stream(chosen, part, deadline), Decrypting(restore.keys, folder)) as unpacking:
        form = format_of(unpacking.first)
        course.backup = changed(
            course.backup, format=form, compression=unpacking.compression, encryption=unpacking.encryption
        )
        course.current = "restore"
        progress("restore")
        begun, waited = time.monotonic(), unpacking.waited
        try:
            if form == "plain":
                course.left_out = restore_plain(unpacking, database, restore)
            else:
                course.left_out = restore_archive(unpacking, form, database, restore, folder, account, programs)
            unpacking.drain()
        finally:
            for name, seconds in unpacking.seconds():
                course.add(name, seconds)
            course.add("restore", time.monotonic() - begun - (unpacking.waited - waited))
            course.backup = changed(course.backup, sha256=unpacking.sha256)


def _evidence(plan: Plan, course: Course, begun_at: float, failure: SlaKitError | StoppedError | None) -> Evidence:
    duration = (course.ended if course.ended is not None else time.monotonic()) - course.begun
    failed = [check for check in course.checks if check.outcome == "failed"]
    step, reason = "", ""
    if failure is not None:
        step = getattr(failure, "step", "") or course.current
        reason = str(failure)
    elif failed:
        step = "check"
        reason = "; ".join(f"{' '.join(filter(None, (one.kind, one.name)))}: {one.found}" for one in failed)
    objective = plan.restore.objective
    slow = objective is not None and duration > objective
    if slow and not step:
        reason = f"it took {duration:.0f} s, over its objective of {objective:.0f} s"
    return Evidence(
        target=plan.target,
        outcome="failed" if step else "slow" if slow else "succeeded",
        begun_at=round(begun_at, 3),
        duration_seconds=round(duration, 3),
        objective_seconds=objective,
        asked_time=plan.at,
        backup=course.backup,
        scratch=course.scratch,
        versions=course.versions,
        host=socket.gethostname(),
        user=current_user(),
        steps=course.steps,
        checks=course.checks,
        rows_verified=0 if failure is not None else course.rows,
        left_out=dict(sorted(course.left_out.items())),
        failed_step=step,
        reason=reason,
    )


def _tell(evidence: Evidence) -> None:
    more = {"target": evidence.target, "duration_seconds": evidence.duration_seconds}
    if evidence.outcome == "succeeded":
        _log.info("the restore drill of %s succeeded", evidence.target, extra=more)
    else:
        more |= {"step": evidence.failed_step}
        _log.error("the restore drill of %s: %s: %s", evidence.target, evidence.outcome, evidence.reason, extra=more)


@contextmanager
def _interruptible(timeout_seconds: float) -> Iterator[None]:
    """SIGTERM, SIGINT and SIGHUP, and the end of the time there is, as exceptions, so that everything is cleaned up."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stopped(number: int, _: FrameType | None) -> None:
        for each in before:
            signal.signal(each, signal.SIG_IGN)  # what is being cleaned up is not interrupted
        signal_off()
        raise StoppedError(signal.Signals(number).name)

    def late(number: int, _: FrameType | None) -> None:
        raise DrillError(
            f"given up after {timeout_seconds:g} s", remedy="raise `timeout`, or look why it takes so long"
        )

    before = {each: signal.signal(each, stopped) for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    alarm = signal.signal(signal.SIGALRM, late)
    timer = signal.setitimer(signal.ITIMER_REAL, timeout_seconds)
    try:
        yield
    finally:
        signal_off()
        signal.signal(signal.SIGALRM, alarm)
        signal.setitimer(signal.ITIMER_REAL, *timer)
        for each, handler in before.items():
            signal.signal(each, handler)


def _clean_up_in_peace() -> None:
    """From here on nothing interrupts: what is half taken away would be left."""
    signal_off()
    if threading.current_thread() is threading.main_thread():
        for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(each, signal.SIG_IGN)


def signal_off() -> None:
    """Lets the time run out without a signal, once all is restored and checked."""
    if threading.current_thread() is threading.main_thread():
        signal.setitimer(signal.ITIMER_REAL, 0)
