"""Reading a document key by key: what is missing or wrong is a mistake, what nobody asks for is a leftover."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from sla_kit.catalogue.model import Labels
from sla_kit.configuration.decode import plain
from sla_kit.configuration.nodes import Mapping, Node, Scalar, Sequence, is_null
from sla_kit.configuration.places import Place, nearest
from sla_kit.errors import Mistake
from sla_kit.interchange.leftovers import Leftover

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


class Notes:
    """What is noticed on the way: mistakes, which end an import, and leftovers, which it tells."""

    def __init__(self) -> None:
        self.mistakes: list[Mistake] = []
        self.leftovers: list[Leftover] = []

    def wrong(self, place: Place, message: str, hint: str = "") -> None:
        """Notes a mistake."""
        self.mistakes.append(place.mistake(message, hint))

    def left(self, place: Place, what: str, why: str, remedy: str = "") -> None:
        """Notes a leftover."""
        self.leftovers.append(Leftover.at(place, what, why, remedy))

    def name(self, text: str, place: Place, taken: Iterable[str] = ()) -> str:
        """A name as a catalogue takes it, mended and told where it had to be."""
        mended = re.sub(r"[^A-Za-z0-9_.-]+", "-", text.strip()).lstrip("-_.").rstrip("-") or "unnamed"
        used = set(taken)
        free, number = mended, 2
        while free in used:
            free, number = f"{mended}-{number}", number + 1
        if free != text:
            why = "there is one of that name already" if free != mended else "names are letters, digits, -, _ and ."
            self.left(place, f"the name {text!r} became {free!r}", why)
        return free


class Fields:
    """A mapping of a document, which remembers what was asked for. ``where`` is how it is called in messages."""

    def __init__(self, node: Mapping, where: str, notes: Notes) -> None:
        self.node = node
        self.where = where
        self.notes = notes
        self._asked: set[str] = set()
        self._told = False

    @property
    def place(self) -> Place:
        """Where it begins."""
        return self.node.place

    def place_of(self, key: str) -> Place:
        """Where a key stands, or else the mapping that lacks it."""
        entry = self.node.entries.get(key)
        return entry[0] if entry else self.node.place

    def value_place(self, key: str) -> Place:
        """Where the value of a key begins."""
        node = self.node.get(key)
        return node.place if node is not None else self.node.place

    def has(self, key: str) -> bool:
        """Whether a key is there and holds something."""
        node = self.node.get(key)
        return node is not None and not is_null(node)

    def get(self, key: str, *, required: bool = False) -> Node | None:
        """The value of a key; None where it is missing or empty, which is a mistake if it is ``required``."""
        self._asked.add(key)
        node = self.node.get(key)
        if node is None or is_null(node):
            if required:
                lacks = [other for other in self.node.entries if other not in self._asked]
                close = nearest(key, lacks)
                hint = f"is {close.removeprefix('did you mean ').rstrip('?')} meant?" if close[:3] == "did" else ""
                self.notes.wrong(self.place_of(key), f"{self.where} has no {key}", hint)
            return None
        return node

    def text(self, key: str, *, required: bool = False) -> str:
        """A text, empty where there is none."""
        node = self.get(key, required=required)
        if node is None:
            return ""
        if not isinstance(node, Scalar):
            self.notes.wrong(node.place, f"{key} must be text")
            return ""
        if required and not node.text.strip():
            self.notes.wrong(node.place, f"{key} of {self.where} is empty")
        return node.text

    def number(self, key: str, *, required: bool = False) -> float | None:
        """A finite number."""
        node = self.get(key, required=required)
        if node is None:
            return None
        try:
            number = float(node.text) if isinstance(node, Scalar) else float("nan")
        except ValueError:
            number = float("nan")
        if not abs(number) < float("inf"):
            self.notes.wrong(node.place, f"{key} must be a number")
            return None
        return number

    def flag(self, key: str) -> bool | None:
        """True or false; None where it is not said."""
        node = self.get(key)
        if node is None:
            return None
        if isinstance(node, Scalar) and node.text.lower() in ("true", "false"):
            return node.text.lower() == "true"
        self.notes.wrong(node.place, f"{key} must be true or false")
        return None

    def choice(self, key: str, known: Iterable[str], *, required: bool = False) -> str:
        """One of some words, empty where there is none."""
        names = list(known)
        text = self.text(key, required=required)
        if text and text not in names:
            self.notes.wrong(self.value_place(key), f"{key} can't be {text[:60]!r}", nearest(text, names))
            return ""
        return text

    def fields(self, key: str, *, required: bool = False) -> Fields | None:
        """A mapping under a key."""
        node = self.get(key, required=required)
        if node is None:
            return None
        if not isinstance(node, Mapping):
            self.notes.wrong(node.place, f"{key} must be a mapping")
            return None
        return Fields(node, f"{key} of {self.where}", self.notes)

    def entries(self, key: str, *, required: bool = False) -> list[Node]:
        """The items of a list."""
        node = self.get(key, required=required)
        if node is None:
            return []
        if not isinstance(node, Sequence):
            self.notes.wrong(node.place, f"{key} must be a list")
            return []
        return list(node.items)

    def mappings(self, key: str, *, required: bool = False) -> list[Fields]:
        """The items of a list of mappings."""
        found = []
        for number, item in enumerate(self.entries(key, required=required), 1):
            if isinstance(item, Mapping):
                found.append(Fields(item, f"{key} {number} of {self.where}", self.notes))
            else:
                self.notes.wrong(item.place, f"an entry of {key} must be a mapping")
        return found

    def texts(self, key: str) -> dict[str, str]:
        """A mapping of texts: labels, annotations, options."""
        found = {}
        fields = self.fields(key)
        for name, (_, value) in fields.node.entries.items() if fields is not None else ():
            if isinstance(value, Scalar):
                found[name] = value.text
            else:
                self.notes.wrong(value.place, f"{name} in {key} must be text")
        return found

    def labels(self, key: str = "labels") -> Labels:
        """A mapping of texts or lists of them; a list of one is that one."""
        found: Labels = {}
        fields = self.fields(key)
        for name, (_, value) in fields.node.entries.items() if fields is not None else ():
            if isinstance(value, Scalar):
                found[name] = value.text
            elif isinstance(value, Sequence) and all(isinstance(item, Scalar) for item in value.items):
                items = [item.text for item in value.items if isinstance(item, Scalar)]
                found[name] = items[0] if len(items) == 1 else items
            else:
                self.notes.wrong(value.place, f"{name} in {key} must be text, or a list of texts")
        return found

    def plain(self, key: str, *, required: bool = False) -> object:
        """Whatever YAML stands under a key."""
        node = self.get(key, required=required)
        return None if node is None else plain(node)

    def parsed(self, key: str, parse: Callable[[str], float], what: str, *, required: bool = False) -> float | None:
        """A text that ``parse`` makes a number of, raising ValueError where it can't."""
        text = self.text(key, required=required)
        if not text:
            return None
        try:
            return parse(text)
        except ValueError:
            self.notes.wrong(self.value_place(key), f"{key}: {text[:60]!r} is no {what}")
            return None

    def skip(self, *keys: str) -> None:
        """These keys are known and mean nothing to an import."""
        self._asked.update(keys)

    def leave(self, key: str, why: str, remedy: str = "") -> None:
        """Tells that a key is left behind, where it holds anything."""
        self._asked.add(key)
        if self.has(key):
            self.notes.left(self.place_of(key), key, why, remedy)

    def done(self, known: Iterable[str] = ()) -> None:
        """Tells every key that nobody asked for."""
        names = [*self._asked, *known]
        for key, (place, value) in self.node.entries.items():
            if key in self._asked or is_null(value):
                continue
            close = nearest(key, [name for name in names if name not in self.node.entries])
            hint = close if close.startswith("did") else ""
            self.notes.left(place, f"{key} in {self.where}", "is no key of the format", hint)


def is_name(text: str) -> bool:
    """Whether a catalogue takes a text as a name."""
    return bool(_NAME.fullmatch(text))
