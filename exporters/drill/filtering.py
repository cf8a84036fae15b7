"""What of a plain dump is restored: statements that make the database's own content, and none that are about anything
beside it (roles, other databases, the server, connections elsewhere).

This sorts out what an honest dump holds beyond one database. What keeps a dishonest one in is the role that statements
run as, which may do nothing outside its own database (`scratch`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.drill.statements import Command, Copy, Piece, PlainDump, Statement

#: Databases that every server has: what pg_dumpall writes of them is no backup of anybody's data.
_OWN_DATABASES = {"postgres", "template0", "template1"}
#: What is left out, by what it is called in the evidence. Statements are matched with single blanks between words.
_LEFT_OUT = (
    (
        "databases",
        re.compile(r"(CREATE|ALTER|DROP) DATABASE\b|COMMENT ON DATABASE\b|UPDATE pg_catalog\.pg_database\b", re.I),
    ),
    ("roles", re.compile(r"(CREATE|ALTER|DROP) (ROLE|GROUP|USER(?! MAPPING))\b|COMMENT ON ROLE\b", re.I)),
    ("roles", re.compile(r"(SET|RESET) (SESSION AUTHORIZATION|ROLE)\b|(REASSIGN|DROP) OWNED\b", re.I)),
    (
        "tablespaces",
        re.compile(r"(CREATE|ALTER|DROP) TABLESPACE\b|COMMENT ON TABLESPACE\b|SET default_tablespace\b", re.I),
    ),
    (
        "subscriptions and publications",
        re.compile(r"(CREATE|ALTER|DROP|COMMENT ON) (SUBSCRIPTION|PUBLICATION)\b", re.I),
    ),
    ("event triggers", re.compile(r"(CREATE|ALTER|DROP|COMMENT ON) EVENT TRIGGER\b", re.I)),
    ("extensions' comments", re.compile(r"COMMENT ON EXTENSION\b", re.I)),
    ("security labels", re.compile(r"SECURITY LABEL\b", re.I)),
    (
        "foreign servers and tables",
        re.compile(
            r"(CREATE|ALTER|DROP|COMMENT ON) (SERVER|USER MAPPING|FOREIGN (TABLE|DATA WRAPPER))\b"
            r"|(GRANT|REVOKE) .{1,400} ON FOREIGN\b",
            re.I,
        ),
    ),
    ("owners", re.compile(r"ALTER (?:[^'\"]|\"[^\"]*\"){1,400}? OWNER TO (\w+|(\"[^\"]*\")+);\Z", re.I)),
    (
        "the schema public",
        re.compile(r"((CREATE|DROP) SCHEMA (IF (NOT )?EXISTS )?\"?public\"?;\Z|COMMENT ON SCHEMA \"?public\"? )", re.I),
    ),
)
_PRIVILEGES = re.compile(r"(GRANT|REVOKE)\b|ALTER DEFAULT PRIVILEGES\b", re.I)
#: Those that are not of an object in the database: membership of roles, and what is granted on the database itself.
_FOREIGN_PRIVILEGES = re.compile(
    r"(GRANT|REVOKE)\b(?!.* ON )|(GRANT|REVOKE) .* ON (DATABASE|TABLESPACE|PARAMETER)\b", re.I | re.S
)
#: What --clean writes before anything is made: there is nothing that could be dropped.
_CLEANING = re.compile(
    r"DROP\b|SELECT pg_catalog\.lo_unlink\(|ALTER TABLE .{1,400} DROP CONSTRAINT\b|ALTER .{1,400} DROP DEFAULT;",
    re.I | re.S,
)
_MAKING = re.compile(r"CREATE\b", re.I)
_OUT = re.compile(r"COPY\b.*\b(TO|FROM)\s+(PROGRAM\b|STDOUT\b|')", re.I | re.S)
_CONNECT = re.compile(rb"\\c(?:onnect)?\s+(?:-reuse-previous=\w+\s+)?(\"(?:[^\"]|\"\")+\"|'[^']*'|\S+)")
#: How much of a statement is looked at: what it is stands at its beginning.
_LOOKED_AT = 4000


class Filter:
    """Chooses the pieces of one database's dump. ``left_out`` counts what was not restored, by what it is."""

    def __init__(self, database: str = "", *, privileges: bool = False) -> None:
        self._database = database
        self._privileges = privileges
        self._current: str | None = None  # what the dump connected to last
        self._chosen: str | None = None  # the one whose content is restored
        self._made = False
        self.left_out: Counter[str] = Counter()

    def choose(self, dump: PlainDump) -> Iterator[Statement | Copy]:
        """The pieces to restore, in their order. Raises `DrillError` for what no dump may hold."""
        for piece in dump.pieces():
            if isinstance(piece, Command):
                self._obey(piece)
            elif self._wanted(piece):
                yield piece
        if self._database and self._current is not None and self._chosen is None:
            raise DrillError(
                f"the dump holds no database {self._database!r}", remedy="correct `database`, or leave it out"
            )

    def _obey(self, command: Command) -> None:
        """Follows \\connect in mind only; whatever else psql could do is refused."""
        if re.match(rb"\\((un)?restrict|encoding)\s", command.text):  # what follows is told by SET client_encoding
            return
        found = _CONNECT.match(command.text)
        if found is None:
            shown = command.text[:60].decode(errors="replace")
            raise DrillError(f"the dump holds a command for psql that no backup needs: {shown}")
        self._current = _database(found[1].decode(errors="replace"))
        wanted = self._current == self._database if self._database else self._current not in _OWN_DATABASES
        if not wanted:
            return
        if self._chosen not in (None, self._current):
            raise DrillError(
                f"the dump holds several databases ({self._chosen}, {self._current})",
                remedy="say which one to restore: database: NAME",
            )
        self._chosen = self._current

    def _wanted(self, piece: Statement | Copy) -> bool:
        if self._current is not None and self._current != self._chosen:
            self.left_out["other databases' content"] += 1
            return False
        if isinstance(piece, Copy):
            return True
        text = " ".join(piece.text[:_LOOKED_AT].decode(errors="replace").split())
        if len(piece.text) > _LOOKED_AT:
            text = text.rstrip(";")
        if _OUT.match(text):
            raise DrillError(f"the dump would read or write files or run a program: {text[:80]}")
        what = self._reason(text)
        if what is not None:
            self.left_out[what] += 1
            return False
        self._made = self._made or _MAKING.match(text) is not None
        return True

    def _reason(self, text: str) -> str | None:
        """Why a statement is left out; None where it is not."""
        for what, pattern in _LEFT_OUT:
            if pattern.match(text):
                return what
        if _PRIVILEGES.match(text) and (not self._privileges or _FOREIGN_PRIVILEGES.match(text)):
            return "privileges"
        if not self._made and _CLEANING.match(text):
            return "what is dropped first"
        return None


def _database(argument: str) -> str:
    """The database that an argument of \\connect names: by itself, or in a string with all that a connection needs."""
    if argument[0] == argument[-1] and argument[0] in "\"'" and len(argument) > 1:
        argument = argument[1:-1].replace(argument[0] * 2, argument[0])
    if "=" not in argument and "://" not in argument:
        return argument
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict

    try:
        return str(conninfo_to_dict(argument).get("dbname") or argument)
    except ProgrammingError:
        raise DrillError("the dump connects to something that is no database") from None


#: Entries of an archive's table of contents that are left out, by what they are called in the evidence.
_ENTRIES = (
    ("databases", ("DATABASE ", "DATABASE PROPERTIES ", "COMMENT - DATABASE ", "ACL - DATABASE ")),
    ("the schema public", ("SCHEMA - public ", "COMMENT - SCHEMA public ")),
    ("extensions' comments", ("COMMENT - EXTENSION ",)),
    ("event triggers", ("EVENT TRIGGER ", "COMMENT - EVENT TRIGGER ")),
    (
        "subscriptions and publications",
        ("SUBSCRIPTION ", "PUBLICATION ", "COMMENT - SUBSCRIPTION ", "COMMENT - PUBLICATION "),
    ),
    ("security labels", ("SECURITY LABEL ",)),
    ("foreign servers and tables", ("SERVER ", "USER MAPPING ", "FOREIGN TABLE ", "FOREIGN DATA WRAPPER ")),
    ("foreign servers and tables", ("COMMENT - SERVER ", "COMMENT - FOREIGN DATA WRAPPER ")),
)
_FOREIGN_TABLE = re.compile(r"(COMMENT|ACL) \S+ FOREIGN TABLE ")
_ENTRY = re.compile(r"\d+; \d+ \d+ (.*)\Z")


def choose_entries(contents: str, *, privileges: bool = False) -> tuple[str, Counter[str]]:
    """Of what `pg_restore --list` printed, the lines to restore, and what was left out."""
    left_out: Counter[str] = Counter()
    kept: list[str] = []
    for line in contents.splitlines():
        found = _ENTRY.match(line)
        if found is None:
            continue
        what = next((what for what, begins in _ENTRIES if found[1].startswith(begins)), None)
        if _FOREIGN_TABLE.match(found[1]):
            what = "foreign servers and tables"
        if what is None and not privileges and found[1].startswith(("ACL ", "DEFAULT ACL ")):
            what = "privileges"
        if what is None:
            kept.append(line)
        else:
            left_out[what] += 1
    return "\n".join(kept) + "\n", left_out


__all__ = ["Filter", "Piece", "choose_entries"]
