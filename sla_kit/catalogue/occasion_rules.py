"""What a live event or a maintenance window must hold beyond its types."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path as FilePath

from dateutil.rrule import rrule, rrulestr

from sla_kit.catalogue.model import Occasion
from sla_kit.catalogue.places import Findings, Path

_EXAMPLE = "such as 2026-09-15T02:00, or 2026-09-15T00:00:00Z"


def check_occasion(occasion: Occasion, path: Path, folder: str, findings: Findings) -> None:
    """Notes every mistake of one occasion; ``folder`` is where its iCalendar file is looked for."""
    say, broken = findings.say, findings.places.broken
    if not occasion.name.strip():
        say((*path, "name"), "the name is empty")
    given = {
        key
        for key in ("start", "end", "duration", "repeat", "except_dates", "ical")
        if getattr(occasion, key) or broken((*path, key))
    }
    if "ical" in given:
        for key in sorted(given - {"ical"}):
            say((*path, key), f"{key} can't stand beside ical", "the iCalendar file says when")
        if occasion.ical:
            _ical(occasion.ical, (*path, "ical"), folder, findings)
        return
    if occasion.duration is not None and not occasion.duration > 0:
        say((*path, "duration"), "duration must be above 0")
        given.add("duration")
    if "start" not in given:
        say(path, "it is not said when this is", "give start with end or duration, or ical")
        return
    if len({"end", "duration"} & given) != 1:
        both = "duration" in given
        say((*path, "start"), f"start needs an end or a duration, {'not both' if both else 'and has neither'}")
    start = _time(occasion.start, (*path, "start"), findings)
    end = _time(occasion.end, (*path, "end"), findings)
    if start is not None and end is not None and _before(end, start):
        say((*path, "end"), f"the end ({occasion.end}) is not after the start ({occasion.start})")
    for index, text in enumerate(occasion.except_dates):
        _time(text, (*path, "except_dates", index), findings)
    if occasion.repeat:
        _repeat(occasion.repeat, start, (*path, "repeat"), findings)
    elif "except_dates" in given and "repeat" not in given:
        say((*path, "except_dates"), "except_dates without repeat", "they are left out of what repeats")


def _time(text: str | None, path: Path, findings: Findings) -> datetime | None:
    if text is None:
        return None
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        findings.say(path, f"{text[:40]!r} is no time", _EXAMPLE)
        return None


def _before(end: datetime, start: datetime) -> bool:
    """Whether the end is not after the start. Of a local and an absolute time only a whole day tells."""
    if (end.tzinfo is None) == (start.tzinfo is None):
        return end <= start
    slack = 86_400.0
    return (end.replace(tzinfo=UTC) - start.replace(tzinfo=UTC)).total_seconds() <= -slack


def _repeat(text: str, start: datetime | None, path: Path, findings: Findings) -> None:
    """RFC 5545 section 3.3.10. UNTIL may be local or UTC, which is no matter of syntax and left to reading it."""
    hint = "an RFC 5545 rule such as FREQ=WEEKLY;BYDAY=SU"
    rule = text.strip().removeprefix("RRULE:")
    if not re.fullmatch(r"[A-Za-z]+=[^;:\s]+(;[A-Za-z]+=[^;:\s]+)*;?", rule):
        findings.say(path, f"{text[:80]!r} does not repeat", hint)
        return
    local = re.sub(r"(UNTIL=\w+?)Z\b", r"\1", rule.rstrip(";"), flags=re.IGNORECASE)
    begin = (start or datetime(2026, 1, 1)).replace(tzinfo=None)
    try:
        parsed = rrulestr(local, dtstart=begin)
        fine = isinstance(parsed, rrule) and not re.search(r"INTERVAL=0*(;|$)", local, re.IGNORECASE)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, ArithmeticError):
        fine = False
    if not fine:
        findings.say(path, f"{text[:80]!r} does not repeat", hint)


def _ical(name: str, path: Path, folder: str, findings: Findings) -> None:
    from icalendar import Calendar

    try:
        data = (FilePath(folder) / name).read_bytes()
    except (OSError, ValueError):
        findings.say(path, f"there is no file {name[:120]!r}", "it is looked for beside the catalogue")
        return
    try:
        Calendar.from_ical(data)
    except Exception as error:  # the parser raises whatever it stumbles over
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        findings.say(path, f"{name} is not an iCalendar file: {reason[:120]}")
