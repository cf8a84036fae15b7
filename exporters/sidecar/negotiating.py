"""What a client would rather have, by its headers Accept and Accept-Encoding (RFC 9110, section 12.5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class _Range:
    """One entry of a header: its value in small letters, its parameters, its weight."""

    value: str
    parameters: dict[str, str]
    weight: float


def wants_openmetrics(accept: str) -> bool:
    """Whether OpenMetrics 1.0.0 is at least as welcome as the classic text, which is what a client gets that does not
    name either.

    Of the entries that fit, the most specific says how welcome a format is. Who accepts neither gets the text: an
    answer that can be read beats none.
    """
    ranges = list(_ranges(accept))
    openmetrics, named = _weight(ranges, "application", "openmetrics-text", ("1.0.0",))
    text, _ = _weight(ranges, "text", "plain", ("0.0.4",))
    return openmetrics > text or (openmetrics == text > 0 and named)


def wants_gzip(accept_encoding: str) -> bool:
    """Whether gzip is acceptable, and nothing says that the plain body is preferred."""
    weights = {each.value: each.weight for each in _ranges(accept_encoding)}
    gzip = max(weights.get("gzip", -1.0), weights.get("x-gzip", -1.0))
    if gzip < 0:
        gzip = weights.get("*", 0.0)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def _weight(ranges: list[_Range], kind: str, name: str, versions: tuple[str, ...]) -> tuple[float, bool]:
    """How welcome a media type is, and whether it is named rather than fitting a wildcard."""
    best, found = -1, 0.0
    for each in ranges:
        if each.value == f"{kind}/{name}":
            version = each.parameters.get("version")
            if version is not None and version not in versions:
                continue
            precision = 2 if version is None else 3
        elif each.value == f"{kind}/*":
            precision = 1
        elif each.value == "*/*":
            precision = 0
        else:
            continue
        if precision > best:
            best, found = precision, each.weight
        elif precision == best:
            found = max(found, each.weight)
    return found, best >= 2


def _ranges(header: str) -> Iterator[_Range]:
    for part in header.split(","):
        value, *parameters = (piece.strip() for piece in part.split(";"))
        if not value:
            continue
        found: dict[str, str] = {}
        for parameter in parameters:
            name, _, setting = parameter.partition("=")
            found.setdefault(name.strip().lower(), setting.strip().strip('"').lower())
        yield _Range(value.lower(), found, _parsed(found.get("q", "1")))


def _parsed(weight: str) -> float:
    """A weight from 0 to 1; what is none counts as 0, as if the entry were not there."""
    try:
        number = float(weight)
    except ValueError:
        return 0.0
    return number if 0.0 <= number <= 1.0 else 0.0
