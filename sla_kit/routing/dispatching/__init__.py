"""Sending: what is due is claimed, handed to its destination's adapter, and its result recorded, until it arrived."""
