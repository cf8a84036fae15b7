"""What a live event or a maintenance window must hold beyond its types."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path as FilePath

from sla_kit.catalogue.model import Occasion
from sla_kit.configuration.places import Findings, Path
from sla_kit.errors import SlaKitError

_EXAMPLE = "such as 2026-09-15T02:00, or 2026-09-15T00:00:00Z"
#: Up to when an iCalendar file is followed to see that it can be: the beginning of 2033.
_LATEST = 1_988_150_400
_LONGEST = 10 * 365 * 86_400
#: Whoever writes another year mistyped it, and arithmetic stays clear of the ends of time.
_YEARS = range(1971, 2200)


def check_occasion(occasion: Occasion, path: Path, timezone: str, folder: str, findings: Findings) -> None:
    """Notes every mistake of one occasion; ``timezone``, one that exists, completes its local times, ``folder`` is
    where its iCalendar file is looked for."""
    before = len(findings.mistakes)
    _check_parts(occasion, path, folder, findings)
    if len(findings.mistakes) == before and not findings.places.has_broken(path):
        _followed(occasion, path, timezone, folder, findings)


def _check_parts(occasion: Occasion, path: Path, folder: str, findings: Findings) -> None:
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
        if occasion.ical and not _is_file(FilePath(folder) / occasion.ical):
            hint = "it is looked for beside the catalogue"
            say((*path, "ical"), f"there is no file {occasion.ical[:120]!r}", hint)
        return
    if occasion.duration is not None and not occasion.duration > 0:
        say((*path, "duration"), "duration must be above 0")
        given.add("duration")
    elif occasion.duration is not None and occasion.duration > _LONGEST:
        say((*path, "duration"), "duration must be at most ten years")
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
    if "except_dates" in given and "repeat" not in given:
        say((*path, "except_dates"), "except_dates without repeat", "they are left out of what repeats")


def _time(text: str | None, path: Path, findings: Findings) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        findings.say(path, f"{text[:40]!r} is no time", _EXAMPLE)
        return None
    if time.year not in _YEARS:
        findings.say(path, f"{text[:40]!r} is not in our time", f"from {_YEARS.start} to {_YEARS.stop - 1}")
        return None
    return time


def _is_file(path: FilePath) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # a name that no file can have
        return False


def _before(end: datetime, start: datetime) -> bool:
    """Whether the end is not after the start. Of a local and an absolute time only a whole day tells."""
    if (end.tzinfo is None) == (start.tzinfo is None):
        return end <= start
    slack = 86_400.0
    return (end.replace(tzinfo=UTC) - start.replace(tzinfo=UTC)).total_seconds() <= -slack


def _followed(occasion: Occasion, path: Path, timezone: str, folder: str, findings: Findings) -> None:
    """Asks the calendar itself for the first occurrences, so that what is right here is right when it is evaluated."""
    from sla_kit.catalogue.calendar import intervals

    key = "ical" if occasion.ical else "repeat" if occasion.repeat else "start"
    try:
        end = _LATEST if occasion.ical else _years_after(occasion.start)
        intervals([occasion], 0, end, timezone, folder)
    except SlaKitError as error:
        findings.say((*path, key), error.message, error.remedy)
    except (LookupError, ValueError, ArithmeticError):  # dateutil meets some impossible rules only as it walks
        findings.say((*path, key), "can't be followed", "is there such a day in the month or year?")


def _years_after(start: str | None) -> int:
    """Epoch seconds two years past a time, which shows each month of a rule."""
    moment = datetime.fromisoformat((start or "").strip())
    return int(moment.replace(tzinfo=UTC).timestamp()) + 2 * 366 * 86_400
