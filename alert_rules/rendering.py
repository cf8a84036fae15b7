"""Prometheus's annotation templates, as far as the alerts here use them: what a person reads when one fires.

The functions are those of Prometheus's documentation (prometheus.io/docs/prometheus/latest/configuration/
template_reference); the tests hold them against promtool. A template may hold ``{{ $labels.name }}``, ``{{ $value }}``,
and either with ``| humanize``, ``humanize1024``, ``humanizeDuration``, ``humanizePercentage`` or ``printf "%.1f"``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

_ACTION = re.compile(r"\{\{-?\s*(.*?)\s*-?\}\}", re.DOTALL)
_LABEL = re.compile(r"\$labels\.([A-Za-z_]\w*)")
_PRINTF = re.compile(r'printf\s+"((?:[^"\\]|\\.)*)"(?:\s+(\$value|\$labels\.[A-Za-z_]\w*))?')


def render(template: str, labels: Mapping[str, str], value: float) -> str:
    """The text of a template for an alert with these labels and that value; `ValueError` for a template that uses more
    than is told above. A label that the alert has not is empty."""
    return _ACTION.sub(lambda action: _evaluated(action[1], labels, value), template)


def labels_used(template: str) -> set[str]:
    """The labels that a template names."""
    return {name for action in _ACTION.finditer(template) for name in _LABEL.findall(action[1])}


def uses_value(template: str) -> bool:
    """Whether a template shows the alert's value."""
    return any("$value" in action[1] for action in _ACTION.finditer(template))


def _evaluated(pipeline: str, labels: Mapping[str, str], value: float) -> str:
    first, *functions = [part.strip() for part in pipeline.split("|")]
    printed = _PRINTF.fullmatch(first)
    if printed and printed[2]:
        current: float | str = _formatted(printed[1], _operand(printed[2], labels, value))
    else:
        current = _operand(first, labels, value)
    for function in functions:
        printed = _PRINTF.fullmatch(function)
        if printed and not printed[2]:
            current = _formatted(printed[1], current)
        elif function in _FUNCTIONS and isinstance(current, float):
            current = _FUNCTIONS[function](current)
        else:
            raise ValueError(f"the template function {function!r} is not among those that are used here")
    return current if isinstance(current, str) else general(current)


def _operand(text: str, labels: Mapping[str, str], value: float) -> float | str:
    if text == "$value":
        return value
    label = _LABEL.fullmatch(text)
    if label is None:
        raise ValueError(f"{text!r} is neither $value nor a label")
    return labels.get(label[1], "")


def _formatted(pattern: str, value: float | str) -> str:
    """Go's Printf with one verb: %s, %v, %d of what Go would print, %f, %.Nf, %g, %.Ng."""
    verb = re.fullmatch(r"((?:[^%]|%%)*)%(?:\.(\d+))?([fgsv])((?:[^%]|%%)*)", pattern)
    if verb is None:
        raise ValueError(f"the format {pattern!r} is not among those that are used here")
    before, digits, kind, after = verb[1].replace("%%", "%"), verb[2], verb[3], verb[4].replace("%%", "%")
    if isinstance(value, str):
        return before + value + after
    if not math.isfinite(value):
        return before + general(value) + after
    if kind == "f":
        return f"{before}{value:.{digits or 6}f}{after}"
    return before + (general(value, int(digits)) if kind == "g" and digits else general(value)) + after


def general(value: float, digits: int | None = None) -> str:
    """A float as Go's %v or %.Ng prints it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if digits is not None:
        text = f"{value:.{digits}g}"
        return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", text)
    text = repr(value)
    power = int(f"{value:e}".partition("e")[2])
    if -4 <= power < 6:
        return text.removesuffix(".0") if "e" not in text else f"{value:f}".rstrip("0")
    # The shortest digits that read back as the value, which rounding to fewer and fewer places would miss on a tie.
    places = len(Decimal(text).normalize().as_tuple().digits) - 1
    return re.sub(r"e([+-])(\d)$", r"e\g<1>0\2", f"{Decimal(text):.{places}e}")


def humanize(value: float) -> str:
    """Metric prefixes from 1e-24 to 1e24, four significant digits."""
    if value == 0 or not math.isfinite(value):
        return general(value, 4)
    prefix = ""
    if abs(value) >= 1:
        for prefix in ("", "k", "M", "G", "T", "P", "E", "Z", "Y"):
            if abs(value) < 1000 or prefix == "Y":
                break
            value /= 1000
        return general(value, 4) + prefix
    return _small(value)


def _small(value: float) -> str:
    """What is below 1, with the prefix that brings it to 1 or above."""
    prefix = ""
    for smaller in "munpfazy":
        value, prefix = value * 1000, smaller
        if abs(value) >= 1:
            break
    return general(value, 4) + prefix


def humanize1024(value: float) -> str:
    """Binary prefixes, four significant digits."""
    if abs(value) <= 1 or not math.isfinite(value):
        return general(value, 4)
    prefix = ""
    for prefix in ("", "ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"):
        if abs(value) < 1024 or prefix == "Yi":
            break
        value /= 1024
    return general(value, 4) + prefix


def humanize_duration(value: float) -> str:
    """Seconds as days, hours, minutes and seconds; below a minute with four significant digits."""
    if not math.isfinite(value):
        return general(value, 4)
    if value == 0:
        return general(value, 4) + "s"
    if abs(value) >= 1:
        sign, left = ("-", -int(value)) if value < 0 else ("", int(value))
        seconds, minutes, hours, days = left % 60, left // 60 % 60, left // 3600 % 24, left // 86400
        if days:
            return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
        if hours:
            return f"{sign}{hours}h {minutes}m {seconds}s"
        if minutes:
            return f"{sign}{minutes}m {seconds}s"
        return general(value, 4) + "s"
    return _small(value) + "s"


def humanize_percentage(value: float) -> str:
    """A share as a percentage, four significant digits."""
    return general(value * 100, 4) + "%"


_FUNCTIONS: dict[str, Callable[[float], str]] = {
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
}
