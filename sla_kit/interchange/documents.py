"""Files of other tools as documents: YAML or JSON, several in a file, every key with its line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from sla_kit.configuration.nodes import Mapping, Node, Scalar, parse_all, read_text
from sla_kit.configuration.nodes import Sequence as ListNode
from sla_kit.configuration.places import Place
from sla_kit.errors import Mistake

_SUFFIXES = (".yml", ".yaml", ".json")


def read_documents(paths: Sequence[str | Path]) -> tuple[list[Mapping], list[Mistake]]:
    """The documents of some files, and of all YAML and JSON files in and below some folders, in order.

    A list of documents, at the top or as a Kubernetes list, counts as its items. Names that begin with a dot are
    passed over.
    """
    documents: list[Mapping] = []
    mistakes: list[Mistake] = []
    seen: set[Path] = set()
    for given in paths:
        for path, name in _files(Path(given)):
            if (real := path.resolve()) in seen:
                continue
            seen.add(real)
            text, wrong = read_text(path, name, "give files, or folders of them")
            mistakes += wrong
            if text is not None:
                found, wrong = documents_of(text, name)
                documents += found
                mistakes += wrong
        if Path(given).is_dir() and not _files(Path(given)):
            mistakes.append(Place(str(given), 0, 0).mistake("the folder holds no *.yml, *.yaml or *.json"))
    return documents, mistakes


def documents_of(text: str, name: str) -> tuple[list[Mapping], list[Mistake]]:
    """The documents of one text, called ``name`` in mistakes."""
    roots, mistakes = parse_all(text, name)
    if not roots and not mistakes:
        mistakes = [Place(name, 1, 1).mistake("is empty")]
    documents: list[Mapping] = []
    for root in roots:
        for item in _unfolded(root):
            if isinstance(item, Mapping):
                documents.append(item)
            else:
                mistakes.append(item.place.mistake("a document is a mapping", "it begins with apiVersion: or version:"))
    return documents, mistakes


def _files(given: Path) -> list[tuple[Path, str]]:
    try:
        if not given.is_dir():
            return [(given, str(given))]
    except (OSError, ValueError):
        return [(given, str(given))]
    return [
        (path, str(path))
        for path in sorted(given.rglob("*"))
        if path.suffix in _SUFFIXES
        and (path.is_file() or path.is_symlink())
        and not any(part.startswith(".") for part in path.relative_to(given).parts)
    ]


def _unfolded(root: Node) -> Iterator[Node]:
    if isinstance(root, ListNode):
        for item in root.items:
            yield from _unfolded(item)
        return
    kind = root.get("kind") if isinstance(root, Mapping) else None
    items = root.get("items") if isinstance(root, Mapping) else None
    if isinstance(kind, Scalar) and kind.text.endswith("List") and isinstance(items, ListNode):
        for item in items.items:
            yield from _unfolded(item)
        return
    yield root
