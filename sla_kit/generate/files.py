"""Brings generated files to a folder: all of them or none, and never over what is somebody else's.

A manifest in the folder names the files that are ours, with their digests. What is to be written is first laid down
beside its place and then renamed; a journal says what is under way, so that a run that was killed between two renames
is finished by the next one. Until the first rename nothing has changed. Two runs at a time take turns.
"""

from __future__ import annotations

import difflib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from sla_kit.errors import SlaKitError

MANIFEST = ".sla-kit-manifest.json"
JOURNAL = ".sla-kit-journal.json"
NEW = ".sla-kit-new"
_DIFF_LINES = 40


class OutputError(SlaKitError):
    """Generated files can't be brought to their folder."""


@dataclass(frozen=True)
class Output:
    """One file: its path below the folder, with "/", and its text."""

    path: str
    text: str
    executable: bool = False

    @cached_property
    def digest(self) -> str:
        """What tells this text from others."""
        return _digest(self.text.encode())


@dataclass(frozen=True, slots=True)
class Written:
    """What a run did: paths below the folder."""

    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """A file that is not as it would be generated: "missing", "changed", "not executable" or "left over"; ``diff`` is a
    unified diff, shortened."""

    path: str
    what: str
    diff: str = ""


def write(outputs: Sequence[Output], folder: Path, *, force: bool = False, part: bool = False) -> Written:
    """Writes the files and removes those of ours that are no more made (none, where these are only a ``part`` of what
    there is). Raises `OutputError` where a file is not ours,
    was changed by hand (unless ``force``), or can't be written; then everything is as it was."""
    _check_paths(outputs)
    with _alone(folder):
        return _write(outputs, folder, force, part)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The folder, made where it is missing, with nobody else writing into it: a lock that ends with the process."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise _unwritten(error, folder) from error
    try:
        with suppress(OSError):  # a file system that knows no locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(outputs: Sequence[Output], folder: Path, force: bool, part: bool) -> Written:
    _finish(folder)
    known, wanted = _manifest(folder), {output.path: output for output in outputs}
    changed = [output for output in outputs if not _is_there(folder, output)]
    stale = [] if part else [path for path in known if path not in wanted]
    for path in [output.path for output in changed] + stale:
        _refuse_foreign(folder, path, known, force)
    removed = [path for path in stale if _current(folder, path) is not None]
    digests = (known if part else {}) | {output.path: output.digest for output in outputs}
    manifest = json.dumps(dict(sorted(digests.items())), indent=1)
    if not changed and not removed and known == json.loads(manifest):
        return Written((), tuple(wanted), ())
    staged = [*changed, Output(MANIFEST, manifest + "\n")]
    try:
        for output in staged:
            _lay_down(folder, output)
        plan = {"rename": [output.path for output in staged], "remove": removed}
        _lay_down(folder, Output(JOURNAL, json.dumps(plan)))
        (folder / (JOURNAL + NEW)).replace(folder / JOURNAL)
        _sync(folder)
    except OSError as error:
        for path in [JOURNAL, *(f"{path}{NEW}" for path in (*(output.path for output in staged), JOURNAL))]:
            with suppress(OSError):  # what can't be removed could not be written either
                (folder / path).unlink(missing_ok=True)
        raise _unwritten(error, folder) from error
    _finish(folder)
    unchanged = tuple(path for path in wanted if path not in {output.path for output in changed})
    return Written(tuple(output.path for output in changed), unchanged, tuple(removed))


def differences(outputs: Iterable[Output], folder: Path, *, part: bool = False) -> list[Difference]:
    """How a folder differs from what would be generated; files that are not ours are left out."""
    found: list[Difference] = []
    wanted = {output.path: output for output in outputs}
    for path, output in wanted.items():
        current = _read(folder / path)
        if current is None:
            found.append(Difference(path, "missing"))
        elif output.executable and not os.access(folder / path, os.X_OK):
            found.append(Difference(path, "not executable"))
        elif _digest(current) != output.digest:
            before = current.decode("utf-8", errors="replace").splitlines()
            lines = list(difflib.unified_diff(before, output.text.splitlines(), path, "generated", lineterm="", n=1))
            more = [f"… {len(lines) - _DIFF_LINES} more lines"] if len(lines) > _DIFF_LINES else []
            found.append(Difference(path, "changed", "\n".join(lines[:_DIFF_LINES] + more)))
    for path in () if part else _manifest(folder):
        if path not in wanted and (folder / path).exists():
            found.append(Difference(path, "left over"))
    return sorted(found, key=lambda each: each.path)


def _unwritten(error: OSError, folder: Path) -> OutputError:
    return OutputError(
        f"the generated files can't be written: {error.strerror or error}",
        place=str(error.filename or folder),
        remedy="nothing was changed; make room, or give another --out",
    )


def _leads_out(path: str) -> bool:
    pure = PurePosixPath(path)
    return pure.is_absolute() or ".." in pure.parts or not pure.parts


def _check_paths(outputs: Iterable[Output]) -> None:
    seen: set[str] = set()
    for output in outputs:
        if _leads_out(output.path) or output.path in seen:
            raise OutputError(
                f"{output.path!r} can't be the path of a generated file", remedy="rename what it is made of"
            )
        seen.add(output.path)


def _refuse_foreign(folder: Path, path: str, known: dict[str, str], force: bool) -> None:
    """Refuses to touch what somebody else wrote, or what was changed since we wrote it. What is no plain file is never
    written over, and nothing is written where a link leads."""
    place = folder / path
    for above in [place.parent, *place.parent.parents]:
        if above == folder:
            break
        if above.is_symlink() or (above.exists() and not above.is_dir()):
            what = "a link" if above.is_symlink() else "no folder"
            raise OutputError(f"{above.relative_to(folder)} is {what}", place=str(above), remedy="move it away")
    if place.is_symlink() or place.is_dir():
        raise OutputError(
            f"{path} is a {'link' if place.is_symlink() else 'folder'}", place=str(place), remedy="move it away"
        )
    current = _current(folder, path)
    if force or current is None or current == known.get(path):
        return
    what = "was changed by hand" if path in known else "is not a file of ours"
    raise OutputError(f"{path} {what}", place=str(place), remedy="move it away, or write over it with --force")


def _lay_down(folder: Path, output: Output) -> None:
    beside = folder / (output.path + NEW)
    beside.parent.mkdir(parents=True, exist_ok=True)
    with beside.open("w", encoding="utf-8", newline="") as file:
        file.write(output.text)
        file.flush()
        os.fsync(file.fileno())
    if output.executable:
        beside.chmod(0o755)


def _finish(folder: Path) -> None:
    """Does what a journal says is left to do; without one, removes what a killed run laid down."""
    journal = folder / JOURNAL
    content = _read(journal)
    if content is None:
        if folder.is_dir():
            for beside in [*folder.glob(f"*{NEW}"), *folder.glob(f"*/*{NEW}"), *folder.glob(f"*/*/*{NEW}")]:
                beside.unlink(missing_ok=True)
        return
    renamed, removed = _planned(journal, content)
    try:
        for path in renamed:
            beside = folder / (path + NEW)
            if beside.exists():
                beside.replace(folder / path)
        for path in removed:
            (folder / path).unlink(missing_ok=True)
            _remove_empty(folder, (folder / path).parent)
        for inside in dict.fromkeys((folder / path).parent for path in renamed):
            _sync(inside)
        _sync(folder)
        journal.unlink()
    except OSError as error:
        raise OutputError(
            f"the generated files can't be put into place: {error.strerror or error}",
            place=str(error.filename or folder),
            remedy="mend that and run the command again: it will go on where it was",
        ) from error


def _planned(journal: Path, content: bytes) -> tuple[list[str], list[str]]:
    """What a journal says is to be renamed and removed: nothing outside its folder, whoever wrote it."""
    try:
        plan = json.loads(content)
        renamed, removed = ([str(path) for path in plan[key]] for key in ("rename", "remove"))
    except (ValueError, TypeError, KeyError) as error:
        raise _unreadable("the journal of a run that was stopped", journal, "remove it") from error
    if any(map(_leads_out, renamed + removed)):
        raise _unreadable("the journal of a run that was stopped", journal, "it leads out of the folder; remove it")
    return renamed, removed


def _unreadable(what: str, place: Path, remedy: str) -> OutputError:
    return OutputError(f"{what} can't be read", place=str(place), remedy=remedy)


def _remove_empty(folder: Path, inside: Path) -> None:
    while inside != folder and inside.is_dir() and not any(inside.iterdir()):
        inside.rmdir()
        inside = inside.parent


def _manifest(folder: Path) -> dict[str, str]:
    place = folder / MANIFEST
    content = _read(place)
    if content is None:
        if place.is_dir():
            raise _unreadable("the list of generated files", place, "it is a folder; move it away")
        return {}
    try:
        known = {str(path): str(digest) for path, digest in json.loads(content).items()}
    except (ValueError, AttributeError) as error:
        raise _unreadable("the list of generated files", place, "remove it, and use --force") from error
    if any(map(_leads_out, known)):
        raise _unreadable("the list of generated files", place, "it leads out of the folder; remove it")
    return known


def _is_there(folder: Path, output: Output) -> bool:
    right = not output.executable or os.access(folder / output.path, os.X_OK)
    return right and _current(folder, output.path) == output.digest


def _current(folder: Path, path: str) -> str | None:
    content = _read(folder / path)
    return None if content is None else _digest(content)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        return None
    except OSError as error:
        raise OutputError(
            f"can't be read: {error.strerror or error}", place=str(path), remedy="look at its rights"
        ) from error


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
