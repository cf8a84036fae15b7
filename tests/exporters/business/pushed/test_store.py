"""What was pushed is kept as a whole or not at all, in no more series than declared, and for no longer."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.errors import SlaKitError
from sla_kit.exporters.business.pushed.changes import Change
from sla_kit.exporters.business.pushed.configuration import PushedMetric
from sla_kit.exporters.business.pushed.store import KEY_SECONDS, Push, Store
from sla_kit.exporters.sidecar.collector import CollectError
from tests.exporters.business.pushed.clock import Clock

REQUESTS = PushedMetric(name="requests_total", type="counter", help="R.", labels=["plan"], max_series=3)
VIEWERS = PushedMetric(name="viewers", type="gauge", help="V.", labels=["event"], max_series=2, expires=60.0)
SECONDS = PushedMetric(name="seconds", type="histogram", help="S.", buckets=[0.1, 1.0, 10.0])


def add(plan: str, number: float = 1.0) -> Change:
    return Change(REQUESTS, (plan,), "add", (number,))


def view(event: str, number: float, action: str = "set") -> Change:
    return Change(VIEWERS, (event,), action, (number,))


def values(store: Store, metric: PushedMetric = REQUESTS) -> dict[str, float]:
    return {next(iter(each.labels.values()), ""): each.value for each in store.published(metric, math.inf)}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(tmp_path: Path, clock: Clock) -> Store:
    found = Store(tmp_path / "state-pushed", clock=clock)
    found.open()
    return found


def test_what_was_added_is_there_after_another_start(store: Store, clock: Clock) -> None:
    store.apply([Push([add("pro", 2), add("free")]), Push([add("pro", 0.5)])])
    store.close()
    again = Store(store.path, clock=clock)
    assert values(again) == {"free": 1.0, "pro": 2.5}  # reading takes nobody's lock
    again.open()
    again.apply([Push([add("pro")])])
    assert values(again) == {"free": 1.0, "pro": 3.5}


def test_a_push_with_too_many_series_changes_nothing(store: Store) -> None:
    store.apply([Push([add("a"), add("b")])])
    outcome, fine = store.apply([Push([add("a"), add("c"), add("d"), add("c")]), Push([add("c")])])
    assert outcome.refused is not None
    assert outcome.refused.reason == "series"
    assert fine.refused is None
    assert values(store) == {"a": 1.0, "b": 1.0, "c": 1.0}
    (gathered,) = store.apply([Push([add("a"), add("d"), add("e")], whole=False)])
    assert gathered.dropped == [1, 2]
    assert values(store) == {"a": 2.0, "b": 1.0, "c": 1.0}
    assert store.series_count(REQUESTS) == 3


def test_a_push_known_by_its_key_counts_once(store: Store, clock: Clock) -> None:
    push = Push([add("pro")], "key-1", b"same")
    assert [each.repeated for each in store.apply([push, push])] == [False, True]
    store.close()
    store.open()
    assert store.apply([push])[0].repeated
    (other,) = store.apply([Push([add("free")], "key-1", b"other")])
    assert other.refused is not None
    assert values(store) == {"pro": 1.0}
    clock.now += KEY_SECONDS + 1
    assert not store.apply([push])[0].repeated
    assert values(store) == {"pro": 2.0}


def test_a_refused_push_may_come_again_by_its_key(store: Store) -> None:
    store.apply([Push([view("a", 1), view("b", 1)])])
    refused = Push([view("c", 1)], "key", b"x")
    assert store.apply([refused])[0].refused is not None
    assert not store.apply([refused])[0].repeated


def test_gauges_are_set_moved_and_expire(store: Store, clock: Clock) -> None:
    store.apply([Push([view("a", 5), view("a", 3, "add"), view("a", -10, "add"), view("b", 1)])])
    assert values(store, VIEWERS) == {"a": -2.0, "b": 1.0}
    clock.now += 30
    store.apply([Push([view("b", 1, "add")])])
    clock.now += 40
    assert values(store, VIEWERS) == {"b": 2.0}
    store.apply([Push([view("a", 1, "add")])])  # what expired begins at 0
    assert values(store, VIEWERS) == {"a": 1.0, "b": 2.0}
    clock.now += 61
    (outcome,) = store.apply([Push([view("c", 1), view("d", 1)])])  # expired series make room
    assert outcome.refused is None
    assert values(store, VIEWERS) == {"c": 1.0, "d": 1.0}
    clock.now += 61
    store.expire([VIEWERS])
    assert store.series_count(VIEWERS) == 0


@given(st.lists(st.tuples(st.floats(-5, 50), st.integers(1, 3)), max_size=20))
@settings(deadline=None)
def test_histograms_count_into_their_buckets(observed: list[tuple[float, int]]) -> None:
    store = Store(None)
    store.open()
    for number, weight in observed:
        store.apply([Push([Change(SECONDS, (), "observe", (number,), weight=weight)])])
    for each in store.published(SECONDS, math.inf):
        assert each.value == pytest.approx(sum(number * weight for number, weight in observed))
        assert dict(each.buckets) == {
            bound: sum(weight for number, weight in observed if number <= bound) for bound in (0.1, 1.0, 10.0, math.inf)
        }


def test_buckets_that_are_declared_otherwise_later_count_no_too_fast_request(store: Store) -> None:
    store.apply([Push([Change(SECONDS, (), "observe", (0.05, 0.5, 5, 50))])])
    fewer = PushedMetric(name="seconds", type="histogram", help="S.", buckets=[0.5, 10.0])
    (found,) = store.published(fewer, math.inf)
    assert dict(found.buckets) == {0.5: 1.0, 10.0: 3.0, math.inf: 4.0}


def test_series_of_another_declaration_are_not_published(store: Store) -> None:
    store.apply([Push([add("pro")])])
    other = PushedMetric(name="requests_total", type="counter", help="R.", labels=["route"])
    assert store.published(other, math.inf) == []


def test_a_failed_commit_leaves_nothing_behind(store: Store) -> None:
    store.apply([Push([add("pro")])])
    bad = Change(REQUESTS, ("free",), "add", ("no number",))  # type: ignore[arg-type]
    with pytest.raises((CollectError, TypeError)):
        store.apply([Push([add("pro"), add("new")]), Push([bad])])
    assert values(store) == {"pro": 1.0}
    assert store.series_count(REQUESTS) == 1
    store.apply([Push([add("a"), add("b")])])
    assert values(store) == {"a": 1.0, "b": 1.0, "pro": 1.0}


def test_two_processes_do_not_share_a_file(store: Store) -> None:
    other = Store(store.path)
    with pytest.raises(SlaKitError, match="another exporter"):
        other.open()
    store.close()
    other.open()


def test_files_that_are_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("this is no database, " * 100)
    with pytest.raises(CollectError, match="damaged"):
        Store(tmp_path / "text").open()
    with sqlite3.connect(tmp_path / "other") as connection:
        connection.execute("CREATE TABLE theirs (a)")
    with pytest.raises(CollectError, match="something else"):
        Store(tmp_path / "other").open()
    with pytest.raises(SlaKitError, match="can't be kept"):
        Store(tmp_path / "absent" / "state").open()
    assert Store(tmp_path / "new").published(REQUESTS, math.inf) == []


def test_what_is_pushed_after_the_file_was_taken_away_is_kept_where_it_can_be_found(store: Store, clock: Clock) -> None:
    """The sender was told that it is on disk."""
    store.apply([Push([add("pro", 2), add("free")])])
    assert store.path is not None
    for each in store.path.parent.glob("state-pushed*"):
        each.unlink()
    store.apply([Push([add("pro", 3), add("team"), add("new")])])
    assert values(store) == {"new": 1.0, "pro": 3.0, "team": 1.0}
    assert store.series_count(REQUESTS) == 3
    store.close()
    assert values(Store(store.path, clock=clock)) == {"new": 1.0, "pro": 3.0, "team": 1.0}


def test_a_folder_that_is_gone_refuses_pushes_until_it_is_back(store: Store) -> None:
    store.apply([Push([add("pro")])])
    assert store.path is not None
    folder = store.path.parent
    elsewhere = folder.rename(folder.with_name("elsewhere"))
    with pytest.raises(CollectError):
        store.apply([Push([add("pro")])])
    elsewhere.rename(folder)
    store.apply([Push([add("pro")])])
    assert values(store) == {"pro": 2.0}


def test_a_clock_that_was_wrong_for_a_while_keeps_no_gauge_alive(store: Store, clock: Clock) -> None:
    clock.now += 86_400
    store.apply([Push([view("final", 5)])])
    assert values(store, VIEWERS) == {"final": 5.0}
    clock.now -= 86_400
    assert values(store, VIEWERS) == {}
    store.apply([Push([view("final", 7)])])
    assert values(store, VIEWERS) == {"final": 7.0}
