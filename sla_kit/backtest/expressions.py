"""PromQL read as text: where its selectors of series stand, what they select, and how far back an expression looks.

Only what names series is understood, and everything else is kept letter by letter, so that an expression in a newer
PromQL than any parser here knows can be replayed too. Whether it is PromQL at all is for a server to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from sla_kit.configuration.quantities import UNITS
from sla_kit.selectors import Matcher, quote

_TOKEN = re.compile(
    r"""(?P<space>\s+|\#[^\n]*)
      | (?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
      | (?P<number>(?:0[xX][0-9a-fA-F]+|\d[\d_.]*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?)[a-zA-Z0-9]*)
      | (?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)
      | (?P<sign>=~|!~|!=|==|>=|<=|.)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_AGGREGATIONS = frozenset(
    (
        "sum", "avg", "count", "min", "max", "group", "stddev", "stdvar", "topk", "bottomk", "count_values", "quantile",
        "limitk", "limit_ratio",
    )
)  # fmt: skip
_LABEL_LISTS = frozenset(["by", "without", "on", "ignoring", "group_left", "group_right"])
_WORDS = frozenset(["and", "or", "unless", "atan2", "bool", "offset", "inf", "nan"]) | _LABEL_LISTS
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwy])", re.ASCII)
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3}))")


@dataclass(frozen=True, slots=True)
class Reading:
    """A selector in an expression, from ``start`` to ``end`` of its text.

    ``metric`` is its name ("" where only matchers say it) and ``matchers`` the others. ``range`` is what its brackets
    hold, "" for an instant selector; ``modifiers`` are its offset and @ as written. ``plain`` is false where braces
    hold what is not understood. ``absent`` is where the absent() or absent_over_time() around it begins and ends.
    """

    start: int
    end: int
    metric: str
    matchers: tuple[Matcher, ...]
    range: str = ""
    modifiers: str = ""
    plain: bool = True
    absent: tuple[int, int] | None = None

    def reads(self, name: str) -> bool:
        """Whether series of that name may be selected."""
        if self.metric:
            return self.metric == name
        named = [matcher for matcher in self.matchers if matcher.label == "__name__"]
        return all(_fits(matcher, name) for matcher in named)


def readings(expression: str) -> tuple[Reading, ...]:
    """The selectors of an expression, in order."""
    return tuple(_Scan(expression).found())


def functions(expression: str) -> frozenset[str]:
    """The names of the functions that an expression calls, and some other words before a parenthesis."""
    found = pairwise(_tokens(expression))
    return frozenset(text.lower() for (kind, text, _), (_, after, _) in found if kind == "name" and after == "(")


def rewritten(expression: str, change: Callable[[Reading], str | None]) -> str:
    """An expression in which some selectors stand otherwise: ``change`` gives the text for one, None to keep it. What
    absent() takes from a selector, the labels that it asks for, stays as it was."""
    parts, at = [], 0
    for reading in readings(expression):
        text = change(reading)
        if text is not None:
            start, end = reading.absent or (reading.start, reading.end)
            text = expression[start : reading.start] + text + expression[reading.end : end]
            parts += [expression[at:start], _with_labels(text, reading.matchers) if reading.absent else text]
            at = end
    return "".join([*parts, expression[at:]])


def replacement(value: str) -> str:
    """A value as the replacement of label_replace, in which $ begins a group."""
    return quote(value.replace("$", "$$"))


def _with_labels(text: str, matchers: Iterable[Matcher]) -> str:
    """An absent() with the labels that its selector gave it: those asked for by = and by no second matcher."""
    labels: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in matchers:  # promql/functions.go, createLabelsForAbsentFunction
        if matcher.operator == "=" and matcher.label not in seen:
            seen.add(matcher.label)
            labels[matcher.label] = matcher.value
        else:
            labels.pop(matcher.label, None)
    for label, value in labels.items():
        text = f'label_replace({text}, "{label}", {replacement(value)}, "", "")'
    return text


def lookback_seconds(expression: str) -> float:
    """A length that the expression surely does not look back beyond, apart from the five minutes of an instant
    selector: all its ranges and offsets added up, as if each stood inside the other."""
    return sum(seconds_of(text) for text in _lengths(expression))


def seconds_of(text: str) -> float:
    """The seconds of a duration of PromQL (or of a bare number), 0 where it is none."""
    if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
        return float(text)
    return float(sum(float(number) * float(UNITS[unit]) for number, unit in _PART.findall(text)))


def literal(text: str) -> str:
    """The value of a string literal with its quotes."""
    inner = text[1:-1]
    if text[0] == "`" or "\\" not in inner:
        return inner

    def plain(match: re.Match[str]) -> str:
        short, *codes = match.groups()
        if short is not None:
            return _ESCAPES.get(short, short)
        hexadecimal = next((code for code in codes[:3] if code is not None), None)
        code = int(hexadecimal, 16) if hexadecimal is not None else int(codes[3], 8)
        return chr(code) if code < 0x110000 else "�"

    return _ESCAPE.sub(plain, inner)


def _operates(word: str, following: str) -> bool:
    """Whether a word does something with series and is no name of any."""
    if following == "(" or (word in _WORDS and following != "{"):
        return True
    return word in _AGGREGATIONS and following.lower() in ("by", "without")


def _fits(matcher: Matcher, value: str) -> bool:
    try:
        return matcher.predicate()(value)
    except re.error:  # RE2 knows what Python does not
        return True


def _lengths(expression: str) -> Iterator[str]:
    tokens = _tokens(expression)
    for place, (kind, text, _) in enumerate(tokens):
        if text == "[":
            until = next((at for at in range(place, len(tokens)) if tokens[at][1] == "]"), len(tokens))
            inside = [one[1] for one in tokens[place + 1 : until]]
            yield from ("".join(inside).split(":")[0],)
        elif kind == "name" and text.lower() == "offset" and place + 1 < len(tokens):
            yield tokens[place + 1][1]  # a negative one looks ahead


def _tokens(expression: str) -> list[tuple[str, str, int]]:
    """Kind, text and start of everything but blanks and comments."""
    return [
        (match.lastgroup or "", match.group(), match.start())
        for match in _TOKEN.finditer(expression)
        if match.lastgroup != "space"
    ]


class _Scan:
    """One walk over the tokens of an expression."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.tokens = _tokens(expression)

    def text(self, at: int) -> str:
        return self.tokens[at][1] if at < len(self.tokens) else ""

    def end(self, at: int) -> int:
        """Where the token before ``at`` ends."""
        _, text, start = self.tokens[at - 1]
        return start + len(text)

    def found(self) -> Iterator[Reading]:
        at = 0
        while at < len(self.tokens):
            kind, text, _ = self.tokens[at]
            if text == "[":
                at = self._past(at, "[", "]")
            elif text == "@":
                at = self._past_at(at)
            elif text == "{":
                begun = at
                reading, at = self._selector(at)
                yield self._within_absent(reading, begun, at)
            elif kind == "name":
                word, following = text.lower(), self.text(at + 1)
                if word in _LABEL_LISTS and following == "(":
                    at = self._past(at + 1, "(", ")")
                elif _operates(word, following):
                    at += 1
                else:
                    begun = at
                    reading, at = self._selector(at)
                    yield self._within_absent(reading, begun, at)
            else:
                at += 1

    def _within_absent(self, reading: Reading, begun: int, at: int) -> Reading:
        """The selector in the tokens from ``begun`` to ``at``, as the argument of absent() where it is all of it."""
        called = begun >= 2 and self.text(begun - 1) == "(" and self.text(at) == ")"
        if not called or self.text(begun - 2).lower() not in ("absent", "absent_over_time"):
            return reading
        return replace(reading, absent=(self.tokens[begun - 2][2], self.end(at + 1)))

    def _selector(self, at: int) -> tuple[Reading, int]:
        start, metric, plain = self.tokens[at][2], "", True
        matchers: tuple[Matcher, ...] = ()
        if self.text(at) != "{":
            metric = self.text(at)
            at += 1
        if self.text(at) == "{":
            until = self._past(at, "{", "}")
            inside, matchers, plain = self._matchers(at + 1, until - 1)
            metric = metric or inside
            at = until
        window = ""
        if self.text(at) == "[":
            until = self._past(at, "[", "]")
            written = self.expression[self.tokens[at][2] + 1 : self.end(until) - 1].strip()
            if ":" not in written:  # that would be a subquery, which has a life of its own
                window, at = written, until
        reading_end, modifiers_from = self.end(at), at
        while self.text(at).lower() == "offset" or self.text(at) == "@":
            at = self._past_at(at) if self.text(at) == "@" else self._past_offset(at)
        modifiers = self.expression[reading_end : self.end(at)].strip() if at > modifiers_from else ""
        if at <= modifiers_from:
            at = modifiers_from
        return Reading(start, self.end(at), metric, matchers, window, modifiers, plain), at

    def _matchers(self, at: int, until: int) -> tuple[str, tuple[Matcher, ...], bool]:
        """The name and the matchers between two braces, and whether all was understood."""
        metric = ""
        found: list[Matcher] = []
        while at < until:
            kind, text, _ = self.tokens[at]
            following = self.text(at + 1)
            if kind == "text" and (at + 1 >= until or following == ","):
                metric, at = literal(text), at + 1
            elif kind in ("name", "text") and following in ("=", "!=", "=~", "!~") and at + 2 < until:
                if self.tokens[at + 2][0] != "text":
                    return metric, tuple(found), False
                label = literal(text) if kind == "text" else text
                value = literal(self.text(at + 2))
                if label == "__name__" and following == "=":
                    metric = value
                else:
                    found.append(Matcher(label, following, value))
                at += 3
            else:
                return metric, tuple(found), False
            if at < until:
                if self.text(at) != ",":
                    return metric, tuple(found), False
                at += 1
        return metric, tuple(found), True

    def _past(self, at: int, opening: str, closing: str) -> int:
        """After the bracket that closes the one at ``at``."""
        depth = 0
        while at < len(self.tokens):
            text = self.tokens[at][1]
            depth += (text == opening) - (text == closing)
            at += 1
            if not depth:
                break
        return at

    def _past_offset(self, at: int) -> int:
        at += 1
        while self.text(at) in ("-", "+"):
            at += 1
        return min(self._past(at, "(", ")") if self.text(at) == "(" else at + 1, len(self.tokens))

    def _past_at(self, at: int) -> int:
        at += 1
        while self.text(at) in ("-", "+"):
            at += 1
        called = self.text(at).lower() in ("start", "end") and self.text(at + 1) == "("
        return min(self._past(at + 1, "(", ")") if called else at + 1, len(self.tokens))
