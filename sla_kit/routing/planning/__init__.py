"""From what came in to who is told: incidents, storms, digests, escalations; state in the outbox, rules in here."""
