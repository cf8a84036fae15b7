"""Matchers in Alertmanager's syntax (prometheus.io/docs/alerting/latest/configuration, "matcher"): read and written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sla_kit.errors import SlaKitError
from sla_kit.selectors import Matcher, quote

_MATCHER = re.compile(r"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"\s*', re.S)
_BARE = re.compile(r'[^",]*')
_ESCAPED = re.compile(r"\\(.)", re.S)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}
_REMEDY = 'write name=value, name!=value, name=~"regular expression" or name!~"…"; quote a value that holds , or "'
#: Values that no label has: matchers that take them all take (nearly) everything.
_NOBODYS = ("sla-kit-qqx-0", "Zz9.", "7", "no such value, /anywhere/ at all")


def parse_matchers(text: str) -> list[Matcher]:
    """The matchers of a text, several with commas between them, with or without braces around. Raises `SlaKitError`."""
    bare = text.strip()
    if bare.startswith("{") and bare.endswith("}"):
        bare = bare[1:-1].strip().removesuffix(",")
    if not bare:
        raise SlaKitError("there is no matcher", place=repr(text), remedy=_REMEDY)
    found: list[Matcher] = []
    at = 0
    while True:
        start = _MATCHER.match(bare, at)
        if start is None:
            raise _no_matcher(bare[at:], text)
        value, at = _value(bare, start.end(), text)
        matcher = Matcher(start[1], start[2], value)
        _check(matcher, text)
        found.append(matcher)
        if at == len(bare):
            return found
        at += 1  # the comma


def written(matchers: Iterable[Matcher]) -> str:
    """Matchers as they are read back."""
    return ", ".join(f"{each.label}{each.operator}{quote(each.value)}" for each in matchers)


def takes_everything(matchers: Sequence[Matcher]) -> bool:
    """Whether a silence with these matchers would take (nearly) every alert, such as ``alertname=~".+"`` or
    ``alertname!="Watchdog"``: none of them asks for anything in particular."""
    return all(_takes_anything(each) for each in matchers)


def _takes_anything(matcher: Matcher) -> bool:
    try:
        takes = matcher.predicate()
    except re.error:  # Go's syntax knows more than Python's, but who writes so means something in particular
        return matcher.operator == "!~"
    return all(takes(value) for value in _NOBODYS)


def _value(bare: str, at: int, text: str) -> tuple[str, int]:
    """A value and the place where it ends: at a comma, or at the end."""
    if bare[at : at + 1] == '"':
        quoted = _QUOTED.match(bare, at)
        if quoted is None:
            raise SlaKitError("a quoted value does not end", place=repr(text), remedy='close it with "')
        if quoted.end() < len(bare) and bare[quoted.end()] != ",":
            raise SlaKitError(
                f"after a quoted value there is {bare[quoted.end() :][:30]!r}", place=repr(text), remedy=_REMEDY
            )
        return _ESCAPED.sub(_unescaped, quoted[1]), quoted.end()
    plain = _BARE.match(bare, at)
    assert plain is not None
    if plain.end() < len(bare) and bare[plain.end()] == '"':
        raise SlaKitError('a value without quotes holds a "', place=repr(text), remedy=_REMEDY)
    return plain[0].strip(), plain.end()


def _unescaped(escape: re.Match[str]) -> str:
    """Alertmanager leaves other escapes as they are, for regular expressions."""
    return _ESCAPES.get(escape[1], escape[0])


def _check(matcher: Matcher, text: str) -> None:
    if matcher.operator not in ("=~", "!~"):
        return
    try:
        re.compile(matcher.value)
    except re.error as error:
        # Only what both syntaxes refuse is refused here; the rest is for Alertmanager to say.
        if error.msg.startswith(("missing )", "unterminated", "unbalanced", "nothing to repeat")):
            raise SlaKitError(
                f"{matcher.value!r} is no regular expression: {error.msg}", place=repr(text), remedy=_REMEDY
            ) from None


def _no_matcher(rest: str, text: str) -> SlaKitError:
    return SlaKitError(
        f"{rest.strip()[:60]!r} is no matcher" if rest.strip() else "after a comma there is no matcher",
        place=repr(text),
        remedy=f'did you mean alertname="{rest}"?' if re.fullmatch(r"[A-Za-z_]\w*", rest) else _REMEDY,
    )
