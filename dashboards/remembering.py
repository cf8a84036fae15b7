"""What is the same for every dashboard of a catalogue, reckoned once."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TypeVar

from sla_kit.catalogue.model import Catalogue

_T = TypeVar("_T")


def once(function: Callable[[Catalogue], _T]) -> Callable[[Catalogue], _T]:
    """A function of a catalogue that remembers its last answer, for as long as it is asked about the same object: a
    catalogue never changes, and it is not looked into, which would take longer than most answers."""
    last: list[tuple[Catalogue, _T]] = []

    @wraps(function)
    def remembering(catalogue: Catalogue) -> _T:
        for asked, answer in last:
            if asked is catalogue:
                return answer
        answer = function(catalogue)
        last[:] = [(catalogue, answer)]
        return answer

    return remembering
