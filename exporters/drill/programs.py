"""Running other programs: found or told how to get, ended with this process, never with a secret in their arguments."""

from __future__ import annotations

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sla_kit.exporters.drill.errors import NotBegunError

#: Where Debian keeps PostgreSQL's programs, by version and off the PATH; Red Hat's packages do likewise.
_POSTGRESQL = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin")
_PR_SET_PDEATHSIG = 1
#: Of other programs' output, this many last characters are kept.
_TAIL = 4000


@dataclass(frozen=True, slots=True)
class Account:
    """As whom a program runs: PostgreSQL refuses to be root, and what reads foreign data need not be."""

    name: str
    uid: int
    gid: int


def unprivileged(name: str = "") -> Account | None:
    """The account for PostgreSQL where this process is root: the named one, or postgres, or nobody; None where this
    process is not root. Raises `NotBegunError` where there is none."""
    if os.geteuid():
        return None
    for each in [name] if name else ["postgres", "nobody"]:
        try:
            entry = pwd.getpwnam(each)
        except KeyError:
            continue
        if entry.pw_uid == 0:
            raise NotBegunError(f"PostgreSQL can't run as {each}", remedy="name another account as scratch: {user: …}")
        return Account(each, entry.pw_uid, entry.pw_gid)
    raise NotBegunError(
        f"there is no account {name or 'postgres'!r} that PostgreSQL could run as",
        remedy="make one (useradd --system postgres), or name one as scratch: {user: …}",
    )


def find(name: str, package: str) -> str:
    """The path of a program. Raises `NotBegunError` with the package that has it."""
    found = shutil.which(name)
    if found is None:
        raise NotBegunError(f"{name} is not installed", remedy=f"on Debian or Ubuntu: apt-get install {package}")
    return found


def find_postgresql(name: str, folder: str = "") -> str:
    """The path of one of PostgreSQL's programs, in a folder or the newest there is. Raises `NotBegunError`."""
    if folder:
        path = Path(folder) / name
        if not path.is_file():
            raise NotBegunError(f"there is no {name}", place=folder, remedy="name the folder of PostgreSQL's programs")
        return str(path)
    found = [path for pattern in _POSTGRESQL for path in Path("/").glob(f"{pattern[1:]}/{name}")]
    newest = max(
        found,
        key=lambda path: [int(part) for part in path.parent.parent.name.split("-")[-1].split(".") if part.isdigit()],
        default=None,
    )
    if newest is not None:
        return str(newest)
    return find(name, "postgresql")


def start(
    command: Sequence[str],
    *,
    account: Account | None = None,
    death: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
    **more: Any,
) -> subprocess.Popen[bytes]:
    """Starts a program that the kernel ends with ``death`` should this process be killed before it can."""
    who: dict[str, Any] = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.Popen(  # noqa: S603  # a list of arguments, no shell
        list(command), env=dict(environment or minimal_environment()), preexec_fn=_dying(death), **who, **more
    )


def minimal_environment(**more: str) -> dict[str, str]:
    """What programs are told of this process's environment: none of its secrets, messages in English."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {"LC_ALL": "C.UTF-8", "HOME": "/nonexistent", **kept, **more}


def stop(
    process: subprocess.Popen[bytes], first: signal.Signals = signal.SIGTERM, patience_seconds: float = 5.0
) -> None:
    """Ends a program that may have ended already, and waits until it has."""
    if process.poll() is None:
        process.send_signal(first)
        try:
            process.wait(patience_seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    process.wait()


def tail(output: IO[bytes] | bytes) -> str:
    """The end of what a program said."""
    if not isinstance(output, bytes):
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _TAIL))
        output = output.read()
    return output[-_TAIL:].decode(errors="replace").strip()


def _dying(death: signal.Signals) -> Callable[[], None]:
    prctl = ctypes.CDLL(None).prctl  # looked up before the fork

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death))

    return prepare
