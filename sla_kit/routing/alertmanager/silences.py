"""Alertmanager's silences: looked at, made, changed and ended; and which alerts fire."""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import UTC, datetime
from types import TracebackType
from typing import Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sla_kit.routing.alertmanager.connection import Access, AlertmanagerError, Connection
from sla_kit.routing.alertmanager.matchers import written
from sla_kit.selectors import Matcher

State = Literal["pending", "active", "expired"]
#: Times of one silence that are so close are the same: Alertmanager keeps milliseconds.
CLOSE_SECONDS = 1.0
_Decoded = TypeVar("_Decoded")


class Silence(Struct, frozen=True, kw_only=True):
    """A silence: all of its matchers must hold. Times are epoch seconds; ``id`` is Alertmanager's, empty for one that
    is yet to be made."""

    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    created_by: str
    comment: str
    id: str = ""
    state: State = "pending"

    def same(self, other: Silence) -> bool:
        """Whether both say the same, by the same hand, until the same moment."""
        return (
            sorted(self.matchers) == sorted(other.matchers)
            and (self.created_by, self.comment) == (other.created_by, other.comment)
            and abs(self.ends_at - other.ends_at) < CLOSE_SECONDS
        )


class FiringAlert(Struct, frozen=True, kw_only=True):
    """An alert that fires since ``starts_at`` (epoch seconds). ``silenced_by`` are ids of silences, ``inhibited_by``
    fingerprints of the alerts that make it superfluous."""

    labels: dict[str, str]
    fingerprint: str
    starts_at: float
    annotations: dict[str, str]
    generator_url: str = ""
    silenced_by: tuple[str, ...] = ()
    inhibited_by: tuple[str, ...] = ()


class _Matcher(Struct, frozen=True):
    name: str
    value: str
    isRegex: bool = False  # noqa: N815  # Alertmanager's names, here and below
    isEqual: bool = True  # noqa: N815


class _Status(Struct, frozen=True):
    state: State


class _Silence(Struct, frozen=True):
    id: str
    matchers: list[_Matcher]
    startsAt: str  # noqa: N815
    endsAt: str  # noqa: N815
    createdBy: str  # noqa: N815
    comment: str
    status: _Status


class _Made(Struct, frozen=True):
    silenceID: str  # noqa: N815


class _AlertStatus(Struct, frozen=True):
    silencedBy: list[str] = []  # noqa: N815
    inhibitedBy: list[str] = []  # noqa: N815


class _Alert(Struct, frozen=True):
    labels: dict[str, str]
    fingerprint: str
    status: _AlertStatus
    startsAt: str  # noqa: N815
    annotations: dict[str, str] = {}  # msgspec makes a new one each time
    generatorURL: str = ""  # noqa: N815


class _Version(Struct, frozen=True):
    version: str = ""


class _StatusPage(Struct, frozen=True):
    versionInfo: _Version  # noqa: N815


class Client:
    """The silences of one Alertmanager, or of a cluster of them; close it after use."""

    def __init__(self, access: Access) -> None:
        self._connection = Connection(access)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Lets go of connections."""
        self._connection.close()

    @property
    def name(self) -> str:
        """Its address."""
        return self._connection.name

    def version(self) -> str:
        """Alertmanager's version; proves that one is there."""
        body = self._connection.ask("GET", "/status", about="asking for its state")
        return self._decoded(body, _StatusPage).versionInfo.version

    def silences(self) -> list[Silence]:
        """All that it still knows, those that are over included."""
        body = self._connection.ask("GET", "/silences", about="reading the silences")
        return [_read(each) for each in self._decoded(body, list[_Silence])]

    def firing(self, matchers: Iterable[Matcher] = ()) -> list[FiringAlert]:
        """The alerts that fire, silenced or not, that all the matchers take, as Alertmanager itself understands
        them."""
        query = [("filter", written([matcher])) for matcher in matchers]
        body = self._connection.ask("GET", "/alerts", about="reading the alerts", query=query)
        return [
            FiringAlert(
                labels=each.labels,
                fingerprint=each.fingerprint,
                starts_at=_seconds(each.startsAt),
                annotations=each.annotations,
                generator_url=each.generatorURL,
                silenced_by=tuple(each.status.silencedBy),
                inhibited_by=tuple(each.status.inhibitedBy),
            )
            for each in self._decoded(body, list[_Alert])
        ]

    def make(self, silence: Silence, *, look_first: bool = False) -> str:
        """Makes a silence, or changes the one with its ``id``; returns the id, which may be another than before.

        Where an answer is lost it looks for the silence before it asks again; with ``look_first`` also at the start,
        since an attempt before may have made it.
        """
        if look_first and (found := self._find(silence)):
            return found
        try:
            return self._post(silence)
        except AlertmanagerError as error:
            if not error.uncertain:
                raise
            return self._find(silence) or self._post(silence)

    def expire(self, silence_id: str) -> None:
        """Ends a silence now; one that is over stays so. Raises `AlertmanagerError` where none has that id."""
        path = f"/silence/{quote(silence_id, safe='')}"
        found = self._decoded(self._connection.ask("GET", path, about=f"looking for silence {silence_id}"), _Silence)
        if found.status.state != "expired":
            self._connection.ask("DELETE", path, about=f"ending silence {silence_id}")

    def settled(
        self, live: Iterable[tuple[str, float]], over: Iterable[str], patience_seconds: float = 5.0
    ) -> list[str]:
        """Reads back what was made (ids with their ends) and ended (ids); returns in words what is not so. Another
        Alertmanager of a cluster hears of it a moment later."""
        wanted, gone = list(live), list(over)
        deadline = time.monotonic() + patience_seconds
        while True:
            known = {each.id: each for each in self.silences()}
            wrong = [_amiss(known.get(each), end, each) for each, end in wanted]
            wrong += [f"silence {each} was ended and is not over" for each in gone if _live(known.get(each))]
            found = [each for each in wrong if each]
            if not found or time.monotonic() >= deadline:
                return found
            time.sleep(0.2)

    def _find(self, silence: Silence) -> str:
        return next((each.id for each in self.silences() if each.state != "expired" and each.same(silence)), "")

    def _post(self, silence: Silence) -> str:
        body = {
            "matchers": [_matcher(each) for each in silence.matchers],
            "startsAt": _moment(silence.starts_at),
            "endsAt": _moment(silence.ends_at),
            "createdBy": silence.created_by,
            "comment": silence.comment,
        }
        if silence.id:
            body["id"] = silence.id
        answer = self._connection.ask("POST", "/silences", about="making a silence", body=body)
        return self._decoded(answer, _Made).silenceID

    def _decoded(self, body: bytes, kind: type[_Decoded]) -> _Decoded:
        try:
            return msgspec.json.decode(body, type=kind)
        except (msgspec.DecodeError, ValueError):
            raise AlertmanagerError(
                "it answers what no Alertmanager does",
                place=self.name,
                remedy="give the address of Alertmanager's own page, without /api/v2",
            ) from None


def _live(silence: Silence | None) -> bool:
    return silence is not None and silence.state != "expired"


def _amiss(silence: Silence | None, end: float, silence_id: str) -> str:
    if silence is None or silence.state == "expired":
        return f"silence {silence_id} was made and is not there"
    if abs(silence.ends_at - end) >= CLOSE_SECONDS:
        return f"silence {silence_id} ends at {_moment(silence.ends_at)}, not at {_moment(end)}"
    return ""


def _read(told: _Silence) -> Silence:
    return Silence(
        matchers=tuple(Matcher(each.name, _operator(each), each.value) for each in told.matchers),
        starts_at=_seconds(told.startsAt),
        ends_at=_seconds(told.endsAt),
        created_by=told.createdBy,
        comment=told.comment,
        id=told.id,
        state=told.status.state,
    )


def _operator(matcher: _Matcher) -> str:
    if matcher.isRegex:
        return "=~" if matcher.isEqual else "!~"
    return "=" if matcher.isEqual else "!="


def _matcher(matcher: Matcher) -> _Matcher:
    return _Matcher(
        matcher.label, matcher.value, isRegex=matcher.operator in ("=~", "!~"), isEqual=matcher.operator in ("=", "=~")
    )


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def extended(silence: Silence, ends_at: float, comment: str) -> Silence:
    """The same silence with another end and other words, to be given to `Client.make`."""
    return replace(silence, ends_at=ends_at, comment=comment)
