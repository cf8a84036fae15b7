"""The incidents that a batch of events is about, each read once and written once, whatever happens to it in between."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, text

from sla_kit.routing.destinations import Destination
from sla_kit.routing.incident import Incident, decode
from sla_kit.routing.outbox import incidents, timers
from sla_kit.routing.outbox.incidents import Stored
from sla_kit.routing.planning.merging import Resolution

#: Timers that hold what is known to be over, by dedup key.
OVER = "over"
_AT_ONCE = 500
_NEWEST = text("""
SELECT id, version, dedup_key, body FROM incident WHERE id IN
  (SELECT max(id) FROM incident WHERE dedup_key IN :keys GROUP BY dedup_key)
""").bindparams(bindparam("keys", expanding=True))
_OVER = text("SELECT key, data FROM timer WHERE kind = :kind AND key IN :keys").bindparams(
    bindparam("keys", expanding=True)
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """That a destination is to be told, for a contact; ``held`` for a digest."""

    contact: str
    held: bool = False


@dataclass(slots=True, eq=False)
class Case:
    """An incident while it is worked on. ``stored`` is what is kept of it, None where it is new. ``asks`` says that it
    is to be decided who is told, ``urgent`` that nobody waits for `Routing.update_every`; ``wanted`` is who is told
    beside those who were already, ``escalate_at`` when further ones are, unless somebody responds."""

    incident: Incident
    stored: Stored | None = None
    asks: bool = False
    urgent: bool = False
    wanted: dict[Destination, Wanted] = field(default_factory=dict)
    escalate_at: float | None = None

    @property
    def open(self) -> bool:
        """Whether it fires."""
        return self.incident.status == "firing"

    @property
    def attended(self) -> bool:
        """Whether nobody has to be found for it any more."""
        return not self.open or self.incident.acknowledged or bool(self.incident.closed_by)

    def change(self, *, urgent: bool = False, **changes: Any) -> None:
        """Replaces fields of the incident."""
        self.incident = msgspec.structs.replace(self.incident, **changes)
        self.urgent |= urgent


class Cases:
    """Incidents by their dedup key: of each key the newest one, and all in the order in which they came up."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._newest: dict[str, Case | None] = {}
        self._all: list[Case] = []
        self._over: dict[str, dict[str, Resolution]] = {}
        self._changed_over: set[str] = set()

    def load(self, dedup_keys: Collection[str]) -> None:
        """Reads what is known of these at once."""
        keys = sorted(set(dedup_keys) - self._newest.keys())
        for start in range(0, len(keys), _AT_ONCE):
            part = keys[start : start + _AT_ONCE]
            found = {row.dedup_key: row for row in self._connection.execute(_NEWEST, {"keys": part})}
            over = {row.key: row.data for row in self._connection.execute(_OVER, {"kind": OVER, "keys": part})}
            for key in part:
                row = found.get(key)
                self._newest[key] = None
                if row is not None:
                    stored = Stored(id=row.id, version=row.version, incident=decode(bytes(row.body)))
                    self._add(Case(stored.incident, stored))
                self._over[key] = msgspec.json.decode(over[key], type=dict[str, Resolution]) if key in over else {}

    def newest(self, dedup_key: str) -> Case | None:
        """The last incident of a key, open or not."""
        if dedup_key not in self._newest:
            stored = incidents.recent(self._connection, dedup_key)
            self._newest[dedup_key] = None if stored is None else self._add(Case(stored.incident, stored))
        return self._newest[dedup_key]

    def find_open(self, dedup_key: str) -> Case | None:
        """The incident of a key that fires."""
        case = self.newest(dedup_key)
        return case if case is not None and case.open else None

    def begin(self, incident: Incident) -> Case:
        """A new incident, of which somebody is to be told."""
        return self._add(Case(incident, asks=True, urgent=True))

    def all(self) -> list[Case]:
        """All that came up so far."""
        return list(self._all)

    def over(self, dedup_key: str) -> dict[str, Resolution]:
        """What is known to be over of a group."""
        if dedup_key not in self._over:
            timer = timers.get(self._connection, OVER, dedup_key)
            data = timer.data if timer is not None else {}
            self._over[dedup_key] = msgspec.convert(data, dict[str, Resolution])
        return self._over[dedup_key]

    def keep_over(self, dedup_key: str, resolutions: dict[str, Resolution]) -> None:
        """Keeps what is known to be over of a group."""
        if resolutions != self._over.get(dedup_key):
            self._over[dedup_key] = resolutions
            self._changed_over.add(dedup_key)

    def write_over(self, keep_seconds: float) -> None:
        """Writes it down, for as long as it matters."""
        for key in sorted(self._changed_over):
            known = self._over[key]
            if known:
                until = max(each.heard_at for each in known.values()) + keep_seconds
                data = {name: [each.starts_at, each.ends_at, each.heard_at] for name, each in known.items()}
                timers.set_timer(self._connection, OVER, key, until, data)
            else:
                timers.cancel(self._connection, OVER, key)

    def _add(self, case: Case) -> Case:
        self._newest[case.incident.dedup_key] = case
        self._all.append(case)
        return case
