"""Alerts on history: when rules would have fired, and how well that agrees with what is known to have gone wrong."""
