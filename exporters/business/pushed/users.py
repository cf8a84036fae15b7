"""Different users within windows of time, in SQLite: exactly while they are few, then by a HyperLogLog.

Ids are kept as hashes under a key that is the file's own. A series' rows in ``seen`` are (hash, last seen) while it is
exact, and (cell, last seen) once it is a sketch, with its precision in ``series.precision``.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sla_kit.exporters.business.pushed.estimating import HASH_BITS, RANK_BITS, cell, estimate, precision_for

#: So many users of a series' longest window are counted one by one.
EXACT_USERS = 50_000
#: SQLite's integers have a sign.
_HALF = 1 << (HASH_BITS - 1)
_SEE = "INSERT INTO seen (series, key, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_SEE_AGAIN = "UPDATE seen SET at = ?3 WHERE series = ?1 AND key = ?2 AND at < ?3"
_RANKS = """
SELECT rank, count(*) FROM (SELECT max(key & 63) AS rank FROM seen WHERE series = ? AND at > ? GROUP BY key >> 6)
GROUP BY rank
"""


@dataclass(slots=True)
class Kept:
    """What is known of a series of users without asking: its rows where they are exact, or its precision."""

    series: int
    rows: int
    precision: int = 0


class Crowd:
    """Records users; ``secret`` is the key of their hashes."""

    def __init__(self, secret: bytes, exact_users: int = EXACT_USERS) -> None:
        self._secret = secret
        self._exact_users = exact_users

    def see(
        self,
        connection: sqlite3.Connection,
        kept: Kept,
        ids: Iterable[str],
        now: int,
        *,
        longest_seconds: float,
        error_ratio: float,
    ) -> None:
        """Records that users were seen now. In a transaction; ``kept`` follows."""
        for each in ids:
            hashed = self.hashed(each)
            key = cell(hashed, kept.precision) if kept.precision else hashed - _HALF
            fresh = connection.execute(_SEE, (kept.series, key, now)).rowcount
            if not fresh:
                connection.execute(_SEE_AGAIN, (kept.series, key, now))
            elif not kept.precision:
                kept.rows += 1
                if kept.rows > self._exact_users:
                    self._fold(connection, kept, now - longest_seconds, error_ratio)

    def hashed(self, user: str) -> int:
        """64 bits of a user, which tell nothing of the id without the key."""
        digest = hashlib.blake2b(user.encode("utf-8", "surrogatepass"), key=self._secret, digest_size=HASH_BITS // 8)
        return int.from_bytes(digest.digest(), "big")

    def _fold(self, connection: sqlite3.Connection, kept: Kept, oldest: float, error_ratio: float) -> None:
        """Lets go of users that no window holds any more; makes a sketch of the series where too many are left."""
        connection.execute("DELETE FROM seen WHERE series = ? AND at <= ?", (kept.series, oldest))
        found = connection.execute("SELECT key, at FROM seen WHERE series = ?", (kept.series,)).fetchall()
        kept.rows = len(found)
        if len(found) <= self._exact_users // 10 * 9:  # close to the limit, it would be looked at again at once
            return
        precision = precision_for(error_ratio)
        cells: dict[int, int] = {}
        for key, at in found:
            place = cell(key + _HALF, precision)
            cells[place] = max(at, cells.get(place, 0))
        connection.execute("DELETE FROM seen WHERE series = ?", (kept.series,))
        connection.executemany(
            "INSERT INTO seen (series, key, at) VALUES (?, ?, ?)",
            ((kept.series, *each) for each in sorted(cells.items())),
        )
        connection.execute("UPDATE series SET precision = ? WHERE id = ?", (precision, kept.series))
        kept.precision, kept.rows = precision, len(cells)


def counts(
    connection: sqlite3.Connection, series: int, precision: int, windows: Mapping[str, float], now: float
) -> dict[str, float]:
    """How many users a series saw in each window that ends now."""
    if not precision:
        sums = ", ".join("coalesce(sum(at > ?), 0)" for _ in windows)
        query = f"SELECT {sums} FROM seen WHERE series = ?"  # noqa: S608  # marks for parameters only
        row = connection.execute(query, (*(now - seconds for seconds in windows.values()), series)).fetchone()
        return {window: float(found) for window, found in zip(windows, row, strict=True)}
    return {
        window: float(round(estimate(dict(connection.execute(_RANKS, (series, now - seconds))), precision)))
        for window, seconds in windows.items()
    }


assert RANK_BITS == 6  # as the query has it
