"""Labels that rules fill in: the part of Go's templates that labels are written in.

Known are texts, ``{{ $labels.name }}`` and ``{{ .Labels.name }}``, ``{{ $value }}``, ``{{ index $labels "name" }}``,
quoted texts, and pipes into the functions below. An alert is known by its labels, so a template that is not understood
is kept as it was written, which is as good as any text that does not change over time.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_ACTION = re.compile(r"\{\{(-?)(.*?)(-?)\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|\.Labels|\$\.Labels)\.([A-Za-z_][A-Za-z0-9_]*)")
_INDEX = re.compile(r'index\s+(?:\$labels|\.Labels)\s+(?:"([^"]*)"|`([^`]*)`)')
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"|`([^`]*)`')
_VALUE = ("$value", ".Value")
_PRINTF = re.compile(r'printf\s+"((?:[^"\\]|\\.)*)"(?:\s+(.+))?')
_VERB = re.compile(r"%[-+ 0#]*\d*(?:\.\d+)?[a-zA-Z%]")


class _UnknownError(ValueError):
    """A template beyond what is known here."""


@dataclass(frozen=True, slots=True)
class Template:
    """The template of one label."""

    text: str

    @property
    def fixed(self) -> bool:
        """Whether it is a text like any other."""
        return "{{" not in self.text

    @property
    def by_value(self) -> bool:
        """Whether it may change with the value."""
        return any("$value" in action or ".Value" in action for _, action, _ in _ACTION.findall(self.text))

    @property
    def understood(self) -> bool:
        """Whether it can be filled in."""
        try:
            self._filled({}, 1.0)
        except _UnknownError:
            return False
        return True

    def filled(self, labels: Mapping[str, str], value: float) -> str:
        """The text for a series with its labels and value; the template itself where it is not understood."""
        try:
            return self._filled(labels, value)
        except _UnknownError:
            return self.text

    def _filled(self, labels: Mapping[str, str], value: float) -> str:
        parts: list[str] = []
        at, trim = 0, False
        for match in _ACTION.finditer(self.text):
            before = self.text[at : match.start()]
            parts.append(_trimmed(before, trim, bool(match[1])))
            parts.append(_shown(_pipeline(match[2], labels, value)))
            at, trim = match.end(), bool(match[3])
        parts.append(_trimmed(self.text[at:], trim, False))
        return "".join(parts)


def rendered(templates: Mapping[str, str], labels: Mapping[str, str], value: float) -> dict[str, str]:
    """The labels of an alert: those of the series without its metric's name, with the rule's own in their place; an
    empty one is none. ``alertname`` is not among them."""
    found = {name: text for name, text in labels.items() if name != "__name__"}
    for name, text in templates.items():
        found[name] = Template(text).filled(labels, value)
    return {name: text for name, text in sorted(found.items()) if text}


def _trimmed(text: str, left: bool, right: bool) -> str:
    text = text.lstrip() if left else text
    return text.rstrip() if right else text


def _pipeline(text: str, labels: Mapping[str, str], value: float) -> str | float:
    if text.strip().startswith("/*"):
        return ""
    first, *rest = (part.strip() for part in _split(text))
    found = _operand(first, labels, value)
    for name in rest:
        found = _called(name, found)
    return found


def _split(text: str) -> list[str]:
    """The parts between pipes that are in no quotes."""
    parts, quoted = [""], ""
    for character in text:
        if quoted:
            quoted = "" if character == quoted else quoted
        elif character in '"`':
            quoted = character
        if character == "|" and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def _operand(text: str, labels: Mapping[str, str], value: float) -> str | float:
    if text.startswith("(") and text.endswith(")"):
        return _pipeline(text[1:-1], labels, value)
    if text in _VALUE:
        return value
    if match := _LABEL.fullmatch(text):
        return labels.get(match[1], "")
    if match := _INDEX.fullmatch(text):
        return labels.get(match[1] if match[1] is not None else match[2], "")
    if match := _TEXT.fullmatch(text):
        return match[1].replace('\\"', '"') if match[1] is not None else match[2]
    if match := _PRINTF.fullmatch(text):
        return _printf(match[1], [] if not match[2] else [_operand(match[2].strip(), labels, value)])
    name, _, argument = text.partition(" ")
    if argument and name in _FUNCTIONS:
        return _called(name, _operand(argument.strip(), labels, value))
    raise _UnknownError(text)


def _called(text: str, argument: str | float) -> str | float:
    if match := _PRINTF.fullmatch(text):
        return _printf(match[1], [argument])
    if text not in _FUNCTIONS:
        raise _UnknownError(text)
    return _FUNCTIONS[text](argument)


def _printf(pattern: str, arguments: list[str | float]) -> str:
    verbs = [verb for verb in _VERB.findall(pattern) if verb != "%%"]
    if len(verbs) != len(arguments) or any(verb[-1] not in "sfgev" for verb in verbs):
        raise _UnknownError(pattern)
    found, rest = "", pattern
    try:
        for verb, one in zip(verbs, arguments, strict=True):
            before, _, rest = rest.partition(verb)
            number = math.nan if verb[-1] in "sv" else _number(one)
            text = verb % number if math.isfinite(number) else _shown(one)
            found += before.replace("%%", "%") + text
    except (ValueError, TypeError) as error:
        raise _UnknownError(pattern) from error
    return found + rest.replace("%%", "%")


def _shown(value: str | float) -> str:
    """A value as Go prints it: %v of a float64."""
    if isinstance(value, str):
        return value
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    exponent = math.floor(math.log10(abs(value))) if value else 0
    if exponent < -4 or exponent >= 6:
        mantissa, _, power = next(
            text.partition("e") for digits in range(18) if float(text := f"{value:.{digits}e}") == value
        )
        return f"{mantissa}e{int(power):+03d}"
    text = repr(value)
    if "e" in text:
        text = f"{value:.0f}"
    return text.removesuffix(".0")


def _number(value: str | float) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise _UnknownError(str(value)) from error


def _humanize(value: str | float) -> str:
    return _scaled(_number(value), 1000.0, ("k", "M", "G", "T", "P", "E", "Z", "Y"))


def _humanize1024(value: str | float) -> str:
    number = _number(value)
    if abs(number) <= 1 or not math.isfinite(number):
        return _four(number)
    prefix = ""
    for one in ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"):
        if abs(number) < 1024:
            break
        prefix, number = one, number / 1024
    return _four(number) + prefix


def _scaled(number: float, step: float, prefixes: tuple[str, ...]) -> str:
    if number == 0 or not math.isfinite(number):
        return _four(number)
    prefix = ""
    if abs(number) >= 1:
        for one in prefixes:
            if abs(number) < step:
                break
            prefix, number = one, number / step
    else:
        for one in ("m", "u", "n", "p", "f", "a", "z", "y"):
            if abs(number) >= 1:
                break
            prefix, number = one, number * step
    return _four(number) + prefix


def _four(number: float) -> str:
    """%.4g as Go has it."""
    return _shown(number) if not math.isfinite(number) else f"{number:.4g}"


def _humanize_percentage(value: str | float) -> str:
    return _four(_number(value) * 100) + "%"


def _humanize_duration(value: str | float) -> str:
    number = _number(value)
    if not math.isfinite(number):
        return _four(number)
    if number == 0:
        return "0s"
    if abs(number) < 1:
        return _scaled(number, 1000.0, ()) + "s"
    sign, seconds = ("-", -number) if number < 0 else ("", number)
    whole = int(seconds)
    days, hours, minutes, rest = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    if minutes:
        return f"{sign}{minutes}m {rest}s"
    return f"{sign}{_four(seconds)}s"


_FUNCTIONS: dict[str, Callable[[str | float], str | float]] = {
    "toUpper": lambda value: _shown(value).upper(),
    "toLower": lambda value: _shown(value).lower(),
    "title": lambda value: re.sub(r"(?<!\w)\w", lambda match: match[0].upper(), _shown(value)),
    "humanize": _humanize,
    "humanize1024": _humanize1024,
    "humanizePercentage": _humanize_percentage,
    "humanizeDuration": _humanize_duration,
    "stripPort": lambda value: re.sub(r":\d+$", "", _shown(value)),
    "html": _shown,
}
