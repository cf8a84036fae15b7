"""The tables of a backtest, as texts: the same for a terminal and for a page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sla_kit.backtest.results import AlertResult, Backtest, Score, Spent
from sla_kit.backtest.titles import titles
from sla_kit.report import formats

NONE = "–"
#: How many alerts a sentence names.
_NAMED = 5
#: In a comparison: what is told of each alert, and its title.
_COMPARED: tuple[tuple[str, Callable[[AlertResult | None], str]], ...] = (
    ("Firings", lambda one: NONE if one is None else str(len(one.firings))),
    ("Pages a week", lambda one: NONE if one is None else weekly(one.pages_per_week)),
    ("Precision", lambda one: share(one.score.precision if one and one.score else None)),
    ("Recall", lambda one: share(one.score.recall if one and one.score else None)),
    ("Detected after", lambda one: length(one.score.detect_median if one and one.score else None)),
)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table: titles, rows of cells, and a note under each row's first cell ("" where there is none)."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]


def alerts_table(found: Backtest, brief: bool = False) -> Sheet:
    """Every alert of the rules as given, those that fired most first; in a ``brief`` one without those that had nothing
    to read."""
    columns = ["Alert", "Severity", "Firings", "Firing for", "Pages a week", "Again soon", "Short"]
    if found.incidents:
        columns += ["Precision", "Recall", "Detected after", "at worst"]
        if _with_budgets(found):
            columns.append("Budget before")
    rows, notes = [], []
    for one, title in titled(found):
        if brief and one.absent:
            continue
        row = [
            title,
            one.severity or NONE,
            str(len(one.firings)),
            length(one.firing_seconds) if one.firings else NONE,
            weekly(one.pages_per_week),
            str(one.refires),
            str(one.short),
        ]
        rows.append((*row, *_scored(found, one.score)))
        notes.append("; ".join([one.never, *one.notes] if one.never else one.notes))
    first = found.variants[0]
    if found.incidents and first.overall is not None:
        total = [
            "all alerts", "", str(first.overall.firings), "", weekly(first.pages_per_week),
            str(sum(one.refires for one in first.alerts)), str(sum(one.short for one in first.alerts)),
        ]  # fmt: skip
        rows.append((*total, *_scored(found, first.overall)))
        notes.append("")
    return Sheet("Alerts", tuple(columns), tuple(rows), tuple(notes))


def incidents_table(found: Backtest) -> Sheet:
    """Every known incident and which alert told of it first."""
    overall = found.variants[0].overall
    budgets = _with_budgets(found)
    columns = ["Incident", "Service", "Start", "Lasted", "First alert", "Detected after"]
    if budgets:
        columns.append("Budget before / all")
    rows = []
    for one in overall.detections if overall else ():
        incident = found.incidents[one.incident]
        name = incident.name if incident.name != incident.service else "incident"
        row = [
            name,
            incident.service or NONE,
            when(incident.start, found.timezone),
            length(incident.end - incident.start),
            one.alert or "none",
            length(one.seconds),
        ]
        if budgets:
            worst = max(one.budgets, key=lambda each: each.in_all, default=None)
            row.append(NONE if worst is None else _spent(worst))
        rows.append(tuple(row))
    return Sheet("Incidents", tuple(columns), tuple(rows), tuple("" for _ in rows))


def comparison_table(found: Backtest) -> Sheet:
    """The alerts that differ between the variants, a line each variant."""
    columns = ("Alert", "Rules", *(title for title, _ in _COMPARED))
    named = [
        dict(zip(several, variant.alerts, strict=True))
        for several, variant in zip(titles(found.variants), found.variants, strict=True)
    ]
    names = list(dict.fromkeys(title for several in named for title in several))
    rows: list[tuple[str, ...]] = []
    for name in names:
        each = [several.get(name) for several in named]
        cells = [tuple(tell(one) for _, tell in _COMPARED) for one in each]
        if len({(one.expression, one.pending_seconds) if one else None for one in each}) == 1 and len(set(cells)) == 1:
            continue
        rows += [
            (name if not number else "", variant.name, *row)
            for number, (variant, row) in enumerate(zip(found.variants, cells, strict=True))
        ]
    for number, variant in enumerate(found.variants):
        score = variant.overall
        rows.append((
            "all alerts" if not number else "",
            variant.name,
            str(sum(len(one.firings) for one in variant.alerts)),
            weekly(variant.pages_per_week),
            share(score.precision if score else None),
            share(score.recall if score else None),
            length(score.detect_median if score else None),
        ))  # fmt: skip
    return Sheet("Compared", columns, tuple(rows), tuple("" for _ in rows))


def titled(found: Backtest) -> list[tuple[AlertResult, str]]:
    """The alerts of the rules as given with their titles: those first that call people, then those that fire, as they
    come in their files."""
    first = zip(found.variants[0].alerts, titles(found.variants)[0], strict=True)
    return sorted(first, key=lambda each: (-each[0].pages, not each[0].firings))


def nothing_read(found: Backtest) -> str:
    """Which alerts of the rules as given had nothing to read, in a sentence; "" where all had."""
    absent = [one.alert for one in found.variants[0].alerts if one.absent]
    names = list(dict.fromkeys(absent))
    if not names:
        return ""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    several = f"{_several(len(absent), 'alert')} had nothing to read: the history has none of their metrics"
    return f"{several} ({', '.join(names[:_NAMED])}{more})."


def headline(found: Backtest) -> str:
    """The answer in a sentence."""
    first = found.variants[0]
    firings = sum(len(one.firings) for one in first.alerts)
    fired = sum(1 for one in first.alerts if one.firings)
    text = f"{fired} of {_several(len(first.alerts), 'alert')} would have fired, {_several(firings, 'time')} in all"
    text += f"; {weekly(first.pages_per_week)} pages a week"
    if first.overall is not None:
        text += f"; {first.overall.found} of {_several(first.overall.incidents, 'incident')} detected"
    return text + "."


def share(ratio: float | None) -> str:
    """A ratio as a percentage."""
    return NONE if ratio is None else formats.share(ratio)


def length(seconds: float | None) -> str:
    """A length of time."""
    return NONE if seconds is None else formats.duration(seconds)


def weekly(number: float) -> str:
    """A number a week."""
    return f"{number:.1f}" if number else "0"


def when(seconds: float, timezone: str) -> str:
    """A moment."""
    zone = UTC if timezone == "UTC" else ZoneInfo(timezone)
    return datetime.fromtimestamp(seconds, zone).strftime("%Y-%m-%d %H:%M")


def _spent(one: Spent) -> str:
    """Of the SLO that lost most: how much of its budget before detection, and in all."""
    before = "undetected" if one.before_detection is None else share(one.before_detection)
    return f"{one.slo}: {before} / {share(one.in_all)}"


def _scored(found: Backtest, score: Score | None) -> list[str]:
    if not found.incidents:
        return []
    if score is None:
        cells = [NONE] * 5
    else:
        cells = [
            share(score.precision), share(score.recall), length(score.detect_median), length(score.detect_worst),
            share(score.budget_median),
        ]  # fmt: skip
    return cells if _with_budgets(found) else cells[:4]


def _with_budgets(found: Backtest) -> bool:
    overall = found.variants[0].overall
    return overall is not None and any(one.budgets for one in overall.detections)


def _several(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
