"""YAML text as a tree in which every node knows its file, line and column. Nothing is ever constructed from tags."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
import yaml

from sla_kit.configuration.places import Place
from sla_kit.errors import Mistake

_Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
#: Far above any file that people write, far below what would hurt.
_MAX_BYTES = 10_000_000
_MAX_DEPTH = 60
_MAX_ALIASED = 200_000
#: The tags that YAML's own texts have.
_KINDS = {"str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq", "binary"}
#: The characters that YAML 1.1 leaves out of its streams (section 5.1).
_FORBIDDEN = yaml.reader.Reader.NON_PRINTABLE


class Scalar(msgspec.Struct, frozen=True):
    """A leaf: the text as written and the type that YAML 1.1 would give it (str, int, float, bool, null, timestamp;
    merge for "<<")."""

    place: Place
    text: str
    type: str


class Sequence(msgspec.Struct, frozen=True):
    """A list."""

    place: Place
    items: tuple[Node, ...]


class Mapping(msgspec.Struct, frozen=True):
    """A mapping: each key's text with the key's own place and its value, in the order of the file. ``hint`` may
    explain a key that is missing."""

    place: Place
    entries: dict[str, tuple[Place, Node]]
    hint: str = ""

    def get(self, key: str) -> Node | None:
        """The value of a key, None where it is not there."""
        entry = self.entries.get(key)
        return entry[1] if entry else None


Node = Scalar | Sequence | Mapping


def is_null(node: Node | None) -> bool:
    """Whether a node is an empty value, ``~`` or ``null``."""
    return isinstance(node, Scalar) and node.type == "null"


def read(path: Path, name: str, remedy: str = "", needs: str = "") -> tuple[Node | None, list[Mistake]]:
    """Reads a file, called ``name`` in mistakes; ``remedy`` is for one that is not there, and ``needs`` tells of an
    empty one what it should hold."""
    text, mistakes = read_text(path, name, remedy)
    return (None, mistakes) if text is None else parse(text, name, needs)


def read_text(path: Path, name: str, remedy: str = "") -> tuple[str | None, list[Mistake]]:
    """The text of a file, called ``name`` in mistakes; ``remedy`` is for one that is not there."""
    top = Place(name, 1, 1)
    try:
        if path.exists() and not path.is_file():
            return None, [Place(name, 0, 0).mistake("is neither a file nor a folder")]  # a pipe would never end
        with path.open("rb") as file:
            data = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None, [Place(name, 0, 0).mistake("no such file", remedy)]
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return None, [Place(name, 0, 0).mistake(f"can't be read: {reason}")]
    if len(data) > _MAX_BYTES:
        return None, [top.mistake("is larger than 10 MB", "people can't keep an overview of so much: split it")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return None, [Place(name, line, column).mistake("is not UTF-8 text", "save the file as UTF-8")]
    return text, []


def parse(text: str, name: str, needs: str = "") -> tuple[Node | None, list[Mistake]]:
    """The tree of one YAML document; no tree where the text is empty or not YAML."""
    trees, mistake = _trees(text, name, single=True)
    if mistake is not None:
        return None, [mistake]
    if not trees:
        return None, [Place(name, 1, 1).mistake("is empty", needs)]
    [tree] = trees
    return (None if tree.unusable else tree.root), tree.mistakes


def parse_all(text: str, name: str) -> tuple[list[Node], list[Mistake]]:
    """The tree of each YAML document of a text, without those that are empty."""
    trees, mistake = _trees(text, name, single=False)
    if mistake is not None:
        return [], [mistake]
    nodes = [tree.root for tree in trees if not tree.unusable and not is_null(tree.root)]
    return nodes, [mistake for tree in trees for mistake in tree.mistakes]


def _trees(text: str, name: str, *, single: bool) -> tuple[list[_Tree], Mistake | None]:
    """The tree of each document, or why there is none of any."""
    bad = _FORBIDDEN.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        return [], Place(name, line, column).mistake(f"the character {ord(bad.group()):#x} is not allowed in YAML")
    loader: Any = None
    trees: list[_Tree] = []
    try:
        loader = _Loader(text)
        loader.get_event()  # the stream begins
        while not isinstance(begin := loader.get_event(), yaml.StreamEndEvent):
            if single and trees:
                mark = begin.start_mark
                return [], Place(name, mark.line + 1, mark.column + 1).mistake(
                    "holds more than one YAML document", "put each into a file of its own, in one folder"
                )
            trees.append(_Tree(name, loader))
            loader.get_event()  # the document ends
    except _TooDeepError as error:
        return [], error.place.mistake("is nested too deeply")
    except yaml.MarkedYAMLError as error:
        return [], _syntax_mistake(error, name)
    except (yaml.YAMLError, ValueError) as error:
        return [], Place(name, 1, 1).mistake(f"is not YAML: {error}".splitlines()[0])
    finally:
        if loader is not None:
            loader.dispose()
    return trees, None


class _TooDeepError(Exception):
    """A text nests beyond all measure."""

    def __init__(self, place: Place) -> None:
        self.place = place


def _syntax_mistake(error: yaml.MarkedYAMLError, name: str) -> Mistake:
    mark = error.problem_mark or error.context_mark
    place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
    problem = error.problem or error.context or "the syntax is wrong"
    if "nesting depth" in problem:  # libyaml's own bound
        return place.mistake("is nested too deeply")
    hint = ""
    if "cannot start any token" in problem:
        hint = "indent with spaces, and put text with special characters in quotes"
    elif "mapping values are not allowed" in problem:
        hint = "is the indentation right? Put text with a colon in quotes"
    return place.mistake(f"is not YAML: {problem}", hint)


class _Tree:
    """One document as nodes: merge keys resolved, duplicates told, aliases bounded.

    Made from the events of libyaml. PyYAML's composer would make a tree first, of nodes that nobody needs, and it
    recurses in C, where ten thousand brackets end the whole process.
    """

    def __init__(self, name: str, loader: Any) -> None:
        self.mistakes: list[Mistake] = []
        self.unusable = False
        self._name = name
        self._next = loader.get_event
        #: By anchor: the place, and once it is whole the node and how many it is with its aliases written out.
        self._anchors: dict[str, tuple[Place, Node | None, int]] = {}
        self._count = 0
        self._aliased = 0
        self.root = self._node(self._next(), 0)

    def _node(self, event: Any, depth: int) -> Node:
        """The node that begins with an event."""
        mark = event.start_mark
        place = Place(self._name, mark.line + 1, mark.column + 1)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, place)
        anchor, before = event.anchor, self._count
        if anchor is not None:
            self._anchor(event, place)
        self._count += 1
        node: Node
        if isinstance(event, yaml.ScalarEvent):
            node = Scalar(place, event.value, self._type(event, place))
        else:
            if depth == _MAX_DEPTH:
                raise _TooDeepError(place)
            self._type(event, place)
            if isinstance(event, yaml.MappingStartEvent):
                node = Mapping(place, self._entries(depth + 1))
            else:
                node = Sequence(place, tuple(self._items(depth + 1)))
        if anchor is not None:
            self._anchors[anchor] = (place, node, self._count - before)
        return node

    def _items(self, depth: int) -> list[Node]:
        items: list[Node] = []
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            items.append(self._node(event, depth))
        return items

    def _entries(self, depth: int) -> dict[str, tuple[Place, Node]]:
        own: dict[str, tuple[Place, Node]] = {}
        merged: dict[str, tuple[Place, Node]] = {}
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key, value = self._node(event, depth), self._node(self._next(), depth)
            if not isinstance(key, Scalar):
                self.mistakes.append(key.place.mistake("a key must be text"))
            elif key.type == "merge":
                for name, entry in self._merged(value).items():
                    merged.setdefault(name, entry)
            elif key.text in own:
                first = own[key.text][0].line
                self.mistakes.append(
                    key.place.mistake(f"the key {key.text} is there twice", f"it is in line {first} already")
                )
            else:
                own[key.text] = (key.place, value)
        return {**{name: entry for name, entry in merged.items() if name not in own}, **own} if merged else own

    def _merged(self, value: Node) -> dict[str, tuple[Place, Node]]:
        """What ``<<`` brings in: one mapping or a list of them, of which the first wins."""
        if isinstance(value, Mapping):
            return value.entries
        if isinstance(value, Sequence) and all(isinstance(item, Mapping) for item in value.items):
            found: dict[str, tuple[Place, Node]] = {}
            for item in reversed(value.items):
                if isinstance(item, Mapping):
                    found.update(item.entries)
            return found
        if not self.unusable:
            self.mistakes.append(value.place.mistake("<< merges mappings only", "write <<: *anchor"))
        return {}

    def _anchor(self, event: Any, place: Place) -> None:
        if event.anchor in self._anchors:
            raise yaml.composer.ComposerError(None, None, f"the anchor {event.anchor} is there twice", event.start_mark)
        self._anchors[event.anchor] = (place, None, 0)

    def _alias(self, event: Any, place: Place) -> Node:
        if event.anchor not in self._anchors:
            raise yaml.composer.ComposerError(
                None, None, f"the anchor {event.anchor} is nowhere before", event.start_mark
            )
        _, node, size = self._anchors[event.anchor]
        if node is None:
            return self._give_up(place, "an alias holds itself")
        self._count += size
        self._aliased += size
        if self._aliased > _MAX_ALIASED:
            return self._give_up(place, "aliases grow beyond all measure")
        return node

    def _type(self, event: Any, place: Place) -> str:
        """The type that an event's tag gives it, or that YAML 1.1 gives its text."""
        tag: str | None = event.tag
        if tag is None or tag == "!":
            return _plain_type(event.value) if isinstance(event, yaml.ScalarEvent) and event.implicit[0] else "str"
        kind = tag.removeprefix(_STANDARD)
        if not tag.startswith(_STANDARD) or kind not in _KINDS:
            self.mistakes.append(place.mistake(f"the tag {tag} is not allowed", "write plain data"))
            return "str"
        return "str" if kind in ("value", "binary") else kind

    def _give_up(self, place: Place, message: str) -> Scalar:
        if not self.unusable:
            self.mistakes.append(place.mistake(message))
        self.unusable = True
        return Scalar(place, "", "null")


@lru_cache(maxsize=4096)
def _plain_type(text: str) -> str:
    """The type that YAML 1.1 gives a text without quotes."""
    for tag, pattern in _Loader.yaml_implicit_resolvers.get(text[:1], ()):
        if pattern.match(text):
            return str(tag).removeprefix(_STANDARD)
    return "str"
