"""Telling the router something from Python: by HTTP to one that runs, or straight into its outbox.

>>> from sla_kit.routing import notify
>>> notify({"kind": "change", "summary": "api 1.4.2 deployed", "service": "api"})                 # doctest: +SKIP
>>> notify({"kind": "report", "title": "Week 38", "to": ["sre"]}, files=["report.pdf"])           # doctest: +SKIP
>>> notify({"kind": "alert", "key": "import", "title": "The import failed", "severity": "warning"},
...        outbox="/var/lib/sla-kit/outbox.db")                                                   # doctest: +SKIP
"""

from __future__ import annotations

import base64
import mimetypes
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from sla_kit.errors import MissingExtraError, SlaKitError
from sla_kit.retrying import Passing, retry_after, worth_repeating
from sla_kit.routing.notifications import FileToSend, NoticeToTell, Notification, ReportToTell
from sla_kit.routing.web.native import MAX_FILES_BYTES, Arrival, arrive, read_notification
from sla_kit.routing.web.reading import RefusedError

ROUTER, TOKEN, CA_FILE = "SLA_KIT_ROUTER", "SLA_KIT_ROUTER_TOKEN", "SLA_KIT_ROUTER_CA_FILE"  # variables
DEFAULT_ROUTER = "http://127.0.0.1:9099"
#: So many are told in one request.
_AT_ONCE = 1_000
_ATTEMPTS = 10
_LONGEST_WAIT_SECONDS = 10.0


class NotifyError(SlaKitError):
    """The router or its outbox did not take what was to be told; it is committed nowhere, as far as is known."""


class _PassingError(NotifyError, Passing):
    """The same may be taken later."""


def notify(
    told: Notification | Mapping[str, Any],
    *,
    router: str = "",
    outbox: str = "",
    token: str = "",
    user: str = "",
    password: str = "",
    files: Iterable[str | Path] = (),
    id: str = "",  # the name that it has in JSON
    patience_seconds: float = 60.0,
) -> bool:
    """Tells the router one thing, a struct of `sla_kit.routing.notifications` or its fields with their ``kind``, and
    returns once that is committed: True, or False where it had been told before with the same ``id``.

    ``router`` is its address (the variable SLA_KIT_ROUTER, or http://127.0.0.1:9099), with ``token`` (the variable
    SLA_KIT_ROUTER_TOKEN), or ``user`` and ``password``; SLA_KIT_ROUTER_CA_FILE names an authority that it trusts.
    While it can't be reached, or says that it is busy, it is asked again for ``patience_seconds``; what it took
    already counts once. With ``outbox``, a path or postgresql://… (and its ``password``), it is committed there
    instead, whether a router runs or not. ``files`` are added to a notice or a report, 25 MiB in all.

    Raises `NotifyError` for what is wrong or could not be told, `OutboxError` where the outbox can't be written.
    """
    notification = _with_files(_read(told), files)
    if id:
        notification = msgspec.structs.replace(notification, id=id)
    return bool(
        notify_all(
            [notification],
            router=router,
            outbox=outbox,
            token=token,
            user=user,
            password=password,
            patience_seconds=patience_seconds,
        )
    )


def notify_all(
    told: Iterable[Notification | Mapping[str, Any]],
    *,
    router: str = "",
    outbox: str = "",
    token: str = "",
    user: str = "",
    password: str = "",
    patience_seconds: float = 60.0,
) -> int:
    """Tells the router many things as `notify` tells it one, in few requests, or in few commits of its ``outbox``, and
    returns how many of them were new. ``patience_seconds`` are for each request.

    Raises as `notify` does: for what is wrong before anything is told, for what could not be told after those before
    it may have been. To tell all of them again does no harm where each has its ``id``.
    """
    if router and outbox:
        raise NotifyError("both router and outbox are named", remedy="name one of them")
    notifications = [
        each if each.id else msgspec.structs.replace(each, id=str(uuid.uuid4())) for each in map(_read, told)
    ]
    for number, each in enumerate(notifications):  # what is wrong is told here as it would be there
        _arrival(each, 0.0, at="" if len(notifications) == 1 else f"[{number}]")
    if outbox:
        return _commit(notifications, outbox, password)
    address = router or os.environ.get(ROUTER, "") or DEFAULT_ROUTER
    token = token or os.environ.get(TOKEN, "")
    parts = (notifications[start : start + _AT_ONCE] for start in range(0, len(notifications), _AT_ONCE))
    return sum(_post(part, address, token, (user, password), patience_seconds) for part in parts)


def _read(told: Notification | Mapping[str, Any]) -> Notification:
    if isinstance(told, msgspec.Struct):
        return told
    try:
        body = msgspec.json.encode(dict(told))
    except (TypeError, ValueError, OverflowError, UnicodeEncodeError, RecursionError) as error:
        raise NotifyError(f"this can't be told: {error}", remedy="texts, numbers, lists and mappings") from None
    try:
        return read_notification(body)
    except RefusedError as error:
        raise _wrong(error) from None


def _with_files(notification: Notification, files: Iterable[str | Path]) -> Notification:
    paths = [Path(file) for file in files]
    if not paths:
        return notification
    if not isinstance(notification, NoticeToTell | ReportToTell):
        raise NotifyError("only notices and reports have files", remedy="leave out files, or tell a notice beside it")
    read: list[FileToSend] = []
    left = MAX_FILES_BYTES
    for path in paths:
        try:
            with path.open("rb") as file:
                content = file.read(left + 1)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise NotifyError(f"a file can't be read: {reason}", place=str(path), remedy="check its path") from None
        left -= len(content)
        if left < 0:
            raise NotifyError("the files are too large", place=str(path), remedy=f"{MAX_FILES_BYTES >> 20} MiB in all")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        read.append(FileToSend(name=path.name, content=base64.b64encode(content).decode(), media_type=kind))
    return msgspec.structs.replace(notification, files=[*notification.files, *read])


def _arrival(notification: Notification, now: float, at: str = "") -> Arrival:
    try:
        return arrive(notification, now, at=at)
    except RefusedError as error:
        raise _wrong(error) from None


def _wrong(error: RefusedError) -> NotifyError:
    return NotifyError(f"this can't be told: {error.error}", place=error.path, remedy=error.hint)


def _commit(notifications: Sequence[Notification], address: str, password: str) -> int:
    try:
        from sla_kit.routing.outbox import attachments
        from sla_kit.routing.outbox.accepting import accept
        from sla_kit.routing.outbox.store import open_outbox
    except ModuleNotFoundError as error:
        raise MissingExtraError("an outbox", error.name or "sqlalchemy", "router") from None
    with open_outbox(address, password=password) as outbox:
        now = outbox.clock.now()
        arrivals = [_arrival(each, now) for each in notifications]
        for body in (body for arrival in arrivals for body in arrival.files):
            outbox.write(partial(attachments.keep, body=body, now=now))
        accepted = [accept(outbox, each.event, idempotency=each.idempotency) for each in arrivals]
        return sum(each.result() for each in accepted)


def _post(
    notifications: Sequence[Notification], address: str, token: str, user: tuple[str, str], patience_seconds: float
) -> int:
    try:
        import requests
        import stamina

        from sla_kit.bearer import Bearer
    except ModuleNotFoundError as error:
        raise MissingExtraError("telling a router by HTTP", error.name or "requests", "router") from None
    name = _without_user(address)
    body = msgspec.json.encode(notifications[0] if len(notifications) == 1 else notifications)
    with requests.Session() as session:
        session.auth = Bearer(token) if token else user if user[0] else None
        session.verify = os.environ.get(CA_FILE, "") or True
        session.trust_env = not name.startswith(DEFAULT_ROUTER)
        for attempt in stamina.retry_context(
            on=worth_repeating,
            attempts=_ATTEMPTS,
            timeout=patience_seconds,
            wait_initial=0.2,
            wait_max=_LONGEST_WAIT_SECONDS,
            wait_jitter=0.5,
        ):
            with attempt:
                return _post_once(session, f"{address.rstrip('/')}/v1/notify", name, body)
    raise AssertionError("stamina ends by a result or an exception")


def _post_once(session: Any, url: str, name: str, body: bytes) -> int:
    import requests

    try:
        answer = session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json"},
            timeout=(5.0, 30.0),
            allow_redirects=False,
            verify=session.verify,  # said here, REQUESTS_CA_BUNDLE does not stand before it
        )
    except requests.exceptions.SSLError:
        raise NotifyError(
            "no trusted connection to the router", place=name, remedy=f"name the authority in {CA_FILE}"
        ) from None
    except (requests.exceptions.InvalidURL, requests.exceptions.MissingSchema, requests.exceptions.InvalidSchema):
        raise NotifyError("this is no address of a router", place=name, remedy=DEFAULT_ROUTER) from None
    except (requests.exceptions.RequestException, OSError) as error:
        passing = _PassingError(
            f"the router does not answer: {type(error).__name__}", place=name, remedy="start it, or name its outbox"
        )
        raise passing from None
    if answer.status_code == 200:
        try:
            return int(answer.json()["accepted"])
        except (ValueError, KeyError, TypeError):
            raise NotifyError("this is no router", place=name, remedy=f"check the address, or {ROUTER}") from None
    raise _refused(answer.status_code, answer.headers.get("Retry-After", ""), answer.content, name)


def _refused(status: int, wait: str, content: bytes, name: str) -> NotifyError:
    try:
        said = msgspec.json.decode(content, type=dict[str, str])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = {"error": content[:200].decode("utf-8", "replace").strip()}
    words = said.get("error", "")
    if status in (408, 429, 502, 503, 504):
        passing = _PassingError(f"the router can't take it now ({status}: {words})", place=name, remedy="try again")
        seconds = retry_after(wait)
        passing.wait_seconds = None if seconds is None else min(seconds, _LONGEST_WAIT_SECONDS)
        return passing
    if status in (401, 403):
        return NotifyError(f"the router does not let this in ({status})", place=name, remedy=f"give token, or {TOKEN}")
    place = said.get("path", "")
    return NotifyError(f"the router refuses this ({status}): {words}", place=place or name, remedy=said.get("hint", ""))


def _without_user(address: str) -> str:
    try:
        parts = urlsplit(address)
    except ValueError:
        return "router"
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
