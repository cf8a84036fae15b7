"""Reads from the outbox, now and then, what waits in it and what was given up, so that no scrape has to."""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Mapping

from sla_kit.errors import OutboxError
from sla_kit.routing.destinations import parse_destination
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.outbox.deliveries import figures
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)
_EVERY_SECONDS = 5.0


class Watcher:
    """Keeps `RouterMetrics` of an outbox up to date, from `start` to `stop`."""

    def __init__(self, outbox: Outbox, observe: RouterMetrics, every_seconds: float = _EVERY_SECONDS) -> None:
        self._outbox = outbox
        self._observe = observe
        self._every_seconds = every_seconds
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Looks at once, and then again and again."""
        self.look()
        self._thread = threading.Thread(target=self._run, name="outbox-watcher", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Looks no more."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def look(self) -> bool:
        """Reads the figures once; False where the outbox can't be read, which is a figure of its own."""
        try:
            with self._outbox.reading() as connection:
                found = figures(connection, self._outbox.clock.now())
        except OutboxError as error:
            _log.warning("what waits in the outbox could not be counted: %s", error)
            self._observe.outbox_failed()
            self._observe.outbox_up(False)
            return False
        self._observe.outbox(
            pending=sum(found.pending.values()), oldest_seconds=found.oldest, dead=_by_kind(found.dead)
        )
        self._observe.events_waiting(found.events, found.dead_events)
        self._observe.outbox_up(self._outbox.trouble is None)
        return True

    def _run(self) -> None:
        while not self._stopping.wait(self._every_seconds):
            try:
                self.look()
            except Exception:
                _log.exception("what waits in the outbox could not be counted")


def _by_kind(counts: Mapping[str, int]) -> Mapping[str, int]:
    found: Counter[str] = Counter()
    for destination, count in counts.items():
        found[parse_destination(destination).kind] += count
    return found
