"""What the backup exporter's configuration says of drills: how each target is restored, where, what is checked then,
and when."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from msgspec import field

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.configuration.secrets import Secret, check_address, check_secret
from sla_kit.configuration.values import Duration, Name, Value

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")
_HOUR = 3600.0


class Keys(Value, frozen=True, kw_only=True):
    """What opens encrypted backups: identity files of ``age`` (or SSH keys), secret keys of ``gpg`` as exported, and
    the ``passphrase`` of either one. They are read when a backup is decrypted, and never kept."""

    age: list[Secret] = field(default_factory=list)
    gpg: list[Secret] = field(default_factory=list)
    passphrase: Secret | None = None


class Scratch(Value, frozen=True, kw_only=True):
    """Where backups are restored into.

    Without a ``url`` a PostgreSQL is started in a new folder below ``folder`` (the system's for temporary files), as
    ``user`` where the drill runs as root (postgres or nobody), by the programs in ``programs`` (the newest that are
    installed), with ``settings`` of its postgresql.conf. With one it is that server, without its password in it, which
    must have been marked by ``sla-kit drill mark-scratch``; ``folder`` is then for unpacked dumps.
    """

    folder: str = ""
    user: str = ""
    programs: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    url: str = ""
    password: Secret | None = None


class Bounds(Value, frozen=True, kw_only=True):
    """How many rows a table may have."""

    min: int | None = None
    max: int | None = None


class Rows(Value, frozen=True, kw_only=True, tag_field="kind", tag="rows"):
    """Tables have as many rows as were counted at the source: written in a file beside the backup, whose name has
    ``suffix`` added (see ``sla-kit drill record``), or in a ``table`` of the dump with the columns table_name and rows.
    Without either, ``tables`` say their bounds. ``tolerance`` is by how many rows a table may differ."""

    recorded: Literal["", "file", "table"] = ""
    suffix: str = ".counts.json"
    table: str = ""
    tables: dict[str, Bounds] = field(default_factory=dict)
    tolerance: int = 0


class Checksums(Value, frozen=True, kw_only=True, tag_field="kind", tag="checksums"):
    """Tables hold the same content as at the source, by checksums recorded as `Rows` says (column checksum)."""

    recorded: Literal["file", "table"] = "file"
    suffix: str = ".counts.json"
    table: str = ""


class Freshness(Value, frozen=True, kw_only=True, tag_field="kind", tag="freshness"):
    """The newest row of a ``table``, by a ``column`` with a time, is at most ``max_age`` older than the backup."""

    table: str
    column: str
    max_age: Duration


class Query(Value, frozen=True, kw_only=True, tag_field="kind", tag="sql"):
    """The first column of a query's only row is as ``expect`` says (as text); a query without an expectation must give
    true."""

    name: Name
    query: str
    expect: str | int | float | bool = True


class Readable(Value, frozen=True, kw_only=True, tag_field="kind", tag="readable"):
    """Every table can be read from its first row to its last, there are at least ``min_tables`` with rows, and B-tree
    indexes agree with them (where the server has the extension amcheck)."""

    min_tables: int = 1
    indexes: bool = True


Check = Rows | Checksums | Freshness | Query | Readable


class Restore(Value, frozen=True, kw_only=True):
    """How the backups of one target are restored for practice.

    ``objective`` is how long it may take, from choosing a backup to the last check. ``database`` says which one of a
    dump of several. ``sources`` are the addresses of the servers that are backed up: none of them is ever restored
    into. ``extensions`` are made beforehand where only a superuser may; ``roles`` are made, too, so that policies and
    (with ``privileges``) grants find them. ``jobs`` restore an archive in parallel. ``space`` is how many times its
    size a backup may need on the disk. ``timeout`` is how long a drill may take before it is given up.
    """

    keys: Keys = Keys()
    objective: Duration | None = None
    database: str = ""
    sources: list[str] = field(default_factory=list)
    extensions: list[Name] = field(default_factory=list)
    roles: list[str] = field(default_factory=list)
    privileges: bool = False
    encoding: str = "UTF8"
    jobs: int = 1
    space: float = 5.0
    timeout: Duration = 24 * _HOUR
    checks: list[Check] = field(default_factory=lambda: [Readable()])


class Timetable(Value, frozen=True, kw_only=True):
    """When drills run inside the exporter: every week on a ``day`` or every day, ``at`` a time of the ``timezone``, up
    to ``jitter`` later. One that was missed is caught up with once."""

    every: Literal["weekly", "daily", "monthly"] = "weekly"
    day: Weekday = "sunday"
    at: str = "03:00"
    timezone: str = "UTC"
    jitter: Duration = 0.0


class Drill(Value, frozen=True, kw_only=True):
    """Drills of targets by their names among the exporter's dumps.

    ``results`` is the file by which the exporter learns what became of them, and ``evidence`` the one that all evidence
    is added to where there is no ``ledger`` (a path, or a URL without its password); relative to the configuration.
    """

    targets: dict[str, Restore]
    scratch: Scratch = Scratch()
    schedule: Timetable | None = None
    results: str = "drill-results.json"
    evidence: str = "drill-evidence.jsonl"
    ledger: str = ""


def check_drill(drill: Drill | None, known: list[str], findings: Findings, path: Part = ("drill",)) -> None:
    """Says what is wrong with drills that types can't tell; ``known`` are the targets that have dumps."""
    if drill is None:
        return
    if not drill.targets:
        findings.say((*path, "targets"), "declares no drill", "such as targets: {shop: {objective: 1h}}")
    for name, restore in drill.targets.items():
        findings.expect(name, known, (*path, "targets", name), "target with dumps", [("dumps",)])
        _check_restore(restore, findings, (*path, "targets", name))
    _check_scratch(drill, findings, (*path, "scratch"))
    if drill.schedule is not None:
        _check_timetable(drill.schedule, findings, (*path, "schedule"))
    for each in ("results", "evidence"):
        if not getattr(drill, each):
            findings.say((*path, each), "names no file")
    if drill.ledger:
        check_address(drill.ledger, findings, (*path, "ledger"))


def beside(folder: Path, name: str) -> Path:
    """A path of the configuration, which is relative to its folder."""
    return folder.absolute() / name


def ledger_of(drill: Drill, base: Path, given: str = "") -> str:
    """Which ledger keeps the evidence: the given one, else the declared one; "" where that is the file."""
    if given or not drill.ledger or "://" in drill.ledger:
        return given or drill.ledger
    return str(base / drill.ledger)


def _check_restore(restore: Restore, findings: Findings, path: Part) -> None:
    for kind in ("age", "gpg"):
        for number, secret in enumerate(getattr(restore.keys, kind)):
            check_secret(secret, findings, (*path, "keys", kind, number))
    check_secret(restore.keys.passphrase, findings, (*path, "keys", "passphrase"))
    for number, source in enumerate(restore.sources):
        check_address(source, findings, (*path, "sources", number))
        if not source.startswith(("postgresql://", "postgres://")):
            findings.say(
                (*path, "sources", number), "is no address of PostgreSQL", "such as postgresql://db.shop:5432/"
            )
    if restore.objective is not None and restore.objective <= 0:
        findings.say((*path, "objective"), "must be above 0", "such as 1h")
    if restore.timeout <= 0:
        findings.say((*path, "timeout"), "must be above 0", "such as 6h")
    if restore.jobs < 1:
        findings.say((*path, "jobs"), "must be at least 1")
    if restore.space < 0:
        findings.say((*path, "space"), "must be at least 0", "how many times its size a backup needs on the disk")
    if not restore.checks:
        findings.say((*path, "checks"), "checks nothing", "leave it out, or - kind: readable")
    names: set[str] = set()
    for number, check in enumerate(restore.checks):
        _check_check(check, findings, (*path, "checks", number))
        if isinstance(check, Query):
            if check.name in names:
                findings.say((*path, "checks", number, "name"), f"{check.name} is the name of another check")
            names.add(check.name)


def _check_check(check: Check, findings: Findings, path: Part) -> None:
    if isinstance(check, Rows | Checksums):
        if check.recorded == "table" and not check.table:
            findings.say((*path, "table"), "must say which table the counts are in", "such as table: public.counts")
        if check.recorded == "file" and not check.suffix:
            findings.say((*path, "suffix"), "must be added to the backup's name", "such as .counts.json")
    if isinstance(check, Rows):
        if not check.recorded and not check.tables:
            findings.say(path, "says neither where counts are recorded nor bounds", "recorded: file, or tables: {…}")
        if check.tolerance < 0:
            findings.say((*path, "tolerance"), "must be at least 0")
        for name, bounds in check.tables.items():
            place = (*path, "tables", name)
            if bounds.min is None and bounds.max is None:
                findings.say(place, "has no bound", "such as {min: 1}")
            elif bounds.min is not None and bounds.max is not None and bounds.min > bounds.max:
                findings.say(place, "has a lower bound above the upper one")
    elif isinstance(check, Freshness) and check.max_age < 0:
        findings.say((*path, "max_age"), "must be at least 0", "such as 25h")
    elif isinstance(check, Query) and not check.query.strip():
        findings.say((*path, "query"), "asks nothing", "such as SELECT count(*) > 0 FROM orders")
    elif isinstance(check, Readable) and check.min_tables < 0:
        findings.say((*path, "min_tables"), "must be at least 0")


def _check_scratch(drill: Drill, findings: Findings, path: Part) -> None:
    scratch = drill.scratch
    check_secret(scratch.password, findings, (*path, "password"))
    if scratch.url:
        check_address(scratch.url, findings, (*path, "url"))
        if not scratch.url.startswith(("postgresql://", "postgres://")):
            findings.say(
                (*path, "url"), "is no address of PostgreSQL", "such as postgresql://drill@scratch:5432/postgres"
            )
        for each in ("user", "settings"):
            if getattr(scratch, each):
                findings.say((*path, each), "is for a server that the drill starts itself", "leave it out, or url")
    elif scratch.password is not None:
        findings.say((*path, "password"), "is for a server that is given", "leave it out, or say url")
    for name in scratch.settings:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.]*", name):
            findings.say((*path, "settings", name), "can't be the name of a setting")
        elif name in _OURS:
            findings.say((*path, "settings", name), "is set by the drill, so that nobody else reaches the server")


#: Settings of a scratch server that say who reaches it, or that would let a dump out.
_OURS = {
    "listen_addresses",
    "port",
    "unix_socket_directories",
    "unix_socket_permissions",
    "hba_file",
    "data_directory",
    "archive_mode",
    "archive_command",
    "archive_library",
    "primary_conninfo",
}


def _check_timetable(timetable: Timetable, findings: Findings, path: Part) -> None:
    if not _TIME.fullmatch(timetable.at):
        findings.say((*path, "at"), f"{timetable.at!r} is no time of day", 'such as "03:00"')
    try:
        ZoneInfo(timetable.timezone)
    except (ValueError, OSError, KeyError):
        findings.say((*path, "timezone"), f"there is no time zone {timetable.timezone!r}", "such as Europe/Berlin")
    if not 0 <= timetable.jitter < 86400:
        findings.say((*path, "jitter"), "must be under a day", "such as 30m")
