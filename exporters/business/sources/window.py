"""How far back a question looks: it says so itself, or a query's ``for_each: {window: […]}`` does."""

from __future__ import annotations

from collections.abc import Mapping

from sla_kit.configuration.places import Findings
from sla_kit.configuration.places import Path as Part
from sla_kit.exporters.business.sources import Parameter

#: The parameters that ``for_each: {window: [1m, 1h]}`` binds.
_BOUND = frozenset({"window", "window_seconds"})


def check_window(window: float | None, parameters: frozenset[str], findings: Findings, path: Part) -> bool:
    """Whether there is a window, once what is wrong with it has been said."""
    if window is not None and window <= 0:
        findings.say((*path, "window"), "must be above 0", "such as 5m")
    bound = "window" in parameters
    if bound and window is not None:
        findings.say((*path, "window"), "is said by for_each, too", "leave one out")
    others = sorted(parameters - _BOUND)
    if others:
        findings.say(
            path, f"has nothing to bind {', '.join(others)} to", "for_each: {window: [1m, 1h]} sets the window"
        )
    return bound or window is not None


def window_of(window: float | None, parameters: Mapping[str, Parameter]) -> float | None:
    """The window in seconds, None where there is none."""
    bound = parameters.get("window_seconds")
    return window if bound is None else float(bound)
