"""report.csv: one row an SLO with the full numbers, for spreadsheets and frames."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from sla_kit.report.document import to_report
from sla_kit.visibility import visible

if TYPE_CHECKING:
    from sla_kit.engine.results import Evaluation

#: Column, and where its value stands in the SLO's part of report.json.
COLUMNS: dict[str, tuple[str | int, ...]] = {
    "service": ("service",),
    "slo": ("slo",),
    "promise": ("promise",),
    "kind": ("kind",),
    "unit": ("unit",),
    "objective": ("objective",),
    "sli": ("sli",),
    "interval_low": ("interval", 0),
    "interval_high": ("interval", 1),
    "good": ("good",),
    "bad": ("bad",),
    "total": ("total",),
    "coverage": ("coverage",),
    "met": ("met",),
    "reason": ("reason",),
    "value": ("value",),
    "threshold": ("threshold",),
    "quantile": ("quantile",),
    "budget_allowed": ("budget", "allowed"),
    "budget_spent": ("budget", "spent"),
    "budget_left": ("budget", "left"),
    "budget_left_ratio": ("budget", "left_ratio"),
    "budget_allowed_minutes": ("budget", "allowed_minutes"),
    "budget_spent_minutes": ("budget", "spent_minutes"),
    "own_window": ("own_window", "name"),
    "own_start": ("own_window", "start"),
    "own_end": ("own_window", "end"),
    "own_sli": ("own", "sli"),
    "own_met": ("own", "met"),
    "own_budget_allowed": ("own", "budget", "allowed"),
    "own_budget_spent": ("own", "budget", "spent"),
    "own_budget_left_ratio": ("own", "budget", "left_ratio"),
    "before_sli": ("before", "sli"),
    "during_events_sli": ("during_events", "sli"),
    "outside_events_sli": ("outside_events", "sli"),
    "without_exclusions_sli": ("without_exclusions", "sli"),
    "without_exclusions_good": ("without_exclusions", "good"),
    "without_exclusions_bad": ("without_exclusions", "bad"),
    "without_exclusions_total": ("without_exclusions", "total"),
    "without_exclusions_met": ("without_exclusions", "met"),
    "sla_objective": ("sla", "objective"),
    "sla_met": ("sla", "met"),
    "incidents": ("incident_count",),
    "owner": ("owner",),
    "severity": ("severity",),
    "action": ("action",),
    "description": ("description",),
}
#: The same of an SLO that is compared with another, where any is.
_COMPARED: dict[str, tuple[str | int, ...]] = {
    "compared_service": ("second", "service"),
    "compared_slo": ("second", "slo"),
    "compared_sli": ("second", "sli"),
    "compared_bad": ("second", "bad"),
    "compared_total": ("second", "total"),
    "compared_coverage": ("second", "coverage"),
    "compared_difference": ("difference",),
    "compared_total_difference": ("total_difference",),
    "compared_agree": ("agree",),
}
_OF_THE_REPORT = ("catalogue", "environment", "window", "start", "end")


def render(evaluation: Evaluation) -> str:
    """A header and one row an SLO (RFC 4180); an unknown value is an empty cell, verdicts are true and false."""
    report = to_report(evaluation)
    columns = {**COLUMNS, **_of_rollups(evaluation)}
    compared = {(each.first.service, each.first.slo): each for each in report.comparisons}
    sides = _COMPARED if compared else {}
    window = report.window
    shared = [cell(text) for text in (report.catalogue, report.environment, window.name, window.start, window.end)]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*_OF_THE_REPORT, *columns, *sides])
    for slo in report.slos:
        beside = compared.get((slo.service, slo.slo))
        told = [cell(_at(slo, path)) for path in columns.values()]
        writer.writerow([*shared, *told, *(cell(_at(beside, path)) for path in sides.values())])
    return out.getvalue()


def _of_rollups(evaluation: Evaluation) -> dict[str, tuple[str | int, ...]]:
    """The columns of each period beside the window, named after it: rollup_2026-09_sli."""
    periods = [rollup.period.name for rollup in evaluation.slos[0].rollups] if evaluation.slos else []
    return {
        f"rollup_{name}_{'_'.join(path)}": ("rollups", place, "figure", *path)
        for place, name in enumerate(periods)
        for path in (("sli",), ("bad",), ("total",), ("coverage",), ("met",), ("budget", "left_ratio"))
    }


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        if value is None:
            return None
        value = getattr(value, step) if isinstance(step, str) else value[step]
    return value


def cell(value: Any) -> str:
    """A value as a cell: exact, and nothing that a spreadsheet would run."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    text = str(value)
    # A spreadsheet runs a cell that begins with one of these as a formula; an apostrophe makes it text.
    formula = text.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"))
    return "'" + visible(text) if formula else visible(text)
