"""Logs as evidence: where they are, which field holds what, and what is promised about them."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import field

from sla_kit.configuration.values import Duration, Name, Ratio, Value

#: Which documents are meant: a query string in Lucene's syntax ("http.response.status_code:[500 TO *]"), or a query of
#: Elasticsearch's query language as a mapping. Empty means all.
LogQuery = str | dict[str, Any]


class LogFields(Value, frozen=True, kw_only=True):
    """Which field of a document holds what: the Elastic Common Schema's names unless said otherwise.

    ``time`` is when it happened, ``ingested`` when it arrived. ``duration`` is in units of ``duration_unit_seconds``
    (ECS: nanoseconds). ``group`` is the key by which errors are grouped (`sla_kit.logs.fingerprint`), ``user`` whom an
    error met, ``version`` the release that wrote it.
    """

    time: str = "@timestamp"
    ingested: str = "event.ingested"
    service: str = "service.name"
    environment: str = "service.environment"
    version: str = "service.version"
    level: str = "log.level"
    message: str = "message"
    status: str = "http.response.status_code"
    path: str = "url.path"
    duration: str = "event.duration"
    duration_unit_seconds: float = 1e-9
    user: str = "user.id"
    host: str = "host.name"
    trace: str = "trace.id"
    error_type: str = "error.type"
    error_message: str = "error.message"
    stack: str = "error.stack_trace"
    group: str = "error.grouping_key"


class Deployments(Value, frozen=True, kw_only=True):
    """Documents that each tell of one deployment: those of ``query`` in ``index``. Without them a release is known from
    the first document with its version."""

    index: str = ""
    query: LogQuery = ""


class ErrorTracking(Value, frozen=True, kw_only=True):
    """How errors are tracked: which documents are errors (``query``), how far back a group was looked for before it is
    called new (``lookback``), when it is surging (``surge_factor`` times as many as in the time before, and at least
    ``surge_count``), and how many groups a page shows (``groups``)."""

    enabled: bool = True
    query: LogQuery = ""
    lookback: Duration = 30 * 86400.0
    surge_factor: float = 3.0
    surge_count: int = 20
    groups: int = 20
    deployments: Deployments = Deployments()


class Logs(Value, frozen=True, kw_only=True):
    """The logs of a catalogue's services.

    ``index`` is the pattern or data stream that holds them (indicators may name another), ``source`` the server where
    there are several that hold logs. ``quiet`` is how long no document at all may be normal: a longer silence of the
    index counts as unobserved. ``stream`` is the data stream that shippers write to, and ``retention`` how long its
    documents are kept by environment.
    """

    index: str = "logs-*"
    source: str = ""
    fields: LogFields = LogFields()
    quiet: Duration = 300.0
    errors: ErrorTracking = ErrorTracking()
    stream: str = ""
    retention: dict[Name, Duration] = field(
        default_factory=lambda: {"dev": 3 * 86400.0, "staging": 7 * 86400.0, "production": 30 * 86400.0}
    )


class Comparison(Value, frozen=True, kw_only=True):
    """Another SLO (its name, or service/name) that measures the same by other means, by metrics what this one does by
    logs: the two SLIs may differ by ``within`` (a ratio: 0.1% is 0.001), the totals by the share ``total_within`` of
    the larger where that is given. A larger difference is a finding."""

    slo: str
    within: Ratio
    total_within: Ratio | None = None

    def target(self, service: str) -> tuple[str, str]:
        """Service and name of the SLO that is meant, for an SLO of that service."""
        owner, _, name = self.slo.rpartition("/")
        return owner or service, name


#: What kind of server a source is: which SLIs it can be asked for.
ServerType = Literal["", "prometheus", "elasticsearch"]
