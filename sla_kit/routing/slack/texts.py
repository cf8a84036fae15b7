"""Texts as Slack wants them: escaped, without what can't be shown, and no longer than allowed.

Slack reads ``<…>`` and ``&`` as markup of its own (https://docs.slack.dev/messaging/formatting-message-text); whoever
may write them can mention a whole channel. What others wrote therefore only ever goes through `escaped`.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

#: The longest address that a link may have (https://docs.slack.dev/reference/block-kit/block-elements/button-element).
LONGEST_URL = 3000
_BIDIRECTIONAL = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LAST = 253402300799  # the end of the year 9999


def clean(text: str, *, one_line: bool = False) -> str:
    """The text without control characters, changes of direction and halves of characters, and without blanks around."""
    kept = "".join(map(_shown, text.replace("\r\n", "\n")))
    return " ".join(kept.split()) if one_line else re.sub(r"\n{3,}", "\n\n", kept).strip()


def _shown(character: str) -> str:
    if character == "\n":
        return character
    category = unicodedata.category(character)
    if category == "Cs":
        return "\ufffd"
    if category in ("Cc", "Zl", "Zp"):
        return " "
    return "" if character in _BIDIRECTIONAL else character


def escaped(text: str, most: int, *, one_line: bool = False) -> str:
    """The text for mrkdwn, cleaned, escaped, and cut with an ellipsis where it would be longer than ``most`` UTF-16
    code units, as Slack's clients count."""
    parts = [_ENTITIES.get(character, character) for character in clean(text, one_line=one_line)]
    return _joined(parts, most)


def clipped(text: str, most: int) -> str:
    """One line of plain text, of ``most`` UTF-16 code units at most, in which nothing reads as markup."""
    return _joined([{"<": "‹", ">": "›"}.get(character, character) for character in clean(text, one_line=True)], most)


def _joined(parts: list[str], most: int) -> str:
    if length("".join(parts)) <= most:
        return "".join(parts)
    kept, left = [], most - 1
    for part in parts:
        left -= length(part)
        if left < 0:
            break
        kept.append(part)
    return "".join(kept).rstrip() + "…"


def length(text: str) -> int:
    """How long a text is in UTF-16 code units."""
    return len(text) + sum(character > "\uffff" for character in text)


def link(url: str, text: str, most: int = LONGEST_URL) -> str:
    """A link with its words; the words alone where the address is none of the web's, or longer than allowed."""
    address = web_address(url)
    words = escaped(text or address, 200, one_line=True) or "link"
    whole = f"<{escaped(address, LONGEST_URL * 2)}|{words}>"
    return whole if address and length(whole) <= most else words


def web_address(url: str) -> str:
    """The address with what it can't hold quoted; empty where it is not http or https, is too long, or holds a
    password."""
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.password is not None:
        return ""
    quoted = quote(clean(url, one_line=True), safe="%/:=&?~#+!$,;'@()*[]", errors="replace")
    return quoted if len(quoted) <= LONGEST_URL else ""


def moment(seconds: float) -> str:
    """A time that each reader sees in their own time zone; UTC where a client can't."""
    if not (math.isfinite(seconds) and 0 < seconds <= _LAST):
        return "an unknown time"
    return f"<!date^{int(seconds)}^{{date_short_pretty}} {{time_secs}}|{utc(seconds)}>"


def utc(seconds: float) -> str:
    """A time as text."""
    if not (math.isfinite(seconds) and 0 < seconds <= _LAST):
        return "an unknown time"
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def spoken(seconds: float) -> str:
    """A length of time in its two largest units, such as ``12 min 5 s``."""
    if not math.isfinite(seconds):
        return "an unknown time"
    left = max(0, round(seconds))
    found: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size and len(found) < 2:
            found.append(f"{left // size} {unit}")
            left %= size
    return " ".join(found) or "0 s"
