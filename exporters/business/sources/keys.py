"""Names of keys with parts that differ: ``active:{feature}:{%Y%m%d%H%M}`` has a label and a time.

``{name}`` is a label, ``{%…}`` a time in UTC as `time.strftime` writes it, ``{{`` and ``}}`` are braces.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise, product

_PART = re.compile(r"\{\{|\}\}|\{(?P<inside>[^{}]*)\}|(?P<brace>[{}])|(?P<text>[^{}]+)")
_LABEL = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")
#: The length in seconds of the slots that a time tells apart, by the finest part of it.
_SLOTS = (
    (("%S", "%s", "%T", "%X", "%c"), 1),
    (("%M", "%R"), 60),
    (("%H", "%I"), 3600),
    (("%d", "%j", "%F", "%D"), 86400),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a key: ``text`` as it is, the label, or the time's form."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    """A key's name, taken apart."""

    parts: tuple[Part, ...]

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels in it, in their order."""
        return tuple(part.text for part in self.parts if part.kind == "label")

    @property
    def timed(self) -> bool:
        """Whether there is a key for each slot of time."""
        return any(part.kind == "time" for part in self.parts)

    @property
    def slot_seconds(self) -> int:
        """How long the time in it stays the same; 0 where there is none, or none finer than a month."""
        forms = [part.text for part in self.parts if part.kind == "time"]
        return next((seconds for marks, seconds in _SLOTS if any(mark in form for form in forms for mark in marks)), 0)

    def keys(self, labels: Mapping[str, str], slot: float = 0.0) -> str:
        """The key of these labels and the slot of time that begins then."""
        at = time.gmtime(slot)
        return "".join(
            part.text
            if part.kind == "text"
            else labels[part.text]
            if part.kind == "label"
            else time.strftime(part.text, at)
            for part in self.parts
        )

    def glob(self) -> str:
        """The pattern of Redis that all such keys match, and maybe others."""
        return "".join(
            re.sub(r"([\\*?\[\]^])", r"\\\1", part.text) if part.kind == "text" else "*" for part in self.parts
        )

    def expression(self) -> re.Pattern[str]:
        """What tells a key's labels (``l0``, ``l1``, …) and times (``t0``, …); a label holds no character that stands
        beside it, such as the colon between two."""
        found: list[str] = []
        seen = {"label": 0, "time": 0}
        for index, part in enumerate(self.parts):
            if part.kind == "text":
                found.append(re.escape(part.text))
                continue
            before = self.parts[index - 1].text[-1:] if index and self.parts[index - 1].kind == "text" else ""
            after = (
                self.parts[index + 1].text[:1]
                if self.parts[index + 1 :] and self.parts[index + 1].kind == "text"
                else ""
            )
            marks = "".join(re.escape(mark) for mark in {before, after} if mark and not mark.isalnum())
            found.append(f"(?P<{part.kind[0]}{seen[part.kind]}>{f'[^{marks}]' if marks else '.'}+)")
            seen[part.kind] += 1
        return re.compile("".join(found), re.DOTALL)


class TemplateError(ValueError):
    """A text is no template; it says why."""


def template(text: str) -> Template:
    """The template that a text is. Raises `TemplateError`."""
    parts: list[Part] = []
    for match in _PART.finditer(text):
        inside = match["inside"]
        if match["brace"]:
            raise TemplateError(f"has a {match['brace']!r} without the other")
        if inside is None:
            plain = match["text"] or match[0][0]
            joined = parts.pop().text if parts and parts[-1].kind == "text" else ""
            parts.append(Part("text", joined + plain))
        elif inside.startswith("%"):
            parts.append(Part("time", inside))
        elif _LABEL.fullmatch(inside):
            parts.append(Part("label", inside))
        else:
            raise TemplateError(f"has {{{inside}}}, which is neither a label's name nor a time such as {{%Y%m%d}}")
    labels = [part.text for part in parts if part.kind == "label"]
    if len(set(labels)) < len(labels):
        raise TemplateError("has a label twice")
    if any(one.kind != "text" and other.kind != "text" for one, other in pairwise(parts)):
        raise TemplateError("has two parts that differ with nothing between them")
    return Template(tuple(parts))


def slots(now: float, window_seconds: float, slot_seconds: float) -> list[float]:
    """When the slots begin that overlap the last ``window_seconds``: nothing in it is missed, up to one slot more
    is in."""
    first = math.floor((now - window_seconds) / slot_seconds)
    last = math.floor(now / slot_seconds)
    return [slot * slot_seconds for slot in range(first, last + 1)]


def combinations(values: Mapping[str, Iterable[str]]) -> list[dict[str, str]]:
    """Every choice of one value a label."""
    return [dict(zip(values, chosen, strict=True)) for chosen in product(*values.values())]
