"""Events, incidents, deliveries with their history, timers, heartbeats, attachments."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_KEY = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "event",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("received_at", sa.Float(53), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("idempotency", sa.String(200), unique=True),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("urgent", sa.Boolean, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "incident",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("dedup_key", sa.String(255), nullable=False),
        sa.Column("open", sa.Boolean, nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("severity", sa.String(40), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("team", sa.String(200), nullable=False),
        sa.Column("opened_at", sa.Float(53), nullable=False),
        sa.Column("received_at", sa.Float(53), nullable=False),
        sa.Column("acknowledged_at", sa.Float(53)),
        sa.Column("resolved_at", sa.Float(53)),
        sa.Column("updated_at", sa.Float(53), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "delivery",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("key", sa.String(64), nullable=False, unique=True),
        sa.Column("incident_id", _KEY, sa.ForeignKey("incident.id")),
        sa.Column("content", sa.LargeBinary),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("destination", sa.String(500), nullable=False),
        sa.Column("contact", sa.String(200), nullable=False),
        sa.Column("queue", sa.String(500), nullable=False),
        sa.Column("priority", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("pending", sa.Boolean, nullable=False),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("told_version", sa.Integer, nullable=False),
        sa.Column("told", sa.LargeBinary),
        sa.Column("told_at", sa.Float(53)),
        sa.Column("first_told_at", sa.Float(53)),
        sa.Column("remembered", sa.Text),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("uncertain", sa.Boolean, nullable=False),
        sa.Column("fell_back", sa.Boolean, nullable=False),
        sa.Column("failing_since", sa.Float(53)),
        sa.Column("due_at", sa.Float(53), nullable=False),
        sa.Column("leased_by", sa.String(100)),
        sa.Column("leased_until", sa.Float(53)),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "timer",
        sa.Column("kind", sa.String(40), primary_key=True),
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("due_at", sa.Float(53), nullable=False),
        sa.Column("data", sa.Text, nullable=False),
    )
    op.create_table(
        "heartbeat",
        sa.Column("name", sa.String(200), primary_key=True),
        sa.Column("at", sa.Float(53), nullable=False),
    )
    op.create_table(
        "attachment",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "history",
        sa.Column("id", _KEY, primary_key=True),
        sa.Column("delivery_id", _KEY, nullable=False),
        sa.Column("at", sa.Float(53), nullable=False),
        sa.Column("what", sa.String(20), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "event_new",
        "event",
        [sa.text("urgent DESC"), "id"],
        sqlite_where=sa.text("state = 'new'"),
        postgresql_where=sa.text("state = 'new'"),
    )
    op.create_index(
        "event_dead",
        "event",
        ["id"],
        sqlite_where=sa.text("state = 'dead'"),
        postgresql_where=sa.text("state = 'dead'"),
    )
    op.create_index("event_received", "event", ["received_at"])
    op.create_index(
        "incident_open",
        "incident",
        ["dedup_key"],
        unique=True,
        sqlite_where=sa.text("open"),
        postgresql_where=sa.text("open"),
    )
    op.create_index("incident_key", "incident", ["dedup_key", "id"])
    op.create_index("incident_updated", "incident", ["updated_at"])
    op.create_index(
        "delivery_due",
        "delivery",
        ["destination", "priority", "due_at", "id", "failing_since", "pending"],
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    )
    op.create_index(
        "delivery_queue",
        "delivery",
        ["queue", "destination", "id"],
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    )
    op.create_index(
        "delivery_pending",
        "delivery",
        ["id"],
        sqlite_where=sa.text("pending"),
        postgresql_where=sa.text("pending"),
    )
    op.create_index(
        "delivery_leased",
        "delivery",
        ["leased_by"],
        sqlite_where=sa.text("leased_by IS NOT NULL"),
        postgresql_where=sa.text("leased_by IS NOT NULL"),
    )
    op.create_index("delivery_incident", "delivery", ["incident_id", "destination"], unique=True)
    op.create_index(
        "delivery_state",
        "delivery",
        ["state", "destination", "id"],
        sqlite_where=sa.text("state <> 'open'"),
        postgresql_where=sa.text("state <> 'open'"),
    )
    op.create_index("delivery_created", "delivery", ["created_at"])
    op.create_index("history_delivery", "history", ["delivery_id"])
    op.create_index("timer_due", "timer", ["due_at"])
    op.create_index("attachment_created", "attachment", ["created_at"])
