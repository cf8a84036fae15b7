"""How many connections the queries of one source hold together, in this process."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from weakref import WeakValueDictionary

from sla_kit.exporters.sidecar.collector import CollectError


class Places:
    """At most ``most`` connections at a time. A query that ended may keep its own, until another one needs the place.

    Who holds one is told by an object of its own, such as the query's way to the source.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._taken = 0
        #: Who has kept a connection that it does not use, and how it is closed: the one that ended first comes first.
        self._idle: dict[object, Callable[[], None]] = {}

    def take(self, holder: object, deadline: float) -> None:
        """Waits for a place until ``deadline`` (of `time.monotonic`). Raises `CollectError`."""
        with self._changed:
            while holder not in self._idle and self._taken >= self._most and not self._idle:
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise CollectError(
                        "timeout",
                        f"no connection was free in time: there may be {self._most}",
                        remedy="raise the source's connections, or let slow queries run less often",
                    )
            if holder in self._idle:  # with the connection that it has kept
                del self._idle[holder]
                return
            if self._taken < self._most:
                self._taken += 1
                return
            first = next(iter(self._idle))
            close = self._idle.pop(first)
            close()

    def give(self, holder: object, kept: Callable[[], None] | None) -> None:
        """Does not use its connection any more; ``kept`` closes it, and is None where it is closed already."""
        with self._changed:
            if kept is not None:
                self._idle[holder] = kept
            else:
                self._taken -= 1
            self._changed.notify_all()

    def leave(self, holder: object) -> None:
        """Closes the connection that was kept, if one was."""
        with self._changed:
            close = self._idle.pop(holder, None)
            if close is not None:
                close()
                self._taken -= 1
                self._changed.notify_all()


_known: WeakValueDictionary[object, Places] = WeakValueDictionary()
_lock = threading.Lock()


def places_of(source: object, most: int) -> Places:
    """The places of a source, the same for all of its queries, and over a reload; ``source`` says which one it is."""
    with _lock:
        found = _known.get(source)
        if found is None:
            found = _known[source] = Places(most)
        return found
