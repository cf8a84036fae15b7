"""The router's own JSON: what it can be told, one object or a list of them, and the events that they are.

POST /v1/notify
Content-Type: application/json
Idempotency-Key: 6c1f…       (optional: the same sent again counts once)

{"kind": "alert", "key": "nightly-import", "status": "firing", "title": "The import failed", "service": "api",
 "severity": "critical"}
{"kind": "report", "title": "Week 38", "text": "…", "to": ["sre"], "files": [{"name": "report.pdf", "content": "…"}]}
{"kind": "change", "summary": "api 1.4.2 deployed", "service": "api", "environment": "production"}
{"kind": "acknowledge", "incident": "DEDUP_KEY", "by": "ada"}
[{…}, {…}]

It is strict: unknown keys are refused, texts are never cut. Every kind may have an ``id``, which makes the same thing
sent again count once, in place of the header.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from msgspec import Struct

from sla_kit.configuration.places import nearest
from sla_kit.routing.events import (
    Acknowledgement,
    Alert,
    Alerts,
    Change,
    Closing,
    Escalating,
    Event,
    File,
    Labels,
    Link,
    Notice,
    Silencing,
)
from sla_kit.routing.notifications import (
    KINDS,
    AlertToTell,
    ChangeToTell,
    ClosingToTell,
    Deed,
    EscalatingToTell,
    FileToSend,
    Labelled,
    LinkToShow,
    Moment,
    NoticeToTell,
    Notification,
    ReportToTell,
    SilencingToTell,
)
from sla_kit.routing.web.moments import in_range, moment
from sla_kit.routing.web.reading import (
    MAX_LABELS,
    MAX_NAME,
    MAX_TEXT,
    MAX_URL,
    MAX_VALUE,
    RefusedError,
    check_labels,
    is_url,
    read_json,
)

#: All files of a request, and a request: files are written in base64, which takes a third more.
MAX_FILES_BYTES = 25 * 1024 * 1024
MAX_BODY_BYTES = 36 * 1024 * 1024
MAX_NOTIFICATIONS = 5_000
MAX_FILES = 20
MAX_ID = 150
#: How long a silence may be: a year.
MAX_SILENCE_SECONDS = 366 * 86400.0


class Arrival(NamedTuple):
    """An event with the key that keeps it from being taken twice (empty: none), and the files that it names by their
    digests, to be kept before it."""

    event: Event
    idempotency: str = ""
    files: tuple[bytes, ...] = ()


def read_notifications(
    body: bytes, now: float, *, key: str = "", contacts: Collection[str] | None = None
) -> list[Arrival]:
    """The events of a body that came at ``now``. ``key`` is the request's Idempotency-Key; ``contacts`` are those that
    there are, None where they are not known. Raises `RefusedError`."""
    if len(key) > MAX_ID or not key.isprintable():
        raise RefusedError("can't be used", "Idempotency-Key", f"printable, at most {MAX_ID} characters")
    single = not body.lstrip(b" \t\r\n").startswith(b"[")
    parts = [msgspec.Raw(body)] if single else read_json(body, list[msgspec.Raw])
    if len(parts) > MAX_NOTIFICATIONS:
        raise RefusedError(f"{len(parts)} notifications are too many", "", f"at most {MAX_NOTIFICATIONS}")
    found: list[Arrival] = []
    left = MAX_FILES_BYTES
    for index, part in enumerate(parts):
        at = "" if single else f"[{index}]"
        arrival = arrive(read_notification(bytes(part), at), now, at=at, contacts=contacts, most_bytes=left)
        left -= sum(map(len, arrival.files))
        if key and not arrival.idempotency:
            arrival = arrival._replace(idempotency=_idempotency(key if single else f"{key}#{index}"))
        found.append(arrival)
    return found


def arrive(
    notification: Notification,
    now: float,
    *,
    at: str = "",
    contacts: Collection[str] | None = None,
    most_bytes: int = MAX_FILES_BYTES,
) -> Arrival:
    """The event that a notification is; ``at`` is its path, ``most_bytes`` how much its files may be. Raises
    `RefusedError`."""
    _check_texts(notification, at)
    if len(notification.id) > MAX_ID or not notification.id.isprintable():
        raise RefusedError("can't be used", _path(at, "id"), f"printable, at most {MAX_ID} characters")
    files: tuple[bytes, ...] = ()
    event: Event
    match notification:
        case AlertToTell():
            event = _alert(notification, now, at)
        case NoticeToTell() | ReportToTell():
            _check_contacts(notification.to, contacts, at)
            event, files = _notice(notification, at, most_bytes)
        case ChangeToTell():
            _check_contacts(notification.to, contacts, at)
            event = _change(notification, now, at)
        case _:
            event = _deed(notification, now, at)
    return Arrival(event, _idempotency(notification.id) if notification.id else "", files)


def _idempotency(key: str) -> str:
    """As the outbox keeps it: apart from keys of other senders, and no longer than it may be in any encoding."""
    return f"api:{key}" if key.isascii() else f"api:{hashlib.sha256(key.encode()).hexdigest()}"


def read_notification(body: bytes, at: str = "") -> Notification:
    """One notification, without looking into its texts. Raises `RefusedError`."""
    told = read_json(body, _Kind, at).kind
    wanted = KINDS.get(told)
    if wanted is None:
        hint = nearest(told, KINDS) or "one of " + ", ".join(KINDS)
        raise RefusedError(f"there is no kind {told[:100]!r}", _path(at, "kind"), hint)
    found = read_json(body, wanted, at)

    def once(pairs: list[tuple[str, Any]]) -> None:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            name = next(each for each in names if names.count(each) > 1)
            raise RefusedError(f"{name[:100]!r} stands there twice", at, "say it once")

    json.loads(body, object_pairs_hook=once)  # what was read is small and flat, and can be read again
    return found


class _Kind(Struct):
    kind: str


def _labels(told: Labelled, at: str) -> Labels:
    """The labels with those that are written beside them. Raises `RefusedError` where both say one thing otherwise."""
    labels = dict(told.labels)
    for name in ("service", "severity", "slo", "team", "environment"):
        value = getattr(told, name)
        if value and labels.setdefault(name, value) != value:
            raise RefusedError("is said twice, and not the same", _path(at, f"labels.{name}"), f"leave out {name}")
    check_labels(labels, _path(at, "labels"))
    return labels


def _alert(told: AlertToTell, now: float, at: str) -> Alerts:
    _check_length(told.key, _path(at, "key"), MAX_NAME, needed=True)
    labels = _labels(told, at)
    labels.setdefault("alertname", told.key)
    annotations = dict(told.annotations)
    for name, text in (("summary", told.title), ("description", told.text)):
        if text:
            annotations.setdefault(name, text)
    _check_mapping(annotations, _path(at, "annotations"), MAX_TEXT)
    if told.url:
        _check_url(told.url, _path(at, "url"))
    starts_at = _moment(told.starts_at, _path(at, "starts_at"))
    ends_at = _moment(told.ends_at, _path(at, "ends_at"))
    firing = told.status == "firing"
    alert = Alert(
        labels=labels,
        fingerprint=_fingerprint(told.key, labels),
        firing=firing,
        starts_at=now if starts_at is None else starts_at,
        ends_at=now if ends_at is None and not firing else ends_at,
        annotations=annotations,
        generator_url=told.url,
        dated=starts_at is not None,
    )
    return Alerts(alerts=[alert], sender="api")


def _fingerprint(key: str, labels: Labels) -> str:
    """The same for the same key with the same labels; of another severity it is the same alert, that got worse."""
    others = sorted((name, value) for name, value in labels.items() if name != "severity")
    return "api-" + hashlib.sha256(msgspec.json.encode([key, others])).hexdigest()[:32]


def _notice(told: NoticeToTell | ReportToTell, at: str, most_bytes: int) -> tuple[Notice, tuple[bytes, ...]]:
    _check_length(told.title, _path(at, "title"), MAX_VALUE, needed=True)
    _check_length(told.text, _path(at, "text"), MAX_TEXT)
    _check_mapping(told.fields, _path(at, "fields"), MAX_VALUE)
    _check_links(told.links, at)
    if len(told.files) > MAX_FILES:
        raise RefusedError(f"{len(told.files)} files are too many", _path(at, "files"), f"at most {MAX_FILES}")
    files: list[File] = []
    contents: list[bytes] = []
    for index, file in enumerate(told.files):
        content = _content(file, _path(at, f"files[{index}]"))
        most_bytes -= len(content)
        if most_bytes < 0:
            raise RefusedError("too large", _path(at, "files"), f"at most {MAX_FILES_BYTES} bytes in all", status=413)
        contents.append(content)
        digest = hashlib.sha256(content).hexdigest()
        files.append(File(name=file.name, digest=digest, size_bytes=len(content), media_type=file.media_type))
    notice = Notice(
        title=told.title,
        text=told.text,
        severity=told.severity or told.labels.get("severity", "") or "info",
        labels=_labels(told, at),
        to=told.to,
        fields=told.fields,
        links=_links(told.links),
        files=files,
        kind="report" if isinstance(told, ReportToTell) else "notice",
    )
    return notice, tuple(contents)


def _content(file: FileToSend, path: str) -> bytes:
    _check_length(file.name, f"{path}.name", 255, needed=True)
    if "/" in file.name or not file.name.isprintable() or file.name in (".", ".."):
        raise RefusedError("is no name of a file", f"{path}.name", "without folders")
    if not file.media_type.isascii() or not file.media_type.isprintable() or len(file.media_type) > 255:
        raise RefusedError("is no media type", f"{path}.media_type", "such as application/pdf")
    try:
        return base64.b64decode(file.content, validate=True)
    except (binascii.Error, ValueError):
        raise RefusedError("is no base64", f"{path}.content", "RFC 4648, section 4, with padding") from None


def _change(told: ChangeToTell, now: float, at: str) -> Change:
    _check_length(told.summary, _path(at, "summary"), MAX_VALUE, needed=True)
    _check_length(told.source, _path(at, "source"), MAX_VALUE)
    _check_mapping(told.details, _path(at, "details"), MAX_TEXT)
    _check_links(told.links, at)
    moment_at = _moment(told.at, _path(at, "at"))
    return Change(
        summary=told.summary,
        at=now if moment_at is None else moment_at,
        source=told.source,
        labels=_labels(told, at),
        details=told.details,
        links=_links(told.links),
        to=told.to,
    )


def _deed(told: Notification, now: float, at: str) -> Event:
    assert isinstance(told, Deed)
    _check_length(told.incident, _path(at, "incident"), 255, needed=True)
    _check_length(told.by, _path(at, "by"), MAX_NAME, needed=True)
    found = _moment(told.at, _path(at, "at"))
    moment_at = now if found is None else found
    match told:
        case SilencingToTell():
            if not 0 < told.seconds <= MAX_SILENCE_SECONDS:
                hint = f"more than 0, at most {MAX_SILENCE_SECONDS:.0f}"
                raise RefusedError("can't be that long", _path(at, "seconds"), hint)
            return Silencing(incident=told.incident, by=told.by, at=moment_at, seconds=told.seconds, via="api")
        case ClosingToTell():
            return Closing(incident=told.incident, by=told.by, at=moment_at, via="api")
        case EscalatingToTell():
            return Escalating(incident=told.incident, by=told.by, at=moment_at, via="api")
    return Acknowledgement(incident=told.incident, by=told.by, at=moment_at, via="api")


def _links(links: Sequence[LinkToShow]) -> list[Link]:
    return [Link(url=link.url, text=link.text) for link in links]


def _check_contacts(to: Sequence[str], contacts: Collection[str] | None, at: str) -> None:
    if len(to) > MAX_LABELS:
        raise RefusedError(f"{len(to)} contacts are too many", _path(at, "to"), f"at most {MAX_LABELS}")
    for index, name in enumerate(to):
        if not name:
            raise RefusedError("is empty", _path(at, f"to[{index}]"), "the name of a contact")
        if contacts is not None and name not in contacts:
            hint = nearest(name, contacts) or "the catalogue declares contacts"
            raise RefusedError(f"there is no contact {name[:100]!r}", _path(at, f"to[{index}]"), hint)


def _check_links(links: Sequence[LinkToShow], at: str) -> None:
    if len(links) > MAX_LABELS:
        raise RefusedError(f"{len(links)} links are too many", _path(at, "links"), f"at most {MAX_LABELS}")
    for index, link in enumerate(links):
        _check_url(link.url, _path(at, f"links[{index}].url"))
        _check_length(link.text, _path(at, f"links[{index}].text"), MAX_VALUE)


def _check_url(url: str, path: str) -> None:
    if not is_url(url):
        raise RefusedError("is no address", path, f"http:// or https://, at most {MAX_URL} characters")


def _check_mapping(texts: dict[str, str], path: str, most: int) -> None:
    if len(texts) > MAX_LABELS:
        raise RefusedError(f"{len(texts)} are too many", path, f"at most {MAX_LABELS}")
    for name, text in texts.items():
        _check_length(name, path, MAX_NAME, needed=True)
        _check_length(text, f"{path}.{name}", most)


def _check_length(text: str, path: str, most: int, *, needed: bool = False) -> None:
    if needed and not text.strip():
        raise RefusedError("is empty", path, "say something")
    if len(text) > most:
        raise RefusedError(f"is too long: {len(text)} characters", path, f"at most {most}")


def _check_texts(notification: Notification, at: str) -> None:
    """Raises `RefusedError` for a character that can't be kept: NUL, and halves of pairs, which Python may hold."""
    for path, text in _texts(notification, at):
        if "\0" in text:
            raise RefusedError("holds a NUL character", path, "leave it out")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise RefusedError("holds half a character", path, "leave out lone surrogates") from None


def _texts(part: object, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(part, str):
        yield path, part
    elif isinstance(part, Struct):
        for name in part.__struct_fields__:
            if name != "content":  # base64 is looked at when it is decoded
                yield from _texts(getattr(part, name), _path(path, name))
    elif isinstance(part, dict):
        for name, each in part.items():
            yield path, name
            yield from _texts(each, _path(path, name))
    elif isinstance(part, list):
        for index, each in enumerate(part):
            yield from _texts(each, f"{path}[{index}]")


def _moment(told: Moment, path: str) -> float | None:
    return moment(told, path) if isinstance(told, str) else in_range(told, path)


def _path(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
