"""Waiting for what other threads and processes do, by looking again and again until a generous deadline."""

from __future__ import annotations

import time
from collections.abc import Callable


def until(
    holds: Callable[[], object], seconds: float = 120.0, *, what: str = "what was waited for", every: float = 0.005
) -> None:
    """Returns as soon as it holds; fails, naming ``what``, where it never does. Looks ``every`` so many seconds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} never came"
        time.sleep(every)
