"""Figures from an SQLite file, which is opened for reading only, anew each time: it may have been replaced."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.exporters.business.sources import Opening, Question, Row, Source
from sla_kit.exporters.business.sql_text import colon_parameters, columns, may_have_column, why_not
from sla_kit.exporters.sidecar.collector import CollectError, Kind

#: After so many steps of SQLite's machine the clock is looked at: some tens of microseconds.
_STEPS = 5_000
_UNDECODABLE = re.compile("Could not decode to UTF-8 column '(.*?)' with text")
_SAID: tuple[tuple[str, Kind, str], ...] = (
    ("SQLITE_INTERRUPT", "timeout", "give it an index, ask for less, or raise timeout"),
    ("SQLITE_BUSY", "timeout", "who writes holds it for long; WAL (PRAGMA journal_mode = WAL) lets readers in"),
    ("SQLITE_LOCKED", "timeout", "who writes holds it for long"),
    ("SQLITE_CANTOPEN", "connect", "check the file, and that the exporter may read it and its folder"),
    ("SQLITE_READONLY_CANTINIT", "connect", "the exporter must be able to write the folder of a database in WAL mode"),
    ("SQLITE_READONLY", "query", "a query only reads"),
    ("SQLITE_PERM", "auth", "let the exporter read the file"),
    ("SQLITE_AUTH", "query", "a query only reads"),
    ("SQLITE_NOTADB", "data", "check the file: it may be encrypted, or something else"),
    ("SQLITE_CORRUPT", "data", "the database is damaged: try PRAGMA integrity_check"),
    ("SQLITE_IOERR", "connect", "see the machine's log"),
)


class SqliteSource(Source, frozen=True, kw_only=True, tag="sqlite"):
    """An SQLite database in a ``file``, relative to the configuration's folder."""

    asked_by: ClassVar[str] = "sql"

    file: str

    def check(self, findings: Findings, path: Part) -> None:
        """Says so where no file is named."""
        if not self.file or self.file == ":memory:":
            findings.say((*path, "file"), "must name a file", "such as /var/lib/shop/shop.db")

    def check_question(self, asks: Any, parameters: frozenset[str], findings: Findings, path: Part) -> None:
        """Says what is wrong with the SQL, as far as that can be seen in the text."""
        if told := why_not(asks):
            findings.say(path, *told)
        for name in sorted(colon_parameters(asks) - parameters):
            findings.say(path, f"names :{name}, which is no parameter", "declare it under parameters or for_each")

    def answers(self, asks: Any, column: str) -> bool:
        """Whether the text names the column, or takes all there are."""
        return may_have_column(asks, column)

    def open(self, opening: Opening) -> Sqlite:
        """Makes what answers, without opening the file."""
        return Sqlite(opening.folder / self.file)


class Sqlite:
    """One file, asked."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def rows(self, question: Question, deadline: float) -> Iterator[Row]:
        """The rows as they come. Raises `CollectError`."""
        connection: sqlite3.Connection | None = None
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(self._file.absolute()))}?mode=ro",
                uri=True,
                timeout=max(0.0, deadline - time.monotonic()),
                isolation_level=None,
                check_same_thread=False,  # closed by whoever drops an answer that was not read to its end
            )
            connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
            connection.execute("PRAGMA query_only = ON")
            connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
            cursor = connection.execute(question.asks, dict(question.parameters))
            if cursor.description is None:
                raise CollectError("query", "the query has no columns", place=str(self._file))
            names = columns(column[0] for column in cursor.description)
            for values in cursor:
                yield dict(zip(names, values, strict=True))
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._told(error, deadline) from None
        finally:
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Nothing is held between questions."""

    def _told(self, error: Exception, deadline: float) -> CollectError:
        name = getattr(error, "sqlite_errorname", "") or ""
        said = str(error)[:300]
        for begins, kind, remedy in _SAID:
            if name.startswith(begins):
                if begins == "SQLITE_CANTOPEN" and not self._file.exists():
                    said = "there is no such file"
                if kind == "timeout" and begins == "SQLITE_INTERRUPT":
                    said = "the query was not done in time"
                return CollectError(kind, said, place=str(self._file), remedy=remedy)
        if undecodable := _UNDECODABLE.match(said):  # which would quote what it can't read
            return CollectError(
                "data",
                f"column {undecodable[1]} holds text that is not UTF-8",
                place=str(self._file),
                remedy="store it as UTF-8, or take hex() of it",
            )
        return CollectError("query", said, place=str(self._file))
