"""Text of others made fit for a mail: one line for headers, no control characters, no change of direction."""

from __future__ import annotations

import unicodedata

#: Categories that have no place in a mail: control characters, halves of surrogate pairs, what is not assigned.
_UNFIT = frozenset({"Cc", "Cs", "Cn", "Co"})
_LINE_ENDS = frozenset("\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029")
#: What turns the direction of the text that follows, and could make a name read as another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff")


def one_line(text: str, longest: int = 200) -> str:
    """The text in one line of at most ``longest`` characters."""
    kept = "".join(each if _fit(each) else " " for each in text[: longest * 4])
    line = " ".join(kept.split())
    return line if len(line) <= longest else line[: longest - 1].rstrip() + "…"


def header(text: str, longest: int = 200) -> str:
    """One line for a header. What looks like an encoded word (RFC 2047) is taken apart: the email package decodes it
    where it writes a header, line ends included."""
    return one_line(text, longest).replace("=?", "= ?")


def lines(text: str, longest: int = 20_000) -> str:
    """The text with its lines, at most ``longest`` characters of it."""
    told = text[:longest].replace("\r\n", "\n").replace("\r", "\n")
    kept = "".join(each if each == "\n" or _fit(each) else " " for each in told).strip("\n ")
    return kept + ("…" if len(text) > longest else "")


def _fit(character: str) -> bool:
    if character in _LINE_ENDS or character in _TURNING:
        return False
    return (character.isascii() and character.isprintable()) or unicodedata.category(character) not in _UNFIT
