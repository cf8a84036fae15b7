"""Ends that Alertmanager does not tell: of what was silenced or inhibited when it ended, or what it has forgotten.

It tells a receiver nothing of an alert that a silence or another alert holds back, not even that it is over
(prometheus.io/docs/alerting/latest/alertmanager). An incident of it would stay open, and escalate once the silence is
over. So the running router looks at Alertmanager's list of alerts, and takes for over what was on it and is so no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from sla_kit.catalogue.model import Catalogue
from sla_kit.errors import SlaKitError
from sla_kit.routing.alertmanager.connection import access
from sla_kit.routing.alertmanager.silences import Client, FiringAlert
from sla_kit.routing.events import Alert, Alerts
from sla_kit.routing.outbox import timers
from sla_kit.routing.outbox.accepting import put
from sla_kit.routing.outbox.incidents import find_open, listed
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)
EVERY_SECONDS = 30.0
#: So long an alert must have been off the list: a restart of Alertmanager, which is told anew within a minute, is no
#: end; and what nothing holds back Alertmanager tells by itself, at the latest after its group's interval.
HELD_BACK_SECONDS, TOLD_SECONDS = 120.0, 900.0
#: What was taken for over is looked for so long: of an alert that fires again Alertmanager, which has told no end, may
#: tell only after its repeat interval.
_REMEMBERED_SECONDS = 86_400.0
_ENDED = "ended"
_MOST_INCIDENTS = 10_000
SENDER = "watching"

_Key = tuple[tuple[str, str], ...]


class Seen(Struct, frozen=True):
    """When an alert was last on the list, by a clock that only runs on, and whether something held it back then."""

    at: float
    held_back: bool


def missing(
    firing: Iterable[Alert], seen: Mapping[_Key, Seen], now: float, held_back_seconds: float, told_seconds: float
) -> list[Alert]:
    """Which of the alerts that fire here were on Alertmanager's list, and have been off it for long enough."""
    found = []
    for alert in firing:
        last = seen.get(key_of(alert.labels))
        if last is not None and now - last.at > (held_back_seconds if last.held_back else told_seconds):
            found.append(alert)
    return found


def key_of(labels: Mapping[str, str]) -> _Key:
    """What tells an alert from others: all its labels."""
    return tuple(sorted((name, value) for name, value in labels.items() if value))


class Watching:
    """A thread that looks every ``every_seconds``. What it finds is committed as events, like all that comes in."""

    def __init__(
        self,
        catalogue: Catalogue,
        outbox: Outbox,
        planned: Callable[[], None] = lambda: None,
        *,
        every_seconds: float = EVERY_SECONDS,
        held_back_seconds: float = HELD_BACK_SECONDS,
        told_seconds: float = TOLD_SECONDS,
    ) -> None:
        self._catalogue, self._outbox, self._planned = catalogue, outbox, planned
        self._every, self._held_back, self._told = every_seconds, held_back_seconds, told_seconds
        self._seen: dict[_Key, Seen] = {}
        self._trouble = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watching Alertmanager", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def exchange(self, catalogue: Catalogue) -> None:
        """From the next look on by this catalogue."""
        self._catalogue = catalogue

    def stop(self, timeout: float) -> None:
        """Ends; a look that is under way is not waited for beyond ``timeout`` seconds."""
        self._ended.set()
        self._thread.join(timeout)

    def look(self, alerts: Iterable[FiringAlert]) -> None:
        """Takes Alertmanager's list of alerts as it is now."""
        now, there = time.monotonic(), {key_of(each.labels): each for each in alerts}
        for key, each in there.items():
            self._seen[key] = Seen(now, bool(each.silenced_by or each.inhibited_by))
        self._seen = {key: last for key, last in self._seen.items() if now - last.at < 2 * self._told}
        with self._outbox.reading() as connection:
            opened = listed(connection, limit=_MOST_INCIDENTS, open_only=True)
            known = timers.of_kind(connection, _ENDED)
        over: dict[str, list[Alert]] = {}
        here: set[_Key] = set()
        for stored in opened:
            firing = stored.incident.firing if stored.incident.kind == "alerts" else []
            here.update(key_of(alert.labels) for alert in firing)
            if gone := missing(firing, self._seen, now, self._held_back, self._told):
                over[stored.incident.dedup_key] = gone
        # Until it is known here, since what fires so soon may be taken for an old word of what is over.
        done = [timer for timer in known if key_of(timer.data["alert"]) in here]
        again = [there[key] for timer in known if (key := key_of(timer.data["alert"])) in there and key not in here]
        again = [each for each in again if not (each.silenced_by or each.inhibited_by)]
        if over or again or done:
            self._outbox.write(lambda connection: _commit(connection, over, again, done, self._outbox.clock.now()))
            self._planned()

    def _run(self) -> None:
        while not self._ended.wait(self._every):
            catalogue = self._catalogue
            settings = catalogue.routing.alertmanager
            if not settings.watch or not (settings.url or catalogue.monitoring.alertmanager):
                continue
            try:
                with Client(access(settings, catalogue.monitoring.alertmanager, patience_seconds=10.0)) as client:
                    alerts = client.firing()
                self.look(alerts)
            except Exception as error:
                if str(error) != self._trouble:
                    known = isinstance(error, SlaKitError)
                    _log.warning("ends that Alertmanager does not tell can't be seen: %s", error, exc_info=not known)
                self._trouble = str(error)
                self._seen.clear()  # nobody knows since when an alert is off the list
            else:
                self._trouble = ""


def _commit(
    connection: Connection,
    over: Mapping[str, list[Alert]],
    again: Iterable[FiringAlert],
    done: Iterable[timers.Timer],
    now: float,
) -> None:
    for timer in done:
        timers.cancel(connection, timer.kind, timer.key)
    for dedup_key, gone in over.items():
        stored = find_open(connection, dedup_key)
        if stored is None:
            continue
        here = stored.incident.alerts
        gone = [each for each in gone if here.get(each.fingerprint) == each]  # nothing was heard of it meanwhile
        if not gone:
            continue
        _log.info("taken for over: Alertmanager has it on its list no more", extra={"incident": dedup_key})
        for each in gone:
            timers.set_timer(
                connection, _ENDED, f"{dedup_key} {each.fingerprint}"[:255], now + _REMEMBERED_SECONDS,
                {"alert": each.labels},
            )  # fmt: skip
        resolved = [msgspec.structs.replace(each, firing=False, ends_at=max(now, each.starts_at)) for each in gone]
        incident = stored.incident
        put(connection, Alerts(
            alerts=resolved, receiver=incident.receiver, external_url=incident.external_url, sender=SENDER
        ), now)  # fmt: skip
    for one in again:
        alert = Alert(
            labels=one.labels,
            fingerprint=one.fingerprint,
            firing=True,
            starts_at=one.starts_at,
            annotations=one.annotations,
            generator_url=one.generator_url,
        )
        put(connection, Alerts(alerts=[alert], sender=SENDER), now)
