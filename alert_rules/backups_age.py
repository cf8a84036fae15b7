"""How the cases of backups tell ages: as the time at which something was finished last, which Prometheus compares with
its clock.

In a case all is well for half an hour, the trouble is looked at two samples later, and it is over after ten more.
"""

from __future__ import annotations

from collections.abc import Callable

from sla_kit.alert_rules.alert import Shape, Values, gauge

_LOOKED_AT = 1800.0 + 2 * 60
_OVER = _LOOKED_AT + 10 * 60


def finished(default: float, seen: float = 0.0) -> Shape:
    """The time of the last success, where its age may be at most the threshold ``seconds``, by default ``default``:
    now while all is well, then half as old again as it may be, or just young enough until the trouble is over.

    Where the alert goes by the newest time that was ``seen`` within the threshold ``window``, by default that long,
    all of it is looked at that much later.
    """
    return gauge(
        _OVER + seen,
        lambda t: _LOOKED_AT + seen - 1.5 * t.seconds,
        near=lambda t: _OVER + seen + _later(t, default, seen) - t.seconds,
    )


def age(default: float, seen: float = 0.0) -> Callable[[Values], float]:
    """How old it is when it is looked at, which longer thresholds put off."""
    return lambda t: 1.5 * t.seconds + _later(t, default, seen)


def _later(thresholds: Values, default: float, seen: float) -> float:
    return max(0.0, thresholds.seconds - default) + (max(0.0, thresholds.window - seen) if seen else 0.0)
