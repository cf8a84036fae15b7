"""An Elasticsearch as a source of history."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from elasticsearch import Elasticsearch

from sla_kit.catalogue.model import LOG_KINDS, LogLatency
from sla_kit.elastic import Cluster, ClusterError, ClusterSettings, open_cluster
from sla_kit.sources import Indicator, Progress, no_progress
from sla_kit.sources.elasticsearch.asking import LostPointError, Point, point_in_time, run
from sla_kit.sources.elasticsearch.fields import Fit, Mapped, Remark, fit
from sla_kit.sources.elasticsearch.indices import Pattern, read_pattern
from sla_kit.sources.elasticsearch.lacking import Lacking
from sla_kit.sources.elasticsearch.questions import Question, log_parts, needs, question, sharing
from sla_kit.sources.elasticsearch.quiet import lead, named_days
from sla_kit.sources.elasticsearch.searches import Ahead, Counting, Future, Measured, Percentiles, Presence, Search
from sla_kit.sources.elasticsearch.spans import PAGE
from sla_kit.sources.elasticsearch.timelines import SKEW_SECONDS, Dark, Seen, seen_in, timeline, unknown
from sla_kit.timeline import Finding, Grid, Timeline

#: Numbers that are kept at the same time: what does not fit is read after the first timelines were given away.
_MOST_FLOATS = 30_000_000
#: A reading whose point in time was lost begins anew so often.
_READINGS = 4


@dataclass(frozen=True, slots=True)
class _Place:
    """What questions have in common that look at the same documents."""

    target: str
    time: str
    ingested: str
    quiet_seconds: float


@dataclass(slots=True)
class _Found:
    """What one reading of a place has found."""

    presence: Presence
    countings: list[Counting]
    measured: dict[tuple[str, str], Measured]
    ahead: Future = field(default_factory=Future)


class ElasticsearchSource:
    """A source of history behind an Elasticsearch.

    ``client`` is an address, a user's own ``Elasticsearch``, or a `Cluster`. Nothing is asked before the first read.
    What is read of one indicator is read at one point in time, wherever the server has those.
    """

    #: Which of several sources is asked for documents.
    holds_logs = True

    def __init__(
        self,
        client: str | Elasticsearch | Cluster,
        settings: ClusterSettings | None = None,
        *,
        page: int = PAGE,
        clock: Callable[[], float] = time.time,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cluster = client if isinstance(client, Cluster) else Cluster(client, settings)
        self._page = page
        self._clock = clock
        self._pause = pause

    def __repr__(self) -> str:
        return f"ElasticsearchSource({self.name!r})"

    @property
    def name(self) -> str:
        """The address without secrets."""
        return self.cluster.name

    @property
    def requests(self) -> int:
        """How many requests were made so far."""
        return self.cluster.requests

    def span(self) -> tuple[int, int] | None:
        """None: a cluster is alive, and reports look back from now."""
        return None

    def close(self) -> None:
        """Closes the connections."""
        self.cluster.close()

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        """Each indicator with its timeline. Raises `ClusterError` where the cluster does not answer, and for a query
        that it can't understand."""
        logs = [each for each in indicators if isinstance(each.sli, LOG_KINDS) and each.logs is not None]
        for each in indicators:
            if not isinstance(each.sli, LOG_KINDS) or each.logs is None:
                yield each, without_metrics(grid)
            elif not grid.count:
                yield each, unknown(grid, ())
        if not grid.count or not logs:
            return
        asked: dict[_Place, list[Question]] = {}
        dark: dict[tuple[str, str], Dark] = {}
        lacking = Lacking(self.cluster, grid)
        for each, pattern, fitting in self._fitted(logs):
            remarks = [*pattern.remarks, *fitting.remarks]
            if not pattern.exists or not fitting.known or (pattern.aliases and fitting.left_out):
                findings = [Finding(one.kind, one.message, grid.count, grid.start, grid.end) for one in remarks]
                yield each, unknown(grid, findings)
                continue
            sli, logs_place = log_parts(each)
            types = list(pattern.mapped.of(sli.field).values()) if isinstance(sli, LogLatency) else []
            mine = question(each, pattern.without(fitting.left_out), types)
            remarks += lacking.remarks(mine, pattern.mapped, fitting.left_out)
            ingested = _date(pattern.mapped, logs_place.fields.ingested)
            place = _Place(mine.target, mine.time, ingested, logs_place.quiet)
            asked.setdefault(place, []).append(mine)
            dark[each.key] = self._dark(pattern, fitting, place, grid, remarks)
        done = [0, sum(len(questions) for questions in asked.values())]
        for place, questions in asked.items():
            for batch in sharing(questions, _MOST_FLOATS, grid.count):
                for each, one in self._read(place, batch, dark, grid, _part(progress, done, batch)):
                    yield each, one
                done[0] += sum(len(group) for group in batch)

    def _fitted(self, indicators: Sequence[Indicator]) -> Iterator[tuple[Indicator, Pattern, Fit]]:
        """Each indicator with its pattern, and what of that serves it. Each pattern is looked up once."""
        by_index: dict[str, list[Indicator]] = {}
        for each in indicators:
            by_index.setdefault(log_parts(each)[0].index, []).append(each)
        for index, several in by_index.items():
            fields = {use.field for each in several for part in needs(each) for use in part}
            for each in several:
                place = log_parts(each)[1]
                fields |= {place.fields.time, place.fields.ingested}
            pattern = read_pattern(self.cluster, index, sorted(fields))
            for each in several:
                place = log_parts(each)[1]
                yield each, pattern, fit(pattern.mapped, place.fields.time, *needs(each), place.fields)

    def _dark(self, pattern: Pattern, fitting: Fit, place: _Place, grid: Grid, remarks: list[Remark]) -> Dark:
        """The buckets that indices which are left out, or closed, have documents in."""
        buckets = named_days(pattern.closed, grid)
        dated = [
            name for name in sorted(fitting.left_out) if pattern.mapped.of(place.time).get(name, "").startswith("date")
        ]
        for at in range(0, len(dated), 50):
            presence = Presence(grid, place.time, "")
            target = ",".join(dated[at : at + 50])
            run(self.cluster, Point(target), presence.searches(self._page), pause=self._pause)
            buckets |= (presence.total > 0) | (presence.answered.share < 1)
        return Dark(buckets, remarks)

    def _read(
        self,
        place: _Place,
        batch: Sequence[Sequence[Question]],
        dark: dict[tuple[str, str], Dark],
        grid: Grid,
        told: Callable[[float], None],
    ) -> Iterator[tuple[Indicator, Timeline]]:
        found, missing = self._one_reading(place, batch, grid, told)
        seen = seen_in(found.presence, grid, place.target, place.quiet_seconds, self._clock(), found.ahead.count)
        if missing:
            message = f"{place.target} can't be read at one point in time ({missing}): pages may differ a little"
            note = Finding("no-point-in-time", message, grid.count, grid.start, grid.end)
            seen = Seen(seen.coverage, seen.answered, (*seen.findings, note))
        for counting in found.countings:
            for each in counting.questions:
                assert isinstance(each, Question)
                key = each.indicator.key
                yield (
                    each.indicator,
                    timeline(each, counting, seen, dark[key], grid, found.measured.get(key)),
                )

    def _one_reading(
        self, place: _Place, batch: Sequence[Sequence[Question]], grid: Grid, told: Callable[[float], None]
    ) -> tuple[_Found, str]:
        """Everything of a batch at one point in time; where that is lost, all of it anew."""
        for _ in range(_READINGS):
            found = self._nothing(place, batch, grid)
            searches: list[Search] = [*found.presence.searches(self._page)]
            searches.append(Ahead(place.time, int(self._clock() + SKEW_SECONDS), found.ahead))
            for counting in found.countings:
                searches += counting.searches(self._page)
                slow = [each for each in counting.questions if each.durations is not None]
                if slow:
                    found.measured.update((each.indicator.key, Measured()) for each in slow)
                    searches.append(Percentiles(slow, grid, found.measured))
            try:
                with point_in_time(self.cluster, place.target) as point:
                    run(self.cluster, point, searches, _share(told, searches, 0.0), self._pause)
                    sides = [each for counting in found.countings for each in counting.sides(self._page)]
                    run(self.cluster, point, sides, _share(told, sides, 0.5), self._pause)
                    told(1.0)
                    return found, point.missing
            except LostPointError:
                continue
        raise ClusterError(
            f"the point in time of {place.target} was lost {_READINGS} times while it was read",
            place=self.name,
            remedy="see whether nodes restart, and whether indices are deleted while a report runs",
            kind="connect",
        )

    def _nothing(self, place: _Place, batch: Sequence[Sequence[Question]], grid: Grid) -> _Found:
        around = lead(place.quiet_seconds, grid.step)
        wide = replace(grid, start=grid.start - around * grid.step, count=grid.count + 2 * around)
        presence = Presence(wide, place.time, place.ingested)
        return _Found(presence, [Counting(grid, group) for group in batch], {})


def _date(mapped: Mapped, name: str) -> str:
    """A field's name where it is a date in every index that has it, else nothing."""
    types = set(mapped.of(name).values())
    return name if types and types <= {"date", "date_nanos"} else ""


def _share(told: Callable[[float], None], searches: Sequence[Search], from_on: float) -> Callable[[int], None]:
    """Tells how far a reading is when so many buckets more are answered of searches that are half of it."""
    everything, answered = sum(each.cells for each in searches), 0

    def count(cells: int) -> None:
        nonlocal answered
        answered += cells
        told(from_on + min(answered / max(everything, 1), 1.0) / 2)

    return count


def _part(progress: Progress, done: Sequence[int], batch: Sequence[Sequence[Question]]) -> Callable[[float], None]:
    """Tells how far all is when a share of a batch is."""
    size, at, everything = sum(len(group) for group in batch), done[0], done[1]
    name = batch[0][0].indicator.key[0] if batch else ""

    def told(share: float) -> None:
        progress(round(1000 * (at + size * share)), 1000 * everything, name)

    return told


def without_metrics(grid: Grid) -> Timeline:
    """The timeline of an indicator of metrics that a source of logs is asked for."""
    message = "this source holds logs and no metrics: give --source http://prometheus:9090 as well"
    return unknown(grid, [Finding("unread", message, grid.count, grid.start, grid.end)])


def open_source(address: str) -> ElasticsearchSource:
    """The source behind ``elasticsearch+http(s)://[user:password@]host:port[/prefix]`` or
    ``elasticsearch+cloud://CLOUD_ID``, with what the environment's ``SLA_KIT_ELASTICSEARCH_…`` variables say of
    authentication."""
    return ElasticsearchSource(open_cluster(address))
