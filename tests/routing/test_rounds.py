"""Planning in rounds: what comes at the same time is planned together, and nobody waits long for a round."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection

from sla_kit.routing.outbox.store import open_outbox
from sla_kit.routing.rounds import _AT_LEAST, _AT_ONCE, _ROUND_SECONDS, Rounds, _adapted
from tests.routing.routers import until


class Counted:
    """Plans nothing, and counts how often."""

    def __init__(self) -> None:
        self.rounds = 0
        self.planned = threading.Event()

    def plan(self, connection: Connection, now: float, limit: int = 0) -> bool:
        self.rounds += 1
        self.planned.set()
        return False

    def next_due(self, connection: Connection) -> float | None:
        return None


def test_what_comes_while_a_round_has_just_been_is_planned_together(tmp_path: Path) -> None:
    plans = Counted()
    with open_outbox(str(tmp_path / "outbox.db")) as outbox:
        rounds = Rounds(outbox, plans, lambda: None)
        rounds.start()
        until("the first round", plans.planned.is_set)
        began, before = time.monotonic(), plans.rounds
        wakes = 0
        while wakes < 200 or time.monotonic() - began < 0.3:
            rounds.wake()
            wakes += 1
            time.sleep(0.001)  # a moment, as between two webhooks
        assert plans.rounds - before <= (time.monotonic() - began) / 0.05 + 2
        plans.planned.clear()
        rounds.wake()
        until("the round for the last of them", plans.planned.is_set)
        rounds.stop(10)


@given(st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=50))
def test_rounds_become_smaller_while_they_take_long_and_grow_again(rounds: list[tuple[float, bool]]) -> None:
    at_once = _AT_ONCE
    for seconds, full in rounds:
        following = _adapted(at_once, seconds, full=full)
        assert _AT_LEAST <= following <= _AT_ONCE
        assert seconds <= _ROUND_SECONDS or following < at_once or following == _AT_LEAST
        at_once = following
    for _ in range(5):
        at_once = _adapted(at_once, 0.0, full=True)
    assert at_once == _AT_ONCE
