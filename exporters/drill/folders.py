"""Scratch folders: only their owner may look in, they go when the drill ends, and remains of killed drills are found
by a lock that nobody holds any more."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from sla_kit.exporters.drill.errors import NotBegunError
from sla_kit.exporters.drill.programs import Account, start

_PREFIX = "sla-kit-drill-"
_LOCK = "drill.lock"
_PATIENCE_SECONDS = 10.0


@contextmanager
def scratch_folder(parent: str, account: Account | None, *, keep: bool = False) -> Iterator[Path]:
    """A new folder that only this user and the given account may open; removed when the block ends unless kept.

    Raises `NotBegunError` where it can't be made.
    """
    folder, descriptor = _locked_folder(Path(parent or tempfile.gettempdir()).resolve())
    try:
        if account is not None:
            os.chown(folder, account.uid, account.gid)
        yield folder
    finally:
        try:
            if keep:
                (folder / _LOCK).unlink(missing_ok=True)  # so that nobody takes it for remains
            else:
                remove(folder)
        finally:
            os.close(descriptor)


def clean_remains(parent: str) -> list[Path]:
    """Ends the servers and takes away the folders of drills that were killed; returns those folders."""
    base = Path(parent or tempfile.gettempdir()).resolve()
    cleaned = []
    for folder in sorted(base.glob(f"{_PREFIX}*")):
        if folder.is_symlink() or not folder.is_dir():
            continue
        if not _ours(folder):
            _remove_if_empty(folder)
            continue
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue  # taken away at this moment
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _end_processes(folder)
            remove(folder)
            cleaned.append(folder)
        except BlockingIOError:
            pass  # that drill is running
        finally:
            os.close(descriptor)
    return cleaned


def remove(folder: Path) -> None:
    """Takes a scratch folder away, whatever rights its parts have. The lock goes last: whoever is killed before that
    leaves what is found by it."""

    def allow(function: Callable[..., Any], path: str, _: Any) -> None:
        above = Path(path).parent
        if above != folder and folder not in above.parents:
            return  # nothing above the folder is ours to change
        with suppress(OSError):
            above.chmod(0o700)
            function(path)

    _remove_shared_memory(folder)
    with suppress(OSError):
        folder.chmod(0o700)
        for each in folder.iterdir():
            if each.name == _LOCK:
                continue
            if each.is_dir() and not each.is_symlink():
                shutil.rmtree(each, onerror=allow)
            else:
                each.unlink(missing_ok=True)
        if [each.name for each in folder.iterdir()] in ([], [_LOCK]):
            (folder / _LOCK).unlink(missing_ok=True)
            folder.rmdir()


def _locked_folder(base: Path) -> tuple[Path, int]:
    """A new folder and the descriptor that holds its lock. Another drill may take it for remains before it is locked,
    and takes it away: then it is made again."""
    while True:
        try:
            folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        except OSError as error:
            raise NotBegunError(
                f"no scratch folder can be made: {error.strerror}",
                place=str(base),
                remedy="name one as scratch: {folder: …}",
            ) from None
        try:
            descriptor = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            _remove_if_empty(folder)
            raise NotBegunError(f"the scratch folder can't be locked: {error.strerror}", place=str(folder)) from None
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        if os.fstat(descriptor).st_nlink:
            return folder, descriptor
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> None:
    """Takes away what a drill left that was killed before it had a lock or after; only what is empty, and ours."""
    with suppress(OSError):
        if os.geteuid() in (0, folder.lstat().st_uid):
            folder.rmdir()


def _remove_shared_memory(folder: Path) -> None:
    """Takes away the segment of a server that was killed itself, as when memory runs out: nobody else would. Its file
    of locks names it, and is gone after every other end."""
    path = folder / "data" / "postmaster.pid"
    try:
        owner, lines = path.lstat(), path.read_text().splitlines()
        identifier = lines[6].split()[1]  # the seventh line: its key and its number
    except (OSError, ValueError, IndexError):
        return
    if not identifier.isdigit() or owner.st_uid == 0:
        return
    account = None if os.geteuid() else Account("", owner.st_uid, owner.st_gid)  # it may remove none but its own
    with suppress(OSError):
        start(
            ["ipcrm", "--shmem-id", identifier],
            account=account,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ).wait()


def _ours(folder: Path) -> bool:
    """Whether a folder's lock is a file of this user's (root made that of every drill that it ran)."""
    try:
        return (folder / _LOCK).lstat().st_uid == os.geteuid()
    except OSError:
        return False


def _end_processes(folder: Path) -> None:
    """Ends whatever still works in a folder: with the drill killed, nobody waits for it."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (found := _working_in(folder)) and time.monotonic() < deadline:
        for process in found:
            with suppress(OSError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.02)  # until the kernel has taken them away


def _working_in(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            here = (entry / "cwd").readlink()
        except OSError:
            continue
        if here == folder or folder in here.parents:
            found.append(int(entry.name))
    return [process for process in found if process != os.getpid()]
