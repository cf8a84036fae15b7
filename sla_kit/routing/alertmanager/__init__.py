"""Silences: Alertmanager's API v2, and what the router and the calendar make there."""
