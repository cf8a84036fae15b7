"""What can be asked for figures: a source is declared as a struct with its ``kind``, and answers a query with rows.

A kind is one module here. It holds the struct that ``sources:`` decodes to (a `Source`), the struct of what a query
asks of it, where that is more than a text, and what answers (`Opened`). The client library is imported where a
connection is made and not before: a sidecar loads what its configuration uses. A new kind is added to the two unions
in `sla_kit.exporters.business.configuration`, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.values import Value
from sla_kit.exporters.sidecar.collector import Schedule

#: Columns by their names, as the query names them. A value column holds a number (int, float, Decimal), a bool, a
#: datetime or date (published in seconds since 1970; UTC where it names no zone), a timedelta (seconds) or None; a
#: label column also a str or what has a sensible ``str()``. What can't be published (bytes, a list, text as a value)
#: is passed on as it is: `sla_kit.exporters.business.rows` says so and names the column.
Row = Mapping[str, object]
#: What may be bound to a parameter of a question.
Parameter = str | int | float


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked at one time: ``asks`` is what the query has under the source's `Source.asked_by` (the text of
    ``sql:``, the struct of ``redis:``), ``parameters`` are bound to it, never pasted into it."""

    asks: Any
    parameters: Mapping[str, Parameter]


@dataclass(frozen=True, slots=True)
class Opening:
    """For whom a source is opened: the collector's ``name`` (to be shown to the server where that has a place for it)
    and ``schedule``; relative paths are relative to ``folder``."""

    name: str
    schedule: Schedule
    folder: Path


class Opened(Protocol):
    """A source as one collector uses it, from one thread at a time. It connects when first asked, not when made; a lost
    connection is made anew at the next question at the latest."""

    def rows(self, question: Question, deadline: float) -> Iterable[Row]:
        """The answer, row by row or at once. Whatever waits gives up at ``deadline`` (of `time.monotonic`).

        Raises `CollectError` with its kind (connect, timeout, auth, query, data). The message says what the source
        said; the caller adds which query it was. No secret and no whole row is in it.
        """
        ...

    def close(self) -> None:
        """Lets go of the connection; asking again would connect again."""
        ...


class Source(Value, frozen=True, kw_only=True, tag_field="kind"):
    """A declared source. A kind derives from it with ``tag="its kind"``, adds its own fields, and answers the below."""

    #: The key of a query under which its question for this kind of source stands: ``sql``, ``redis``, …
    asked_by: ClassVar[str] = ""

    def check(self, findings: Findings, path: Part) -> None:
        """Says what is wrong with the source itself; ``path`` is where it stands."""

    def check_question(self, asks: Any, parameters: frozenset[str], findings: Findings, path: Part) -> None:
        """Says what is wrong with a question; ``path`` is where it stands, ``parameters`` are the names bound to it."""

    def columns(self, asks: Any) -> frozenset[str] | None:
        """The columns that an answer will have, None where only the answer tells."""
        return None

    def answers(self, asks: Any, column: str) -> bool:
        """Whether an answer may have a column of that name."""
        known = self.columns(asks)
        return known is None or column in known

    def open(self, opening: Opening) -> Opened:
        """Makes what answers, without connecting."""
        raise NotImplementedError
