"""However many rows there are, what is done all the time looks at few of them: asserted of the databases' own plans."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Connection, event, text

from sla_kit.routing.outbox import accepting, deliveries, incidents, timers
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.outbox.making import NOW, SLACK, claim, opened

#: Rows in the big tables, which the plans of both databases are made for.
MANY = 100_000
_COLUMNS = (
    "key, content, kind, destination, contact, queue, priority, state, pending, wanted, told_version, attempts,"
    " uncertain, fell_back, due_at, created_at, incident_id"
)
# Most is history, a tenth is pending at twenty destinations; of that the greater part is due.
_FILL = """
INSERT INTO delivery ({columns})
SELECT 'k' || n, {content}, 'slack', 'slack:#c' || (n / 10 % 20), 'ann', 'q' || n, n / 200 % 4,
  CASE WHEN n % 50 = 0 THEN 'dead' ELSE 'open' END, n % 10 = 1, 1, CASE WHEN n % 10 = 1 THEN 0 ELSE 1 END, 0, FALSE,
  FALSE, {now} - 1000 + n / 10 % 1200, {now} - n, NULL FROM ({numbers})
"""
_NUMBERS = {
    "sqlite": f"WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {MANY}) SELECT n FROM s",
    "postgresql": f"SELECT generate_series(1, {MANY}) AS n",
}


def fill(connection: Connection) -> None:
    """Makes big tables, and lets the database know."""
    dialect = connection.dialect.name
    numbers = _NUMBERS[dialect]
    content = "x'7b7d'" if dialect == "sqlite" else "'{}'::bytea"
    alias = "" if dialect == "sqlite" else " AS s"
    connection.execute(text(_FILL.format(columns=_COLUMNS, content=content, now=NOW, numbers=numbers).rstrip() + alias))
    connection.execute(
        text(
            f"INSERT INTO event (received_at, kind, state, urgent, body) SELECT {NOW} - n, 'notice',"
            f" CASE WHEN n % 1000 = 0 THEN 'dead' ELSE 'planned' END, false, {content} FROM ({numbers}){alias}"
        )
    )
    connection.execute(
        text(
            "INSERT INTO incident (dedup_key, open, kind, severity, service, team, opened_at, received_at, updated_at,"
            f" version, body) SELECT 'g' || (n % 1000), FALSE, 'alerts', 'info', '', '', 1, 1, {NOW} - n, 1, {content}"
            f" FROM ({numbers}){alias}"
        )
    )


@pytest.fixture(scope="module")
def big_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outbox]:
    with open_outbox(str(tmp_path_factory.mktemp("big") / "outbox.db"), exclusive=True) as outbox:
        outbox.write(fill)
        yield outbox


@pytest.fixture(scope="module")
def big_database(request: pytest.FixtureRequest) -> Iterator[Outbox]:
    server = request.getfixturevalue("server")
    address = server.database("big")
    with open_outbox(address, exclusive=True) as outbox:
        outbox.write(fill)
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
        yield outbox
    server.drop("big")


@pytest.fixture(params=["big_file", "big_database"])
def big(request: pytest.FixtureRequest) -> Outbox:
    found: Outbox = request.getfixturevalue(request.param)
    return found


def plans(outbox: Outbox, work: object) -> list[str]:
    """The plans of all that some work asks, which is then taken back."""
    found: list[str] = []

    def run(connection: Connection) -> None:
        sqlite = connection.dialect.name == "sqlite"

        def explain(  # type: ignore[no-untyped-def]
            conn, cursor, statement, parameters, context, executemany
        ) -> None:
            if not re.match(r"\s*(SELECT|WITH|UPDATE|DELETE)", statement) or executemany:
                return
            other = conn.connection.cursor()
            other.execute(f"EXPLAIN {'QUERY PLAN ' if sqlite else ''}{statement}", parameters)
            found.append("\n".join(str(row[3] if sqlite else row[0]) for row in other.fetchall()))
            other.close()

        event.listen(connection, "before_cursor_execute", explain)
        try:
            work(connection)  # type: ignore[operator]
        finally:
            event.remove(connection, "before_cursor_execute", explain)
        raise _TakenBackError

    with pytest.raises(_TakenBackError):
        outbox.write(run)
    assert found
    return found


class _TakenBackError(Exception):
    """Ends some work without a trace."""


def assert_only_searches(found: list[str]) -> None:
    """No plan goes through a table, or sorts more than a handful. SQLite says SCAN for going through all of a table or
    index, SEARCH for looking something up; PostgreSQL says Seq Scan for the former."""
    for plan in found:
        for line in plan.splitlines():
            if re.search(r"\bSCAN (delivery|event|incident|d|e|i|attachment)\b", line):
                assert re.search(r"USING (COVERING )?INDEX (event_new|event_dead|delivery_leased)", line), plan
            assert not re.search(r"Seq Scan on (delivery|event|incident)", line), plan


def test_claiming_searches_whatever_is_pending(big: Outbox) -> None:
    found = plans(big, lambda connection: claim(connection, limit=50))
    assert_only_searches(found)
    due = [plan for plan in found if "delivery_due" in plan]
    assert due
    if big.is_sqlite:
        ordered = [plan for plan in due if "CORRELATED" in plan and "RECURSIVE" not in plan]
        assert ordered
        assert not any("TEMP B-TREE" in plan for plan in ordered), ordered


def test_claiming_what_is_excluded_or_not_due_looks_at_nothing_else(big: Outbox) -> None:
    names = [f"slack:#c{number}" for number in range(20)]
    with big.reading() as connection:
        assert len(connection.execute(text("SELECT 1 FROM delivery WHERE pending")).all()) == MANY // 10
    assert len(plans(big, lambda connection: claim(connection, excluding=names))) <= 2
    assert len(plans(big, lambda connection: claim(connection, now=NOW - 1e6))) <= 2


def test_the_end_of_an_attempt_and_a_want_are_found_by_their_keys(big: Outbox) -> None:
    def work(connection: Connection) -> None:
        stored = opened(connection, "new", SLACK)
        incidents.find_open(connection, "new")
        incidents.recent(connection, "new")
        deliveries.told_of(connection, stored.id)
        (claimed,) = claim(connection, limit=1, kinds=["slack"], excluding=[f"slack:#c{n}" for n in range(20)])
        deliveries.remember(connection, claimed, {"ts": "1"})
        deliveries.succeed(connection, claimed, None, NOW)
        deliveries.revive(connection, [1, 2, 3], NOW)
        deliveries.drop(connection, [1, 2, 3], NOW)
        deliveries.release(connection, "a", NOW)
        deliveries.history(connection, 1)

    found = [plan for plan in plans(big, work) if "history" not in plan]
    assert_only_searches(found)


def test_new_events_timers_and_old_rows_are_found_by_their_indexes(big: Outbox) -> None:
    def work(connection: Connection) -> None:
        accepting.new_events(connection, 100)
        accepting.dead_events(connection)
        accepting.waiting_events(connection)
        timers.next_due(connection)
        deliveries.purge(connection, NOW - MANY + 10)

    found = [plan for plan in plans(big, work) if "history" not in plan]
    assert_only_searches(found)
    for index in ("delivery_created", "incident_updated", "event_received", "attachment_created"):
        assert any(index in plan for plan in found) or (index == "attachment_created" and not big.is_sqlite), index


def test_figures_read_small_indexes_alone(big: Outbox) -> None:
    found = plans(big, lambda connection: deliveries.figures(connection, NOW))
    for plan in found:
        assert "Seq Scan" not in plan
        assert not big.is_sqlite or re.search("COVERING INDEX delivery_|INDEX event_", plan), plan
    with big.reading() as connection:
        figures = deliveries.figures(connection, NOW)
    assert sum(figures.pending.values()) == MANY // 10
    assert sum(figures.dead.values()) == MANY // 50
    assert figures.dead_events == MANY // 1000


def test_pages_of_each_state_are_right_in_a_big_outbox(big: Outbox) -> None:
    with big.reading() as connection:
        for state in ("pending", "dead", "delivered"):
            found = deliveries.page(connection, state=state, limit=10)
            assert [one.state for one in found] == [state] * 10
            assert [one.id for one in found] == sorted((one.id for one in found), reverse=True)


def test_a_page_of_what_is_pending_passes_nothing_that_is_finished(big: Outbox) -> None:
    [found] = plans(big, lambda connection: deliveries.page(connection, state="pending", limit=10))
    assert "delivery_pending" in found or not big.is_sqlite
    assert "Seq Scan" not in found


def test_the_plans_are_those_of_a_file_that_was_just_made(tmp_path: Path) -> None:
    """Nothing is known of an empty file's tables: the plans must not need that."""
    with open_outbox(str(tmp_path / "outbox.db")) as empty:
        assert_only_searches(plans(empty, claim))
