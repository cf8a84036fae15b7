"""What the business exporter's configuration says: sources, queries that ask them, and the metrics made of answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import field

from sla_kit.configuration.values import Duration, Name, Ratio, Value
from sla_kit.exporters.business.pushed.configuration import Pushed
from sla_kit.exporters.business.sources.elasticsearch import ElasticsearchQuestion, ElasticsearchSource
from sla_kit.exporters.business.sources.postgresql import PostgresqlSource
from sla_kit.exporters.business.sources.prometheus import PrometheusSource
from sla_kit.exporters.business.sources.redis import RedisQuestion, RedisSource
from sla_kit.exporters.business.sources.sqlite import SqliteSource
from sla_kit.exporters.sidecar.configuration import SidecarConfiguration

#: Every kind of source, told apart by ``kind``.
AnySource = PostgresqlSource | SqliteSource | RedisSource | ElasticsearchSource | PrometheusSource
#: The keys of a query under which a question can stand.
ASKED_BY = ("sql", "redis", "elasticsearch", "promql")
MetricType = Literal["counter", "gauge", "histogram", "info"]


class MetricOfRows(Value, frozen=True, kw_only=True):
    """A metric made of a query's rows: one series a row, but of a histogram, which counts the rows into its buckets.

    ``value`` is the column with the number; where several columns hold numbers of one metric, ``values`` names them and
    ``value_label`` the label that tells which column it was. ``labels`` are columns, too; ``constant_labels`` are the
    same for all rows. Of a histogram, ``value`` is what was observed, ``count`` a column with how often (once, if there
    is none), ``buckets`` the upper bounds without +Inf. NULL as a value is no series (``skip``), 0 or NaN.
    ``when_empty: zero`` publishes 0 where no row came and the metric has no label columns; label sets in ``always`` are
    published as 0 where no row has them, so that a counter begins before its first event.
    """

    name: str
    type: MetricType
    help: str
    value: str = ""
    values: list[str] = field(default_factory=list)
    value_label: str = ""
    labels: list[str] = field(default_factory=list)
    constant_labels: dict[str, str] = field(default_factory=dict)
    count: str = ""
    buckets: list[float] = field(default_factory=list)
    null: Literal["skip", "zero", "nan"] = "skip"
    when_empty: Literal["nothing", "zero"] = "nothing"
    always: list[dict[str, str]] = field(default_factory=list)


class Each(Value, frozen=True, kw_only=True):
    """One value that a query is asked for, with an interval and a timeout of its own where it is dearer than others."""

    value: str
    interval: Duration | None = None
    timeout: Duration | None = None


class Since(Value, frozen=True, kw_only=True):
    """A query whose rows are increments: what came after the watermark.

    ``column`` holds the newest watermark of what a row sums up; ``start`` is the one to begin with (0, "2026-01-01").
    The parameter ``since`` is bound to the last one. Rows that are committed late, with a watermark that was passed
    already, would be lost: a query leaves out rows younger than ``settle`` (bound to ``settle_seconds``), and then
    takes that same time as its watermark, since ids are not given out in the order of times.
    """

    column: str
    start: Any
    settle: Duration = 0.0


class Query(Value, frozen=True, kw_only=True):
    """A question and the metrics made of its answer.

    ``source`` is one source or several, each of which is asked on its own; ``source_label`` is then the label that
    says which. The question stands under the key that goes with the kind of source (``sql``, ``redis``, …), and
    ``parameters`` are bound to it. ``for_each`` asks once for each value of a parameter, each on its own schedule, with
    the parameter's name as a label; where a value reads as a duration (``5m``), NAME_seconds is bound to it in seconds,
    too. ``since`` makes the rows increments of counters, kept in the ``state`` file. More rows than ``max_rows`` are an
    error; ``max_series`` is how many series one of its metrics may have, where that is not as for all.
    """

    source: str | list[str]
    metrics: list[MetricOfRows]
    source_label: str = ""
    sql: str = ""
    redis: RedisQuestion | None = None
    elasticsearch: ElasticsearchQuestion | None = None
    promql: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    for_each: dict[str, list[Each]] = field(default_factory=dict)
    since: Since | None = None
    interval: Duration | None = None
    timeout: Duration | None = None
    jitter: Ratio | None = None
    max_rows: int = 100_000
    max_series: int | None = None

    @property
    def sources(self) -> list[str]:
        """The names of the sources that are asked."""
        return [self.source] if isinstance(self.source, str) else self.source

    def collector(self, name: str, source: str, values: Iterable[str]) -> str:
        """The name of the collector that asks one of the sources for one choice of ``for_each``; ``name`` is the
        query's."""
        return "/".join([name, *([source] if len(self.sources) > 1 else []), *values])

    def asks(self, asked_by: str) -> Any:
        """The question under one of the keys in `ASKED_BY`; None or "" where none stands there."""
        return getattr(self, asked_by)


class BusinessConfiguration(SidecarConfiguration, frozen=True, kw_only=True):
    """The whole configuration. ``pushed`` says what the application may bring itself."""

    sources: dict[Name, AnySource] = field(default_factory=dict)
    queries: dict[Name, Query] = field(default_factory=dict)
    pushed: Pushed | None = None


#: What may be written short: ``for_each: {window: [1m, 5m]}``.
SHORTHANDS: Mapping[type, Any] = {Each: lambda text: Each(value=text)}
