"""Backups as they are, not as the job that makes them says: their age, size, form, checksums, copies and gaps."""
