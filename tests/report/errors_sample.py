"""A hand-built report of errors with everything that its readers must cope with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sla_kit.error_tracking.results import (
    Deployment,
    ErrorGroup,
    ErrorReport,
    ErrorState,
    Estimate,
    Example,
    IncidentLink,
)
from sla_kit.timeline import Finding
from tests.report.sample import NASTY, WEEK, at

RELEASE = Deployment("api", "1.4.2", at("2026-09-19T18:30"))
GAME_DAY = IncidentLink("api / availability", at("2026-09-19T20:14"), at("2026-09-19T20:42"), "api")


def group(number: int, **fields: Any) -> ErrorGroup:
    """A group of the api, frequent all week; its key begins with its number."""
    given: dict[str, Any] = {
        "service": "api",
        "key": f"{number:02d}23456789abcdef",
        "type": f"TimeoutError{number}",
        "message": "no answer from <ip> after <number> ms",
        "frames": ("shop/db.py query", "shop/orders.py place"),
        "first_seen": float(WEEK.start - 20 * 86400),
        "last_seen": WEEK.end - 60.25,
        "count": Estimate.exactly(1000.0 - number),
        "before": Estimate.exactly(900.0),
        "users": Estimate.exactly(12.0),
        "releases": (("1.4.1", 700.0), ("1.4.2", 300.0 - number)),
        "trend": (0.0, 10.0, 0.0, 400.0, 590.0 - number),
        "kinds": frozenset(),
        "state": ErrorState("api", f"{number:02d}23456789abcdef"),
    }
    return ErrorGroup(**(given | fields))


NEW = group(
    1,
    type="TypeError",
    message=f"can't read {NASTY} of ann@example.com",
    kinds=frozenset({"new", "surging"}),
    before=Estimate.exactly(0.0),
    first_seen=float(at("2026-09-19T18:40")),
    releases=(("1.4.2", 999.0),),
    deployment=RELEASE,
    incidents=(GAME_DAY, replace(GAME_DAY, title="api / latency", end=None), replace(GAME_DAY, title="third")),
    example=Example(
        time=float(at("2026-09-19T18:40")),
        message="can't read 'x' of ann@example.com, Authorization: Bearer abcdefghijklmnop",
        host="api-7f9c",
        version="1.4.2",
        trace="4bf92f3577b34da6a3ce929d0e0e4736",
        stack="TypeError: can't read\n" + "\n".join(f"    at place (orders.js:{line}:7)" for line in range(100)),
    ),
)
BACK = group(
    2,
    service="web",
    kinds=frozenset({"regressed"}),
    count=Estimate(1200.0, 1100.0, 1310.0),
    users=Estimate(40.0, 35.0, 47.0),
    state=ErrorState("web", "0223456789abcdef", "resolved", "sre", float(at("2026-09-15T10:00")), "R. Byrd", "1.4.1"),
)
USUAL = group(3, users=None, releases=())
IGNORED = group(
    4,
    kinds=frozenset({"surging"}),
    state=ErrorState("api", "0423456789abcdef", "ignored", "", float(at("2026-09-01T00:00")), "an"),
)


def errors_sample(*groups: ErrorGroup, **fields: Any) -> ErrorReport:
    """The errors of the sample's week."""
    given: dict[str, Any] = {
        "source": "http://es:9200",
        "start": float(WEEK.start),
        "end": float(WEEK.end),
        "lookback_start": float(WEEK.start - 30 * 86400),
        "groups": groups or (NEW, BACK, USUAL, IGNORED),
        "total": Estimate(4300.0, 4200.0, 4410.0),
        "before": Estimate.exactly(2700.0),
        "documents": Estimate.exactly(1_000_000.0),
        "elsewhere": Estimate(106.0, 0.0, 216.0),
        "method": "Counted by terms, estimated from a sample of 10,000.",
        "deployments": (RELEASE,),
        "findings": (Finding("partial-answer", "2 of 5 shards did not answer"),),
    }
    return ErrorReport(**(given | fields))
