"""Two routers on one PostgreSQL: each event is planned once, whichever of them does, and none is lost."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import Connection

from sla_kit.catalogue.routing import Routing, Storm
from sla_kit.routing.events import Acknowledgement
from sla_kit.routing.outbox import deliveries, incidents
from sla_kit.routing.outbox.accepting import accept, count_dead_events, put, waiting_events
from sla_kit.routing.outbox.store import Outbox, open_outbox
from sla_kit.routing.planning.planner import Planner
from tests.routing.planning.playing import alert, catalogue, webhook
from tests.servers import Postgresql, postgresql

DECLARED = catalogue(Routing(storm=Storm(incidents=0)))
GROUPS, PODS = 30, 8


@pytest.fixture(scope="module")
def server() -> Iterator[Postgresql]:
    with postgresql() as running:
        yield running


@pytest.fixture
def routers(server: Postgresql, request: pytest.FixtureRequest) -> Iterator[list[Outbox]]:
    address = server.database("planning")
    with open_outbox(address) as one, open_outbox(address) as other:
        yield [one, other]
    server.drop("planning")


def _plan_until(outbox: Outbox, accepted: threading.Event) -> int:
    """Plans until all is accepted and planned; how often it did."""
    planner, turns = Planner(DECLARED, outbox.clock), 0
    while True:
        ended = accepted.is_set()
        outbox.write(lambda on: planner.plan(on, limit=7))
        turns += 1
        with outbox.reading() as connection:
            if ended and not waiting_events(connection):
                return turns


def _send_until(outbox: Outbox, owner: str, planned: threading.Event) -> list[tuple[str, str]]:
    """Sends as a dispatcher does, at the same time; what it sent."""
    sent: list[tuple[str, str]] = []

    def send(on: Connection) -> list[tuple[str, str]]:
        now = outbox.clock.now()
        claimed = deliveries.claim(on, owner, limit=20, now=now, lease_seconds=60)
        for each in claimed:
            assert deliveries.succeed(on, each, None, now)
        return [(str(each.destination), each.queue) for each in claimed]

    while True:
        ended = planned.is_set()
        new = outbox.write(send)
        sent += new
        if ended and not new:
            return sent


def test_two_at_once_make_one_incident_of_each_group_and_lose_nothing(routers: list[Outbox]) -> None:
    accepted, planned = threading.Event(), threading.Event()
    start = routers[0].clock.now()
    with ThreadPoolExecutor(6) as pool:
        planning = [pool.submit(_plan_until, outbox, accepted) for outbox in routers]
        sending = [pool.submit(_send_until, outbox, f"router{at}", planned) for at, outbox in enumerate(routers)]
        futures = [
            accept(routers[(group + pod) % 2], webhook(alert(f"A{group}", pod=str(pod), since=start)))
            for pod in range(PODS)
            for group in range(GROUPS)
        ]
        for future in futures:
            future.result(120)
        accepted.set()
        assert all(each.result(120) for each in planning)
        planned.set()
        sent = [one for each in sending for one in each.result(120)]
    with routers[0].reading() as connection:
        known = incidents.listed(connection, limit=1000)
        assert count_dead_events(connection) == 0
    assert len(known) == GROUPS
    assert {each.incident.firing_count for each in known} == {PODS}
    assert {("pagerduty:primary", each.incident.dedup_key) for each in known} <= set(sent)


def test_who_finds_another_one_planning_looks_again_soon(routers: list[Outbox]) -> None:
    one, other = routers
    first, second = (Planner(DECLARED, outbox.clock) for outbox in routers)
    inside, leave = threading.Event(), threading.Event()

    def plan(connection: Connection) -> bool:
        more = first.plan(connection)
        inside.set()
        assert leave.wait(120)
        return more

    one.write(lambda on: put(on, webhook(alert()), one.clock.now()))
    future = one.submit(plan)
    assert inside.wait(120)
    try:
        assert other.write(lambda on: second.plan(on)) is False
        with other.reading() as connection:
            due = second.next_due(connection)
        assert due is not None
        assert due - other.clock.now() < 1
    finally:
        leave.set()
    future.result(120)
    assert other.write(lambda on: second.plan(on)) is False
    with other.reading() as connection:
        assert len(incidents.listed(connection)) == 1
        key = incidents.listed(connection)[0].incident.dedup_key
    taken = Acknowledgement(incident=key, by="ada", at=other.clock.now(), via="slack")
    other.write(lambda on: put(on, taken, other.clock.now()))
    other.write(lambda on: second.plan(on))
    with one.reading() as connection:
        assert incidents.listed(connection)[0].incident.acknowledged_by == "ada"
