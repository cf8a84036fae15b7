"""Slack: a message for each incident, kept up to date in place, and what people press in it."""
