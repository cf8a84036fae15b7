"""Routers that start in a moment: a process that has loaded everything once begins each life by a fork of itself.

``python -m tests.routing.end_to_end.forked`` reads lines of JSON with the arguments of `sla_kit.routing.state.Asked`,
the file of the log, and in ``prepare`` what is called in the new process first (``module:function``), and answers each
with the number of the process that runs that router.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.routing.routers import Router, until
from tests.servers.process import READY_SECONDS


class Nursery:
    """The process that routers are forked from."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.routing.end_to_end.forked"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._lock = threading.Lock()

    def __enter__(self) -> Nursery:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def begin(self, **asked: Any) -> int:
        """Starts a router; the number of its process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(asked).encode() + b"\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())


class ForkedRouter(Router):
    """A router whose lives are forks. ``prepare`` names functions (``module:function``) that each life begins with."""

    def __init__(
        self, nursery: Nursery, catalogue: Path, outbox: str, *, prepare: Sequence[str] = (), **more: Any
    ) -> None:
        super().__init__(catalogue, outbox, **more)
        self._nursery = nursery
        self._prepare = list(prepare)
        self._pid = 0

    @property
    def pid(self) -> int:
        """The number of its process; 0 while it has none."""
        return self._pid

    def start(self, *, ready: bool = True) -> None:
        """Begins a life."""
        self._pid = self._nursery.begin(
            catalogue=str(self.catalogue),
            listen=f"127.0.0.1:{self.port}",
            outbox=self.outbox,
            log=str(self.log),
            prepare=self._prepare,
        )
        if ready:
            until("the router's start", self._answers, READY_SECONDS, 0.01)

    def _answers(self) -> bool:
        try:
            return self.get("/readyz")[0] == 200
        except (OSError, HTTPException):
            assert alive(self._pid), f"the router ended; its log ends:\n{self.said()[-3000:]}"
            return False

    def kill(self) -> None:
        """Ends it at this instant, where it lives."""
        if not self._pid:  # which would mean everything that was started with this process
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        until("the router's death", lambda: not alive(self._pid), every=0.001)
        self._pid = 0

    def stop(self) -> int:
        """Tells it to end, and waits until it has."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGTERM)
            until("the router's end", lambda: not alive(self._pid), every=0.01)
            self._pid = 0
        return 0


def alive(pid: int) -> bool:
    """Whether anything of a process is left. The kernel lets go of it once the last of its threads has ended, and with
    them what it had open, since the nursery waits for none."""
    return Path(f"/proc/{pid}").exists()


def _main() -> None:
    import sla_kit.routing.adapters
    import sla_kit.routing.mail.adapter
    import sla_kit.routing.outbox.migrations
    import sla_kit.routing.pagerduty.sending
    import sla_kit.routing.service
    import sla_kit.routing.slack.adapter
    import sla_kit.routing.slack.conversation
    from sla_kit.cli.route_serving import serve_router
    from sla_kit.routing.state import Asked

    # The local Slack shows at once what it has accepted.
    sla_kit.routing.slack.conversation._SETTLE_SECONDS = 0.05
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        asked = json.loads(line)
        log, catalogue, prepare = asked.pop("log"), Path(asked.pop("catalogue")), asked.pop("prepare", [])
        pid = os.fork()
        if pid:
            sys.stdout.write(f"{pid}\n")
            sys.stdout.flush()
            continue
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for descriptor, onto in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(descriptor, onto)
        os.chdir(catalogue.parent)
        try:
            for each in prepare:
                module, _, function = each.partition(":")
                getattr(importlib.import_module(module), function)()
            serve_router(Asked(catalogue=catalogue, **asked))
        except BaseException as error:
            sys.stderr.write(f"{error}\n")
            sys.stderr.flush()
        os._exit(3)


if __name__ == "__main__":
    _main()
