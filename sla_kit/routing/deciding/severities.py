"""Severities in their order: how soon somebody responds, what is sent first, which is the highest of several.

A catalogue may have severities of its own, and alerts may have any: none of them is unknown enough to stop anything.
"""

from __future__ import annotations

from sla_kit.catalogue.model import Catalogue

#: How soon somebody responds to what a catalogue says nothing of, in seconds.
_RESPOND_WITHIN = {"critical": 300.0, "warning": 1800.0}
_CRITICAL, _WARNING, _OTHER, _DIGEST = range(4)


class Severities:
    """The severities of a catalogue, of which those that somebody responds to sooner are the higher ones."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._seconds = dict(_RESPOND_WITHIN)
        self._seconds |= {
            level.name.casefold(): level.respond_within for level in catalogue.severities if level.respond_within > 0
        }
        self._digest = {name.casefold() for name in catalogue.routing.digest.severities}
        declared = [level.name.casefold() for level in catalogue.severities]
        names = list(dict.fromkeys([*_RESPOND_WITHIN, *declared, "info"]))
        timed = sorted((name for name in names if name in self._seconds), key=self._urgency)
        untimed = [name for name in names if name not in self._seconds and name not in self._digest]
        digest = [name for name in names if name not in self._seconds and name in self._digest]
        self._unknown = len(timed)  # which may be anything: after what is promised a response, before what is not
        self._ranks = {name: rank for rank, name in enumerate([*timed, "", *untimed, *digest]) if name}

    def respond_within(self, severity: str) -> float | None:
        """Seconds within which somebody responds; None where nobody has to."""
        return self._seconds.get(severity.casefold())

    def rank(self, severity: str) -> int:
        """Where it stands among all: 0 is the highest."""
        return self._ranks.get(severity.casefold(), self._unknown)

    def priority(self, severity: str) -> int:
        """What is sent first: 0 like critical, 1 like warning, 2 others, 3 what waits for a digest."""
        if self.digest(severity):
            return _DIGEST
        seconds = self.respond_within(severity)
        if seconds is None:
            return _OTHER
        name = severity.casefold()
        if name in _RESPOND_WITHIN:
            return _CRITICAL if name == "critical" else _WARNING
        if seconds <= _RESPOND_WITHIN["critical"]:
            return _CRITICAL
        return _WARNING if seconds <= _RESPOND_WITHIN["warning"] else _OTHER

    def digest(self, severity: str) -> bool:
        """Whether it is told in a digest."""
        return severity.casefold() in self._digest

    def _urgency(self, name: str) -> tuple[int, float]:
        by_name = {"critical": 0, "warning": 2}
        seconds = self._seconds[name]
        between = 1 if seconds <= self._seconds["warning"] else 3
        return by_name.get(name, 0 if seconds < self._seconds["critical"] else between), seconds
