"""Datagrams of StatsD as values, with DogStatsD's tags and packed values. Whatever the bytes, nothing is raised."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

StatsdType = Literal["c", "g", "ms", "h", "d", "s"]
#: Why a line was not taken.
Refusal = Literal["malformed", "unsupported"]
_TYPES: dict[str, StatsdType] = {"c": "c", "g": "g", "ms": "ms", "h": "h", "d": "d", "s": "s"}
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?", re.ASCII)
#: Lines of DogStatsD that are no metrics: events and service checks.
_OTHERS = (b"_e{", b"_sc|")
#: Sections that change nothing here: the container, a time, external data, cardinality.
_PASSED = ("c:", "T", "e:", "card:")
_LARGEST = 1e300


@dataclass(frozen=True, slots=True)
class Sample:
    """One line: ``numbers`` (of a set there are none), or the ``member`` of a set.

    ``relative`` says that a gauge changes by its number rather than to it. Each number stands for ``1 / rate`` events.
    """

    name: str
    type: StatsdType
    numbers: tuple[float, ...] = ()
    member: str = field(default="", repr=False)
    relative: bool = False
    rate: float = 1.0
    tags: tuple[tuple[str, str], ...] = ()


def parse(datagram: bytes) -> Iterator[Sample | Refusal]:
    """The samples of a datagram, a line each, and for lines that are none the reason."""
    for line in datagram.split(b"\n"):
        if line := line.removesuffix(b"\r"):
            yield "unsupported" if line.startswith(_OTHERS) else _line(line)


def _line(line: bytes) -> Sample | Refusal:
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return "malformed"
    name, colon, rest = text.partition(":")
    value, *sections = rest.split("|")
    if not (name and colon and value and sections) or "|" in name or "\0" in text:
        return "malformed"
    kind = _TYPES.get(sections[0])
    if kind is None:
        return "unsupported" if re.fullmatch("[a-z]{1,4}", sections[0]) else "malformed"
    rate = 1.0
    tags: tuple[tuple[str, str], ...] = ()
    for section in sections[1:]:
        if section.startswith("@"):
            found = _number(section[1:])
            if found is None or not 1e-9 <= found <= 1:
                return "malformed"
            rate = found
        elif section.startswith("#"):
            tags = _tags(section[1:])
        elif not section.startswith(_PASSED):
            return "malformed"
    if kind == "s":
        return Sample(name, kind, member=value, rate=rate, tags=tags)
    numbers = [_number(part) for part in value.split(":")]
    if any(number is None for number in numbers):
        return "malformed"
    relative = kind == "g" and value[0] in "+-"
    if relative and len(numbers) > 1:  # to add some and set others is nobody's meaning
        return "malformed"
    return Sample(name, kind, tuple(each for each in numbers if each is not None), "", relative, rate, tags)


def _number(text: str) -> float | None:
    if len(text) > 64 or not _NUMBER.fullmatch(text):
        return None
    number = float(text)
    return number if abs(number) < _LARGEST else None


def _tags(text: str) -> tuple[tuple[str, str], ...]:
    """``name:value`` by commas; a tag without a value is "true" by that name."""
    found: dict[str, str] = {}
    for part in text.split(","):
        name, colon, value = part.partition(":")
        if name:
            found[name] = value if colon else "true"
    return tuple(found.items())
