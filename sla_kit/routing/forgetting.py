"""Forgetting, once a day, what is older than the outbox keeps it, in small steps between which others write."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial

from sla_kit.errors import OutboxError
from sla_kit.routing.outbox.retention import purge
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)
#: The first time soon after a start, when the rest has settled.
_FIRST_SECONDS, _EVERY_SECONDS = 300.0, 86_400.0
#: Where it failed it is tried again after so long.
_AGAIN_SECONDS = 600.0
_PAUSE_SECONDS = 0.1


class Forgetting:
    """A thread that keeps an outbox small. ``keep_seconds`` may be changed while it runs."""

    def __init__(self, outbox: Outbox, keep_seconds: float) -> None:
        self._outbox = outbox
        self.keep_seconds = keep_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="forgetting", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Ends after the step that is under way."""
        self._stopping.set()
        self._thread.join(timeout)

    def forget(self) -> int:
        """Forgets what is older than it is kept; how many rows there were. Raises `OutboxError`."""
        before = self._outbox.clock.now() - self.keep_seconds
        gone = 0
        while not self._stopping.is_set():
            step = self._outbox.write(partial(purge, before=before))
            if not step:
                break
            gone += step
            self._stopping.wait(_PAUSE_SECONDS)
        return gone

    def _run(self) -> None:
        wait = _FIRST_SECONDS
        while not self._stopping.wait(wait):
            began = time.monotonic()
            try:
                rows = self.forget()
            except OutboxError as error:
                _log.warning("old rows could not be forgotten: %s", error)
                wait = _AGAIN_SECONDS
            except Exception:
                _log.exception("old rows could not be forgotten")
                wait = _AGAIN_SECONDS
            else:
                _log.info("old rows were forgotten", extra={"rows": rows, "seconds": time.monotonic() - began})
                wait = _EVERY_SECONDS
