"""What goes wrong, as exceptions that carry the place and the remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class SlaKitError(Exception):
    """The root of every error that sla-kit raises on purpose.

    ``message`` says what was being done and what went wrong, ``place`` where (a file and line, a URL without its
    secrets, a query), ``remedy`` what to try. The command line prints the three and exits with ``exit_code``.
    """

    exit_code = 2

    def __init__(self, message: str, *, place: str = "", remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.remedy = remedy

    def __str__(self) -> str:
        text = f"{self.place}: {self.message}" if self.place else self.message
        return f"{text}\n  try: {self.remedy}" if self.remedy else text


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake in a configuration: where it stands (1-based line and column; 0 where a Python object has none)."""

    file: str
    line: int
    column: int
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class ConfigurationError(SlaKitError):
    """A configuration can't be used; ``mistakes`` holds every one that was found, in order of file and line."""

    exit_code = 1

    def __init__(self, mistakes: Sequence[Mistake], of: str = "configuration") -> None:
        self.mistakes = tuple(sorted(mistakes))
        count = len(self.mistakes)
        noun = "mistake" if count == 1 else "mistakes"
        super().__init__(f"{count} {noun} in the {of}\n" + "\n".join(str(mistake) for mistake in self.mistakes))


class CatalogueError(ConfigurationError):
    """A catalogue can't be used."""

    def __init__(self, mistakes: Sequence[Mistake], of: str = "catalogue") -> None:
        super().__init__(mistakes, of)


class ForeignFileError(CatalogueError):
    """Files of another tool can't be imported; ``mistakes`` holds every one that was found."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        super().__init__(mistakes)
        count = len(self.mistakes)
        noun = "mistake" if count == 1 else "mistakes"
        told = "\n".join(str(mistake) for mistake in self.mistakes)
        self.message = f"{count} {noun} in what was to be imported\n{told}"


class SourceError(SlaKitError):
    """A source of history could not be opened, or did not answer, or answered what can't be understood. ``kind`` says
    in one word why it failed, where that is known: ``connect``, ``timeout``, ``auth`` or ``query``."""

    kind = ""


class SecretError(SlaKitError):
    """A secret is not where a configuration says that it is, or can't be read there."""


class LedgerError(SlaKitError):
    """The ledger can't be opened, read or written, or holds what it should not."""


class OutboxError(SlaKitError):
    """The router's outbox can't be opened, read or written; what was to be written is not there."""


class ScenarioError(SlaKitError):
    """A scenario for the simulator can't be used."""


class MissingLibraryError(SlaKitError):
    """A feature needs a library of the operating system that is not there."""

    def __init__(self, feature: str, library: str, packages: str) -> None:
        super().__init__(
            f"{feature} needs {library}, a library of the operating system, which is not installed",
            remedy=f"on Debian or Ubuntu: apt-get install {packages}",
        )


class MissingExtraError(SlaKitError):
    """A feature needs a library that the light install leaves out."""

    def __init__(self, feature: str, module: str, extra: str) -> None:
        super().__init__(
            f"{feature} needs the Python package {module!r}, which is not installed",
            remedy=f"pip install 'sla-kit[{extra}]'",
        )
