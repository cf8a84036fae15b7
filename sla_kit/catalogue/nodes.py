"""YAML text as a tree in which every node knows its file, line and column. Nothing is ever constructed from tags."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import yaml

from sla_kit.catalogue.places import Place
from sla_kit.errors import Mistake

_Loader: type[yaml.SafeLoader] | type[yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_STANDARD = "tag:yaml.org,2002:"
#: Far above any catalogue, far below what would hurt.
_MAX_BYTES = 10_000_000
_MAX_DEPTH = 60
_MAX_ALIASED = 200_000
#: The characters that YAML 1.1 leaves out of its streams (section 5.1).
_FORBIDDEN = re.compile("[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufeff\uff00-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Scalar:
    """A leaf: the text as written and the type that YAML 1.1 would give it (str, int, float, bool, null, timestamp)."""

    place: Place
    text: str
    type: str


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
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


def read(path: Path, name: str) -> tuple[Node | None, list[Mistake]]:
    """Reads a file, called ``name`` in mistakes."""
    text, mistakes = read_text(path, name, "-c names the catalogue: a YAML file or a folder")
    return (None, mistakes) if text is None else parse(text, name)


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
        return None, [top.mistake("is larger than 10 MB", "a catalogue is written by people: split it into a folder")]
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        return None, [Place(name, line, column).mistake("is not UTF-8 text", "save the file as UTF-8")]
    return text, []


def parse(text: str, name: str) -> tuple[Node | None, list[Mistake]]:
    """The tree of one YAML document; no tree where the text is empty or not YAML."""
    bad = _FORBIDDEN.search(text)
    if bad:
        line = text.count("\n", 0, bad.start()) + 1
        column = bad.start() - text.rfind("\n", 0, bad.start())
        return None, [Place(name, line, column).mistake(f"the character {ord(bad.group()):#x} is not allowed in YAML")]
    loader = None
    try:
        deep = _too_deep(text, name)
        if deep is not None:
            return None, [deep]
        loader = _Loader(text)
        root = loader.get_single_node()
    except yaml.MarkedYAMLError as error:
        return None, [_syntax_mistake(error, name)]
    except RecursionError:
        return None, [Place(name, 1, 1).mistake("is nested too deeply")]
    except (yaml.YAMLError, ValueError) as error:
        return None, [Place(name, 1, 1).mistake(f"is not YAML: {error}".splitlines()[0])]
    finally:
        if loader is not None:
            loader.dispose()
    if root is None:
        return None, [Place(name, 1, 1).mistake("is empty", "a catalogue needs at least a name and services")]
    tree = _Tree(name)
    node = tree.node(root, 0)
    return (None if tree.unusable else node), tree.mistakes


def parse_all(text: str, name: str) -> tuple[list[Node], list[Mistake]]:
    """The tree of each YAML document of a text, without those that are empty."""
    bad = _FORBIDDEN.search(text)
    if bad:
        return [], [parse(text, name)[1][0]]
    loader = None
    roots: list[yaml.Node] = []
    try:
        deep = _too_deep(text, name)
        if deep is not None:
            return [], [deep]
        loader = _Loader(text)
        while loader.check_node():
            root = loader.get_node()
            if root is not None:
                roots.append(root)
    except yaml.MarkedYAMLError as error:
        return [], [_syntax_mistake(error, name)]
    except RecursionError:
        return [], [Place(name, 1, 1).mistake("is nested too deeply")]
    except (yaml.YAMLError, ValueError) as error:
        return [], [Place(name, 1, 1).mistake(f"is not YAML: {error}".splitlines()[0])]
    finally:
        if loader is not None:
            loader.dispose()
    nodes: list[Node] = []
    mistakes: list[Mistake] = []
    for root in roots:
        tree = _Tree(name)
        node = tree.node(root, 0)
        mistakes += tree.mistakes
        if not tree.unusable and not is_null(node):
            nodes.append(node)
    return nodes, mistakes


def _too_deep(text: str, name: str) -> Mistake | None:
    """The mistake of a text that nests beyond all measure, before a tree is made of it: libyaml's events are walked
    without recursion, but its composer recurses in C, where ten thousand brackets end the whole process."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                mark = event.start_mark
                place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
                return place.mistake("is nested too deeply")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
    return None


def _syntax_mistake(error: yaml.MarkedYAMLError, name: str) -> Mistake:
    mark = error.problem_mark or error.context_mark
    place = Place(name, mark.line + 1, mark.column + 1) if mark else Place(name, 1, 1)
    problem = error.problem or error.context or "the syntax is wrong"
    if "single document" in (error.context or ""):
        return place.mistake("holds more than one YAML document", "put each into a file of its own, in one folder")
    hint = ""
    if "cannot start any token" in problem:
        hint = "indent with spaces, and put text with special characters in quotes"
    elif "mapping values are not allowed" in problem:
        hint = "is the indentation right? Put text with a colon in quotes"
    return place.mistake(f"is not YAML: {problem}", hint)


class _Tree:
    """Turns PyYAML's nodes into ours: merge keys resolved, duplicates told, aliases bounded."""

    def __init__(self, name: str) -> None:
        self.mistakes: list[Mistake] = []
        self.unusable = False
        self._name = name
        self._done: dict[int, tuple[Node, int]] = {}
        self._open: set[int] = set()
        self._aliased = 0

    def node(self, raw: yaml.Node, depth: int) -> Node:
        return self._sized(raw, depth)[0]

    def _place(self, raw: yaml.Node) -> Place:
        mark = raw.start_mark
        return Place(self._name, mark.line + 1, mark.column + 1) if mark else Place(self._name, 1, 1)

    def _sized(self, raw: yaml.Node, depth: int) -> tuple[Node, int]:
        """A node and how many nodes it is once aliases are written out. A node that was seen is an alias."""
        place = self._place(raw)
        nothing = Scalar(place, "", "null")
        if self.unusable:
            return nothing, 1
        if id(raw) in self._open:
            return self._give_up(place, "an alias holds itself"), 1
        if id(raw) in self._done:
            self._aliased += self._done[id(raw)][1]
            if self._aliased > _MAX_ALIASED:
                return self._give_up(place, "aliases grow beyond all measure"), 1
            return self._done[id(raw)]
        if depth > _MAX_DEPTH:
            return self._give_up(place, "is nested too deeply"), 1
        self._open.add(id(raw))
        result = self._converted(raw, place, depth)
        self._open.discard(id(raw))
        self._done[id(raw)] = result
        return result

    def _converted(self, raw: yaml.Node, place: Place, depth: int) -> tuple[Node, int]:
        if isinstance(raw, yaml.ScalarNode):
            return Scalar(place, raw.value, self._type(raw, place)), 1
        self._type(raw, place)
        if isinstance(raw, yaml.SequenceNode):
            sized = [self._sized(item, depth + 1) for item in raw.value]
            return Sequence(place, tuple(node for node, _ in sized)), 1 + sum(size for _, size in sized)
        return self._mapping(raw, place, depth)

    def _mapping(self, raw: yaml.Node, place: Place, depth: int) -> tuple[Mapping, int]:
        own: dict[str, tuple[Place, Node]] = {}
        merged: dict[str, tuple[Place, Node]] = {}
        total = 1
        for raw_key, raw_value in raw.value:
            key_place = self._place(raw_key)
            if not isinstance(raw_key, yaml.ScalarNode):
                self.mistakes.append(key_place.mistake("a key must be text"))
                continue
            value, size = self._sized(raw_value, depth + 1)
            total += 1 + size
            if raw_key.tag == _STANDARD + "merge":
                for name, entry in self._merged(value).items():
                    merged.setdefault(name, entry)
                continue
            key = raw_key.value
            if key in own:
                first = own[key][0].line
                self.mistakes.append(
                    key_place.mistake(f"the key {key} is there twice", f"it is in line {first} already")
                )
                continue
            own[key] = (key_place, value)
        return Mapping(place, {**{k: v for k, v in merged.items() if k not in own}, **own}), total

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

    def _type(self, raw: yaml.Node, place: Place) -> str:
        tag: str = raw.tag
        kind = tag.removeprefix(_STANDARD)
        known = {"str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq", "binary"}
        if not tag.startswith(_STANDARD) or kind not in known:
            self.mistakes.append(place.mistake(f"the tag {tag} is not allowed", "a catalogue is plain data"))
            return "str"
        return "str" if kind in ("merge", "value", "binary") else kind

    def _give_up(self, place: Place, message: str) -> Scalar:
        self.unusable = True
        self.mistakes.append(place.mistake(message))
        return Scalar(place, "", "null")
