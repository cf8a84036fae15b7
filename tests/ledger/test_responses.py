"""Responses to incidents: kept once each, chained, verified, and summed up into times to acknowledge and to recover."""

from __future__ import annotations

import json
import math
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import psycopg
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sla_kit.cli import main
from sla_kit.ledger import open_ledger
from sla_kit.ledger.response_times import (
    Times,
    in_time,
    percentile,
    seconds_to_acknowledge,
    seconds_to_tell,
    summaries,
    times,
)
from sla_kit.ledger.store import REVISION
from sla_kit.ledger.verifying import verify_ledger
from sla_kit.routing.delivering import Response
from tests.ledger.test_together import together

T = 1_790_000_000.0
MINUTE = 60.0


def response(number: int = 1, *, took: float | None = 120, lasted: float = 900, **fields: Any) -> Response:
    """An incident that opened ``number`` hours after T, was told after 10 s, taken ``took`` seconds after that."""
    opened = T + number * 3600
    given: dict[str, Any] = {
        "dedup_key": f"group-{number}",
        "title": f"api-{number}: error budget burns",
        "labels": {"service": "api", "team": "platform"},
        "severity": "critical",
        "opened_at": opened,
        "told_at": opened + 10,
        "acknowledged_at": None if took is None else opened + 10 + took,
        "acknowledged_by": "" if took is None else "R. Byrd",
        "resolved_at": opened + lasted,
    }
    return Response(**(given | fields))


def test_a_response_is_kept_once_however_often_it_is_told(address: str) -> None:
    for _ in range(2):  # opened anew, as after a crash
        with open_ledger(address) as ledger:
            told = [ledger.record(response(number)) for number in (1, 2, 1)]
    assert told == [False, False, False]
    with open_ledger(address) as ledger:
        assert ledger.responses() == [response(1), response(2)]
        assert verify_ledger(ledger) == []


def test_two_writers_at_once_make_one_chain(address: str) -> None:
    open_ledger(address).close()

    def write() -> None:
        with open_ledger(address) as ledger:
            for number in range(10):
                ledger.record(response(number))

    assert together([write] * 3)
    with open_ledger(address) as ledger:
        assert ledger.responses() == [response(number) for number in range(10)]
        assert verify_ledger(ledger) == []


def test_one_that_fired_on_after_it_was_closed_is_one_incident_to_the_last_end(address: str) -> None:
    closed = response(lasted=300)
    again = msgspec.structs.replace(
        closed, told_at=T + 5000, acknowledged_at=None, acknowledged_by="", resolved_at=T + 9000
    )
    with open_ledger(address) as ledger:
        assert ledger.record(closed)
        assert ledger.record(again)
        assert not ledger.record(closed)
        assert ledger.responses() == [msgspec.structs.replace(closed, resolved_at=T + 9000)]
        assert verify_ledger(ledger) == []


def test_responses_are_found_by_time_severity_and_team(address: str) -> None:
    mine = response(2, severity="warning", labels={"team": "web"})
    with open_ledger(address) as ledger:
        for one in (response(3), mine, response(1)):
            ledger.record(one)
        assert ledger.responses(T + 3600, T + 3 * 3600) == [response(1), mine]
        assert ledger.responses(severity="warning") == [mine]
        assert ledger.responses(team="web") == [mine]
        assert ledger.responses(team="nobody") == []


def test_altering_a_response_shows(address: str) -> None:
    with open_ledger(address) as ledger:
        for number in (1, 2, 3):
            ledger.record(response(number))
    later = "UPDATE response SET content = replace(content, 'R. Byrd', 'A. Nother') WHERE number = 2"
    moved = "UPDATE response SET opened_at = opened_at + 1 WHERE number = 3"
    if "://" not in address:
        with closing(sqlite3.connect(address, isolation_level=None)) as connection:
            for statement in (later, "DELETE FROM response"):
                with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                    connection.execute(statement)
            connection.execute("DROP TRIGGER response_no_update")
            connection.execute(later)
            connection.execute(moved)
    else:
        with psycopg.connect(address, autocommit=True) as session:
            for statement in (later, "DELETE FROM response", "TRUNCATE response"):
                with pytest.raises(psycopg.Error, match="never changed"):
                    session.execute(statement)
            session.execute("ALTER TABLE response DISABLE TRIGGER ALL")
            session.execute(later)
            session.execute(moved)
    with open_ledger(address) as ledger:
        problems = [str(problem) for problem in verify_ledger(ledger)]
    assert problems == [
        "response 2: it, or one before it, was altered or taken away",
        "response 3: its incident or its time was altered: its content says another",
    ]


def test_a_ledger_from_before_there_were_responses_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(str(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for table in ("response", "error_state"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE alembic_version SET version_num = '0002'")
    with open_ledger(str(path)) as ledger:
        assert ledger.record(response())
        with ledger.store.reading() as read:
            assert read.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION


# --- figures --------------------------------------------------------------------------------------------------------


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    # https://en.wikipedia.org/wiki/Percentile#The_nearest-rank_method, its worked example
    worked = [15.0, 20.0, 35.0, 40.0, 50.0]
    assert [percentile(worked, percent) for percent in (5, 30, 40, 50, 100)] == [15, 20, 20, 35, 50]
    assert percentile([], 50) is None
    assert times([3.0, None, 1.0, 2.0]) == Times(3, 2.0, 3.0)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=200), st.integers(1, 100))
def test_a_percentile_is_the_shortest_that_enough_do_not_exceed(values: list[float], percent: int) -> None:
    ordered = sorted(values)
    found = percentile(ordered, percent)
    assert found in values
    enough = percent * len(values)
    assert 100 * sum(one <= found for one in values) >= enough
    assert 100 * sum(one < found for one in values) < enough


def test_who_took_it_in_time_and_who_did_not() -> None:
    within = 5 * MINUTE
    assert in_time(response(took=300), within)
    assert not in_time(response(took=301), within)
    assert not in_time(response(took=None), within)
    assert in_time(response(took=None, lasted=310), within)  # over before anybody had to
    assert in_time(response(took=None), None) is None
    assert seconds_to_acknowledge(response(told_at=None, took=110)) == 120


def test_a_page_whose_confirmation_came_after_somebody_took_it_counts_from_its_beginning() -> None:
    late = response(took=120, told_at=T + 3600 + 400)
    assert seconds_to_acknowledge(late) == 130
    assert seconds_to_tell(late) == 130
    assert seconds_to_acknowledge(response(took=-50)) == 0  # clocks differ


def test_severities_are_summed_up_the_most_urgent_first() -> None:
    promised = {"critical": 300.0, "warning": 1800.0}
    held = [response(n, took=60 * n, lasted=600 * n) for n in range(1, 11)]
    held += [response(20, severity="info", took=None), response(21, severity="warning", took=1000)]
    found = summaries(held, promised.get)
    assert [one.severity for one in found] == ["critical", "warning", "info"]
    critical = found[0]
    assert critical.tell == Times(10, 10, 10)
    assert critical.acknowledge == Times(10, 300, 600)
    assert critical.recover == Times(10, 3000, 6000)
    assert (critical.judged, critical.in_time, critical.share) == (10, 5, 0.5)
    assert (found[2].judged, found[2].share) == (0, None)


@given(
    st.lists(
        st.builds(
            response,
            st.integers(0, 5),
            took=st.none() | st.floats(-10, 10_000),
            lasted=st.floats(0, 10_000),
            severity=st.sampled_from(["critical", "warning", "info"]),
        ),
        max_size=20,
    )
)
def test_every_incident_is_counted_once(held: list[Response]) -> None:
    found = summaries(held, {"critical": 300.0}.get)
    assert sum(one.incidents for one in found) == len(held)
    for one in found:
        assert one.in_time <= one.judged <= one.incidents
        assert one.recover.count == one.incidents
        assert one.share is None or 0 <= one.share <= 1


# --- the command ----------------------------------------------------------------------------------------------------


def run(*words: object, code: int = 0) -> str:
    result = CliRunner(env={"COLUMNS": "200"}).invoke(main, ["ledger", "responses", *map(str, words)])
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.db"
    with open_ledger(str(path)) as ledger:
        ledger.record(response(1, title="api: [bold]odd[/] title"))
        ledger.record(response(2, took=None, severity="warning", labels={"service": "web", "team": "web"}))
        ledger.record(response(3, took=400, lasted=2 * 86400 + 3700))
    return path


def test_the_command_shows_incidents_and_figures(kept: Path) -> None:
    shown = run("--ledger", kept, "--since", T, "--until", T + 86400)
    for words in ("api: [bold]odd[/] title", "2 min", "6 min 40 s late", "2 d 1 h", "50.0% ≤ 5 min", "R. Byrd"):
        assert words in shown
    assert "nearest rank" in shown


def test_the_command_tells_everything_as_json(kept: Path) -> None:
    found = json.loads(run("--ledger", kept, "--since", T, "--until", T + 86400, "--json"))
    assert [one["dedup_key"] for one in found["incidents"]] == ["group-1", "group-2", "group-3"]
    assert found["incidents"][0] == {
        "dedup_key": "group-1",
        "title": "api: [bold]odd[/] title",
        "severity": "critical",
        "service": "api",
        "team": "platform",
        "opened": "2026-09-21T15:13:20Z",
        "told": "2026-09-21T15:13:30Z",
        "acknowledged": "2026-09-21T15:15:30Z",
        "acknowledged_by": "R. Byrd",
        "resolved": "2026-09-21T15:28:20Z",
        "seconds_to_tell": 10.0,
        "seconds_to_acknowledge": 120.0,
        "seconds_to_recover": 900.0,
        "in_time": True,
        "escalations": None,
    }
    assert found["severities"][0]["in_time_ratio"] == 0.5
    assert found["severities"][0]["seconds_to_acknowledge"] == {"count": 2, "median": 120.0, "p95": 400.0}


def test_the_command_takes_the_promise_from_a_catalogue_and_narrows_down(kept: Path, tmp_path: Path) -> None:
    (tmp_path / "sla.yml").write_text("""
name: shop
severities: [{name: critical, respond_within: 7m}]
services:
  - name: api
    slos:
      - name: availability
        objective: 99.9%
        window: 7d
        sli: {kind: requests, metric: http_requests_total, bad: {status_code: =~5..}}
""")
    found = json.loads(
        run("-c", tmp_path / "sla.yml", "-l", kept, "--since", T, "--until", T + 86400, "--team", "platform", "--json")
    )
    assert [one["severity"] for one in found["severities"]] == ["critical"]
    assert found["severities"][0]["in_time_ratio"] == 1
    assert "No incident" in run("-l", kept, "--since", "1d", "--until", T)
    assert (
        len(json.loads(run("-l", kept, "--since", "1d", "--until", T + 86400, "--severity", "warning", "--json"))) == 3
    )


def test_without_a_ledger_the_command_says_so(tmp_path: Path) -> None:
    assert "there is no ledger" in run("-l", tmp_path / "none.db", code=2)


def test_all_times_are_the_default_of_the_library(kept: Path) -> None:
    with open_ledger(str(kept)) as ledger:
        assert len(ledger.responses(-math.inf, math.inf)) == 3
