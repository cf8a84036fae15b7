"""Notices that files were changed: by content replaced in place, by another file of the name, or by a link exchanged.

Looks at them once a second rather than asking the kernel to tell: that sees what Kubernetes does with a ConfigMap (a
link far above the file points elsewhere), network file systems and editors alike, and costs a few calls.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

LOOK_SECONDS = 1.0
#: What tells one content of a file from another without reading it; None where there is no file.
Mark = tuple[int, int, int, int, int] | None


class Watch:
    """The files whose change matters."""

    def __init__(self, files: Iterable[Path] = ()) -> None:
        self._marks: dict[Path, Mark] = {}
        self._pending: dict[Path, Mark] = {}
        self.look_at(files)

    def look_at(self, files: Iterable[Path]) -> None:
        """These are the files from now on; new ones are known as they are now."""
        self._marks = {file: self._marks[file] if file in self._marks else mark_of(file) for file in files}
        self._pending = dict(self._marks)

    def changed(self) -> bool:
        """Whether files are others than those that are known, and have been left alone since the look before.

        What was seen is known from then on: a change is told once.
        """
        now = {file: mark_of(file) for file in self._marks}
        settled = now == self._pending
        self._pending = now
        if not settled or now == self._marks:
            return False
        self._marks = now
        return True

    async def wait(self) -> None:
        """Returns once files have changed."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if self.changed():
                return


def mark_of(file: Path) -> Mark:
    """What tells this content of a file from others."""
    try:
        found = os.stat(file)  # noqa: PTH116  # follows links, as reading does
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
