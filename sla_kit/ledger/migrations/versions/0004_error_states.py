"""What people said of groups of errors, which is only ever added."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_REFUSE = "what was said of errors is never changed in the ledger"


def upgrade() -> None:
    op.create_table(
        "error_state",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("environment", sa.String(200), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("content", sa.Text, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("error_state_group", "error_state", ["environment", "service", "key"])
    if op.get_bind().dialect.name == "sqlite":
        for action in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER error_state_no_{action.lower()} BEFORE {action} ON error_state "
                f"BEGIN SELECT RAISE(ABORT, '{_REFUSE}'); END"
            )
    else:
        op.execute(
            "CREATE FUNCTION sla_kit_refuse_error_states() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{_REFUSE}'; END $$"
        )
        op.execute(
            "CREATE TRIGGER error_state_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON error_state "
            "FOR EACH STATEMENT EXECUTE FUNCTION sla_kit_refuse_error_states()"
        )
