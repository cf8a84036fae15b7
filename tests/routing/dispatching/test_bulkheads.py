"""Threads for each service."""

from __future__ import annotations

import threading

import pytest

from sla_kit.routing.dispatching.bulkheads import Bulkhead
from tests.waiting import until


def test_it_runs_as_many_at_once_as_it_has_threads() -> None:
    bulkhead, all_there, go_on = Bulkhead("slack", 3), threading.Barrier(4), threading.Event()

    def job() -> None:
        all_there.wait(30)
        go_on.wait(30)

    for _ in range(3):
        bulkhead.run(job)
    all_there.wait(30)
    assert (bulkhead.busy, bulkhead.free) == (3, 0)
    with pytest.raises(RuntimeError, match="all threads for slack are busy"):
        bulkhead.run(job)
    go_on.set()
    until(lambda: bulkhead.free == 3)
    bulkhead.close()


def test_threads_are_used_again() -> None:
    bulkhead, names = Bulkhead("slack", 3), set()
    for _ in range(20):
        bulkhead.run(lambda: names.add(threading.current_thread().name))
        until(lambda: bulkhead.busy == 0)
    assert names == {"slack-1"}
    bulkhead.close()


def test_an_abandoned_job_makes_room_until_too_many_hang() -> None:
    bulkhead, go_on, done = Bulkhead("slack", 2), threading.Event(), threading.Event()

    def hang() -> None:
        go_on.wait(30)

    for _ in range(2):
        for ticket in [bulkhead.run(hang) for _ in range(bulkhead.free)]:
            if bulkhead._hanging < 2:
                assert bulkhead.abandon(ticket)
                assert not bulkhead.abandon(ticket)
    assert bulkhead.free == 0
    go_on.set()
    until(lambda: bulkhead.free == 2)
    bulkhead.run(done.set)
    assert done.wait(30)
    bulkhead.close()


def test_a_job_that_has_ended_is_not_abandoned() -> None:
    bulkhead = Bulkhead("slack", 1)
    ticket = bulkhead.run(lambda: None)
    until(lambda: ticket.ended)
    assert not bulkhead.abandon(ticket)
    assert bulkhead.free == 1
    bulkhead.close()
