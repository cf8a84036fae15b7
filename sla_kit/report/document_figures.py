"""Figures and budgets in report.json."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from sla_kit.report.formats import number

if TYPE_CHECKING:
    from sla_kit.engine import results


class Budget(Struct, frozen=True, kw_only=True):
    """An error budget in events: bad events allowed, spent and left, and the same as minutes of full outage."""

    allowed: float | None
    spent: float | None
    left: float | None
    left_ratio: float | None
    allowed_minutes: float | None
    spent_minutes: float | None


class Figure(Struct, frozen=True, kw_only=True):
    """What a set of buckets says of one promise. ``interval`` is the 95 % Wilson interval of the SLI, low and high;
    ``value`` the measured figure itself (seconds, or a gauge's own unit); ``met`` null where it can't be told, with
    the ``reason``."""

    sli: float | None
    good: float | None
    bad: float | None
    total: float | None
    coverage: float | None
    met: bool | None
    reason: str
    interval: list[float | None] | None
    value: float | None
    budget: Budget


def _budget(budget: results.Budget) -> Budget:
    return Budget(
        allowed=number(budget.allowed),
        spent=number(budget.spent),
        left=number(budget.left),
        left_ratio=number(budget.left_ratio),
        allowed_minutes=number(budget.allowed_minutes),
        spent_minutes=number(budget.spent_minutes),
    )


def figure_of(figure: results.Figure) -> Figure:
    """A figure as plain values."""
    return Figure(
        sli=number(figure.sli),
        good=number(figure.good),
        bad=number(figure.bad),
        total=number(figure.total),
        coverage=number(figure.coverage),
        met=truth(figure.met),
        reason=figure.reason,
        interval=None if figure.interval is None else [number(bound) for bound in figure.interval],
        value=number(figure.value),
        budget=_budget(figure.budget),
    )


def sure(value: float) -> float:
    """A number that the catalogue or the clock gave, and so is known."""
    known = number(value)
    if known is None:
        raise ValueError(f"not a finite number: {value}")
    return known


def truth(value: bool | None) -> bool | None:
    """A verdict as a plain one, whichever library's truth it was."""
    return None if value is None else bool(value)
