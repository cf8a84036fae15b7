"""Plain dumps are split as psql splits them, however the bytes come in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.drill.filtering import Filter, choose_entries
from sla_kit.exporters.drill.statements import Command, Copy, PlainDump, Statement

#: Statements that hold semicolons, quotes and psql's own, and end where they do.
_STATEMENTS = [
    "SELECT 1;",
    "SELECT ';';",
    "SELECT 'it''s; \\! no';",
    "SELECT E'a\\'; b\\\\';",
    "SELECT $$ ; ' \" $ $$;",
    "SELECT $body$ $$ ; $bod $body$;",
    'SELECT "a;""b";',
    "SELECT /* ; /* nested; */ ' */ 1;",
    "SELECT 1 -- ; '\n;",
    "CREATE RULE r AS ON UPDATE TO t DO (SELECT 1; SELECT 2);",
    "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; END;",
    "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC SELECT 1; END;",
    "SELECT a$b$c FROM t;",
    "INSERT INTO t VALUES ('grüße; 漢字', E'\\\\');",
    "BEGIN;",
    "SELECT CASE WHEN 1 > 0 THEN 2 END;",
]
_ROWS = ["a\tb", "\\N", "\\\\.", "'; DROP TABLE t; --", "\\.x", "$$", ""]


def _chunks(data: bytes, sizes: list[int]) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = sizes.pop() if sizes else len(data)
        yield data[at : at + size]
        at += size


@given(
    pieces=st.lists(
        st.one_of(
            st.sampled_from(_STATEMENTS),
            st.lists(st.sampled_from(_ROWS), max_size=4),
            st.sampled_from(["\\connect x", "\\restrict abc", "\\! touch y"]),
        ),
        max_size=12,
    ),
    sizes=st.lists(st.integers(1, 40), max_size=400),
    gap=st.sampled_from(["\n", "\n\n-- a comment; '\n", "\n/* ; */\n"]),
)
@settings(deadline=None, derandomize=True, max_examples=300)
def test_what_was_put_together_comes_apart_again(pieces: list[str | list[str]], sizes: list[int], gap: str) -> None:
    text, expected = "", []
    for piece in pieces:
        if isinstance(piece, list):
            body = "".join(f"{row}\n" for row in piece)
            text += f"COPY public.t (a) FROM stdin;\n{body}\\.\n{gap}"
            expected.append(("copy", body.encode()))
        else:
            text += piece + gap
            expected.append(("command" if piece.startswith("\\") else "statement", piece.encode()))
    found: list[tuple[str, bytes]] = []
    for each in PlainDump(_chunks(text.encode(), sizes)).pieces():
        match each:
            case Copy():
                found.append(("copy", b"".join(each.data)))
            case Command():
                found.append(("command", each.text))
            case Statement():
                found.append(("statement", each.text))
    assert found == expected


@given(data=st.binary(max_size=300), sizes=st.lists(st.integers(1, 9), max_size=50))
@settings(deadline=None, derandomize=True, max_examples=300)
def test_any_bytes_are_read_or_refused(data: bytes, sizes: list[int]) -> None:
    with suppress(DrillError):  # and nothing else
        for piece in Filter().choose(PlainDump(_chunks(data, sizes))):
            if isinstance(piece, Copy):
                b"".join(piece.data)


def _read(data: bytes) -> None:
    for piece in PlainDump(iter([data])).pieces():
        if isinstance(piece, Copy):
            b"".join(piece.data)


@pytest.mark.parametrize("cut", ["SELECT 'a", "SELECT 1", "COPY t FROM stdin;\na\n", "/* ", "SELECT $x$ a", 'SELECT "'])
def test_an_end_in_the_middle_is_an_error(cut: str) -> None:
    with pytest.raises(DrillError, match=r"ends|cut off"):
        _read(cut.encode())


def _chosen(text: str, **options: object) -> tuple[list[str], dict[str, int]]:
    filtering = Filter(**options)  # type: ignore[arg-type]
    kept = [piece.text.decode() for piece in filtering.choose(PlainDump(iter([text.encode()])))]
    return kept, dict(filtering.left_out)


def test_one_database_of_several_is_chosen() -> None:
    text = "CREATE ROLE a;\n\\connect template1\nSELECT 1;\n\\connect shop\nSELECT 2;\n\\connect blog\nSELECT 3;\n"
    assert _chosen(text, database="blog")[0] == ["SELECT 3;"]
    with pytest.raises(DrillError, match="several databases"):
        _chosen(text)
    with pytest.raises(DrillError, match="no database 'other'"):
        _chosen(text, database="other")


def test_what_is_beside_the_database_is_left_out_and_counted() -> None:
    text = """CREATE ROLE a; ALTER USER a WITH PASSWORD 'x'; CREATE USER MAPPING FOR a SERVER s;
    DROP DATABASE shop; CREATE DATABASE shop; ALTER TABLE public.t OWNER TO a; GRANT SELECT ON TABLE public.t TO a;
    GRANT a TO b; COMMENT ON EXTENSION x IS 'y'; CREATE SUBSCRIPTION s CONNECTION 'host=prod' PUBLICATION p;
    CREATE TABLE t (a int); DROP TABLE old;"""
    kept, left_out = _chosen(text)
    assert kept == ["CREATE TABLE t (a int);", "DROP TABLE old;"]
    assert left_out == {
        "roles": 2, "databases": 2, "owners": 1, "privileges": 2, "extensions' comments": 1,
        "subscriptions and publications": 1, "foreign servers and tables": 1,
    }  # fmt: skip
    assert "GRANT SELECT ON TABLE public.t TO a;" in _chosen(text, privileges=True)[0]
    assert "GRANT a TO b;" not in _chosen(text, privileges=True)[0]


def test_entries_of_an_archive_are_left_out_by_what_they_are() -> None:
    listed = """;
; Archive created at 2026-11-26
;
3; 2615 2200 SCHEMA - public pg_database_owner
214; 1259 16390 TABLE public users sla
3346; 0 16390 TABLE DATA public users sla
3361; 0 0 ACL public TABLE users sla
3362; 0 0 COMMENT - EXTENSION pgcrypto
9; 0 0 SUBSCRIPTION - elsewhere sla
"""
    kept, left_out = choose_entries(listed)
    assert kept.splitlines() == [
        "214; 1259 16390 TABLE public users sla", "3346; 0 16390 TABLE DATA public users sla",
    ]  # fmt: skip
    assert sum(left_out.values()) == 4
    assert "ACL" in choose_entries(listed, privileges=True)[0]
