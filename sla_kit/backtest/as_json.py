"""backtest.json: everything that was found, for programs. Times are RFC 3339, lengths seconds, unknown is null."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from sla_kit.backtest.results import AlertResult, Backtest, Detection, KnownIncident, Score, Variant
from sla_kit.backtest.titles import titles


def json(found: Backtest) -> str:
    """The whole content."""
    return msgspec.json.format(msgspec.json.encode(document(found)), indent=2).decode() + "\n"


def document(found: Backtest) -> dict[str, Any]:
    """The same as plain values."""
    first, *others = zip(found.variants, titles(found.variants), strict=True)
    return {
        "source": found.source,
        "engine": found.engine,
        "window": {"name": found.window.name, "start": _time(found.window.start), "end": _time(found.window.end)},
        "tolerance_seconds": found.tolerance_seconds,
        "incidents": [_incident(one) for one in found.incidents],
        **_variant(*first),
        "compared": [_variant(*one) for one in others],
        "notes": [*found.notes],
    }


def _variant(variant: Variant, titles: tuple[str, ...]) -> dict[str, Any]:
    return {
        "rules": variant.name,
        "pages": variant.pages,
        "pages_per_week": variant.pages_per_week,
        "overall": _score(variant.overall),
        "alerts": [_alert(one, title) for one, title in zip(variant.alerts, titles, strict=True)],
        "rules_notes": [*variant.notes],
    }


def _alert(one: AlertResult, title: str) -> dict[str, Any]:
    return {
        "alert": one.alert,
        "title": title,
        "labels": dict(one.labels),
        "file": one.file,
        "line": one.line or None,
        "severity": one.severity,
        "expression": one.expression,
        "for_seconds": one.pending_seconds,
        "firings": len(one.firings),
        "series": one.series,
        "firing_seconds": one.firing_seconds,
        "longest_seconds": one.longest_seconds,
        "pages": one.pages,
        "pages_per_week": one.pages_per_week,
        "refires": one.refires,
        "short_firings": one.short,
        "failed_evaluations": one.failed,
        "score": _score(one.score),
        "never": one.never or None,
        "notes": [*one.notes],
        "intervals": [
            {
                "start": _time(firing.start),
                "end": None if firing.open else _time(firing.end),
                "seconds": firing.seconds,
                "labels": dict(firing.labels),
                "value": firing.value if abs(firing.value) < float("inf") else None,
                "incidents": [*firing.incidents],
            }
            for firing in one.firings
        ],
    }


def _score(score: Score | None) -> dict[str, Any] | None:
    if score is None:
        return None
    return {
        "firings": score.firings,
        "firings_in_incidents": score.right,
        "incidents": score.incidents,
        "incidents_detected": score.found,
        "precision": score.precision,
        "time_precision": score.time_precision,
        "recall": score.recall,
        "detection_seconds": {"median": score.detect_median, "worst": score.detect_worst},
        "budget_before_detection": {"median": score.budget_median, "worst": score.budget_worst},
        "detections": [_detection(one) for one in score.detections],
    }


def _detection(one: Detection) -> dict[str, Any]:
    return {
        "incident": one.incident,
        "detected": None if one.at is None else _time(one.at),
        "alert": one.alert or None,
        "seconds": one.seconds,
        "budgets": [
            {"service": each.service, "slo": each.slo, "before_detection": each.before_detection, "in_all": each.in_all}
            for each in one.budgets
        ],
    }


def _incident(one: KnownIncident) -> dict[str, Any]:
    return {
        "name": one.name,
        "service": one.service or None,
        "slo": one.slo or None,
        "start": _time(one.start),
        "end": _time(one.end),
        "seconds": one.end - one.start,
        "origin": one.origin,
    }


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
