"""What a PostgreSQL says of its write-ahead log: how far it is written, what is archived, what waits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sla_kit.exporters.backup.configuration import Wal
from sla_kit.exporters.backup.wal_segments import MarkFile, SegmentFile, parse_file, parse_segment
from sla_kit.exporters.backup.wal_watch import Moment
from sla_kit.exporters.postgresql import Postgresql
from sla_kit.exporters.sidecar.collector import CollectError

#: pg_current_wal_insert_lsn: what is not written yet would be lost as well. A transaction that has ended is older than
#: a snapshot's xmax; below its xmin none is running.
_STATE = """
SELECT extract(epoch FROM clock_timestamp())::float8 AS now,
       (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END
        - '0/0'::pg_lsn)::int8 AS written,
       pg_snapshot_xmax(pg_current_snapshot())::text::int8 AS done,
       pg_snapshot_xmin(pg_current_snapshot())::text::int8 AS running,
       (SELECT setting FROM pg_settings WHERE name = 'archive_mode') AS archive_mode,
       (SELECT setting::int8 FROM pg_settings WHERE name = 'archive_timeout') AS archive_timeout,
       (SELECT setting::int8 FROM pg_settings WHERE name = 'wal_segment_size') AS segment_size,
       archiver.archived_count,
       archiver.failed_count,
       archiver.last_archived_wal,
       extract(epoch FROM archiver.last_archived_time)::float8 AS last_archived_time,
       extract(epoch FROM archiver.last_failed_time)::float8 AS last_failed_time,
       extract(epoch FROM greatest(archiver.stats_reset, pg_postmaster_start_time()))::float8 AS since,
       has_function_privilege('pg_ls_archive_statusdir()', 'execute') AS may_list,
       pg_is_in_recovery() AS standby
FROM pg_stat_archiver AS archiver
"""
#: A file NAME.ready stands for what is to be archived, made when that was complete.
_WAITING = """
SELECT count(*) AS waiting,
       min(substr(name, 9, 16) COLLATE "C") AS first,
       extract(epoch FROM min(modification))::float8 AS since
FROM pg_ls_archive_statusdir()
WHERE name ~ '^[0-9A-F]{24}[.]ready$'
"""


@dataclass(frozen=True, slots=True)
class ServerState:
    """One look at a server. Sizes in bytes, places in the log as bytes since its beginning, Unix times.

    ``archived_end`` is the first byte that the server has not archived, None where it does not say, and
    ``archived_time`` a time before which all that is not archived was not yet there, as far as it can tell.
    """

    moment: Moment
    standby: bool
    archiving: bool
    timeout_seconds: float
    segment_size: int
    archived_count: int
    failed_count: int
    last_archived_time: float | None
    last_failed_time: float | None
    waiting: int
    archived_end: int
    archived_time: float


@dataclass(slots=True)
class WalServer:
    """Asks one server; remembers the last segment that it said to have archived."""

    _postgresql: Postgresql
    _last_archived: int = -1

    def look(self, deadline: float) -> ServerState:
        """Its state. Raises `CollectError`."""
        row = self._row(_STATE, deadline)
        size = int(row["segment_size"])
        moment = Moment(row["now"], row["written"], row["done"], row["running"] == row["done"])
        current = moment.written // size
        last = _segment_number(row["last_archived_wal"], size)
        # Marks of base backups and histories are archived too, and say less than what was archived before them.
        self._last_archived = max(self._last_archived if self._last_archived <= current else -1, last)
        waiting, end, ready_since = self._waiting(bool(row["may_list"]), current, size, deadline)
        archived_time = row["since"] if row["last_archived_time"] is None else row["last_archived_time"]
        if ready_since is not None:
            archived_time = min(archived_time, ready_since)
        return ServerState(
            moment,
            bool(row["standby"]),
            # A standby archives only where that is always on.
            row["archive_mode"] == "always" or (row["archive_mode"] == "on" and not row["standby"]),
            float(row["archive_timeout"]),
            size,
            int(row["archived_count"]),
            int(row["failed_count"]),
            row["last_archived_time"],
            row["last_failed_time"],
            waiting,
            end,
            archived_time,
        )

    def close(self) -> None:
        """Closes the connection, if there is one."""
        self._postgresql.close()

    def _waiting(self, may_list: bool, current: int, size: int, deadline: float) -> tuple[int, int, float | None]:
        """How many complete segments wait, the first byte that is not archived, and since when the first one waits."""
        if may_list:
            row = self._row(_WAITING, deadline)
            if row["waiting"]:
                first = parse_segment("00000001" + row["first"], size)
                if first is not None:
                    return int(row["waiting"]), first.number * size, row["since"]
            return 0, current * size, None
        if self._last_archived < 0:
            # Nobody may tell: all complete segments could be archived, or none.
            return 0, current * size, None
        return max(0, current - self._last_archived - 1), (self._last_archived + 1) * size, None

    def _row(self, query: str, deadline: float) -> dict[str, Any]:
        rows: Iterable[Any] = list(self._postgresql.rows(query, None, deadline))
        for row in rows:
            return dict(row)
        raise CollectError("data", "pg_stat_archiver is empty")


def wal_server(wal: Wal) -> WalServer:
    """What asks the server of an entry of the configuration; it does not connect yet."""
    return WalServer(Postgresql(wal.url, wal.password, f"sla-kit backup wal {wal.target}"))


def _segment_number(name: str | None, size: int) -> int:
    """The number of the segment that was archived by that name or before it; -1 where the name does not tell."""
    found = parse_file(name or "")
    if not isinstance(found, SegmentFile | MarkFile):
        return -1
    segment = parse_segment(found.name, size)
    return -1 if segment is None else segment.number
