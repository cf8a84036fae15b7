"""Which rows belong to which indicator: an identity made from what is measured and how."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache

import msgspec
from sqlalchemy import Connection, func, select

from sla_kit.catalogue.model import Catalogue, Composite, External, Recovery
from sla_kit.ledger.tables import indicator as table
from sla_kit.sources import Indicator

#: Fields of an indicator that measure nothing; and indicators that are made from other SLOs, or that no source reads.
_FOR_PEOPLE = ("annotations", "description", "labels", "title")
_NEVER_ASKED = (Recovery, Composite, External)


@dataclass(frozen=True, slots=True)
class Identity:
    """One indicator as it is defined now; an indicator that is defined anew is another one, with rows of its own."""

    catalogue: str
    environment: str
    service: str
    name: str
    bucket: int
    definition: str

    @classmethod
    def of(cls, catalogue: Catalogue, indicator: Indicator) -> Identity:
        """The identity of a catalogue's indicator. What people read of it, and what the server adds up before it
        answers, changes no figure and so is no part of it; nor is a field that is left out."""
        fields = msgspec.to_builtins(indicator.sli)
        plain = _defaults(type(indicator.sli))
        sli = {
            name: _plain(value)
            for name, value in fields.items()
            if name == "kind" or (name not in _FOR_PEOPLE and value not in (plain[name], {}, []))
        }
        parts: dict[str, object] = {"sli": sli, "source": indicator.source}
        if indicator.logs is not None:  # what of them tells which documents count, and when
            logs = {"time": indicator.logs.fields.time, "quiet": _plain(indicator.logs.quiet)}
            if indicator.logs.fields.message != "message":  # where bare words of a query string are looked for
                logs["message"] = indicator.logs.fields.message
            parts["logs"] = logs
        return cls(
            catalogue.name,
            catalogue.environment,
            *indicator.key,
            int(catalogue.bucket),
            json.dumps(parts, sort_keys=True, separators=(",", ":"), ensure_ascii=False),
        )

    @property
    def id(self) -> int:
        """A number of 63 bits."""
        parts = (self.catalogue, self.environment, self.service, self.name, str(self.bucket), self.definition)
        found = hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).digest()
        return int.from_bytes(found[:8], "big") >> 1

    @property
    def kind(self) -> str:
        """The kind of indicator: requests, probe…"""
        return str(json.loads(self.definition)["sli"]["kind"])


def _plain(value: object) -> object:
    """A number as it is written the same from Python (30) and from a file (30.0)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, object]:
    return {each.encode_name: each.default for each in msgspec.structs.fields(kind)}


def indicators_of(catalogue: Catalogue) -> list[Indicator]:
    """Every indicator that a source is asked for, each once, in the catalogue's order."""
    found: dict[tuple[str, str], Indicator] = {}
    for service, slo in catalogue.slos():
        if not isinstance(catalogue.sli(service, slo), _NEVER_ASKED):
            indicator = Indicator.of(catalogue, service, slo)
            found.setdefault(indicator.key, indicator)
    return list(found.values())


def names_defined_twice(connection: Connection, catalogue: str, environment: str) -> set[tuple[str, str]]:
    """Service and name of the indicators of which the ledger has rows of several definitions."""
    names = (table.c.service, table.c.name)
    mine = (table.c.catalogue == catalogue) & (table.c.environment == environment)
    query = select(*names).where(mine).group_by(*names).having(func.count() > 1)
    return {(service, name) for service, name in connection.execute(query)}
