"""SIGTERM as an exception while jobs run, so that what ends a job by it is recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_EXIT_CODE = 128 + signal.SIGTERM


class Terminated(SystemExit):
    """SIGTERM came while a job ran; the process exits with 143, which is how shells write its end by that signal."""


class Termination:
    """Raises `Terminated` in the main thread at SIGTERM, while any job is held there and the program has no handler of
    its own. Not while a job's end is being told: then afterwards."""

    def __init__(self) -> None:
        self.came = False
        self._jobs = 0
        self._telling = 0
        self._pending = False

    def hold(self) -> None:
        """A job begins."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._jobs += 1
        if self._jobs == 1 and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            self.came = self._pending = False
            signal.signal(signal.SIGTERM, self._come)

    def release(self) -> None:
        """A job has ended."""
        if threading.current_thread() is not threading.main_thread():
            return
        self._jobs -= 1
        if self._jobs == 0 and signal.getsignal(signal.SIGTERM) == self._come:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Lets what is inside end first."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        self._telling += 1
        try:
            yield
        finally:
            self._telling -= 1
        if self._pending and not self._telling:
            self._pending = False
            raise Terminated(_EXIT_CODE)

    def _come(self, number: int, frame: FrameType | None) -> None:
        self.came = True
        if self._telling:
            self._pending = True
        else:
            raise Terminated(_EXIT_CODE)


#: There is one handler in a process.
SIGTERM = Termination()
