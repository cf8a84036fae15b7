"""Alerts evolve as Prometheus's: by hand, by its own algorithm tick by tick, and by promtool itself."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from sla_kit.backtest.replay import Fired, Labels, Run, Timing, replay

A: Labels = (("job", "a"),)
B: Labels = (("job", "b"),)
MINUTE = Timing(60)


def spans(found: Sequence[Fired]) -> list[tuple[int, int | None]]:
    return [(one.since, one.until) for one in found]


def test_without_for_an_alert_fires_at_once_and_is_over_at_the_first_evaluation_without_it() -> None:
    assert spans(replay({A: [Run(3, 5)]}, MINUTE, 0, 10)) == [(3, 6)]


def test_for_counts_from_the_first_evaluation_with_a_value() -> None:
    # Active at 3; two minutes have gone by at 5.
    assert spans(replay({A: [Run(3, 8)]}, Timing(60, pending=120), 0, 10)) == [(5, 9)]
    assert spans(replay({A: [Run(3, 4)]}, Timing(60, pending=120), 0, 10)) == []


def test_for_between_two_evaluations_waits_for_the_later_one() -> None:
    assert spans(replay({A: [Run(3, 8)]}, Timing(60, pending=90), 0, 10)) == [(5, 9)]


def test_what_was_pending_begins_anew() -> None:
    runs = [Run(0, 1), Run(3, 4), Run(6, 8)]
    assert spans(replay({A: runs}, Timing(60, pending=120), 0, 10)) == [(8, 9)]


def test_keep_firing_for_bridges_gaps_and_ends_when_its_time_is_up() -> None:
    timing = Timing(60, keep_firing=120)
    assert spans(replay({A: [Run(1, 1), Run(3, 3)]}, timing, 0, 20)) == [(1, 6)]
    # Absent from 2; kept at 2 and 3; back at 4, the evaluation that would have ended it.
    assert spans(replay({A: [Run(1, 1), Run(4, 4)]}, timing, 0, 20)) == [(1, 7)]
    assert spans(replay({A: [Run(1, 1), Run(5, 5)]}, timing, 0, 20)) == [(1, 4), (5, 8)]


def test_keep_firing_for_keeps_nothing_that_did_not_fire() -> None:
    timing = Timing(60, pending=60, keep_firing=600)
    assert spans(replay({A: [Run(1, 1)]}, timing, 0, 20)) == []


def test_what_fires_at_the_end_has_no_end() -> None:
    assert spans(replay({A: [Run(8, 10)]}, MINUTE, 0, 10)) == [(8, None)]
    assert spans(replay({A: [Run(8, 10)]}, Timing(60, keep_firing=300), 0, 12)) == [(8, None)]


def test_a_failed_evaluation_changes_nothing() -> None:
    assert spans(replay({A: [Run(1, 2), Run(5, 6)]}, MINUTE, 0, 10, [(3, 4)])) == [(1, 7)]
    assert spans(replay({A: [Run(1, 2)]}, MINUTE, 0, 10, [(3, 4)])) == [(1, 5)]
    assert spans(replay({A: [Run(1, 4)]}, Timing(60, pending=120), 0, 10, [(3, 3)])) == [(4, 5)]


def test_label_sets_are_alerts_of_their_own() -> None:
    found = replay({A: [Run(1, 2)], B: [Run(2, 4)]}, MINUTE, 0, 10)
    assert [(one.labels, one.since, one.until) for one in found] == [(A, 1, 3), (B, 2, 5)]


def test_more_alerts_than_the_limit_end_all_of_them() -> None:
    found = replay({A: [Run(1, 5)], B: [Run(3, 3)]}, Timing(60, limit=1), 0, 10)
    assert [(one.labels, one.since, one.until) for one in found] == [(A, 1, 3), (A, 4, 6)]


def as_prometheus(
    active: dict[Labels, list[Run]], timing: Timing, last: int, failed: set[int]
) -> list[tuple[Labels, int, int | None]]:
    """AlertingRule.Eval of Prometheus 2.42, line by line (rules/alerting.go)."""
    alerts: dict[Labels, dict[str, float]] = {}
    found: list[tuple[Labels, int, int | None]] = []
    for tick in range(last + 1):
        if tick in failed:
            continue
        now = tick * timing.interval
        result = {labels for labels, runs in active.items() if any(run.first <= tick <= run.last for run in runs)}
        for labels in result:
            if labels not in alerts or alerts[labels]["state"] == 0:
                alerts[labels] = {"state": 1, "active": now, "kept": -1, "fired": -1}
        counted = 0
        for labels, alert in list(alerts.items()):
            if labels not in result:
                keep = False
                if alert["state"] == 2 and timing.keep_firing > 0:
                    if alert["kept"] < 0:
                        alert["kept"] = now
                    keep = now - alert["kept"] < timing.keep_firing
                if alert["state"] == 1:
                    del alerts[labels]
                if alert["state"] != 0 and not keep:
                    if alert["state"] == 2:
                        found.append((labels, int(alert["fired"]), tick))
                    alert["state"] = 0
                if not keep:
                    continue
            else:
                alert["kept"] = -1
            counted += 1
            if alert["state"] == 1 and now - alert["active"] >= timing.pending:
                alert["state"], alert["fired"] = 2, tick
        if timing.limit and counted > timing.limit:
            found += [
                (labels, int(alert["fired"]), tick)
                for labels, alert in alerts.items()
                if alert["state"] == 2 and alert["fired"] < tick
            ]
            alerts = {}
    found += [(labels, int(alert["fired"]), None) for labels, alert in alerts.items() if alert["state"] == 2]
    return sorted(found, key=lambda one: (one[1], one[0]))


LAST = 60
ticks_with_value = st.sets(st.integers(0, LAST), max_size=LAST)


def runs_of(ticks: set[int]) -> list[Run]:
    found: list[Run] = []
    for tick in sorted(ticks):
        if found and found[-1].last == tick - 1:
            found[-1] = Run(found[-1].first, tick)
        else:
            found.append(Run(tick, tick))
    return found


@settings(max_examples=400)
@given(
    ticks_with_value,
    ticks_with_value,
    st.sets(st.integers(0, LAST), max_size=8),
    st.sampled_from([0, 30, 60, 90, 300]),
    st.sampled_from([0, 30, 60, 90, 300]),
    st.sampled_from([0, 0, 1]),
)
def test_it_is_prometheus_s_algorithm(
    first: set[int], second: set[int], failed: set[int], pending: int, keep: int, limit: int
) -> None:
    active = {A: runs_of(first - failed), B: runs_of(second - failed)}
    timing = Timing(30, pending, keep, limit)
    found = replay(active, timing, 0, LAST, [(tick, tick) for tick in failed])
    assert [(one.labels, one.since, one.until) for one in found] == as_prometheus(active, timing, LAST, failed)
