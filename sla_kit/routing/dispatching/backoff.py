"""When a delivery that failed is tried again, and when it is given up.

Exponential backoff with full jitter: AWS Architecture Blog, "Exponential Backoff And Jitter", whose simulation shows
it to need the fewest calls for the same work: ``sleep = random_between(0, min(cap, base * 2 ** attempt))``.
"""

from __future__ import annotations

import random
from collections.abc import Callable

#: The longest that the first wait can be.
START_SECONDS = 1.0
#: The longest that any wait can be.
CAP_SECONDS = 300.0
#: The same for pages, and for a service that did not answer: there the breaker keeps the number of calls low, and what
#: waits should follow soon once it answers again.
URGENT_CAP_SECONDS = 30.0
#: The longest wait that a service may ask for.
RETRY_AFTER_CAP_SECONDS = 3600.0
#: For how long a delivery that fails in a passing way is tried before it becomes a dead letter. It is told of from the
#: first attempt that failed, so that none dies untried because its service was not to be reached.
GIVE_UP_AFTER_SECONDS = 86400.0

PAGE_PRIORITY = 0

Uniform = Callable[[float, float], float]


def ceiling(attempts: int, *, urgent: bool = False) -> float:
    """The longest wait in seconds after so many attempts, all of which failed."""
    cap = URGENT_CAP_SECONDS if urgent else CAP_SECONDS
    doublings = min(max(attempts - 1, 0), 16)  # far beyond the cap, and no overflow after weeks
    return float(min(cap, START_SECONDS * 2**doublings))


def delay(
    attempts: int,
    *,
    urgent: bool = False,
    retry_after_seconds: float | None = None,
    uniform: Uniform = random.uniform,
) -> float:
    """Seconds to wait after so many attempts, all of which failed.

    What the service asks for is waited out in full, up to an hour, and jitter of up to a second or the usual wait comes
    on top of it, so that not all who were told the same come back at the same instant.
    """
    jitter = uniform(0.0, ceiling(attempts, urgent=urgent))
    if retry_after_seconds is None or not retry_after_seconds > 0:
        return jitter
    return min(retry_after_seconds, RETRY_AFTER_CAP_SECONDS) + min(jitter, START_SECONDS)


def is_over(failing_since: float | None, now: float) -> bool:
    """Whether a delivery has failed for so long that it is given up."""
    return failing_since is not None and now - failing_since >= GIVE_UP_AFTER_SECONDS
