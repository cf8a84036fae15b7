"""Errors grouped by what they are: which are new, which came back, which surge, and what they began with."""
