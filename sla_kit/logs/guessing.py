"""Which format a log has, by its first lines; what is mixed or unknown is refused and not guessed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sla_kit.logs import access_formats, json_events, text_events
from sla_kit.logs.access_formats import LogFormatError

#: Lines looked at before the format is told.
SAMPLE_LINES = 300
_ENOUGH, _FOREIGN = 0.7, 0.2


@dataclass(frozen=True, slots=True)
class Guess:
    """A format by name (``json``, ``text``, ``dead-letters`` or one of `access_formats.NAMED`), and which share of the
    sample has it."""

    format: str
    share: float


def guess(lines: Sequence[str], place: str = "") -> Guess:
    """The format of the lines, of which at least seven in ten must have it. Raises `LogFormatError` where none is
    known, or where a fifth or more clearly has another one."""
    lines = [line for line in lines if line.strip()]
    if not lines:
        return Guess("text", 0.0)
    found = [json_events.decoded(line) if line.lstrip().startswith("{") else None for line in lines]
    if all(each is not None and _is_dead_letter(each) for each in found):
        return Guess("dead-letters", 1.0)
    shares = {"json": sum(each is not None for each in found) / len(lines)}
    for name in access_formats.NAMED:
        compiled = access_formats.compile_format(name)
        shares[name] = sum(compiled.match(line) is not None for line in lines) / len(lines)
    web = max(access_formats.NAMED, key=lambda name: shares[name])
    if shares[web] < _FOREIGN:
        begun = [not each and text_events.starts_event(line) for line, each in zip(lines, found, strict=True)]
        # Lines of a trace begin with no time: where the first line begins an event, all that follow belong to one.
        shares["text"] = (1.0 - shares["json"]) if begun[0] else sum(begun) / len(lines)
    best = max(shares, key=lambda name: shares[name])
    second = max((name for name in shares if _kind(name) != _kind(best)), key=lambda name: shares[name])
    if shares[second] >= _FOREIGN:
        raise LogFormatError(
            f"the lines have several formats: {shares[best]:.0%} are {best}, {shares[second]:.0%} {second}",
            place=place,
            remedy="load each kind from a file of its own, or name the format by --format: others become dead letters",
        )
    if shares[best] < _ENOUGH:
        line = lines[0] if len(lines[0]) <= 100 else lines[0][:100] + "…"
        raise LogFormatError(
            f"the format of its lines is unknown: {line!r}",
            place=place,
            remedy="--format with what your server's configuration says (log_format of nginx, LogFormat of Apache), "
            "or json, or text for lines that begin with a time",
        )
    return Guess(best, shares[best])


def _is_dead_letter(line: Mapping[str, object]) -> bool:
    return "reason" in line and "file" in line and ("document" in line or "text" in line)


def _kind(name: str) -> str:
    return name if name in ("json", "text") else "access"
