"""What is asked of the logs of a window, and what their time before it can tell."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sla_kit.catalogue.model import Catalogue
from sla_kit.error_tracking.asking import Query, Readable, Span, both, counted, first, is_value, neither
from sla_kit.error_tracking.classifying import History
from sla_kit.error_tracking.found import Found
from sla_kit.error_tracking.reading import Logs
from sla_kit.error_tracking.searching import Searches, seconds, total
from sla_kit.timeline import Finding

#: By so much of a span its first document may be late where the span is covered.
_LATE = 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a window, the time of equal length before it, and the lookback up to the window's start."""

    catalogue: Catalogue
    logs: Logs
    window: Span
    before: Span
    history: Span
    everything: Query
    errors: Query

    @property
    def unkeyed(self) -> Query:
        group = self.logs.readable.group
        return both(self.errors, neither({"exists": {"field": group}})) if group else self.errors

    def whole(self) -> Span:
        """From the lookback's start to the window's end."""
        return Span(self.history.start, self.window.end)


@dataclass(frozen=True, slots=True)
class Counts:
    """All documents and errors, and since when there are any."""

    documents: int
    total: int
    before: int
    first_document: float | None
    first_keyed: float | None
    unkeyed_earlier: int

    @classmethod
    def read(cls, search: Searches, question: Question) -> Counts:
        time, group = question.logs.readable.time, question.logs.readable.group
        window, history = question.window.within(time), question.history.within(time)
        whole = question.whole().within(time)
        earliest = {"aggs": {"first": first(time)}}
        bodies = [
            counted(both(question.everything, window)),
            counted(both(question.errors, window)),
            counted(both(question.errors, question.before.within(time))),
            {**counted(both(question.everything, whole)), "track_total_hits": False, **earliest},
            counted(both(question.unkeyed, history)),
        ]
        if group:
            keyed = both(question.errors, whole, {"exists": {"field": group}})
            bodies.append({**counted(keyed), "track_total_hits": False, **earliest})
        answers = search.all("count errors", bodies)
        return cls(
            documents=total(answers[0]),
            total=total(answers[1]),
            before=total(answers[2]),
            first_document=seconds(answers[3], "first"),
            first_keyed=seconds(answers[5], "first") if group else None,
            unkeyed_earlier=total(answers[4]),
        )

    def keys_are_new(self, question: Question) -> bool:
        """Whether keys began to be written in the window, though there were errors before."""
        return self.first_keyed is not None and self.first_keyed > question.window.start and self.unkeyed_earlier > 0

    def history(self, question: Question, keyed: bool) -> History:
        """What the time before the window can tell of groups."""
        if self.first_document is None:
            return History(False, False)
        covered = self.first_document <= question.before.start + _LATE * (question.before.end - question.before.start)
        reaches = self.first_document <= question.window.start
        if keyed and self.keys_are_new(question):
            return History(False, False)
        return History(reaches, covered)

    def findings(self, question: Question) -> list[Finding]:
        """What the time before the window can't tell."""
        found = []
        span = question.history
        late = self.first_document is not None and self.first_document > span.start + _LATE * (span.end - span.start)
        if self.first_document is not None and self.first_document > question.window.start:
            said = "there is no document from before the window: which groups are new or surge is not known"
            found.append(Finding("new-unknown", said))
        elif late and self.first_document is not None:
            said = f"the logs reach back to {day(self.first_document)} only, not to {day(span.start)}: a group is new"
            found.append(Finding("history-short", f"{said} where it was not seen since then"))
        if self.keys_are_new(question):
            said = "no error from before the window has a key: which of those with one are new or surge is not known"
            found.append(Finding("new-unknown", said))
        return found


def day(time: float) -> str:
    """A time for people."""
    return f"{datetime.fromtimestamp(time, UTC):%Y-%m-%d %H:%M} UTC"


def of_group(readable: Readable, group: Found) -> Query:
    """The documents that bring a group's key, of its service."""
    service = [is_value(readable.service, group.service)] if readable.service else []
    return both({"term": {readable.group: group.key}}, *service)
