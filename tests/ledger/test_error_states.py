"""What is said of groups of errors: kept in order, chained, verified, and read as how each group stands."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from sla_kit.error_tracking.results import ErrorState
from sla_kit.errors import LedgerError
from sla_kit.ledger import error_states, open_ledger
from sla_kit.ledger.store import REVISION
from sla_kit.ledger.verifying import verify_ledger
from tests.ledger.test_together import together

T = 1_790_000_000.0
KEY = "0123456789abcdef"


def test_a_group_stands_as_it_was_said_last(address: str) -> None:
    with open_ledger(address) as ledger:
        assert ledger.error_states() == {}
        first = ledger.say_of_error("api", KEY, status="resolved", release="1.4.2", note="mended", by="rb", at=T)
        assert first == ErrorState("api", KEY, "resolved", "", T, "rb", "1.4.2", "mended")
        ledger.say_of_error("api", "other", status="ignored", by="rb", at=T + 1)
        ledger.say_of_error("web", KEY, status="open", by="an", at=T + 2)
    with open_ledger(address) as ledger:  # opened anew
        assert ledger.error_states() == {
            ("api", KEY): first,
            ("api", "other"): ErrorState("api", "other", "ignored", "", T + 1, "rb"),
            ("web", KEY): ErrorState("web", KEY, "open", "", T + 2, "an"),
        }
        assert verify_ledger(ledger) == []


def test_to_say_whose_it_is_leaves_when_it_was_resolved(address: str) -> None:
    """A group has regressed that was seen after it was resolved: that moment must not move."""
    with open_ledger(address) as ledger:
        ledger.say_of_error("api", KEY, status="resolved", release="1.4.2", by="rb", at=T)
        owned = ledger.say_of_error("api", KEY, owner="sre", by="an", at=T + 60)
        assert owned == ErrorState("api", KEY, "resolved", "sre", T, "rb", "1.4.2")
        again = ledger.say_of_error("api", KEY, status="open", by="an", at=T + 120)
        assert again == ErrorState("api", KEY, "open", "sre", T + 120, "an")
        assert ledger.say_of_error("api", KEY, owner="", by="an", at=T + 180).owner == ""


def test_the_history_has_what_was_said_and_by_whom(address: str) -> None:
    with open_ledger(address) as ledger:
        ledger.say_of_error("api", KEY, owner="sre", by="rb", at=T)
        ledger.say_of_error("web", KEY, status="ignored", by="rb", at=T + 1)
        ledger.say_of_error("api", KEY, status="resolved", note="it's gone: – “quoted”", by="an", at=T + 2)
        said = ledger.said_of_errors(service="api", key=KEY)
        assert [(one.status, one.owner, one.by, one.note) for one in said] == [
            (None, "sre", "rb", ""),
            ("resolved", None, "an", "it's gone: – “quoted”"),
        ]
        assert len(ledger.said_of_errors()) == 3


def test_environments_are_held_apart(address: str) -> None:
    with open_ledger(address) as ledger:
        ledger.say_of_error("api", KEY, status="resolved", at=T, environment="staging")
        assert ledger.error_states() == {}
        assert ledger.error_states("staging")["api", KEY].status == "resolved"


def test_what_says_nothing_is_refused(tmp_path: Path) -> None:
    with open_ledger(str(tmp_path / "ledger.db")) as ledger:
        with pytest.raises(LedgerError, match="nothing is said"):
            ledger.say_of_error("api", KEY)
        with pytest.raises(LedgerError, match="a service and a key"):
            ledger.say_of_error("api", "", status="open")
        with pytest.raises(LedgerError, match="too long"):
            ledger.say_of_error("api", "x" * 513, status="open")
        with pytest.raises(LedgerError, match="no time"):
            ledger.say_of_error("api", KEY, status="open", at=float("nan"))
        assert ledger.said_of_errors() == []


def test_two_writers_at_once_make_one_chain(address: str) -> None:
    open_ledger(address).close()

    def write() -> None:
        with open_ledger(address) as ledger:
            for number in range(10):
                ledger.say_of_error("api", f"group-{number}", status="resolved", at=T)

    assert together([write] * 3)
    with open_ledger(address) as ledger:
        assert len(ledger.said_of_errors()) == 30
        assert len(ledger.error_states()) == 10
        assert verify_ledger(ledger) == []


def test_altering_what_was_said_shows(address: str) -> None:
    with open_ledger(address) as ledger:
        for number in (1, 2, 3):
            ledger.say_of_error("api", f"group-{number}", status="resolved", by="rb", at=T)
    later = "UPDATE error_state SET content = replace(content, 'resolved', 'ignored') WHERE number = 2"
    moved = "UPDATE error_state SET key = 'group-1' WHERE number = 3"
    if "://" not in address:
        with closing(sqlite3.connect(address, isolation_level=None)) as connection:
            for statement in (later, "DELETE FROM error_state"):
                with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                    connection.execute(statement)
            connection.execute("DROP TRIGGER error_state_no_update")
            connection.execute(later)
            connection.execute(moved)
    else:
        with psycopg.connect(address, autocommit=True) as session:
            for statement in (later, "DELETE FROM error_state", "TRUNCATE error_state"):
                with pytest.raises(psycopg.Error, match="never changed"):
                    session.execute(statement)
            session.execute("ALTER TABLE error_state DISABLE TRIGGER ALL")
            session.execute(later)
            session.execute(moved)
    with open_ledger(address) as ledger:
        problems = [str(problem) for problem in verify_ledger(ledger)]
    assert problems == [
        "saying 2 of errors: it, or one before it, was altered or taken away",
        "saying 3 of errors: its group was altered: its content says another",
    ]


def test_a_ledger_from_before_errors_were_tracked_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    open_ledger(str(path)).close()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DROP TABLE error_state")
        connection.execute("UPDATE alembic_version SET version_num = '0003'")
    with open_ledger(str(path)) as ledger:
        assert ledger.say_of_error("api", KEY, status="ignored", at=T).status == "ignored"
        with ledger.store.reading() as read:
            assert read.execute(text("SELECT version_num FROM alembic_version")).scalar() == REVISION


_STATUSES = st.sampled_from([None, "open", "resolved", "ignored"])


@given(st.lists(st.tuples(_STATUSES, st.sampled_from([None, "", "sre", "web"])).filter(any), max_size=8))
def test_of_many_sayings_the_last_of_each_kind_counts(said: list[tuple[str | None, str | None]]) -> None:
    made = [
        error_states.saying("api", KEY, status=status, owner=owner, at=T + number)  # type: ignore[arg-type]
        for number, (status, owner) in enumerate(said)
    ]
    found = error_states.states(made).get(("api", KEY), ErrorState("api", KEY))
    assert found.status == next((status for status, _ in reversed(said) if status is not None), "open")
    assert found.owner == next((owner for _, owner in reversed(said) if owner is not None), "")
    statuses = [one.at for one in made if one.status is not None]
    if statuses:
        assert found.at == statuses[-1]
