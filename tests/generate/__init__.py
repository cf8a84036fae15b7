"""Tests of what `sla-kit generate` writes."""
