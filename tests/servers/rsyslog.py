"""A real rsyslogd with a configuration of its own, in the foreground, its state in a folder of the test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.servers.process import Server, started

#: One that is killed has not written down what it has read.
_STOP_SECONDS = 120.0


@contextmanager
def rsyslog(configuration: str, folder: Path) -> Iterator[Server]:
    """rsyslogd with the configuration until the block ends; ``folder`` keeps what it must find again when it is
    started once more."""
    folder.mkdir(parents=True, exist_ok=True)
    file, pid = folder / "rsyslog.conf", folder / "rsyslogd.pid"
    file.write_text(configuration)
    pid.unlink(missing_ok=True)
    command = [rsyslogd(), "-n", "-f", str(file), "-i", str(pid)]
    with started(
        lambda port: command,
        data=folder,
        answers=lambda *_: pid.is_file(),
        name="rsyslogd",
        scheme="rsyslog",
        stop_seconds=_STOP_SECONDS,
    ) as server:
        yield server


def rsyslogd() -> str:
    """The path of the program, which Debian keeps where only root looks; a missing one fails the test."""
    found = shutil.which("rsyslogd", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    if found is None:
        pytest.fail(
            "rsyslogd is not installed; try: apt-get install --no-install-recommends rsyslog rsyslog-elasticsearch",
            pytrace=False,
        )
    return found
