"""Documents as they are loaded: what all of them say, without secrets, under an identity that a repetition shares."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from sla_kit.catalogue.logs import LogFields
from sla_kit.logs import access_events, times
from sla_kit.logs.access_events import Flat
from sla_kit.logs.fingerprint import fingerprint
from sla_kit.logs.redaction import LIMITS, redact

ECS_VERSION = "8.17.0"
_LONGEST_KEYWORD = 4096
_ERROR_LEVELS = frozenset({"error", "critical", "fatal", "alert", "emergency"})
_ID_BYTES = 18
_MOST_NAMES_CACHED = 256


@dataclass(frozen=True, slots=True)
class Labels:
    """What is said of every document of a load where the line itself does not: its ``service``, ``environment``,
    ``version``, ``host`` and ``dataset``. ``fields`` are the names of an index that has not those of ECS."""

    service: str = ""
    environment: str = ""
    version: str = ""
    host: str = ""
    dataset: str = ""
    redact: bool = True
    anonymise: bool = False
    shift_ms: int = 0
    fields: LogFields = field(default_factory=LogFields)
    stream: str = ""


class Document(msgspec.Struct, frozen=True, gc=False):
    """A document ready to be sent: its identity, its JSON, and where it came from."""

    id: str
    source: bytes
    file: str
    line: int
    time_ms: int
    status: int = 0
    level: str = ""


def identity(head: bytes, number: int, text: str, labels: Labels) -> str:
    """The identity of the document of a line: the same however often and under whatever name its file is loaded, and
    another one for an equal line elsewhere in it. 144 bits of a SHA-256, in 24 characters."""
    digest = hashlib.sha256(head)
    told = f"{number}\0{labels.service}\0{labels.host}\0{labels.shift_ms}\0"
    digest.update(told.encode("utf-8", "replace"))
    digest.update(text.encode("utf-8", "replace"))
    return base64.urlsafe_b64encode(digest.digest()[:_ID_BYTES]).decode()


def finished(
    found: Flat, *, id: str, time_ms: int, labels: Labels, file: str, line: int, dataset: str = ""
) -> Document:
    """The document of what was found in a line."""
    time_ms += labels.shift_ms
    found["@timestamp"] = times.written(max(0, time_ms))
    found.setdefault("ecs.version", ECS_VERSION)
    for name, value in (
        ("service.name", labels.service),
        ("service.environment", labels.environment),
        ("service.version", labels.version),
        ("host.name", labels.host),
        ("event.dataset", labels.dataset or dataset),
    ):
        if value:
            found.setdefault(name, value)
    if labels.stream:
        _add_stream(found, labels.stream)
    _bound(found)
    _add_fingerprint(found)
    if labels.redact:
        redact(found)
    if labels.anonymise:
        _anonymise(found)
    status, level = found.get("http.response.status_code"), found.get("log.level")
    return Document(
        id,
        msgspec.json.encode(nested(renamed(found, labels.fields))),
        file,
        line,
        time_ms,
        status if isinstance(status, int) else 0,
        level if isinstance(level, str) else "",
    )


def nested(document: Mapping[str, object]) -> dict[str, object]:
    """Objects within objects for dotted names. Where one name is a value and another is below it, the value goes to
    ``labels``, as an index can hold but one of them."""
    names = tuple(document)
    # Names that a stranger makes up are not kept.
    plan = _plan(names) if len(names) <= _MOST_NAMES_CACHED else _made_plan(names)
    tree: dict[str, object] = {}
    objects = [tree]
    for above, name in plan.objects:
        made: dict[str, object] = {}
        objects[above][name] = made
        objects.append(made)
    for above, name, value in plan.values:
        objects[above][name] = document[value]
    for above, name, value in plan.astray:
        text = document[value]
        objects[above].setdefault(name, text if isinstance(text, str) else msgspec.json.encode(text).decode())
    return tree


@dataclass(frozen=True, slots=True)
class _Plan:
    """How documents with the same names are nested: objects by the place of the one above (0 is the document) and
    their name, then values by the place of their object, their name there, and in the flat document."""

    objects: tuple[tuple[int, str], ...]
    values: tuple[tuple[int, str, str], ...]
    astray: tuple[tuple[int, str, str], ...]


def _made_plan(names: tuple[str, ...]) -> _Plan:
    places: dict[tuple[str, ...], int] = {(): 0}
    objects: list[tuple[int, str]] = []

    def place(path: tuple[str, ...]) -> int:
        if path not in places:
            above = place(path[:-1])
            objects.append((above, path[-1]))
            places[path] = len(objects)
        return places[path]

    paths = {name: tuple(name.split(".")) for name in names}
    for path in paths.values():
        place(path[:-1])
    if any(path in places for path in paths.values()):
        place(("labels",))
    values = [(places[path[:-1]], path[-1], name) for name, path in paths.items() if path not in places]
    astray = [(places[("labels",)], "_".join(path), name) for name, path in paths.items() if path in places]
    return _Plan(tuple(objects), tuple(values), tuple(astray))


_plan = lru_cache(maxsize=1024)(_made_plan)


def renamed(document: Flat, fields: LogFields) -> Flat:
    """The document under the names that an index has, with durations in its unit."""
    names = _renaming(fields)
    unit = fields.duration_unit_seconds
    if not names and unit == _ECS.duration_unit_seconds:
        return document
    found = {names.get(name, name): value for name, value in document.items()}
    duration = document.get(_ECS.duration)
    if isinstance(duration, int) and unit != _ECS.duration_unit_seconds:
        found[fields.duration] = duration * _ECS.duration_unit_seconds / unit
    return found


_ECS = LogFields()


@lru_cache(maxsize=8)
def _renaming(fields: LogFields) -> dict[str, str]:
    pairs = ((getattr(_ECS, name), getattr(fields, name)) for name in LogFields.__struct_fields__)
    return {old: new for old, new in pairs if isinstance(old, str) and old != new and new}


def _add_stream(found: Flat, stream: str) -> None:
    kind, dataset, namespace = stream.split("-", 2)
    found.setdefault("event.dataset", dataset)
    found.update({"data_stream.type": kind, "data_stream.dataset": dataset, "data_stream.namespace": namespace})


def _bound(found: Flat) -> None:
    for name, value in found.items():
        if isinstance(value, str) and len(value) > _LONGEST_KEYWORD:
            found[name] = value[: LIMITS.get(name, _LONGEST_KEYWORD)]


def _add_fingerprint(found: Flat) -> None:
    kind = found.get("error.type")
    if "error.grouping_key" in found or not (kind or str(found.get("log.level", "")).lower() in _ERROR_LEVELS):
        return
    message, stack = found.get("error.message") or found.get("message") or "", found.get("error.stack_trace") or ""
    group = fingerprint(str(kind or ""), str(message), str(stack))
    found["error.grouping_key"], found["error.grouping_name"] = group.key, group.name


def _anonymise(found: Flat) -> None:
    for name in ("source.ip", "client.ip", "source.address", "network.forwarded_ip"):
        value = found.get(name)
        if isinstance(value, str):
            found[name] = access_events.anonymised(value) if access_events.is_ip(value) else "<host>"
