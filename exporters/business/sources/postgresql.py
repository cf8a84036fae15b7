"""Figures from PostgreSQL.

Every query has a connection of its own (`sla_kit.exporters.postgresql`), kept from one run to the next where that is
due soon: so a cancelled query takes nothing with it, and a dear one that runs once an hour holds no connection between.
Where there are more queries than connections may be, they take turns.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret
from sla_kit.configuration.values import Duration
from sla_kit.exporters.business.sources import Opening, Question, Row, Source
from sla_kit.exporters.business.sources.places import Places, places_of
from sla_kit.exporters.business.sql_text import columns, may_have_column, pyformat_parameters, why_not
from sla_kit.exporters.postgresql import Postgresql, check_server

_APPLICATION = "sla-kit business"


class PostgresqlSource(Source, frozen=True, kw_only=True, tag="postgresql"):
    """A PostgreSQL database. ``url`` is libpq's (``postgresql://reader@host/shop?sslmode=verify-full``), without a
    password. A connection is kept from one run of a query to the next if that is due within ``keep`` and no other query
    needs it: there are at most ``connections`` at a time."""

    asked_by: ClassVar[str] = "sql"

    url: str
    password: Secret | None = None
    keep: Duration = 60.0
    connections: int = 20

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with the address, and so where the client library is missing."""
        check_server(self.url, self.password, findings, path)
        if self.connections < 1:
            findings.say((*path, "connections"), "must be at least 1")

    def check_question(self, asks: Any, parameters: frozenset[str], findings: Findings, path: Part) -> None:
        """Says what is wrong with the SQL, as far as that can be seen in the text."""
        if told := why_not(asks):
            findings.say(path, *told)
        named, bare_percent = pyformat_parameters(asks)
        for name in sorted(named - parameters):
            findings.say(path, f"names %({name})s, which is no parameter", "declare it under parameters or for_each")
        if parameters and bare_percent:
            findings.say(path, "has a % beside its parameters", "write it as %%")

    def answers(self, asks: Any, column: str) -> bool:
        """Whether the text names the column, or takes all there are."""
        return may_have_column(asks, column)

    def open(self, opening: Opening) -> PostgresqlOpened:
        """Makes what answers, without connecting."""
        kept = opening.schedule.interval_seconds <= self.keep
        name = f"{_APPLICATION} {opening.name}"
        postgresql = Postgresql(self.url, self.password, name, kept=kept, columns=columns)
        return PostgresqlOpened(postgresql, places_of(self, self.connections))


@dataclass(frozen=True, slots=True, eq=False)
class PostgresqlOpened:
    """One query's way to a database."""

    _postgresql: Postgresql
    _places: Places

    def rows(self, question: Question, deadline: float) -> Iterator[Row]:
        """The rows as they come. Raises `CollectError`."""
        self._places.take(self, deadline)
        try:
            yield from self._postgresql.rows(question.asks, question.parameters, deadline)
        finally:
            self._places.give(self, self._postgresql.close if self._postgresql.connected else None)

    def close(self) -> None:
        """Closes the connection, if there is one; a query that still runs on it is ended with it."""
        self._places.leave(self)
        self._postgresql.close()
