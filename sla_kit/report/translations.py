"""Languages from ``.po`` files: a user's folder, or what a catalogue declares. English needs none."""

from __future__ import annotations

import io
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from typing import TYPE_CHECKING

from sla_kit.catalogue.translations import file_of, read
from sla_kit.errors import CatalogueError, MissingExtraError, SlaKitError
from sla_kit.report.conventions import conventions_of
from sla_kit.report.language import ENGLISH, Language

if TYPE_CHECKING:
    from sla_kit.catalogue.model import Catalogue


def open_language(code: str, folder: str | Path | None = None) -> Language:
    """The language ``code`` ("de", "pt_BR") with the messages of ``folder``/de.po; what that lacks stays English.

    English of any region needs no file, but may have one, to call things by other names. Raises `SlaKitError` where
    there is no such language or file, `CatalogueError` with every mistake of the file, `MissingExtraError` where
    Babel is not installed.
    """
    if not code or (code == "en" and folder is None):
        return ENGLISH
    conventions = conventions_of(code)
    path = None if folder is None else file_of(Path(folder), code)
    if path is None and code.replace("-", "_").partition("_")[0] == "en":
        return Language(code, NullTranslations(), conventions)
    if path is None:
        raise SlaKitError(
            f"there is no translation into {code!r}",
            place="" if folder is None else str(folder),
            remedy=f"give a folder that holds {code}.po with --translations; docs/report.md says how to make one",
        )
    return Language(code, _messages(path), conventions)


def language_of(catalogue: Catalogue) -> Language:
    """The language that a catalogue declares."""
    folder = Path(catalogue.folder, catalogue.translations) if catalogue.translations else None
    return open_language(catalogue.language, folder)


def _messages(path: Path) -> NullTranslations:
    try:
        from babel.messages.mofile import write_mo
    except ModuleNotFoundError as error:
        raise MissingExtraError("a translated report", "babel", "report") from error
    catalog, mistakes = read(path, str(path))
    if catalog is None or mistakes:
        raise CatalogueError(mistakes, of="translation")
    compiled = io.BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return GNUTranslations(compiled)
