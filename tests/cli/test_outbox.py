"""`sla-kit outbox` as a person and a script meet it, beside a router that has the outbox."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, text

from sla_kit.routing.destinations import Destination
from sla_kit.routing.events import Link
from sla_kit.routing.outbox import accepting, deliveries
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.outbox.making import MAIL, PAGER, SLACK, claim, notice, opened

CATALOGUE = """
name: shop
services: [{name: api, slos: [{name: up, objective: 99%, window: 1d, sli: {kind: probe, matchers: {job: api}}}]}]
routing: {outbox: kept.db}
"""


def run(place: Path, *arguments: str, answer: str | None = None) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, away from any terminal."""
    command = [str(Path(sys.executable).parent / "sla-kit"), "outbox", *arguments]
    wide = {**os.environ, "COLUMNS": "200"}
    return subprocess.run(command, capture_output=True, text=True, timeout=600, cwd=place, input=answer, env=wide)


def listed(place: Path, *arguments: str) -> list[dict[str, Any]]:
    done = run(place, "list", "--json", "-o", "outbox.db", *arguments)
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)["deliveries"]
    return found


def fill(connection: Connection, now: float) -> None:
    """1 is dead, 2 delivered, 3 fails, 4 folded, 5 held, 6 a dead notice whose link holds a secret."""
    opened(connection, "shop", SLACK, MAIL, PAGER, now=now)
    opened(connection, "[red]bank[/red]\x1b[2J", Destination("slack", "#bank"), now=now)
    opened(connection, "quiet", SLACK, now=now, held=True)
    by_id = {one.id: one for one in claim(connection, now=now)}
    deliveries.give_up(connection, by_id[1], "channel_not_found; token=xoxb-very-secret", now)
    deliveries.succeed(connection, by_id[2], None, now)
    deliveries.retry(connection, by_id[3], "503 Service Unavailable", due_at=now + 7200, uncertain=True, now=now)
    deliveries.fold(connection, [4], "the storm", now)
    secret = notice("report", links=[Link(url="https://ann:hunter2222@example.com/")])
    deliveries.want_content(connection, secret, SLACK, contact="ann", priority=3, now=now)
    (claimed,) = claim(connection, now=now)
    deliveries.give_up(connection, claimed, "no such file", now)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "sla.yml").write_text(CATALOGUE)
    return tmp_path


@pytest.fixture
def router(place: Path) -> Iterator[Outbox]:
    """A router that has the outbox in ``outbox.db``."""
    with open_outbox(str(place / "outbox.db"), exclusive=True) as box:
        now = box.clock.now()
        box.write(lambda connection: fill(connection, now))
        accepting.accept(box, notice("strange")).result()
        (event,) = box.write(lambda connection: accepting.new_events(connection, 1))
        box.write(lambda connection: accepting.mark_dead(connection, event.id, "no contact fits"))
        yield box


def test_the_list_tells_what_there_is_and_why(router: Outbox, place: Path) -> None:
    done = run(place, "list", "-o", "outbox.db")
    assert done.returncode == 0, done.stderr
    for word in ("slack:#incidents", "dead", "delivered", "folded", "held", "pending", "event:1", "no contact fits"):
        assert word in done.stdout
    assert "[red]bank[/red]" in done.stdout.replace("\n", "")
    assert "\x1b" not in done.stdout
    assert "very-secret" not in done.stdout
    assert run(place, "list", "-o", "outbox.db", "--destination", "ledger").stdout == "There are none.\n"


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ([], [6, 5, 4, 3, 2, 1]),
        (["--state", "dead"], [6, 1]),
        (["--state", "pending"], [3]),
        (["--state", "delivered"], [2]),
        (["--state", "held"], [5]),
        (["--state", "folded"], [4]),
        (["--state", "dropped"], []),
        (["--destination", "slack:#incidents"], [6, 5, 1]),
        (["--destination", "slack"], [6, 5, 4, 1]),
        (["--incident", "shop"], [3, 2, 1]),
        (["--incident", "3"], [5]),
        (["--limit", "2"], [6, 5]),
    ],
    ids=lambda given: "-".join(given) if given and isinstance(given[0], str) else "",
)
def test_the_list_may_be_narrowed(router: Outbox, place: Path, arguments: list[str], ids: list[int]) -> None:
    assert [one["id"] for one in listed(place, *arguments)] == ids


def test_one_delivery_is_shown_with_all_that_is_known(router: Outbox, place: Path) -> None:
    done = run(place, "show", "3", "-o", "outbox.db", "--json")
    document = json.loads(done.stdout)
    assert document["destination"] == "pagerduty:primary"
    assert document["attempts"] == 1
    assert document["uncertain"] is True
    assert document["content"]["title"] == "shop is down"
    assert [line["what"] for line in document["history"]] == ["failed"]
    shown = run(place, "show", "3", "-o", "outbox.db").stdout
    for word in ("pagerduty:primary", "503 Service Unavailable", "shop is down", "failed (version 1)", "uncertain"):
        assert word in shown
    assert "\x1b" not in run(place, "show", "4", "-o", "outbox.db").stdout


def test_secrets_of_others_are_not_shown(router: Outbox, place: Path) -> None:
    for arguments in (["show", "6"], ["show", "6", "--json"], ["show", "1"], ["list"], ["list", "--json"]):
        done = run(place, *arguments, "-o", "outbox.db")
        assert done.returncode == 0
        assert "hunter2222" not in done.stdout
        assert "very-secret" not in done.stdout


def test_an_event_is_shown_and_planned_again(router: Outbox, place: Path) -> None:
    assert "no contact fits" in run(place, "show", "event:1", "-o", "outbox.db").stdout
    done = run(place, "retry", "event:1", "-o", "outbox.db")
    assert done.stdout == "0 deliveries due now, 1 event to be planned again\n"
    assert len(router.write(lambda connection: accepting.new_events(connection, 5))) == 1


def test_an_event_that_is_no_json_is_shown_too(router: Outbox, place: Path) -> None:
    router.write(
        lambda connection: connection.execute(text("UPDATE event SET body = :body"), {"body": b"\xff\x00"}).close()
    )
    assert "2 bytes that are no JSON" in run(place, "show", "event:1", "-o", "outbox.db").stdout


def test_retrying_makes_dead_and_failing_ones_due_at_once_for_the_router(router: Outbox, place: Path) -> None:
    done = run(place, "retry", "1", "3", "2", "-o", "outbox.db")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 deliveries due now, 0 events to be planned again\nThe others had nothing left to tell.\n"
    found = router.write(lambda connection: claim(connection, now=router.clock.now() + 5))
    assert sorted(one.id for one in found) == [1, 3]
    assert [one["state"] for one in listed(place, "--incident", "shop")] == ["pending", "delivered", "pending"]


def test_all_dead_may_be_retried_and_narrowed_by_destination(router: Outbox, place: Path) -> None:
    done = run(place, "retry", "--all-dead", "--destination", "email", "-o", "outbox.db")
    assert done.stdout.startswith("0 deliveries due now, 0 events")
    done = run(place, "retry", "--all-dead", "-o", "outbox.db")
    assert done.stdout.startswith("2 deliveries due now, 1 event ")
    assert listed(place, "--state", "dead") == []


def test_dropping_asks_or_is_told_so(router: Outbox, place: Path) -> None:
    done = run(place, "drop", "3", "-o", "outbox.db", answer="y\n")
    assert done.returncode == 2
    assert "say --yes" in done.stderr
    done = run(place, "drop", "3", "event:1", "--yes", "-o", "outbox.db")
    assert done.stdout == "1 delivery and 1 event dropped\n"
    assert [one["id"] for one in listed(place, "--state", "dropped")] == [3]
    assert "dropped by " in listed(place, "--state", "dropped")[0]["error"]
    assert run(place, "retry", "3", "-o", "outbox.db").stdout.startswith("1 delivery due now")


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (["2"], "2 was told already"),
        (["3", "2"], "2 was told already"),
        (["4"], "4 was told as a part of something else"),
        (["event:2"], "event:2 waits to be planned"),
        (["3", "4", "2"], "4 was told as a part of something else, or is not told at all; 2 was told already"),
    ],
    ids=lambda given: "-".join(given) if isinstance(given, list) else "",
)
def test_what_was_told_can_t_be_dropped_and_nothing_is(router: Outbox, place: Path, ids: list[str], words: str) -> None:
    accepting.accept(router, notice("to be planned")).result()
    before = listed(place)
    done = run(place, "drop", *ids, "--yes", "-o", "outbox.db")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"nothing was dropped: {words}" in done.stderr.replace("\n", " ")
    assert listed(place) == before
    assert all(line["what"] != "dropped" for line in shown_history(place, "2"))


def shown_history(place: Path, id_: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(place, "show", id_, "--json", "-o", "outbox.db").stdout)["history"]
    return found


def test_what_is_dropped_is_not_dropped_again(router: Outbox, place: Path) -> None:
    done = run(place, "drop", "1", "5", "event:1", "1", "--yes", "-o", "outbox.db")
    assert done.stdout == "2 deliveries and 1 event dropped\n"
    for id_ in ("5", "event:1"):
        done = run(place, "drop", id_, "--yes", "-o", "outbox.db")
        assert done.returncode == 2
        assert f"{id_} was dropped already" in done.stderr
    assert [line["what"] for line in shown_history(place, "5")].count("dropped") == 1
    done = run(place, "drop", "--all-dead", "--yes", "-o", "outbox.db")
    assert done.stdout == "1 delivery and 0 events dropped\n"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["show", "99"], "there is no 99"),
        (["show", "event:99"], "there is no event:99"),
        (["show", "seven"], "'seven' is no ID"),
        (["retry", "1", "99"], "there is no 99"),
        (["retry"], "it is not said which"),
        (["retry", "1", "--all-dead"], "it is not said which"),
        (["drop", "--destination", "slack"], "it is not said which"),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, list) else "",
)
def test_what_is_not_there_is_said_so(router: Outbox, place: Path, arguments: list[str], words: str) -> None:
    done = run(place, *arguments, "-o", "outbox.db")
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_the_catalogue_says_where_the_outbox_is(place: Path) -> None:
    done = run(place, "list")
    assert done.returncode == 2
    assert "there is no outbox" in done.stderr
    assert "kept.db" in done.stderr
    open_outbox(str(place / "kept.db")).close()
    assert run(place, "list").stdout == "There are none.\n"
    assert not (place / "kept.db.lock").exists()


def test_what_was_accepted_while_no_router_ran_is_told_of(place: Path) -> None:
    with open_outbox(str(place / "outbox.db")) as box:
        accepting.accept(box, notice("report")).result()
    done = run(place, "list", "-o", "outbox.db", "--state", "pending")
    assert done.stderr == "1 event accepted and not planned yet; a router does that when it runs\n"
    assert json.loads(run(place, "list", "--json", "-o", "outbox.db").stdout)["events_waiting"] == 1
