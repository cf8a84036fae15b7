"""What Alembic runs: the revisions in the transaction that the outbox has begun."""

from alembic import context

from sla_kit.routing.outbox.tables import REVISION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=REVISION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
