"""The calendar's series say what the calendar says, on a real Prometheus, at any moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import requests
from hypothesis import given
from hypothesis import strategies as st

from sla_kit.catalogue.intervals import Interval
from sla_kit.catalogue.model import Calendar, Catalogue, Occasion, Service
from sla_kit.rules.calendar import ENDS, EVENT, MAINTENANCE, STARTS_IN, horizon, occurrences, rule_files, runs
from sla_kit.rules.model import AlertingRule, RecordingRule
from tests.servers import Prometheus, prometheus

AT = datetime(2026, 10, 5, tzinfo=UTC).timestamp()
CATALOGUE = Catalogue(
    name="league",
    timezone="America/New_York",
    services=[Service(name="api"), Service(name="web"), Service(name="backups")],
    calendar=Calendar(
        events=[
            Occasion(name="Sunday", start="2026-09-06T13:00", duration=12600, repeat="FREQ=WEEKLY;BYDAY=SU"),
            Occasion(
                name="Thursday",
                start="2026-09-03T20:15",
                duration=12600,
                repeat="FREQ=WEEKLY;BYDAY=TH",
                except_dates=["2026-11-26T20:15"],
                services=["api"],
            ),
            Occasion(name="Final", start="2027-02-07T18:30", end="2027-02-07T23:00"),
            Occasion(
                name="Monthly", start="2026-10-31T23:00", end="2026-11-01T04:00", repeat="FREQ=MONTHLY;BYMONTHDAY=31"
            ),
        ],
        maintenance=[
            Occasion(name="Nodes", start="2026-10-06T05:00", duration=1800, repeat="FREQ=DAILY", services=["web"])
        ],
    ),
)


@pytest.fixture(scope="module", params=["2", "3"])
def server(request: pytest.FixtureRequest) -> Iterator[Prometheus]:
    with prometheus(request.param) as running:
        yield running


def value(server: Prometheus, expression: str, at: float) -> float | None:
    answer = requests.get(
        server.url + "/api/v1/query", params={"query": expression, "time": str(at)}, timeout=120
    ).json()
    assert answer["status"] == "success", answer
    found = answer["data"]["result"]
    assert len(found) <= 1
    return float(found[0]["value"][1]) if found else None


def moments(found: list[Interval]) -> list[int]:
    """Every edge of some occurrences, and moments anywhere."""
    start, end = horizon(AT)
    chosen = random.Random(7)
    edges = chosen.sample(
        [edge + shift for each in found for edge in (each.start, each.end) for shift in (-1, 0, 1)], 120
    )
    return edges + [chosen.randrange(start, end) for _ in range(60)]


def test_a_series_is_there_exactly_while_an_occurrence_goes_on(server: Prometheus) -> None:
    [file] = rule_files(CATALOGUE, AT)
    [group] = file.groups
    recorded = [rule for rule in group.rules if isinstance(rule, RecordingRule)]
    series = {(rule.record, rule.labels.get("service", "")) for rule in recorded}
    assert series == {(EVENT, "api"), (EVENT, "web"), (EVENT, "backups"), (MAINTENANCE, "web"), (STARTS_IN, "")}
    for rule in recorded:
        occasions = CATALOGUE.calendar.maintenance if rule.record == MAINTENANCE else CATALOGUE.calendar.events
        found = occurrences(CATALOGUE, occasions, AT)
        for at in moments(found):
            if rule.record == STARTS_IN:
                coming = [each.start - at for each in found if each.start > at]
                merged = [
                    each.start - at
                    for each in found
                    if each.start > at and not any(o.start < each.start <= o.end for o in found)
                ]
                assert value(server, rule.expression, at) == (min(merged) if merged else None), (at, coming[:1])
            else:
                mine = [each for each in found if each.concerns(rule.labels["service"])]
                expected = 1.0 if any(each.start <= at < each.end for each in mine) else None
                assert value(server, rule.expression, at) == expected, (rule.labels, at)


def test_somebody_is_told_before_the_calendar_runs_out(server: Prometheus) -> None:
    [file] = rule_files(CATALOGUE, AT)
    [alert] = [rule for rule in file.groups[0].rules if isinstance(rule, AlertingRule)]
    end = horizon(AT)[1]
    assert alert.alert == ENDS
    assert value(server, alert.expression, end - 30 * 86400) is None
    assert value(server, alert.expression, end - 30 * 86400 + 1) is not None


def test_rules_stay_the_same_for_a_quarter() -> None:
    days = [datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, tzinfo=UTC)]
    first, last = (rule_files(CATALOGUE, day.timestamp()) for day in days)
    assert first == last
    assert rule_files(CATALOGUE, datetime(2027, 1, 1, tzinfo=UTC).timestamp()) != first
    assert rule_files(Catalogue(name="empty", services=[]), AT) == ()


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=25), st.sampled_from([3600, 43200, 86400]))
def test_runs_hold_the_same_time_as_what_they_are_made_of(spans: list[tuple[int, int]], unit: int) -> None:
    found = [Interval(start * unit, start * unit + length * 1800, "x") for start, length in spans]
    made = runs(found)
    for at in range(-1800, 75 * unit, max(900, unit // 4)):
        expected = any(each.start <= at < each.end for each in found)
        inside = [
            run
            for run in made
            if run.first <= at < run.last + run.length and (not run.step or (at - run.first) % run.step < run.length)
        ]
        assert bool(inside) == expected
