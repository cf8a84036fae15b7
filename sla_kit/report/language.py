"""The language that a report is written in: gettext messages, bound for the length of one rendering.

Every text that a reader sees is marked where it is made, and so found by the template's extraction:

    from sla_kit.report.language import _, ngettext

    _("The worst hours")
    _("limit {limit}", limit=formats.duration(seconds))       # never an f-string: it could not be translated
    ngettext("{count} more incident", "{count} more incidents", number, count=formats.count(number))

Outside `speaking` everything is English. A context variable holds the language, so threads don't disturb each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from gettext import NullTranslations

from sla_kit.report.conventions import Conventions

__all__ = ["ENGLISH", "Language", "_", "language", "marked", "ngettext", "speaking"]


@dataclass(frozen=True)
class Language:
    """A language: its code ("de", "pt_BR"), its messages, and how it writes numbers and dates."""

    code: str = "en"
    messages: NullTranslations = field(default_factory=NullTranslations)
    conventions: Conventions = field(default_factory=Conventions)


ENGLISH = Language()
_spoken: ContextVar[Language] = ContextVar("sla_kit_language", default=ENGLISH)


def language() -> Language:
    """The language that is spoken now."""
    return _spoken.get()


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Everything said in this block is in that language."""
    token = _spoken.set(language)
    try:
        yield
    finally:
        _spoken.reset(token)


def _(message: str, **values: str) -> str:
    """A message in the language spoken, with the values in the places that are named {so}."""
    text = _spoken.get().messages.gettext(message)
    return text.format(**values) if values else text


def ngettext(one: str, many: str, number: float, **values: str) -> str:
    """The form of a message that goes with a number, by the language's own rule of plurals; the number itself is
    shown only where the message names one of the values."""
    # Half an outage, or 1.5 of them, take the plural; gettext's rules know whole numbers only.
    whole = int(number) if float(number).is_integer() else 2
    return _spoken.get().messages.ngettext(one, many, whole).format(**values)


def marked(message: str) -> str:
    """Marks a message that is said later, by ``_(constant)``."""
    return message
