"""What is read from the text of a query in SQL, and from the names of its columns, the same for all databases."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

from sla_kit.exporters.sidecar.collector import CollectError

#: Comments, literals and quoted names; a dollar-quoted literal ends where it began.
_SKIPPED = re.compile(
    r"""
    --[^\n]* | /\*.*?\*/ | \b[eE]'(?:[^'\\]|''|\\.)*' | '(?:[^']|'')*'
    | (?P<tag>\$[A-Za-z_]*\$).*?(?P=tag) | (?P<quoted>"(?:[^"]|"")*")
    """,
    re.VERBOSE | re.DOTALL,
)
_READING = ("select", "with", "values", "table", "show", "explain", "pragma")
_WRITING = re.compile(r"\b(insert\s+into|update\s+\S+\s+set|delete\s+from|merge\s+into|select\b[^;]*\binto\s+\w)", re.I)


def bare(sql: str) -> str:
    """The text without comments and literals; quoted names stay, without their quotes."""
    return _SKIPPED.sub(lambda found: f" {(found['quoted'] or '')[1:-1]} ", sql)


def why_not(sql: str) -> tuple[str, str] | None:
    """Why a text is no query that only reads, and a hint; None where nothing is seen.

    This tells slips early. What keeps a query from writing is the read-only session.
    """
    text = bare(sql).strip()
    statements = [part for part in text.split(";") if part.strip()]
    if not statements:
        return "has no statement", "such as SELECT count(*) AS users FROM users"
    if len(statements) > 1:
        return "has more than one statement", "a query is one statement"
    first = re.match(r"[\s(]*([A-Za-z]*)", text)
    word = first[1].lower() if first else ""
    if word not in _READING:
        return f"begins with {word.upper() or text[:1]}: it does not read", "a query begins with SELECT or WITH"
    if _WRITING.search(re.sub(r"\bfor\s+(no\s+key\s+)?update\b", " ", text, flags=re.I)):
        return "would write", "the exporter only reads"
    return None


def pyformat_parameters(sql: str) -> tuple[frozenset[str], bool]:
    """The names in ``%(name)s``, and whether there is a ``%`` besides that is not doubled.

    psycopg looks for them in literals and comments, too.
    """
    names = frozenset(re.findall(r"%\((\w+)\)[sbt]", sql))
    rest = re.sub(r"%%|%\(\w+\)[sbt]", "", sql)
    return names, "%" in rest


def colon_parameters(sql: str) -> frozenset[str]:
    """The names in ``:name``, as SQLite has them."""
    return frozenset(re.findall(r"(?<![:\w]):([A-Za-z_]\w*)", bare(sql)))


def may_have_column(sql: str, column: str) -> bool:
    """Whether an answer can have a column of that name: it is written in the text, or the text takes all columns."""
    text = bare(sql)
    if mentions(sql, column):
        return True
    return bool(
        re.search(r"(select|distinct|,|\.)\s*\*", text, re.I) or re.match(r"\s*(table|values|show|explain)", text, re.I)
    )


def columns(names: Iterable[str]) -> list[str]:
    """The names of an answer's columns. Raises `CollectError` where two have the same: one would hide the other."""
    found = list(names)
    for name, times in Counter(found).items():
        if times > 1:
            raise CollectError(
                "query", f"{times} columns of the answer are called {name}", remedy="name them: … AS users"
            )
    return found


def mentions(sql: str, name: str) -> bool:
    """Whether a name is written in a text, as a parameter or a column."""
    return bool(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", bare(sql), re.I))
