"""Plain text logs: lines that begin with a time, each with the lines that follow it up to the next, as one event."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from sla_kit.logs import json_events, times
from sla_kit.logs.access_events import Flat
from sla_kit.logs.files import Line
from sla_kit.logs.stack_traces import add_trace, begins_trace, ends_program, find_trace

#: An event is cut after so many lines or characters; what a runaway trace goes on with is left off, and counted.
MOST_LINES, MOST_CHARACTERS = 2_000, 256 * 1024

_ISO = r"\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?: ?(?:Z\b|UTC\b|GMT\b|[+-]\d\d:?\d\d\b))?"
_CLF = r"\d{1,2}/[A-Za-z]{3}/\d{4}:\d\d:\d\d:\d\d(?:\.\d{1,9})?(?: [+-]\d\d:?\d\d)?"
_WORDS = r"(?:[A-Z][a-z]{2} )?[A-Z][a-z]{2} {1,2}\d{1,2} \d\d:\d\d:\d\d(?:\.\d{1,9})?(?: \d{4})?"
_START = re.compile(rf"[\[(]?(?P<time>{_ISO}|{_CLF}|{_WORDS})[\])]?[ \t,:|;-]{{0,4}}")
_KLOG = re.compile(r"([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d\.\d{1,9}) +\d+ (\S+:\d+)\] ?")
_SYSLOG = re.compile(r"(?:<\d{1,3}>1? ?)?")
_PLACE = re.compile(r"([^\s\[]\S{0,255}) ([A-Za-z][\w./-]{0,64})(?:\[(\d{1,10})\])?: ")
_NAMES = (
    "trace|debug|information|info|notice|warning|warn|error|err|fatal|critical|crit|alert|emergency|emerg|panic|severe"
    "|inf|wrn|dbg|ftl|vrb"
)
#: A level stands alone in capitals, or in brackets, or before a colon at the start.
_LEVEL = re.compile(
    rf"(?:^|[\s|:-])({_NAMES.upper()})(?=[\s\])|:,-]|$)"
    rf"|[\[(<]\s?(?:\w{{1,20}}:)?((?i:{_NAMES}))\s?[\])>]|^((?i:{_NAMES}))(?=[:\s])"
)
_NGINX = re.compile(r"(\d{1,10})#\d{1,10}: (?:\*\d+ )?")
#: So many characters are looked at for a level, and for the name of a logger behind it.
_LEVEL_WITHIN, _LOGGER_WITHIN = 120, 400
_LOGFMT = re.compile(r'([A-Za-z_@][\w.@-]{0,64})=(?:"((?:[^"\\]|\\.)*)"|(\S*))')
_LOGGER = re.compile(
    r"(?:\s*(?:\[(?P<thread>[^\]\n]{1,64})\]|\d++|-++))*+\s*"
    r"(?P<logger>(?:[A-Za-z_$][\w$]*\.)+[A-Za-z_$\[][\w$/.-]*\]?)\s*(?:\[[^\]]*\]\s*)?[:-]\s"
)
_ERRORS = frozenset({"error", "critical", "fatal", "alert", "emergency"})


@dataclass(frozen=True, slots=True)
class Joined:
    """Lines that are one event: the ``first`` with its place, the ``text`` of all, how many they were, and whether some
    were left off or damaged."""

    first: Line
    text: str
    lines: int
    cut: bool = False
    damaged: int = 0


def starts_event(text: str) -> bool:
    """Whether a line begins an event of its own: with a time, or as klog and logfmt do."""
    return _start(text) is not None or bool(_KLOG.match(text)) or _is_logfmt(text)


def join(lines: Iterable[Line]) -> Iterator[Joined]:
    """Lines put together: one that does not begin an event belongs to the one before. A trace that no logger wrote (as
    of a program that ends by it) is an event of its own behind a line that tells of no error."""
    first: Line | None = None
    kept: list[str] = []
    count = size = damaged = 0
    cut = False
    for line in lines:
        begins = first is None or line.file != first.file or starts_event(line.text)
        if not begins and kept:
            begins = ends_program(line.text, kept) or (begins_trace(line.text) and not _tells_of_error(kept))
        if begins and first is not None:
            yield Joined(first, "\n".join(kept).rstrip(), count, cut, damaged)
        if begins:
            first, kept, count, size, damaged, cut = line, [], 0, 0, 0, False
        count += 1
        damaged += line.damaged
        size += len(line.text) + 1
        if len(kept) < MOST_LINES and size <= MOST_CHARACTERS:
            kept.append(line.text)
            cut = cut or line.cut
        elif not kept:
            kept.append(line.text[:MOST_CHARACTERS])
            cut = True
        else:
            cut = True
    if first is not None:
        yield Joined(first, "\n".join(kept).rstrip(), count, cut, damaged)


def time_of(text: str, zone: tzinfo, year: int | None = None) -> int | None:
    """When an event happened, in milliseconds; None where its first line begins with no time. Syslog leaves the year
    out: it is then ``year``, or the last in which that day was not in the future."""
    found = _start(text)
    if found is not None:
        text = found.group("time")
        moment = times.from_text(text, zone)
        return moment if moment is not None else _without_year(text, zone, year)
    klog = _KLOG.match(text)
    if klog:
        _, month, day, clock, _ = klog.groups()
        name = datetime(2000, int(month), 1, tzinfo=UTC).strftime("%b") if 1 <= int(month) <= 12 else "???"
        return _without_year(f"{name} {day} {clock}", zone, year)
    if _is_logfmt(text):
        return json_events.time_of(dict(_pairs(text)), zone)
    return None


def event(text: str) -> Flat:
    """The document of an event's text, without its time: level, logger, message, and what its trace tells."""
    if _is_logfmt(text) and _start(text) is None:
        return json_events.event(dict(_pairs(text)))
    found: Flat = {}
    klog = _KLOG.match(text)
    start = _start(text)
    first_line, _, more = text.partition("\n")
    if klog:
        found["log.level"] = json_events.level_named(
            {"I": "info", "W": "warn", "E": "error", "F": "fatal"}[klog.group(1)]
        )
        found["log.logger"] = klog.group(5)
        rest = first_line[klog.end() :]
    else:
        rest = first_line[start.end() :] if start else first_line
        rest = _after_level(found, rest, syslog=bool(start and start.group("time")[:1].isalpha()))
    message = rest.strip() or more.strip().split("\n")[0]
    found["message"] = f"{message}\n{more}".strip() if more and find_trace(text) is None else message
    trace = find_trace(text)
    if trace is not None:
        add_trace(found, text[start.end() :] if start else text)
        found.setdefault("log.level", "fatal" if trace.type in ("panic", "fatal error") else "error")
        if not start and not klog and trace.type:
            found["message"] = f"{trace.type}: {trace.message}" if trace.message else trace.type
    if found.get("log.level") in _ERRORS:
        found.setdefault("error.message", str(found["message"])[:8192])
    return found


def _start(text: str) -> re.Match[str] | None:
    if not text or text[0].isspace():
        return None
    skipped = _SYSLOG.match(text)
    return _START.match(text, skipped.end() if skipped else 0)


def _after_level(found: Flat, rest: str, *, syslog: bool) -> str:
    place = _PLACE.match(rest) if syslog else None
    if place:
        found["host.name"], found["log.logger"] = place.group(1), place.group(2)
        if place.group(3):
            found["process.pid"] = int(place.group(3))
        rest = rest[place.end() :]
    level = _LEVEL.search(rest[:_LEVEL_WITHIN])
    if not level:
        return rest
    found["log.level"] = json_events.level_named(_word(level))
    before, after = rest[: level.start()], rest[level.end() :].lstrip(" \t])>:|,")
    thread = re.match(r"\s*\[([^\]\n]{1,64})\]", before)
    if thread:
        found["process.thread.name"] = thread.group(1)
    logger = _LOGGER.match(after[:_LOGGER_WITHIN])
    if logger:
        found["log.logger"] = logger.group("logger")
        if logger.group("thread"):
            found["process.thread.name"] = logger.group("thread").strip()
        after = after[logger.end() :]
    elif re.fullmatch(r"\s*(?:-\s*)?[\w.]{1,100}\s*-?\s*", before) and "." in before:
        found["log.logger"] = before.strip(" -")
    nginx = _NGINX.match(after)
    if nginx:
        found["process.pid"] = int(nginx.group(1))
        after = after[nginx.end() :]
    return after.removeprefix("- ")


def _tells_of_error(lines: list[str]) -> bool:
    """Whether a trace that comes next belongs to these lines: unless they are a single one of another level."""
    if not lines:
        return False
    level = _LEVEL.search(lines[0][: _LEVEL_WITHIN + 60])
    return len(lines) > 1 or level is None or json_events.level_named(_word(level)) in _ERRORS


def _word(level: re.Match[str]) -> str:
    return next(group for group in level.groups() if group)


def _without_year(text: str, zone: tzinfo, year: int | None) -> int | None:
    if year is not None:
        return times.from_text(text, zone, year=year)
    now = datetime.now(zone)
    moment = times.from_text(text, zone, year=now.year)
    day = 86_400_000
    return (
        moment
        if moment is not None and moment <= now.timestamp() * 1000 + day
        else times.from_text(text, zone, year=now.year - 1)
    )


def _is_logfmt(text: str) -> bool:
    start = text[:80]
    return start.startswith(("time=", "ts=", "t=", "timestamp=", "level=")) and ("msg=" in text or "level=" in text)


def _pairs(text: str) -> Iterator[tuple[str, object]]:
    for found in _LOGFMT.finditer(text):
        name, quoted, bare = found.groups()
        yield (
            name,
            re.sub(r"\\(.)", lambda c: {"n": "\n", "t": "\t"}.get(c[1], c[1]), quoted) if quoted is not None else bare,
        )
