"""A job as a block or a function: what is recorded as it begins and ends. Telling it never breaks the job."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from datetime import timedelta
from types import TracebackType
from typing import Any, TypeVar, cast

from sla_kit.configuration.quantities import parse_duration
from sla_kit.errors import SlaKitError
from sla_kit.exporters.jobs.destinations import DIRECTORY, URL, Destination, destinations
from sla_kit.exporters.jobs.state import Ending, Promise, State, begun, counted, ended
from sla_kit.exporters.jobs.termination import SIGTERM, Terminated

#: How long telling the beginning, and the end, may take at each place, in seconds: what a hanging one costs the job.
START_PATIENCE_SECONDS = 5.0
END_PATIENCE_SECONDS = 15.0
_LONGEST_NAME = 1000
_LOG = logging.getLogger("sla_kit.exporters.jobs")
_Function = TypeVar("_Function", bound=Callable[..., Any])
_told_of_nowhere = False


def job(
    name: str,
    *,
    expected_every: float | str | timedelta | None = None,
    expected_within: float | str | timedelta | None = None,
    to: Destination | Sequence[Destination] | None = None,
    strict: bool = False,
) -> Job:
    """A batch job whose runs are told to Prometheus: a context manager, and a decorator of functions, async ones too.

    ``expected_every`` declares how far apart its successes are at most, ``expected_within`` how long a run takes at
    most: seconds, a `timedelta`, or text such as ``1d``. ``to`` is a `Pushgateway`, a `Textfile`, or several of them;
    else ``SLA_KIT_PUSHGATEWAY_URL`` and ``SLA_KIT_TEXTFILE_DIRECTORY`` say it. Where nothing does that is logged once,
    or an error if ``strict``. Raises `SlaKitError` for arguments that can't be right.
    """
    if not name or len(name) > _LONGEST_NAME or "\0" in name or not _encodable(name):
        raise SlaKitError(
            f"{name[:50]!r} can't be the name of a job", remedy=f"1 to {_LONGEST_NAME} characters of text"
        )
    promise = Promise(_seconds(expected_every, "expected_every"), _seconds(expected_within, "expected_within"))
    return Job(name, promise, to, strict)


class Run:
    """One run of a job, while it goes on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[str, float] = {}
        self._began = time.monotonic()
        self._reason = ""
        self._exit_code: int | None = None
        self._process = os.getpid()
        self.start = time.time()  #: when it began, in seconds since 1970
        self.delivered: bool | None = None  #: whether the end has been told everywhere; None until then

    def processed(self, number: float = 1, kind: str = "") -> None:
        """Adds to the records that were processed, if there are several kinds to those of one. From any thread."""
        with self._lock:
            self._records = counted(self._records, _as_text(kind), number)

    def failed(self, reason: str) -> None:
        """Says that the run failed though no exception tells so; ``reason`` is a word or two, and becomes a label."""
        self._reason = _as_text(reason) or "failed"

    def exited(self, code: int, reason: str = "") -> None:
        """Says with which exit code a command ended; one other than 0 is a failure."""
        self._exit_code = code
        if code:
            self.failed(reason or f"exit code {code}")

    @property
    def _elsewhere(self) -> bool:
        """Whether this is a copy in a process that was forked meanwhile: what ends there is not the run, unless it goes
        on there alone, as a daemon does."""
        if self._process == os.getpid():
            return False
        try:
            os.kill(self._process, 0)
        except OSError as error:
            return not isinstance(error, ProcessLookupError)
        return True

    def _ending(self, error: BaseException | None) -> Ending:
        if isinstance(error, asyncio.CancelledError) and SIGTERM.came:
            self._reason = Terminated.__name__
        elif error is not None and not (isinstance(error, SystemExit) and error.code in (None, 0)):
            self._reason = type(error).__name__
        duration = time.monotonic() - self._began
        with self._lock:
            return Ending(time.time(), self.start, duration, self._reason, self._exit_code, self._records)


class Job:
    """A job by its name; made by `job`. One object serves runs after each other, in each other and at once."""

    def __init__(
        self, name: str, promise: Promise, to: Destination | Sequence[Destination] | None, strict: bool
    ) -> None:
        self.name = name
        self.undelivered = 0  #: how often the beginning or the end of a run could not be told somewhere
        self._promise = promise
        self._to = to
        self._strict = strict
        # Blocks of one task or thread lie in each other; those of others are not seen here.
        self._open: ContextVar[tuple[Run, ...]] = ContextVar(f"runs of {name}", default=())

    def __enter__(self) -> Run:
        run = self._opened()
        try:
            with SIGTERM.put_off():
                self._tell_start(run)
        except (
            BaseException
        ) as error:  # the block is not entered, so nothing else would end what was told to have begun
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return run

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._closed()
        try:
            with SIGTERM.put_off():
                self._tell_end(run, run._ending(error))
        finally:
            SIGTERM.release()

    async def __aenter__(self) -> Run:
        run = self._opened()
        try:
            with SIGTERM.put_off():
                await asyncio.to_thread(self._tell_start, run)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return run

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run = self._closed()
        try:
            with SIGTERM.put_off():
                # A task that is cancelled again does not take the telling with it.
                await asyncio.shield(asyncio.to_thread(self._tell_end, run, run._ending(error)))
        finally:
            SIGTERM.release()

    def __call__(self, function: _Function) -> _Function:
        """The function as a job: every call is a run."""
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise SlaKitError(
                f"the job {self.name!r} can't be a generator, which has run when it is first asked, or never",
                remedy="put `with job(…)` inside it, or decorate what goes through it",
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def asynchronous(*arguments: Any, **named: Any) -> Any:
                async with self:
                    return await function(*arguments, **named)

            return cast(_Function, asynchronous)

        @functools.wraps(function)
        def synchronous(*arguments: Any, **named: Any) -> Any:
            with self:
                return function(*arguments, **named)

        return cast(_Function, synchronous)

    def _opened(self) -> Run:
        run = Run()
        self._open.set((*self._open.get(), run))
        SIGTERM.hold()
        return run

    def _closed(self) -> Run:
        *outer, run = self._open.get()
        self._open.set(tuple(outer))
        return run

    def _tell_start(self, run: Run) -> None:
        places = self._places(self._strict)
        if not places and not self._strict:
            _tell_of_nowhere(self.name)
        self._tell(places, lambda before: begun(before, run.start, self._promise), START_PATIENCE_SECONDS)

    def _tell_end(self, run: Run, ending: Ending) -> None:
        if run._elsewhere:
            return
        places = self._places(strict=False)
        told = self._tell(places, lambda before: ended(before, ending, self._promise), END_PATIENCE_SECONDS)
        run.delivered = told and bool(places)

    def _places(self, strict: bool) -> tuple[Destination, ...]:
        try:
            places = destinations(self._to)
        except SlaKitError as error:
            if strict:
                raise
            self._not_told(error)
            return ()
        if strict and not places:
            raise SlaKitError(
                f"nothing says where the metrics of the job {self.name!r} go",
                remedy=f"set {URL} or {DIRECTORY}, or pass to=",
            )
        return places

    def _tell(
        self, places: Sequence[Destination], change: Callable[[State | None], State], patience_seconds: float
    ) -> bool:
        """Tells all places, and whether all know. What goes wrong at one is logged and takes nothing from others."""
        told = True
        for place in places:
            try:
                place.update(self.name, change, patience_seconds)
            except SlaKitError as error:
                told = False
                self._not_told(error)
            except Exception as error:
                # A mistake of ours must not cost the job either; its text may quote what is secret.
                told = False
                self._not_told(SlaKitError(f"the metrics of the job {self.name!r} are lost: {type(error).__name__}"))
        return told

    def _not_told(self, error: SlaKitError) -> None:
        self.undelivered += 1
        _LOG.warning("%s", str(error).replace("\n", " "))


def _tell_of_nowhere(name: str) -> None:
    global _told_of_nowhere
    if not _told_of_nowhere:
        _told_of_nowhere = True
        _LOG.warning(
            "nothing says where metrics of jobs go, so that nobody learns how the job %r goes; set %s or %s",
            name,
            URL,
            DIRECTORY,
        )


def _seconds(value: float | str | timedelta | None, argument: str) -> float | None:
    if value is None:
        return None
    try:
        seconds = (
            value.total_seconds()
            if isinstance(value, timedelta)
            else parse_duration(value)
            if isinstance(value, str)
            else float(value)
        )
    except ValueError as error:
        raise SlaKitError(f"{argument} {error}", place=repr(value), remedy="such as 1d, 90m or 3600") from None
    if not 0 < seconds < float("inf"):
        raise SlaKitError(f"{argument} must be above 0", place=repr(value), remedy="such as 1d, 90m or 3600")
    return seconds


def _as_text(label: str) -> str:
    """A label without what can't be written, such as a file's name that is no UTF-8 brings along."""
    return label.encode(errors="replace").decode()


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
