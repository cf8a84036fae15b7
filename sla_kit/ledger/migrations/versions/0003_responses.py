"""How incidents were responded to, which is only ever added."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_REFUSE = "the ledger''s responses are never changed"


def upgrade() -> None:
    op.create_table(
        "response",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("dedup_key", sa.String(255), nullable=False),
        sa.Column("opened_at", sa.Float(53), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("response_opened", "response", ["opened_at", "dedup_key"])
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER response_no_{action.lower()} BEFORE {action} ON response "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION sla_kit_refuse_responses() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSE}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER response_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON response "
            "FOR EACH STATEMENT EXECUTE FUNCTION sla_kit_refuse_responses()"
        )
