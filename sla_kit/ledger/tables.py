"""The ledger's tables. Their making and changing is `sla_kit.ledger.migrations`' alone; a test holds the two together.

Every key is made from what a row is about, none from when or in which order it came, so that two ledgers of the same
history hold the same rows.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Float, Index, Integer, LargeBinary, MetaData, String, Table, Text

metadata = MetaData()

#: One indicator as it was once defined: ``id`` is the beginning of the SHA-256 of the rest.
indicator = Table(
    "indicator",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("catalogue", String(200), nullable=False),
    Column("environment", String(200), nullable=False),
    Column("service", String(200), nullable=False),
    Column("name", String(200), nullable=False),
    Column("bucket", Integer, nullable=False),  # seconds
    Column("definition", Text, nullable=False),  # JSON
)

#: The closed buckets of one indicator on one UTC day. ``correction`` is 0 for what was read first, else the number of
#: the correction that read it again; the highest one counts.
day = Table(
    "day",
    metadata,
    Column("indicator", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),  # days since 1970-01-01
    Column("correction", Integer, primary_key=True, autoincrement=False),
    Column("first", Integer, nullable=False),  # position of the first bucket in the day
    Column("count", Integer, nullable=False),  # buckets
    Column("digest", LargeBinary, nullable=False),  # of the content, `rows.digest`
    Column("payload", LargeBinary, nullable=False),  # `rows.pack`
    sqlite_with_rowid=False,
)

#: Changes of what is known or counted, with who and why. Nothing of it is ever changed or deleted; each row's digest
#: holds the one before, so that a missing or altered one shows.
correction = Table(
    "correction",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", String(40), nullable=False),  # RFC 3339
    Column("catalogue", String(200), nullable=False),
    Column("environment", String(200), nullable=False),
    Column("kind", String(40), nullable=False),  # exclusion, withdrawal, reading, pruning
    Column("author", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("content", Text, nullable=False),  # JSON
    Column("digest", String(64), nullable=False),
)

#: Restores for practice, with all that is known of each. As corrections, only ever added, and chained by their digests.
drill = Table(
    "drill",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", String(40), nullable=False),  # RFC 3339
    Column("target", String(200), nullable=False),
    Column("outcome", String(40), nullable=False),  # succeeded, slow, failed
    Column("evidence", Text, nullable=False),  # JSON
    Column("digest", String(64), nullable=False),
)

#: How incidents were responded to: when somebody was told, took them, and when they were over. Chained as the others.
response = Table(
    "response",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", String(40), nullable=False),  # RFC 3339
    Column("dedup_key", String(255), nullable=False),
    Column("opened_at", Float(53), nullable=False),  # epoch seconds
    Column("content", Text, nullable=False),  # JSON
    Column("digest", String(64), nullable=False),
)

#: What people said of groups of errors: their status, their owner. Chained as the others.
error_state = Table(
    "error_state",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("made_at", String(40), nullable=False),  # RFC 3339
    Column("environment", String(200), nullable=False),
    Column("service", String(200), nullable=False),
    Column("key", String(512), nullable=False),
    Column("content", Text, nullable=False),  # JSON
    Column("digest", String(64), nullable=False),
)

#: What reports were made of, by the digest of its content: catalogues, calendars, and the digests of input rows.
content = Table(
    "content",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("kind", String(40), nullable=False),
    Column("body", LargeBinary, nullable=False),  # zlib
    sqlite_with_rowid=False,
)

#: What finds a bucket that was changed, by the digest of the day as it was; it does not stand with the row, so that
#: altering the row leaves it as it is.
mark = Table(
    "mark",
    metadata,
    Column("digest", LargeBinary, primary_key=True),  # `rows.digest`
    Column("body", LargeBinary, nullable=False),  # `rows.marks`
    sqlite_with_rowid=False,
)

#: Sums of a day as one SLO counts it, made from rows and made again where they are missing.
daily = Table(
    "daily",
    metadata,
    Column("terms", BigInteger, primary_key=True, autoincrement=False),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("digest", LargeBinary, nullable=False),  # of the row that they were made from
    Column("total", Float(53), nullable=False),
    Column("bad", Float(53), nullable=False),
    Column("coverage", Float(53), nullable=False),  # buckets
    Column("worst", Float(53)),  # the worst measured value
    Column("bounds", LargeBinary),  # or the histogram: its bounds, and observations at or under each
    Column("counts", LargeBinary),
    sqlite_with_rowid=False,
)

#: Results that were judged before, by the digest of all that they depend on; made again where they are missing.
judged = Table(
    "judged",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("body", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

#: What is there, without reading it: the payloads would be read along with their rows otherwise.
Index("day_extent", day.c.indicator, day.c.day, day.c.correction, day.c.first, day.c.count, day.c.digest)
Index("indicator_by_name", indicator.c.catalogue, indicator.c.environment, indicator.c.service, indicator.c.name)
Index("response_opened", response.c.opened_at, response.c.dedup_key)
Index("error_state_group", error_state.c.environment, error_state.c.service, error_state.c.key)
