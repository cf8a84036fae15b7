"""WAL archiving of PostgreSQL: what its archiver says, what the archive holds, and how much a restore would lose."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client.metrics_core import Metric

from sla_kit.exporters.backup.configuration import Wal
from sla_kit.exporters.backup.judging import CLOCK_SECONDS
from sla_kit.exporters.backup.published import Published
from sla_kit.exporters.backup.store import BackupStore
from sla_kit.exporters.backup.wal_archive import Archive
from sla_kit.exporters.backup.wal_server import ServerState, WalServer, wal_server
from sla_kit.exporters.backup.wal_watch import Archived, Watch
from sla_kit.exporters.backup.wal_window import Window
from sla_kit.exporters.sidecar.collector import CollectError, Schedule


@dataclass(frozen=True, slots=True)
class WalCollector:
    """Reads the archiving of one database: from its server, its archive, or both."""

    name: str
    schedule: Schedule
    wal: Wal
    _server: WalServer | None = field(compare=False, repr=False)
    _archive: Archive | None = field(compare=False, repr=False)
    _watch: Watch = field(default_factory=Watch, compare=False, repr=False)

    def collect(self, deadline: float) -> Iterable[Metric]:
        """The archiver's state, and the window of points in time. Raises `CollectError`."""
        # The server first: what it has archived by then must be found in the archive.
        state = None if self._server is None else self._server.look(deadline)
        size = state.segment_size if state else self.wal.segment_size
        window = None if self._archive is None else self._archive.window(deadline, size)
        out = Published()
        if state is not None:
            _put_server(out, self.wal.target, state)
        if window is not None:
            _put_archive(out, self.wal.target, window)
        now = state.moment.time if state else time.time()
        gap = gap_seconds(state, window, self._watch, now)
        newest = None if gap is None else now - gap
        if window is not None:
            out.put_points(self.wal.target, window.oldest_time, newest, gap)
        else:
            # Without the archive nobody knows from which base backup a restore could begin.
            out.put_newest_point(self.wal.target, newest, gap)
        return out.metrics()

    def close(self) -> None:
        """Closes connections."""
        if self._server is not None:
            self._server.close()
        if self._archive is not None:
            self._archive.close()


def wal_collector(wal: Wal, schedule: Schedule, archive: BackupStore | None) -> WalCollector:
    """The collector of one entry of the configuration, with the store of its archive; nobody is asked."""
    server = wal_server(wal) if wal.url else None
    return WalCollector(f"wal_{wal.target}", schedule, wal, server, None if archive is None else Archive(archive))


def gap_seconds(state: ServerState | None, window: Window | None, watch: Watch, now: float) -> float | None:
    """How many seconds of changes a restore would lose; nothing where none could be done.

    The server alone knows whether anything was written since the archive's end; an archive alone counts from when its
    last segment came. Raises `CollectError` where that has not been yet, or where a replica is asked alone.
    """
    if window is not None and (window.newest is None or window.newest_time is None):
        return None
    if state is None:
        if window is None or window.newest_time is None:
            return None
        if window.newest_time > now + CLOCK_SECONDS:
            remedy = "set the clocks of this machine and of the one that archives, by NTP"
            raise CollectError("data", "the archive's newest segment is from the future", remedy=remedy)
        return max(0.0, now - window.newest_time)
    if not state.archiving and window is None:
        if state.standby:
            # Its primary may well archive, and nobody can tell from here.
            remedy = "name the archive as well, or let url be that of the primary"
            raise CollectError("query", "the server is a replica, and archives nothing itself", remedy=remedy)
        return None
    end, since = state.archived_end, state.archived_time
    if window is not None and window.newest is not None and window.newest_time is not None:
        reached = (window.newest.number + 1) * state.segment_size
        if reached < end or not state.archiving:
            end, since = reached, window.newest_time
    archived = Archived(end, since, state.timeout_seconds if state.archiving else 0.0, state.segment_size)
    return watch.gap_seconds(state.moment, archived)


def _put_server(out: Published, target: str, state: ServerState) -> None:
    labels = {"target": target}
    out.put("backup_wal_archived_total", labels, state.archived_count)
    out.put("backup_wal_failed_total", labels, state.failed_count)
    out.put("backup_wal_last_archived_timestamp_seconds", labels, state.last_archived_time or 0.0)
    out.put("backup_wal_last_failed_timestamp_seconds", labels, state.last_failed_time or 0.0)
    out.put("backup_wal_waiting_segments", labels, state.waiting)


def _put_archive(out: Published, target: str, window: Window) -> None:
    labels = {"target": target}
    out.put("backup_wal_missing_segments", labels, window.missing)
    out.put("backup_wal_timeline", labels, window.timeline)
