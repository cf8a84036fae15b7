"""Restoring a dump into a scratch database: plain ones statement by statement, archives by pg_restore.

Both work as the database's owner, who may do nothing elsewhere, and stop at the first error.
"""

from __future__ import annotations

import os
import re
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from sla_kit.exporters.drill.configuration import Restore
from sla_kit.exporters.drill.errors import DrillError
from sla_kit.exporters.drill.filtering import Filter, choose_entries
from sla_kit.exporters.drill.pipeline import Unpacking, to_file
from sla_kit.exporters.drill.programs import Account, find_postgresql, start, stop, tail
from sla_kit.exporters.drill.scratch import ScratchDatabase, environment
from sla_kit.exporters.drill.sessions import said_by
from sla_kit.exporters.drill.statements import Copy, PlainDump, Statement

_DATA_END = re.compile(rb"(?:\A|\n)\\\.\r?\n\s*\Z")

_DUMPED_BY = re.compile(rb"^-- Dumped by pg_dump version (\d+)", re.MULTILINE)
_INSTALL_NEWER = "install that version of PostgreSQL's programs (scratch: {programs: …} names where they are)"


def format_of(first: bytes) -> str:
    """ "custom", "tar" (pg_dump's own, or a directory in one), or "plain", by a dump's first bytes."""
    if first.startswith(b"PGDMP"):
        return "custom"
    if first[257:262] == b"ustar":
        return "tar"
    return "plain"


def restore_plain(unpacking: Unpacking, database: ScratchDatabase, restore: Restore) -> Counter[str]:
    """Restores a plain dump as it comes; returns what was left out. Raises `DrillError`."""
    import psycopg

    dump, chosen = PlainDump(unpacking.stream), Filter(restore.database, privileges=restore.privileges)
    restored = 0
    with database.connect() as connection:
        connection.execute("SET row_security = off")
        connection.execute("SET synchronous_commit = off")
        for piece in chosen.choose(dump):
            try:
                _send(connection, piece)
            except psycopg.Error as error:
                shown = " ".join(piece.text[:80].decode(errors="replace").split())
                raise DrillError(
                    f"the dump can't be restored: {said_by(error)} (in: {shown})",
                    remedy=_newer(unpacking.first, connection.info.server_version // 10000),
                ) from None
            restored += 1
        connection.execute("RESET ALL")
    if dump.begun and dump.completed < dump.begun:
        raise DrillError("the dump was cut off: the line with which pg_dump ends it is missing")
    if not restored:
        raise DrillError("the dump holds nothing to restore", remedy="is it a dump of PostgreSQL's?")
    return chosen.left_out


def restore_archive(
    unpacking: Unpacking,
    form: str,
    database: ScratchDatabase,
    restore: Restore,
    folder: Path,
    account: Account | None,
    programs: str = "",
) -> Counter[str]:
    """Restores a custom archive, a tar or a directory in a tar, from a file that it is unpacked into; returns what was
    left out. Raises `DrillError`."""
    path = folder / "dump"
    to_file(unpacking.stream, path)
    if form == "tar":
        path = _directory_in(path, folder) or path
    return restore_path(path, database, restore, folder, account, programs)


def restore_path(
    path: Path, database: ScratchDatabase, restore: Restore, folder: Path, account: Account | None, programs: str = ""
) -> Counter[str]:
    """Restores the archive in a file or folder, which is given to ``account`` to read."""
    hand_over(path, account, folder)
    if path.is_dir():
        _check_directory(path)
    program = find_postgresql("pg_restore", programs)
    contents = _run([program, "--list", str(path)], {}, folder, account)
    entries, left_out = choose_entries(contents, privileges=restore.privileges)
    if not entries.strip():
        raise DrillError("the dump holds nothing to restore")
    chosen = folder / "entries"
    chosen.write_text(entries)
    hand_over(chosen, account, folder)
    command = [program, "--dbname", database.name, "--use-list", str(chosen), "--exit-on-error", "--no-owner"]
    command += ["--no-security-labels", "--no-subscriptions", "--no-publications", "--no-tablespaces", "--no-password"]
    if not restore.privileges:
        command.append("--no-privileges")
    if restore.jobs > 1 and not _is_tar(path):
        command += ["--jobs", str(restore.jobs)]
    _run([*command, str(path)], environment(database), folder, account)
    return left_out


def hand_over(path: Path, account: Account | None, folder: Path) -> None:
    """Lets an account read what lies at a path below a folder, and nobody else."""
    if account is None:
        return
    between = [each for each in path.parents if folder in each.parents]
    for each in [path, *between, *(path.rglob("*") if path.is_dir() else ())]:
        os.chown(each, account.uid, account.gid, follow_symlinks=False)


def _newer(first: bytes, server: int) -> str:
    """What to do about a plain dump by a pg_dump that knows more than the server."""
    found = _DUMPED_BY.search(first)
    if found is None or int(found[1]) <= server:
        return ""
    return f"it is by pg_dump {int(found[1])}, the scratch server is {server}: {_INSTALL_NEWER}"


def _send(connection: object, piece: Statement | Copy) -> None:
    import psycopg

    assert isinstance(connection, psycopg.Connection)
    with connection.cursor() as cursor:
        if isinstance(piece, Copy):
            with cursor.copy(piece.text) as copy:
                for part in piece.data:
                    copy.write(part)
        else:
            cursor.execute(piece.text)


def _run(command: list[str], variables: Mapping[str, str], folder: Path, account: Account | None) -> str:
    """A program of PostgreSQL's; its output. Raises `DrillError` with what it said."""
    with tempfile.TemporaryFile() as errors, tempfile.TemporaryFile() as output:
        process = start(
            command,
            account=account,
            environment=variables or None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=errors,
            cwd=folder,
        )
        try:
            code = process.wait()
        finally:
            stop(process)
        if code:
            reason = _reason(errors, code)
            remedy = ""
            if "unsupported version" in reason and "header" in reason:
                remedy = f"if it is not damaged, a newer pg_dump made it: {_INSTALL_NEWER}"
            raise DrillError(f"{Path(command[0]).name} failed: {reason}", remedy=remedy)
        output.seek(0)
        return output.read().decode(errors="replace")


def _reason(errors: IO[bytes], code: int) -> str:
    lines = [line for line in tail(errors).splitlines() if line.strip()]
    told = next((line for line in lines if "error:" in line.lower()), lines[-1] if lines else f"exit code {code}")
    return told.partition("error: ")[2][:400] or told[:400]


def _is_tar(path: Path) -> bool:
    if path.is_dir():
        return False
    with path.open("rb") as file:
        return format_of(file.read(512)) == "tar"


def _directory_in(path: Path, folder: Path) -> Path | None:
    """The directory dump that a tar holds, unpacked; None where the tar is pg_dump's own. Raises `DrillError`."""
    try:
        with tarfile.open(path) as archive:
            names = {member.name.removeprefix("./") for member in archive}
            contents = sorted(name for name in names if name == "toc.dat" or name.endswith("/toc.dat"))
            if not contents or "restore.sql" in names:
                return None
            target = folder / "unpacked"
            target.mkdir(mode=0o700)
            archive.extractall(target, filter="data")  # refuses links and paths that lead elsewhere
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DrillError(f"the backup's tar is damaged or was cut off: {error}") from None
    path.unlink()
    return (target / contents[0]).parent


def _check_directory(path: Path) -> None:
    """Raises `DrillError` where a table's rows in a directory have no end: pg_restore takes such a file, where it is
    not compressed, for a shorter table."""
    for each in sorted(path.glob("*.dat")):
        if each.name == "toc.dat" or each.name.startswith("blob_"):
            continue
        with each.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 64))
            if _DATA_END.search(file.read()) is None:
                raise DrillError(f"the rows in {each.name} have no end: the file was cut off")
