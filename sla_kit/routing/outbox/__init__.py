"""The outbox: everything that was accepted and is to be delivered, in one SQLite file or in PostgreSQL."""
