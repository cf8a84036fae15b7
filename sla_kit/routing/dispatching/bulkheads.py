"""Threads for each service, of which it can never have more: one that hangs holds up nobody else's.

M. Nygard, "Release It!", ch. 5, "Bulkheads".
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue

Job = Callable[[], None]


class Ticket:
    """A job that is under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.ended = False
        self.abandoned = False


class Bulkhead:
    """Runs up to ``size`` jobs at a time, each in a thread; threads are begun when they are needed and stay.

    A job that hangs can be abandoned, which makes room for another one; up to ``size`` of them, since each still is a
    thread of its own. ``free`` is then 0 until one ends. ``on_end`` is called whenever there is room again.
    """

    def __init__(self, name: str, size: int, on_end: Job = lambda: None) -> None:
        self.name = name
        self.size = size
        self._on_end = on_end
        self._jobs: SimpleQueue[Ticket | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._busy = 0
        self._hanging = 0
        self._threads = 0
        self._numbers = 0

    @property
    def busy(self) -> int:
        """Jobs that are under way and not abandoned."""
        return self._busy

    @property
    def free(self) -> int:
        """How many more jobs may be run."""
        return 0 if self._hanging >= self.size else self.size - self._busy

    def run(self, job: Job) -> Ticket:
        """Begins a job, which must not raise. Raises ``RuntimeError`` where no thread is free or can be made."""
        ticket = Ticket(job)
        with self._lock:
            if self.free <= 0:
                raise RuntimeError(f"all threads for {self.name} are busy")
            if self._threads <= self._busy:
                self._begin()
            self._busy += 1
            self._jobs.put(ticket)
        return ticket

    def abandon(self, ticket: Ticket) -> bool:
        """Waits for a job no longer. False where it has just ended."""
        with self._lock:
            if ticket.ended or ticket.abandoned:
                return False
            ticket.abandoned = True
            self._busy -= 1
            self._threads -= 1
            self._hanging += 1
            return True

    def close(self) -> None:
        """Lets idle threads end, and others once their job does; begins no job after this."""
        with self._lock:
            for _ in range(self._threads):
                self._jobs.put(None)
            self.size = 0

    def _begin(self) -> None:
        self._numbers += 1
        # A daemon: a call that hangs must not keep the process from ending.
        threading.Thread(target=self._work, name=f"{self.name}-{self._numbers}", daemon=True).start()
        self._threads += 1

    def _work(self) -> None:
        while (ticket := self._jobs.get()) is not None:
            try:
                ticket.job()
            finally:
                with self._lock:
                    ticket.ended = True
                    if ticket.abandoned:
                        self._hanging -= 1
                    else:
                        self._busy -= 1
                self._on_end()
            if ticket.abandoned:
                return
