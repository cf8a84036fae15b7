"""The outbox's tables. Their making and changing is `sla_kit.routing.outbox.migrations`' alone.

All times are epoch seconds by the outbox's own clock (`sla_kit.routing.clock`).
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()
#: Where Alembic keeps the revision: a name of its own, so that a ledger may be in the same database of PostgreSQL.
REVISION_TABLE = "outbox_revision"
_KEY = BigInteger().with_variant(Integer, "sqlite")  # so that SQLite numbers the rows itself

#: What came in, committed before it was acknowledged. ``idempotency`` keeps the same from being accepted twice.
event = Table(
    "event",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("received_at", Float(53), nullable=False),
    Column("kind", String(40), nullable=False),  # the tag of `events.Event`
    Column("idempotency", String(200), unique=True),
    Column("state", String(10), nullable=False),  # new, planned, dead, dropped
    Column("reason", Text),  # why it is dead
    Column("urgent", Boolean, nullable=False),  # is planned before what is not, though that came earlier
    Column("body", LargeBinary, nullable=False),  # `events.encode`
    sqlite_autoincrement=True,
)

#: Incidents. ``version`` goes up by one with each change; of one ``dedup_key`` one at most is open.
incident = Table(
    "incident",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("dedup_key", String(255), nullable=False),
    Column("open", Boolean, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("severity", String(40), nullable=False),
    Column("service", String(200), nullable=False),
    Column("team", String(200), nullable=False),
    Column("opened_at", Float(53), nullable=False),
    Column("received_at", Float(53), nullable=False),
    Column("acknowledged_at", Float(53)),
    Column("resolved_at", Float(53)),
    Column("updated_at", Float(53), nullable=False),
    Column("version", Integer, nullable=False),
    Column("body", LargeBinary, nullable=False),  # `incident.encode`
    sqlite_autoincrement=True,
)

#: One destination that is told of one incident (whose newest version is ``wanted``), or of one ``content`` (version 1).
#: ``state``: open; held (for a digest); folded (told as a part of something else); dead (given up, with ``error``);
#: dropped (by a person). It is due while it is ``pending``: open, and told less than wanted.
delivery = Table(
    "delivery",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),  # `Parcel.key`
    Column("incident_id", _KEY, ForeignKey("incident.id")),
    Column("content", LargeBinary),
    Column("kind", String(20), nullable=False),  # of the destination
    Column("destination", String(500), nullable=False),
    Column("contact", String(200), nullable=False),
    Column("queue", String(500), nullable=False),  # of one queue and destination, one after the other in order of id
    Column("priority", Integer, nullable=False),  # 0 first
    Column("state", String(10), nullable=False),
    Column("pending", Boolean, nullable=False),
    Column("wanted", Integer, nullable=False),
    Column("told_version", Integer, nullable=False),
    Column("told", LargeBinary),  # `incident.Told` as JSON
    Column("told_at", Float(53)),
    Column("first_told_at", Float(53)),
    Column("remembered", Text),  # `Parcel.references` as JSON
    Column("attempts", Integer, nullable=False),  # since it last succeeded
    Column("uncertain", Boolean, nullable=False),
    Column("fell_back", Boolean, nullable=False),
    Column("failing_since", Float(53)),
    Column("due_at", Float(53), nullable=False),
    Column("leased_by", String(100)),
    Column("leased_until", Float(53)),
    Column("error", Text),
    Column("created_at", Float(53), nullable=False),
    sqlite_autoincrement=True,
)

#: What is to happen later, such as an escalation; one of a kind and key.
timer = Table(
    "timer",
    metadata,
    Column("kind", String(40), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("due_at", Float(53), nullable=False),
    Column("data", Text, nullable=False),  # JSON
)

#: The last sign of life of each sender, and what else is known by name.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("at", Float(53), nullable=False),
)

#: Files by the SHA-256 of their content: reports, graphs.
attachment = Table(
    "attachment",
    metadata,
    Column("digest", String(64), primary_key=True),
    Column("created_at", Float(53), nullable=False),
    Column("body", LargeBinary, nullable=False),
)

#: What became of a delivery: a line for each attempt, and for what people did to it.
history = Table(
    "history",
    metadata,
    Column("id", _KEY, primary_key=True),
    Column("delivery_id", _KEY, nullable=False),
    Column("at", Float(53), nullable=False),
    Column("what", String(20), nullable=False),  # delivered, failed, lost, dead, folded, dropped, revived
    Column("version", Integer, nullable=False),
    Column("words", Text, nullable=False),
    sqlite_autoincrement=True,
)

# What is looked for all the time is in small indexes of its own, however long history becomes.
Index(
    "event_new",
    event.c.urgent.desc(),
    event.c.id,
    sqlite_where=text("state = 'new'"),
    postgresql_where=text("state = 'new'"),
)
Index("event_dead", event.c.id, sqlite_where=text("state = 'dead'"), postgresql_where=text("state = 'dead'"))
Index("event_received", event.c.received_at)
Index("incident_open", incident.c.dedup_key, unique=True, sqlite_where=text("open"), postgresql_where=text("open"))
Index("incident_key", incident.c.dedup_key, incident.c.id)
Index("incident_updated", incident.c.updated_at)
# From one pair of destination and priority to the next, and in it by time; its last columns are for counting.
Index(
    "delivery_due",
    delivery.c.destination,
    delivery.c.priority,
    delivery.c.due_at,
    delivery.c.id,
    delivery.c.failing_since,
    delivery.c.pending,
    sqlite_where=text("pending"),
    postgresql_where=text("pending"),
)
Index(
    "delivery_queue",
    delivery.c.queue,
    delivery.c.destination,
    delivery.c.id,
    sqlite_where=text("pending"),
    postgresql_where=text("pending"),
)
Index("delivery_pending", delivery.c.id, sqlite_where=text("pending"), postgresql_where=text("pending"))  # for lists
Index(
    "delivery_leased",
    delivery.c.leased_by,
    sqlite_where=text("leased_by IS NOT NULL"),
    postgresql_where=text("leased_by IS NOT NULL"),
)
Index("delivery_incident", delivery.c.incident_id, delivery.c.destination, unique=True)
Index(
    "delivery_state",
    delivery.c.state,
    delivery.c.destination,
    delivery.c.id,
    sqlite_where=text("state <> 'open'"),
    postgresql_where=text("state <> 'open'"),
)
Index("delivery_created", delivery.c.created_at)
Index("history_delivery", history.c.delivery_id)
Index("timer_due", timer.c.due_at)
Index("attachment_created", attachment.c.created_at)
