"""Secrets out of the fields of a document: most hold none, and are found harmless all at once."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from sla_kit.logs.access_events import Flat
from sla_kit.logs.addresses import EMAIL_OF_URL
from sla_kit.logs.fingerprint import redacted_message

#: The most characters that are looked through of a text, by the name of its field.
LONGEST_TEXT = 32_000
LIMITS = {"message": LONGEST_TEXT, "error.message": LONGEST_TEXT, "error.stack_trace": 65_536}
#: Identifiers, which a number like a card's is by chance; everything else may hold what nobody should read.
_NOT_REDACTED = frozenset({
    "@timestamp", "client.ip", "container.id", "ecs.version", "error.grouping_key", "http.request.id",
    "network.forwarded_ip", "source.ip", "span.id", "trace.id", "transaction.id",
})  # fmt: skip
#: Whom an error met is counted by these: an address becomes a pseudonym, lest all people become one.
_PEOPLE = frozenset({"user.id", "user.email"})
#: What hardly ever says the same twice: that it was harmless is not remembered.
_VARIED = frozenset({
    "message", "error.message", "error.stack_trace", "source.address", "url.original", "url.path", "url.query",
})  # fmt: skip
_EMAIL_OF_URL = re.compile(EMAIL_OF_URL)
#: A text without any of these (in small letters) holds nothing to take out: most are looked at no further.
_SUSPICIOUS = (
    "@", "%40", "eyj", "-----", "cookie", "akia", "asia", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat",
    "glpat-", "xox", "k_live_", "k_test_", "aiza", "sg.", "npm_", "sk-", "pypi-", "bearer", "basic",
    "digest", "negotiate", "key", "pass", "pwd", "secret", "token", "credential", "signature",
)  # fmt: skip
#: Characters of these that are seldom seen in logs, the rarest first: where one is not there, no word with it is.
_RARE = "@%_jzxqkbw-"
#: As many digits as a card has, and what is quicker to look for: a run that may be some.
_DIGITS, _RUN = re.compile(r"[0-9](?:[ -]?[0-9]){11}"), re.compile(r"[0-9][0-9 -]{11}")
_SECRET_NAME = re.compile(
    r"(?:^|[._-])(?:passw(?:or)?d|passphrase|pwd|secret|(?:\w+[_-])?token|api[_-]?key|authorization|cookies?|credentials?)\Z",
    re.IGNORECASE,
)
_ADDRESS_IN_NAME = re.compile(r"[^.@]+@[^@]+")
_LONGEST_CACHED = 1024
_MOST_NAMES_CACHED = 256
_MOST_HARMLESS = 16_384


def redact(found: Flat) -> None:
    """Takes out what nobody should read: secrets, e-mail addresses, card numbers, and all of a field whose name says
    that it holds a secret."""
    names = tuple(found)
    # Names that a stranger makes up are not kept.
    plan = _plan(names) if len(names) <= _MOST_NAMES_CACHED else _made_plan(names)
    for name in plan.secrets:
        found[name] = "<secret>"
    texts: dict[str, str] = {}
    for name in plan.others:
        value = found[name]
        if isinstance(value, str):
            if value not in _harmless:
                texts[name] = value
        elif isinstance(value, list):
            found[name] = _without_secrets(value)
    # Nothing that is looked for has an end of line in it.
    if texts and _is_suspicious("\n".join(texts.values())):
        for name, text in texts.items():
            found[name] = _person(text) if name in _PEOPLE else _redacted(text, LIMITS.get(name, LONGEST_TEXT))
            if found[name] == text:
                _remember(name, text)
    else:
        for name, text in texts.items():
            _remember(name, text)
    for name in plan.with_address:
        found.setdefault(_redacted_name(name), found.pop(name))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What becomes of documents with the same names: fields that are ``secrets`` by their name, those ``others``
    that are looked through, and those whose name has an address in it."""

    secrets: tuple[str, ...]
    others: tuple[str, ...]
    with_address: tuple[str, ...]


def _made_plan(names: tuple[str, ...]) -> _Plan:
    looked_at = [name for name in names if name not in _NOT_REDACTED]
    secrets = tuple(name for name in looked_at if _is_secret(name))
    others = tuple(name for name in looked_at if name not in secrets)
    return _Plan(secrets, others, tuple(name for name in looked_at if "@" in name))


_plan = lru_cache(maxsize=1024)(_made_plan)

#: Short texts that were looked through and hold nothing.
_harmless: set[str] = set()


def _remember(name: str, text: str) -> None:
    if name in _VARIED or len(text) > _LONGEST_CACHED:
        return
    if len(_harmless) >= _MOST_HARMLESS:
        _harmless.clear()
    _harmless.add(text)


def _without_secrets(value: object) -> object:
    if isinstance(value, str):
        return _redacted(value, LONGEST_TEXT)
    if isinstance(value, list):
        return [_without_secrets(each) for each in value]
    if isinstance(value, dict):
        return {
            _redacted_name(name): "<secret>" if _is_secret(name) else _without_secrets(each)
            for name, each in value.items()
        }
    return value


def _redacted_name(name: str) -> str:
    """The name of a field without an address in it, whose points part names or became underlines."""
    return _ADDRESS_IN_NAME.sub("<email>", name) if "@" in name else name


def _person(text: str) -> str:
    if _redacted(text, LONGEST_TEXT) != "<email>":
        return _redacted(text, LONGEST_TEXT)
    return f"<email-{hashlib.sha256(text.strip().lower().encode('utf-8', 'replace')).hexdigest()[:12]}>"


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name[-_LONGEST_CACHED:]))


def _redacted(text: str, longest: int) -> str:
    # Memory does not grow with long texts, which hardly ever come twice.
    return _redacted_cached(text) if len(text) <= _LONGEST_CACHED else _redacted_text(text, longest)


def _redacted_text(text: str, longest: int = _LONGEST_CACHED) -> str:
    if not _is_suspicious(text):
        return text
    return redacted_message(_EMAIL_OF_URL.sub("<email>", text) if "%40" in text else text, longest)


_redacted_cached = lru_cache(maxsize=16_384)(_redacted_text)


def _is_suspicious(text: str) -> bool:
    small = text.lower()
    for part, words in _BY_PART:
        if part in small:
            for word in words:
                if word in small:
                    return True
    return bool(_RUN.search(text) and _DIGITS.search(text))


def _by_part(words: Iterable[str]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Words by what of them is looked for first: one search for a rare character stands for several words."""
    found: dict[str, list[str]] = {}
    for word in words:
        found.setdefault(next((each for each in _RARE if each in word), word), []).append(word)
    return tuple((part, tuple(several)) for part, several in found.items())


_BY_PART = _by_part(_SUSPICIOUS)
