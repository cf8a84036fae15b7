"""From the names of files to the backups of a target, and when they were made."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_PART: Final = re.compile(r"\{([^{}:]*)(?::([^{}]*))?\}|\*")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: What each directive of a time looks like. Those of locales are left out: names of files have none.
_DIRECTIVES: Final = {
    "Y": r"\d{4}",
    "y": r"\d{2}",
    "m": r"\d{2}",
    "d": r"\d{2}",
    "j": r"\d{3}",
    "H": r"\d{2}",
    "I": r"\d{2}",
    "M": r"\d{2}",
    "S": r"\d{2}",
    "f": r"\d{1,6}",
    "p": r"[AaPp][Mm]",
    "b": r"[A-Za-z]{3}",
    "B": r"[A-Za-z]{3,9}",
    "z": r"Z|[+-]\d{2}:?\d{2}",
    "s": r"\d{9,11}",
}
#: What stands for others together.
_SHORT: Final = {"%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M"}
#: How long the time that a name tells lasts, by the finest directive in it.
_LASTS: Final = (("fsS", 1), ("M", 60), ("HI", 3600))
_DAY_SECONDS: Final = 86400


class PatternError(ValueError):
    """A pattern can't be used: why not, and a hint."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Named:
    """What a name tells.

    ``backup`` is the name of the whole backup: of the file, or of its folder (with ``/`` at the end), and ``member``
    the rest where it is a folder. The backup was made from ``time`` on and before ``until`` (seconds since 1970), as
    finely as its name says it; both are None where it doesn't.
    """

    backup: str
    member: str = ""
    time: int | None = None
    until: int | None = None


class Pattern:
    """How the backups of a target are named. Raises `PatternError` where ``text`` is no pattern.

    ``prefix`` is what all names begin with, ``depth`` how many folders below the place the files lie (None: any
    number, as in a folder a backup), ``folders`` whether each backup is one.
    """

    def __init__(self, text: str, target: str, zone: tzinfo = UTC) -> None:
        self.text = text
        self.folders = text.endswith("/")
        self._zone = zone
        self._directives: list[str] = []
        regex, self.prefix = self._compiled(text or "*", target)
        self._regex = re.compile(regex + (r"(?P<member>(?s:.+))" if self.folders else ""), re.ASCII)
        self.depth = None if self.folders else (text or "*").count("/")
        self.timed = bool(self._directives)
        if self.timed:
            self._check_time()

    def match(self, name: str) -> Named | None:
        """What the name of a file tells; None where it is none of this target's backups."""
        found = self._regex.fullmatch(name)
        if found is None:
            return None
        member = found["member"] if self.folders else ""
        backup = name[: len(name) - len(member)]
        if not self.timed:
            return Named(backup, member)
        times = self._times([found[f"t{index}"] for index in range(len(self._directives))])
        return None if times is None else Named(backup, member, *times)

    def _compiled(self, text: str, target: str) -> tuple[str, str]:
        regex, prefix, at = "", "", 0
        fixed = True
        for part in _PART.finditer(text):
            literal = text[at : part.start()]
            _check_literal(literal)
            regex += re.escape(literal)
            prefix += literal if fixed else ""
            at = part.end()
            if part[0] == "{target}":
                regex += re.escape(target)
                prefix += target if fixed else ""
                continue
            fixed = False
            regex += self._part(part)
        _check_literal(text[at:])
        return regex + re.escape(text[at:]), prefix + (text[at:] if fixed else "")

    def _part(self, part: re.Match[str]) -> str:
        if part[0] == "*":
            return "[^/]*"
        name, form = part[1], part[2]
        if name == "time":
            if not form:
                raise PatternError("says time without its form", "such as {time:%Y-%m-%dT%H%M}")
            return self._time(form)
        if not _NAME.fullmatch(name):
            raise PatternError(f"{part[0]} has no name", "such as {host}, or write *")
        if form is not None:
            raise PatternError(f"{part[0]} can have no form", "only time has one")
        return "[^/]+?"

    def _time(self, form: str) -> str:
        for short, meant in _SHORT.items():
            form = form.replace(short, meant)
        regex = ""
        for piece in re.findall(r"%-?.|[^%]+|%", form):
            if not piece.startswith("%"):
                regex += re.escape(piece)
                continue
            directive = piece[-1]
            if piece == "%%":
                regex += "%"
            elif directive not in _DIRECTIVES or piece == "%":
                known = ", ".join(f"%{each}" for each in _DIRECTIVES)
                raise PatternError(f"{piece} is no part of a time here", f"one of {known}, %F, %T, %R")
            else:
                form = r"\d{1,3}" if piece.startswith("%-") else _DIRECTIVES[directive]
                regex += f"(?P<t{len(self._directives)}>{form})"
                self._directives.append(directive)
        return regex

    def _check_time(self) -> None:
        known = set(self._directives)
        day = "s" in known or (known & set("Yy") and ("j" in known or (known & set("mbB") and "d" in known)))
        if not day:
            raise PatternError("has a time that tells no day", "such as {time:%Y-%m-%d}")
        if "I" in known and "p" not in known:
            raise PatternError("has %I without %p", "write %H")
        if "M" in known and not known & set("HI"):
            raise PatternError("has minutes without hours", "%m is the month, %M the minute")

    def _times(self, texts: list[str]) -> tuple[int, int] | None:
        values: dict[str, str] = {}
        for directive, text in zip(self._directives, texts, strict=True):
            if values.setdefault(directive, text) != text:
                return None  # the same part twice, as in 2026/2026-08-01, and not the same
        lasts = next((seconds for some, seconds in _LASTS if set(some) & set(values)), _DAY_SECONDS)
        try:
            if "s" in values:
                return int(values["s"]), int(values["s"]) + 1
            keys = list(values)
            read = datetime.strptime(" ".join(values[key] for key in keys), " ".join(f"%{key}" for key in keys))
            begins = read if read.tzinfo else read.replace(tzinfo=self._zone)
            if lasts == _DAY_SECONDS:  # days are not all equally long
                ends = begins + timedelta(days=1)
                return int(begins.timestamp()), int(ends.timestamp())
            return int(begins.timestamp()), int(begins.timestamp()) + lasts
        except (ValueError, OverflowError):
            return None


def zone_of(name: str) -> tzinfo:
    """A time zone by its name. Raises `PatternError`."""
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise PatternError(f"there is no time zone {name!r}", "such as UTC or Europe/Berlin") from None


def _check_literal(text: str) -> None:
    if "{" in text or "}" in text:
        raise PatternError("has a brace without its other one", "such as {target}-{time:%Y-%m-%d}.dump")


def made(named: Named, modified: float) -> float:
    """When a backup was made: as its name says it, and within what that leaves open as its last change says it.

    A copy that was made later has a later change: then the name's own time holds.
    """
    if named.time is None or named.until is None:
        return modified
    return modified if named.time <= modified < named.until else float(named.time)
