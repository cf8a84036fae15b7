"""Slips in a query string of Lucene's syntax that can be told without a server: what is open, empty or dangling.

The syntax is that of Elasticsearch's query_string query:
https://www.elastic.co/docs/reference/query-languages/query-dsl/query-dsl-query-string-query#query-string-syntax.
What is refused here, the server refuses, too, or takes for something else than was meant; not the other way round.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<phrase>"(?:[^"\\]|\\.)*")
    |(?P<pattern>/(?:[^/\\]|\\.)*/)
    |(?P<range>[\[{][^\]}]*[\]}])
    |(?P<bracket>[()])
    |(?P<field>:(?P<than>[<>]=?)?)
    |(?P<not>!)
    |(?P<open>["/\[{])
    |(?P<stray>[\]}])
    |(?P<word>(?:[^\s"/\[\]{}():!\\]|\\.)+)
    |(?P<end>\\)
    """,
    re.VERBOSE | re.DOTALL,
)
_RANGE = re.compile(r"""[\[{]\s*("(?:[^"\\]|\\.)*"|[^\s\]}"]+)\s+TO\s+("(?:[^"\\]|\\.)*"|[^\s\]}"]+)\s*[\]}]""")
_OPEN = {
    '"': ("a quote is not closed", 'close it, or write \\"'),
    "/": ("a / begins a regular expression that does not end", 'put the value in quotes, or write "\\/"'),
    "[": ("a range is not closed", "such as [500 TO *]"),
    "{": ("a range is not closed", "such as {500 TO *}"),
}
#: Words that only look like operators.
_SMALL = ("and", "or", "not")


class Slip(NamedTuple):
    """What is wrong with a query string, and a hint."""

    message: str
    hint: str = ""


class _Token(NamedTuple):
    kind: str
    text: str
    spaced: bool


def slip_of(query: str) -> Slip | None:
    """The first slip in a query string; None where none can be seen. An empty one has none: it means all documents."""
    tokens = list(_tokens(query))
    for at, token in enumerate(tokens):
        found = _alone(token) or _beside(
            token, tokens[at - 1] if at else None, tokens[at + 1] if at + 1 < len(tokens) else None
        )
        if found is not None:
            return found
    return _brackets(tokens) or _lower_case(tokens)


def takes_all(query: str) -> bool:
    """Whether a query string selects every document."""
    return query.strip() in ("", "*", "*:*")


def _tokens(query: str) -> Iterator[_Token]:
    spaced = False
    for match in _TOKEN.finditer(query):
        kind = str(match.lastgroup if match.lastgroup != "than" else "field")
        if kind == "space":
            spaced = True
            continue
        text = match[0]
        if kind == "word" and text in ("AND", "OR", "NOT", "&&", "||"):
            kind = "not" if text == "NOT" else "both"
        elif text in ("+", "-", "!"):  # before a space they are words
            kind = "word" if query[match.end() : match.end() + 1].isspace() else "not"
        yield _Token(kind, text, spaced)
        spaced = False


def _alone(token: _Token) -> Slip | None:
    if token.kind == "open":
        return Slip(*_OPEN[token.text])
    if token.kind == "stray":
        return Slip(f"a {token.text} closes nothing", f'write "\\{token.text}" where it is meant')
    if token.kind == "end":
        return Slip("a backslash at the end stands before nothing")
    if token.kind == "range" and not _RANGE.fullmatch(token.text):
        return Slip(f"{token.text[:40]!r} is no range", "such as [500 TO 599], * for no limit")
    return None


def _beside(token: _Token, before: _Token | None, after: _Token | None) -> Slip | None:
    opens = before is None or before.text == "(" or before.kind in ("both", "not")
    ends = after is None or after.text == ")"
    if token.kind == "both":
        if opens:
            return Slip(f"{token.text} has nothing before it", "an operator stands between two parts")
        if ends or (after is not None and after.kind == "both"):
            return Slip(f"{token.text} has nothing after it", "an operator stands between two parts")
    elif token.kind == "not":
        if ends or (after is not None and after.kind == "both"):
            return Slip(f"{token.text} has nothing after it")
    elif token.kind == "field":
        if opens:
            return Slip("a : has no field before it", 'such as log.level:error, or "\\:" where it is meant')
        if ends or (after is not None and after.kind in ("both", "not")) or _apart(token, after):
            return Slip(
                f"{token.text} has no value after it", "such as log.level:error or status:>=500, without a space"
            )
        if after is not None and after.kind == "field":
            return Slip("a : follows a :", 'put the value in quotes, or write "\\:"')
    elif token.kind in ("word", "phrase") and before is not None and before.kind == "field":
        if after is not None and after.kind == "field" and not after.spaced:
            return Slip("a value holds a :", 'put it in quotes, or write "\\:"')
    elif token.text == "(" and (after is None or after.text == ")"):
        return Slip("a ( holds nothing", 'write "\\(" where it is meant')
    return None


def _apart(token: _Token, after: _Token | None) -> bool:
    return len(token.text) > 1 and after is not None and after.spaced


def _brackets(tokens: list[_Token]) -> Slip | None:
    depth = 0
    for token in tokens:
        depth += {"(": 1, ")": -1}.get(token.text if token.kind == "bracket" else "", 0)
        if depth < 0:
            return Slip("a ) closes nothing", 'write "\\)" where it is meant')
    return Slip("a ( is not closed", 'write "\\(" where it is meant') if depth else None


def _lower_case(tokens: list[_Token]) -> Slip | None:
    """An operator in small letters before a field, which would be looked for as a word."""
    for token, following, colon in zip(tokens, tokens[1:], tokens[2:], strict=False):
        if token.text in _SMALL and following.kind == "word" and colon.kind == "field":
            return Slip(f"{token.text} is a word here, no operator", f"write {token.text.upper()}")
    return None
