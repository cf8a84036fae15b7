"""A subject in lines (RFC 5322, section 2.2.3), the first of which holds text; what is not ASCII in encoded words
(RFC 2047).

The email package folds right after ``Subject:`` where the first words fit on no line with it, which some filters take
for a sign of spam, and may end a header with a blank line.
"""

from __future__ import annotations

import base64
from email.headerregistry import BaseHeader, HeaderRegistry, UniqueUnstructuredHeader
from email.message import EmailMessage
from email.policy import EmailPolicy, Policy
from typing import cast

#: The longest line that RFC 5322 recommends, without its end, and the longest encoded word of RFC 2047.
_LINE, _WORD = 78, 75
#: A rest of a line that is not worth an encoded word, which takes 12 characters beside its text.
_SHORT = 30
_PLAIN_IN_Q = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!*+-/")


def folding(policy: EmailPolicy[EmailMessage]) -> EmailPolicy[EmailMessage]:
    """The policy, by which subjects are folded as here."""
    registry = HeaderRegistry()
    registry.map_to_type("subject", cast("type[BaseHeader]", _Subject))  # which the registry makes of it
    return policy.clone(header_factory=registry)


def folded(name: str, text: str) -> list[str]:
    """A header's lines, none of them longer than 78 characters or blank. Words are set apart by single blanks."""
    lines = [f"{name}:"]
    longest = _LINE - len(name) - 2
    run: list[str] = []  # words that follow each other and must be encoded: blanks between encoded words are lost
    for word in text.split():
        if word.isascii() and word.isprintable() and "=?" not in word and len(word) <= longest:
            _encode(lines, run)
            run = []
            _add(lines, word)
        else:
            run.append(word)
    _encode(lines, run)
    return lines


class _Subject(UniqueUnstructuredHeader):
    """A subject, which knows how it is folded."""

    def fold(self, *, policy: Policy) -> str:
        return policy.linesep.join(folded("Subject", str(self))) + policy.linesep


def _add(lines: list[str], word: str) -> None:
    """The word on the last line, or where it has no room on the next; the first line is never left empty."""
    if len(lines[-1]) + 1 + len(word) <= _LINE or _is_bare(lines):
        lines[-1] += f" {word}"
    else:
        lines.append(f" {word}")


def _encode(lines: list[str], run: list[str]) -> None:
    text = " ".join(run)
    while text:
        room = _LINE - len(lines[-1]) - 1
        whole = _encoded(text)
        if len(whole) <= min(room, _WORD):
            _add(lines, whole)
            return
        if room < _SHORT and not _is_bare(lines):
            lines.append("")
            room = _LINE - 1
        count = _fitting(text, min(room, _WORD))
        lines[-1] += f" {_encoded(text[:count])}"
        text = text[count:]
        if text:
            lines.append("")


def _is_bare(lines: list[str]) -> bool:
    """Whether there is nothing yet but the name."""
    return len(lines) == 1 and lines[0].endswith(":") and " " not in lines[0]


def _fitting(text: str, room: int) -> int:
    """How many characters, one at least, an encoded word of that length holds."""
    low, high = 1, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if len(_encoded(text[:middle])) <= room else (low, middle - 1)
    return low


def _encoded(text: str) -> str:
    """One encoded word, by whichever of the two encodings is shorter."""
    octets = text.encode("utf-8", "replace")
    q = "".join("_" if each == 32 else chr(each) if chr(each) in _PLAIN_IN_Q else f"={each:02X}" for each in octets)
    b = base64.b64encode(octets).decode()
    return f"=?utf-8?q?{q}?=" if len(q) <= len(b) else f"=?utf-8?b?{b}?="
