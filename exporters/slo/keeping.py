"""Where closed buckets are kept between collections: a ledger, or a file of the same form that goes with the process.

A collection must not read a month from its source each time. What is older than the catalogue's lag is closed, as any
ledger does it (read with margins, gaps left open until they end); what is younger is read anew, for data may come late.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import shutil
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO

from sla_kit.errors import LedgerError
from sla_kit.ledger import Ledger, open_ledger
from sla_kit.ledger.pruning import forget
from sla_kit.sources import Indicator, Progress, Source, no_progress
from sla_kit.timeline import Grid, Timeline

_PREFIX, _NAME = "sla-kit-slo-", "closed.db"


class _Opened:
    """The ledger once it is open; of a temporary one its folder, and the lock that tells others that it is in use."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ledger: Ledger | None = None
        self.folder: Path | None = None
        self.held: IO[bytes] | None = None
        self.forgotten = 0
        self.ended = False


@dataclass(frozen=True, slots=True)
class Kept:
    """The ledger at an ``address``, or a temporary one where that is empty. It is opened when it is first needed, and
    goes on when the configuration is read again."""

    address: str
    _opened: _Opened = field(default_factory=_Opened, compare=False, repr=False)

    @property
    def temporary(self) -> bool:
        """Whether it goes with the process."""
        return not self.address

    def ledger(self) -> Ledger:
        """The open ledger. Raises `LedgerError`, also once it has been closed: a collection may still run then."""
        opened = self._opened
        with opened.lock:
            if opened.ended:
                raise LedgerError("the ledger is closed", remedy="nothing; the exporter ends, or uses another one")
            if opened.folder is not None and not (opened.folder / _NAME).exists():
                self._let_go()  # whoever cleans /tmp has taken it away; new connections would find nothing
            if opened.ledger is None:
                logging.getLogger("alembic").setLevel(logging.WARNING)  # it tells of each step of making tables
                opened.ledger = open_ledger(self.address or self._file())
            return opened.ledger

    def lean(self, source: Source) -> Source:
        """The source as it is to be kept: of a temporary ledger's buckets only what is published is kept."""
        return _CountsOnly(source) if self.temporary else source

    def forget(self, before: int) -> None:
        """Lets go of what is older (epoch seconds) than anything that will be asked for; a ledger that was given
        forgets nothing. Does so once a day."""
        opened = self._opened
        if self.temporary and before // 86400 != opened.forgotten:
            opened.forgotten = before // 86400
            forget(self.ledger().store, before)

    async def start(self) -> None:
        """Opens nothing yet: no file is needed by who only checks a configuration."""
        self._opened.ended = False

    async def stop(self) -> None:
        """As `close`."""
        await asyncio.to_thread(self.close)  # a database that is just being opened may take its time

    def close(self) -> None:
        """Closes it until it is started again; a temporary one is deleted."""
        with self._opened.lock:
            self._opened.ended = True
            self._let_go()

    def _let_go(self) -> None:
        opened = self._opened
        if opened.ledger is not None:
            opened.ledger.close()
        if opened.folder is not None:
            shutil.rmtree(opened.folder, ignore_errors=True)
        if opened.held is not None:
            opened.held.close()
        opened.ledger = opened.folder = opened.held = None

    def _file(self) -> str:
        opened = self._opened
        self._let_go()  # of what could not be opened
        try:
            _clear()
            opened.folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
            opened.held = (opened.folder / "lock").open("wb")
            fcntl.flock(opened.held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise LedgerError(
                f"there is no folder for temporary files: {error.strerror}",
                remedy="mount one that can be written at /tmp, name one in TMPDIR, or say ledger: PATH",
            ) from error
        return str(opened.folder / _NAME)


def _clear() -> None:
    """Deletes what processes left that were killed: nobody holds their locks any more."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with suppress(OSError), (folder / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


class _CountsOnly:
    """A source without measured values and histograms, which no figure that is published is made of."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def name(self) -> str:
        return self._source.name

    def span(self) -> tuple[int, int] | None:
        return self._source.span()

    def fetch(
        self, indicators: Sequence[Indicator], grid: Grid, progress: Progress = no_progress
    ) -> Iterator[tuple[Indicator, Timeline]]:
        for indicator, timeline in self._source.fetch(indicators, grid, progress):
            yield indicator, replace(timeline, value=None, completed=None, histogram=None)

    def close(self) -> None:
        """Closes nothing: whoever opened the source does."""
