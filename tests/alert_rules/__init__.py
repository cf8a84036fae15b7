"""Tests of the alert catalogue."""
