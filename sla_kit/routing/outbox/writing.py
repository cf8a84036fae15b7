"""The one thread that writes: what waits is committed together, so that one sync of the disk serves many.

Each piece of work has a savepoint of its own; a failed commit fails all that was in it, and the next batch begins anew.
"""

from __future__ import annotations

import copy
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from sla_kit.database import WRITES
from sla_kit.errors import OutboxError
from sla_kit.routing.outbox.errors import explained, is_own, is_passing

T = TypeVar("T")
Item = TypeVar("Item")
#: So much is written in one transaction at most, and so much may wait.
_BATCH, _WAITING = 1000, 20_000
#: How often work is run again that stood in another router's way.
_REPETITIONS = 5
#: While writing fails, it is tried this often.
_TROUBLED_SECONDS = 2.0


@dataclass(slots=True)
class _Work:
    """``run`` gets the connection; with ``item``, it gets the items of all works of the same ``run`` at once."""

    run: Callable[..., Any]
    gathered: bool = False
    alone: bool = False
    item: Any = None
    future: Future[Any] = field(default_factory=Future)
    outcome: Any = None
    error: Exception | None = None


class _BatchFailed(Exception):  # noqa: N818  # never leaves this module
    """The transaction can't go on; its cause is the reason."""


class Writer:
    """Runs work in transactions, in the order in which it came. ``every`` runs in a transaction of its own each
    ``every_seconds``, sooner while writing fails, so that it is known when it is possible again."""

    def __init__(
        self, engine: Engine, name: str, every: Callable[[Connection], None] | None, every_seconds: float
    ) -> None:
        self._engine, self._name = engine, name
        self._every, self._every_seconds = every, every_seconds
        self._queue: queue.Queue[_Work | None] = queue.Queue(_WAITING)
        self._lock = threading.Lock()
        self._closed = False
        self._thread: threading.Thread | None = None
        self.trouble: OutboxError | None = None

    def start(self) -> None:
        """Starts the thread; `submit` does so, too."""
        with self._lock:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="outbox-writer", daemon=True)
                self._thread.start()

    def submit(self, run: Callable[[Connection], T], *, alone: bool = False) -> Future[T]:
        """The future of ``run(connection)``, done after the commit. ``alone`` has a transaction of its own."""
        return self._put(_Work(run, alone=alone))

    def submit_gathered(self, run: Callable[[Connection, list[Item]], list[T]], item: Item) -> Future[T]:
        """The same, for many small things of a kind: ``run`` gets those that wait at once, and answers for each."""
        return self._put(_Work(run, gathered=True, item=item))

    def is_own_thread(self) -> bool:
        """Whether it is this writer's thread that asks."""
        return threading.current_thread() is self._thread

    def close(self) -> None:
        """Writes what waits, and ends the thread."""
        with self._lock:
            closed, self._closed = self._closed, True
        if self._thread is not None and not closed:
            self._queue.put(None)
            self._thread.join()

    def _put(self, work: _Work) -> Future[Any]:
        if self._thread is None:
            self.start()
        with self._lock:  # nothing may come after what ends the thread
            if self._closed:
                work.future.set_exception(OutboxError("the outbox is closed", place=self._name))
                return work.future
            try:
                self._queue.put_nowait(work)
            except queue.Full:
                work.future.set_exception(
                    OutboxError(f"the outbox is behind: {_WAITING} writes wait for the disk", place=self._name)
                )
        return work.future

    def _run(self) -> None:
        tick = time.monotonic() + self._every_seconds
        ended = False
        while not ended:
            batch, ended = self._waiting(None if self._every is None else max(0.0, tick - time.monotonic()))
            if self._every is not None and not ended and time.monotonic() >= tick:
                batch.append(_Work(self._every))
            self._write([work for work in batch if not work.alone])
            for work in batch:
                if work.alone:
                    self._write([work])
            if time.monotonic() >= tick or self.trouble is not None:
                tick = time.monotonic() + (self._every_seconds if self.trouble is None else _TROUBLED_SECONDS)

    def _waiting(self, timeout: float | None) -> tuple[list[_Work], bool]:
        """What waits, once something does or the time is up; and whether nothing comes after it."""
        batch: list[_Work] = []
        while len(batch) < _BATCH:
            try:
                work = self._queue.get(timeout=timeout) if not batch else self._queue.get_nowait()
            except queue.Empty:
                break
            if work is None:
                return batch, True
            batch.append(work)
        return batch, False

    def _write(self, batch: list[_Work]) -> None:
        batch = [work for work in batch if work.future.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            self._attempt(batch)
        except BaseException as error:
            self._fail(batch, error)
            return
        self.trouble = None
        for work in batch:
            if work.error is not None:
                work.future.set_exception(self._told(work.error))
            else:
                work.future.set_result(work.outcome)

    def _attempt(self, batch: list[_Work]) -> None:
        """Commits a batch; where another router's transaction stands in its way, each of its works by itself."""
        try:
            self._transaction(batch)
            return
        except _BatchFailed as failed:
            if failed.__cause__ is None or not is_passing(failed.__cause__):
                raise
        for work in batch:
            for repetition in range(_REPETITIONS):
                try:
                    self._transaction([work])
                    break
                except _BatchFailed as failed:
                    cause = failed.__cause__
                    if cause is None or not is_passing(cause) or repetition == _REPETITIONS - 1:
                        work.error = cause if isinstance(cause, Exception) else OutboxError(str(cause))
                        break

    def _transaction(self, batch: list[_Work]) -> None:
        try:
            with self._engine.connect() as connection:
                connection = connection.execution_options(**{WRITES: True})
                try:
                    with connection.begin():
                        self._run_all(connection, batch)
                except BaseException:
                    connection.invalidate()  # whatever state it is in: the next batch has a new one
                    raise
        except _BatchFailed:
            raise
        except Exception as error:
            raise _BatchFailed from error

    def _run_all(self, connection: Connection, batch: list[_Work]) -> None:
        gathered: dict[Callable[..., Any], list[_Work]] = {}
        for work in batch:
            work.error = work.outcome = None
            if work.gathered:
                gathered.setdefault(work.run, []).append(work)
        for run, works in gathered.items():
            self._run_gathered(connection, run, works)
        for work in batch:
            if not work.gathered:
                work.outcome, work.error = self._guarded(connection, partial(work.run, connection))

    def _run_gathered(self, connection: Connection, run: Callable[..., Any], works: list[_Work]) -> None:
        outcomes, error = self._guarded(connection, lambda: run(connection, [work.item for work in works]))
        if error is None:
            for work, outcome in zip(works, outcomes, strict=True):
                work.outcome = outcome
        elif len(works) == 1:
            works[0].error = error
        else:  # one of them is bad; the others are not
            for work in works:
                self._run_gathered(connection, run, [work])

    def _guarded(self, connection: Connection, run: Callable[[], Any]) -> tuple[Any, Exception | None]:
        connection.exec_driver_sql("SAVEPOINT work")
        try:
            outcome = run()
        except Exception as error:
            if not is_own(error):
                raise
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT work")
            connection.exec_driver_sql("RELEASE SAVEPOINT work")
            return None, error
        connection.exec_driver_sql("RELEASE SAVEPOINT work")
        return outcome, None

    def _fail(self, batch: list[_Work], error: BaseException) -> None:
        cause = error.__cause__ if isinstance(error, _BatchFailed) and error.__cause__ is not None else error
        told = self._told(cause)
        if not isinstance(told, OutboxError):
            told = OutboxError(f"the outbox could not be written: {type(cause).__name__}: {cause}", place=self._name)
            told.__cause__ = cause
        self.trouble = told
        for work in batch:
            if not work.future.done():
                work.future.set_exception(copy.copy(told))

    def _told(self, error: BaseException) -> BaseException:
        return explained(error, self._name) if isinstance(error, SQLAlchemyError) else error
