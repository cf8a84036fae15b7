"""What was pushed adds up here: a push is in the file as a whole, or not at all, whenever the process is killed.

Many pushes share one commit.
"""

from __future__ import annotations

import bisect
import hashlib
import json
import math
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sla_kit.exporters.business.pushed.changes import Change, RefusedError
from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.state_file import StateFile
from sla_kit.exporters.business.pushed.users import Crowd, Kept, counts
from sla_kit.exporters.sidecar.collector import CollectError

#: How long, and how many, pushes are known again by their key.
KEY_SECONDS, _MOST_KEYS = 86_400.0, 200_000
_TIDY_SECONDS = 60.0
#: What has expired begins at 0 again.
_ADD_UNEXPIRED = """
UPDATE series SET value = ?1 + CASE WHEN updated > ?4 THEN value ELSE 0 END, updated = ?2 WHERE id = ?3
"""
_BUCKET = """
INSERT INTO bucket (series, bound, amount) VALUES (?, ?, ?)
ON CONFLICT (series, bound) DO UPDATE SET amount = amount + excluded.amount
"""


@dataclass(frozen=True, slots=True)
class Push:
    """Changes that are made together or not at all. ``key`` is how the sender knows the push again, "" if it does not;
    ``digest`` tells whether it is the same one. Where it is not ``whole``, what can't be made is left out."""

    changes: Sequence[Change]
    key: str = ""
    digest: bytes = b""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a push: why it was ``refused``, if it was; which changes were ``dropped`` of one that need not
    be whole, by their place; whether it had been made before."""

    refused: RefusedError | None = None
    dropped: Sequence[int] = ()
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """One series as it is now. Of a histogram ``buckets`` are cumulative, by upper bound; of users ``windows``."""

    labels: Mapping[str, str]
    value: float = 0.0
    buckets: Sequence[tuple[float, float]] = ()
    windows: Mapping[str, float] | None = None


class Store:
    """What is kept; ``open`` is for what writes, reading needs nothing before it.

    Raises `CollectError` (``internal``) where the file can't be used.
    """

    def __init__(self, path: Path | None, *, clock: Callable[[], float] = time.time, exact_users: int = 0) -> None:
        self._file = StateFile(path)
        self._clock = clock
        self._exact_users = exact_users
        self._series: dict[tuple[str, str, str], Kept] = {}
        self._counts: dict[tuple[str, str], int] = {}
        self._tidied = -math.inf

    @property
    def path(self) -> Path | None:
        """Where it is kept; None in memory."""
        return self._file.path

    def open(self) -> None:
        """Takes the file for this process alone, and reads what there is."""
        with self._file.lock:
            if self._file.open():
                with self._file.told("read"):
                    self._read()

    def close(self) -> None:
        """Lets go of the file."""
        self._file.close()

    def apply(self, pushes: Sequence[Push]) -> list[Outcome]:
        """Makes pushes, in their order and in one transaction; once it returns they are on disk."""
        with self._file.lock, self._file.told("written"):
            connection = self._file.connection
            if connection is None:
                raise CollectError(
                    "internal", "the state of what was pushed is not open", place=str(self.path or "memory")
                )
            connection = self._renewed(connection)
            now = self._clock()
            connection.execute("BEGIN IMMEDIATE")
            try:
                if abs(now - self._tidied) >= _TIDY_SECONDS:  # a clock may be put back
                    self._tidy(connection, now)
                outcomes = [self._push(connection, push, now) for push in pushes]
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                self._read()  # what is known must be what the file has
                raise
            return outcomes

    def expire(self, metrics: Sequence[PushedMetric]) -> None:
        """Deletes series of these metrics that have expired, and users that no window holds any more."""
        with self._file.lock, self._file.told("written"):
            connection = self._file.connection
            if connection is None:
                return
            connection = self._renewed(connection)
            now = self._clock()
            connection.execute("BEGIN IMMEDIATE")
            try:
                for metric in metrics:
                    self._expire(connection, metric, now)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
            finally:
                self._read()

    def published(self, metric: PushedMetric, deadline: float) -> list[Published]:
        """The series of a metric that have not expired, in the order of their labels."""
        with self._file.reading(deadline) as connection:
            if connection is None:
                return []
            now = self._clock()
            oldest, newest = -math.inf, math.inf
            if metric.expires is not None:  # what seems to come from the future, since a clock was put back, is old
                oldest, newest = now - metric.expires, now + metric.expires
            found = connection.execute(
                "SELECT id, labels, value, precision FROM series"
                " WHERE metric = ? AND type = ? AND updated > ? AND updated <= ? ORDER BY labels",
                (metric.name, metric.type, oldest, newest),
            ).fetchall()
            names = set(metric.labels)
            published = []
            for series, text, value, precision in found:
                labels = json.loads(text)
                if labels.keys() != names:  # from before the declaration was changed
                    continue
                if metric.type == "users":
                    windows = counts(connection, series, precision, metric.window_seconds, int(now))
                    published.append(Published(labels, windows=windows))
                elif metric.type == "histogram":
                    published.append(Published(labels, value, _cumulative(connection, series, metric.buckets)))
                else:
                    published.append(Published(labels, value))
            return published

    def series_count(self, metric: PushedMetric) -> int:
        """How many series a metric has, of those that it may have."""
        with self._file.lock:
            return self._counts.get((metric.name, metric.type), 0)

    def _renewed(self, connection: sqlite3.Connection) -> sqlite3.Connection:
        """The connection to the file that is there now."""
        if self._file.renew():
            self._read()
        return self._file.connection or connection

    def _push(self, connection: sqlite3.Connection, push: Push, now: float) -> Outcome:
        key = hashlib.blake2b(push.key.encode(), digest_size=20).digest() if push.key else b""
        if key:
            row = connection.execute("SELECT digest FROM request WHERE key = ?", (key,)).fetchone()
            if row is not None:
                if row[0] == push.digest:
                    return Outcome(repeated=True)
                return Outcome(RefusedError("value", "the Idempotency-Key was used for another push"))
        if push.whole:
            refused = self._too_many(connection, push.changes, now)
            if refused is not None:
                return Outcome(refused)
        dropped: list[int] = []
        for index, change in enumerate(push.changes):
            kept = self._found(connection, change, now)
            if kept is None:
                dropped.append(index)
            else:
                self._change(connection, change, kept, now)
        if key:
            connection.execute("INSERT INTO request (key, digest, at) VALUES (?, ?, ?)", (key, push.digest, now))
        return Outcome(dropped=dropped)

    def _too_many(self, connection: sqlite3.Connection, changes: Sequence[Change], now: float) -> RefusedError | None:
        """Why not all the series that are new can be made, if so."""
        new: dict[str, tuple[PushedMetric, set[str]]] = {}
        for change in changes:
            labels = _labels(change)
            if (change.metric.name, change.metric.type, labels) not in self._series:
                new.setdefault(change.metric.name, (change.metric, set()))[1].add(labels)
        for metric, more in new.values():
            if self._full(connection, metric, len(more), now):
                return RefusedError("series", f"{metric.name} would have more than {metric.most_series} series")
        return None

    def _full(self, connection: sqlite3.Connection, metric: PushedMetric, more: int, now: float) -> bool:
        of = (metric.name, metric.type)
        if self._counts.get(of, 0) + more > metric.most_series:
            self._expire(connection, metric, now)
        return self._counts.get(of, 0) + more > metric.most_series

    def _found(self, connection: sqlite3.Connection, change: Change, now: float) -> Kept | None:
        """The series of a change, made if need be; None where there are too many."""
        metric = change.metric
        key = (metric.name, metric.type, _labels(change))
        kept = self._series.get(key)
        if kept is None:
            if self._full(connection, metric, 1, now):
                return None
            made = connection.execute(
                "INSERT INTO series (metric, type, labels, updated) VALUES (?, ?, ?, ?)", (*key, now)
            )
            kept = self._series[key] = Kept(made.lastrowid or 0, 0)
            self._counts[key[:2]] = self._counts.get(key[:2], 0) + 1
        return kept

    def _change(self, connection: sqlite3.Connection, change: Change, kept: Kept, now: float) -> None:
        metric = change.metric
        if change.action == "set":
            more, query = change.numbers[-1], "UPDATE series SET value = ?1, updated = ?2 WHERE id = ?3"
        elif change.action == "add" and metric.expires is not None:
            parameters = (math.fsum(change.numbers), now, kept.series, now - metric.expires)
            connection.execute(_ADD_UNEXPIRED, parameters)
            return
        else:
            more = math.fsum(change.numbers) * change.weight
            query = "UPDATE series SET value = value + ?1, updated = ?2 WHERE id = ?3"
        connection.execute(query, (more, now, kept.series))
        if change.action == "observe":
            found: dict[float, float] = {}
            for number in change.numbers:
                at = bisect.bisect_left(metric.buckets, number)
                bound = metric.buckets[at] if at < len(metric.buckets) else math.inf
                found[bound] = found.get(bound, 0.0) + change.weight
            connection.executemany(_BUCKET, ((kept.series, *each) for each in found.items()))
        elif change.action == "seen":
            longest = max(metric.window_seconds.values())
            self._crowd.see(connection, kept, change.ids, int(now), longest_seconds=longest, error_ratio=metric.error)

    def _expire(self, connection: sqlite3.Connection, metric: PushedMetric, now: float) -> None:
        of = (metric.name, metric.type)
        if metric.type == "users":
            oldest = now - max(metric.window_seconds.values())
            ids = [row[0] for row in connection.execute("SELECT id FROM series WHERE metric = ? AND type = ?", of)]
            connection.executemany(
                "DELETE FROM seen WHERE series = ? AND at <= ?", ((series, oldest) for series in ids)
            )
        elif metric.expires is not None:
            oldest = now - metric.expires
        else:
            return
        gone = connection.execute(
            "SELECT id, labels FROM series WHERE metric = ? AND type = ? AND updated <= ?", (*of, oldest)
        ).fetchall()
        for series, labels in gone:
            connection.execute("DELETE FROM series WHERE id = ?", (series,))
            connection.execute("DELETE FROM bucket WHERE series = ?", (series,))
            connection.execute("DELETE FROM seen WHERE series = ?", (series,))
            if self._series.pop((*of, labels), None) is not None:
                self._counts[of] -= 1

    def _tidy(self, connection: sqlite3.Connection, now: float) -> None:
        self._tidied = now
        connection.execute("DELETE FROM request WHERE at <= ?", (now - KEY_SECONDS,))
        (count,) = connection.execute("SELECT count(*) FROM request").fetchone()
        if count > _MOST_KEYS:
            oldest = "SELECT key FROM request ORDER BY at LIMIT ?"
            connection.execute(f"DELETE FROM request WHERE key IN ({oldest})", (count - _MOST_KEYS,))  # noqa: S608

    def _read(self) -> None:
        """Learns anew which series there are."""
        connection = self._file.connection
        if connection is None:
            return
        ((secret,),) = connection.execute("SELECT value FROM setting WHERE name = 'hash key'").fetchall()
        self._crowd = Crowd(secret, self._exact_users) if self._exact_users else Crowd(secret)
        rows = dict(connection.execute("SELECT series, count(*) FROM seen GROUP BY series"))
        self._series, self._counts = {}, {}
        for series, metric, kind, labels, precision in connection.execute(
            "SELECT id, metric, type, labels, precision FROM series"
        ):
            self._series[metric, kind, labels] = Kept(series, rows.get(series, 0), precision)
            self._counts[metric, kind] = self._counts.get((metric, kind), 0) + 1


def _labels(change: Change) -> str:
    labels = dict(zip(change.metric.labels, change.labels, strict=True))
    return json.dumps(labels, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _cumulative(connection: sqlite3.Connection, series: int, buckets: Sequence[float]) -> list[tuple[float, float]]:
    """Counts by upper bound, up to +Inf. Observations stay in the bucket that they were put in: where bounds were taken
    out since, they count from the next one on."""
    found = connection.execute("SELECT bound, amount FROM bucket WHERE series = ? ORDER BY bound", (series,)).fetchall()
    return [(bound, math.fsum(amount for at, amount in found if at <= bound)) for bound in (*buckets, math.inf)]
