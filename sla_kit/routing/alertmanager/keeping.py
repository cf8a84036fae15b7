"""The running router keeps silences in step with the calendar, where `routing.alertmanager.maintenance` asks for it."""

from __future__ import annotations

import logging
import threading

from sla_kit.catalogue.model import Catalogue
from sla_kit.errors import SlaKitError
from sla_kit.routing.alertmanager.connection import access
from sla_kit.routing.alertmanager.maintenance import Synced, sync
from sla_kit.routing.alertmanager.silences import Client
from sla_kit.routing.clock import Clock

_log = logging.getLogger(__name__)
#: A window that is announced at the last moment is silenced so soon.
EVERY_SECONDS = 120.0


class MaintenanceSilences:
    """A thread that brings the silences into step every ``every_seconds``, and at once with a new catalogue. Trouble is
    logged when it begins and when it is over; maintenance is muted by the router itself meanwhile."""

    def __init__(self, catalogue: Catalogue, clock: Clock, every_seconds: float = EVERY_SECONDS) -> None:
        self._catalogue = catalogue
        self._clock = clock
        self._every = every_seconds
        self._woken = threading.Event()
        self._stopping = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="maintenance silences", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def exchange(self, catalogue: Catalogue) -> None:
        """From now on by this catalogue."""
        self._catalogue = catalogue
        self._woken.set()

    def stop(self, timeout: float) -> None:
        """Ends; a request that is under way is not waited for beyond ``timeout`` seconds."""
        self._stopping = True
        self._woken.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stopping:
            if self._catalogue.routing.alertmanager.maintenance:
                self._once(self._catalogue)
            self._woken.wait(self._every)
            self._woken.clear()

    def _once(self, catalogue: Catalogue) -> None:
        try:
            reach = access(catalogue.routing.alertmanager, catalogue.monitoring.alertmanager, patience_seconds=20.0)
            with Client(reach) as client:
                done = sync(client, catalogue, self._clock.now())
        except Exception as error:
            if str(error) != self._trouble:
                known = isinstance(error, SlaKitError)
                _log.warning("silences of maintenance can't be kept in step: %s", error, exc_info=not known)
            self._trouble = str(error)
            return
        if self._trouble:
            _log.info("silences of maintenance are kept in step again")
        self._trouble = ""
        _tell(done)


def _tell(done: Synced) -> None:
    for what, silences in (("made", done.created), ("changed", done.changed), ("ended", done.expired)):
        for each in silences:
            _log.info("silence of maintenance %s", what, extra={"silence": each.id, "about": each.comment})
