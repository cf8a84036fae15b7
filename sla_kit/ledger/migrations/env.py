"""What Alembic runs: the revisions in the transaction that the ledger has begun."""

from alembic import context

from sla_kit.ledger.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
context.run_migrations()
