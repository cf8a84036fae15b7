"""Text of others where people read it: nothing in it orders a terminal about or turns the direction of what follows."""

from __future__ import annotations

import re

#: Control characters (with them the escape that begins an order, and its form in one character), ends of lines and
#: paragraphs, halves of characters, and what turns the direction of a text.
_ORDERS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


def visible(text: str) -> str:
    """The text with a sign for each such character; it keeps its lines and tabs."""
    return _ORDERS.sub("\ufffd", text)


def visible_json(document: str) -> str:
    """A JSON document that says the same, with such characters written as escapes."""
    return _ORDERS.sub(lambda found: f"\\u{ord(found[0]):04x}", document)
