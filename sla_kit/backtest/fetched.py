"""Rules on a live server's history without having it evaluate them: the raw samples that they read are fetched, and a
Prometheus of our own evaluates the rules on those, as it does on a recording's."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager

from sla_kit.backtest.evaluators import Evaluator, LiveServer, Wanted
from sla_kit.backtest.fetching import Fetching
from sla_kit.backtest.kept import State, digest
from sla_kit.backtest.local import Programs
from sla_kit.backtest.needs import names_left_out, needs
from sla_kit.backtest.own import OwnPrometheus
from sla_kit.backtest.resolving import Recordings
from sla_kit.backtest.rule_files import RuleSet
from sla_kit.sources import Progress


class FetchedHistory:
    """A live server's samples, and a Prometheus of our own that evaluates."""

    name = "prometheus"

    def __init__(self, server: LiveServer, programs: Programs, state: State) -> None:
        self._server = server
        self._own = OwnPrometheus(programs, state)
        self._fetching = Fetching(server.connection, server.timeout_seconds, server.identity, state, server.connections)
        self.source = server.source
        self.connections = self._own.connections
        self.identity = digest("fetched", server.identity, programs)

    def span(self) -> tuple[int, int] | None:
        """None: no API says cheaply how far back a server remembers."""
        return None

    def reach(self, names: Sequence[str], start: int, end: int) -> int:
        """As the server tells it."""
        return self._server.reach(names, start, end)

    def checking(self) -> AbstractContextManager[Evaluator]:
        """An empty Prometheus."""
        return self._own.checking()

    def recorded(self, recordings: Recordings, expressions: Sequence[str]) -> frozenset[str]:
        """Those that are read often, or by ranges."""
        return recordings.worth_recording(expressions)

    def prepared(
        self, wanted: Wanted, everything: Sequence[Wanted], progress: Progress
    ) -> AbstractContextManager[Evaluator]:
        """A Prometheus over the samples that any set of rules needs and over what this one records."""
        needed = needs(wanted, everything)
        end = max(each.end for each in everything)
        begin = int(min((need.begin for need in needed), default=end))
        seen = self._server.found({need.reading.metric for need in needed} - {""}, begin, end)
        planned = self._fetching.planned(needed, end, seen)
        pieces = [piece for _, several in planned for piece in several]
        self._fetching.fetch(pieces, progress)
        left_out = names_left_out(wanted.recordings, needed)
        name = digest(self.identity, planned, sorted(left_out) if any(not metric for metric, _ in planned) else "")
        raw = self._own.stored(name, self._fetching.series(planned, left_out))
        lacking = frozenset(need.reading.metric for need in needed)
        lacking = lacking.difference((metric for metric, _ in planned), [""])
        return self._own.over(raw, self._fetching.first(pieces), lacking, wanted, progress)

    def missing(self, names: Sequence[str], start: int, end: int) -> set[str]:
        """As the server tells it."""
        return self._server.missing(names, start, end)

    def close(self) -> None:
        """Closes the connections."""
        self._server.close()


def worth_fetching(rules: Iterable[RuleSet]) -> bool:
    """Whether any rule reads ranges of what others record: a server would have to evaluate subqueries."""
    from sla_kit.backtest.expressions import readings
    from sla_kit.backtest.resolving import recordings_of

    for each in rules:
        recordings = Recordings(recordings_of(each.groups, 60))
        for placed in (placed for group in each.groups for placed in group.rules):
            if any(one.range and recordings.gives(one) for one in readings(placed.rule.expression)):
                return True
    return False
