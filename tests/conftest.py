"""What holds for all tests."""

from __future__ import annotations

import os

from hypothesis import settings

# In CI the same examples every time: a new one is found at a desk, not in somebody else's pull request.
settings.register_profile("ci", derandomize=True, deadline=None)
if os.environ.get("CI"):
    settings.load_profile("ci")
