"""One Elasticsearch for all processes of a run: the first that needs it has it started, the last one out lets it go.

A keeper, a process of its own, holds the node, so that no worker's end takes it from the others. Whoever uses the node
holds a shared lock on a file; the keeper waits for the exclusive one. The kernel drops a lock with its process: however
the users end, the node ends soon after the last of them, and should the keeper be killed the kernel ends the node.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tests.servers.elasticsearch import Elasticsearch, elasticsearch
from tests.servers.process import READY_SECONDS

_ROOT = Path(__file__).parents[3]
_STATE, _MUTEX, _USERS = "node.json", "starting.lock", "users.lock"
_PATIENCE_SECONDS = READY_SECONDS + 60.0


class _State(msgspec.Struct, frozen=True):
    """What the keeper tells: where the node is, or why there is none."""

    keeper: int
    url: str = ""
    data: str = ""
    log: str = ""
    pid: int = 0
    failed: str = ""


@contextmanager
def shared_elasticsearch(folder: Path) -> Iterator[Elasticsearch]:
    """The node that everybody shares who names the same ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _USERS).open("ab") as users:
        with (folder / _MUTEX).open("ab") as mutex:
            fcntl.flock(mutex, fcntl.LOCK_EX)
            # A keeper that is about to end holds this lock until its node is gone: then another one starts.
            fcntl.flock(users, fcntl.LOCK_SH)
            state = _told(folder)
            if state is None or not _lives(state.keeper):
                state = _started(folder)
        if state.failed:
            pytest.fail(state.failed, pytrace=False)
        yield Elasticsearch(state.url, Path(state.data), Path(state.log), state.pid)


def keep(folder: Path) -> None:
    """Holds a node until nobody uses it; `shared_elasticsearch` runs this in the keeper."""
    state = folder / _STATE
    with (folder / _USERS).open("ab") as users:
        try:
            with elasticsearch() as node:
                found = _State(os.getpid(), node.url, str(node.data), str(node.log), node.pid)
                _tell(state, found)
                fcntl.flock(users, fcntl.LOCK_EX)
                state.unlink(missing_ok=True)
        except BaseException as error:
            _tell(state, _State(os.getpid(), failed=f"{error}"))
            raise


def _started(folder: Path) -> _State:
    (folder / _STATE).unlink(missing_ok=True)
    with (folder / "keeper.log").open("ab") as output:
        keeper = subprocess.Popen(
            [sys.executable, "-m", __name__, str(folder)],
            cwd=_ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # an interrupted run ends by its locks, and its tests still find the node
        )
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if state := _told(folder):
            return state
        if keeper.poll() is not None:
            break
        time.sleep(0.05)  # between two looks, not instead of looking
    keeper.terminate()
    tail = (folder / "keeper.log").read_text(errors="replace")[-3000:]
    return _State(keeper.pid, failed=f"nobody keeps an Elasticsearch for this run; the keeper's log ends:\n{tail}")


def _told(folder: Path) -> _State | None:
    try:
        return msgspec.json.decode((folder / _STATE).read_bytes(), type=_State)
    except FileNotFoundError:
        return None


def _tell(path: Path, state: _State) -> None:
    """Whole or not at all: others look while it is written."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(state))
    draft.replace(path)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


if __name__ == "__main__":
    keep(Path(sys.argv[1]))
