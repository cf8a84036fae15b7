"""Changes that are added up before they are kept make what each in its turn would have made."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.exporters.business.pushed.changes import Change, RefusedError
from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.gathering import Gathered
from sla_kit.exporters.business.pushed.store import Push, Store
from tests.exporters.business.pushed.clock import Clock

COUNTER = PushedMetric(name="a_total", type="counter", help="A.", labels=["x"], max_series=2)
GAUGE = PushedMetric(name="gauge", type="gauge", help="G.", labels=["x"], expires=60.0)
SECONDS = PushedMetric(name="seconds", type="histogram", help="S.", labels=["x"], buckets=[1.0, 5.0])
USERS = PushedMetric(name="users", type="users", help="U.", labels=["x"], windows=["5m"])
METRICS = [COUNTER, GAUGE, SECONDS, USERS]
ACTIONS = st.sampled_from([(COUNTER, "add"), (GAUGE, "set"), (GAUGE, "add"), (SECONDS, "observe"), (USERS, "seen")])


@st.composite
def changes(draw: st.DrawFn) -> Change:
    metric, action = draw(ACTIONS)
    number = draw(st.integers(0, 9))
    ids = (str(number),) if action == "seen" else ()
    numbers = () if ids else (float(number),) * draw(st.integers(1, 2))
    weight = draw(st.sampled_from([1.0, 2.0])) if action == "observe" else 1.0
    return Change(metric, (draw(st.sampled_from(["a", "b", "c"])),), action, numbers, ids, weight)


@given(st.lists(changes(), max_size=40))
@settings(deadline=None)
def test_nothing_is_changed_by_adding_up(made: list[Change]) -> None:
    clock = Clock()
    one_by_one, together = Store(None, clock=clock), Store(None, clock=clock)
    gathered = Gathered()
    one_by_one.open()
    together.open()
    (first,) = one_by_one.apply([Push(made, whole=False)])
    for change in made:
        gathered.add(change)
    added = list(gathered.changes())
    (second,) = together.apply([Push([change for change, _ in added], whole=False)])
    for metric in METRICS:
        assert one_by_one.published(metric, math.inf) == together.published(metric, math.inf)
    events = sum(len(change.numbers) if change.action == "observe" else 1 for change in made)
    assert gathered.count == events == sum(count for _, count in added)
    assert len(first.dropped) == sum(added[index][1] for index in second.dropped)


def test_no_more_is_gathered_than_allowed() -> None:
    gathered = Gathered(most=3)
    gathered.add(Change(USERS, ("a",), "seen", ids=("1", "2")))
    for _ in range(100):
        gathered.add(Change(USERS, ("a",), "seen", ids=("1",)))
    gathered.add(Change(SECONDS, ("a",), "observe", (1.0,)))
    with pytest.raises(RefusedError, match="too many"):
        gathered.add(Change(COUNTER, ("a",), "add", (1.0,)))
