"""Routers that are killed at any moment: what was acknowledged is there, once, and everything is delivered in order."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter, defaultdict
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from sla_kit.routing.incident import Incident, told
from sla_kit.routing.outbox import accepting, connecting, deliveries, incidents
from sla_kit.routing.outbox.deliveries import Claimed
from sla_kit.routing.outbox.incidents import Stored
from sla_kit.routing.outbox.store import Outbox, open_outbox
from tests.forking import ended_well, in_another_process
from tests.routing.outbox.making import MAIL, SLACK, changed, notice, opened
from tests.waiting import until

#: A test that hangs must end.
PATIENCE = 240.0
WHERE = (SLACK, MAIL)


def accept_for_ever(address: str, begin: int, acknowledged: int) -> None:
    """Accepts with several threads, each event twice, and writes down what was acknowledged."""
    outbox = open_outbox(address, exclusive=True)
    os.write(acknowledged, b"open\n")

    def send(lane: int) -> None:
        for number in range(begin, begin + 100_000):
            key = f"{lane}-{number}"
            futures = [accepting.accept(outbox, notice(key), idempotency=key) for _ in range(2)]
            if [future.result() for future in futures] != [True, False]:
                os.write(acknowledged, b"wrong\n")
            os.write(acknowledged, f"{key}\n".encode())

    threads = [threading.Thread(target=send, args=(lane,)) for lane in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize("seed", range(4))
def test_thirty_kills_while_events_are_accepted(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    address, acknowledged = str(tmp_path / "outbox.db"), set[str]()
    for life in range(30):
        reading, writing = os.pipe()
        begin = life * 100_000
        child = in_another_process(lambda begin=begin, to=writing: accept_for_ever(address, begin, to))  # type: ignore[misc]
        os.close(writing)
        with os.fdopen(reading) as lines:
            if chance.random() < 0.8:  # the others die while they open it
                for _ in range(chance.randint(1, 40)):
                    acknowledged.add(lines.readline().strip())
            time.sleep(chance.uniform(0, 0.02))  # a moment of no meaning
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            acknowledged |= set(lines.read().splitlines())
    acknowledged -= {"open"}
    assert "wrong" not in acknowledged
    with closing(sqlite3.connect(address)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        keys = [key for (key,) in connection.execute("SELECT idempotency FROM event")]
    assert len(keys) == len(set(keys))
    assert acknowledged <= set(keys)
    assert len(acknowledged) > 100
    with open_outbox(address, exclusive=True) as outbox:
        planned = outbox.write(lambda connection: accepting.new_events(connection, 1_000_000))
    assert sorted(one.event.title for one in planned) == sorted(keys)  # type: ignore[union-attr]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that share an outbox wait for one another, however long one of them is kept from going on."""
    monkeypatch.setattr(connecting, "PATIENCE_SECONDS", PATIENCE)


class Journal:
    """A file to which each process appends what it did; a line is there whole, whoever is killed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.touch()

    def write(self, *words: object) -> None:
        file = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        os.write(file, (" ".join(map(str, words)) + "\n").encode())
        os.close(file)

    def lines(self) -> list[list[str]]:
        return [line.split() for line in self._path.read_text().splitlines()]


def deliver_all(address: str, owner: str, journal: Journal, last: Path, ready: int) -> None:
    """Claims and "sends" as a dispatcher does, until the last change is there and nothing is pending."""
    with open_outbox(address, exclusive=True) as outbox:
        outbox.write(lambda connection: deliveries.release(connection, owner, outbox.clock.now()))
        os.write(ready, b".")
        while not last.exists() or pending(outbox):
            now = outbox.clock.now()
            found = outbox.write(partial(deliveries.claim, owner=owner, limit=3, now=now, lease_seconds=30.0))
            for one in found:
                send(outbox, owner, one, journal)
            if not found:
                time.sleep(0.002)  # between two looks
    os._exit(0)


def send(outbox: Outbox, owner: str, one: Claimed, journal: Journal) -> None:
    assert isinstance(one.content, Incident)
    what = (one.queue, one.destination, one.incident_id, one.version)
    journal.write("begin", owner, *what, "uncertain" if one.uncertain else "certain")
    outbox.write(lambda connection: deliveries.remember(connection, one, {"message": one.key}))
    now = outbox.clock.now()
    content = one.content
    kept = outbox.write(lambda connection: deliveries.succeed(connection, one, told(content, now), now))
    journal.write("end" if kept else "late", owner, *what)


def pending(outbox: Outbox) -> bool:
    with outbox.reading() as connection:
        return bool(connection.execute(text("SELECT 1 FROM delivery WHERE pending LIMIT 1")).first())


def opened_there(connection: Connection, key: str, now: float) -> Stored:
    return opened(connection, key, *WHERE, now=now)


def change_all(outbox: Outbox, groups: int, versions: int) -> None:
    """Each group has an incident with some versions, which is resolved at last, and then another one."""
    for number in range(groups):
        key = f"g{number}"
        for _ in range(2):
            now = outbox.clock.now()
            stored = outbox.write(partial(opened_there, key=key, now=now))
            for version in range(versions):
                status = "resolved" if version == versions - 1 else "firing"
                stored = outbox.write(
                    lambda connection, stored=stored, status=status: changed(  # type: ignore[misc]
                        connection, stored, *WHERE, now=outbox.clock.now(), status=status
                    )
                )


def check_order(journal: Journal, killed: Counter[str]) -> None:
    """Of each queue and destination: never two at once, never an older state after a newer one, and nothing twice
    unless it was said that it may be."""
    newest: dict[tuple[str, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    busy: dict[tuple[str, str], tuple[str, tuple[int, int]]] = {}
    done: set[tuple[tuple[str, str], tuple[int, int]]] = set()
    for what, owner, queue, destination, incident, version, *more in journal.lines():
        place, state = (queue, destination), (int(incident), int(version))
        if what == "begin":
            if place in busy:  # its sender was killed, or is another life of this one
                assert killed[busy[place][0]], f"two at once: {place}"
                # A later state may be certain: the end of the one before was committed, and not written down here.
                assert more == ["uncertain"] or busy[place][1] != state
            assert state >= newest[place]
            if (place, state) in done:
                assert more == ["uncertain"]
            busy[place], newest[place] = (owner, state), state
            done.add((place, state))
        elif busy.get(place) == (owner, state):
            del busy[place]


def check_all_told(outbox: Outbox, journal: Journal) -> None:
    sent = {(int(line[4]), line[3]): int(line[5]) for line in journal.lines() if line[0] == "begin"}
    with outbox.reading() as connection:
        stored = {one.id: one for one in incidents.listed(connection, limit=1_000_000)}
        for one in deliveries.page(connection, limit=1_000_000):
            assert one.state == "delivered"
            assert one.incident_id is not None
            assert one.told_version == stored[one.incident_id].version
            assert one.references == {"message": one.key}
            assert sent[one.incident_id, str(one.destination)] == one.told_version


def start_delivering(address: str, journal: Journal, last: Path, owner: str) -> int:
    """A process that delivers; it is at work when this returns."""
    reading, writing = os.pipe()
    child = in_another_process(lambda: deliver_all(address, owner, journal, last, writing))
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    return child


def change_until(address: str, enough: Path) -> None:
    """One incident after another."""
    with open_outbox(address) as outbox:
        while not enough.exists():
            change_all(outbox, 5, 4)


def killed_while_it_changes(
    address: str, owners: list[str], kills: int, journal: Journal, folder: Path
) -> Counter[str]:
    """Runs a process for each owner while incidents change; kills one at random and starts it again, so many times.

    Changes go on until all kills are done and each owner has sent something, however slow the machine is; then all
    processes end by themselves.
    """
    chance, enough, last = random.Random(kills), folder / "enough", folder / "last"
    open_outbox(address).close()
    planner = in_another_process(lambda: change_until(address, enough))
    try:
        running = {owner: start_delivering(address, journal, last, owner) for owner in owners}
        killed: Counter[str] = Counter()
        for _ in range(kills):
            time.sleep(chance.uniform(0, 0.2))  # a moment of no meaning
            owner = chance.choice(owners)
            os.kill(running[owner], signal.SIGKILL)
            assert os.WIFSIGNALED(os.waitpid(running[owner], 0)[1]), "it ended before all changes were there"
            killed[owner] += 1
            running[owner] = start_delivering(address, journal, last, owner)
        until(
            lambda: {line[1] for line in journal.lines()} >= set(owners),
            PATIENCE,
            what="a delivery of each",
            every=0.01,
        )
    finally:
        enough.touch()
        planned = ended_well(planner)
        last.touch()
    assert planned
    assert ended_well(*running.values())
    return killed


@pytest.mark.parametrize("kills", [12, 13, 14])
def test_kills_of_one_router_while_it_delivers_from_a_file(kills: int, tmp_path: Path) -> None:
    address, journal = str(tmp_path / "outbox.db"), Journal(tmp_path / "journal")
    killed = killed_while_it_changes(address, ["a"], kills, journal, tmp_path)
    check_order(journal, killed)
    with open_outbox(address, create=False) as outbox:
        check_all_told(outbox, journal)


def test_kills_of_three_routers_that_share_a_database(database: str, tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    killed = killed_while_it_changes(database, ["a", "b", "c"], 15, journal, tmp_path)
    assert len(killed) > 1
    check_order(journal, killed)
    with open_outbox(database) as outbox:
        check_all_told(outbox, journal)


def accept_everywhere(address: str, lane: str, acknowledged: int) -> None:
    """Accepts what the others accept, too: each event is sent to all routers."""
    outbox = open_outbox(address, exclusive=True)
    os.write(acknowledged, b"open\n")
    for number in range(100_000):
        futures = [accepting.accept(outbox, notice(f"{n}"), idempotency=f"{n}") for n in range(number, number + 5)]
        for n, future in enumerate(futures):
            os.write(acknowledged, f"{number + n} {lane} {future.result()}\n".encode())


def test_what_three_routers_accept_together_is_there_once_whoever_is_killed(database: str) -> None:
    chance = random.Random(5)
    reading, writing = os.pipe()
    open_outbox(database).close()

    def start(lane: str) -> int:
        return in_another_process(lambda: accept_everywhere(database, lane, writing))

    running = {lane: start(lane) for lane in "abc"}
    acknowledged: list[list[str]] = []

    def collect() -> None:
        for line in os.fdopen(reading):
            if len(words := line.split()) == 3:
                acknowledged.append(words)

    collected = threading.Thread(target=collect)
    collected.start()
    for _ in range(15):
        time.sleep(chance.uniform(0, 0.2))  # a moment of no meaning
        lane = chance.choice("abc")
        os.kill(running[lane], signal.SIGKILL)
        os.waitpid(running[lane], 0)
        running[lane] = start(lane)
    # A slow machine may have killed all of them before they had said a word.
    until(lambda: len(acknowledged) >= 30, PATIENCE, what="an acknowledgement")
    for child in running.values():
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    os.close(writing)
    collected.join(60)
    with open_outbox(database) as outbox, outbox.reading() as connection:
        keys = connection.execute(text("SELECT idempotency FROM event")).scalars().all()
    assert len(keys) == len(set(keys))
    assert {line[0] for line in acknowledged} <= set(keys)
    first = Counter(line[0] for line in acknowledged if line[2] == "True")
    assert not first or max(first.values()) == 1  # of all who sent it, one was told that it is new


def test_lines_of_several_processes_do_not_run_into_each_other(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")

    def fifty(number: int) -> None:
        for _ in range(50):
            journal.write(number, "x" * 500)

    for child in [in_another_process(partial(fifty, number)) for number in range(3)]:
        assert os.waitpid(child, 0)[1] == 0
    assert [len(line[1]) for line in journal.lines()] == [500] * 150
