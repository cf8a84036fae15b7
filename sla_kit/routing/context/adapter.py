"""The destination ``context``: what Prometheus knows of an incident is kept with it, and its messages then say it.

Nothing here may hold a message up or be given up on aloud: what can't be had is left out, and logged.
"""

from __future__ import annotations

import logging

import msgspec
from sqlalchemy import Connection

from sla_kit.catalogue.routing import Graphs
from sla_kit.errors import SlaKitError
from sla_kit.routing.amending import amend
from sla_kit.routing.context.asking import Asking
from sla_kit.routing.context.drawing import Graph, draw
from sla_kit.routing.context.questions import (
    budget_left,
    chosen,
    objectives_query,
    plot_of,
    published_query,
    ratio_query,
)
from sla_kit.routing.delivering import Parcel, Remember
from sla_kit.routing.incident import Context, Incident
from sla_kit.routing.outbox.attachments import keep
from sla_kit.routing.outbox.store import Outbox

_log = logging.getLogger(__name__)
_POINTS = 240  # of a graph, from left to right
_MOST_SERIES = 8


class ContextAdapter:
    """Looks up what an incident's message should have beside it, and keeps it with the incident."""

    def __init__(self, asking: Asking, outbox: Outbox, window_seconds: float, *, graphs: bool) -> None:
        self._asking, self._outbox = asking, outbox
        self._window_seconds, self._graphs = window_seconds, graphs

    def deliver(self, parcel: Parcel, remember: Remember) -> None:
        """Looks it up now; what can't be had is left out."""
        incident = parcel.content
        if not isinstance(incident, Incident) or incident.status != "firing":
            return
        now = self._outbox.clock.now()
        left = self._budget_left(incident, now)
        picture = self._picture(incident, now) if self._graphs else b""
        if left is not None or picture:
            self._outbox.write(lambda connection: _record(connection, incident.dedup_key, left, picture, now))

    def close(self) -> None:
        """Lets go of connections."""
        self._asking.close()

    def _budget_left(self, incident: Incident, now: float) -> float | None:
        """The budget of the SLO that is named, else the lowest of the service's."""
        query = objectives_query(incident.labels)
        if not query:
            return None
        found: list[float] = []
        try:
            for objective in self._asking.instant(query, now):
                asked = ratio_query(objective.labels)
                for ratio in self._asking.instant(asked, now) if asked else []:
                    found += [
                        left
                        for target, bad in zip(objective.values, ratio.values, strict=False)
                        if (left := budget_left(target, bad)) is not None
                    ]
            if not found:
                published = self._asking.instant(published_query(incident.labels), now)
                found = [value for series in published for value in series.values]
        except SlaKitError as error:
            _log.warning("an error budget could not be looked up: %s", error)
        return min(found, default=None)

    def _picture(self, incident: Incident, now: float) -> bytes:
        try:
            plot = plot_of(incident)
            if plot is None:
                return b""
            start, step = now - self._window_seconds, max(self._window_seconds / _POINTS, 1.0)
            every = [each for each in self._asking.range(plot.query, start, now, step) if each.values]
            shown = [every[number] for number in chosen([each.labels for each in every], plot.labels, _MOST_SERIES)]
            if not shown:
                return b""
            return draw(
                Graph(title=plot.title, series=shown, start=start, end=now, limit=plot.limit, since=incident.opened_at)
            )
        except (SlaKitError, ModuleNotFoundError) as error:
            _log.warning("there is no graph beside an alert: %s", error)
            return b""


def open_adapter(settings: Graphs, outbox: Outbox) -> ContextAdapter | None:
    """The adapter where a Prometheus is named, else None. Raises `SecretError`."""
    if not settings.prometheus:
        return None
    token = settings.token.read() if settings.token is not None else ""
    return ContextAdapter(Asking(settings.prometheus, token), outbox, settings.window, graphs=not settings.off)


def _record(connection: Connection, dedup_key: str, left: float | None, picture: bytes, now: float) -> None:
    """Keeps what was found with the incident, where it is still open, and has its messages in Slack say it."""
    graph = keep(connection, picture, now) if picture else ""
    context = Context(budget_left=left, graph=graph, at=now)
    amend(connection, dedup_key, lambda incident: msgspec.structs.replace(incident, context=context), now)
