"""Other tools' SLO files: OpenSLO, Sloth and Pyrra into a catalogue, and a catalogue into OpenSLO."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sla_kit.catalogue.model import Catalogue
from sla_kit.catalogue.rules import check_catalogue
from sla_kit.configuration.nodes import Mapping, Scalar
from sla_kit.configuration.places import nearest
from sla_kit.errors import ForeignFileError, Mistake
from sla_kit.interchange.documents import documents_of, read_documents
from sla_kit.interchange.draft import Draft
from sla_kit.interchange.fields import Notes
from sla_kit.interchange.leftovers import Leftover

__all__ = ["Imported", "Leftover", "Tool", "import_files", "import_text"]

Tool = Literal["openslo", "sloth", "pyrra"]
_VERSIONS: dict[str, Tool] = {
    "openslo/v1": "openslo",
    "openslo/v1alpha": "openslo",
    "prometheus/v1": "sloth",
    "sloth.slok.dev/v1": "sloth",
    "pyrra.dev/v1alpha1": "pyrra",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A catalogue, and what of the files is not in it, in order of file and line."""

    catalogue: Catalogue
    leftovers: tuple[Leftover, ...]


def import_files(tool: Tool, paths: Sequence[str | Path], name: str = "") -> Imported:
    """The catalogue that files and folders of a tool amount to, called ``name`` (the tool's where empty).

    References are followed through all of them. Raises `ForeignFileError` with every mistake.
    """
    documents, mistakes = read_documents(paths)
    return _imported(tool, documents, Notes(), mistakes, name)


def import_text(tool: Tool, text: str, name: str = "", file: str = "<text>") -> Imported:
    """The same of one text, called ``file`` in mistakes."""
    documents, mistakes = documents_of(text, file)
    return _imported(tool, documents, Notes(), mistakes, name)


def _imported(tool: Tool, documents: list[Mapping], notes: Notes, mistakes: list[Mistake], name: str) -> Imported:
    from sla_kit.interchange.openslo import read_openslo
    from sla_kit.interchange.pyrra import read_pyrra
    from sla_kit.interchange.sloth import read_sloth

    notes.mistakes += mistakes
    draft = Draft(notes)
    sorted_out = _sorted_out(tool, documents, notes)
    for each, read in (("openslo", read_openslo), ("sloth", read_sloth), ("pyrra", read_pyrra)):
        if sorted_out[each]:
            read(sorted_out[each], draft)
    if notes.mistakes:
        raise ForeignFileError(sorted(set(notes.mistakes)))
    catalogue = draft.catalogue(name or tool)
    if catalogue.slos() and (wrong := check_catalogue(catalogue, draft.places(documents[0].place))):
        raise ForeignFileError(wrong)
    return Imported(catalogue, tuple(sorted(set(notes.leftovers))))


def _sorted_out(tool: Tool, documents: list[Mapping], notes: Notes) -> dict[str, list[Mapping]]:
    """The documents by the tool whose format they have. Sloth reads OpenSLO's as well."""
    found: dict[str, list[Mapping]] = {"openslo": [], "sloth": [], "pyrra": []}
    for document in documents:
        key = "apiVersion" if "apiVersion" in document.entries or "version" not in document.entries else "version"
        node = document.get(key)
        version = node.text if isinstance(node, Scalar) else ""
        place = node.place if node is not None else document.place
        own = _VERSIONS.get(version)
        if node is None:
            notes.wrong(place, "the document has no apiVersion", f"{_expected(tool)}")
        elif own is None:
            known = [each for each in _VERSIONS if _VERSIONS[each] == tool]
            notes.wrong(place, f"{key} {version[:60]!r} is not read", nearest(version, known))
        elif own != tool and not (tool == "sloth" and own == "openslo"):
            notes.wrong(place, f"this is a document of {own}, not of {tool}", f"sla-kit import {own}")
        else:
            found[own].append(document)
    return found


def _expected(tool: Tool) -> str:
    return " or ".join(version for version, owner in _VERSIONS.items() if owner == tool)
