"""Alert routing that loses nothing: what comes in is committed to an outbox, planned, and sent until it arrived."""
