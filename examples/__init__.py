"""Catalogues that run as documentation, and the demo's."""
