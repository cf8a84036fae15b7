"""The dead man's switch: Alertmanager that is silent for too long is an incident itself.

Every webhook of Alertmanager's is a sign of life. The alert Watchdog, which always fires, makes sure that there are
some; what hears it first arms the switch, unless `DeadMan.after` arms it from the start. After a start of the router
the full time passes before anything is said, since nobody could be heard while it was down.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sla_kit.catalogue.routing import DeadMan
from sla_kit.configuration.quantities import format_duration
from sla_kit.generate.alertmanager import WATCHDOG
from sla_kit.routing.events import Alert, Alerts
from sla_kit.routing.incident import Incident
from sla_kit.routing.outbox import heartbeats, timers
from sla_kit.routing.planning.cases import Cases
from sla_kit.routing.planning.grouping import dedup_key

#: The timer that goes off when nothing was heard.
DEAD_MAN = "dead-man"
SENDER = "alertmanager"
#: How long silence may be where the catalogue says nothing, in seconds: a restart of Prometheus and Alertmanager,
#: which takes a few minutes, is none.
DEFAULT_AFTER_SECONDS = 600.0
_GROUP = '{"dead-man":"alertmanager"}'
_WATCHED = "watchdog"
_RECEIVER = "_heartbeat"


def without_watchdog(event: Alerts) -> list[Alert]:
    """The alerts that are not there to be a sign of life only."""
    if event.receiver == _RECEIVER:
        return []
    return [alert for alert in event.alerts if alert.name != WATCHDOG]


def start(connection: Connection, settings: DeadMan, now: float) -> None:
    """Gives the full time after a start of the router."""
    if settings.off:
        timers.cancel(connection, DEAD_MAN, SENDER)
    elif settings.after is not None or heartbeats.last(connection, _WATCHED) is not None:
        timers.set_timer(connection, DEAD_MAN, SENDER, now + _after(settings))


def hear(connection: Connection, settings: DeadMan, cases: Cases, at: float, now: float, *, watchdog: bool) -> None:
    """Alertmanager was heard at that time."""
    heartbeats.beat(connection, SENDER, max(at, heartbeats.last(connection, SENDER) or 0.0))
    if watchdog:
        heartbeats.beat(connection, _WATCHED, at)
    if settings.off:
        return
    case = cases.find_open(dedup_key(_GROUP))
    if case is not None and at >= case.incident.opened_at:
        case.change(status="resolved", resolved_at=max(at, case.incident.opened_at), urgent=True)
    armed = watchdog or settings.after is not None or heartbeats.last(connection, _WATCHED) is not None
    if armed and timers.get(connection, DEAD_MAN, SENDER) is None:
        timers.set_timer(connection, DEAD_MAN, SENDER, max(at + _after(settings), now))


def go_off(connection: Connection, settings: DeadMan, cases: Cases, now: float) -> None:
    """The time is up: it is an incident, unless something was heard meanwhile."""
    if settings.off:
        return
    heard = heartbeats.last(connection, SENDER)
    if heard is not None and heard + _after(settings) > now:
        timers.set_timer(connection, DEAD_MAN, SENDER, heard + _after(settings))
        return
    if cases.find_open(dedup_key(_GROUP)) is not None:
        return
    after = format_duration(_after(settings))
    cases.begin(
        Incident(
            group=_GROUP,
            dedup_key=dedup_key(_GROUP),
            title=f"Alertmanager has been silent for {after}",
            severity="critical",
            status="firing",
            opened_at=now if heard is None else heard,
            received_at=now,
            kind="dead-man",
            labels={"alertname": "AlertmanagerSilent", "severity": "critical"},
            notes=["No alert can be told while Prometheus or Alertmanager is down, or can't reach the router."],
        )
    )


def _after(settings: DeadMan) -> float:
    return DEFAULT_AFTER_SECONDS if settings.after is None else settings.after
