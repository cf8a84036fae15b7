"""What a catalogue must hold to have its report in another language: a translation that can be used."""

from __future__ import annotations

import os
import re
from pathlib import Path as FilePath

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.translations import file_of, mistakes_in
from sla_kit.configuration.places import Findings

_CODE = re.compile(r"[a-z]{2,3}([_-][A-Za-z]{4})?([_-]([A-Z]{2}|\d{3}))?")


def check_language(catalogue: Catalogue, findings: Findings) -> None:
    """Notes every mistake of ``language`` and ``translations``, and those in the file they lead to at its own lines."""
    code = catalogue.language
    if findings.places.broken(("language",)) or findings.places.broken(("translations",)):
        return
    if code and not _CODE.fullmatch(code):
        findings.say(("language",), f"{code[:40]!r} is no language", "such as de, fr or pt_BR")
        return
    if not catalogue.translations:
        if code and not code.startswith("en"):
            hint = "the folder that holds it, relative to the catalogue"
            findings.say(("language",), f"{code!r} needs translations, a folder with {code}.po", hint)
        return
    folder = FilePath(catalogue.folder) / catalogue.translations
    if not folder.is_dir():
        hint = "it is looked for beside the catalogue"
        findings.say(("translations",), f"there is no folder {catalogue.translations[:120]!r}", hint)
        return
    path = file_of(folder, code) if code else None
    if path is not None:
        findings.mistakes += mistakes_in(path, os.path.relpath(path))
    elif code and not code.startswith("en"):
        hint = "docs/report.md says how to make one"
        findings.say(("language",), f"{catalogue.translations} holds no {code.replace('-', '_')}.po", hint)
