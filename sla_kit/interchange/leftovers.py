"""What an import or an export could not carry over, and where it stood."""

from __future__ import annotations

from dataclasses import dataclass

from sla_kit.configuration.places import Place


@dataclass(frozen=True, slots=True, order=True)
class Leftover:
    """One thing that was left behind or changed: its place (1-based; line 0 where there is no text), what it is, why,
    and what to do about it."""

    file: str
    line: int
    column: int
    what: str
    why: str
    remedy: str = ""

    @classmethod
    def at(cls, place: Place, what: str, why: str, remedy: str = "") -> Leftover:
        """A leftover that stands there."""
        return cls(place.file, place.line, place.column, what, why, remedy)

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.what} ({self.why}" + (f"; {self.remedy})" if self.remedy else ")")
