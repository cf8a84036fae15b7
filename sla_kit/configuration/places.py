"""Where each part of a configuration was written, so that a mistake found late can still name its line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

import msgspec

from sla_kit.errors import Mistake

#: How to reach a part from the top: field names, positions in lists and keys of mappings.
Path = tuple[str | int, ...]


class Place(msgspec.Struct, frozen=True):
    """A file with its 1-based line and column; line 0 where there is no text."""

    file: str
    line: int
    column: int

    def mistake(self, message: str, hint: str = "") -> Mistake:
        """A mistake that stands here."""
        return Mistake(self.file, self.line, self.column, message, hint)


PYTHON = Place("<python>", 0, 0)


class Places:
    """The place of every decoded part by its path, and which parts could not be decoded.

    A part that could not be decoded holds a stand-in, about which nothing more must be said (``broken``). A list
    or mapping that lost an entry can't prove that a name is missing (``partial``).
    """

    def __init__(self, root: Place = PYTHON) -> None:
        self._root = root
        self._places: dict[Path, Place] = {}
        self._broken: set[Path] = set()
        self._partial: set[Path] = set()

    def put(self, path: Path, place: Place) -> None:
        """Remembers where a part stands."""
        self._places[path] = place

    def mark_broken(self, path: Path) -> None:
        """The part at ``path`` holds a stand-in."""
        self._broken.add(path)
        self._partial.add(path)

    def mark_partial(self, path: Path) -> None:
        """The list or mapping at ``path`` lost an entry."""
        self._partial.add(path)

    def find(self, path: Path) -> Place:
        """Where a part stands; what has no text of its own (a default) stands where its owner does."""
        for end in range(len(path), 0, -1):
            if path[:end] in self._places:
                return self._places[path[:end]]
        return self._root

    def broken(self, path: Path) -> bool:
        """Whether the part, or one that holds it, is a stand-in."""
        return bool(self._broken) and any(path[:end] in self._broken for end in range(len(path) + 1))

    def has_broken(self, path: Path) -> bool:
        """Whether the part, one that holds it, or one inside it is a stand-in or lost an entry."""
        return self.broken(path) or any(part[: len(path)] == path for part in self._partial)

    def complete(self, path: Path) -> bool:
        """Whether a name that is not among the entries at ``path`` was never written there."""
        return path not in self._partial and not self.broken(path)


def dotted(path: Path) -> str:
    """A path as Python writes it: services[0].slos[1].objective."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def nearest(name: str, known: Iterable[str]) -> str:
    """The hint for a name that is none of the known ones."""
    names = list(dict.fromkeys(known))
    close = difflib.get_close_matches(name, names, 1)
    if not close:  # difflib minds capitals
        lowered = {each.lower(): each for each in names}
        close = [lowered[each] for each in difflib.get_close_matches(name.lower(), list(lowered), 1)]
    if close:
        return f"did you mean {close[0]}?"
    if not names:
        return ""
    shown = ", ".join(names[:12])
    return f"one of {shown}" + (", …" if len(names) > 12 else "")


class Findings:
    """Collects the mistakes that rules find, each at the place of the part that it concerns."""

    def __init__(self, places: Places | None) -> None:
        self.places = places or Places()
        self.mistakes: list[Mistake] = []

    def say(self, path: Path, message: str, hint: str = "") -> None:
        """Notes a mistake, unless the part is a stand-in for something that was already told."""
        if not self.places.broken(path):
            place = self.places.find(path)
            if place == PYTHON and path:
                message = f"{dotted(path)}: {message}"
            self.mistakes.append(place.mistake(message, hint))

    def expect(self, name: str, known: Iterable[str], path: Path, what: str, pools: Iterable[Path]) -> bool:
        """Whether ``name``, written at ``path``, is known; ``pools`` are where such names are declared."""
        names = list(known)
        if name in names:
            return True
        if all(self.places.complete(pool) for pool in pools):
            self.say(path, f"there is no {what} {name!r}", nearest(name, names) or f"no {what} is declared")
        return False
