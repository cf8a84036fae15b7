"""What survives: an outbox that can't be written for a while, a process that is killed, several routers at once."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter, defaultdict
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from sla_kit.catalogue.routing import PagerDutySettings, Routing, SlackSettings
from sla_kit.routing.delivering import Parcel, Remember
from sla_kit.routing.dispatching import calls
from sla_kit.routing.events import Notice
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.routing.dispatching.desk import Desk, desk, failing, want
from tests.waiting import until

QUICK = Routing(slack=SlackSettings(per_second=1e6), pagerduty=PagerDutySettings(per_second=1e6))
#: Sends, which is a line in a file, and is killed before it can tell.
KILLED = """
import os, signal, sys
from pathlib import Path
from sla_kit.catalogue.routing import Routing
from sla_kit.routing.dispatching.dispatcher import Dispatcher
from sla_kit.routing.dispatching.metrics import RouterMetrics
from sla_kit.routing.dispatching import calls
from sla_kit.routing.events import Notice
from sla_kit.routing.outbox.store import open_outbox

class Adapter:
    def deliver(self, parcel, remember):
        remember({"ts": "1.2"})
        with Path(sys.argv[2]).open("a") as file:
            file.write(parcel.key + "\\n")
        os.kill(os.getpid(), signal.SIGKILL)

    def close(self):
        pass

outbox = open_outbox(sys.argv[1], exclusive=True)
dispatcher = Dispatcher(outbox, {"slack": Adapter()}, Routing(), RouterMetrics())
dispatcher.start()
dispatcher._thread.join()
"""


def with_pragma(outbox: Outbox, pragma: str) -> None:
    """Has each connection begin its work with a pragma."""

    def checkout(connection: Any, *_: object) -> None:
        connection.execute(pragma)

    event.listen(outbox._engine, "checkout", checkout)


def test_a_result_waits_for_an_outbox_that_is_locked(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "outbox.db"
    with desk(path, routing=QUICK) as one, closing(sqlite3.connect(path, 60, check_same_thread=False)) as other:
        other.isolation_level = None
        with_pragma(one.outbox, "PRAGMA busy_timeout = 50")

        def answer(parcel: Parcel, remember: Remember) -> None:
            other.execute("BEGIN IMMEDIATE")

        one.adapter.answers["slack:#a"].append(answer)
        id_ = one.want("report")
        until(lambda: one.sample("outbox_errors_total") >= 3)
        one.turn(1000)  # though its lease is over by now, nothing is sent again
        errors = one.sample("outbox_errors_total")
        until(lambda: one.sample("outbox_errors_total") >= errors + 2)
        other.execute("ROLLBACK")
        until(lambda: not one.row(id_).pending)
        assert one.adapter.titles() == ["report"]
        assert "waits for the outbox" in caplog.text


def test_a_result_waits_for_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what was to be remembered: a message is there, though its name could not be kept at once."""
    monkeypatch.setattr(calls, "_REMEMBER_SECONDS", 0.0)
    name = {"ts": "1.2", "much": "x" * 200_000}
    with desk(tmp_path / "outbox.db", routing=QUICK) as one:
        pages = [2**30]
        event.listen(
            one.outbox._engine,
            "checkout",
            lambda connection, *_: connection.execute(f"PRAGMA max_page_count = {pages[0]}"),
        )

        def answer(parcel: Parcel, remember: Remember) -> None:
            pages[0] = 1  # SQLite takes it for as many as there are
            remember(name)

        one.adapter.answers["slack:#a"].append(answer)
        id_ = one.want("report")
        until(lambda: one.sample("outbox_errors_total") >= 3)
        one.turn(1000)
        errors = one.sample("outbox_errors_total")
        until(lambda: one.sample("outbox_errors_total") >= errors + 2)
        assert one.adapter.titles() == ["report"]
        pages[0] = 2**30
        until(one.settled)
        assert not one.row(id_).pending
        assert [call.uncertain for call in one.adapter.calls] == [False, True]
        assert one.adapter.calls[1].references == name


def test_what_was_sent_by_a_router_that_was_killed_is_uncertain(tmp_path: Path) -> None:
    path, sent = tmp_path / "outbox.db", tmp_path / "sent"
    with open_outbox(str(path)) as outbox:
        want(outbox, "report", "slack:#a")
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(sent)], capture_output=True, timeout=100)
        assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    with desk(path, routing=QUICK) as one:
        until(one.settled)
        [call] = one.adapter.calls
        assert (call.uncertain, call.references) == (True, {"ts": "1.2"})
        assert sent.read_text().split() == [call.key, call.key]
        assert len(one.all()) == 1


def told_everything(desks: list[Desk]) -> bool:
    for one in desks:
        one.dispatcher.wake()
    return desks[0].settled()


def test_routers_that_share_an_outbox_never_make_one_delivery_twice(database: str) -> None:
    """Three of them, and services that fail one time in four: nothing is lost, nothing is told twice."""
    chance, wanted = random.Random(8), 150
    with ExitStack() as stack:
        first = open_outbox(database)
        stack.callback(first.close)
        clock = first.clock
        desks = [stack.enter_context(desk(database, routing=QUICK, clock=clock)) for _ in range(3)]
        told: Counter[str] = Counter()
        order: dict[tuple[int, str], list[int]] = defaultdict(list)
        running: set[str] = set()
        twice = []

        def answer(parcel: Parcel, remember: Remember) -> None:
            if parcel.key in running:
                twice.append(parcel.key)
            running.add(parcel.key)
            remember({"by": "somebody"})
            running.discard(parcel.key)
            if chance.random() < 0.25:
                raise failing("now and then")
            told[parcel.key] += 1
            assert isinstance(parcel.content, Notice)
            number = int(parcel.content.title)
            order[number % 20, str(parcel.destination)].append(number)

        for one in desks:
            one.dispatcher._recorder._uniform = lambda low, high: 0.01
            one.adapter.always = {f"{kind}:#{number}": answer for kind in ("slack", "email") for number in range(5)}
        asked, deadline = 0, time.monotonic() + 200
        while not asked or not all(one.adapter.calls for one in desks):
            assert time.monotonic() < deadline, "one of the routers tells nothing"
            for number in range(asked, asked + wanted):
                kind = "slack" if number % 2 else "email"
                want(first, f"{number}", f"{kind}:#{number % 5}", queue=f"queue {number % 20}", priority=number % 3)
            asked += wanted
            until(lambda: told_everything(desks), seconds=200)
        assert twice == []
        assert len(told) == asked
        assert set(told.values()) == {1}
        # Of one queue and destination in the order in which it was wanted, whichever router told it.
        assert all(numbers == sorted(numbers) for numbers in order.values())
