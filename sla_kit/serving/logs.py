"""Logging: a line an event on standard error, as logfmt or JSON, without secrets."""

from __future__ import annotations

import json
import logging
import os
import re
import select
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Literal

import msgspec

from sla_kit.configuration.values import Value
from sla_kit.redacting import redacted

#: What every record has; the rest of a record was given as ``extra``.
_STANDARD = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {
    "message", "asctime", "taskName", "color_message",
}  # fmt: skip
_MAX_LENGTH = 16_384
#: What the names of our own loggers begin with, and nobody needs to read.
_OURS = re.compile(r"^sla_kit\.(?:exporters\.)?")
#: The HTTP client of PagerDuty's library, by the names that it has had.
_HTTPX = ("httpx", "httpx2", "httpcore", "httpcore2")
#: What a web server says of clients that are broken: once in a while is enough.
_REPEATED_SECONDS = 60.0


class Log(Value, frozen=True, kw_only=True):
    """How a process logs: one line an event, to standard error."""

    format: Literal["logfmt", "json"] = "logfmt"
    level: Literal["debug", "info", "warning", "error"] = "info"


def configure(log: Log) -> None:
    """Sends the logs of the whole process to standard error as ``log`` says; may be called again with another."""
    handler = _Handler(sys.stderr)
    handler.setFormatter(JsonFormatter() if log.format == "json" else LogfmtFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(log.level.upper())
    logging.captureWarnings(True)
    web = logging.getLogger("uvicorn.error")
    web.setLevel(max(root.level, logging.WARNING))
    web.filters = [_Seldom()]
    logging.getLogger("asyncio").filters = [_Seldom(errors=True)]
    # They log what they send, or each small step.
    for chatty in ("urllib3", "botocore", "boto3", "s3transfer", "elastic_transport", "alembic", *_HTTPX):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    sys.excepthook = _unexpected
    threading.excepthook = _unexpected_in_thread


class LogfmtFormatter(logging.Formatter):
    """``time=… level=info msg="listening" address=127.0.0.1:9117``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return " ".join(f"{_key(name)}={_logfmt(value)}" for name, value in _fields(record, self))


class JsonFormatter(logging.Formatter):
    """``{"time": …, "level": "info", "msg": "listening", "address": "127.0.0.1:9117"}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; numbers stay numbers."""
        return msgspec.json.encode(dict(_fields(record, self))).decode()


def _fields(record: logging.LogRecord, formatter: logging.Formatter) -> Iterator[tuple[str, Any]]:
    moment = datetime.fromtimestamp(record.created, UTC)
    yield "time", moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    yield "level", record.levelname.lower()
    yield "logger", _OURS.sub("", record.name)
    try:
        message = record.getMessage()
    except Exception:  # a library's mistake must not cost the line
        message = str(record.msg)
    yield "msg", _safe(message)
    for name, value in vars(record).items():
        if name not in _STANDARD and not name.startswith("_"):
            yield name, value if isinstance(value, int | float | bool) else _safe(str(value))
    if record.exc_info and record.exc_info[0] is not None:
        yield "error", _safe(f"{record.exc_info[0].__name__}: {record.exc_info[1]}")
        yield "traceback", _safe(formatter.formatException(record.exc_info))


def _safe(text: str) -> str:
    # Cut afterwards, too: half a secret would not be known for one.
    text = redacted(text[: 8 * _MAX_LENGTH])
    return text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…"


def _key(name: str) -> str:
    return "".join(character if character.isalnum() or character in "_.-" else "_" for character in name)


def _logfmt(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = str(value)
    printable = text.isprintable()
    bare = bool(text) and printable and not any(character in text for character in ' "=\\')
    return text if bare else json.dumps(text, ensure_ascii=not printable)


class _Handler(logging.StreamHandler[Any]):
    """Where a line can't be written, nothing else is: the standard way prints what was to be logged as it is.

    It waits for nobody: lines that a pipe has no room for, since its reader hangs, are lost, and the next one says how
    many.
    """

    def __init__(self, stream: Any) -> None:
        super().__init__(stream)
        self._lost = 0
        self._cut = False
        try:
            self._descriptor = stream.fileno()
        except (AttributeError, OSError, ValueError):  # none, or one in memory
            self._descriptor = -1

    def emit(self, record: logging.LogRecord) -> None:
        """Writes a line."""
        if self._descriptor < 0:
            super().emit(record)
            return
        if self._lost:
            record.lost_lines = self._lost
        try:
            line = (self.format(record) + self.terminator).encode("utf-8", "backslashreplace")
            if self._cut:  # the line before has no end
                line = b"\n" + line
            for start in range(0, len(line), select.PIPE_BUF):
                if not _has_room(self._descriptor):
                    self._lost += 1
                    self._cut = self._cut or start > 0
                    return
                os.write(self._descriptor, line[start : start + select.PIPE_BUF])
            self._lost, self._cut = 0, False
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the library's name
        """Lets the line go."""


def _has_room(descriptor: int) -> bool:
    """Whether a write of at most PIPE_BUF bytes would not block; files always have room."""
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(0))


class _Seldom(logging.Filter):
    """Lets warnings of one text through once a minute, with how many there were; ``errors``, too, if need be."""

    def __init__(self, *, errors: bool = False) -> None:
        super().__init__()
        self._errors = errors
        self._seen: dict[str, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether the record is logged."""
        if not self._errors and (record.exc_info or record.levelno > logging.WARNING):
            return True
        now = time.monotonic()
        told, count = self._seen.get(str(record.msg), (-_REPEATED_SECONDS, 0))
        if now - told < _REPEATED_SECONDS:
            self._seen[str(record.msg)] = (told, count + 1)
            return False
        if count:
            record.suppressed = count
        if len(self._seen) > 100:
            self._seen.clear()
        self._seen[str(record.msg)] = (now, 0)
        return True


def _unexpected(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    logging.getLogger("sla_kit").critical("an unexpected error", exc_info=(kind, error, traceback))


def _unexpected_in_thread(broken: threading.ExceptHookArgs) -> None:
    if broken.exc_value is not None:
        name = broken.thread.name if broken.thread else "?"
        logging.getLogger("sla_kit").error(
            "a thread broke",
            extra={"thread_name": name},
            exc_info=(broken.exc_type, broken.exc_value, broken.exc_traceback),
        )
