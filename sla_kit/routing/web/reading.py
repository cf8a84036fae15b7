"""Reading a request's JSON: what is wrong is told with its place and how to mend it, and never breaks anything."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import inspect

from sla_kit.configuration.places import nearest
from sla_kit.routing.events import Labels

Wanted = TypeVar("Wanted")

#: How long texts may be, in characters, and how many of them there may be in one mapping.
MAX_LABELS = 500
MAX_NAME = 500
MAX_VALUE = 10_000
#: Annotations and other texts for people.
MAX_TEXT = 50_000
MAX_URL = 10_000

_PATH = re.compile(r" - at `\$?(.*)`$")
_UNKNOWN = re.compile(r"unknown field `(.*)`$")
_MISSING = re.compile(r"missing required field `(.*)`$")
_URL = re.compile(r"https?://[^\s\x00-\x1f<>\"]+", re.I)
_NO_JSON = "a body is one JSON document in UTF-8, without NaN or Infinity"


class RefusedError(Exception):
    """A request that can't be taken as it is: ``status`` of the answer, what is wrong, where in the body, and how to
    mend it. No value is quoted that may be a secret."""

    def __init__(self, error: str, path: str = "", hint: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.error, self.path, self.hint, self.status = error, path, hint, status

    def __str__(self) -> str:
        text = f"{self.path}: {self.error}" if self.path else self.error
        return f"{text} ({self.hint})" if self.hint else text

    @property
    def body(self) -> dict[str, str]:
        """The answer's JSON."""
        return {"error": self.error, "path": self.path, "hint": self.hint}


def read_json(body: bytes, wanted: type[Wanted], at: str = "") -> Wanted:
    """The value that a body holds; ``at`` is the path of what it is a part of. Raises `RefusedError`."""
    try:
        found: Wanted = msgspec.json.decode(body, type=wanted)
    except msgspec.ValidationError as error:
        raise _not_as_wanted(str(error), wanted, at) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = "it is no UTF-8" if isinstance(error, UnicodeDecodeError) else str(error).removeprefix("JSON is ")
        raise RefusedError(f"the body is no JSON: {reason}", at, _NO_JSON) from None
    except RecursionError:
        raise RefusedError("the body is nested too deeply", at, _NO_JSON) from None
    return found


def check_labels(labels: Labels, path: str) -> None:
    """Raises `RefusedError` where there are too many labels, or a name or value is too long."""
    if len(labels) > MAX_LABELS:
        raise RefusedError(f"{len(labels)} labels are too many", path, f"at most {MAX_LABELS}")
    for name, value in labels.items():
        if not name:
            raise RefusedError("a label has no name", path, "names have at least one character")
        if len(name) > MAX_NAME:
            raise RefusedError("the name of a label is too long", path, f"at most {MAX_NAME} characters")
        if len(value) > MAX_VALUE:
            raise RefusedError("is too long", f"{path}.{name}", f"at most {MAX_VALUE} characters")


def is_url(text: str) -> bool:
    """Whether a text is an address that a message may link to."""
    return len(text) <= MAX_URL and _URL.fullmatch(text) is not None


def shortened(text: str, most: int = MAX_TEXT) -> str:
    """The text, or its beginning."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _not_as_wanted(message: str, wanted: object, at: str) -> RefusedError:
    found = _PATH.search(message)
    path = found[1] if found else ""
    text = message[: found.start()] if found else message
    unknown, missing = _UNKNOWN.search(text), _MISSING.search(text)
    kind = _type_at(wanted, path)
    hint = ""
    if missing is not None:
        text = f"has no {missing[1]!r}"
    elif unknown is not None:
        known = [each.encode_name for each in kind.fields] if isinstance(kind, inspect.StructType) else []
        hint = nearest(unknown[1], known) or "it has " + ", ".join(sorted(known))
        text = f"there is no {unknown[1][:100]!r} here"
    elif isinstance(kind, inspect.LiteralType):
        hint = "one of " + ", ".join(map(str, kind.values))
    text = text.replace("`", "")
    whole = at + path if path.startswith("[") else f"{at}.{path.removeprefix('.')}" if path else at
    return RefusedError(text[:1].lower() + text[1:], whole.removeprefix("."), hint)


def _type_at(wanted: object, path: str) -> inspect.Type:
    """The type of the part of a body at a path."""
    kind = inspect.type_info(wanted)
    for part in re.findall(r"\[|[^.\[\]]+(?=[.\[]|$)", path):
        if isinstance(kind, inspect.UnionType):
            kind = next((each for each in kind.types if not isinstance(each, inspect.NoneType)), kind)
        if part == "[" and isinstance(kind, inspect.ListType):
            kind = kind.item_type
        elif part == "[" and isinstance(kind, inspect.DictType):
            kind = kind.value_type
        elif isinstance(kind, inspect.StructType):
            kind = next((each.type for each in kind.fields if each.encode_name == part), kind)
    return kind
