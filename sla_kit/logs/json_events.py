"""JSON lines as documents: those of the Elastic Common Schema as they are, others by the names that loggers use.

Known are the words of structlog, python-json-logger, pino, bunyan, winston, logrus, zap, slog, Serilog's compact form,
OpenTelemetry, containers' files and web servers that log JSON.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import tzinfo

import msgspec

from sla_kit.logs import access_events, times
from sla_kit.logs.access_events import Flat
from sla_kit.logs.stack_traces import add_trace

#: The first of these that a line has is its time.
TIME_NAMES = (
    "@timestamp", "timestamp", "time", "ts", "@t", "asctime", "datetime", "date", "eventTime", "event_time",
    "time_iso8601", "time_local", "msec", "Timestamp", "t", "created",
)  # fmt: skip
#: Levels by the numbers of pino and bunyan, of Python (``levelno``) and of syslog (``severity``).
_PINO = {10: "trace", 20: "debug", 30: "info", 40: "warn", 50: "error", 60: "fatal"}
_PYTHON = {10: "debug", 20: "info", 30: "warn", 40: "error", 50: "critical"}
_SYSLOG = ("emergency", "alert", "critical", "error", "warn", "notice", "info", "debug")
_SAME_LEVEL = {
    "warning": "warn", "err": "error", "eror": "error", "information": "info", "informational": "info",
    "crit": "critical",
    "emerg": "emergency", "panic": "fatal", "dpanic": "fatal", "verbose": "debug", "severe": "error", "dbug": "debug",
    "fail": "error", "wrn": "warn", "inf": "info", "dbg": "debug", "ftl": "fatal", "vrb": "trace",
    "w": "warn", "e": "error", "i": "info", "d": "debug", "f": "fatal", "t": "trace", "n": "notice", "c": "critical",
}  # fmt: skip
_LEVELS = ("log.level", "level", "levelname", "severity", "lvl", "loglevel", "log_level", "level_name", "@l", "Level")
_ALIASES: dict[str, tuple[str, ...]] = {
    "message": ("message", "msg", "event", "@m", "@mt", "text", "log", "body", "Message"),
    "log.logger": ("log.logger", "logger", "logger_name", "loggerName", "name", "SourceContext", "caller"),
    "process.thread.name": ("thread", "thread_name", "threadName"),
    "process.pid": ("pid", "process_id"),
    "host.name": ("host.name", "hostname", "host"),
    "service.name": ("service.name", "service", "service_name", "app", "application"),
    "service.version": ("service.version", "release", "app_version", "version", "dd.version"),
    "service.environment": ("service.environment", "environment", "env"),
    "user.id": ("user.id", "user_id", "userId", "uid", "usr.id", "req.user.id"),
    "user.name": ("user.name", "user", "username", "remote_user"),
    "trace.id": ("trace.id", "trace_id", "traceId", "otelTraceID", "dd.trace_id", "TraceId"),
    "span.id": ("span.id", "span_id", "spanId", "otelSpanID", "SpanId"),
    "transaction.id": ("transaction.id", "transaction_id"),
    "session.id": ("session.id", "session_id", "sessionId"),
    "http.request.id": ("request_id", "requestId", "req_id", "req.id", "reqId", "correlation_id"),
    "http.request.method": ("http.request.method", "method", "req.method", "request_method", "http.method"),
    "http.response.status_code": (
        "http.response.status_code", "status_code", "statusCode", "res.statusCode", "http.status_code", "status",
    ),
    "url.original": ("url.original", "url", "req.url", "request_uri", "http.url", "http.target", "uri"),
    "url.path": ("url.path", "path"),
    "user_agent.original": ("user_agent", "userAgent", "http_user_agent", "req.headers.user-agent"),
    "http.request.referrer": ("referrer", "referer", "http_referer", "req.headers.referer"),
    "source.address": (
        "source.address", "remote_addr", "client_ip", "clientIp", "ip", "remote_ip", "req.remoteAddress", "remoteAddr",
    ),
    "error.type": (
        "error.type", "exc_type", "exception.type", "exception.class", "exception.exception_class", "err.type",
        "err.name", "error.name", "error_type", "error.kind", "exception_type", "exc.type",
    ),
    "error.message": (
        "error.message", "exc_message", "exception.message", "exception.exception_message", "err.message", "err.msg",
        "error_message", "error", "err", "exc_value",
    ),
    "error.stack_trace": (
        "error.stack_trace", "exc_info", "exc_text", "exception", "stack_trace", "stacktrace", "stackTrace", "stack",
        "err.stack", "error.stack", "exception.stacktrace", "errorVerbose", "@x", "traceback",
    ),
}  # fmt: skip
#: How long what is told of took: the seconds that one of its unit is.
_DURATIONS = {
    "responseTime": 1e-3, "duration_ms": 1e-3, "durationMs": 1e-3, "elapsed_ms": 1e-3,
    "latency_ms": 1e-3, "duration_s": 1.0, "request_time": 1.0,
    "duration_seconds": 1.0, "took_ms": 1e-3, "duration_ns": 1e-9, "duration_us": 1e-6,
}  # fmt: skip
_OWN_WORDS = frozenset(target for target in _ALIASES) | {"@timestamp", "log.level", "event.duration"}
_ECS_ROOTS = frozenset({
    "agent", "client", "cloud", "container", "data_stream", "destination", "dns", "ecs", "error", "event", "file",
    "geo", "group", "host", "http", "labels", "log", "network", "observer", "orchestrator", "organization",
    "package", "process", "related", "rule", "server", "service", "session", "source", "span", "tags", "tls",
    "trace", "transaction", "upstream", "url", "user", "user_agent",
})  # fmt: skip
_MOST_LABELS, _LONGEST_LABEL = 64, 4096
#: Longer than 31 years nothing takes; nanoseconds of it fit into a ``long``.
_LONGEST_DURATION = 1e9
_STATUS = re.compile(r"[1-5][0-9]{2}")
_decoder = msgspec.json.Decoder()


def decoded(line: str) -> dict[str, object] | None:
    """The object that a line holds; None for a line that holds none."""
    try:
        found = _decoder.decode(line)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def flattened(document: Mapping[str, object], before: str = "") -> Flat:
    """The document with dotted names instead of objects within objects; ``labels`` keep theirs below one dot."""
    found: Flat = {}
    for key, value in document.items():
        name = f"{before}.{key}" if before else key
        if isinstance(value, dict) and value:
            found.update(flattened(value, name))
        elif value is not None and value != {}:
            found[name] = value
    return found


def time_of(fields: Mapping[str, object], zone: tzinfo) -> int | None:
    """The time of a line in milliseconds; None where it has none that can be read."""
    for name in TIME_NAMES:
        value = fields.get(name)
        moment = None
        if isinstance(value, str):
            moment = times.from_text(value, zone)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = times.from_number(value)
        if moment is not None:
            return moment
    return None


def event(fields: Mapping[str, object]) -> Flat:
    """The document of a line's (flattened) fields, without its time. What has no place goes to ``labels`` as text."""
    native = "ecs.version" in fields
    left = dict(fields)
    if isinstance(left.get("request"), str) and ("remote_addr" in left or "status" in left):
        return _web_server(left)
    found: Flat = {}
    level = _take_level(left)
    if level:
        found["log.level"] = level
    # What stands in its own place goes before what another logger calls so.
    for target, names in _ALIASES.items():
        for name in names:
            value = left.get(name)
            if name in left and _fits(target, name, value, left) and target not in found:
                found[target] = _as_wanted(target, left.pop(name))
                break
    for name, unit in _DURATIONS.items():
        value = left.get(name)
        if (
            "event.duration" not in left
            and isinstance(value, int | float)
            and not isinstance(value, bool)
            and 0 <= value < _LONGEST_DURATION / unit
        ):
            left.pop(name)
            found["event.duration"] = round(value * unit * 1e9)
            break
    labels = 0
    for name, value in left.items():
        if name in TIME_NAMES and (name == "@timestamp" or times_like(value)):
            continue
        root = name.partition(".")[0]
        if name not in found and (
            native or ("." in name and root in _ECS_ROOTS) or name in _OWN_WORDS or name == "tags"
        ):
            found[name] = value
        elif labels < _MOST_LABELS and name != "v":
            labels += 1
            found[f"labels.{name.replace('.', '_')}"] = _as_text(value)[:_LONGEST_LABEL]
    _finish(found)
    return found


def times_like(value: object) -> bool:
    """Whether a value may be a time, and need not be kept beside it."""
    return isinstance(value, str | int | float) and not isinstance(value, bool)


def level_named(text: str) -> str:
    """A level in one spelling: ``warn`` for WARNING, ``error`` for ERR."""
    word = text.strip().lower()
    return _SAME_LEVEL.get(word, word)


def _take_level(left: dict[str, object]) -> str:
    for name in _LEVELS:
        value = left.get(name)
        if isinstance(value, str) and value:
            left.pop(name)
            return level_named(value)[:32]
        if isinstance(value, int) and not isinstance(value, bool):
            left.pop(name)
            if name == "severity" and value < len(_SYSLOG):
                return _SYSLOG[max(0, value)]
            return _PINO.get(value, str(value))
    value = left.pop("levelno", None)
    return _PYTHON.get(value, str(value)) if isinstance(value, int) else ""


def _fits(target: str, name: str, value: object, left: Mapping[str, object]) -> bool:
    if target == "http.response.status_code":
        return bool(_STATUS.fullmatch(str(value)))
    if name == "name":
        # Bunyan's is the program, Python's the logger; a person's name stands elsewhere.
        return isinstance(value, str)
    if name in ("version", "service", "app", "user", "host", "event", "error", "err", "log", "exception"):
        return isinstance(value, str) or (name in ("user", "version") and isinstance(value, int))
    if target == "process.pid":
        return isinstance(value, int)
    if name == "path":
        return isinstance(value, str) and value.startswith("/")
    if name in ("url", "uri"):
        return isinstance(value, str)
    return isinstance(value, str | int | float | list) and not (isinstance(value, bool))


def _as_wanted(target: str, value: object) -> object:
    if target == "http.response.status_code":
        return int(str(value))
    if target == "process.pid":
        return value
    return _as_text(value, "\n" if target == "error.stack_trace" else ", ")


def _as_text(value: object, between: str = ", ") -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return between.join(value)
    return msgspec.json.encode(value).decode()


def _web_server(left: dict[str, object]) -> Flat:
    fields = {name: str(value) for name, value in left.items() if isinstance(value, str | int | float) and value != "-"}
    for name in TIME_NAMES:
        fields.pop(name, None)
    found = access_events.event(fields)
    found.update({name: value for name, value in left.items() if name.partition(".")[0] in _ECS_ROOTS and "." in name})
    return found


def _finish(found: Flat) -> None:
    stack = found.get("error.stack_trace")
    if isinstance(stack, str) and stack:
        add_trace(found, stack)
    target = found.get("url.original")
    if isinstance(target, str) and "url.path" not in found:
        access_events.add_url(found, target)
    address = found.get("source.address")
    if isinstance(address, str) and "source.ip" not in found and access_events.is_ip(address):
        found["source.ip"] = address
    status = found.get("http.response.status_code")
    if isinstance(status, int):
        access_events.add_outcome(found, status)
    if "message" not in found and isinstance(found.get("error.message"), str):
        found["message"] = found["error.message"]
