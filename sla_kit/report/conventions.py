"""How a language writes numbers, percentages and dates. English is built in; the others' ways come from Babel."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, cast

from sla_kit.errors import MissingExtraError, SlaKitError

if TYPE_CHECKING:
    from babel import Locale

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Conventions:
    """English as the report writes it: 1,234.5, 99.9 %, Sat 19 Sep 2026, 20:14."""

    tag = "en"  # as HTML's lang has it
    direction = "ltr"

    def number(self, text: str) -> str:
        """A number as Python writes it (1,234.5) in the language's own figures and marks."""
        return text

    def percent(self, number: str) -> str:
        """A number that `number` wrote, with its percent sign."""
        return f"{number} %"

    def day(self, local: datetime) -> str:
        """A day with its year."""
        # Not strftime's %a and %b: those depend on the machine's locale.
        return f"{_DAYS[local.weekday()]} {local.day} {_MONTHS[local.month - 1]} {local.year}"

    def short_day(self, local: datetime) -> str:
        """A day without its year, for an axis."""
        return f"{local.day} {_MONTHS[local.month - 1]}"

    def weekday(self, local: datetime) -> str:
        """A day of the week and of the month, for an axis."""
        return f"{_DAYS[local.weekday()]} {local.day:02d}"

    def clock(self, local: datetime) -> str:
        """The time of day."""
        return f"{local:%H:%M}"


@dataclass(frozen=True)
class LocaleConventions(Conventions):
    """What the Unicode Common Locale Data Repository says of a locale, as Babel holds it."""

    locale: Locale

    @property
    def tag(self) -> str:  # type: ignore[override]
        return str(self.locale).replace("_", "-")

    @property
    def direction(self) -> str:  # type: ignore[override]
        return str(self.locale.text_direction)

    def number(self, text: str) -> str:
        if self._far_grouping:
            text = _regrouped(text, self._far_grouping)
        return text.translate(self._marks)

    def percent(self, number: str) -> str:
        return self._percent.replace("0", number)

    def day(self, local: datetime) -> str:
        return self._skeleton("yMMMEd", local)

    def short_day(self, local: datetime) -> str:
        return self._skeleton("MMMd", local)

    def weekday(self, local: datetime) -> str:
        return self._skeleton("Ed", local)

    def clock(self, local: datetime) -> str:
        from babel.dates import format_time

        return _plain_spaces(format_time(local, "short", locale=self.locale))

    def _skeleton(self, skeleton: str, local: datetime) -> str:
        from babel.dates import format_skeleton

        return _plain_spaces(format_skeleton(skeleton, local, locale=self.locale))

    @property
    def _marks(self) -> dict[int, str]:
        return _marks(self.locale)

    @property
    def _percent(self) -> str:
        return _percent(self.locale)

    @property
    def _far_grouping(self) -> int:
        return _far_grouping(self.locale)


def conventions_of(code: str) -> Conventions:
    """The conventions of a language code such as ``de`` or ``pt_BR``.

    Raises `SlaKitError` for a code that is no language, `MissingExtraError` where Babel is not installed.
    """
    if code == "en":
        return Conventions()
    try:
        from babel import Locale, UnknownLocaleError
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"a report in {code!r}", "babel", "report") from error
    try:
        return LocaleConventions(Locale.parse(code.replace("-", "_")))
    except (UnknownLocaleError, ValueError) as error:
        raise SlaKitError(f"there is no language {code!r}", remedy="use a code such as de, fr or pt_BR") from error


@cache
def _marks(locale: Locale) -> dict[int, str]:
    symbols = cast("dict[str, str]", locale.number_symbols["latn"])
    return {ord(","): symbols["group"].replace("\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"),
            ord("."): symbols["decimal"]}  # fmt: skip


@cache
def _percent(locale: Locale) -> str:
    """The pattern of a percentage with 0 where the number goes."""
    pattern = locale.percent_formats[None].pattern.split(";")[0]
    return _plain_spaces(re.sub(r"[#0,.]+", "0", pattern))


@cache
def _far_grouping(locale: Locale) -> int:
    """How many digits each group but the last has, 0 where that is three as everywhere: lakhs have two."""
    groups = locale.decimal_formats[None].pattern.split(";")[0].split(".")[0].split(",")
    return len(groups[-2]) if len(groups) > 2 else 0


def _regrouped(text: str, size: int) -> str:
    whole, point, part = text.partition(".")
    sign, digits = ("", whole) if whole[:1].isdigit() else (whole[:1], whole[1:])
    if "," not in digits:
        return text
    digits = digits.replace(",", "")
    rest, last = digits[:-3], digits[-3:]
    groups = [rest[max(0, end - size) : end] for end in range(len(rest), 0, -size)]
    return sign + ",".join([*reversed(groups), last]) + point + part


def _plain_spaces(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
